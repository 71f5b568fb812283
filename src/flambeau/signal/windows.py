"""`torch.signal.windows`: window functions of `M` points.

All take `sym` (False: one period of a periodic window, for spectra), `dtype` (float32 or float64; the default dtype), `layout`, `device`
and `requires_grad`. They raise ValueError for a negative `M`, other dtypes and layouts, and parameters out of range. No points make an
empty tensor. Formulas as in Harris, "On the use of windows for harmonic analysis", 1978, and Nuttall, 1981.
"""

import math
from collections.abc import Iterable
from typing import Any

from ..autograd.node import tensors
from ..core.dtype import DEFAULT, float32, float64
from ..core.layout import strided
from ..core.missing import missing_name
from ..ops.creation import empty, ones
from ..tensor import Tensor

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]

__getattr__ = missing_name(__name__)


def _options(name: str, M: int, dtype: Any, layout: Any, device: Any, requires_grad: bool) -> dict[str, Any]:
    """The options of the tensors made, after the checks that all windows share."""
    if dtype is None:
        dtype = DEFAULT.dtype
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dtype not in (float32, float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    return {"dtype": dtype, "device": device, "requires_grad": requires_grad}


def _period(M: int, sym: bool) -> int:
    """The number of steps between the two ends of the window."""
    return M - 1 if sym else M


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """exp(-|n - center| / tau); `center`, for windows that are not symmetric alone, is the middle by default."""
    options = _options("exponential", M, dtype, layout, device, requires_grad)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    if M == 0:
        return empty((0,), **options)
    if center is None:
        center = _period(M, sym or M == 1) / 2.0
    rate = 1 / tau
    return tensors.linspace(-center * rate, (M - 1 - center) * rate, M, **options).abs().neg().exp()


def cosine(
    M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """sin(pi * (n + 0.5) / M), also called the sine window."""
    options = _options("cosine", M, dtype, layout, device, requires_grad)
    if M == 0:
        return empty((0,), **options)
    step = math.pi / (M if sym or M == 1 else M + 1)
    return tensors.linspace(0.5 * step, (M - 0.5) * step, M, **options).sin()


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """exp(-(n - middle)^2 / (2 * std^2))."""
    options = _options("gaussian", M, dtype, layout, device, requires_grad)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    if M == 0:
        return empty((0,), **options)
    middle, scale = _period(M, sym or M == 1) / 2.0, 1 / (std * math.sqrt(2))
    x = tensors.linspace(-middle * scale, (M - 1 - middle) * scale, M, **options)
    return (-(x**2)).exp()


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """I0(beta * sqrt(1 - x^2)) / I0(beta), x from -1 to 1."""
    options = _options("kaiser", M, dtype, layout, device, requires_grad)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M < 2:
        return ones((M,), **options)
    width = tensors.tensor(beta, dtype=options["dtype"], device=device)  # rounded first, or the root may be of a negative number
    end = tensors.minimum(width, (M - 1) * (2.0 * width / _period(M, sym)) - width)
    x = tensors.linspace(-width, end, M, **options)
    return tensors.i0((width * width - x**2).sqrt()) / tensors.i0(width)


def hamming(
    M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """0.54 - 0.46 * cos(2 * pi * n / period)."""
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hann(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None, requires_grad: bool = False) -> Tensor:
    """0.5 - 0.5 * cos(2 * pi * n / period)."""
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def blackman(
    M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """0.42 - 0.5 * cos(2 * pi * n / period) + 0.08 * cos(4 * pi * n / period)."""
    options = _options("blackman", M, dtype, layout, device, requires_grad)
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


def bartlett(
    M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """1 - |2 * n / period - 1|: a triangle whose ends are zero."""
    options = _options("bartlett", M, dtype, layout, device, requires_grad)
    if M < 2:
        return ones((M,), **options)
    return 1 - tensors.linspace(-1, (M - 1) * (2 / _period(M, sym)) - 1, M, **options).abs()


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The sum of (-1)^i * a[i] * cos(2 * pi * i * n / period). Raises TypeError where `a` is no sequence, ValueError where it is empty."""
    options = _options("general_cosine", M, dtype, layout, device, requires_grad)
    if M < 2:
        return ones((M,), **options)
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    angles = tensors.linspace(0, (M - 1) * (2 * math.pi / _period(M, sym)), M, **options)
    weights = tensors.tensor([-w if i % 2 else w for i, w in enumerate(a)], **options)
    orders = tensors.arange(len(weights), **options)
    return (weights.unsqueeze(-1) * (orders.unsqueeze(-1) * angles).cos()).sum(0)


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """alpha - (1 - alpha) * cos(2 * pi * n / period)."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def nuttall(
    M: int, *, sym: bool = True, dtype: Any = None, layout: Any = strided, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The sum of four cosines whose side lobes are lowest: 0.3635819, 0.4891775, 0.1365995, 0.0106411."""
    weights = [0.3635819, 0.4891775, 0.1365995, 0.0106411]
    return general_cosine(M, a=weights, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)
