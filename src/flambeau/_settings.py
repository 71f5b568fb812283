"""Settings of the whole process: threads, determinism, precision, the default device and tensor type."""

from typing import Any

from .core import device as devices
from .core.device import device
from .core.dtype import set_default_dtype
from .kernels.compiler import threads

# --- threads ---------------------------------------------------------------------------------------------------------


class _State:
    interop_threads: int | None = None
    deterministic = False
    warn_only = False
    fill_uninitialized_memory = True
    precision = "highest"
    warn_always = False
    warned = False


_state = _State()


def _threads(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuntimeError(f"{name} expects an int, but got {type(value).__name__}")
    if value <= 0:
        raise RuntimeError(f"{name} expects a positive integer")
    return value


def get_num_threads() -> int:
    """How many threads an operator may use: what was set, or the number of cores (`OMP_NUM_THREADS` if set)."""
    return threads.count()


def set_num_threads(num: int) -> None:
    """Sets how many threads an operator may use, from the next one on. Raises RuntimeError unless it is a positive int."""
    threads.set_count(_threads("set_num_threads", num))


def get_num_interop_threads() -> int:
    """How many operators may run side by side; a setting without effect, as they run one after the other."""
    return _state.interop_threads or threads.cores()


def set_num_interop_threads(num: int) -> None:
    """Sets `get_num_interop_threads`, once. Raises RuntimeError at the second time."""
    num = _threads("set_num_interop_threads", num)
    if _state.interop_threads is not None:
        raise RuntimeError("Error: cannot set number of interop threads after parallel work has started or set_num_interop_threads called")
    _state.interop_threads = num


# --- determinism and precision -----------------------------------------------------------------------------------------


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for algorithms that give the same result each time, as all of flambeau's do. Raises TypeError for no bool."""
    if not isinstance(mode, bool):
        raise TypeError(f"_set_deterministic_algorithms(): argument 'mode' (position 1) must be bool, not {type(mode).__name__}")
    _state.deterministic, _state.warn_only = mode, mode and warn_only


def are_deterministic_algorithms_enabled() -> bool:
    """Whether deterministic algorithms were asked for."""
    return _state.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether they were asked for with warnings in place of errors."""
    return _state.warn_only


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a number or a name: 0 `default`, 1 `warn`, 2 `error`."""
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        names = {"default": 0, "warn": 1, "error": 2}
        if debug_mode not in names:
            raise RuntimeError(f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}")
        debug_mode = names[debug_mode]
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    _state.deterministic, _state.warn_only = debug_mode > 0, debug_mode == 1


def get_deterministic_debug_mode() -> int:
    """0, 1 (warn) or 2 (error)."""
    return 0 if not _state.deterministic else 1 if _state.warn_only else 2


def set_float32_matmul_precision(precision: str) -> None:
    """Sets how precise float32 matrix products must be: `highest`, `high` or `medium`; here they are always the highest."""
    if precision not in ("highest", "high", "medium"):
        import warnings

        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the currentsetFloat32MatmulPrecision call has no effect.",
            stacklevel=2,
        )
        return
    _state.precision = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` set."""
    return _state.precision


def set_flush_denormal(mode: bool) -> bool:
    """Whether denormal numbers can be treated as zero: they cannot, so only turning it off succeeds."""
    return not mode


def set_warn_always(b: bool, /) -> None:
    """Whether warnings that PyTorch gives once per process come each time."""
    if not isinstance(b, bool):
        raise TypeError(f"setWarnOnlyOnce expects a bool, but got {type(b).__name__}")
    _state.warn_always = b


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` set."""
    return _state.warn_always


# --- the default device and tensor type ----------------------------------------------------------------------------------


def set_default_device(device: Any) -> None:
    """Sets where tensors are made when no device is named; None brings back the CPU."""
    devices.DEFAULT.device = devices.CPU if device is None else _known(device)


def _known(where: Any) -> device:
    found = where if type(where) is device else device(where)
    return devices.CPU if found == devices.CPU else found


def get_default_device() -> device:
    """Where tensors are made when no device is named. Raises where that device is not there."""
    where = devices.DEFAULT.device
    devices.check_available(where)
    return where


def set_default_tensor_type(t: Any, /) -> None:
    """Sets the default dtype by a tensor type (`torch.DoubleTensor`) or its name; deprecated in PyTorch.

    Raises TypeError unless it is a floating-point type.
    """
    from .legacy_types import by_name, tensortype

    if isinstance(t, str):
        t = by_name(t)
    if not isinstance(t, tensortype):
        raise TypeError("invalid type object: only floating-point types are supported as the default type")
    if t.is_cuda:
        raise TypeError(f"type {t} not available. Torch not compiled with CUDA enabled.")
    set_default_dtype(t.dtype)
    if not _state.warned:
        import warnings

        _state.warned = not _state.warn_always
        warnings.warn(
            "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use torch.set_default_dtype() and "
            "torch.set_default_device() as alternatives.",
            stacklevel=2,
        )


def get_device_module(device: Any = None) -> Any:
    """The module of a device type: `torch.cpu`, `torch.cuda`... Raises RuntimeError where there is none."""
    import importlib

    kind = "cpu" if device is None else device.type if type(device) is globals()["device"] else globals()["device"](device).type
    if kind not in ("cpu", "cuda", "mps", "xpu"):
        raise RuntimeError(f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'.")
    return importlib.import_module(f"{__package__}.{kind}")


# --- names of things --------------------------------------------------------------------------------------------------------


def typename(obj: Any, /) -> str:
    """The name of a type, or of an object's type, with its module; a tensor's is its tensor type."""
    from .utils._typename import typename as name

    return name(obj)


def is_storage(obj: Any, /) -> bool:
    """Whether `obj` is a storage, typed or not."""
    from .core.typed_storage import is_storage as found

    return found(obj)


def compiled_with_cxx11_abi() -> bool:
    """True, as every PyTorch of today says."""
    return True


def is_vulkan_available() -> bool:
    """Whether there is a Vulkan device: no."""
    return False


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
) -> Any:
    """A function as it is, a module in an `OptimizedModule`; a decorator where no model is given. Nothing is compiled.

    Raises RuntimeError for an unknown mode, and where both `mode` and `options` are given; InvalidBackend for an unknown backend.
    """
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if model is None:
        return lambda model: compile(
            model, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode, options=options, disable=disable
        )
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
    if mode is not None and mode not in _COMPILE_MODES:
        raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(_COMPILE_MODES)}")
    if isinstance(backend, str) and backend not in _COMPILE_BACKENDS:
        from ._dynamo import InvalidBackend

        raise InvalidBackend(backend)
    from .nn.modules.module import Module

    if isinstance(model, Module) and not disable:
        from ._dynamo.eval_frame import OptimizedModule

        return OptimizedModule(model)
    return model


_COMPILE_MODES = ("default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")
_COMPILE_BACKENDS = ("inductor", "eager", "aot_eager", "aot_eager_decomp_partition", "cudagraphs", "openxla", "tvm", "onnxrt")


__all__ = [name for name, value in list(globals().items()) if getattr(value, "__module__", None) == __name__ and name[0] != "_"]
for _name in __all__:
    globals()[_name].__module__ = __package__
