"""`torch.nn.attention`: which way of computing `scaled_dot_product_attention` may be chosen, masks by rule, flexible attention.

On the CPU PyTorch knows two ways: flash attention and plain matrix products. flambeau has one kernel for both, so the choice
changes no result; what it forbids is refused, in PyTorch's words.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from ...core.missing import missing_name
from ...ops import attention as _attention

__all__ = [
    "SDPBackend", "sdpa_kernel", "WARN_FOR_UNFUSED_KERNELS", "register_flash_attention_impl", "activate_flash_attention_impl",
    "list_flash_attention_impls", "current_flash_attention_impl", "restore_flash_attention_impl",
]  # fmt: skip

WARN_FOR_UNFUSED_KERNELS = False
"""Whether a `CausalBias` warns of each reason why no fused kernel takes it."""


class SDPBackend(Enum):
    """The ways of computing `scaled_dot_product_attention`."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    def __int__(self) -> int:
        return int(self.value)

    __index__ = __int__

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _backend, (self.value,)


SDPBackend.__module__ = "torch.nn.attention"


def _backend(value: int) -> SDPBackend:
    return SDPBackend(value)


_SWITCH_OF = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "mem_efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
    "overrideable": SDPBackend.OVERRIDEABLE,
}
_priority = [1, 2, 0, 3, 4]


def _cur_sdpa_kernel_backends(with_priority: bool = False) -> list[SDPBackend]:
    """The ways that may be chosen now; with priority, the preferred first."""
    found = [backend for switch, backend in _SWITCH_OF.items() if _attention.SWITCHES[switch]]
    return sorted(found, key=lambda backend: _priority.index(backend.value)) if with_priority else found


def _sdpa_kernel(backends: Any, set_priority: bool = False) -> None:
    """Allows these ways and no others."""
    for switch, backend in _SWITCH_OF.items():
        _attention.SWITCHES[switch] = backend in backends
    if set_priority:
        first = [int(backend) for backend in backends]
        _priority[:] = first + [number for number in _priority if number not in first]


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[dict[Any, Any]]:
    """A block, or a decorator, in which only these ways (an SDPBackend, or a list) may compute `scaled_dot_product_attention`.

    set_priority: their order says which is preferred. A call that none of them takes raises RuntimeError; a wrong argument
    AssertionError.
    """
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(f"Backend must be an instance of SDPBackend or a list of SDPBackend instances, got {type(backends).__name__}")
    chosen = list(dict.fromkeys([backends] if isinstance(backends, SDPBackend) else backends))
    before = _cur_sdpa_kernel_backends(set_priority)
    try:
        _sdpa_kernel(chosen, set_priority)
        yield {}
    finally:
        _sdpa_kernel(before, set_priority)


_implementations: dict[str, Callable[..., Any]] = {}
_active: list[tuple[str, Any]] = []


def register_flash_attention_impl(impl: str, *, register_fn: Callable[..., Any]) -> None:
    """Gives the function that puts a flash attention of that name in place, and may return a handle with `remove()`."""
    _implementations[impl] = register_fn


def activate_flash_attention_impl(impl: str) -> None:
    """Calls what was registered under that name. Raises ValueError for an unknown one."""
    restore_flash_attention_impl(False)
    if impl not in _implementations:
        raise ValueError(f"Unknown flash attention impl '{impl}'. Available implementations: {list_flash_attention_impls()}")
    handle = _implementations[impl]()
    if handle is not None:
        _active.append((impl, handle))


def list_flash_attention_impls() -> list[str]:
    """The registered names, sorted."""
    return sorted(_implementations)


def current_flash_attention_impl() -> str | None:
    """The name that was activated last, or None."""
    return _active[-1][0] if _active else None


def restore_flash_attention_impl(_raise_warn: bool = True) -> None:
    """Removes what was activated."""
    if _active:
        _active.pop()[1].remove()
    elif _raise_warn:
        import logging

        logging.getLogger(__name__).warning("Trying to restore default FA2 impl when no custom impl was activated")


def _needs_package(module: str) -> Callable[..., None]:
    """An implementation for GPUs, which comes with a package of its own."""

    def register(module_path: str | None = None) -> None:
        from importlib import import_module

        import_module(module_path or module)
        raise RuntimeError(f"{module} needs CUDA, which is not available")

    return register


register_flash_attention_impl("FA3", register_fn=_needs_package("flash_attn_interface"))
register_flash_attention_impl("FA4", register_fn=_needs_package("flash_attn.cute.interface"))

_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    if name in ("bias", "flex_attention"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    return _missing(name)
