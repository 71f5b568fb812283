"""`torch.fft`, short-time Fourier transforms and window functions."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ..core.dtype import DEFAULT, OF_NUMPY, SCALAR_NAMES
from ..core.layout import normalize_dim
from ..kernels import spectral as k
from .definition import Array, attach, composite, formula_function, operator, tensors, write_out
from .making import allocate_like_data, finish, numpy_dtype

# --- transforms over arrays, with their derivatives ------------------------------------------------------------------------


@operator("torch._fft_c2c", node="FftC2CBackward0", out=False)
def fft_c2c(input: Array, dims: Any, scale: float, ahead: bool) -> Array:
    """The transform of complex numbers over `dims`, times `scale`."""
    return k.c2c(input, dims, scale, ahead)


fft_c2c.derivative(input=lambda F, grad, dims, scale, ahead: F.fft_c2c(grad, dims, scale, not ahead))


@operator(node="FftR2CBackward0", out=False)
def fft_r2c(input: Array, dims: Any, scale: float, onesided: bool) -> Array:
    """The transform of real numbers over `dims`; `onesided` gives the non-negative frequencies of the last of them."""
    return k.r2c(input, dims, scale, onesided)


def _r2c_gradient(F: Any, grad: Any, input_shape: Any, dims: Any, scale: Any, onesided: Any) -> Any:
    if onesided:
        missing = input_shape[dims[-1]] - grad.shape[dims[-1]]
        if missing:
            shape = list(grad.shape)
            shape[dims[-1]] = missing
            grad = F.cat([grad, F.zeros_of(grad, tuple(shape))], dims[-1])
    result = F.fft_c2c(grad, dims, scale, False)
    return (result + F.conj(result)) / 2


fft_r2c.derivative(input=_r2c_gradient)
formula_function(
    "zeros_of", lambda like, shape: k.zeros(shape, like.dtype), lambda like, shape: tensors.wrap(k.zeros(shape, like._array.dtype))
)


@operator(node="FftC2RBackward0", out=False)
def fft_c2r(input: Array, dims: Any, scale: float, size: int) -> Array:
    """The real signal of `size` along the last of `dims` whose non-negative frequencies are given."""
    return k.c2r(input, dims, scale, size)


fft_c2r.derivative(input=lambda F, grad, dims, scale, size: F.fft_r2c(grad, dims, scale, True) * F.half_weights(grad, dims[-1], size))
formula_function("half_weights", k.half_weights, lambda like, dim, size: tensors.wrap(k.half_weights(like._array, dim, size)))


# --- arguments -----------------------------------------------------------------------------------------------------------


def _scale(norm: Any, count: int, forward: bool) -> float:
    """The factor that a mode of normalisation puts on one direction."""
    norm = "backward" if norm is None else norm
    if norm not in ("forward", "backward", "ortho"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return 1 / math.sqrt(count)
    return 1 / count if (norm == "forward") == forward else 1.0


def _promoted(input: Any, to_complex: bool = False) -> Any:
    """The input in a dtype that can be transformed. Raises RuntimeError for half precision."""
    dtype = input._array.dtype
    if dtype.kind in "iub":
        input = input.to(DEFAULT.dtype)
        dtype = input._array.dtype
    if dtype.itemsize == 2:
        raise RuntimeError(f"Unsupported dtype {SCALAR_NAMES[OF_NUMPY[dtype]]}")
    return input.to(OF_NUMPY[k.result_type(dtype, np.complex64)]) if to_complex and dtype.kind != "c" else input


def _require_real(name: str, input: Any) -> None:
    if input.is_complex():
        raise RuntimeError(f"{name} expects a real input tensor, but got {SCALAR_NAMES[input.dtype]}")


def _resized(input: Any, dim: int, n: int) -> Any:
    """Cut off or filled up with zeros to `n` along a dimension."""
    size = input.shape[dim]
    if n == size:
        return input
    if n < size:
        return input.narrow(dim, 0, n)
    shape = list(input.shape)
    shape[dim] = n - size
    return tensors.cat([input, input.new_zeros(shape)], dim)


def _check_count(n: int) -> int:
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return n


def _one_dim(input: Any, n: Any, dim: int) -> tuple[Any, int, int]:
    """The input resized along `dim`, the dimension, and the number of points."""
    dim = _dim(dim, input.ndim)
    n = _check_count(input.shape[dim] if n is None else n)
    return _resized(input, dim, n), dim, n


def _dim(dim: int, ndim: int) -> int:
    if not ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return normalize_dim(dim, ndim)


def _several(input: Any, s: Any, dim: Any) -> tuple[tuple[int, ...], list[int]]:
    """The dimensions to transform, and the size of each."""
    if s is not None and isinstance(s, int):
        s = (s,)
    if dim is not None:
        dim = (dim,) if isinstance(dim, int) else tuple(dim)
        dims = tuple(_dim(d, input.ndim) for d in dim)
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    elif s is not None:
        if len(s) > input.ndim:
            raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {input.ndim} dimensions.")
        dims = tuple(range(input.ndim - len(s), input.ndim))
    else:
        dims = tuple(range(input.ndim))
    sizes = [input.shape[d] for d in dims] if s is None else [input.shape[d] if n == -1 else n for n, d in zip(s, dims)]
    for n in sizes:
        _check_count(n)
    return dims, sizes


def _done(result: Any, out: Any) -> Any:
    return result if out is None else write_out(result, out, sys._getframe(1).f_code.co_name)


# --- one dimension ---------------------------------------------------------------------------------------------------------


def _transformed(input: Any, dims: tuple[int, ...], scale: float, forward: bool) -> Any:
    if not dims:
        return _promoted(input, True)
    if input.is_complex():
        return fft_c2c.function(input, dims, scale, forward)
    result = fft_r2c.function(input, dims, scale, False)
    return result if forward else tensors.conj(result)


def _define_1d(name: str, forward: bool) -> None:
    def transform(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None) -> Any:
        resized, axis, count = _one_dim(_promoted(input), n, dim)
        return _done(_transformed(resized, (axis,), _scale(norm, count, forward), forward), out)

    transform.__name__ = name
    transform.__doc__ = f"The {'' if forward else 'inverse '}Fourier transform along `dim`, of `n` points (cut off or padded with zeros)."
    composite(f"fft.{name}")(transform)


_define_1d("fft", True)
_define_1d("ifft", False)


@composite("fft.rfft")
def rfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None) -> Any:
    """The non-negative frequencies of a real signal: n // 2 + 1 along `dim`."""
    _require_real("rfft", input)
    resized, axis, count = _one_dim(_promoted(input), n, dim)
    return _done(fft_r2c.function(resized, (axis,), _scale(norm, count, True), True), out)


