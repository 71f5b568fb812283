"""Updates of parameters, in place. The numbers come in this order, the ones that only flip a sign last.

An update is written in PyTorch's operators on one element, in PyTorch's order: of float16 and bfloat16 each of them rounds its
result, as each of PyTorch's does; products are fused with the sums they go into where PyTorch's are. So the bits are PyTorch's. What
depends on a number alone is decided before the loop, or while tracing for NumPy.
"""

from typing import Any

from ..compiler import Kernel, map_kernel
from ..compiler.expression import absolute, maximum, minimum, multiply_add, rounded, sqrt, torch_sqrt, where


class Operators:
    """PyTorch's operators on elements of the dtype that an array has."""

    def __init__(self, array: Any) -> None:
        self.stored = array.stored

    def round(self, x: Any) -> Any:
        return rounded(x, self.stored)

    def add(self, x: Any, number: Any) -> Any:
        """x + number, which addition rounds, too."""
        return self.round(x + self.round(number))

    def mul(self, x: Any, y: Any) -> Any:
        return self.round(x * y)

    def div(self, x: Any, y: Any) -> Any:
        return self.round(x / y)

    def sqrt(self, x: Any) -> Any:
        return torch_sqrt(x) if self.stored == "f32" else self.round(sqrt(x))

    def sqrt_of_inverse(self, x: Any) -> Any:
        return self.round(1.0 / sqrt(x))

    def axpy(self, x: Any, y: Any, number: Any) -> Any:
        """x + number * y."""
        return self.round(multiply_add(y, self.round(number), x))

    def addcmul(self, x: Any, y: Any, z: Any, number: Any) -> Any:
        """x + number * y * z."""
        return self.round(multiply_add(y * number, z, x))

    def addcdiv(self, x: Any, y: Any, z: Any, number: Any) -> Any:
        """x + number * y / z."""
        return self.round(x + y * number / z)

    def lerp(self, x: Any, y: Any, weight: Any) -> Any:
        """x + weight * (y - x), in the form that is exact at both ends."""
        near = weight < 0.5
        return self.round(multiply_add(y - x, where(near, weight, weight - 1.0), where(near, x, y)))

    def gradient(self, g: Any, x: Any, decay: Any, sign: Any) -> Any:
        """The gradient to descend along: negated to maximize, plus decay * x.

        Without decay x does not matter, not even an infinite one.
        """
        g = where(sign.equals(1.0), g, -g)
        return where(decay.equals(0.0), g, self.axpy(g, x, decay))

    def kept(self, x: Any, keep: Any) -> Any:
        """What decoupled decay leaves of a parameter."""
        return where(keep.equals(1.0), x, self.mul(x, keep))

    def second(self, v: Any, g: Any, beta2: Any, w2: Any) -> Any:
        """The running mean of the squares."""
        return self.addcmul(self.mul(v, beta2), g, g, w2)


# --- SGD --------------------------------------------------------------------------------------------------------------


@map_kernel("p:f g:f", numbers=3, halves=True)
def descent(row: Any, p: Any, g: Any, size: Any, decay: Any, sign: Any) -> None:
    """p + size * gradient."""
    o = Operators(p)

    def body(i: Any) -> None:
        p[i] = o.axpy(p[i], o.gradient(g[i], p[i], decay, sign), size)

    row.each(body)


@map_kernel("p:f g:f buffer:f", numbers=7, halves=True)
def momentum(
    row: Any, p: Any, g: Any, buffer: Any, size: Any, decay: Any, friction: Any, undamped: Any, nesterov: Any, first: Any, sign: Any
) -> None:
    """buffer = friction * buffer + undamped * gradient, or the gradient at the first step; p + size * buffer.

    With `nesterov` (1, else 0) the buffer looked ahead: p + size * (gradient + friction * buffer).
    """
    o = Operators(p)

    def body(i: Any) -> None:
        grad = o.gradient(g[i], p[i], decay, sign)
        b = where(first.equals(1.0), grad, o.axpy(o.mul(buffer[i], friction), grad, undamped))
        buffer[i] = b
        p[i] = o.axpy(p[i], where(nesterov.equals(1.0), o.axpy(grad, b, friction), b), size)

    row.each(body)


