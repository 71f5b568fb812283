"""Steps of the optimizers from sparse gradients, and the refusals of those that take none."""

from typing import Any

import numpy as np

from ..autograd.grad_mode import no_grad
from ..autograd.version import bump_version
from ..kernels import sparse_optimizer as k
from .optimizer import _number

ndarray = np.ndarray


def refuse(optimizer: Any) -> None:
    """Raises RuntimeError: the optimizer takes no sparse gradients."""
    name = type(optimizer).__name__
    if name in ("Adam", "AdamW"):
        raise RuntimeError("Adam does not support sparse gradients, please consider SparseAdam instead")
    raise RuntimeError(f"{name} does not support sparse gradients")


def descend(group: dict[str, Any], params: list[Any], state: Any) -> list[Any]:
    """A step of gradient descent for the parameters with a sparse gradient; returns the others."""
    sparse = [p for p in params if p._grad.is_sparse]
    if not sparse:
        return params
    if group["fused"]:
        raise RuntimeError("`_fused_sgd` does not support sparse gradients")
    lr, momentum = _number(group["lr"]), group["momentum"]
    with no_grad():
        for p in sparse:
            grad = -p._grad if group["maximize"] else p._grad
            if group["weight_decay"] != 0:
                grad = grad.add(p, alpha=_number(group["weight_decay"]))
            if momentum != 0:
                own = state[p]
                buffer = own.get("momentum_buffer")
                if buffer is None:
                    buffer = own["momentum_buffer"] = grad.detach().clone()
                else:
                    buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
                grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else buffer
            k.descend(p._array, grad._array, lr)
            bump_version(p)
    return [p for p in params if not p._grad.is_sparse]


def adagrad(optimizer: Any, group: dict[str, Any], params: list[Any], grads: list[Any], states: list[Any]) -> None:
    """A step of Adagrad for parameters of which some have a sparse gradient, which does not go with `weight_decay`."""
    if group["fused"]:
        raise RuntimeError("`fused` does not support sparse grad or complex param")
    if group["weight_decay"] != 0:
        raise RuntimeError("weight_decay option is not compatible with sparse gradients")
    dense = [i for i, grad in enumerate(grads) if grad.__class__ is ndarray]
    for i, grad in enumerate(grads):
        if grad.__class__ is not ndarray:
            step = states[i]["step"]
            step += 1
            rate = _number(group["lr"]) / (1 + (step.item() - 1) * group["lr_decay"])
            k.adagrad_step(params[i], grad, states[i]["sum"]._array, -rate if group["maximize"] else rate, group["eps"])
    if dense:
        optimizer._update(group, *[[given[i] for i in dense] for given in (params, grads, states)])
