"""What flambeau costs: microseconds for single operators, for steps of small models, and for the import.

    python benchmarks/bench.py                  flambeau alone
    python benchmarks/bench.py --against torch  beside the installed PyTorch, each in processes of its own, in turn
    python benchmarks/bench.py --only add

Take figures on a quiet machine. The smallest of several rounds is shown.
"""

import argparse
import importlib
import json
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any, Callable

ROUNDS = 3


def small_operators(torch: Any) -> dict[str, Callable[[], Any]]:
    """What a call costs when there is nothing to compute."""
    a, b = torch.ones(10), torch.ones(10)
    p = torch.ones(10, requires_grad=True)

    def chain() -> None:
        x = p
        for _ in range(10):
            x = x * 1.01 + b
        x.sum().backward()
        p.grad = None

    return {
        "add, 10 elements": lambda: a + b,
        "add, in place": lambda: a.add_(b),
        "add, with a graph": lambda: p + b,
        "index, one row": lambda: a[3],
        "sum": lambda: a.sum(),
        "chain of 20 operators, forward and backward": chain,
    }


def large_operators(torch: Any) -> dict[str, Callable[[], Any]]:
    """What the kernels cost."""
    x, y = torch.randn(1024, 1024), torch.randn(1024, 1024)
    functional = torch.nn.functional
    return {
        "add, 1M elements": lambda: x + y,
        "gelu, 1M elements": lambda: functional.gelu(x),
        "softmax, 1024 x 1024": lambda: x.softmax(-1),
        "layer_norm, 1024 x 1024": lambda: functional.layer_norm(x, (1024,)),
        "matmul, 1024 x 1024": lambda: x @ y,
        "randn, 1M elements": lambda: torch.randn(1024, 1024),
    }


def steps(torch: Any) -> dict[str, Callable[[], Any]]:
    """Training steps of small models."""

    def step(sizes: list[int], batch: int) -> Callable[[], None]:
        layers: list[Any] = []
        for inputs, outputs in pairwise(sizes):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        x, y = torch.randn(batch, sizes[0]), torch.randint(0, sizes[-1], (batch,))

        def run() -> None:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return run

    return {"MLP 20-50-5, batch 32, AdamW": step([20, 50, 5], 32), "MLP 784-256-10, batch 64, AdamW": step([784, 256, 10], 64)}


def seconds(action: Callable[[], Any]) -> float:
    """The time of one call: the best of several rounds of about 0.1 s."""
    action()
    started = time.perf_counter()
    action()
    count = max(1, int(0.1 / max(time.perf_counter() - started, 1e-7)))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(count):
            action()
        best = min(best, (time.perf_counter() - started) / count)
    return best


def measure(implementation: str, only: str) -> dict[str, float]:
    """Runs in a process of its own."""
    started = time.perf_counter()
    importlib.import_module("numpy")
    numpy_imported = time.perf_counter()
    torch = importlib.import_module(implementation)
    for name in ("nn.functional", "optim", "utils.data"):
        importlib.import_module(f"{implementation}.{name}")
    times = {"import numpy": numpy_imported - started, "import, after NumPy": time.perf_counter() - numpy_imported}
    for group in (small_operators, large_operators, steps):
        times |= {name: seconds(action) for name, action in group(torch).items() if only in name}
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", help="another implementation, say torch")
    parser.add_argument("--only", default="", help="only what has this in its name")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.only)))
        return
    implementations = ["flambeau"] + ([given.against] if given.against else [])
    best: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for implementation in implementations:
            command = [sys.executable, __file__, "--measure", implementation, "--only", given.only]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            known = best.setdefault(implementation, found)
            best[implementation] = {name: min(known[name], found[name]) for name in found}
    print(f"{'microseconds':46}" + "".join(f"{name:>12}" for name in implementations) + ("       ratio" if given.against else ""))
    for name in best["flambeau"]:
        times = [best[implementation][name] * 1e6 for implementation in implementations]
        print(f"{name:46}" + "".join(f"{t:12.1f}" for t in times) + (f"{times[0] / times[1]:12.2f}" if given.against else ""))


if __name__ == "__main__":
    main()