# --- Adam and its relatives -------------------------------------------------------------------------------------------


def _adam(name: str, *largest: str) -> Kernel:
    def build(row: Any, p: Any, g: Any, m: Any, v: Any, *more: Any) -> None:
        *top, keep, decay, w1, beta2, w2, correction, eps, size, sign = more
        o = Operators(p)

        def body(i: Any) -> None:
            x = o.kept(p[i], keep)
            grad = o.gradient(g[i], x, decay, sign)
            first = o.lerp(m[i], grad, w1)
            m[i] = first
            second = o.second(v[i], grad, beta2, w2)
            v[i] = second
            for array in top:
                second = maximum(array[i], second)
                array[i] = second
            p[i] = o.addcdiv(x, first, o.add(o.div(o.sqrt(second), correction), eps), size)

        row.each(body)

    build.__name__ = name
    return map_kernel(" ".join(["p:f", "g:f", "m:f", "v:f", *largest]), numbers=9, halves=True)(build)


adam = _adam("adam")
"""One step of Adam: `keep` multiplies p first (AdamW), `decay` times p is added to the gradient (Adam), `size` is
-lr / (1 - beta1^t) and `correction` sqrt(1 - beta2^t); `sign` is -1 to maximize, 1 otherwise."""

amsgrad = _adam("amsgrad", "largest:f")
"""The same with the largest second average so far."""


@map_kernel("p:f g:f m:f norm:f", numbers=6, halves=True)
def adamax(
    row: Any, p: Any, g: Any, m: Any, norm: Any, decay: Any, w1: Any, beta2: Any, eps: Any, size: Any, sign: Any
) -> None:  # fmt: skip
    """norm = max(beta2 * norm, |gradient| + eps); p + size * m / norm."""
    o = Operators(p)

    def body(i: Any) -> None:
        grad = o.gradient(g[i], p[i], decay, sign)
        first = o.lerp(m[i], grad, w1)
        m[i] = first
        top = maximum(o.mul(norm[i], beta2), o.add(absolute(grad), eps))
        norm[i] = top
        p[i] = o.addcdiv(p[i], first, top, size)

    row.each(body)


@map_kernel("p:f g:f m:f v:f", numbers=10, halves=True)
def nadam(
    row: Any, p: Any, g: Any, m: Any, v: Any, keep: Any, decay: Any, w1: Any, beta2: Any, w2: Any, correction: Any, eps: Any,
    of_gradient: Any, of_average: Any, sign: Any,
) -> None:  # fmt: skip
    """Adam's denominator with `correction` (1 - beta2^t) under the root; a step along the gradient and one along its average."""
    o = Operators(p)

    def body(i: Any) -> None:
        x = o.kept(p[i], keep)
        grad = o.gradient(g[i], x, decay, sign)
        first = o.lerp(m[i], grad, w1)
        m[i] = first
        second = o.second(v[i], grad, beta2, w2)
        v[i] = second
        denominator = o.add(o.sqrt(o.div(second, correction)), eps)
        p[i] = o.addcdiv(o.addcdiv(x, grad, denominator, of_gradient), first, denominator, of_average)

    row.each(body)


@map_kernel("p:f g:f m:f v:f", numbers=11, halves=True)
def radam(
    row: Any, p: Any, g: Any, m: Any, v: Any, keep: Any, decay: Any, w1: Any, beta2: Any, w2: Any, correction: Any, lr: Any, eps: Any,
    adaptive: Any, rectifier: Any, sign: Any,
) -> None:  # fmt: skip
    """`correction` is 1 - beta1^t, `adaptive` sqrt(1 - beta2^t); the rate adapts unless `rectifier` is 0."""
    o = Operators(p)

    def body(i: Any) -> None:
        x = o.kept(p[i], keep)
        grad = o.gradient(g[i], x, decay, sign)
        first = o.lerp(m[i], grad, w1)
        m[i] = first
        second = o.second(v[i], grad, beta2, w2)
        v[i] = second
        update = o.mul(o.div(first, correction), lr)
        rate = o.mul(o.div(1.0, o.add(o.sqrt(second), eps)), adaptive)
        p[i] = o.round(x - where(rectifier.equals(0.0), update, o.mul(o.mul(update, rate), rectifier)))

    row.each(body)


