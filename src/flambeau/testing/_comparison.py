"""`assert_close`: two values, or nested containers of values, are equal up to rounding."""

import cmath
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core import dtype as dt
from ..core.dtype import dtype
from ..core.promotion import promote_types
from ..tensor import Tensor, wrap

TOLERANCES = {
    dt.float16: (1e-3, 1e-5), dt.bfloat16: (1.6e-2, 1e-5), dt.float32: (1.3e-6, 1e-5), dt.float64: (1e-7, 1e-7),
    dt.complex64: (1.3e-6, 1e-5), dt.complex128: (1e-7, 1e-7),
}  # fmt: skip
"""rtol and atol per dtype; (0, 0) for the others."""


def default_tolerances(*inputs: Any) -> tuple[float, float]:
    """The loosest tolerances of some tensors or dtypes."""
    pairs = [TOLERANCES.get(x if isinstance(x, dtype) else x.dtype, (0.0, 0.0)) for x in inputs]
    return max(r for r, _ in pairs), max(a for _, a in pairs)


class _Options:
    """What `assert_close` was asked for."""

    def __init__(
        self, rtol: Any, atol: Any, equal_nan: bool, device: bool, dtype: bool, layout: bool, stride: bool, subclasses: bool
    ) -> None:
        self.rtol, self.atol, self.equal_nan, self.subclasses = rtol, atol, equal_nan, subclasses
        self.check_device, self.check_dtype, self.check_layout, self.check_stride = device, dtype, layout, stride


class _Failure(Exception):
    """A mismatch: the kind of error, its text, and the place in the containers."""

    def __init__(self, kind: type[Exception], text: str, path: tuple[Any, ...]) -> None:
        self.kind, self.text, self.path = kind, text, path


def _compare(a: Any, b: Any, path: tuple[Any, ...], options: _Options, msg: Any) -> None:
    if isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str) and not isinstance(b, str):
        if len(a) != len(b):
            raise _Failure(AssertionError, f"The length of the sequences mismatch: {len(a)} != {len(b)}", path)
        for i, (x, y) in enumerate(zip(a, b)):
            _compare(x, y, (*path, i), options, msg)
    elif isinstance(a, Mapping) and isinstance(b, Mapping):
        missing, extra = set(b) - set(a), set(a) - set(b)
        if missing or extra:
            raise _Failure(
                AssertionError,
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(missing)}\nAdditional keys in the actual mapping: {sorted(extra)}",
                path,
            )
        try:
            keys = sorted(a)
        except TypeError:
            keys = list(a)
        for key in keys:
            _compare(a[key], b[key], (*path, key), options, msg)
    elif a is None or b is None:
        if a is not b:
            raise _Failure(AssertionError, f"None mismatch: {a} is not {b}", path)
    elif isinstance(a, (bool, np.bool_)) and isinstance(b, (bool, np.bool_)):
        if bool(a) is not bool(b):
            raise _Failure(AssertionError, f"Booleans mismatch: {bool(a)} is not {bool(b)}", path)
    elif isinstance(a, (int, float, complex, np.number)) and isinstance(b, (int, float, complex, np.number)):
        _compare_numbers(a, b, path, options)
    elif _tensor_like(a, b, options):
        _compare_tensors(_as_tensor(a), _as_tensor(b), path, options)
    else:
        raise _Failure(TypeError, f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}.", path)


def _tensor_like(a: Any, b: Any, options: _Options) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return True
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return False
    related = isinstance(a, type(b)) or isinstance(b, type(a))
    return related if options.subclasses else type(a) is type(b)


def _as_tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    from ..ops.from_data import from_numpy

    return from_numpy(value)


def _resolve(options: _Options, *dtypes: Any) -> tuple[float, float]:
    if options.rtol is not None:
        return options.rtol, options.atol
    return default_tolerances(*dtypes)


