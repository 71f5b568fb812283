"""What the operators do with tensors of the compressed sparse layouts: `FORMS` by operator."""

from __future__ import annotations

from typing import Any

from ..core.compressed import CompressedArray
from ..core.compressed import empty as empty_array
from ..core.dtype import SCALAR_NAMES
from ..core.layout import normalize_dim
from ..core.sparse import CooArray, Sparse, refusal
from ..kernels import sparse as k
from ..tensor import Tensor, wrap
from .compressed import compressed_from_parts, compressed_to_coo, reformatted, sampled_products, with_new_values
from .definition import ndarray, tensors
from .sparse import LAYOUT_WORDS, sparse_times_dense, stored
from .sparse_arithmetic import OF_VALUES
from .sparse_registry import Form, call, recorded_as

FORMS: dict[str, Form] = {}
"""By the name of the operator: its result for arguments of which one at least is compressed."""


def form(*names: str) -> Any:
    """Decorator: the compressed form of operators."""

    def register(function: Form) -> Form:
        FORMS.update(dict.fromkeys(names, function))
        return function

    return register


def run(op: Any, values: tuple[Any, ...]) -> Any:
    """The result of an operator of which an argument is compressed. Raises NotImplementedError where it has no form for that."""
    found = FORMS.get(op.name)
    if found is None and op.promote is not None:
        array = next(v._array for v in values if _layout(v))
        raise RuntimeError(f"unsupported tensor layout: {LAYOUT_WORDS[array.layout]}")
    if found is None:
        raise refusal(op.name, "SparseCsrCPU")
    result = found(*values)
    if result._node is not None and not any(result is v for v in values):
        recorded_as(result, op.node_name)
    return result


def _layout(x: Any) -> str:
    return x._array.layout if isinstance(x, Tensor) and isinstance(x._array, CompressedArray) else ""


def _of_values(name: str) -> Form:
    return lambda input, *args: with_new_values(input, call(name, stored.function(input), *args))


for _name in (*OF_VALUES.split(), "neg", "conj_physical", "conjugated", "to_dtype", "to_integer", "divided"):
    FORMS[_name] = _of_values(_name)


@form("clone")
def clone(input: Any, memory_format: Any = None) -> Any:
    """A copy of all parts."""
    array = input._array
    values = tensors.clone(stored.function(input))
    return compressed_from_parts.function(wrap(array.compressed.copy()), wrap(array.plain.copy()), values, array.shape, array.layout)


@form("zero")
def zero(input: Any) -> Any:
    """Nothing stored."""
    array = input._array
    return wrap(empty_array(array.layout, array.shape, array.dtype, array.block, array.dense_dim))


@form("fill")
def fill(input: Any, value: Any) -> Any:
    """The value at every place that is stored."""
    return with_new_values(input, tensors.fill(stored.function(input), value))


@form("copy")
def copy(input: Any, src: Any) -> Any:
    """What `copy_` puts in the place of `input`."""
    if _layout(input) != _layout(src):
        raise RuntimeError(
            "copy of sparse compressed tensors having different layouts is not supported."
            if _layout(input) and _layout(src)
            else "copy_() between dense and sparse Tensors is not implemented!"
        )
    return clone(src).to(input.dtype)


def _same_pattern(a: Any, b: Any) -> bool:
    x, y = a._array, b._array
    return x.layout == y.layout and x.block == y.block and all(
        p is q or p.shape == q.shape and (p == q).all() for p, q in ((x.compressed, y.compressed), (x.plain, y.plain))
    )  # fmt: skip


def _by_coordinates(function: Any, a: Any, b: Any, *args: Any) -> Any:
    """A function of two sparse tensors, in the layout of the first."""
    array = a._array
    result = function(compressed_to_coo(a, None), compressed_to_coo(b, None), *args)
    return reformatted.function(result, array.layout, array.block)


@form("add")
def add(input: Any, other: Any, alpha: Any = 1) -> Any:
    """The sum: dense if one of the two is, else in their layout."""
    if not isinstance(other, Tensor) or not isinstance(input, Tensor):
        raise RuntimeError("add(sparse_csr, number) is not supported")
    if input._array.shape != other._array.shape:
        raise RuntimeError(
            f"add: expected sizes of 'self' and 'other' to match, but {list(input._array.shape)} != {list(other._array.shape)}"
        )
    if not _layout(input) or not _layout(other):
        return tensors.add(input.to_dense(), other.to_dense(), alpha=alpha)
    if _layout(input) != _layout(other):
        raise RuntimeError(f"add: expected layouts of 'self' and 'other' to match, but got {_layout(input)} and {_layout(other)}")
    if _same_pattern(input, other):
        return with_new_values(input, tensors.add(stored.function(input), stored.function(other), alpha=alpha))
    if input._array.batch:
        raise NotImplementedError("add of batches of sparse compressed tensors with different places")
    return _by_coordinates(lambda a, b: tensors.add(a, b, alpha=alpha), input, other)