# --- the others -------------------------------------------------------------------------------------------------------


def _rmsprop(name: str, *more: str) -> Kernel:
    def build(row: Any, p: Any, g: Any, square: Any, *others: Any) -> None:
        *arrays, decay, alpha, rest, eps, friction, size, sign = others
        known = dict(zip(more, arrays))
        average, buffer = known.get("average:f"), known.get("buffer:f")
        o = Operators(p)

        def body(i: Any) -> None:
            grad = o.gradient(g[i], p[i], decay, sign)
            mean = o.second(square[i], grad, alpha, rest)
            square[i] = mean
            if average is not None:
                centre = o.lerp(average[i], grad, rest)
                average[i] = centre
                mean = o.addcmul(mean, centre, centre, -1.0)
            root = o.add(o.sqrt(mean), eps)
            if buffer is None:
                p[i] = o.addcdiv(p[i], grad, root, size)
            else:
                b = o.round(o.mul(buffer[i], friction) + grad / root)
                buffer[i] = b
                p[i] = o.axpy(p[i], b, size)

        row.each(body)

    build.__name__ = name
    return map_kernel(" ".join(["p:f", "g:f", "square:f", *more]), numbers=7, halves=True)(build)


rmsprop = (
    _rmsprop("rmsprop"), _rmsprop("rmsprop_momentum", "buffer:f"),
    _rmsprop("rmsprop_centered", "average:f"), _rmsprop("rmsprop_centered_momentum", "average:f", "buffer:f"),
)  # fmt: skip
"""square = alpha * square + rest * gradient^2; p + size * gradient / (sqrt(square) + eps).

Without and with momentum; then both centered, where the square loses that of the gradient's average.
"""


@map_kernel("p:f g:f total:f", numbers=4, halves=True)
def adagrad(row: Any, p: Any, g: Any, total: Any, decay: Any, eps: Any, size: Any, sign: Any) -> None:
    """total + gradient^2; p + size * gradient / (sqrt(total) + eps)."""
    o = Operators(p)

    def body(i: Any) -> None:
        grad = o.gradient(g[i], p[i], decay, sign)
        squares = o.round(multiply_add(grad, grad, total[i]))
        total[i] = squares
        p[i] = o.addcdiv(p[i], grad, o.add(o.sqrt(squares), eps), size)

    row.each(body)


@map_kernel("p:f g:f square:f total:f", numbers=6, halves=True)
def adadelta(
    row: Any, p: Any, g: Any, square: Any, total: Any, decay: Any, rho: Any, rest: Any, eps: Any, size: Any, sign: Any
) -> None:  # fmt: skip
    """p + size * delta, where delta is the gradient by the root of the mean square of the deltas over that of the gradients."""
    o = Operators(p)

    def body(i: Any) -> None:
        grad = o.gradient(g[i], p[i], decay, sign)
        mean = o.second(square[i], grad, rho, rest)
        square[i] = mean
        delta = o.mul(o.div(o.sqrt(o.add(total[i], eps)), o.sqrt(o.add(mean, eps))), grad)
        total[i] = o.second(total[i], delta, rho, rest)
        p[i] = o.axpy(p[i], delta, size)

    row.each(body)


@map_kernel("p:f g:f average:f", numbers=5, halves=True)
def asgd(row: Any, p: Any, g: Any, average: Any, decay: Any, keep: Any, size: Any, mu: Any, sign: Any) -> None:
    """keep * p + size * gradient, and the average of the results, in which this one weighs `mu`."""
    o = Operators(p)

    def body(i: Any) -> None:
        x = o.axpy(o.mul(p[i], keep), o.gradient(g[i], p[i], decay, sign), size)
        p[i] = x
        average[i] = where(mu.equals(1.0), x, o.round(average[i] + o.mul(o.round(x - average[i]), mu)))

    row.each(body)


