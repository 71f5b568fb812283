"""Whether autocast is on, per thread and device type, and which dtype each operator gets."""

import threading
import weakref
from typing import Any

from ..core.device import device
from ..core.dtype import bfloat16, dtype, float16, float32, float64
from ..ops.modes import modes, stacks
from ..tensor import Tensor

DEVICES = {
    "cpu": bfloat16, "cuda": float16, "xpu": float16, "ipu": float16, "hpu": bfloat16, "xla": bfloat16, "mps": float16, "mtia": bfloat16,
    "maia": bfloat16, "privateuseone": float16,
}  # fmt: skip
"""The device types that know autocast, each with its dtype unless another is set."""

LOWER = frozenset((
    "linear", "matmul", "mm", "bmm", "addmm", "addbmm", "baddbmm", "convolution", "convolution_transpose", "conv_tbc", "attention",
    "scaled_dot_product_attention", "multi_dot", "vecdot", "prelu", "prelu_op", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "rnn_layer", "lstm_layer",
))  # fmt: skip
"""Run in the lower precision: matrix products and convolutions. Names of operators and of public functions."""

FULL = frozenset((
    "avg_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d", "fractional_max_pool2d", "fractional_max_pool3d", "max_unpool1d",
    "max_unpool2d", "max_unpool3d", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy",
    "ctc_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "linear_cross_entropy", "margin_ranking_loss", "mse_loss",
    "multi_margin_loss", "multilabel_margin_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss",
    "triplet_margin_loss", "grid_sample", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "polar", "prod", "quantile", "nanquantile",
    "stft", "cdist", "trace", "view_as_complex", "cholesky", "cholesky_inverse", "cholesky_solve", "inverse", "lu_solve", "orgqr", "ormqr",
    "pinverse", "geqrf", "qr", "svd", "triangular_solve", "lu", "cond", "matrix_rank", "solve", "svdvals", "eigvals", "eigvalsh", "inv",
    "inv_ex", "householder_product", "tensorinv", "tensorsolve", "cholesky_ex", "eig", "eigh", "lstsq",
    "fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "irfft", "rfft2", "irfft2", "rfftn", "irfftn", "hfft", "ihfft",
    *(f"linalg_{name}" for name in ("cond", "matrix_rank", "solve", "cholesky", "cholesky_ex", "svd", "svdvals", "eig", "eigh", "eigvals",
                                    "eigvalsh", "inv", "inv_ex", "householder_product", "lstsq", "qr", "tensorinv", "tensorsolve")),
    *(f"fft_{name}" for name in ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "irfft", "rfft2", "irfft2", "rfftn", "irfftn",
                                 "hfft", "ihfft")),
))  # fmt: skip
"""Run in float32: losses, matrix decompositions, and what sums or divides much."""


class _State(threading.local):
    def __init__(self) -> None:
        self.enabled: dict[str, bool] = {}
        self.dtypes = dict(DEVICES)
        self.cache_enabled = True
        self.nesting = 0
        self.cache: dict[int, tuple[Any, Tensor]] = {}


state = _State()


def _kind(device_type: Any) -> str:
    return device(device_type).type if not isinstance(device_type, device) else device_type.type


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows this device type."""
    return _kind(device_type) in DEVICES


def _supported(device_type: Any) -> str:
    kind = _kind(device_type)
    if kind not in DEVICES:
        raise RuntimeError("unknown device type for autocast in get_autocast_dispatch_key_from_device_type")
    return kind


def is_autocast_enabled(device_type: Any = None) -> bool:
    """Whether autocast is on for a device type in this thread (`cuda` if none is given)."""
    return state.enabled.get("cuda" if device_type is None else _supported(device_type), False)


def set_autocast_enabled(device_type: Any, enabled: Any = None) -> None:
    """Turns autocast on or off for a device type in this thread."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    kind = _supported(device_type)
    state.enabled[kind] = bool(enabled)
    if kind == "cpu":
        active = stacks.autocast is not None
        if enabled and not active:
            stacks.autocast = cast_operands
            modes.active += 1
        elif active and not enabled:
            stacks.autocast = None
            modes.active -= 1


def get_autocast_dtype(device_type: Any) -> dtype:
    """The lower precision of a device type: bfloat16 on the CPU unless another was set."""
    kind = _kind(device_type)
    if kind not in DEVICES:
        raise RuntimeError("unsupported scalarType")
    return state.dtypes[kind]


