"""Optimizer updates from sparse gradients: what has no gradient stays as it is. The order of operations is PyTorch's."""

import math
from typing import Any

from ..core.sparse import CooArray, add_to_dense
from .elementwise import sqrt
from .quiet import quiet


@quiet
def descend(param: Any, grad: CooArray, lr: float) -> None:
    """`param -= lr * grad`."""
    add_to_dense(param, grad, -lr)


@quiet
def adagrad_step(param: Any, grad: CooArray, total: Any, rate: float, eps: float) -> None:
    """One step of Adagrad, with the learning rate of this step."""
    grad = grad.coalesce()
    place: Any = tuple(grad.indices)
    total[place] += grad.values * grad.values
    std = sqrt(total[place]) + grad.dtype.type(eps)
    add_to_dense(param, grad.with_values(grad.values / std), -rate)


@quiet
def sparse_adam_step(
    param: Any, grad: CooArray, exp_avg: Any, exp_avg_sq: Any, step: int, lr: float, betas: tuple[float, float], eps: float
) -> None:
    """One step of Adam for the elements that have a gradient, which is coalesced."""
    if not grad.values.size:
        return
    number = grad.dtype.type
    beta1, beta2 = betas
    place: Any = tuple(grad.indices)
    old = exp_avg[place]
    update = (grad.values - old) * number(1 - beta1)
    exp_avg[place] += update
    old_square = exp_avg_sq[place]
    square_update = (grad.values * grad.values - old_square) * number(1 - beta2)
    exp_avg_sq[place] += square_update
    numerator = update + old
    denominator = sqrt(square_update + old_square) + number(eps)
    size = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
    param[place] += number(-size) * (numerator / denominator)
