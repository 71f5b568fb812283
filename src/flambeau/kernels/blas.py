"""Matrix products of float32 and float64: our own (`library/products.py`), compiled when the first is asked for.

Each function writes into `out`, which the caller has allocated, and returns it; where an array is not what the function
takes (another dtype, class or byte order, a matrix without unit stride in either dimension, a shape that does not fit), it
writes nothing and returns its second argument. Nothing else is checked or has to be.

    own = blas.products(dtype)          None where there are none: use np.matmul
    own.matmul(out, a, b)               a @ b: matrices, or batches that broadcast to the shape of `out`
    own.matmul_add(out, a, b)           out += a @ b
    own.linear(out, x, weight, bias)    x @ weight.T + bias; x (..., in), weight (out, in), bias (out) or None
    own.linear_late(...)                the same, the bias added at the end, which of a long row is another rounding
    own.linear_relu(...)                the same and max(., 0) behind it
    own.input_gradient(out, grad, weight)    grad @ weight, leading dimensions of grad (..., out) as rows
    own.weight_gradient(out, grad, x)   grad.T @ x, leading dimensions of both as rows

Measured on a Zen 5 core against the OpenBLAS inside NumPy 2.4 (its kernels for that CPU use AVX2), ours / OpenBLAS in time:

    rows x k x columns      float32, AVX-512   float32, AVX2
    32 x 20 x 50                 0.28              0.4         the call itself is shorter
    32 x 784 x 128               0.5               1.0
    1024 x 384 x 1536            0.5               1.0
    2048 x 512 x 10000           0.6               1.0

So ours are used for all sizes on CPUs with AVX2 or AVX-512, and on no others; two threads never wait in OpenBLAS's pool.
One row times a matrix that fills the cache goes to `np.dot`, which reads it in the order of memory.
"""

import threading
from functools import cache
from typing import Any, Callable, NamedTuple

import numpy as np

from .compiler import threads, usable


class Products(NamedTuple):
    """The functions of one dtype."""

    matmul: Any
    matmul_add: Any
    linear: Any
    linear_late: Any
    linear_relu: Any
    weight_gradient: Any
    input_gradient: Any


_ELEMENTS = {np.dtype(np.float32): ("float", "f32"), np.dtype(np.float64): ("double", "f64")}
_made: dict[Any, Products | None] = {}


def products(dtype: Any) -> Products | None:
    """The products of a dtype, or None where there are none of ours."""
    try:
        return _made[dtype]
    except KeyError:
        _made[dtype] = made = _make(dtype)
        return made


def vector_bits() -> int:
    """The width of this CPU's vectors if products are worth compiling for them, else 0."""
    from .compiler import machine

    bits = machine.vector_bits()
    return bits if bits == 512 or bits == 256 and "fma" in machine.features() else 0


def _make(dtype: Any) -> Products | None:
    if dtype not in _ELEMENTS or not usable():
        return None
    bits = vector_bits()
    if not bits:
        return None
    from .compiler.jit import python_functions
    from .library.product_entries import module, offers

    element, kind = _ELEMENTS[dtype]
    names = [f"flambeau_{name}_{kind}" for name in Products._fields]
    return Products(*python_functions(module(element, bits), *names, offers=offers(kind), loops=False))


@cache
def attention(dtype: Any, flash: bool) -> tuple[Any, Any] | None:
    """Attention without the matrix of scores and its backward, or None where there is none.

    flash: as PyTorch's fused kernel computes it (`library/flash_attention.py`), else as its operators (`library/fused_attention.py`).
    """
    if products(dtype) is None:
        return None
    from .compiler.jit import python_functions

    if flash:
        from .library.flash_attention import module
    else:
        from .library.fused_attention import module
    element, kind = _ELEMENTS[dtype]
    name = "flash" if flash else "attention"
    names = (f"flambeau_{name}_{kind}", f"flambeau_{name}_backward_{kind}")
    forward, backward = python_functions(module(element, vector_bits()), *names, loops=False)
    return forward, backward


# --- the BLAS inside NumPy ------------------------------------------------------------------------------------------------

_limiting = threading.Lock()


@cache
def blas_threads() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """How many threads NumPy's OpenBLAS uses, and how to set that; None where NumPy has another library."""
    import ctypes
    from pathlib import Path

    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in folder.glob("*scipy_openblas64_*"):
            try:
                library = ctypes.CDLL(str(path))
                return library.scipy_openblas_get_num_threads64_, library.scipy_openblas_set_num_threads64_
            except (OSError, AttributeError):
                continue
    return None


def by_numpy(function: Callable[..., Any], *arguments: Any) -> Any:
    """`np.matmul` or the like, on no more threads than `set_num_threads` allows; NumPy's own number is as before afterwards."""
    limit = threads.count()
    if limit >= threads.cores():
        return function(*arguments)
    known = blas_threads()
    if known is None:
        return function(*arguments)
    get, put = known
    with _limiting:
        before = get()
        if before <= limit:
            return function(*arguments)
        put(limit)
        try:
            return function(*arguments)
        finally:
            put(before)
