"""Handles of registered hooks and the machinery behind a module's full backward hooks."""

import warnings
from typing import Any, Callable

from ..autograd.grad_mode import is_grad_enabled
from ..core.hooks import RemovableHandle
from ..core.naming import public
from ..ops.creation import zeros
from ..tensor import Tensor

__all__ = ["RemovableHandle", "unserializable_hook", "warn_if_has_hooks", "BackwardHook"]


def unserializable_hook(f: Callable) -> Callable:
    """Decorator: says that losing this hook when its tensor is saved is intended, so no warning is given."""
    f.__torch_unserializable__ = True  # type: ignore[attr-defined]
    return f


def warn_if_has_hooks(tensor: Any) -> None:
    """Warns for each backward hook of `tensor` that saving it will lose."""
    for hook in (getattr(tensor, "_backward_hooks", None) or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized.  If this is expected, you can decorate the function with "
                "@torch.utils.hooks.unserializable_hook to suppress this warning",
                stacklevel=2,
            )


def _spread(indices: list[int] | None, values: Any, size: int) -> tuple:
    """`values` at their places `indices` in a tuple of `size` entries, None elsewhere."""
    full = [None] * size
    for index, value in zip(indices or (), values):
        full[index] = value
    return tuple(full)


@public("torch.utils.hooks")
class BackwardHook:
    """Calls a module's full backward hooks once in a backward pass.

    The module's tensor inputs and outputs each go through one identity node. When the walk reaches the outputs' node, its
    gradients are kept (and offered to the pre-hooks); when it reaches the inputs' node, the hooks see both. If no input
    needs a gradient, the hooks run at the outputs' node instead.
    """

    def __init__(self, module: Any, user_hooks: list[Callable], user_pre_hooks: list[Callable]) -> None:
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs: tuple | None = None
        self.n_inputs = self.n_outputs = -1
        self.inputs_like: list[tuple[Any, Any, Any]] = []
        self.input_tensors_index: list[int] | None = None
        self.output_tensors_index: list[int] | None = None

    def setup_input_hook(self, args: tuple) -> tuple:
        """The positional arguments of the call, tied to the inputs' node."""
        self.inputs_like = [(arg.shape, arg.dtype, arg.device) for arg in args if isinstance(arg, Tensor)]
        args, self.input_tensors_index = self._through_identity(args, self._at_inputs)
        self.n_inputs = len(args)
        return args

    def setup_output_hook(self, result: Any) -> Any:
        """The module's result (a tensor or a tuple), tied to the outputs' node."""
        outputs = result if isinstance(result, tuple) else (result,)
        outputs, self.output_tensors_index = self._through_identity(outputs, self._at_outputs)
        self.n_outputs = len(outputs)
        return outputs if isinstance(result, tuple) else outputs[0]

    def _through_identity(self, values: tuple, hook: Callable) -> tuple[tuple, list[int] | None]:
        from ..nn.modules._functions import BackwardHookFunction

        where = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
        if not (is_grad_enabled() and any(values[i].requires_grad for i in where)):
            return values, None
        passed = BackwardHookFunction.apply(*(values[i] for i in where))
        if isinstance(passed, Tensor):
            passed = (passed,)
        next(t.grad_fn for t in passed if t.grad_fn is not None).register_hook(hook)
        full = list(values)
        for index, value in zip(where, passed):
            full[index] = value
        return (tuple(full) if type(values) is tuple else type(values)(*full)), where

    def _at_inputs(self, grad_input: tuple, _: Any) -> tuple | None:
        if self.grad_outputs is None:
            return None  # the outputs were not part of this backward pass
        # An input that no gradient reaches shows zeros, as the identity would pass them on.
        filled = [
            zeros(shape, dtype=dtype, device=device) if grad is None else grad
            for grad, (shape, dtype, device) in zip(grad_input, self.inputs_like)
        ]
        gradients: Any = _spread(self.input_tensors_index, filled, self.n_inputs)
        for hook in self.user_hooks:
            changed = hook(self.module, gradients, self.grad_outputs)
            if changed is None:
                continue
            if len(changed) != len(gradients):
                raise RuntimeError(
                    f"Backward hook returned an invalid number of grad_input, got {len(changed)}, but expected {len(gradients)}"
                )
            gradients = changed
        self.grad_outputs = None
        return tuple(gradients[i] for i in self.input_tensors_index or ())

    def _at_outputs(self, _: Any, grad_output: tuple) -> tuple:
        gradients: Any = _spread(self.output_tensors_index, grad_output, self.n_outputs)
        for pre_hook in self.user_pre_hooks:
            changed = pre_hook(self.module, gradients)
            if changed is None:
                continue
            if len(changed) != self.n_outputs:
                raise RuntimeError(
                    f"Backward pre hook returned an invalid number of grad_output, got {len(changed)}, but expected {self.n_outputs}"
                )
            gradients = changed
        self.grad_outputs = gradients
        if self.input_tensors_index is None:
            self._without_inputs()
        return tuple(gradients[i] for i in self.output_tensors_index or ())

    def _without_inputs(self) -> None:
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require gradients. "
            "See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.register_full_backward_hook for more "
            "details.",
            stacklevel=5,
        )
        for hook in self.user_hooks:
            result = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if result is not None and not (isinstance(result, tuple) and all(entry is None for entry in result)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for all gradients."
                )
        self.grad_outputs = None
