"""Matrix products: our own where `blas.products` has them, else by the BLAS inside NumPy."""

import math
from typing import Any

import numpy as np

from ..core.layout import place
from .activation import relu
from .blas import by_numpy, products
from .compiler import usable
from .elementwise import multiply
from .library.dot import dot as dot_kernel
from .memory import row_major
from .quiet import SILENT, restore, silence
from .reduction import ORDERED

_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)
_BOOL = np.dtype(np.bool_)
_empty = np.empty
ndarray = np.ndarray


def _low(x: Any) -> bool:
    return x.dtype.itemsize == 2 and x.dtype.kind in "fV"


def matmul(a: Any, b: Any, into: Any = None) -> Any:
    """`a @ b`, broadcast over leading dimensions; half precision multiplies in float32."""
    own = products(a.dtype) if a.__class__ is ndarray else None
    if own is not None:
        out = _own_matmul(own, a, b, into)
        if out is not None:
            return out
    elif _low(a):
        return matmul(a.astype(_F32), b.astype(_F32)).astype(a.dtype)
    token = silence(SILENT)
    try:
        if a.ndim == 2 and b.ndim == 2 and a.dtype is not _BOOL:
            return _in_parts(a, b, None)
        return by_numpy(np.matmul, a, b)
    finally:
        restore(token)


