"""Floor 3: recording what operators do, and walking back through it.

`torch.autograd`: `backward`, `grad`, `Function`, gradient modes; `functional`, `gradcheck`, `graph` and `anomaly_mode` beside it.
"""

from typing import Any

from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .engine import GradientEdge, gradients_of, run_backward
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .gradcheck import gradcheck, gradgradcheck
from .variable import Variable

__all__ = [
    "Function", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "gradcheck", "gradgradcheck", "inference_mode", "no_grad",
    "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip

_SUBMODULES = frozenset(("forward_ad", "functional", "graph", "profiler", "profiler_util"))
"""Imported when they are first named."""

_SETTINGS = frozenset(("is_multithreading_enabled", "is_view_replay_enabled", "kineto_available", "set_multithreading_enabled"))


def __getattr__(name: str) -> Any:
    from ..core.missing import missing_name

    if name in _SETTINGS:
        from . import threading_settings

        return getattr(threading_settings, name)

    if name in _SUBMODULES:
        import importlib

        try:
            return importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    return missing_name(__name__)(name)


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return (values,) if hasattr(values, "_array") or values.__class__ is GradientEdge else tuple(values)


def _gradients(outputs: tuple[Any, ...], given: Any) -> list[Any]:
    gradients = [None] * len(outputs) if given is None else list(_as_tuple(given))[: len(outputs)]
    if len(gradients) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(gradients)} gradients")
    for g in gradients:
        if g is not None and not hasattr(g, "_array"):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    return gradients


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Accumulates the gradients of the tensors, weighted by `grad_tensors`, into the leaves (or only `inputs`)."""
    outputs = _as_tuple(tensors)
    if inputs is not None:
        inputs = _as_tuple(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    for t in outputs:
        assert hasattr(t, "_array") or t.__class__ is GradientEdge, "Expected output to be a torch.Tensor"
    if not outputs:
        return
    run_backward(outputs, _gradients(outputs, grad_tensors), retain_graph, create_graph, inputs)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the outputs, weighted by `grad_outputs`, with respect to each of `inputs`.

    Raises RuntimeError where an input is not reached, unless `allow_unused` (then None) or `materialize_grads` (zeros).
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    if allow_unused is None:
        allow_unused = materialize_grads
    outs, ins = _as_tuple(outputs), _as_tuple(inputs)
    if not ins:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    for i in ins:
        if not hasattr(i, "_array") and i.__class__ is not GradientEdge:
            raise RuntimeError(f"all inputs have to be Tensors or GradientEdges, but got {type(i).__name__}")
    if not outs:
        return _grad_once(outs, ins, [], retain_graph, create_graph, allow_unused)
    if is_grads_batched:
        assert grad_outputs is not None
        stacked = [_grad_once(outs, ins, [g[i] for g in _as_tuple(grad_outputs)], True, create_graph, allow_unused)
                   for i in range(len(_as_tuple(grad_outputs)[0]))]  # fmt: skip
        from .node import tensors as over_tensors

        return tuple(None if column[0] is None else over_tensors.stack(list(column), 0) for column in zip(*stacked))
    results = _grad_once(outs, ins, _gradients(outs, grad_outputs), retain_graph, create_graph, allow_unused)
    if materialize_grads:
        results = tuple(i.new_zeros(i.shape) if r is None else r for r, i in zip(results, ins))
    return results


def _grad_once(outs: Any, ins: Any, gradients: Any, retain_graph: Any, create_graph: bool, allow_unused: bool) -> tuple[Any, ...]:
    results = gradients_of(outs, ins, gradients, retain_graph, create_graph) if outs else [None] * len(ins)
    if not allow_unused:
        for i, result in enumerate(results):
            if result is None:
                raise RuntimeError(
                    f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set allow_unused=True if this is "
                    "the desired behavior."
                )
    return tuple(results)