def set_autocast_dtype(device_type: Any, dtype: dtype) -> None:
    """Sets the lower precision of a device type."""
    state.dtypes[_supported(device_type)] = dtype


def is_autocast_cache_enabled() -> bool:
    """Whether a parameter is converted once for a whole region."""
    return state.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Whether a parameter is converted once for a whole region."""
    state.cache_enabled = enabled


def clear_autocast_cache() -> None:
    """Forgets the converted parameters."""
    state.cache.clear()


def autocast_increment_nesting() -> int:
    """Counts a region entered; returns how many are open."""
    state.nesting += 1
    return state.nesting


def autocast_decrement_nesting() -> int:
    """Counts a region left; returns how many are open."""
    state.nesting -= 1
    return state.nesting


def _deprecated(name: str, instead: str, line: int) -> None:
    import warnings

    place = f"(Triggered internally at /__w/pytorch/pytorch/torch/csrc/autograd/init.cpp:{line}.)"
    warnings.warn(f"torch.{name} is deprecated. Please use torch.{instead} instead. {place}", DeprecationWarning, stacklevel=3)


def is_autocast_cpu_enabled() -> bool:
    """`is_autocast_enabled("cpu")`; deprecated."""
    _deprecated("is_autocast_cpu_enabled()", "is_autocast_enabled('cpu')", 883)
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """`set_autocast_enabled("cpu", enabled)`; deprecated."""
    _deprecated("set_autocast_cpu_enabled(enabled)", "set_autocast_enabled('cpu', enabled)", 874)
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype() -> dtype:
    """`get_autocast_dtype("cpu")`; deprecated."""
    _deprecated("get_autocast_cpu_dtype()", "get_autocast_dtype('cpu')", 1016)
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype: dtype) -> None:
    """`set_autocast_dtype("cpu", dtype)`; deprecated."""
    _deprecated("set_autocast_cpu_dtype(dtype)", "set_autocast_dtype('cpu', dtype)", 967)
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype() -> dtype:
    """`get_autocast_dtype("cuda")`; deprecated."""
    _deprecated("get_autocast_gpu_dtype()", "get_autocast_dtype('cuda')", 1007)
    return get_autocast_dtype("cuda")


def set_autocast_gpu_dtype(dtype: dtype) -> None:
    """`set_autocast_dtype("cuda", dtype)`; deprecated."""
    _deprecated("set_autocast_gpu_dtype(dtype)", "set_autocast_dtype('cuda', dtype)", 952)
    set_autocast_dtype("cuda", dtype)


# --- conversion ----------------------------------------------------------------------------------------------------------


def _cached(tensor: Tensor, to: dtype) -> Tensor:
    """The tensor in the lower precision; a parameter's conversion is kept until the region ends."""
    if not (state.cache_enabled and tensor._requires_grad and tensor._node is None and tensor._view is None and tensor.dtype is float32):
        return tensor.to(to)
    known = state.cache.get(id(tensor))
    if known is not None and known[0]() is tensor and known[1].dtype is to:
        return known[1]
    converted = tensor.to(to)
    state.cache[id(tensor)] = (weakref.ref(tensor), converted)
    return converted


def _convert(value: Any, to: dtype, lower: bool) -> Any:
    if isinstance(value, Tensor):
        d = value.dtype
        if d is to or d is float64 or not d.is_floating_point or not value.is_cpu:
            return value
        return _cached(value, to) if lower else value.to(to)
    if type(value) is list or type(value) is tuple:
        made = [_convert(v, to, lower) for v in value]
        return value if all(a is b for a, b in zip(made, value)) else type(value)(made)
    return value


def cast_operands(name: str, args: Any) -> Any:
    """The arguments of an operator in the dtype that autocast runs it in; the very same object where nothing changes."""
    if name in LOWER and not (name == "lstm_layer" and args[8] is not None and args[7] is None):
        to, lower = state.dtypes["cpu"], True
    elif name == "gru_layer" or name == "lstm_layer":  # LSTM: of packed sequences
        to, lower = args[0].dtype, False
    elif name in FULL:
        to, lower = float32, False
    else:
        return args
    made = tuple([_convert(v, to, lower) for v in args])
    return args if all(a is b for a, b in zip(made, args)) else made
