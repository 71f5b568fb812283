"""Optimizer updates over arrays: one call updates all parameters of a group.

Every `*_step` function takes parallel lists of arrays (parameters, gradients, state) and the options of the group, and
changes parameters, state and step counts in place. The formulas and their order are those of PyTorch's update of one
tensor at a time, so that trajectories agree up to rounding. Common updates of float32 and float64 are kernels. What is
written by hand here takes any dtype, rounding float16 after every operator as PyTorch does, which no lowering of a kernel
would: an array that outgrows the cache is walked in blocks, so that the dozen passes of an update read main memory once.

Scalars reach the ufuncs as 0-dim arrays of the computing type: that costs half of what a Python float costs.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy import add, divide, empty, multiply, sqrt, subtract

from ..core.dtype import DEFAULT
from .library import optimizer as library
from .quiet import quiet

Array = np.ndarray
Arrays = Sequence[np.ndarray]
Constants = tuple[np.ndarray, ...]

BLOCK = 16384
"""Elements per block: five arrays of 64 KB fit the second-level cache of today's CPUs."""


# --- the operators that the rules below are written in ----------------------------------------------------------------
# `exact` for float32 and float64. `rounded` for float16 and bfloat16, where PyTorch computes each operator in float32
# and rounds its result. `t` is scratch of the arrays' shape, `c` and `w` are 0-dim arrays.


def _lerp(a: Array, b: Array, w: Array, t: Array) -> None:
    """a += w * (b - a), in the form that is exact at both ends."""
    subtract(b, a, t)
    if w.item() < 0.5:
        multiply(t, w, t)
        add(a, t, a)
    else:
        multiply(t, 1 - w, t)
        subtract(b, t, a)


def _addcmul(a: Array, x: Array, y: Array, c: Array, t: Array) -> None:
    """a += c * x * y"""
    multiply(x, c, t)
    multiply(t, y, t)
    add(a, t, a)


def _addcdiv(a: Array, x: Array, y: Array, c: Array, t: Array) -> None:
    """a += c * x / y"""
    multiply(x, c, t)
    divide(t, y, t)
    add(a, t, a)


def _axpy(a: Array, b: Array, c: Array, t: Array) -> None:
    """a += c * b"""
    multiply(b, c, t)
    add(a, t, a)


def _maximum(a: Array, b: Array, out: Array) -> None:
    np.maximum(a, b, out=out)  # these two want `out` by name


def _minimum(a: Array, b: Array, out: Array) -> None:
    np.minimum(a, b, out=out)


exact = SimpleNamespace(
    add=add,
    sub=subtract,
    mul=multiply,
    div=divide,
    over=divide,  # a scalar over an array
    sqrt=sqrt,
    maximum=_maximum,
    minimum=_minimum,
    lerp=_lerp,
    addcmul=_addcmul,
    addcdiv=_addcdiv,
    axpy=_axpy,
)


def _wide(a: Array) -> Array:
    return a.astype(np.float32)


def _rounding(ufunc: np.ufunc) -> Callable[..., None]:
    def compute(*arrays: Array) -> None:
        *operands, out = arrays
        out[...] = ufunc(*map(_wide, operands))

    return compute


def _rounded_add(a: Array, b: Array, out: Array) -> None:
    """Of addition PyTorch rounds the scalars, too."""
    out[...] = _wide(a) + _wide(b.astype(a.dtype))


def _rounded_axpy(a: Array, b: Array, c: Array, t: Array) -> None:
    a[...] = _wide(a) + _wide(b) * _wide(c.astype(a.dtype))


def _rounded_lerp(a: Array, b: Array, w: Array, t: Array) -> None:
    wide = _wide(a)
    _lerp(wide, _wide(b), w, empty(wide.shape, wide.dtype))
    a[...] = wide


def _rounded_addcmul(a: Array, x: Array, y: Array, c: Array, t: Array) -> None:
    a[...] = _wide(a) + _wide(x) * c * _wide(y)


def _rounded_addcdiv(a: Array, x: Array, y: Array, c: Array, t: Array) -> None:
    a[...] = _wide(a) + _wide(x) * c / _wide(y)


