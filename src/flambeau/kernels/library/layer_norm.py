"""Layer normalisation and its gradients in PyTorch's order (`aten/src/ATen/native/cpu/layer_norm_kernel.cpp`), so that no digit differs.

The statistics of a row are those of `moments.py`. The sums of a row that its gradient takes run down it in one AVX2 register, whose
lanes are added up at the end. The gradients of weight and bias are added up row by row, in as many parts as there are threads, as PyTorch
does it: their last digits depend on the number of threads.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import Code, Value, kernel, share
from .moments import Moments, parts, reduced, registers
from .vectors import Shape, Writer

PADDING = 16
"""The sums of an item are rows of whole vectors: a multiple of as many elements."""


def wide(element: str) -> Shape:
    """Shapes of this machine's registers, for what is done to each element by itself."""
    from ..compiler.machine import vector_bits

    return Shape(element, vector_bits())


def over_vectors(w: Writer, n: Value, body: Callable[[Value, Value | None], None]) -> None:
    """`body(first element, mask)` for the vectors of n elements; the mask is None but for the last one."""
    width = w.shape.width
    whole = n // width * width
    with w.loop(0, whole, width) as i:
        body(i, None)
    with w.when(n > whole):
        body(whole, w.first_lanes(n - whole))


def launched(name: str, body: Code, *others: Code) -> Callable[..., Any]:
    """The kernel that runs `body(..., begin, end)` over the items that its parameter `table` says, on all threads if there are enough."""
    main = Code("main", " ".join(f"{n}:{t}" for n, t in body.parameters.items() if n not in ("begin", "end")))
    share(main, body, main.arguments, main.load("i64", main["table"]), main.load("i64", main["table"], 1))
    return kernel(name, main, *others, body)


def _apply(s: Shape, weight: bool, bias: bool) -> Code:
    """One row: (x - mean) * rstd, then times weight, plus bias."""
    w = Writer(s, "apply", f"out x weight bias n:i64 ahead:i64 mean:{s.element} rstd:{s.element}", apart=True)
    mean, rstd = (w.everywhere(w[name]) for name in ("mean", "rstd"))

    def body(i: Value, mask: Value | None) -> None:
        normal = w.vector_at(w.at(w["x"], i), mask) - mean
        w.prefetch(w.at(w["x"], i + w["ahead"]))
        shift = w.vector_at(w.at(w["bias"], i), mask) if bias else 0.0  # PyTorch adds it, and so -0 becomes 0
        if weight:
            result = w.fused(normal * rstd, w.vector_at(w.at(w["weight"], i), mask), shift)
        else:
            result = w.fused(normal, rstd, shift)
        w.set_vector(w.at(w["out"], i), result, mask)

    over_vectors(w, w["n"], body)
    return w


def _forward_body(s: Shape) -> Code:
    """Rows [begin, end)."""
    w = Writer(s, "body", "out mean rstd x weight bias table eps:double begin:i64 end:i64")
    n = w.field(w["table"], 16, "i64")
    moments = Moments(w, n)
    eps = w.everywhere(w.convert(w["eps"], s.element))
    means, rstds = (w.array(s.element, s.width) for _ in range(2))
    with w.loop(w["begin"], w["end"], moments.block) as first:
        rows = w.least(w["end"] - first, moments.block)
        mean, variance = moments.of(w.at(w["x"], first * n), rows)
        rstd = 1.0 / w.root(variance + eps)
        for local, name, values in ((means, "mean", mean), (rstds, "rstd", rstd)):
            w.store(values, local)
            w.set_vector(w.at(w[name], first), values, w.first_lanes(rows))
        with w.loop(rows) as i:
            row = (first + i) * n
            given = w["weight"], w["bias"], n, moments.block * n, w.load(s.element, means, i), w.load(s.element, rstds, i)
            w.call("void", "apply", w.at(w["out"], row), w.at(w["x"], row), *given)
    return w


@cache
def forward(element: str, weight: bool, bias: bool) -> Callable[..., Any]:
    """`kernel(out, mean, rstd, x, weight, bias, [rows, grain, n], eps)`; any arrays stand for a weight and a bias that are not there."""
    s = registers(element)
    name = f"flambeau_layer_norm_{s.kind}{'_weight' * weight}{'_bias' * bias}"
    return launched(name, _forward_body(s), *parts(s), _apply(wide(element), weight, bias))


