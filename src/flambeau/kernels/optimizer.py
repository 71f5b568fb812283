"""Optimizer updates over arrays: one launch updates all parameters of a group.

Every `*_step` function takes parallel lists of arrays (parameters, gradients, state) and the options of the group, and
changes parameters, state and step counts in place. What is computed for an element stands in `library/optimizer.py`: the formulas
and their order are those of PyTorch's update of one tensor at a time, so that trajectories agree up to rounding. Here are the
numbers that go with it, which are the same for all parameters unless some of them have taken fewer steps.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.dtype import DEFAULT
from . import reduction
from .compiler import Kernel, in_numpy, mapped, usable
from .library import optimizer as library
from .quiet import quiet

Array = np.ndarray
Arrays = Sequence[np.ndarray]
Numbers = tuple[float, ...]


def real_view(array: Array) -> Array:
    """A complex array as a real one with a last dimension of 2, sharing memory."""
    return array[..., np.newaxis].view(np.float64 if array.dtype.char == "D" else np.float32)


def _update(kernel: Kernel, lists: Sequence[Arrays], numbers: Sequence[Numbers], fused: bool = False) -> None:
    """Runs a kernel over the parameters (first list), their gradients (second) and state. numbers: those of each parameter.

    fused: float16 and bfloat16 compute in float32 throughout and are rounded once, not after every operator.
    """
    compiled = usable()
    half = fused and lists[0][0].dtype.itemsize == 2
    if compiled and numbers.count(numbers[0]) == len(numbers) and not half and kernel.over_lists(lists, *numbers[0]):
        return
    alike: dict[tuple[Any, Numbers], list[Sequence[Array]]] = {}
    for given, own in zip(zip(*lists), numbers):
        arrays = _row_major(given)
        dtype = arrays[0].dtype
        if fused and dtype.itemsize == 2:
            _update_widely(kernel, arrays, own)
        elif compiled:
            alike.setdefault((dtype, own), []).append(arrays)
        else:
            in_numpy(kernel, dtype)(*arrays, *own)
    for (dtype, own), members in alike.items():
        if not kernel.over_lists(list(zip(*members)), *own):
            for arrays in members:
                if not kernel.over_lists([[x] for x in arrays], *own):
                    in_numpy(kernel, dtype)(*arrays, *own)


@quiet
def _update_widely(kernel: Kernel, arrays: Sequence[Array], numbers: Numbers) -> None:
    """One parameter in float32, rounded at the end."""
    wide = [a.astype(np.float32) for a in arrays]
    _update(kernel, [[x] for x in wide], [numbers])
    for i, result in enumerate(wide):
        if i != 1:  # the gradient stays as it is
            arrays[i][...] = result


def _row_major(arrays: Any) -> Any:
    """The arrays of one parameter as real ones in row-major order that share their memory, as far as they lie alike."""
    if arrays[0].__class__ is not np.ndarray:
        return arrays
    if arrays[0].dtype.char in "FD":
        arrays = [real_view(a) for a in arrays]
    for a in arrays:
        if not a.flags.c_contiguous:
            break
    else:
        return arrays
    order = sorted(range(arrays[0].ndim), key=lambda d: -arrays[0].strides[d])
    turned = [a.transpose(order) for a in arrays]
    if len(turned) > 1 and turned[0].flags.c_contiguous:
        turned[1] = np.ascontiguousarray(turned[1]).reshape(turned[1].shape)  # a gradient may lie in any order
    return turned


def _floats(*numbers: Any) -> Numbers:
    return tuple(map(float, numbers))


def _counted(steps: Arrays) -> list[float]:
    """Counts one more step for each parameter."""
    if library.advance.over_lists((steps,)):
        return [step.item() for step in steps]
    counts = [step.item() + 1.0 for step in steps]
    for step, count in zip(steps, counts):
        step[()] = count
    return counts


def _numbers_of_steps(steps: Arrays, numbers: Any) -> list[Numbers]:
    """Counts one more step for each parameter: `numbers(step)` for each."""
    known: dict[float, Numbers] = {}
    result = []
    for count in _counted(steps):
        own = known.get(count)
        if own is None:
            own = known[count] = _floats(*numbers(count))
        result.append(own)
    return result


# --- SGD --------------------------------------------------------------------------------------------------------------


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
    if buffers:
        numbers = _floats(-lr, weight_decay, momentum, 1 - dampening, nesterov, first, sign)
        _update(library.momentum, (params, grads, buffers), [numbers] * len(params), fused)
    else:
        _update(library.descent, (params, grads), [_floats(-lr, weight_decay, sign)] * len(params), fused)


# --- Adam and its relatives -------------------------------------------------------------------------------------------


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
    lists = (params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs) if max_exp_avg_sqs else (params, grads, exp_avgs, exp_avg_sqs)

    def numbers(step: float) -> tuple[float, ...]:
        return (
            1 - lr * weight_decay if decoupled else 1.0,
            0.0 if decoupled else weight_decay,
            1 - beta1,
            beta2,
            1 - beta2,
            (1 - beta2**step) ** 0.5,
            eps,
            -lr / (1 - beta1**step),
            -1.0 if maximize else 1.0,
        )

    _update(library.amsgrad if max_exp_avg_sqs else library.adam, lists, _numbers_of_steps(steps, numbers), fused)


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

    def numbers(step: float) -> tuple[float, ...]:
        return weight_decay, 1 - beta1, beta2, eps, -lr / (1 - beta1**step), -1.0 if maximize else 1.0

    _update(library.adamax, (params, grads, exp_avgs, exp_infs), _numbers_of_steps(steps, numbers))


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

    def moved(product: Array, step: float) -> tuple[Any, Numbers]:
        """The next product and the numbers of the update."""
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (step * momentum_decay))
        mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
        following = product * np.asarray(mu, product.dtype)
        mu_product = float(following)
        return following, _floats(
            1 - lr * weight_decay if decoupled else 1.0,
            0.0 if decoupled else weight_decay,
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta2**step,
            eps,
            -lr * (1.0 - mu) / (1.0 - mu_product),
            -lr * mu_next / (1.0 - mu_product * mu_next),
            -1.0 if maximize else 1.0,
        )

    known: dict[Any, tuple[Any, Numbers]] = {}
    numbers = []
    for product, step in zip(mu_products, _counted(steps)):
        key = step, product.item(), product.dtype.char
        found = known.get(key)
        if found is None:
            found = known[key] = moved(product, step)
        product[()] = found[0]
        numbers.append(found[1])
    _update(library.nadam, (params, grads, exp_avgs, exp_avg_sqs), numbers)


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

    def numbers(step: float) -> tuple[float, ...]:
        correction2 = 1 - beta2**step
        rho = rho_inf - 2 * step * beta2**step / correction2
        rectifier = 0.0
        if rho > 5.0:
            rectifier = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        return (
            1 - lr * weight_decay if decoupled else 1.0,
            0.0 if decoupled else weight_decay,
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta1**step,
            lr,
            eps,
            correction2**0.5,
            rectifier,
            -1.0 if maximize else 1.0,
        )

    _update(library.radam, (params, grads, exp_avgs, exp_avg_sqs), _numbers_of_steps(steps, numbers))


# --- the others -------------------------------------------------------------------------------------------------------


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
    kernel = library.rmsprop[2 * bool(grad_avgs) + bool(buffers)]
    more = [arrays for arrays in (grad_avgs, buffers) if arrays]
    numbers = weight_decay, alpha, 1 - alpha, eps, momentum, -lr, -1.0 if maximize else 1.0
    _update(kernel, (params, grads, square_avgs, *more), _numbers_of_steps(steps, lambda step: numbers))


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

    def numbers(step: float) -> tuple[float, ...]:
        return weight_decay, eps, -lr / (1 + (step - 1) * lr_decay), -1.0 if maximize else 1.0

    _update(library.adagrad, (params, grads, sums), _numbers_of_steps(steps, numbers), fused)


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
    numbers = weight_decay, rho, 1 - rho, eps, -lr, -1.0 if maximize else 1.0
    _update(library.adadelta, (params, grads, square_avgs, acc_deltas), _numbers_of_steps(steps, lambda step: numbers))


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

    def following(step: float, kind: Any) -> tuple[Any, Any]:
        """The next rate and weight of the average."""
        if foreach:
            eta = 1 / (1 + kind(lambd * lr) * kind(step)) ** kind(alpha) * kind(lr)
        else:
            eta = rounded_to(lr / (1 + lambd * lr * step) ** alpha)
        return eta, rounded_to(1 / max(1, step - t0))

    known: dict[float, tuple[Any, Any]] = {}
    numbers = []
    for mu, eta, count, step in zip(mus, etas, steps, _counted(steps)):
        rate = eta.item()
        numbers.append(_floats(weight_decay, 1 - lambd * rate, -rate, mu.item(), -1.0 if maximize else 1.0))
        if step not in known:
            known[step] = following(step, count.dtype.type)
        eta[()], mu[()] = known[step]
    _update(library.asgd, (params, grads, averages), numbers)


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
    numbers = eta_minus, eta_plus, size_min, size_max, -1.0 if maximize else 1.0
    _update(library.rprop, (params, grads, previous, sizes), _numbers_of_steps(steps, lambda step: numbers))


def adafactor_step(
    p: Array,
    g: Array,
    variances: Arrays,
    step: float,
    lr: float,
    beta2_decay: float,
    eps1: float,
    eps2: float,
    d: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of Adafactor, of one parameter. `variances`: the mean squares of rows and of columns, or of the elements of a vector."""
    weight = float(step**beta2_decay)
    rate = max(eps2, float(reduction.norm(p, 2, None, False)) / p.size**0.5) * min(lr, 1 / step**0.5)
    update = np.empty_like(g)
    least, sign = float(eps1 * eps1), -1.0 if maximize else 1.0
    operands: Any
    if len(variances) > 1:
        rows, columns = variances
        for variance, axis in ((rows, g.ndim - 1), (columns, g.ndim - 2)):
            sizes = reduction.norm(g, 2, (axis,), True)
            _update(library.mean_square, ([variance], [sizes]), [(float(g.shape[axis]), weight)])
        mean = reduction.mean(rows, (g.ndim - 2,), True, rows.shape[-2])
        kernel, operands = library.scaled_by_factors, (g, rows, columns, mean, float(eps1), least, sign)
    else:
        _update(library.mean_square, (variances, [g]), [(1.0, weight)])
        kernel, operands = library.scaled, (g, *variances, least, sign)
    if not (usable() and kernel.takes(g.dtype)) or mapped(kernel, g.dtype, update, *operands) is None:
        in_numpy(kernel, g.dtype)(update, *operands)
    clip = max(1.0, float(reduction.norm(update, 2, None, False)) / (update.size**0.5 * d))
    keep = 1 - lr * weight_decay if weight_decay else 1.0
    _update(library.kept_and_moved, ([p], [update]), [_floats(keep, -rate / clip)])


# --- averages and gradients --------------------------------------------------------------------------------------------------------


def lerp_all(arrays: Arrays, targets: Arrays, weight: float) -> None:
    """Moves arrays by `weight` towards others of their shapes and dtypes, in place."""
    _update(library.approach, (arrays, targets), [_floats(weight)] * len(arrays))


def scale_all(arrays: Arrays, factor: float) -> None:
    """Multiplies arrays in place."""
    _update(library.scale, (arrays,), [_floats(factor)] * len(arrays))


def limit_all(arrays: Arrays, size: float) -> None:
    """Brings the elements of arrays into [-size, size], in place."""
    _update(library.limit, (arrays,), [_floats(size)] * len(arrays))
