"""`torch.cond` and `torch.while_loop`: control flow as functions. They call the branch or the body that Python would."""

from collections.abc import Callable
from typing import Any

from .tensor import Tensor


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Any = ()) -> Any:
    """`true_fn(*operands)` if `pred` is true, else `false_fn(*operands)`.

    pred: a bool or a tensor of one element. Raises RuntimeError for other predicates, functions that are none, and operands that
    are no tuple or list of tensors.
    """
    if not isinstance(pred, (bool, int, float, Tensor)):
        raise RuntimeError(f"Expected pred to be bool or tensor, but got {pred}.")
    if isinstance(pred, Tensor) and pred.numel() != 1:
        raise RuntimeError(f"Expected pred to be bool or single-element tensor, but got {pred}.")
    if not callable(true_fn) or not callable(false_fn):
        raise RuntimeError("Expect both branches to be callable.")
    if not isinstance(operands, (tuple, list)):
        raise RuntimeError(
            f"Expect operands to be a tuple of possibly nested dict/list/tuple that only consists of tensor leaves, but got {operands}."
        )
    return true_fn(*operands) if pred else false_fn(*operands)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Any) -> Any:
    """Calls `body_fn` on what it returned last, beginning with `carried_inputs`, as long as `cond_fn` of it is true."""
    if not callable(cond_fn) or not callable(body_fn):
        raise RuntimeError("Expect cond_fn and body_fn to be callable.")
    if not isinstance(carried_inputs, (tuple, list)):
        raise RuntimeError(f"Expect carried_inputs to be a tuple or list, but got {type(carried_inputs)}.")
    carried: Any = carried_inputs
    while cond_fn(*_spread(carried)):
        carried = body_fn(*_spread(carried))
    return carried


def _spread(carried: Any) -> Any:
    return carried if isinstance(carried, (tuple, list)) else (carried,)
