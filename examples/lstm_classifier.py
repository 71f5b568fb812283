"""An LSTM learns to tell balanced brackets from unbalanced ones, in sequences of different lengths.

    python examples/lstm_classifier.py
    python examples/lstm_classifier.py --backend torch

Half of the sequences are balanced, such as `([]){}`. In the others two brackets changed places or one became another, so
that only a model that remembers what is open can tell.
"""

import argparse
import importlib
import random

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--backend", default="flambeau", choices=["flambeau", "torch"], help="the library that trains")
parser.add_argument("--samples", type=int, default=5000, help="training sequences; a quarter as many are kept for testing")
parser.add_argument("--length", type=int, default=20, help="the longest sequence")
parser.add_argument("--embedding", type=int, default=16)
parser.add_argument("--hidden", type=int, default=64)
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--batch", type=int, default=50)
parser.add_argument("--rate", type=float, default=5e-3, help="the learning rate")
parser.add_argument("--seed", type=int, default=0)
config = parser.parse_args()

torch = importlib.import_module(config.backend)
nn, F, data = torch.nn, torch.nn.functional, importlib.import_module(f"{config.backend}.utils.data")
rnn = importlib.import_module(f"{config.backend}.nn.utils.rnn")

PAIRS = ["()", "[]", "{}"]
SYMBOLS = "".join(PAIRS)
PADDING = 0  # the symbols are numbered from 1


def balanced(pairs):
    """A random balanced sequence of so many pairs."""
    if pairs == 0:
        return ""
    inside = random.randrange(pairs)
    opening, closing = random.choice(PAIRS)
    return opening + balanced(inside) + closing + balanced(pairs - 1 - inside)


def is_balanced(text):
    """Whether every bracket is closed by its like, in the right order."""
    opened = []
    for symbol in text:
        if symbol in "([{":
            opened.append(symbol)
        elif not opened or opened.pop() + symbol not in PAIRS:
            return False
    return not opened


def sample():
    """A sequence of numbered symbols, and its label: 1 if it is balanced."""
    symbols = list(balanced(random.randint(2, config.length // 2)))
    if random.random() < 0.5:
        i, j = random.sample(range(len(symbols)), 2)
        symbols[i], symbols[j] = random.choice([(symbols[j], symbols[i]), (random.choice(SYMBOLS), symbols[j])])
    return torch.tensor([SYMBOLS.index(symbol) + 1 for symbol in symbols]), int(is_balanced(symbols))


def collate(samples):
    """A batch: the sequences padded to the longest, their lengths, and the labels."""
    sequences, labels = zip(*samples)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return rnn.pad_sequence(sequences, batch_first=True, padding_value=PADDING), lengths, torch.tensor(labels)


class Classifier(nn.Module):
    """Reads a sequence with an LSTM and judges it by the last hidden state."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(SYMBOLS) + 1, config.embedding, padding_idx=PADDING)
        self.lstm = nn.LSTM(config.embedding, config.hidden, batch_first=True)
        self.head = nn.Linear(config.hidden, 2)

    def forward(self, tokens, lengths):
        packed = rnn.pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        return self.head(hidden[-1])


random.seed(config.seed)
torch.manual_seed(config.seed)
train_loader = data.DataLoader([sample() for _ in range(config.samples)], batch_size=config.batch, shuffle=True, collate_fn=collate)
test_loader = data.DataLoader([sample() for _ in range(config.samples // 4)], batch_size=config.batch, collate_fn=collate)
model = Classifier()
optimizer = torch.optim.Adam(model.parameters(), lr=config.rate)
print(model)


@torch.no_grad()
def accuracy():
    """The fraction of test sequences that the model judges rightly."""
    right = [(model(tokens, lengths).argmax(dim=1) == labels).sum().item() for tokens, lengths, labels in test_loader]
    return sum(right) / len(test_loader.dataset)


for epoch in range(1, config.epochs + 1):
    total = 0.0
    for tokens, lengths, labels in train_loader:
        loss = F.cross_entropy(model(tokens, lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * len(labels)
    print(f"epoch {epoch:2d}: loss {total / config.samples:.4f}, accuracy on the test set {accuracy():.1%}")

for text in ["()", "([]{})", "([)]", "{[()()]}", "{[()(]}"]:
    tokens = torch.tensor([[SYMBOLS.index(symbol) + 1 for symbol in text]])
    with torch.no_grad():
        probability = F.softmax(model(tokens, torch.tensor([len(text)])), dim=1)[0, 1].item()
    print(f"{text:10s} balanced with probability {probability:.2f}")
