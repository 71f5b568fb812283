"""`torch.linalg`, what is made of factorisations: norms, ranks, condition numbers, products of several matrices, tensors."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import broadcast_shapes, normalize_dim
from ..kernels import linalg as k
from . import matmul as products
from .decompositions import cut_of, linalg_svd_parts
from .definition import NAMES, Array, composite, operator, tensors, write_out
from .reduction import vector_norm
from .running import refuse, same_scalar_type
from .solving import check_floating, check_matrix, check_square, inv, solve, type_name


def _done(result: Any, out: Any) -> Any:
    return result if out is None else write_out(result, out, sys._getframe(1).f_code.co_name)


# --- norms -------------------------------------------------------------------------------------------------------------


@composite("linalg.matrix_norm")
def matrix_norm(A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Any:
    """The norm of matrices: "fro", "nuc", +-1, +-2 or +-inf."""
    if A.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dim))}")
    if A._array.dtype.kind in "iub":
        raise RuntimeError(f"linalg.matrix_norm: Expected a floating point or complex tensor as input. Got {type_name(A._array)}")
    first, second = (normalize_dim(d, A.ndim) for d in dim)
    if first == second:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    if dtype is not None:
        if dtype.is_complex and not A.dtype.is_complex:
            raise RuntimeError(f"linalg.matrix_norm: dtype should be real for real inputs, but got {SCALAR_NAMES[dtype]}")
        A = A.to(dtype)
    if ord in ("fro", "nuc"):
        if ord == "fro":
            return _done(vector_norm.function(A, 2, (first, second), keepdim), out)
    elif isinstance(ord, str):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    elif abs(ord) not in (1, 2, math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord:g} not supported.")
    if ord in ("nuc", 2, -2):
        values = linalg_svd_parts.function(A.movedim((first, second), (-2, -1)), False, False)[1]
        result = values.sum(-1) if ord == "nuc" or ord == 2 and not values.shape[-1] else values.amax(-1) if ord == 2 else values.amin(-1)
        if keepdim:
            for d in sorted((first, second)):
                result = result.unsqueeze(d)
        return _done(result, out)
    along, over = (first, second) if abs(ord) == 1 else (second, first)
    if not keepdim and over > along:
        over -= 1
    sums = vector_norm.function(A, 1, along, keepdim)
    if ord > 0 and sums.ndim and not sums.shape[over]:
        return _done(sums.sum(over, keepdim), out)
    return _done(sums.amax(over, keepdim) if ord > 0 else sums.amin(over, keepdim), out)


tensors.matrix_norm = matrix_norm


@composite("linalg.norm", formula=False)
def norm(A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Any:
    """The norm of a vector or matrix; of all elements where neither `ord` nor `dim` is given."""
    if isinstance(dim, int):
        dim = (dim,)
    if ord is not None and dim is None and not isinstance(ord, str) and A.ndim > 2:
        raise RuntimeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D.")
    if isinstance(ord, str):
        if dim is None and A.ndim > 2:
            raise RuntimeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D.")
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    if dim is not None and len(dim) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dim)}")
    if ord is not None and ((dim is None and A.ndim == 2) or (dim is not None and len(dim) == 2)):
        return matrix_norm(A, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    return _done(vector_norm.function(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype), out)


@composite("linalg.cond")
def cond(A: Any, p: Any = None, *, out: Any = None) -> Any:
    """The condition number in the norm `p`: the product of the norms of A and of its inverse."""
    if A.ndim < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if p in (None, 2, -2):
        values = linalg_svd_parts.function(A, False, False)[1]
        if not A.numel():
            return _done(tensors.zeros_like(values.sum(-1)), out)
        result = values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
        return _done(result, out)
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if not isinstance(p, str) and abs(p) not in (1, math.inf):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p:g}")
    check_square(f"linalg.cond(ord={p if isinstance(p, str) else f'{p:g}'})", A._array)
    inverse, info = tensors.linalg_inv_ex(A)
    result = matrix_norm(A, p) * matrix_norm(inverse, p)
    if info._array.any():
        result = result.masked_fill(info != 0, math.inf)
    return _done(result, out)


@composite("linalg.matrix_rank")
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None, out: Any = None) -> Any:
    """How many singular values exceed `max(atol, rtol * largest)`."""
    check_matrix("torch.linalg.matrix_rank", A._array, "input")
    check_floating("linalg.matrix_rank", A._array)
    if tol is not None:
        atol, rtol = tol, 0.0
    if hermitian:
        check_square("linalg.matrix_rank", A._array)
    values = k.abs(k.eigh(A._array, "L")[0] if hermitian else k.svd(A._array, False, False)[1])
    rank = (values > cut_of("linalg.matrix_rank", A, atol, rtol, values)[..., None]).sum(-1)
    return _done(tensors.wrap(k.asarray(rank, np.int64)), out)


# --- products ------------------------------------------------------------------------------------------------------------


def _multiplied(name: str, given: Any) -> Any:
    """The product in the order that takes the fewest multiplications."""
    count = len(given)
    if count < 2:
        raise RuntimeError(f"{name}(): expected at least 2 tensors but got {count}")
    for i, x in enumerate(given):
        if i in (0, count - 1):
            if x.ndim not in (1, 2):
                raise RuntimeError(f"{name}(): the {'first' if i == 0 else 'last'} tensor must be 1D or 2D but got {x.ndim}D")
        elif x.ndim != 2:
            raise RuntimeError(f"{name}(): tensor {i} must be 2D but got {x.ndim}D")
    chain = list(given)
    if chain[0].ndim == 1:
        chain[0] = chain[0][None]
    if chain[-1].ndim == 1:
        chain[-1] = chain[-1][:, None]
    for i in range(1, count):
        if chain[i - 1].shape[-1] != chain[i].shape[0]:
            shapes = [list(given[j].shape) for j in (i - 1, i)]
            raise RuntimeError(f"{name}(): tensors {i - 1} and {i} with shapes {shapes[0]} and {shapes[1]} cannot be multiplied")
    sizes = [x.shape[0] for x in chain] + [chain[-1].shape[1]]
    cost = [[0] * count for _ in range(count)]
    split = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [(cost[i][s] + cost[s + 1][j] + sizes[i] * sizes[s + 1] * sizes[j + 1], s) for s in range(i, j)]
            cost[i][j], split[i][j] = min(options)

    def product(i: int, j: int) -> Any:
        return chain[i] if i == j else product(i, split[i][j]) @ product(split[i][j] + 1, j)

    result = product(0, count - 1)
    if given[0].ndim == 1:
        result = result[0]
    return result[..., 0] if given[-1].ndim == 1 else result


@composite("linalg.multi_dot")
def multi_dot(tensors: Any, *, out: Any = None) -> Any:
    """The product of two or more matrices, in the order that takes the fewest multiplications."""
    return _done(_multiplied("multi_dot", tensors), out)


NAMES["linalg"]["matmul"] = products.matmul.function


@composite("linalg.diagonal")
def linalg_diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonals of matrices, as a view (see `Tensor.diagonal`)."""
    return A.diagonal(offset, dim1, dim2)