def _number_dtype(x: Any) -> Any:
    return dt.int64 if isinstance(x, (int, np.integer)) else dt.complex128 if isinstance(x, (complex, np.complexfloating)) else dt.float64


def _compare_numbers(a: Any, b: Any, path: tuple[Any, ...], options: _Options) -> None:
    a, b = (x.item() if isinstance(x, np.generic) else x for x in (a, b))
    if options.check_dtype and type(a) is not type(b):
        raise _Failure(AssertionError, f"The (d)types do not match: {type(a)} != {type(b)}.", path)
    rtol, atol = _resolve(options, _number_dtype(a), _number_dtype(b))
    text = _scalar_mismatch(a, b, rtol, atol, options.equal_nan)
    if text:
        raise _Failure(AssertionError, text, path)


def _scalar_mismatch(a: Any, b: Any, rtol: float, atol: float, equal_nan: bool) -> str:
    if a == b or (equal_nan and cmath.isnan(a) and cmath.isnan(b)):
        return ""
    difference = abs(a - b)
    if cmath.isfinite(a) and difference <= atol + rtol * abs(b) and difference != float("inf"):
        return ""
    relative = difference / abs(b) if b != 0 else float("inf")
    exact = rtol == 0 and atol == 0
    allowed = ("", "") if exact else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {b} but got {a}.\n"
        f"Absolute difference: {difference}{allowed[0]}\nRelative difference: {relative}{allowed[1]}"
    )


def _compare_tensors(a: Tensor, b: Tensor, path: tuple[Any, ...], options: _Options) -> None:
    def differ(name: str, x: Any, y: Any) -> _Failure:
        return _Failure(AssertionError, f"The values for attribute '{name}' do not match: {x} != {y}.", path)

    if a.shape != b.shape:
        raise differ("shape", a.shape, b.shape)
    if options.check_layout and a.layout != b.layout:
        raise differ("layout", a.layout, b.layout)
    if options.check_device and a.device != b.device:
        raise differ("device", a.device, b.device)
    if options.check_dtype and a.dtype is not b.dtype:
        raise differ("dtype", a.dtype, b.dtype)
    if hasattr(a._array, "layout") or hasattr(b._array, "layout"):
        return _compare_sparse(a, b, path, options)
    if options.check_stride and a.stride() != b.stride():
        raise differ("stride()", a.stride(), b.stride())
    if a.is_meta or b.is_meta:
        return
    rtol, atol = _resolve(options, a, b)
    x, y = a._array, b._array
    common = a.dtype if a.dtype is b.dtype else promote_types(a.dtype, b.dtype)
    # As PyTorch compares: integers as int64, half precision in its own rounding of differences, the rest as it is.
    x, y = (v.astype(np.int64) if common.kind < 2 and common is not dt.uint64 else v.astype(common.numpy) for v in (x, y))
    with np.errstate(all="ignore"):
        if common.numpy.itemsize == 2 and common.kind == 2:
            x, y = x.astype(np.float32), y.astype(np.float32)
        close = x == y
        if options.equal_nan and common.kind >= 2:
            close |= np.isnan(x) & np.isnan(y)
        if rtol or atol:
            difference = np.abs(x - y)
            close |= np.isfinite(difference) & (difference <= atol + np.abs(rtol * y))
        if close.all():
            return
        raise _Failure(AssertionError, _tensor_mismatch(x, y, close, rtol, atol, common.numpy), path)


