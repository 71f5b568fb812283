"""`torch.cuda` on a machine without CUDA: it answers that nothing is there, and refuses what needs a device."""

from collections import OrderedDict
from typing import Any

from .._absent import absent_class, answering, raising
from ..core.naming import public
from ..legacy_types import CUDA_TYPES

__all__ = ["amp", "is_available", "device_count", "is_initialized", "device", "device_of", "stream"]

has_half = True
has_magma = False
default_generators: tuple[Any, ...] = ()
globals().update(CUDA_TYPES)

_NO_CUDA = "Torch not compiled with CUDA enabled"
globals().update(
    raising(
        "torch.cuda",
        "_lazy_init init synchronize current_device get_device_name get_device_properties get_device_capability current_stream "
        "default_stream can_device_access_peer initial_seed get_rng_state ipc_collect mem_get_info set_per_process_memory_fraction "
        "get_per_process_memory_fraction cudart current_blas_handle current_solver_handle set_sync_debug_mode get_sync_debug_mode "
        "make_graphed_callables caching_allocator_alloc caching_allocator_delete "
        "get_stream_from_external get_allocator_backend change_current_allocator",
        AssertionError,
        _NO_CUDA,
    )
)
globals().update(
    raising(
        "torch.cuda",
        "utilization temperature power_draw clock_rate memory_usage device_memory_used",
        ModuleNotFoundError,
        "nvidia-ml-py does not seem to be installed or it can't be imported.",
    )
)
for _names, _missing in (
    ("reset_peak_memory_stats", "_cuda_resetPeakMemoryStats"),
    ("reset_accumulated_memory_stats", "_cuda_resetAccumulatedMemoryStats"),
    ("memory_snapshot", "_cuda_memorySnapshot"),
    ("set_device", "_cuda_setDevice"),
    ("reset_peak_host_memory_stats", "_cuda_resetPeakHostMemoryStats"),
    ("reset_accumulated_host_memory_stats", "_cuda_resetAccumulatedHostMemoryStats"),
    ("caching_allocator_disabled", "_cuda_cudaCachingAllocator_is_enabled"),
):
    globals().update(raising("torch.cuda", _names, AttributeError, f"module 'torch._C' has no attribute '{_missing}'"))
globals().update(raising("torch.cuda", "check_error", AttributeError, "'NoneType' object has no attribute 'cudaError'"))
_refused = raising("torch.cuda", "__new__", AssertionError, _NO_CUDA)["__new__"]
for _name in (
    "BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage DoubleStorage FloatStorage HalfStorage "
    "IntStorage LongStorage ShortStorage"
).split():
    globals()[_name] = type(_name, (), {"__new__": _refused, "__module__": "torch.cuda", "__doc__": "Cannot be made: there is no CUDA."})
MemPool = absent_class("torch.cuda", "MemPool", "Tried to instantiate dummy base class MemPool")


class cudaStatus:
    """Two of CUDA's answers, as numbers."""

    __module__ = "torch.cuda"
    SUCCESS = 0
    ERROR_NOT_READY = 34


def use_mem_pool(pool: Any, device: Any = None) -> Any:
    """A block whose memory comes from a pool. Raises AssertionError: there is no CUDA here."""
    raise AssertionError(_NO_CUDA)


globals().update(raising("torch.cuda", "memory_summary", KeyError, "allocated_bytes.all.current"))
globals().update(raising("torch.cuda", "graph_pool_handle", RuntimeError, "Tried to instantiate dummy base class _graph_pool_handle"))
globals().update(
    answering("torch.cuda", "memory_allocated max_memory_allocated memory_reserved max_memory_reserved", int, "0: there is no memory.")
)
globals().update(
    answering("torch.cuda", "empty_cache seed seed_all set_rng_state set_rng_state_all set_stream", lambda: None, "Does nothing.")
)
globals().update(answering("torch.cuda", "memory_stats memory_stats_as_nested_dict host_memory_stats", OrderedDict, "Nothing to tell."))
globals().update(answering("torch.cuda", "host_memory_stats_as_nested_dict", dict, "Nothing to tell."))
globals().update(answering("torch.cuda", "is_bf16_supported is_tf32_supported", bool, "False: there is no device."))
globals().update(answering("torch.cuda", "get_arch_list get_rng_state_all", list, "An empty list: there is no device."))


