"""`torch.compiler`: nothing is compiled, so its marks change nothing and its questions are answered with no."""

from collections.abc import Callable
from typing import Any

from .core.missing import missing_name

__all__ = ["is_compiling", "is_dynamo_compiling", "is_exporting", "disable", "reset", "allow_in_graph", "assume_constant_result",
           "cudagraph_mark_step_begin", "list_backends", "set_stance"]  # fmt: skip


def compile(*args: Any, **kwargs: Any) -> Any:
    """`torch.compile`: the model as it is."""
    from ._settings import compile as eager

    return eager(*args, **kwargs)


def is_compiling() -> bool:
    """False: nothing is compiled."""
    return False


def is_dynamo_compiling() -> bool:
    """False: nothing is compiled."""
    return False


def is_exporting() -> bool:
    """False: nothing is exported."""
    return False


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function as it is, a decorator where none is given: it would not be compiled anyway."""
    return (lambda function: function) if fn is None else fn


def reset() -> None:
    """Forgets what was compiled: nothing."""


def allow_in_graph(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is."""
    return fn


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is."""
    return fn


def cudagraph_mark_step_begin() -> None:
    """Does nothing: there are no CUDA graphs."""


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """An empty list: nothing is compiled."""
    return []


class set_stance:
    """A block, or a setting, of how eagerly to compile: without effect."""

    __module__ = "torch.compiler"

    def __init__(self, stance: str = "default", **options: Any) -> None:
        if stance not in (
            "default",
            "force_eager",
            "eager_on_recompile",
            "fail_on_recompile",
            "eager_then_compile",
            "aot_eager_then_compile",
        ):
            raise RuntimeError(f"invalid torch.compile stance {stance!r}")
        self.stance = stance

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        return fn

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: Any) -> None:
        return None


_settings: dict[str, Any] = {"backend": "inductor"}


def get_default_backend() -> Any:
    """The backend that `torch.compile` is said to use; it changes nothing."""
    return _settings["backend"]


def set_default_backend(backend: Any) -> None:
    """Sets what `get_default_backend` answers; None sets it back."""
    _settings["backend"] = "inductor" if backend is None else backend


def save_cache_artifacts() -> None:
    """None: nothing was compiled, so nothing is kept."""


def load_cache_artifacts(serialized_artifacts: bytes) -> None:
    """None: nothing is compiled, so nothing is loaded."""


def load_compiled_function(file: Any, *, f_globals: Any = None, external_data: Any = None) -> Any:
    """Raises NotImplementedError: flambeau does not run functions that PyTorch compiled."""
    raise NotImplementedError("flambeau does not run functions that PyTorch compiled: torch.compiler.load_compiled_function")


def nested_compile_region(fn: Any = None, *, options: Any = None, max_reuse_entries: int = 8, reuse_hash_fn: Any = None) -> Any:
    """The function as it is, a decorator where none is given: it would not be compiled anyway."""
    return (lambda function: function) if fn is None else fn


def substitute_in_graph(original_fn: Any, *, can_constant_fold_through: bool = False, skip_signature_check: bool = False) -> Any:
    """A decorator that leaves the function as it is: there is no graph in which it would stand for another."""
    if not callable(original_fn):
        raise TypeError(f"substitute_in_graph expects a function but got {type(original_fn)!r}")
    return lambda function: function


def wrap_numpy(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy arrays as one of tensors: arguments become arrays, and arrays among the results tensors."""
    import functools

    import numpy as np

    from .ops.definition import NAMES
    from .tensor import Tensor
    from .utils._pytree import tree_map

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree_map(lambda x: x.numpy() if isinstance(x, Tensor) else x, (args, kwargs))
        return tree_map(lambda x: NAMES["torch"]["as_tensor"](x) if isinstance(x, (np.ndarray, np.generic)) else x, fn(*args, **kwargs))

    return wrapped


def set_enable_guard_collectives(enabled: bool) -> None:
    """Does nothing: there are no guards."""


def skip_all_guards_unsafe(guard_entries: Any) -> list[bool]:
    """False for each guard: none is kept."""
    return [False for _ in guard_entries]


__getattr__ = missing_name(__name__)
