"""A character language model of PyTorch's own Transformer layers, trained on any text.

    python examples/char_transformer.py
    python examples/char_transformer.py --data my_text.txt --steps 2000
    python examples/char_transformer.py --backend torch

Without `--data` it reads the documentation strings of a few modules of Python's standard library.
"""

import argparse
import ast
import importlib.util
import math
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--backend", default="flambeau", choices=["flambeau", "torch"], help="the library that trains")
parser.add_argument("--data", type=Path, help="a text file in UTF-8")
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--context", type=int, default=64, help="characters that the model sees at once")
parser.add_argument("--width", type=int, default=96)
parser.add_argument("--heads", type=int, default=4)
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--dropout", type=float, default=0.1)
parser.add_argument("--rate", type=float, default=2e-3, help="the highest learning rate")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--sample", type=int, default=300, help="characters written at the end")
config = parser.parse_args()

torch = importlib.import_module(config.backend)
nn, F = torch.nn, torch.nn.functional


def standard_text():
    """Documentation strings of modules, classes and functions of the standard library, in order."""
    names = ["argparse", "collections", "decimal", "difflib", "fractions", "logging", "pathlib", "random", "statistics", "string", "turtle"]
    found = []
    for name in names:
        source = Path(importlib.util.find_spec(name).origin).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                found.append(ast.get_docstring(node) or "")
    return "\n\n".join(filter(None, found))


text = config.data.read_text(encoding="utf-8") if config.data else standard_text()
alphabet = sorted(set(text))
number = {character: i for i, character in enumerate(alphabet)}
tokens = torch.tensor([number[character] for character in text])
cut = len(tokens) * 9 // 10
parts = {"train": tokens[:cut], "validation": tokens[cut:]}
if len(parts["validation"]) <= config.context:
    parser.error("the text is too short for --context")


def batch(part):
    """Random sequences of a part, and the same moved on by one character."""
    starts = torch.randint(len(parts[part]) - config.context, (config.batch,))
    rows = torch.stack([parts[part][start : start + config.context + 1] for start in starts.tolist()])
    return rows[:, :-1], rows[:, 1:]


class PositionalEncoding(nn.Module):
    """Adds sines and cosines of the position (Vaswani et al., "Attention Is All You Need", section 3.5)."""

    def __init__(self):
        super().__init__()
        position = torch.arange(config.context)[:, None]
        frequency = torch.exp(torch.arange(0, config.width, 2) * (-math.log(10000.0) / config.width))
        table = torch.zeros(config.context, config.width)
        table[:, 0::2], table[:, 1::2] = torch.sin(position * frequency), torch.cos(position * frequency)
        self.register_buffer("table", table)

    def forward(self, x):
        return x + self.table[: x.shape[1]]


class Model(nn.Module):
    """Embedding, Transformer layers that see only what came before, and a linear layer over the alphabet."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(alphabet), config.width)
        self.position = PositionalEncoding()
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, 4 * config.width, config.dropout, F.gelu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(config.width), enable_nested_tensor=False)
        self.head = nn.Linear(config.width, len(alphabet))

    def forward(self, tokens):
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.head(self.encoder(self.position(self.embedding(tokens)), mask=mask, is_causal=True))


def loss_of(inputs, targets):
    """The mean cross-entropy of the next character, in nats."""
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


torch.manual_seed(config.seed)
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=config.rate)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=config.rate, total_steps=config.steps)
print(f"{len(text):,} characters, {len(alphabet)} different; {sum(p.numel() for p in model.parameters()):,} parameters")
for step in range(1, config.steps + 1):
    loss = loss_of(*batch("train"))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    if step % max(config.steps // 10, 1) == 0:
        model.eval()
        with torch.no_grad():
            validation = sum(loss_of(*batch("validation")).item() for _ in range(8)) / 8
        model.train()
        print(f"step {step:4d}: loss {loss.item():.4f}, validation loss {validation:.4f}")

model.eval()
written = [0]
with torch.no_grad():
    for _ in range(config.sample):
        logits = model(torch.tensor([written[-config.context :]]))[0, -1]
        written.append(torch.multinomial(F.softmax(logits / 0.8, dim=-1), 1).item())
print("\n" + "".join(alphabet[i] for i in written[1:]))