def is_available() -> bool:
    """False: there is no CUDA here."""
    return False


def device_count() -> int:
    """0: there is no CUDA here."""
    return 0


def is_initialized() -> bool:
    """False: there is nothing to initialize."""
    return False


def manual_seed(seed: int) -> None:
    """Would seed the device; there is none, so nothing happens."""
    int(seed)


def manual_seed_all(seed: int) -> None:
    """Would seed all devices; there is none, so nothing happens."""
    int(seed)


def get_gencode_flags() -> str:
    """Empty: no code is generated for devices."""
    return ""


def list_gpu_processes(device: Any = None) -> str:
    """Says that the library to ask is not there."""
    return "pynvml module not found, please install nvidia-ml-py"


def is_current_stream_capturing() -> bool:
    """Raises RuntimeError: there are no streams."""
    raise RuntimeError("Tried to instantiate dummy base class _cuda_isCurrentStreamCapturing")


def _renamed(old: str, new: str) -> Any:
    def renamed(device: Any = None) -> int:
        import warnings

        warnings.warn(f"`torch.cuda.{old}` has been renamed to `torch.cuda.{new}`", FutureWarning, stacklevel=2)
        return 0

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__module__, renamed.__doc__ = "torch.cuda", f"`{new}` by its old name."
    return renamed


def _peak_reset(name: str) -> Any:
    def reset(device: Any = None) -> None:
        import warnings

        text = f"torch.cuda.{name} now calls torch.cuda.reset_peak_memory_stats, which resets /all/ peak memory stats."
        warnings.warn(text, FutureWarning, stacklevel=2)
        globals()["reset_peak_memory_stats"](device)

    reset.__name__ = reset.__qualname__ = name
    reset.__module__, reset.__doc__ = "torch.cuda", "`reset_peak_memory_stats` by an older name."
    return reset


reset_max_memory_allocated = _peak_reset("reset_max_memory_allocated")
reset_max_memory_cached = _peak_reset("reset_max_memory_cached")
memory_cached = _renamed("memory_cached", "memory_reserved")
max_memory_cached = _renamed("max_memory_cached", "max_memory_reserved")

Stream = absent_class("torch.cuda.streams", "Stream", "torch.cuda.Stream requires CUDA support")
ExternalStream = absent_class("torch.cuda.streams", "ExternalStream", "torch.cuda.Stream requires CUDA support")
Event = absent_class("torch.cuda.streams", "Event", "Tried to instantiate dummy base class Event")
graph = absent_class("torch.cuda.graphs", "graph", "torch.cuda.Stream requires CUDA support")
CUDAGraph = absent_class("torch.cuda.graphs", "CUDAGraph", "Tried to instantiate dummy base class CUDAGraph")


@public("torch")
class OutOfMemoryError(RuntimeError):
    """Raised where a device has no memory left; never here."""


@public("torch")
class AcceleratorError(RuntimeError):
    """Raised where a device fails; never here."""


@public("torch.cuda")
class CudaError(RuntimeError):
    """Raised where CUDA reports an error; never here."""


@public("torch.cuda")
class DeferredCudaCallError(Exception):
    """Raised where a call that waited for CUDA fails; never here."""


@public("torch.cuda")
class device:
    """A block that would run on another device. Raises RuntimeError when it is entered with one."""

    def __init__(self, device: Any) -> None:
        from ..core.device import device as Device

        self.idx: int = -1 if device is None else device if isinstance(device, int) else Device(device).index or 0
        self.prev_idx = -1

    def __enter__(self) -> None:
        if self.idx >= 0:
            raise RuntimeError("PyTorch was compiled without CUDA support")

    def __exit__(self, *exception: Any) -> None:
        return None


@public("torch.cuda")
class device_of(device):
    """A block on the device of a tensor: for one on the CPU, nothing."""

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device() if getattr(obj, "is_cuda", False) else -1)


@public("torch.cuda")
class StreamContext:
    """A block whose work would go to a stream; with None, nothing."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: Any) -> None:
        return None


def stream(stream: Any) -> StreamContext:
    """A block whose work would go to `stream`."""
    return StreamContext(stream)


_SUBMODULES = ("amp", "memory", "random", "nvtx", "streams")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    from ..core.missing import missing_name

    return missing_name(__name__)(name)