@map_kernel("p:f g:f previous:f size:f", numbers=5, halves=True)
def rprop(
    row: Any, p: Any, g: Any, previous: Any, size: Any, minus: Any, plus: Any, smallest: Any, largest: Any, sign: Any
) -> None:  # fmt: skip
    """A step of its own size for each element, which grows while the gradient keeps its sign; none where it has turned."""
    o = Operators(p)

    def body(i: Any) -> None:
        grad = where(sign.equals(1.0), g[i], -g[i])
        both = o.mul(grad, previous[i])
        factor = where(both > 0.0, plus, where(both < 0.0, minus, 1.0))
        step = minimum(maximum(o.mul(size[i], o.round(factor)), o.round(smallest)), o.round(largest))
        size[i] = step
        grad = where(both < 0.0, 0.0, grad)
        previous[i] = grad
        p[i] = o.round(p[i] - where(grad > 0.0, step, where(grad < 0.0, -step, 0.0)))

    row.each(body)


# Adafactor: its second moment is kept as one vector for rows and one for columns.


@map_kernel("mean:f size:f", numbers=2, halves=True)
def mean_square(row: Any, mean: Any, size: Any, count: Any, weight: Any) -> None:
    """The running mean of size^2 / count."""
    o = Operators(mean)

    def body(i: Any) -> None:
        mean[i] = o.lerp(mean[i], o.div(o.mul(size[i], size[i]), count), weight)

    row.each(body)


@map_kernel("update:f g:f variance:f", numbers=2, halves=True)
def scaled(row: Any, update: Any, g: Any, variance: Any, least: Any, sign: Any) -> None:
    """gradient / sqrt(max(variance, least))."""
    o = Operators(update)

    def body(i: Any) -> None:
        root = o.sqrt_of_inverse(maximum(variance[i], o.round(least)))
        update[i] = o.mul(root, where(sign.equals(1.0), g[i], -g[i]))

    row.each(body)


@map_kernel("update:f g:f line:f column:f mean:f", numbers=3, halves=True)
def scaled_by_factors(
    row: Any, update: Any, g: Any, line: Any, column: Any, mean: Any, eps: Any, least: Any, sign: Any
) -> None:  # fmt: skip
    """The same, of the variance line * column / max(mean, eps)."""
    o = Operators(update)

    def body(i: Any) -> None:
        variance = o.div(o.mul(line[i], column[i]), maximum(mean[i], o.round(eps)))
        root = o.sqrt_of_inverse(maximum(variance, o.round(least)))
        update[i] = o.mul(root, where(sign.equals(1.0), g[i], -g[i]))

    row.each(body)


@map_kernel("p:f update:f", numbers=2, halves=True)
def kept_and_moved(row: Any, p: Any, update: Any, keep: Any, size: Any) -> None:
    """keep * p + size * update."""
    o = Operators(p)

    def body(i: Any) -> None:
        p[i] = o.axpy(o.kept(p[i], keep), update[i], size)

    row.each(body)


@map_kernel("p:f")
def advance(row: Any, p: Any) -> None:
    """p + 1."""

    def body(i: Any) -> None:
        p[i] = p[i] + 1.0

    row.each(body)


# --- averages and gradients --------------------------------------------------------------------------------------------------------


@map_kernel("p:f target:f", numbers=1, halves=True)
def approach(row: Any, p: Any, target: Any, weight: Any) -> None:
    """p + weight * (target - p)."""
    o = Operators(p)

    def body(i: Any) -> None:
        p[i] = o.lerp(p[i], target[i], weight)

    row.each(body)


@map_kernel("p:f", numbers=1)
def scale(row: Any, p: Any, factor: Any) -> None:
    """p * factor."""

    def body(i: Any) -> None:
        p[i] = p[i] * factor

    row.each(body)


@map_kernel("p:f", numbers=1)
def limit(row: Any, p: Any, size: Any) -> None:
    """p within [-size, size]."""

    def body(i: Any) -> None:
        p[i] = minimum(maximum(p[i], -size), size)

    row.each(body)
