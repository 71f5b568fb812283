"""Limited-memory BFGS."""

from collections.abc import Callable
from typing import Any

from ..autograd.grad_mode import enable_grad, no_grad
from ..autograd.node import tensors
from ..autograd.version import bump_version
from ..core.naming import public
from ..tensor import Tensor, wrap
from .optimizer import Optimizer, ParamsT, _check_lr, _number, _to_scalar

__all__ = ["LBFGS"]


def _cubic_interpolate(x1: Any, f1: Any, g1: Any, x2: Any, f2: Any, g2: Any, bounds: Any = None) -> Any:
    """The minimum, within the bounds, of the cubic with values `f` and slopes `g` at `x1` and `x2` (Nocedal and Wright, 3.59)."""
    lowest, highest = bounds if bounds is not None else (x1, x2) if x1 <= x2 else (x2, x1)
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if not square >= 0:
        return (lowest + highest) / 2.0
    d2 = square.sqrt()
    if x1 <= x2:
        position = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        position = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(position, lowest), highest)


class _Point:
    """A step length of the line search: the loss there, the gradient, and the slope along the direction."""

    __slots__ = ("grad", "loss", "slope", "t")

    def __init__(self, t: Any, loss: Any, grad: Any, slope: Any) -> None:
        self.t, self.loss, self.grad, self.slope = t, loss, grad, slope


def _interpolate(a: _Point, b: _Point, bounds: Any = None) -> Any:
    return _cubic_interpolate(a.t, a.loss, a.slope, b.t, b.loss, b.slope, bounds)


