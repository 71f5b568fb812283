"""flambeau: the PyTorch API on an engine of its own, in Python.

import flambeau as torch
"""

from math import e, inf, nan, pi

from . import autograd, version
from . import ops as ops  # importing the families attaches their operators
from .alias import alias_torch
from .autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .core import dtype as _dtypes
from .core.device import device
from .core.dtype import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .core.generator import Generator, default_generator
from .core.layout import contiguous_format as legacy_contiguous_format
from .core.layout import layout, memory_format
from .core.missing import missing_name as _missing_name
from .core.number_info import finfo, iinfo
from .core.printing import set_printoptions
from .core.size import Size
from .ops.definition import NAMES as _NAMES
from .tensor import Tensor
from .torch_version import TorchVersion as _TorchVersion

bool = _dtypes.bool
globals().update(_dtypes.ALIASES)
globals().update(_NAMES["torch"])


__version__ = _TorchVersion(version.TORCH)

newaxis = None
has_lapack = has_mkl = has_openmp = has_spectral = True

_SUBMODULES = frozenset((
    "__config__", "__future__", "_C", "_dynamo", "_inductor", "accelerator", "amp", "backends", "cli", "compiler", "cpu", "cuda",
    "distributed", "distributions", "fft", "func", "functional", "futures", "hub", "jit", "library", "linalg", "masked", "mps",
    "multiprocessing", "nn", "optim", "overrides", "profiler", "random", "return_types", "serialization", "signal", "sparse",
    "special", "storage", "testing", "types", "utils", "xpu",
))  # fmt: skip
"""Imported when they are first named, so that `import flambeau` stays light."""

_LAZY = {
    name: module
    for module, names in {
        "_settings": "get_num_threads set_num_threads get_num_interop_threads set_num_interop_threads use_deterministic_algorithms "
        "are_deterministic_algorithms_enabled is_deterministic_algorithms_warn_only_enabled set_deterministic_debug_mode "
        "get_deterministic_debug_mode set_float32_matmul_precision get_float32_matmul_precision set_flush_denormal set_warn_always "
        "is_warn_always_enabled set_default_device get_default_device set_default_tensor_type get_device_module typename is_storage "
        "compiled_with_cxx11_abi is_vulkan_available compile",
        "_streams": "Stream Event",
        "amp": "autocast GradScaler",
        "autograd.anomaly_mode": "is_anomaly_enabled is_anomaly_check_nan_enabled set_anomaly_enabled",
        "amp.state": "is_autocast_enabled set_autocast_enabled get_autocast_dtype set_autocast_dtype is_autocast_cache_enabled "
        "set_autocast_cache_enabled clear_autocast_cache autocast_increment_nesting autocast_decrement_nesting is_autocast_cpu_enabled "
        "set_autocast_cpu_enabled get_autocast_cpu_dtype set_autocast_cpu_dtype get_autocast_gpu_dtype set_autocast_gpu_dtype",
        "_control_flow": "cond while_loop",
        "_symbolic": "SymBool SymFloat SymInt sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum",
        "cuda": "OutOfMemoryError AcceleratorError",
        "func": "vmap",
        "legacy_types": "tensortype BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor "
        "LongTensor ShortTensor",
        "random": "thread_safe_generator",
        "serialization": "load save",
        "storage": "UntypedStorage TypedStorage BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage "
        "ComplexFloatStorage DoubleStorage FloatStorage HalfStorage IntStorage LongStorage ShortStorage",
        "utils.dlpack": "from_dlpack to_dlpack",
    }.items()
    for name in names.split()
}
"""Names whose module is imported when they are first used."""


def _on_first_call(name: str, module: str) -> None:
    """Gives Tensor a method whose module is imported at the first call, and then puts its own in its place."""

    def method(*args: object, **kwargs: object) -> object:
        import importlib

        importlib.import_module(f"{__name__}.{module}")
        return getattr(Tensor, name)(*args, **kwargs)

    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    setattr(Tensor, name, method)


for _name in ("__reduce_ex__", "__deepcopy__"):
    _on_first_call(_name, "serialization")
for _name in ("untyped_storage", "storage", "_typed_storage", "set_", "storage_type", "is_shared", "share_memory_"):
    _on_first_call(_name, "storage")
_on_first_call("type", "legacy_types")

_missing = _missing_name(__name__)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_SUBMODULES, *_NAMES["torch"]})


def __getattr__(name: str) -> object:
    import importlib

    if name in _SUBMODULES:
        try:
            return importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    elif name in _LAZY:
        value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    try:
        function = globals()[name] = _NAMES["torch"][name]
    except KeyError:
        return _missing(name)
    return function
