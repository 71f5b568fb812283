"""`torch.autograd.forward_ad`: forward-mode differentiation, which flambeau does not have. Every entry says so."""

from typing import Any, NoReturn

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


def _refuse() -> NoReturn:
    raise NotImplementedError(
        "flambeau does not support forward-mode automatic differentiation; torch.autograd.functional.jvp computes the same product in "
        "reverse mode"
    )


class UnpackedDualTensor(tuple):
    """The pair (primal, tangent) of a dual tensor; there are none."""

    __slots__ = ()


class dual_level:
    """Entering raises NotImplementedError."""

    def __enter__(self) -> NoReturn:
        _refuse()

    def __exit__(self, *exception: object) -> None:
        pass


def enter_dual_level() -> NoReturn:
    """Raises NotImplementedError."""
    _refuse()


def exit_dual_level(*, level: Any = None) -> NoReturn:
    """Raises NotImplementedError."""
    _refuse()


def make_dual(tensor: Any, tangent: Any, *, level: Any = None) -> NoReturn:
    """Raises NotImplementedError."""
    _refuse()


def unpack_dual(tensor: Any, *, level: Any = None) -> NoReturn:
    """Raises NotImplementedError."""
    _refuse()