def _row_sums(w: Writer, n: Value, grad: Value, x: Value, weight: Value | None) -> list[Value]:
    """The sums of grad * x * weight and of grad * weight over a row."""

    def factors(i: Any, mask: Value | None = None) -> list[tuple[Value, Value | None]]:
        g, value = (w.vector_at(w.at(p, i), mask) for p in (grad, x))
        if weight is None:
            return [(g, value), (g, None)]
        by = w.vector_at(w.at(weight, i), mask)
        return [(g * value, by), (g, by)]

    return reduced(w, n, factors)


def _spread(s: Shape, weight: bool, sums: bool) -> Code:
    """One row: the gradient of x, and what it adds to those of weight and bias."""
    w = Writer(s, "spread", f"out grad_weight grad_bias grad x weight n:i64 mean:{s.element} a:{s.element} b:{s.element} c:{s.element}")
    a, b, c = (w.everywhere(w[name]) for name in "abc")
    shift = w.everywhere(w.op(f"fneg {s.element} {w['a']}", s.element) * w["mean"])

    def body(i: Value, mask: Value | None) -> None:
        g, x = (w.vector_at(w.at(w[name], i), mask) for name in ("grad", "x"))
        scaled = a * g
        if weight:
            scaled = scaled * w.vector_at(w.at(w["weight"], i), mask)
        w.set_vector(w.at(w["out"], i), w.fused(b, x, scaled) + c, mask)
        if sums:  # without a mask: what was stored behind one cannot be loaded at once
            to_weight, to_bias = w.at(w["grad_weight"], i), w.at(w["grad_bias"], i)
            w.set_vector(to_weight, w.fused(g, w.fused(a, x, shift), w.vector_at(to_weight)))
            w.set_vector(to_bias, w.vector_at(to_bias) + g)

    over_vectors(w, w["n"], body)
    return w


def _backward_body(s: Shape, weight: bool, sums: bool) -> Code:
    """Items [begin, end): some rows each, with sums of their own."""
    w = Writer(s, "body", "out grad_weight grad_bias grad x mean rstd weight table begin:i64 end:i64")
    n, rows, each = (w.field(w["table"], 8 * i, "i64") for i in range(2, 5))
    over = 1.0 / w.convert(n, s.element)
    padded = w.parts(n, PADDING) * PADDING
    with w.loop(w["begin"], w["end"]) as item:
        to_weight, to_bias = (w.at(w[name], item * padded) for name in ("grad_weight", "grad_bias"))
        if sums:
            for to in (to_weight, to_bias):
                w.call("void", "llvm.memset.p0.i64", to, w.value(0, "i8"), padded * s.size, False)
        with w.loop(item * each, w.least(item * each + each, rows)) as row:
            grad, x = (w.at(w[name], row * n) for name in ("grad", "x"))
            mean, a = (w.load(s.element, w[name], row) for name in ("mean", "rstd"))
            ds, db = _row_sums(w, n, grad, x, w["weight"] if weight else None)
            t = w.call(s.element, f"llvm.fma.{s.kind}", db, mean, negative(w, ds))
            b = t * a * a * a * over
            c = w.call(s.element, f"llvm.fma.{s.kind}", negative(w, b), mean, negative(w, db * a * over))
            w.call("void", "spread", w.at(w["out"], row * n), to_weight, to_bias, grad, x, w["weight"], n, mean, a, b, c)
    return w


def negative(w: Writer, x: Value) -> Value:
    """-x."""
    return w.op(f"fneg {x.type} {x}", x.type)


@cache
def backward(element: str, weight: bool, sums: bool) -> Callable[..., Any]:
    """`kernel(out, grad_weight, grad_bias, grad, x, mean, rstd, weight, [items, grain, n, rows, rows of an item])`.

    sums: whether the gradients of weight and bias are asked for, for each item a row of each, of n elements up to a multiple of PADDING.
    Any array stands for what is not there.
    """
    s = registers(element)
    name = f"flambeau_layer_norm_backward_{s.kind}{'_weight' * weight}{'_sums' * sums}"
    return launched(name, _backward_body(s, weight, sums), _spread(wide(element), weight, sums))