def _rounded_over(c: Array, a: Array, out: Array) -> None:
    out[...] = 1 / _wide(a)
    out[...] = _wide(out) * c


rounded = SimpleNamespace(
    add=_rounded_add,
    sub=_rounding(subtract),
    mul=_rounding(multiply),
    div=_rounding(divide),
    over=_rounded_over,
    sqrt=_rounding(sqrt),
    maximum=_rounding(np.maximum),
    minimum=_rounding(np.minimum),
    lerp=_rounded_lerp,
    addcmul=_rounded_addcmul,
    addcdiv=_rounded_addcdiv,
    axpy=_rounded_axpy,
)

# --- walking over the arrays ------------------------------------------------------------------------------------------

_COMPUTE: dict[str, Any] = {"f": np.dtype(np.float32), "d": np.dtype(np.float64), "F": np.dtype(np.float32), "D": np.dtype(np.float64)}
_FLOAT32: Any = _COMPUTE["f"]


def compute_dtype(dtype: np.dtype) -> np.dtype:
    """The type that the constants of an update of such parameters have."""
    return _COMPUTE.get(dtype.char, _FLOAT32)


def scalars(dtype: np.dtype, *values: float) -> Constants:
    """The numbers as 0-dim arrays of the computing type."""
    together = np.array(values, dtype)
    return tuple([together[i, ...] for i in range(len(values))])


def real_view(array: Array) -> Array:
    """A complex array as a real one with a last dimension of 2, sharing memory."""
    return array[..., np.newaxis].view(compute_dtype(array.dtype))


def _apply(rule: Callable[..., None], options: Any, *arrays: Array, fused: bool = False) -> None:
    """Run `rule(operators, options, *blocks)` over arrays of one shape, the parameter first and its gradient second."""
    parameter = arrays[0]
    char = parameter.dtype.char
    operators = exact
    if char != "f":
        if char in "FD":
            arrays = tuple([real_view(a) for a in arrays])
        elif char != "d":
            if fused:  # the fused update computes in float32 throughout and rounds once
                wide = [_wide(a) for a in arrays]
                _apply(rule, options, *wide)
                for array, result in zip(arrays, wide):
                    array[...] = result
                return
            operators = rounded
    if parameter.size <= BLOCK:
        rule(operators, options, *arrays)
        return
    for block in _blocks(arrays):
        rule(operators, options, *block)


def _blocks(arrays: tuple[Array, ...]) -> list[tuple[Array, ...]]:
    parameter = arrays[0]
    if not parameter.flags.c_contiguous:
        if not parameter.flags.f_contiguous:
            return [arrays]
        arrays = tuple([a.T for a in arrays])
    flat = [a.reshape(-1) if a.flags.c_contiguous else None for a in arrays]
    if flat[1] is None:  # a gradient may lie in any order
        flat[1] = np.ascontiguousarray(arrays[1]).reshape(-1)
    if any(a is None for a in flat):
        return [arrays]
    return [tuple([a[i : i + BLOCK] for a in flat]) for i in range(0, parameter.size, BLOCK)]  # type: ignore[index]


def _negative(g: Array) -> Array:
    return np.negative(g, empty(g.shape, g.dtype))  # without `out` a 0-dim array would become a scalar


def _descent(o: Any, p: Array, g: Array, decay: Array | None, maximize: bool) -> Array:
    """The gradient to descend along: negated for `maximize`, plus `decay * p`. Never the user's own array, if changed."""
    if maximize:
        g = _negative(g)
    if decay is not None:
        g = g.copy()
        o.axpy(g, p, decay, empty(p.shape, p.dtype))
    return g


def _next(step: Array) -> float:
    value = step.item() + 1.0
    step[()] = value
    return value


# --- SGD --------------------------------------------------------------------------------------------------------------


