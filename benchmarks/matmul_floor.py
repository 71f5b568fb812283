"""How much of a training step is matrix products: the step's own list of them, replayed in a loop, over the time of the step.

    python benchmarks/matmul_floor.py                          both workloads
    python benchmarks/matmul_floor.py --workload gpt --rows    and where the rest of a step goes, by operator

Shapes, transposes and batches are recorded from a step in which every product goes through `kernels.matmul` and
`kernels.attention`; attention counts as the two batched products of its forward and the four of its backward. Each product is
replayed with the function that the step uses, so the quotient says what everything beside the products costs. Steps and
replays alternate; the smallest of several rounds counts.
"""

import argparse
import time
from typing import Any, Callable, Iterator

import numpy as np

import flambeau as torch
from flambeau.kernels import attention, matmul

nn, F = torch.nn, torch.nn.functional

Product = tuple[str, tuple[int, ...], tuple[int, ...], bool, bool]
"""A function of `kernels.matmul`, the shapes of its factors, and which of them are stored transposed."""


class Block(nn.Module):
    """One layer of a GPT with its attention written out, as tutorials do."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Any) -> Any:
        batch, length, width = x.shape
        size = width // self.heads
        q, k, v = self.qkv(self.norm1(x)).reshape(batch, length, 3, self.heads, size).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q @ k.transpose(-2, -1)) * size**-0.5
        scores = scores.masked_fill(torch.triu(torch.ones(length, length), diagonal=1).bool(), float("-inf"))
        mixed = self.drop(F.softmax(scores, dim=-1)) @ v
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(self.drop(F.gelu(self.up(self.norm2(x)))))


class Model(nn.Module):
    """Token and position embeddings, layers, and a head over the vocabulary."""

    def __init__(self, vocabulary: int, width: int, length: int, layers: Any, causal_mask: bool, tied: bool) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.layers, self.causal_mask = layers, causal_mask
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        if tied:
            self.head.weight = self.token.weight

    def forward(self, ids: Any) -> Any:
        length = ids.shape[1]
        x = self.token(ids) + self.position(torch.arange(length))
        if self.causal_mask:
            x = self.layers(x, mask=torch.triu(torch.ones(length, length), diagonal=1).bool())
        else:
            x = self.layers(x)
        return self.head(self.norm(x))


def training_step(model: Any, vocabulary: int, batch: int, length: int, clip: bool) -> Callable[[], None]:
    """Forward, backward and AdamW on random tokens."""
    ids = torch.randint(0, vocabulary, (batch, length + 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(ids[:, :-1]).reshape(-1, vocabulary), ids[:, 1:].reshape(-1)).backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def gpt() -> Callable[[], None]:
    """A GPT of width 384 with 6 layers, vocabulary 256, batches of 8 x 128."""
    layers = nn.Sequential(*(Block(384, 6, 0.1) for _ in range(6)))
    return training_step(Model(256, 384, 128, layers, False, True), 256, 8, 128, True)


def encoder() -> Callable[[], None]:
    """A masked `nn.TransformerEncoder` of width 512 with 6 layers, vocabulary 10,000, batches of 16 x 128."""
    layer = nn.TransformerEncoderLayer(512, 8, dim_feedforward=2048, dropout=0.1, batch_first=True)
    return training_step(Model(10_000, 512, 128, nn.TransformerEncoder(layer, 6), True, False), 10_000, 16, 128, False)


WORKLOADS = {"gpt": gpt, "encoder": encoder}


def is_transposed(x: Any) -> bool:
    return x.ndim > 1 and x.strides[-2] == x.itemsize and x.strides[-1] != x.itemsize


def record(step: Callable[[], None]) -> list[Product]:
    """The products of one step."""
    found: list[Product] = []
    kept = {name: getattr(matmul, name) for name in ("matmul", "linear", "linear_weight_gradient")}
    forward, backward = attention.attention, attention.attention_backward

    def watched(name: str) -> Callable[..., Any]:
        def call(a: Any, b: Any, *rest: Any) -> Any:
            found.append((name, a.shape, b.shape, is_transposed(a), is_transposed(b)))
            return kept[name](a, b, *rest)

        return call

    def attend(q: Any, k: Any, v: Any, *rest: Any) -> Any:
        scores = (*q.shape[:-1], k.shape[-2])
        found.append(("matmul", q.shape, (*k.shape[:-2], k.shape[-1], k.shape[-2]), False, True))
        found.append(("matmul", scores, v.shape, False, False))
        return forward(q, k, v, *rest)

    def attend_backward(grad: Any, q: Any, k: Any, v: Any, *rest: Any) -> Any:
        batch, rows, columns = q.shape[:-2], q.shape[-2], k.shape[-2]
        found.append(("matmul", grad.shape, (*batch, v.shape[-1], columns), False, True))
        found.append(("matmul", (*batch, rows, columns), k.shape, False, False))
        found.append(("matmul", (*batch, columns, rows), q.shape, True, False))
        found.append(("matmul", (*batch, columns, rows), grad.shape, True, False))
        return backward(grad, q, k, v, *rest)

    for name in kept:
        setattr(matmul, name, watched(name))
    attention.attention, attention.attention_backward = attend, attend_backward
    try:
        with torch.profiler.profile():  # each operator takes its Python path, where it can be seen
            step()
    finally:
        for name, function in kept.items():
            setattr(matmul, name, function)
        attention.attention, attention.attention_backward = forward, backward
    return found


def replay(products: list[Product]) -> Callable[[], None]:
    """A function that computes them all, on arrays made beforehand."""
    made: dict[Any, Any] = {}

    def array(shape: tuple[int, ...], transposed: bool, which: int) -> Any:
        key = shape, transposed, which
        if key not in made:
            stored = (*shape[:-2], shape[-1], shape[-2]) if transposed else shape
            x = np.random.rand(*stored).astype(np.float32)
            made[key] = x.swapaxes(-1, -2) if transposed else x
        return made[key]

    calls = []
    for name, a, b, a_transposed, b_transposed in products:
        given: tuple[Any, ...] = (array(a, a_transposed, 0), array(b, b_transposed, 1))
        calls.append((getattr(matmul, name), (*given, None) if name == "linear" else given))

    def run() -> None:
        for function, factors in calls:
            function(*factors)

    return run


def operations(product: Product) -> int:
    """Multiplications and additions of a product."""
    name, a, b, *_ = product
    if name == "matmul":
        return 2 * int(np.prod(np.broadcast_shapes(a[:-2], b[:-2]), dtype=int)) * a[-2] * a[-1] * b[-1]
    rows = int(np.prod(a[:-1], dtype=int))
    return 2 * rows * a[-1] * (b[0] if name == "linear" else b[-1])


def seconds(function: Callable[[], None]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measure(name: str, rounds: int) -> Iterator[str]:
    torch.manual_seed(0)
    step = WORKLOADS[name]()
    step()
    products = record(step)
    run = replay(products)
    run()
    times, floors = zip(*((seconds(step), seconds(run)) for _ in range(rounds)))
    count = sum(map(operations, products))
    yield f"{name}: step {min(times) * 1e3:.0f} ms, {len(products)} products {min(floors) * 1e3:.0f} ms"
    yield f"  {count / 1e9:.0f} GFLOP, {count / 1e9 / min(floors):.0f} GFLOP/s, floor / step {min(floors) / min(times):.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=WORKLOADS, help="one of them alone")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", action="store_true", help="the time of a step by operator")
    given = parser.parse_args()
    for name in [given.workload] if given.workload else WORKLOADS:
        for line in measure(name, given.rounds):
            print(line)
        if given.rows:
            step = WORKLOADS[name]()
            step()
            with torch.profiler.profile() as recorder:
                step()
            print(recorder.key_averages().table(sort_by="self_cpu_time_total", row_limit=30, max_name_column_width=48))


if __name__ == "__main__":
    main()
