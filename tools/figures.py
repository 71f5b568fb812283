"""`python tools/figures.py [NAME ...]`: draws the site's figures into `docs/figures/`, from what the code says of itself.

    graph     the nodes behind a small loss, as `grad_fn` and `next_functions` show them
    floors    the source by floor: files, lines, and who imports from whom
    split     where the time of `a * b` on ten elements goes
    sizes     SiLU by its kernel and by NumPy, from ten elements to four million

`split` and `sizes` are measured: draw them on a quiet machine.
"""

import ast
import os
import subprocess
import sys
import time
from html import escape
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "flambeau"
sys.path.insert(0, str(ROOT / "src"))

INK, QUIET, LINE, FILL, ACCENT, COOL = "#24292f", "#57606a", "#8c959f", "#f6f8fa", "#e8590c", "#1c7ed6"
SHADES = ["#adb5bd", "#74c0fc", "#4dabf7", "#ffa94d", "#e8590c"]


class Drawing:
    """An SVG picture: shapes added one by one."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
            f'font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            f'<path d="M0,0 L8,4 L0,8 z" fill="{LINE}"/></marker></defs>',
            f'<rect width="{width:g}" height="{height:g}" rx="8" fill="white"/>',
        ]

    def text(
        self, x: float, y: float, text: str, anchor: str = "start", color: str = INK, size: float = 13, weight: str = "normal"
    ) -> None:
        style = f'text-anchor="{anchor}" fill="{color}" font-size="{size:g}" font-weight="{weight}"'
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>')

    def box(self, x: float, y: float, width: float, height: float, fill: str = FILL, stroke: str = LINE, radius: float = 5) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:g}" fill="{fill}" stroke="{stroke}"/>'
        )

    def path(self, points: list[tuple[float, float]], color: str = LINE, width: float = 1.3, arrow: bool = False) -> None:
        d = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
        tip = ' marker-end="url(#tip)"' if arrow else ""
        self.parts.append(f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width:g}"{tip}/>')

    def save(self, name: str) -> None:
        path = ROOT / "docs" / "figures" / f"{name}.svg"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([*self.parts, "</svg>", ""]))
        print(path.relative_to(ROOT))


# --- the graph of a loss -------------------------------------------------------------------------------------------------


def graph() -> None:
    import flambeau as torch

    w = torch.tensor([0.5, -1.0], requires_grad=True)
    b = torch.tensor([0.1], requires_grad=True)
    x = torch.tensor([1.0, 2.0])
    loss = ((w * x + b).tanh() ** 2).mean()
    leaves = {id(w): "w", id(b): "b"}

    depth: dict[Any, int] = {}

    def visit(node: Any, level: int) -> None:
        depth[node] = max(depth.get(node, 0), level)
        for following, _ in node.next_functions:
            if following is not None:
                visit(following, level + 1)

    assert loss.grad_fn is not None
    visit(loss.grad_fn, 0)
    columns: dict[int, list[Any]] = {}
    for node, level in depth.items():
        columns.setdefault(level, []).append(node)
    wide, high, gap, left, top = 140, 58, 26, 16, 54
    drawing = Drawing(
        left * 2 + len(columns) * (wide + gap) - gap, top + max(map(len, columns.values())) * (high + 22) + 6, "The graph of a small loss"
    )
    drawing.text(left, 24, "loss = ((w * x + b).tanh() ** 2).mean()", weight="bold")
    drawing.text(
        left,
        42,
        "each node: name, number in order of creation, what its formula takes; arrows: the way of the gradient",
        color=QUIET,
        size=12,
    )
    place = {node: (left + level * (wide + gap), top + i * (high + 22)) for level, nodes in columns.items() for i, node in enumerate(nodes)}
    for node, (px, py) in place.items():
        for following, _ in node.next_functions:
            if following is not None:
                fx, fy = place[following]
                drawing.path([(px + wide, py + high / 2), (fx - 2, fy + high / 2)], arrow=True)
    for node, (px, py) in place.items():
        leaf = getattr(node, "variable", None)
        drawing.box(px, py, wide, high, fill="#fff4e6" if leaf is not None else FILL, stroke=ACCENT if leaf is not None else LINE)
        drawing.text(px + wide / 2, py + 18, type(node).__name__, "middle", weight="bold", size=12)
        if leaf is not None:
            drawing.text(px + wide / 2, py + 35, f"adds into {leaves[id(leaf)]}.grad", "middle", QUIET, 12)
            drawing.text(px + wide / 2, py + 50, f"shape {tuple(leaf.shape)}", "middle", QUIET, 12)
        else:
            number = sum(1 for other in depth if getattr(other, "variable", None) is None and other.sequence <= node.sequence)
            saved = ", ".join(name for (name, _, _), value in zip(node.spec, node.saved) if value is not None)
            drawing.text(px + wide / 2, py + 35, f"number {number}", "middle", QUIET, 12)
            drawing.text(px + wide / 2, py + 50, saved or "nothing saved", "middle", QUIET, 11)
    drawing.save("graph")


# --- the source by floor -------------------------------------------------------------------------------------------------

FLOORS = {"core": 1, "kernels": 2, "autograd": 3, "tensor": 3, "ops": 4}
TITLES = {5: "nn, optim, utils, serialization, ...", 4: "ops", 3: "autograd, tensor.py", 2: "kernels", 1: "core"}


def at_import(body: list[ast.stmt]) -> list[ast.ImportFrom]:
    """The relative imports that run when a file is imported."""
    found = []
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.level:
            found.append(node)
        elif isinstance(node, (ast.If, ast.Try)) and "TYPE_CHECKING" not in ast.unparse(node):
            found += at_import(node.body)
    return found


def floors() -> None:
    files, lines = dict.fromkeys(TITLES, 0), dict.fromkeys(TITLES, 0)
    imports: dict[tuple[int, int], int] = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        here = FLOORS.get(parts[0], 5)
        text = path.read_text()
        files[here] += 1
        lines[here] += text.count("\n")
        package = list(parts[:-1])
        for node in at_import(ast.parse(text).body):
            base = package[: len(package) - node.level + 1]
            target = [*base, *(node.module.split(".") if node.module else [])]
            for first in {target[0]} if target else {alias.name for alias in node.names}:
                there = FLOORS.get(first, 5)
                imports[here, there] = imports.get((here, there), 0) + 1
    drawing = Drawing(720, 372, "The floors of the source")
    drawing.text(16, 26, "The source by floor", weight="bold")
    drawing.text(704, 26, "import statements that lead to floor", "end", QUIET, 12)
    scale = 130 / max(lines.values())
    for i, n in enumerate(sorted(TITLES, reverse=True)):
        y = 62 + i * 60
        drawing.box(16, y, 688, 50)
        drawing.text(30, y + 21, f"{n}", weight="bold", size=15, color=ACCENT)
        drawing.text(52, y + 21, TITLES[n], weight="bold")
        drawing.text(52, y + 39, f"{files[n]} files, {lines[n]:,} lines", color=QUIET, size=12)
        drawing.box(310, y + 16, lines[n] * scale, 18, fill="#ffd8a8", stroke="none", radius=3)
        for m in TITLES:
            x = 704 - m * 46 + 8
            if i == 0:
                drawing.text(x, 50, f"{m}", "middle", QUIET, 12)
            count = imports.get((n, m), 0)
            if n >= m or count:
                drawing.text(x, y + 30, str(count) if count else ".", "middle", INK if n >= m else ACCENT, 13)
    drawing.save("floors")


# --- where the time goes -------------------------------------------------------------------------------------------------


def best(function: Callable[[], Any], count: int = 500, rounds: int = 400) -> float:
    """Microseconds per call: the shortest round."""
    times = []
    loop = range(count)
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in loop:
            function()
        times.append(time.perf_counter() - start)
    return min(times) / count * 1e6


PARTS = """
import sys; sys.path[:0] = [{tools!r}, {source!r}]
import numpy as np
import flambeau as torch
from figures import best
from flambeau.ops.definition import OPERATORS
from flambeau.tensor import wrap