def _sgd(o: Any, options: tuple, p: Array, g: Array, *buffer: Array) -> None:
    (minus_lr, decay, momentum, undamped), use_decay, maximize, nesterov, first = options
    t = empty(p.shape, p.dtype)
    if use_decay or maximize:
        g = _descent(o, p, g, decay if use_decay else None, maximize)
    if buffer:
        (b,) = buffer
        if first:
            b[...] = g
        else:
            o.mul(b, momentum, b)
            o.axpy(b, g, undamped, t)
        if nesterov:
            g = g.copy()
            o.axpy(g, b, momentum, t)
        else:
            g = b
    o.axpy(p, g, minus_lr, t)


@quiet
def sgd_step(
    params: Arrays,
    grads: Arrays,
    buffers: Arrays,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool = False,
    fused: bool = False,
) -> None:
    """One step of gradient descent.

    `buffers` is empty without momentum; with `first` they are not read but set to the gradient.
    """
    sign = -1.0 if maximize else 1.0
    if not buffers:
        if library.descent.over_lists((params, grads), -float(lr), float(weight_decay), sign):
            return
    elif not first:
        kernel = library.nesterov if nesterov else library.momentum
        numbers = -float(lr), float(weight_decay), float(momentum), 1.0 - dampening, sign
        if kernel.over_lists((params, grads, buffers), *numbers):
            return
    dtype: Any = None
    options: tuple = ()
    for i in range(len(params)):
        p = params[i]
        if p.dtype is not dtype:
            dtype = p.dtype
            constants = scalars(compute_dtype(dtype), -lr, weight_decay, momentum, 1 - dampening)
            options = (constants, weight_decay != 0, maximize, nesterov, first)
        if buffers:
            _apply(_sgd, options, p, grads[i], buffers[i], fused=fused)
        else:
            _apply(_sgd, options, p, grads[i], fused=fused)


# --- Adam and its relatives -------------------------------------------------------------------------------------------


def _adam(o: Any, options: tuple, p: Array, g: Array, m: Array, v: Array, *largest: Array) -> None:
    (keep, decay, w1, beta2, w2, correction, eps, step_size), use_decay, decoupled, maximize = options
    if use_decay:
        if decoupled:
            o.mul(p, keep, p)
            if maximize:
                g = _negative(g)
        else:
            g = _descent(o, p, g, decay, maximize)
    elif maximize:
        g = _negative(g)
    t = empty(p.shape, p.dtype)
    o.lerp(m, g, w1, t)
    o.mul(v, beta2, v)
    o.addcmul(v, g, g, w2, t)
    if largest:
        o.maximum(largest[0], v, largest[0])
        v = largest[0]
    denominator = empty(p.shape, p.dtype)
    o.sqrt(v, denominator)
    o.div(denominator, correction, denominator)
    o.add(denominator, eps, denominator)
    o.addcdiv(p, m, denominator, step_size, t)


@quiet
def adam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
    fused: bool = False,
) -> None:
    """One step of Adam, of AdamW with `decoupled`; `max_exp_avg_sqs` is empty without AMSGrad."""
    counts = [_next(step) for step in steps]
    lists = (params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs) if max_exp_avg_sqs else (params, grads, exp_avgs, exp_avg_sqs)
    kernel = library.amsgrad if max_exp_avg_sqs else library.adam

    def numbers(step: Any) -> tuple[float, ...]:
        return (
            1.0 - lr * weight_decay if decoupled else 1.0,
            0.0 if decoupled else float(weight_decay),
            1.0 - beta1,
            float(beta2),
            1.0 - beta2,
            (1.0 - beta2**step) ** 0.5,
            float(eps),
            -lr / (1.0 - beta1**step),
            -1.0 if maximize else 1.0,
        )

    if counts and counts.count(counts[0]) == len(counts) and kernel.over_lists(lists, *numbers(counts[0])):
        return
    key: Any = None
    options: tuple = ()
    for i in range(len(params)):
        p, step = params[i], counts[i]
        if kernel.over_lists([[x[i]] for x in lists], *numbers(step)):
            continue
        if key != (step, p.dtype):
            key = (step, p.dtype)
            constants = scalars(
                compute_dtype(p.dtype),
                1 - lr * weight_decay,
                weight_decay,
                1 - beta1,
                beta2,
                1 - beta2,
                (1 - beta2**step) ** 0.5,
                eps,
                -lr / (1 - beta1**step),
            )
            options = (constants, weight_decay != 0, decoupled, maximize)
        _apply(_adam, options, *[x[i] for x in lists], fused=fused)