def _to_real(input: Any, n: int | None, dim: int, norm: Any, forward: bool) -> Any:
    input = _promoted(input, True)
    axis = _dim(dim, input.ndim)
    count = _check_count(2 * (input.shape[axis] - 1) if n is None else n)
    resized = _resized(input, axis, count // 2 + 1)
    if forward:
        resized = resized.conj()
    return fft_c2r.function(resized, (axis,), _scale(norm, count, forward), count)


@composite("fft.irfft")
def irfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None) -> Any:
    """The real signal of `n` points (2 (m - 1) by default) with the given non-negative frequencies."""
    return _done(_to_real(input, n, dim, norm, False), out)


@composite("fft.hfft")
def hfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None) -> Any:
    """The real transform of a signal that is Hermitian in time, given by its first half."""
    return _done(_to_real(input, n, dim, norm, True), out)


@composite("fft.ihfft")
def ihfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None) -> Any:
    """The inverse of `hfft`."""
    _require_real("ihfft", input)
    resized, axis, count = _one_dim(_promoted(input), n, dim)
    return _done(tensors.conj(fft_r2c.function(resized, (axis,), _scale(norm, count, False), True)), out)


# --- several dimensions ------------------------------------------------------------------------------------------------------


def _complex_nd(input: Any, s: Any, dim: Any, norm: Any, forward: bool) -> Any:
    dims, sizes = _several(input, s, dim)
    input = _promoted(input, True)
    for d, n in zip(dims, sizes):
        input = _resized(input, d, n)
    return _transformed(input, dims, _scale(norm, math.prod(sizes), forward), forward)