def _strong_wolfe(
    evaluate: Callable,
    x: Any,
    t: Any,
    d: Tensor,
    f: float,
    g: Tensor,
    gtd: Tensor,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
    max_ls: int = 25,
) -> tuple[float, Tensor, Any, int]:
    """A step length along `d` that fulfils the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5 and 3.6).

    `evaluate(x, t, d)` gives loss and gradient at `x + t * d`; `f`, `g`, `gtd` are loss, gradient and slope at `x`. Returns loss,
    gradient and length of the best point, and the number of evaluations.
    """
    d_norm = d.abs().max()
    evaluations = 0

    def at(t: Any) -> _Point:
        nonlocal evaluations
        evaluations += 1
        loss, grad = evaluate(x, t, d)
        return _Point(t, loss, grad, grad.dot(d))

    start = previous = _Point(0, f, g.clone(), gtd)
    new = at(t)
    iteration = 0
    done = False
    bracket: list[_Point] = []
    while iteration < max_ls:  # until a bracket around the minimum is found
        if new.loss > (f + c1 * new.t * gtd) or (iteration > 1 and new.loss >= previous.loss):
            bracket = [previous, new]
            break
        if abs(new.slope) <= -c2 * gtd:
            bracket = [new]
            done = True
            break
        if new.slope >= 0:
            bracket = [previous, new]
            break
        bounds = new.t + 0.01 * (new.t - previous.t), new.t * 10
        t = _interpolate(previous, new, bounds)
        previous, new = new, at(t)
        iteration += 1
    if iteration == max_ls:
        bracket = [start, new]

    stuck = False  # whether the point before lay close to an end of the bracket
    low, high = (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    while not done and iteration < max_ls:  # narrow it down
        left, right = min(bracket[0].t, bracket[1].t), max(bracket[0].t, bracket[1].t)
        if abs(right - left) * d_norm < tolerance_change:
            break
        t = _interpolate(bracket[0], bracket[1])
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        new = at(t)
        iteration += 1
        if new.loss > (f + c1 * t * gtd) or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        else:
            if abs(new.slope) <= -c2 * gtd:
                done = True
            elif new.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = new
    best = bracket[low]
    return best.loss, best.grad, best.t, evaluations


_MEMORY = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")
"""What one step leaves to the next."""


@public("torch.optim.lbfgs")
class LBFGS(Optimizer):
    """Limited-memory BFGS, after Mark Schmidt's minFunc. Needs a closure, and all parameters in one group.

    Args:
        params: parameters, without groups.
        lr: the step length, or where the line search begins.
        max_iter, max_eval: iterations and evaluations in a step; `max_eval` is `max_iter * 5 // 4` if None.
        tolerance_grad, tolerance_change: end when the largest gradient, or the change, is below.
        history_size: how many updates are kept.
        line_search_fn: None or "strong_wolfe"; RuntimeError for another one.

    State, at the first parameter: "func_evals", "n_iter", "d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad",
    "prev_loss", "al". Raises ValueError for several groups.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        _check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def _gather_flat_grad(self) -> Tensor:
        """All gradients one after the other; a complex one as real and imaginary parts, a missing one as zeros."""
        views = []
        for p in self._params:
            held = p._grad
            grad = p.new_zeros(p.numel()) if held is None else held.to_dense().reshape(-1)
            views.append(_real(grad).reshape(-1))
        return tensors.cat(views, 0)

    def _add_grad(self, step_size: Any, update: Tensor) -> None:
        offset = 0
        for p in self._params:
            part = _real(p)
            if part is not p:
                bump_version(p)
            numel = part.numel()
            part.add_(update[offset : offset + numel].view_as(part), alpha=_number(step_size))
            offset += numel

    def _directional_evaluate(self, closure: Callable, x: list[Tensor], t: Any, d: Tensor) -> tuple[float, Tensor]:
        """Loss and gradient at `x + t * d`; the parameters are `x` afterwards."""
        self._add_grad(t, d)
        loss = float(closure())
        flat_grad = self._gather_flat_grad()
        for p, value in zip(self._params, x):
            p.copy_(value)
        return loss, flat_grad

    @staticmethod
    def _direction(memory: dict[str, Any], al: list, flat_grad: Tensor, history_size: int) -> Tensor:
        """The gradient through the approximate inverse Hessian: the two-loop recursion over the stored updates."""
        old_dirs, old_stps, ro = memory["old_dirs"], memory["old_stps"], memory["ro"]
        y = flat_grad.sub(memory["prev_flat_grad"])
        s = memory["d"].mul(memory["t"])
        ys = y.dot(s)
        if ys > 1e-10:
            if len(old_dirs) == history_size:
                for history in (old_dirs, old_stps, ro):
                    history.pop(0)
            old_dirs.append(y)
            old_stps.append(s)
            ro.append(1.0 / ys)
            memory["H_diag"] = ys / y.dot(y)
        q = flat_grad.neg()
        for i in range(len(old_dirs) - 1, -1, -1):
            al[i] = old_stps[i].dot(q) * ro[i]
            q.add_(old_dirs[i], alpha=-al[i].item())
        r = q.mul(memory["H_diag"])
        for i in range(len(old_dirs)):
            r.add_(old_stps[i], alpha=(al[i] - old_dirs[i].dot(r) * ro[i]).item())
        return r

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Up to `max_iter` iterations. `closure` evaluates the model anew and returns the loss; returns the first loss."""
        closure = enable_grad()(closure)
        group = self.param_groups[0]
        lr = _to_scalar(group["lr"])
        max_iter, max_eval = group["max_iter"], group["max_eval"]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        line_search = group["line_search_fn"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        orig_loss = closure()
        loss = float(orig_loss)
        evaluations = 1
        state["func_evals"] += 1
        flat_grad = self._gather_flat_grad()
        if flat_grad.abs().max() <= tolerance_grad:
            return orig_loss
        memory = {key: state.get(key) for key in _MEMORY}

        for iteration in range(1, max_iter + 1):
            state["n_iter"] += 1
            first = state["n_iter"] == 1
            if first:
                d = flat_grad.neg()
                memory.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            else:
                if "al" not in state:
                    state["al"] = [None] * group["history_size"]
                d = self._direction(memory, state["al"], flat_grad, group["history_size"])
            if memory["prev_flat_grad"] is None:
                memory["prev_flat_grad"] = flat_grad.clone()
            else:
                memory["prev_flat_grad"].copy_(flat_grad)
            prev_loss = loss
            t = min(1.0, 1.0 / flat_grad.abs().sum()) * lr if first else lr
            memory.update(d=d, t=t, prev_loss=prev_loss)
            slope = flat_grad.dot(d)
            if slope > -tolerance_change:
                break
            used = 0
            settled: Any = False
            if line_search is not None:
                if line_search != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                x = [p.clone() for p in self._params]

                def evaluate(x: list[Tensor], t: Any, d: Tensor) -> tuple[float, Tensor]:
                    return self._directional_evaluate(closure, x, t, d)

                loss, flat_grad, t, used = _strong_wolfe(evaluate, x, t, d, loss, flat_grad, slope, max_ls=max_eval - evaluations)
                memory["t"] = t
                self._add_grad(t, d)
                settled = flat_grad.abs().max() <= tolerance_grad
            else:
                self._add_grad(t, d)
                if iteration != max_iter:  # the last point is evaluated at the beginning of the next step
                    loss = float(closure())
                    flat_grad = self._gather_flat_grad()
                    settled = flat_grad.abs().max() <= tolerance_grad
                    used = 1
            evaluations += used
            state["func_evals"] += used
            if evaluations >= max_eval or settled or d.mul(t).abs().max() <= tolerance_change or abs(loss - prev_loss) < tolerance_change:
                break
        state.update(memory)
        return orig_loss


def _real(tensor: Tensor) -> Tensor:
    """A complex tensor as real and imaginary parts, sharing memory; any other as it is."""
    if not tensor.is_complex():
        return tensor
    from ..kernels.optimizer import real_view

    return wrap(real_view(tensor._array))