def _adamax(o: Any, options: tuple, p: Array, g: Array, m: Array, norm: Array) -> None:
    (decay, w1, beta2, eps, minus_lr), use_decay, maximize = options
    g = _descent(o, p, g, decay if use_decay else None, maximize)
    t = empty(p.shape, p.dtype)
    o.lerp(m, g, w1, t)
    o.mul(norm, beta2, norm)
    np.absolute(g, t)
    o.add(t, eps, t)
    o.maximum(norm, t, norm)
    o.addcdiv(p, m, norm, minus_lr, t)


@quiet
def adamax_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_infs: Arrays,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of Adamax: Adam with the infinity norm in place of the second moment."""
    for p, g, m, norm, count in zip(params, grads, exp_avgs, exp_infs, steps):
        step = _next(count)
        constants = scalars(compute_dtype(p.dtype), weight_decay, 1 - beta1, beta2, eps, -lr / (1 - beta1**step))
        _apply(_adamax, (constants, weight_decay != 0, maximize), p, g, m, norm)


def _nadam(o: Any, options: tuple, p: Array, g: Array, m: Array, v: Array) -> None:
    (keep, decay, w1, beta2, w2, correction, eps, of_gradient, of_average), use_decay, decoupled, maximize = options
    if use_decay and decoupled:
        o.mul(p, keep, p)
    g = _descent(o, p, g, decay if use_decay and not decoupled else None, maximize)
    t = empty(p.shape, p.dtype)
    o.lerp(m, g, w1, t)
    o.mul(v, beta2, v)
    o.addcmul(v, g, g, w2, t)
    denominator = empty(p.shape, p.dtype)
    o.div(v, correction, denominator)
    o.sqrt(denominator, denominator)
    o.add(denominator, eps, denominator)
    o.addcdiv(p, g, denominator, of_gradient, t)
    o.addcdiv(p, m, denominator, of_average, t)


@quiet
def nadam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    mu_products: Arrays,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """One step of NAdam: Adam with Nesterov momentum; `mu_products` holds the running product of the momenta."""
    for p, g, m, v, product, count in zip(params, grads, exp_avgs, exp_avg_sqs, mu_products, steps):
        step = _next(count)
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (step * momentum_decay))
        mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
        multiply(product, np.asarray(mu, product.dtype), product)
        mu_product = product.item()
        constants = scalars(
            compute_dtype(p.dtype),
            1 - lr * weight_decay,
            weight_decay,
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta2**step,
            eps,
            -lr * (1.0 - mu) / (1.0 - mu_product),
            -lr * mu_next / (1.0 - mu_product * mu_next),
        )
        _apply(_nadam, (constants, weight_decay != 0, decoupled, maximize), p, g, m, v)


def _radam(o: Any, options: tuple, p: Array, g: Array, m: Array, v: Array) -> None:
    (keep, decay, w1, beta2, w2, correction, lr, eps, adaptive, rectifier), use_decay, decoupled, maximize, rectify = options
    if use_decay and decoupled:
        o.mul(p, keep, p)
    g = _descent(o, p, g, decay if use_decay and not decoupled else None, maximize)
    t = empty(p.shape, p.dtype)
    o.lerp(m, g, w1, t)
    o.mul(v, beta2, v)
    o.addcmul(v, g, g, w2, t)
    update = empty(p.shape, p.dtype)
    o.div(m, correction, update)
    o.mul(update, lr, update)
    if rectify:
        o.sqrt(v, t)
        o.add(t, eps, t)
        o.over(adaptive, t, t)
        o.mul(update, t, update)
        o.mul(update, rectifier, update)
    o.sub(p, update, p)


@quiet
def radam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """One step of RAdam: Adam whose adaptive rate is held back while its variance is large (`rho <= 5`)."""
    rho_inf = 2 / (1 - beta2) - 1
    for p, g, m, v, count in zip(params, grads, exp_avgs, exp_avg_sqs, steps):
        step = _next(count)
        correction2 = 1 - beta2**step
        rho = rho_inf - 2 * step * beta2**step / correction2
        rectifier = 0.0
        if rho > 5.0:
            rectifier = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        constants = scalars(
            compute_dtype(p.dtype),
            1 - lr * weight_decay,
            weight_decay,
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta1**step,
            lr,
            eps,
            correction2**0.5,
            rectifier,
        )
        _apply(_radam, (constants, weight_decay != 0, decoupled, maximize, rho > 5.0), p, g, m, v)


# --- the others -------------------------------------------------------------------------------------------------------


def _rmsprop(o: Any, options: tuple, p: Array, g: Array, square: Array, *more: Array) -> None:
    (decay, alpha, rest, eps, momentum, one, minus_one, minus_lr), use_decay, maximize, centered = options
    g = _descent(o, p, g, decay if use_decay else None, maximize)
    t = empty(p.shape, p.dtype)
    o.mul(square, alpha, square)
    o.addcmul(square, g, g, rest, t)
    mean = empty(p.shape, p.dtype)
    if centered:
        average, more = more[0], more[1:]
        o.lerp(average, g, rest, t)
        mean[...] = square
        o.addcmul(mean, average, average, minus_one, t)
        o.sqrt(mean, mean)
    else:
        o.sqrt(square, mean)
    o.add(mean, eps, mean)
    if more:
        (buffer,) = more
        o.mul(buffer, momentum, buffer)
        o.addcdiv(buffer, g, mean, one, t)
        o.axpy(p, buffer, minus_lr, t)
    else:
        o.addcdiv(p, g, mean, minus_lr, t)


@quiet
def rmsprop_step(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    grad_avgs: Arrays,
    buffers: Arrays,
    steps: Arrays,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """One step of RMSprop; `grad_avgs` is empty unless centered, `buffers` is empty without momentum."""
    for i, p in enumerate(params):
        _next(steps[i])
        constants = scalars(compute_dtype(p.dtype), weight_decay, alpha, 1 - alpha, eps, momentum, 1.0, -1.0, -lr)
        more = [arrays[i] for arrays in (grad_avgs, buffers) if arrays]
        _apply(_rmsprop, (constants, weight_decay != 0, maximize, bool(grad_avgs)), p, grads[i], square_avgs[i], *more)


def _adagrad(o: Any, options: tuple, p: Array, g: Array, total: Array) -> None:
    (decay, one, eps, minus_rate), use_decay, maximize = options
    g = _descent(o, p, g, decay if use_decay else None, maximize)
    t = empty(p.shape, p.dtype)
    o.addcmul(total, g, g, one, t)
    root = empty(p.shape, p.dtype)
    o.sqrt(total, root)
    o.add(root, eps, root)
    o.addcdiv(p, g, root, minus_rate, t)


@quiet
def adagrad_step(
    params: Arrays,
    grads: Arrays,
    sums: Arrays,
    steps: Arrays,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    fused: bool = False,
) -> None:
    """One step of Adagrad."""
    for p, g, total, count in zip(params, grads, sums, steps):
        rate = lr / (1 + (_next(count) - 1) * lr_decay)
        constants = scalars(compute_dtype(p.dtype), weight_decay, 1.0, eps, -rate)
        _apply(_adagrad, (constants, weight_decay != 0, maximize), p, g, total, fused=fused)


def _adadelta(o: Any, options: tuple, p: Array, g: Array, square: Array, total: Array) -> None:
    (decay, rho, rest, eps, minus_lr), use_decay, maximize = options
    g = _descent(o, p, g, decay if use_decay else None, maximize)
    t = empty(p.shape, p.dtype)
    o.mul(square, rho, square)
    o.addcmul(square, g, g, rest, t)
    o.add(square, eps, t)
    o.sqrt(t, t)
    delta = empty(p.shape, p.dtype)
    o.add(total, eps, delta)
    o.sqrt(delta, delta)
    o.div(delta, t, delta)
    o.mul(delta, g, delta)
    o.mul(total, rho, total)
    o.addcmul(total, delta, delta, rest, t)
    o.axpy(p, delta, minus_lr, t)


@quiet
def adadelta_step(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    acc_deltas: Arrays,
    steps: Arrays,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of Adadelta."""
    for p, g, square, total, count in zip(params, grads, square_avgs, acc_deltas, steps):
        _next(count)
        constants = scalars(compute_dtype(p.dtype), weight_decay, rho, 1 - rho, eps, -lr)
        _apply(_adadelta, (constants, weight_decay != 0, maximize), p, g, square, total)


