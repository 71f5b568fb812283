"""Group normalisation of (N, C, ...) and its gradients in PyTorch's order (`aten/src/ATen/native/cpu/group_norm_kernel.cpp`), so that no
digit differs.

A group is D channels of one sample, side by side in memory: a row, whose statistics are those of `moments.py`. The sums that the gradient
takes run down each channel in one AVX2 register and then over the channels of a group; where a product is fused with a sum was learnt by
comparing bits.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import Code, Value, kernel, share
from .layer_norm import negative, over_vectors, wide
from .moments import Moments, parts, reduced, registers
from .vectors import Shape, Writer

TABLE = "groups grain D length G N alone".split()
"""The numbers of the table: groups of all samples and how many are one thread's share, channels of a group, elements of a channel,
groups of a sample, samples, and whether there is work for one thread alone: then PyTorch runs code that was compiled in another way."""


def _number(w: Code, name: str) -> Value:
    return w.field(w["table"], 8 * TABLE.index(name), "i64")


def _fused(w: Writer, a: Value, b: Value, c: Value) -> Value:
    return w.call(c.type, f"llvm.fma.{w.shape.kind}", a, b, c)


def _line(s: Shape, plain: bool) -> Code:
    """(x - a) * b, or a * x + b, over some elements."""
    w = Writer(s, "line", f"out x n:i64 a:{s.element} b:{s.element}", apart=True)
    a, b = w.everywhere(w["a"]), w.everywhere(w["b"])

    def body(i: Value, mask: Value | None) -> None:
        x = w.vector_at(w.at(w["x"], i), mask)
        w.set_vector(w.at(w["out"], i), (x - a) * b if plain else w.fused(a, x, b), mask)

    over_vectors(w, w["n"], body)
    return w


def _forward_body(s: Shape, plain: bool) -> Code:
    """Groups [begin, end)."""
    w = Writer(s, "body", "out mean rstd x weight bias table eps:double begin:i64 end:i64")
    channels, length, groups = (_number(w, name) for name in ("D", "length", "G"))
    n = channels * length
    moments = Moments(w, n)
    long = f"<{s.width} x double>"
    means, rstds = (w.array(s.element, s.width) for _ in range(2))
    with w.loop(w["begin"], w["end"], moments.block) as first:
        rows = w.least(w["end"] - first, moments.block)
        mean, variance = moments.of(w.at(w["x"], first * n), rows)
        if s.element == "float":
            variance = w.op(f"fpext {s.vector} {variance} to {long}", long)
        rstd = 1.0 / w.root(variance + w.splat(w["eps"], long))
        if s.element == "float":
            rstd = w.op(f"fptrunc {long} {rstd} to {s.vector}", s.vector)
        for local, name, values in ((means, "mean", mean), (rstds, "rstd", rstd)):
            w.store(values, local)
            w.set_vector(w.at(w[name], first), values, w.first_lanes(rows))
        with w.loop(rows) as i:
            start, group = (first + i) * n, (first + i) % groups
            average, by = (w.load(s.element, values, i) for values in (means, rstds))
            if plain:
                w.call("void", "line", w.at(w["out"], start), w.at(w["x"], start), n, average, by)
            else:
                with w.loop(channels) as j:
                    weight, bias = (w.load(s.element, w[name], group * channels + j) for name in ("weight", "bias"))
                    scale, at = by * weight, start + j * length
                    shift = _fused(w, negative(w, scale), average, bias)
                    w.call("void", "line", w.at(w["out"], at), w.at(w["x"], at), length, scale, shift)
    return w


@cache
def forward(element: str, plain: bool) -> Callable[..., Any]:
    """`kernel(out, mean, rstd, x, weight, bias, table, eps)`; plain: without weight and bias, for which any arrays stand."""
    s = registers(element)
    body, line = _forward_body(s, plain), _line(wide(element), plain)
    main = Code("main", "out mean rstd x weight bias table eps:double")
    share(main, body, main.arguments, _number(main, "groups"), _number(main, "grain"))
    return kernel(f"flambeau_group_norm_{s.kind}{'_plain' * plain}", main, *parts(s), line, body)


def _slope(s: Shape) -> Code:
    """a * grad + (b * x) + c over some elements."""
    w = Writer(s, "slope", f"out grad x n:i64 a:{s.element} b:{s.element} c:{s.element}", apart=True)
    a, b, c = (w.everywhere(w[name]) for name in "abc")

    def body(i: Value, mask: Value | None) -> None:
        g, x = (w.vector_at(w.at(w[name], i), mask) for name in ("grad", "x"))
        w.set_vector(w.at(w["out"], i), w.fused(a, g, b * x) + c, mask)

    over_vectors(w, w["n"], body)
    return w


def _weighted_sum(w: Writer, values: Value, weight: Value, count: Value) -> Value:
    """The sum of `count` products: registers first, whose lanes are added up one after the other, then what is behind them.

    There PyTorch's code for one thread takes four products at a time, and does not fuse these.
    """
    s = w.shape
    lanes = w.variable(s.vector, 0.0)
    whole = count // s.width * s.width
    with w.loop(0, whole, s.width) as j:
        lanes.value = w.fused(w.vector_at(w.at(values, j)), w.vector_at(w.at(weight, j)), lanes.value)
    total = w.variable(s.element, 0.0)
    found = lanes.value
    for lane in range(s.width):
        total.value = total.value + w.lane(found, lane)
    fused = whole + w.where(_number(w, "alone").equals(0), 0, (count - whole) // 4 * 4)
    with w.loop(whole, fused) as j:
        total.value = total.value + w.load(s.element, values, j) * w.load(s.element, weight, j)
    with w.loop(fused, count) as j:
        total.value = _fused(w, w.load(s.element, values, j), w.load(s.element, weight, j), total.value)
    return total.value


def _backward_body(s: Shape, with_x: bool) -> Code:
    """Groups [begin, end): the sums of each channel, of grad * x to `dots` and of grad to `sums`, and the gradient of x."""
    w = Writer(s, "body", "out dots sums grad x mean rstd weight table begin:i64 end:i64")
    channels, length, groups = (_number(w, name) for name in ("D", "length", "G"))
    over = 1.0 / w.convert(channels * length, s.element)
    with w.loop(w["begin"], w["end"]) as row:
        first = row * channels
        with w.loop(channels) as j:
            grad, x = (w.at(w[name], (first + j) * length) for name in ("grad", "x"))

            def factors(i: Any, mask: Value | None = None) -> list[tuple[Value, Value | None]]:
                g = w.vector_at(w.at(grad, i), mask)
                return [(g * w.vector_at(w.at(x, i), mask), None), (g, None)]

            for name, value in zip(("dots", "sums"), reduced(w, length, factors)):
                w.store(value, w[name], first + j)
        if with_x:
            weight = w.at(w["weight"], row % groups * channels)
            ds, db = (_weighted_sum(w, w.at(w[name], first), weight, channels) for name in ("dots", "sums"))
            mean, rstd = (w.load(s.element, w[name], row) for name in ("mean", "rstd"))
            b = _fused(w, db, mean, negative(w, ds)) * rstd * rstd * rstd * over
            c = _fused(w, negative(w, db * rstd), over, negative(w, b) * mean)
            with w.loop(channels) as j:
                places = (w.at(w[name], (first + j) * length) for name in ("out", "grad", "x"))
                w.call("void", "slope", *places, length, rstd * w.load(s.element, weight, j), b, c)
    return w


def _parameters(s: Shape) -> Code:
    """The gradients of weight and bias, sample after sample."""
    w = Writer(s, "parameters", "grad_weight grad_bias dots sums mean rstd table")
    channels, groups, samples = (_number(w, name) for name in ("D", "G", "N"))
    with w.loop(groups) as group:

        def body(j: Value, mask: Value | None) -> None:
            to_weight, to_bias = (w.variable(s.vector, 0.0) for _ in range(2))
            with w.loop(samples) as n:
                row = n * groups + group
                ds, db = (w.vector_at(w.at(w[name], row * channels + j), mask) for name in ("dots", "sums"))
                mean, rstd = (w.everywhere(w.load(s.element, w[name], row)) for name in ("mean", "rstd"))
                to_weight.value = w.fused(w.fused(negative(w, db), mean, ds), rstd, to_weight.value)
                to_bias.value = to_bias.value + db
            for name, total in (("grad_weight", to_weight), ("grad_bias", to_bias)):
                w.set_vector(w.at(w[name], group * channels + j), total.value, mask)

        over_vectors(w, channels, body)
    return w


@cache
def backward(element: str, with_x: bool) -> Callable[..., Any]:
    """`kernel(out, grad_weight, grad_bias, dots, sums, grad, x, mean, rstd, weight, table)`; dots and sums are room for (N, C) numbers."""
    s = registers(element)
    body, slope, parameters = _backward_body(s, with_x), _slope(wide(element)), _parameters(wide(element))
    main = Code("main", "out grad_weight grad_bias dots sums grad x mean rstd weight table")
    out, grad_weight, grad_bias, dots, sums, grad, x, mean, rstd, weight, table = main.arguments
    share(main, body, [out, dots, sums, grad, x, mean, rstd, weight, table], _number(main, "groups"), _number(main, "grain"))
    main.run(parameters, grad_weight, grad_bias, dots, sums, mean, rstd, table)
    return kernel(f"flambeau_group_norm_backward_{s.kind}{'_x' * with_x}", main, slope, body, parameters)