@form("mul")
def multiply(input: Any, other: Any) -> Any:
    """The product, element by element, in the layout of the one that is sparse."""
    if not _layout(input):
        return multiply(other, input)
    if not isinstance(other, Tensor) or not other._array.ndim and not _layout(other):
        return with_new_values(input, tensors.mul(stored.function(input), other))
    if not _layout(other):
        wide = other if other._array.shape == input._array.shape else tensors.expand(other, input._array.shape)
        picked = wide[tuple(wrap(p) for p in input._array.places())]
        return with_new_values(input, tensors.mul(stored.function(input), picked))
    if _layout(input) != _layout(other) or input._array.shape != other._array.shape:
        raise RuntimeError("Expects result to have the same layout and size")
    if _same_pattern(input, other):
        return with_new_values(input, tensors.mul(stored.function(input), stored.function(other)))
    if input._array.batch:
        raise NotImplementedError("mul of batches of sparse compressed tensors with different places")
    return _by_coordinates(tensors.mul, input, other)


@form("sum")
def sum(input: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The sum of all elements, dense, or along one or both dims of a matrix in CSR, which are kept."""
    if dim is None or isinstance(dim, (list, tuple)) and not dim:
        return tensors.sum(stored.function(input), dtype=dtype)
    array = input._array
    if array.layout != "sparse_csr":
        word = LAYOUT_WORDS[array.layout]
        raise RuntimeError(f"Currently the only compressed sparse format supported for sum.dim_IntList is CSR, but got layout {word}")
    if array.batch or array.dense_dim:
        raise refusal("sum.dim_IntList", "SparseCsrCPU")
    if not keepdim:
        raise RuntimeError("reduction operations on CSR tensors with keepdim=False is unsupported")
    dims = [normalize_dim(d, 2) for d in ([dim] if isinstance(dim, int) else dim)]
    result = tensors.sum(compressed_to_coo(input, None), dims, True, dtype=dtype)
    return reformatted.function(result, "sparse_csr", ())


# --- places ----------------------------------------------------------------------------------------------------------

_TURNED = {"sparse_csr": "sparse_csc", "sparse_csc": "sparse_csr", "sparse_bsr": "sparse_bsc", "sparse_bsc": "sparse_bsr"}


@form("t")
def transpose_matrix(input: Any) -> Any:
    """A matrix transposed: rows become columns, the parts stay."""
    return transpose(input, 0, 1)


@form("transpose")
def transpose(input: Any, dim0: Any, dim1: Any) -> Any:
    """The two sparse dims exchanged: the layout changes from rows to columns or back."""
    array = input._array
    lead = len(array.batch)
    a, b = sorted((normalize_dim(dim0, array.ndim), normalize_dim(dim1, array.ndim)))
    if a == b:
        return with_new_values(input, stored.function(input))
    if (a, b) != (lead, lead + 1):
        kinds = ["Batch" if d < lead else "Sparse" if d < lead + 2 else "Dense" for d in (a, b)]
        raise RuntimeError(
            f"transpose(): can only transpose dimensions of the same type (Batch, Sparse, Dense), got {a}({kinds[0]}) and {b}({kinds[1]})"
        )
    shape = list(array.shape)
    shape[a], shape[b] = shape[b], shape[a]
    values = stored.function(input)
    if array.block:
        values = tensors.transpose(values, lead + 1, lead + 2)
    return compressed_from_parts.function(wrap(array.compressed), wrap(array.plain), values, tuple(shape), _TURNED[array.layout])


@form("select")
def select(input: Any, dim: Any, index: Any) -> Any:
    """A matrix of a batch, or a row or column by coordinates."""
    array = input._array
    d = normalize_dim(dim, array.ndim)
    size = array.shape[d]
    if not -size <= index < size:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(array.shape)} at dimension {dim}")
    if d >= len(array.batch):
        return tensors.select(compressed_to_coo(input, None), d, index)
    index = int(index) % size
    parts = [tensors.select(x, d, index) for x in (wrap(array.compressed), wrap(array.plain), stored.function(input))]
    return compressed_from_parts.function(*parts, (*array.shape[:d], *array.shape[d + 1 :]), array.layout)


# --- products ------------------------------------------------------------------------------------------------------------


def _times(a: Any, b: Any) -> Any:
    """A compressed matrix times a dense one."""
    array = a._array
    if not isinstance(array, CompressedArray):
        raise refusal("addmm", "SparseCsrCPU")
    if array.batch or array.dense_dim:
        raise refusal("bmm.out", "SparseCsrCPU")
    if b._array.shape[0] != array.shape[1]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{})".format(*array.shape, *b._array.shape))
    if b._array.dtype != array.dtype:
        raise RuntimeError(f"expected scalar type {SCALAR_NAMES[a.dtype]} but found {SCALAR_NAMES[b.dtype]}")
    coo = array.coo()
    values = tensors.reshape(stored.function(a), (-1,))
    return sparse_times_dense.function(wrap(coo.indices), values, b, array.shape[0])


@form("mm")
def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices: sparse if both are."""
    for x in (input, mat2):
        if x._array.ndim != 2:
            raise RuntimeError("self must be a matrix" if x is input else "mat2 must be a matrix")
    if not isinstance(mat2._array, Sparse):
        return _times(input, mat2)
    if not isinstance(input._array, Sparse):
        return tensors.t(_times(tensors.t(mat2), tensors.t(input)))
    layout = _layout(input) or _layout(mat2)
    product = tensors.mm(*[compressed_to_coo(x, None) if _layout(x) else x for x in (input, mat2)])
    return reformatted.function(product, layout if layout in ("sparse_csr", "sparse_csc") else "sparse_csr", ())


@form("mv")
def mv(input: Any, vec: Any) -> Any:
    """The product of a matrix and a vector."""
    if not _layout(input):
        raise refusal("mv", "SparseCsrCPU")
    return tensors.squeeze_dim(_times(input, tensors.unsqueeze(vec, 1)), 1)


@form("matmul")
def matmul(input: Any, other: Any) -> Any:
    """The product of matrices and vectors."""
    a, b = input._array.ndim, other._array.ndim
    if a == b == 2:
        return mm(input, other)
    if a == 2 and b == 1:
        return mv(input, other)
    if a == 1 and b == 2 and _layout(other):
        return mv(tensors.t(other), input)
    raise refusal("matmul", "SparseCsrCPU")


@form("linear")
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """`input @ weight.T + bias`."""
    product = matmul(input, tensors.t(weight))
    return product if bias is None else tensors.add(product, bias)


@form("addmm")
def addmm(input: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    """`beta * input + alpha * (mat1 @ mat2)`."""
    if not isinstance(mat1._array, Sparse) and not isinstance(mat2._array, Sparse) or _layout(input):
        words = [LAYOUT_WORDS.get(_layout(x), "Strided") for x in (input, mat1, mat2)]
        raise RuntimeError("addmm: computation on CPU is not implemented for {} + {} @ {}".format(*words))
    product = mm(mat1, mat2)
    if alpha != 1:
        product = tensors.mul(product, alpha)
    if not isinstance(product._array, Sparse) and input._array.shape != product._array.shape:
        input = tensors.expand(input, product._array.shape)
    return product if beta == 0 else tensors.add(input if beta == 1 else tensors.mul(input, beta), product)


def sampled_addmm(input: Any, mat1: Any, mat2: Any, beta: Any, alpha: Any) -> Any:
    """`beta * input + alpha * (mat1 @ mat2)` at the places of a matrix in CSR."""
    array = input._array
    if _layout(input) != "sparse_csr":
        raise refusal("sparse_sampled_addmm", "SparseCPU" if isinstance(array, CooArray) else "CPU")
    for name, mat in (("mat1", mat1), ("mat2", mat2)):
        if mat._array.__class__ is not ndarray:
            raise RuntimeError(f"Expected {name} to have strided layout")
        if mat._array.dtype != array.dtype:
            raise RuntimeError(f"sampled_addmm: Expected {name} and self to have the same dtype")
    if array.batch or mat1.dim() != 2 or mat2.dim() != 2:
        raise NotImplementedError("sampled_addmm of batches is not supported")
    if mat1.shape[1] != mat2.shape[0]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{})".format(*mat1.shape, *mat2.shape))
    for d in (-2, -1):
        other = mat1 if d == -2 else mat2
        if array.shape[d] != other.shape[d]:
            raise RuntimeError(f"sampled_addmm: self.shape[{d}] must match {'mat1' if d == -2 else 'mat2'}.shape[{d}]")
    return sampled_products.function(input, mat1, mat2, beta, alpha)


def mm_reduced(mat1: Any, mat2: Any, reduce: str) -> Any:
    """The products that make each element of `mat1 @ mat2` reduced by "sum", "mean", "amax" or "amin"; nothing gives 0."""
    if reduce == "prod":
        raise RuntimeError("sparse_mm_reduce: reduce type of prod has not been enabled.")
    if reduce not in ("sum", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if reduce == "sum":
        return mm(mat1, mat2)
    array = mat1._array
    if array.layout != "sparse_csr" or array.batch:
        raise refusal("_sparse_mm_reduce_impl", "SparseCsrCPU")
    rows, columns = (wrap(x) for x in array.coo().indices)
    parts = tensors.mul(tensors.unsqueeze(stored.function(mat1), 1), tensors.index_select(mat2, 0, columns))
    zeros = wrap(k.scattered(parts._array[:0], rows._array[:0], array.shape[0]))
    index = tensors.expand(tensors.unsqueeze(rows, 1), parts._array.shape)
    return tensors.scatter_reduce(zeros, 0, index, parts, reduce, include_self=False)


__all__ = ["FORMS", "mm_reduced", "run", "sampled_addmm"]