def _asgd(o: Any, options: tuple, p: Array, g: Array, average: Array) -> None:
    (decay, keep, minus_eta, mu), use_decay, maximize = options
    g = _descent(o, p, g, decay if use_decay else None, maximize)
    t = empty(p.shape, p.dtype)
    o.mul(p, keep, p)
    o.axpy(p, g, minus_eta, t)
    if mu.item() == 1:
        average[...] = p
    else:
        o.sub(p, average, t)
        o.mul(t, mu, t)
        o.add(average, t, average)


@quiet
def asgd_step(
    params: Arrays,
    grads: Arrays,
    averages: Arrays,
    mus: Arrays,
    etas: Arrays,
    steps: Arrays,
    lr: float,
    lambd: float,
    alpha: float,
    t0: float,
    weight_decay: float,
    maximize: bool,
    foreach: bool = False,
) -> None:
    """One step of averaged SGD; `etas` (the rates) and `mus` (the weights of the average) are 0-dim arrays, renewed.

    PyTorch computes the rates in the default dtype, with `foreach` even the steps to them in that of the step counts.
    """
    rounded_to = DEFAULT.dtype.numpy.type
    for p, g, average, mu, eta, count in zip(params, grads, averages, mus, etas, steps):
        step = _next(count)
        rate = eta.item()
        constants = scalars(compute_dtype(p.dtype), weight_decay, 1 - lambd * rate, -rate, mu.item())
        _apply(_asgd, (constants, weight_decay != 0, maximize), p, g, average)
        if foreach:
            kind = count.dtype.type
            eta[()] = 1 / (1 + kind(lambd * lr) * kind(step)) ** kind(alpha) * kind(lr)
        else:
            eta[()] = rounded_to(lr / (1 + lambd * lr * step) ** alpha)
        mu[()] = rounded_to(1 / max(1, step - t0))