def _compare_sparse(a: Tensor, b: Tensor, path: tuple[Any, ...], options: _Options) -> None:
    """Compares the places and the values of two sparse tensors of one layout; of two layouts, all elements."""
    if a.layout is not b.layout:
        x, y = (t if t.layout.name == "strided" else t.to_dense() for t in (a, b))
        return _compare_tensors(x, y, path, options)
    x, y = a._array, b._array
    if a.is_sparse:
        kind = "COO"
        parts = [("indices", x.indices, y.indices)]
    else:
        kind = x.layout[7:].upper()
        parts = [(f"{x.names[0]}_indices", x.compressed, y.compressed), (f"{x.names[1]}_indices", x.plain, y.plain)]
    if x.nnz != y.nnz:
        said = f"The number of specified values in sparse {kind} tensors does not match: {x.nnz} != {y.nnz}"
        raise _Failure(AssertionError, said, path)
    for name, mine, theirs in (*parts, ("values", x.values, y.values)):
        try:
            _compare_tensors(wrap(mine), wrap(theirs), path, options)
        except _Failure as failure:
            raise _Failure(AssertionError, failure.text.replace("Tensor-likes", f"Sparse {kind} {name}"), path) from None


def _tensor_mismatch(x: Any, y: Any, close: Any, rtol: float, atol: float, element: Any) -> str:
    """The report: the number of mismatches and the greatest differences, rounded as the dtype `element` rounds them."""
    if x.ndim == 0:
        return _scalar_mismatch(x.item(), y.item(), rtol, atol, False)
    exact = rtol == 0 and atol == 0
    total, wrong = close.size, int(close.size - close.sum())
    difference = np.abs(x - y)
    relative = difference / np.abs(y) if difference.dtype.kind == "f" else difference.astype(np.float32) / np.abs(y).astype(np.float32)
    difference = np.where(close, np.zeros((), difference.dtype), difference)
    relative = np.where(close, np.zeros((), relative.dtype), relative)
    if element.itemsize == 2 and difference.dtype.kind == "f":
        difference, relative = difference.astype(element).astype(np.float32), relative.astype(element).astype(np.float32)

    def line(kind: str, values: Any, allowed: float) -> str:
        flat = values.reshape(-1)
        where = int(np.argmax(flat))
        index = tuple(int(i) for i in np.unravel_index(where, values.shape))
        limit = "" if exact else f" (up to {allowed} allowed)"
        return f"Greatest {kind} difference: {flat[where].item()} at index {index}{limit}"

    return (
        f"Tensor-likes are not {'equal' if exact else 'close'}!\n\nMismatched elements: {wrong} / {total} ({wrong / total:.1%})\n"
        f"{line('absolute', difference, atol)}\n{line('relative', relative, rtol)}\n"
    ).rstrip("\n")


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raises AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere, and dtypes and so on agree.

    Both may be tensors, arrays, numbers, None, or sequences and mappings of such. The tolerances depend on the dtype where none
    are given. `msg` replaces the text, or is called with it. Raises ValueError for one tolerance without the other, TypeError
    for what cannot be compared.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {'rtol' if rtol is None else 'atol'}.")
    options = _Options(rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride, allow_subclasses)
    try:
        _compare(actual, expected, (), options, msg)
    except _Failure as failure:
        place = "".join(f"[{key!r}]" for key in failure.path)
        text = failure.text + (f"\n\nThe failure occurred for item {place}" if place else "")
        if failure.kind is AssertionError and msg is not None:
            text = msg(text) if callable(msg) else msg
        error = failure.kind(text)
    else:
        return
    raise error


def assert_allclose(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None, equal_nan: bool = True, msg: str = ""
) -> None:
    """`assert_close` without a look at dtypes and devices; deprecated in PyTorch."""
    import warnings

    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please use "
        "`torch.testing.assert_close()` instead. You can find detailed upgrade instructions in "
        "https://github.com/pytorch/pytorch/issues/61844.",
        FutureWarning,
        stacklevel=2,
    )
    if not isinstance(actual, Tensor):
        from ..ops.from_data import tensor

        actual = tensor(actual)
    if not isinstance(expected, Tensor):
        from ..ops.from_data import tensor

        expected = tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        rtol, atol = default_tolerances(actual, expected)
    assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_device=True,
        check_dtype=False,
        check_stride=False,
        msg=msg or None,
    )