@operator("linalg.cross", node="LinalgCrossBackward0")
def linalg_cross(input: Array, other: Array, *, dim: int = -1) -> Array:
    """The vector product along a dimension of length 3."""
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    axis = normalize_dim(dim, input.ndim)
    if input.shape[axis] != 3 or other.shape[axis] != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[axis]} and {other.shape[axis]}")
    if input.shape != other.shape:
        broadcast_shapes(input.shape, other.shape)
    a, b = k.broadcast_arrays(input, other) if input.shape != other.shape else (input, other)
    same_scalar_type(input, other)
    if input.dtype.kind == "b":
        refuse(input, "cross")
    return k.cross(a, b, axis)


linalg_cross.derivative(
    input=lambda F, grad, other, dim: F.linalg_cross(F.conj(other) + grad * 0, grad, dim=dim),
    other=lambda F, grad, input, dim: F.linalg_cross(grad, F.conj(input) + grad * 0, dim=dim),
)


@composite("torch.cross", "Tensor.cross")
def cross(input: Any, other: Any, dim: int | None = None, *, out: Any = None) -> Any:
    """`linalg.cross` along `dim`, or along the first dimension of length 3."""
    if dim is None:
        import warnings

        warnings.warn(
            "Using torch.cross without specifying the dim arg is deprecated.\nPlease either pass the dim explicitly or simply use "
            "torch.linalg.cross.\nThe default value of dim will change to agree with that of linalg.cross in a future release.",
            stacklevel=3,
        )
        dim = next((i for i, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    return _done(linalg_cross.function(input, other, dim=dim), out)


@composite("linalg.vecdot")
def vecdot(x: Any, y: Any, *, dim: int = -1, out: Any = None) -> Any:
    """The sum of `conj(x) * y` along a dimension."""
    if x.dtype != y.dtype:
        raise RuntimeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, but found x of type {type_name(x._array)} and y of type "
            f"{type_name(y._array)} instead"
        )
    if x.ndim == 1 and y.ndim == 1:
        return _done(tensors.vdot(x, y), out)
    return _done((x.conj() * y).sum(dim), out)


@operator("torch.trace", "Tensor.trace")
def trace(input: Array) -> Array:
    """The sum of the diagonal of a matrix."""
    if input.ndim != 2:
        raise RuntimeError("trace: expected a matrix, but got tensor with dim %d" % input.ndim)
    if input.dtype.kind == "b":
        refuse(input, "trace")
    if input.dtype.itemsize == 2:
        return k.asarray(np.add.reduce(k.diagonal(input).astype(np.float32)).astype(input.dtype))
    return k.asarray(k.trace(input, dtype=np.int64 if input.dtype.kind in "iub" else input.dtype))


trace.derivative(input=lambda F, grad, input: F.eye_like(input, *input.shape) * grad)


# --- tensors ---------------------------------------------------------------------------------------------------------------


@composite("linalg.tensorinv")
def tensorinv(A: Any, ind: int = 2, *, out: Any = None) -> Any:
    """The inverse with respect to `tensordot` over the first `ind` dimensions."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    rows, columns = math.prod(A.shape[:ind]), math.prod(A.shape[ind:])
    if rows != columns:
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    return _done(inv(A.reshape(rows, rows)).reshape(*A.shape[ind:], *A.shape[:ind]), out)


@composite("linalg.tensorsolve")
def tensorsolve(A: Any, B: Any, dims: Any = None, *, out: Any = None) -> Any:
    """X with `tensordot(A, X, X.ndim) = B`."""
    if dims is not None:
        moved = [d % A.ndim for d in dims]
        A = A.permute([d for d in range(A.ndim) if d not in moved] + moved)
    shape = A.shape[B.ndim :]
    columns, rows = math.prod(shape), math.prod(A.shape[: B.ndim])
    if columns != rows:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but got "
            f"{columns} != {rows}"
        )
    return _done(solve(A.reshape(rows, rows), B.reshape(-1)).reshape(*shape), out)


@composite("linalg.vander", formula=False)
def vander(x: Any, N: int | None = None) -> Any:
    """Powers 0 to N - 1 of each element, along a new last dimension."""
    if x.dtype.kind == 0:
        raise RuntimeError("linalg.vander supports floating point, complex, and integer tensors, but got Bool")
    if x.ndim == 0:
        x = x[None] if N is not None else x
    if N is None and x.ndim == 0 or N is not None and N <= 1:
        raise RuntimeError("N must be greater than 1.")
    size = x.shape[-1] if N is None else N
    if size <= 1:
        raise RuntimeError("N must be greater than 1.")
    whole = OF_NUMPY[x._array.dtype].kind < 2
    ones = tensors.wrap(k.ones((*x.shape, 1), np.int64 if whole else x._array.dtype))
    powers = tensors.cumprod(x[..., None].expand(*x.shape, size - 1), -1)
    return tensors.cat([ones, powers], -1)