def _rprop(o: Any, options: tuple, p: Array, g: Array, previous: Array, size: Array) -> None:
    (minus, plus, smallest, largest), maximize = options
    if maximize:
        g = _negative(g)
    t = empty(p.shape, p.dtype)
    o.mul(g, previous, t)
    factor = np.sign(t, empty(t.shape, t.dtype))
    turned = factor < 0
    factor[factor > 0] = plus
    factor[turned] = minus
    factor[factor == 0] = 1
    o.mul(size, factor, size)
    o.maximum(size, smallest, size)
    o.minimum(size, largest, size)
    g = g.copy()
    g[turned] = 0
    np.sign(g, t)
    o.mul(t, size, t)
    o.sub(p, t, p)
    previous[...] = g


@quiet
def rprop_step(
    params: Arrays,
    grads: Arrays,
    previous: Arrays,
    sizes: Arrays,
    steps: Arrays,
    eta_minus: float,
    eta_plus: float,
    size_min: float,
    size_max: float,
    maximize: bool,
) -> None:
    """One step of resilient backpropagation: only the signs of the gradients count."""
    for p, g, before, size, count in zip(params, grads, previous, sizes, steps):
        _next(count)
        constants = scalars(compute_dtype(p.dtype), eta_minus, eta_plus, size_min, size_max)
        _apply(_rprop, (constants, maximize), p, g, before, size)


def scale_all(arrays: list[Array], factor: Any) -> bool:
    """Multiplies arrays of one dtype in place, by one launch; False where they are not row-major, having done nothing."""
    return library.scale.over_lists((arrays,), float(factor))