def _from_real_nd(name: str, input: Any, s: Any, dim: Any, norm: Any, forward: bool) -> Any:
    _require_real(name, input)
    dims, sizes = _several(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    input = _promoted(input)
    for d, n in zip(dims, sizes):
        input = _resized(input, d, n)
    result = fft_r2c.function(input, dims, _scale(norm, math.prod(sizes), forward), True)
    return result if forward else tensors.conj(result)


def _to_real_nd(name: str, input: Any, s: Any, dim: Any, norm: Any, forward: bool) -> Any:
    dims, sizes = _several(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    last = None if s is None else (s if isinstance(s, int) else s[-1])
    sizes[-1] = _check_count(2 * (input.shape[dims[-1]] - 1) if last in (None, -1) else last)
    input = _promoted(input, True)
    for d, n in zip(dims[:-1], sizes[:-1]):
        input = _resized(input, d, n)
    input = _resized(input, dims[-1], sizes[-1] // 2 + 1)
    if forward:
        input = input.conj()
    return fft_c2r.function(input, dims, _scale(norm, math.prod(sizes), forward), sizes[-1])


def _define_nd(stem: str, forward: bool, run: Any, doc: str) -> None:
    def nd(input: Any, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Any = None) -> Any:
        return _done(run(input, s, dim, norm, forward), out)

    def two(input: Any, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Any = None) -> Any:
        return _done(run(input, s, dim, norm, forward), out)

    for function, name, where in ((nd, f"{stem}n", "over `dim`, all by default"), (two, f"{stem}2", "over the last two dimensions")):
        function.__name__, function.__doc__ = name, f"{doc} {where}, resized to `s`."
        composite(f"fft.{name}")(function)


_define_nd("fft", True, _complex_nd, "The Fourier transform")
_define_nd("ifft", False, _complex_nd, "The inverse Fourier transform")
_define_nd("rfft", True, lambda *a: _from_real_nd("rfftn", *a), "The transform of a real signal, one-sided in the last dimension,")
_define_nd("irfft", False, lambda *a: _to_real_nd("irfftn", *a), "The inverse of `rfftn`")
_define_nd("hfft", True, lambda *a: _to_real_nd("hfftn", *a), "The real transform of a Hermitian signal")
_define_nd("ihfft", False, lambda *a: _from_real_nd("ihfftn", *a), "The inverse of `hfftn`")


def _define_frequencies(name: str, half: bool) -> None:
    def frequencies(n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
                    requires_grad: bool = False) -> Any:  # fmt: skip
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
        index = k.arange(n // 2 + 1) if half else k.concatenate([k.arange((n + 1) // 2), k.arange(-(n // 2), 0)])
        if not n:
            index = index[:0] if not half else index
        target = numpy_dtype(dtype)
        values = index.astype(target) * k.asarray(1.0 / (n * d) if n else 0.0, target)
        return _done(finish(allocate_like_data(values.astype(target), device), requires_grad), out)

    frequencies.__name__ = name
    frequencies.__doc__ = f"The frequencies of the {'one-sided ' if half else ''}transform of `n` points `d` apart, in cycles per unit."
    composite(f"fft.{name}")(frequencies)


_define_frequencies("fftfreq", False)
_define_frequencies("rfftfreq", True)


def _shift_dims(input: Any, dim: Any) -> list[int]:
    return list(range(input.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)


@composite("fft.fftshift")
def fftshift(input: Any, dim: Any = None) -> Any:
    """Moves the zero frequency to the middle."""
    dims = _shift_dims(input, dim)
    return tensors.roll(input, [input.shape[d] // 2 for d in dims], dims) if dims else input.clone()


@composite("fft.ifftshift")
def ifftshift(input: Any, dim: Any = None) -> Any:
    """Undoes `fftshift`."""
    dims = _shift_dims(input, dim)
    return tensors.roll(input, [(input.shape[d] + 1) // 2 for d in dims], dims) if dims else input.clone()


# --- windows -------------------------------------------------------------------------------------------------------------


def _define_window(name: str, make: Any, doc: str, *extra: tuple[str, float]) -> None:
    defaults = dict(extra)

    def window(window_length: int, periodic: bool = True, *given: float, out: Any = None, dtype: Any = None, layout: Any = None,
               device: Any = None, pin_memory: bool = False, requires_grad: bool = False, **named: float) -> Any:  # fmt: skip
        if window_length < 0:
            raise RuntimeError(f"{name} requires non-negative window_length, got window_length={window_length}")
        target = numpy_dtype(dtype)
        if target.kind not in "fV":
            shown = {"long": "long int"}.get(SCALAR_NAMES[OF_NUMPY[target]].lower(), SCALAR_NAMES[OF_NUMPY[target]].lower())
            raise RuntimeError(
                f"{name} expects floating point dtypes, got: TensorOptions(dtype={shown}, device=cpu, layout=Strided (default), "
                "requires_grad=false (default), pinned_memory=false, memory_format=(nullopt))"
            )
        unknown = set(named) - set(defaults)
        if unknown or len(given) > len(defaults):
            raise TypeError(f"{name}() got an unexpected keyword argument '{min(unknown, default='')}'")
        values = {**defaults, **dict(zip(defaults, given)), **named}
        array = k.asarray(make(window_length, periodic, *values.values())).astype(target)
        return _done(finish(allocate_like_data(array, device), requires_grad), out)

    window.__name__, window.__doc__ = name, doc
    composite(f"torch.{name}")(window)


_define_window("hann_window", lambda n, p: k.cosine_window(n, p, (0.5, 0.5)), "The Hann window: `(1 - cos(2 pi n / N)) / 2`.")
_define_window("hamming_window", lambda n, p, a, b: k.cosine_window(n, p, (a, b)), "The Hamming window: `alpha - beta cos(2 pi n / N)`.",
               ("alpha", 0.54), ("beta", 0.46))  # fmt: skip
_define_window("blackman_window", lambda n, p: k.cosine_window(n, p, (0.42, 0.5, 0.08)), "The Blackman window.")
_define_window("bartlett_window", k.bartlett_window, "The triangular window.")
_define_window("kaiser_window", k.kaiser_window, "The Kaiser window of shape `beta`.", ("beta", 12.0))


# --- short-time transforms ---------------------------------------------------------------------------------------------------


def _full_window(window: Any, win_length: int, n_fft: int, like: Any) -> Any:
    """The window in the middle of `n_fft` points."""
    if window is None:
        window = tensors.wrap(k.ones(win_length, like._array.real.dtype))
    left = (n_fft - win_length) // 2
    if left or n_fft - win_length:
        window = tensors.cat([window.new_zeros(left), window, window.new_zeros(n_fft - win_length - left)])
    return window


@composite("torch.stft", "Tensor.stft")
def stft(input: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Any = None, center: bool = True,
         pad_mode: str = "reflect", normalized: bool = False, onesided: bool | None = None, return_complex: bool | None = None,
         align_to_window: bool | None = None) -> Any:  # fmt: skip
    """Fourier transforms of overlapping frames of a signal (time) or (batch, time): (..., frequencies, frames)."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    if return_complex is None and not input.is_complex() and not (window is not None and window.is_complex()):
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will further require that return_complex=True in a "
            "future PyTorch release."
        )
    if center:
        missing = 3 - input.ndim
        widened = input.reshape((1,) * missing + tuple(input.shape))
        padded = tensors.pad(widened, (n_fft // 2, n_fft // 2), mode=pad_mode)
        input = padded.reshape(tuple(input.shape[:-1]) + (padded.shape[-1],))

    def refuse(what: str) -> None:
        shown = "None" if window is None else f"torch.{SCALAR_NAMES[window.dtype]}Tensor{{{list(window.shape)}}}"
        flag = lambda value: "None" if value is None else int(value)  # noqa: E731
        raise RuntimeError(
            f"stft(torch.{SCALAR_NAMES[input.dtype]}Tensor{list(input.shape)}, n_fft={n_fft}, hop_length={hop_length}, "
            f"win_length={win_length}, window={shown}, normalized={int(normalized)}, onesided={flag(onesided)}, "
            f"return_complex={flag(return_complex)}, align_to_window={flag(align_to_window)}) : {what}"
        )

    if input._array.dtype.kind in "iub":
        refuse("expected a tensor of floating point or complex values")
    if input.ndim not in (1, 2):
        refuse("expected a 1D or 2D tensor")
    single = input.ndim == 1
    signal = input[None] if single else input
    length = signal.shape[1]
    if not 0 < n_fft <= length:
        refuse(f"expected 0 < n_fft < {length}, but got n_fft={n_fft}")
    if hop_length <= 0:
        refuse(f"expected hop_length > 0, but got hop_length={hop_length}")
    if not 0 < win_length <= n_fft:
        refuse(f"expected 0 < win_length <= n_fft, but got win_length={win_length}")
    if window is not None and (window.ndim != 1 or window.shape[0] != win_length):
        refuse(f"expected a 1D window tensor of size equal to win_length={win_length}, but got window with size {list(window.shape)}")
    frames = signal.unfold(-1, n_fft, hop_length)
    if window is not None or win_length < n_fft:
        frames = frames * _full_window(window, win_length, n_fft, signal)
    is_complex = frames.is_complex()
    onesided = not is_complex if onesided is None else onesided
    if is_complex and onesided:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    scale = 1 / math.sqrt(n_fft) if normalized else 1.0
    spectrum = fft_c2c.function(frames, (2,), scale, True) if is_complex else fft_r2c.function(frames, (2,), scale, onesided)
    result = spectrum.transpose(1, 2)
    result = result[0] if single else result
    return result if return_complex or return_complex is None else tensors.view_as_real(result)


@composite("torch.istft", "Tensor.istft")
def istft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Any:
    """The signal whose `stft` is given, by overlapping and adding the frames, divided by the squared windows."""
    if not input.is_complex():
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from stft with return_complex=True.")
    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    single = input.ndim == 2
    spectrum = input[None] if single else input
    bins, count = spectrum.shape[-2:]
    if onesided is None:
        onesided = bins != n_fft
    where = f"istft({type(input).__name__})"
    if input.numel() == 0:
        raise RuntimeError(f"{where} : input tensor cannot be empty.")
    if onesided and bins != n_fft // 2 + 1:
        raise RuntimeError(
            f"{where} : expected the frequency dimension (3rd to the last) of the input tensor to match n_fft / 2 + 1 when "
            f"onesided=True, but got {bins}"
        )
    if not onesided and bins != n_fft:
        raise RuntimeError(
            f"{where} : expected the frequency dimension (3rd to the last) of the input tensor to match n_fft when onesided=False, but "
            f"got {bins}"
        )
    if not 0 < hop_length <= win_length:
        raise RuntimeError(f"{where} : expected 0 < hop_length <= win_length")
    if not 0 < win_length <= n_fft:
        raise RuntimeError(f"{where} : expected 0 < win_length <= n_fft")
    if window is not None and (window.ndim != 1 or window.shape[0] != win_length):
        raise RuntimeError(f"{where} : Invalid window shape. window has to be 1D and length of `win_length`")
    frames = spectrum.transpose(1, 2)
    scale = 1 / math.sqrt(n_fft) if normalized else 1 / n_fft
    if return_complex:
        if onesided:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        frames = fft_c2c.function(frames, (2,), scale, False)
    else:
        if not onesided:
            frames = frames[..., : n_fft // 2 + 1]
        frames = fft_c2r.function(frames, (2,), scale, n_fft)
    full = _full_window(window, win_length, n_fft, frames)
    frames = frames * full
    expected = n_fft + hop_length * (count - 1)
    index = tensors.wrap((k.arange(count)[:, None] * hop_length + k.arange(n_fft)).reshape(-1))
    batch = frames.shape[0]
    signal = frames.new_zeros((batch, expected)).index_add(1, index, frames.reshape(batch, -1))
    squares = full * full
    envelope = squares.new_zeros(expected).index_add(0, index, squares.expand(count, n_fft).reshape(-1))
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else expected - n_fft // 2 if center else expected
    kept = min(end, expected)
    signal, envelope = signal[:, start:kept], envelope[start:kept]
    if envelope.numel() and k.abs(envelope._array).min() < 1e-11:
        raise RuntimeError(f"{where} : window overlap add min: 1")
    signal = signal / envelope
    if end > expected:
        signal = tensors.cat([signal, signal.new_zeros((batch, end - expected))], 1)
    return signal[0] if single else signal


attach("Tensor.stft", stft)
