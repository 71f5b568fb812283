"""`torch._C`: the few names of PyTorch's compiled module that programs use."""

from typing import Any

from .core.generator import Generator
from .core.layout import layout, memory_format
from .ops.modes import modes, stacks
from .tensor import Tensor as TensorBase
from .tensor import disabled_torch_function as _disabled_torch_function_impl

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "Generator", "TensorBase", "layout", "memory_format"]

_TensorBase = TensorBase
_disabled_torch_dispatch_impl = _disabled_torch_function_impl


class DisableTorchFunctionSubclass:
    """A block in which subclasses of Tensor count as plain tensors."""

    __module__ = "torch._C"

    def __enter__(self) -> None:
        stacks.subclasses_disabled += 1

    def __exit__(self, *exception: Any) -> None:
        stacks.subclasses_disabled -= 1


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """A block in which neither subclasses nor function modes are asked."""

    __module__ = "torch._C"

    def __enter__(self) -> None:
        super().__enter__()
        self.put_aside, stacks.function_modes = stacks.function_modes, []
        modes.active -= len(self.put_aside)

    def __exit__(self, *exception: Any) -> None:
        stacks.function_modes = self.put_aside
        modes.active += len(self.put_aside)
        super().__exit__(*exception)


def _is_torch_function_enabled() -> bool:
    """Whether subclasses are asked."""
    return not stacks.subclasses_disabled


def _is_torch_function_mode_enabled() -> bool:
    """Whether a function mode is entered."""
    return bool(stacks.function_modes)


def _len_torch_function_stack() -> int:
    """How many function modes are entered."""
    return len(stacks.function_modes)


def _get_function_stack_at(level: int) -> Any:
    """The function mode at a place of the stack, the outermost first."""
    return stacks.function_modes[level]


def _get_tracing_state() -> None:
    """None: nothing is ever traced."""
    return None
