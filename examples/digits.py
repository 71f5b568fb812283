"""Classifies handwritten digits: the 1797 images of 8 x 8 pixels that come with scikit-learn.

pip install scikit-learn
python examples/digits.py
python examples/digits.py --backend torch
"""

import argparse
import importlib
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--backend", default="flambeau", choices=["flambeau", "torch"], help="the library that trains")
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--hidden", type=int, default=128, help="units of each of the two hidden layers")
parser.add_argument("--dropout", type=float, default=0.2)
parser.add_argument("--rate", type=float, default=2e-3, help="the highest learning rate")
parser.add_argument("--seed", type=int, default=0)
config = parser.parse_args()

try:
    from sklearn.datasets import load_digits
except ImportError:
    sys.exit("The images come with scikit-learn, which is not installed: pip install scikit-learn (or flambeau's extra 'examples')")

torch = importlib.import_module(config.backend)
nn, F, data = torch.nn, torch.nn.functional, importlib.import_module(f"{config.backend}.utils.data")

torch.manual_seed(config.seed)
digits = load_digits()
images = torch.from_numpy(digits.data).float() / 16  # pixels run from 0 to 16
labels = torch.from_numpy(digits.target).long()
dataset = data.TensorDataset(images, labels)
train_set, test_set = data.random_split(dataset, [len(dataset) - 360, 360], generator=torch.Generator().manual_seed(config.seed))
train_loader = data.DataLoader(train_set, batch_size=config.batch, shuffle=True)
test_loader = data.DataLoader(test_set, batch_size=360)

model = nn.Sequential(
    nn.Linear(64, config.hidden),
    nn.ReLU(),
    nn.Dropout(config.dropout),
    nn.Linear(config.hidden, config.hidden),
    nn.ReLU(),
    nn.Dropout(config.dropout),
    nn.Linear(config.hidden, 10),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=config.rate)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=config.epochs)
print(model)


@torch.no_grad()
def predictions():
    """The labels that the model gives the test images, and the true ones."""
    model.eval()
    pairs = [(model(x).argmax(dim=1), y) for x, y in test_loader]
    model.train()
    return torch.cat([p for p, _ in pairs]), torch.cat([y for _, y in pairs])


for epoch in range(1, config.epochs + 1):
    total = 0.0
    for inputs, targets in train_loader:
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(inputs)
    schedule.step()
    predicted, true = predictions()
    accuracy = (predicted == true).float().mean().item()
    print(f"epoch {epoch:2d}: loss {total / len(train_set):.4f}, accuracy on the test set {accuracy:.1%}")

predicted, true = predictions()
confusion = torch.zeros(10, 10, dtype=torch.int64)
confusion.index_put_((true, predicted), torch.ones_like(true), accumulate=True)
print("\nHow often each digit (row) was taken for which (column):")
print(confusion)