def inner(a: Any, b: Any) -> Any:
    """The dot product of two vectors of one dtype and length; of float32 and float64 in PyTorch's order (see `library/dot.py`)."""
    dtype = a.dtype
    if dtype is not _F32 and dtype is not _F64 or a.__class__ is not ndarray or b.__class__ is not ndarray:
        return inner(a.astype(_F32), b.astype(_F32)).astype(dtype) if _low(a) else matmul(a, b)
    if usable() and a.flags.aligned and b.flags.aligned:
        size = dtype.itemsize
        return dot_kernel(size)(_empty((), dtype), a, b, float(a.size), a.strides[0] / size, b.strides[0] / size)
    token = silence(SILENT)
    try:
        if a.size > ORDERED:
            return np.asarray(by_numpy(np.dot, a, b))
        return np.asarray(_inner(a, b, 16 // dtype.itemsize))
    finally:
        restore(token)


def _inner(a: Any, b: Any, lanes: int) -> Any:
    """The same in NumPy; `lanes`: elements in a register of 16 bytes."""
    n, size, products = len(a), a.itemsize, a * b
    if n > 1 and (a.strides[0] != size or b.strides[0] != size):
        return _chain(products) if lanes == 4 else _chain(products[::2]) + _chain(products[1::2])
    head = min(n, -b.ctypes.data % 16 // size)
    sums = np.zeros((4, lanes), a.dtype)
    sums[0, 0] = _chain(products[:head])
    level = lanes == 2 or (a.ctypes.data + head * size) % 16 == 0
    done = head
    for registers in (4, 2, 1) if lanes == 4 and level else (4, 1) if level else (1,):
        turns = (n - done) // (registers * lanes) if level else min((n - done) // lanes, 1)
        end = done + turns * registers * lanes
        groups = products[done:end].reshape(turns, registers, lanes)
        sums[:registers] = np.add.reduce(np.concatenate([sums[None, :registers], groups]), 0)
        done = end
    sums[0, 0] = _chain(np.concatenate([sums[0, :1], products[done:]]))
    total = sums[0] + sums[1] + sums[2] + sums[3]
    return (total[0] + total[2]) + (total[1] + total[3]) if lanes == 4 else total[0] + total[1]


def _chain(terms: Any) -> Any:
    """Their sum, one after the other."""
    return np.add.accumulate(terms)[-1] + terms.dtype.type(0) if len(terms) else terms.dtype.type(0)


def _in_parts(a: Any, b: Any, bias: Any) -> Any:
    """`a @ b + bias` of matrices by NumPy's BLAS; float32 in the parts of k that our own products add up (`library/products.py`).

    Most elements are then PyTorch's bit for bit, where the whole of k at once would give a tenth of them.
    """
    from .library.products import DEPTH

    k = a.shape[1]
    depth = DEPTH if k >= 2 * DEPTH else k // 2 if k > DEPTH else k
    if a.dtype is not _F32 or b.dtype is not _F32 or depth == k:
        result = by_numpy(np.dot, a, b)
        if bias is not None:
            result += bias
        return result
    result = by_numpy(np.dot, a[:, :depth], b[:depth])
    if bias is not None:
        result += bias
    for start in range(depth, k, depth):
        result += by_numpy(np.dot, a[:, start : start + depth], b[start : start + depth])
    return result


def _own_matmul(own: Any, a: Any, b: Any, into: Any) -> Any:
    """The product by our own functions, or None where they do not take it."""
    m, n = a.shape, b.shape
    dims = len(n)
    if dims < 2 or len(m) < 2:
        return None
    if dims == 2:
        out = _empty(m[:-1] + n[1:], a.dtype) if into is None else place(into, m[:-1] + n[1:], a.dtype)
        function = own.input_gradient
        if function(out, a, b) is out:
            return out
    else:
        function = own.matmul
        batch = m[:-2] if m[:-2] == n[:-2] else np.broadcast_shapes(m[:-2], n[:-2])
        shape = (*batch, m[-2], n[-1])
        out = _empty(shape, a.dtype) if into is None else place(into, shape, a.dtype)
        if function(out, a, b) is out:
            return out
    if b.__class__ is not ndarray or b.dtype is not a.dtype:
        return None
    return out if function(out, _plain(a), _plain(b)) is out else None


def _plain(x: Any) -> Any:
    """A row-major copy of an array that is not row-major, which our own functions take.

    A copy costs less than handing the product to NumPy: the threads of its BLAS go on spinning for a while and slow down
    whatever ours do next.
    """
    return x if x.flags.c_contiguous else row_major(x)


def dot(a: Any, b: Any, out: Any = None) -> Any:
    """`np.dot` of two matrices of one dtype, into `out` if given."""
    own = products(a.dtype) if a.__class__ is ndarray else None
    if own is not None:
        result = _empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out
        if own.matmul(result, a, b) is result or own.matmul(result, _plain(a), _plain(b)) is result:
            return result
    return by_numpy(np.dot, a, b, out)


def added(summand: Any, a: Any, b: Any, into: Any = None, beta: Any = 1, alpha: Any = 1) -> Any:
    """`beta * summand + alpha * (a @ b)` of matrices, or of batches, in one pass; None where there is none of ours.

    `into` may be the summand. PyTorch's library has the numbers in the summand and in the second factor; its own loops, which
    serve batches of small matrices, multiply the product.
    """
    own = products(a.dtype) if a.__class__ is ndarray else None
    if own is None or summand.dtype is not a.dtype or a.ndim == 2 and not (a.flags.forc and b.flags.forc):
        return None
    if a.shape[-1] != b.shape[-2]:
        return None
    if alpha != 1:
        if a.ndim > 2 and _few(a, b):
            return None
        b = multiply(b, alpha)
    if beta != 1:
        summand = multiply(summand, beta)
        if summand.dtype is not a.dtype:
            return None
    out = place(into, a.shape[:-1] + b.shape[-1:], a.dtype)
    try:
        if out is not summand:
            out[...] = summand
    except ValueError:
        return None
    return out if own.matmul_add(out, a, b) is out else None


def _few(a: Any, b: Any) -> bool:
    """Whether the matrices of batches are so small that PyTorch multiplies them by loops of its own."""
    from .library.products import FEW_PRODUCTS

    return a.shape[-2] * a.shape[-1] * b.shape[-1] < FEW_PRODUCTS


def linear(x: Any, weight: Any, bias: Any) -> Any:
    """`x @ weight.T + bias`: `x` of shape (..., in), `weight` (out, in), `bias` (out) or None."""
    dtype = x.dtype
    own = products(dtype) if x.__class__ is ndarray else None
    if own is not None:
        out = _empty(x.shape[:-1] + weight.shape[:-1], dtype)
        # Of a batch that is not row-major PyTorch adds the bias in a pass of its own.
        function = own.linear if x.ndim < 3 or x.flags.c_contiguous else own.linear_late
        if function(out, x, weight, bias) is out or function(out, _plain(x), _plain(weight), bias) is out:
            return out
    elif dtype.itemsize == 2 and dtype.kind in "fV":
        return linear(x.astype(_F32), weight.astype(_F32), None if bias is None else bias.astype(_F32)).astype(dtype)
    token = silence(SILENT)
    try:
        if x.ndim == 2:
            y = _in_parts(x, weight.T, bias)
        else:
            shape = x.shape
            y = _in_parts(x.reshape(math.prod(shape[:-1]), shape[-1]), weight.T, bias).reshape(shape[:-1] + weight.shape[:-1])
        return y if y.dtype is dtype else y.astype(dtype)
    finally:
        restore(token)


def linear_relu(x: Any, weight: Any, bias: Any) -> Any:
    """`relu(linear(x, weight, bias))`; our own product writes it in one pass."""
    own = products(x.dtype) if x.__class__ is ndarray else None
    if own is not None:
        out = _empty(x.shape[:-1] + weight.shape[:-1], x.dtype)
        if own.linear_relu(out, x, weight, bias) is out:
            return out
    return relu(linear(x, weight, bias))


def linear_weight_gradient(grad: Any, x: Any) -> Any:
    """The gradient of `weight` in `x @ weight.T`: the sum over rows of outer products, of shape (out, in)."""
    own = products(grad.dtype) if grad.__class__ is ndarray else None
    if own is not None:
        out = _empty(grad.shape[-1:] + x.shape[-1:], grad.dtype)
        if own.weight_gradient(out, grad, x) is out or own.weight_gradient(out, _plain(grad), _plain(x)) is out:
            return out
    return matmul(grad.reshape(-1, grad.shape[-1]).T, x.reshape(-1, x.shape[-1]))
