"""Steps with `differentiable=True`: the same updates in operators that are recorded, so that gradients flow through a step.

The kernels write where autograd does not see it. Here everything is Tensors: parameters that are results of earlier steps, their
gradients (of a backward with `create_graph=True`), the state, and options such as `lr` where they are given as tensors.
"""

from collections.abc import Callable
from typing import Any

from ..autograd.grad_mode import enable_grad
from ..autograd.node import tensors
from ..tensor import Tensor
from .optimizer import Group, State, _number


def step_group(optimizer: Any, group: Group) -> None:
    """One step of all parameters in a group that have a gradient. Raises RuntimeError for a leaf that requires a gradient."""
    rule = next(RULES[cls.__name__] for cls in type(optimizer).__mro__ if cls.__name__ in RULES)
    with enable_grad():
        for p in group["params"]:
            grad = p._grad
            if grad is None:
                continue
            state = optimizer.state[p]
            if not state and rule is not _sgd:
                optimizer._init_state(group, p, state)
            if "step" in state:
                state["step"] += 1
            rule(group, p, -grad if group["maximize"] else grad, state)


def _decayed(group: Group, p: Tensor, grad: Tensor) -> Tensor:
    """The gradient with `weight_decay * p` added."""
    decay = group["weight_decay"]
    if isinstance(decay, Tensor):
        return tensors.addcmul(grad, p.clone(), decay)
    return grad.add(p, alpha=decay) if decay else grad


def _decoupled(group: Group, p: Tensor, grad: Tensor) -> Tensor:
    """`_decayed`, or with decoupled decay p itself made smaller."""
    if not group["decoupled_weight_decay"]:
        return _decayed(group, p, grad)
    if not isinstance(group["weight_decay"], Tensor) and not group["weight_decay"]:
        return grad
    p.mul_(1 - group["lr"] * group["weight_decay"])
    return grad


def _real(*given: Tensor) -> list[Tensor]:
    """Complex tensors as real ones that share their memory."""
    return [tensors.view_as_real(t) if t.is_complex() else t for t in given]


def _subtract(p: Tensor, direction: Tensor, lr: Any) -> None:
    """p -= lr * direction."""
    if isinstance(lr, Tensor) and lr.requires_grad:
        p.addcmul_(direction, lr, value=-1)
    else:
        p.add_(direction, alpha=-_number(lr))


def _moments(group: Group, grad: Tensor, m: Tensor, v: Tensor) -> None:
    """Moves the running means of gradients and of their squares."""
    beta1, beta2 = group["betas"]
    m.lerp_(grad, 1 - beta1)
    v.mul_(beta2).add_(grad * grad * (1 - beta2))