mul = OPERATORS["mul"]
a, b = torch.ones(10), torch.ones(10)
w = torch.ones(10, requires_grad=True)
x, y, r = a._array, b._array, torch.ones(10)._array
for _ in range(1000):
    a * b; (w * b).backward(b); w.grad = None
record = mul.record
base = best(lambda: None)
out = w * b
apply, F = type(out.grad_fn).apply, __import__("flambeau.autograd.node").autograd.node.arrays
times = dict(
    kernel=best(lambda: mul.forward(x, y)), wrap=best(lambda: wrap(r)), body=best(lambda: mul.body(a, b)), plain=best(lambda: a * b),
    recorded=best(lambda: w * b), numpy=best(lambda: x * y), apply=best(lambda: out.grad_fn.apply(F, r, out.grad_fn.saved)),
)
print({{name: value - base for name, value in times.items()}})
"""


def measured(**environment: str) -> dict[str, float]:
    source = PARTS.format(tools=str(ROOT / "tools"), source=str(ROOT / "src"))
    done = subprocess.run([sys.executable, "-c", source], env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = ast.literal_eval(done.stdout)
    return found


def split() -> None:
    written, compiled = measured(FLAMBEAU_KERNELS="numpy"), measured()
    drawing = Drawing(720, 258, "Where the time of a * b on ten elements goes")
    drawing.text(16, 26, "a * b on ten elements: microseconds", weight="bold")
    kernel, wrapped = written["kernel"], written["wrap"]
    rest, node = max(written["plain"] - kernel - wrapped, 0.0), max(written["recorded"] - written["plain"], 0.0)
    bars = [
        ("NumPy: x * y", [("the product", written["numpy"])]),
        ("the written function", [("kernel", kernel), ("new Tensor", wrapped), ("tests, promotion", rest)]),
        ("  with a node", [("kernel", kernel), ("new Tensor", wrapped), ("tests, promotion", rest), ("node", node)]),
        ("machine code", [("everything", compiled["plain"])]),
        ("  with a node", [("everything", compiled["recorded"])]),
    ]
    scale = 470 / max(sum(value for _, value in parts) for _, parts in bars)
    colors = {
        "the product": SHADES[0],
        "kernel": SHADES[0],
        "new Tensor": SHADES[1],
        "tests, promotion": SHADES[2],
        "node": SHADES[3],
        "everything": SHADES[4],
    }
    for i, (title, parts) in enumerate(bars):
        y, x = 48 + i * 34, 180.0
        drawing.text(170, y + 16, title.strip(), "end", QUIET if title.startswith(" ") else INK)
        for name, value in parts:
            drawing.box(x, y, value * scale, 22, fill=colors[name], stroke="white", radius=2)
            x += value * scale
        drawing.text(x + 6, y + 16, f"{sum(value for _, value in parts):.2f}", color=INK)
    x = 180.0
    for name in ("kernel", "new Tensor", "tests, promotion", "node", "everything"):
        drawing.box(x, 228, 12, 12, fill=colors[name], stroke="none", radius=2)
        label = "all in machine code" if name == "everything" else name
        drawing.text(x + 17, 239, label, color=QUIET, size=12)
        x += 32 + 7 * len(label)
    drawing.save("split")


def sizes() -> None:
    import math

    import numpy as np

    import flambeau as torch

    F = torch.nn.functional
    counts = [10, 100, 1000, 10_000, 100_000, 1_000_000, 4_000_000]
    rows: dict[str, list[float]] = {"NumPy, in steps": [], "flambeau, one kernel": []}
    for n in counts:
        t = torch.randn(n)
        v = t.numpy()
        repeat, rounds = max(1, min(2000, 2_000_000 // n)), 15
        rows["NumPy, in steps"].append(best(lambda v=v: v / (1 + np.exp(-v)), repeat, rounds))
        rows["flambeau, one kernel"].append(best(lambda t=t: F.silu(t), repeat, rounds))
    drawing = Drawing(720, 340, "SiLU by size")
    drawing.text(16, 26, "silu(x) = x / (1 + exp(-x)) of n numbers: nanoseconds for each number", weight="bold")
    left, right, top, bottom = 70, 560, 50, 290
    per = {name: [value * 1000 / n for value, n in zip(values, counts)] for name, values in rows.items()}
    low, high = math.floor(math.log10(min(map(min, per.values())))), math.ceil(math.log10(max(map(max, per.values()))))

    def at(n: float, value: float) -> tuple[float, float]:
        return (
            left + (math.log10(n) - 1) / (math.log10(counts[-1]) - 1) * (right - left),
            bottom - (math.log10(value) - low) / (high - low) * (bottom - top),
        )

    for power in range(low, high + 1):
        y = at(10, 10**power)[1]
        drawing.path([(left, y), (right, y)], color="#dee2e6", width=1)
        drawing.text(left - 8, y + 4, f"{10.0**power:g}", "end", QUIET, 12)
    for n in counts:
        drawing.text(at(n, 1)[0], bottom + 20, f"{n:,}" if n < 1e6 else f"{n // 10**6} M", "middle", QUIET, 12)
    for (name, values), color in zip(per.items(), (COOL, ACCENT)):
        points = [at(n, value) for n, value in zip(counts, values)]
        drawing.path(points, color=color, width=2.2)
        for x, y in points:
            drawing.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{color}"/>')
        drawing.text(points[-1][0] + 12, points[-1][1] + (-4 if color == COOL else 10), name, color=color)
    drawing.save("sizes")


FIGURES = {"graph": graph, "floors": floors, "split": split, "sizes": sizes}

if __name__ == "__main__":
    for name in sys.argv[1:] or FIGURES:
        FIGURES[name]()
