"""Fits a linear model by stochastic gradient descent and compares it with the exact least-squares solution.

python examples/linear_regression.py
python examples/linear_regression.py --backend torch
"""

import argparse
import importlib

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--backend", default="flambeau", choices=["flambeau", "torch"], help="the library that trains")
parser.add_argument("--samples", type=int, default=1000)
parser.add_argument("--features", type=int, default=5)
parser.add_argument("--noise", type=float, default=0.1, help="the standard deviation of the noise")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--batch", type=int, default=50)
parser.add_argument("--rate", type=float, default=0.05, help="the learning rate")
parser.add_argument("--seed", type=int, default=0)
config = parser.parse_args()

torch = importlib.import_module(config.backend)
nn, F, data = torch.nn, torch.nn.functional, importlib.import_module(f"{config.backend}.utils.data")

torch.manual_seed(config.seed)
true_weight, true_bias = torch.randn(config.features, 1), torch.randn(1)
x = torch.randn(config.samples, config.features)
y = x @ true_weight + true_bias + config.noise * torch.randn(config.samples, 1)

model = nn.Linear(config.features, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=config.rate)
loader = data.DataLoader(data.TensorDataset(x, y), batch_size=config.batch, shuffle=True)

for epoch in range(1, config.epochs + 1):
    total = 0.0
    for inputs, targets in loader:
        loss = F.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(inputs)
    print(f"epoch {epoch:2d}: loss {total / config.samples:.6f}")

# The normal equations give the minimum itself: (X'X) w = X'y, where a column of ones stands for the bias.
ones = torch.cat([x, torch.ones(config.samples, 1)], dim=1)
gram, moment = ones.T @ ones, ones.T @ y
with torch.no_grad():
    found = torch.cat([model.weight[0], model.bias])
    gradient = (gram @ found[:, None] - moment) / config.samples
    print(f"found:     {[round(v, 3) for v in found.tolist()]}")
    print(f"true:      {[round(v, 3) for v in [*true_weight[:, 0].tolist(), *true_bias.tolist()]]}")
    print(f"gradient of the squared error at the solution found: {gradient.norm().item():.5f} (0 at the minimum)")