def _sgd(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    grad = _decayed(group, p, grad)
    momentum = group["momentum"]
    if momentum != 0:
        buffer = state.get("momentum_buffer")
        if buffer is None:
            buffer = state["momentum_buffer"] = grad.detach().clone()
        else:
            buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
        grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else buffer.clone()
    _subtract(p, grad, group["lr"])


def _adam(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    grad = _decoupled(group, p, grad)
    beta1, beta2 = group["betas"]
    step = state["step"]
    p, grad, m, v = _real(p, grad, state["exp_avg"], state["exp_avg_sq"])
    _moments(group, grad, m, v)
    size = group["lr"] / (1 - beta1 ** step.clone())
    root = (1 - beta2 ** step.clone()).sqrt()
    if group["amsgrad"]:
        (largest,) = _real(state["max_exp_avg_sq"])
        v = tensors.maximum(largest.clone(), v)
        largest.copy_(v)
    p.addcdiv_(m.clone(), v.sqrt() / (root * -size) + group["eps"] / -size)


def _adagrad(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    p, grad, total = _real(p, _decayed(group, p, grad), state["sum"])
    total.add_(grad * grad)
    lr = group["lr"] / (1 + (state["step"].item() - 1) * group["lr_decay"])
    _subtract(p, grad / (total.sqrt() + group["eps"]), lr)


def _adadelta(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    rho, eps = group["rho"], group["eps"]
    p, grad, squares, deltas = _real(p, _decayed(group, p, grad), state["square_avg"], state["acc_delta"])
    squares.mul_(rho).add_(grad * grad * (1 - rho))
    delta = (deltas + eps).sqrt() / (squares + eps).sqrt() * grad
    deltas.mul_(rho).add_(delta * delta * (1 - rho))
    _subtract(p, delta, group["lr"])


def _adamax(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    beta1, beta2 = group["betas"]
    p, grad, m, largest = _real(p, _decayed(group, p, grad), state["exp_avg"], state["exp_inf"])
    m.lerp_(grad, 1 - beta1)
    largest.copy_(tensors.amax(tensors.stack([largest * beta2, grad.abs() + group["eps"]], 0), 0))
    _subtract(p, m / largest, group["lr"] / (1 - beta1 ** state["step"].item()))


def _asgd(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    p, grad, mean = _real(p, _decayed(group, p, grad), state["ax"])
    lambd, lr, step = group["lambd"], _number(group["lr"]), state["step"].item()
    eta, mu = state["eta"].item(), state["mu"].item()
    p.mul_(1 - lambd * eta)
    p.add_(grad, alpha=-eta)
    if mu != 1:
        mean.add_((p - mean) * mu)
    else:
        mean.copy_(p)
    state["eta"].fill_(lr / (1 + lambd * lr * step) ** group["alpha"])
    state["mu"].fill_(1 / max(1, step - group["t0"]))


def _nadam(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    beta1, beta2 = group["betas"]
    lr, decay, step, product = group["lr"], group["momentum_decay"], state["step"].item(), state["mu_product"]
    grad = _decoupled(group, p, grad)
    p, grad, m, v = _real(p, grad, state["exp_avg"], state["exp_avg_sq"])
    mu = beta1 * (1.0 - 0.5 * 0.96 ** (step * decay))
    mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * decay))
    product *= mu
    _moments(group, grad, m, v)
    denominator = (v / (1 - beta2**step)).sqrt() + group["eps"]
    p.addcdiv_(grad * (-lr * (1.0 - mu) / (1.0 - product)), denominator)
    p.addcdiv_(m * (-lr * mu_next / (1.0 - product * mu_next)), denominator)


def _radam(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    beta1, beta2 = group["betas"]
    step = state["step"].item()
    grad = _decoupled(group, p, grad)
    p, grad, m, v = _real(p, grad, state["exp_avg"], state["exp_avg_sq"])
    _moments(group, grad, m, v)
    rest = 1 - beta2**step
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / rest
    direction = m / (1 - beta1**step)
    if length > 5.0:
        rectified = ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5
        direction = direction * (rest**0.5 * rectified / (v.sqrt() + group["eps"]))
    _subtract(p, direction, group["lr"])


def _rmsprop(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    alpha, momentum = group["alpha"], group["momentum"]
    p, grad, squares = _real(p, _decayed(group, p, grad), state["square_avg"])
    squares.mul_(alpha).add_(grad * grad * (1 - alpha))
    spread = squares
    if group["centered"]:
        (mean,) = _real(state["grad_avg"])
        mean.lerp_(grad, 1 - alpha)
        spread = squares - mean * mean
    direction = grad / (spread.sqrt() + group["eps"])
    if momentum > 0:
        (buffer,) = _real(state["momentum_buffer"])
        buffer.mul_(momentum).add_(direction)
        direction = buffer.clone()
    _subtract(p, direction, group["lr"])


def _rprop(group: Group, p: Tensor, grad: Tensor, state: State) -> None:
    shrink, grow = group["etas"]
    p, grad, previous, size = _real(p, grad, state["prev"], state["step_size"])
    agreement = (grad * previous).detach()
    factor = tensors.where(agreement > 0, grow, tensors.where(agreement < 0, shrink, 1.0)).to(size.dtype)
    size.mul_(factor).clamp_(*group["step_sizes"])
    grad = grad.masked_fill(agreement < 0, 0)
    p.addcmul_(grad.sign(), size.clone(), value=-1)
    previous.copy_(grad)


RULES: dict[str, Callable[[Group, Tensor, Tensor, State], None]] = {
    "SGD": _sgd,
    "Adam": _adam,
    "Adagrad": _adagrad,
    "Adadelta": _adadelta,
    "Adamax": _adamax,
    "ASGD": _asgd,
    "NAdam": _nadam,
    "RAdam": _radam,
    "RMSprop": _rmsprop,
    "Rprop": _rprop,
}
"""The update of one parameter, by the name of the optimizer's class."""
