"""What the operators do with sparse tensors.

What has no form raises NotImplementedError, as PyTorch does for operators without a sparse kernel.
"""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.sparse import AWARE, NoSparseForm, Sparse, refusal
from ..kernels import memory
from ..tensor import Tensor
from . import sparse_arithmetic, sparse_places, sparse_products  # noqa: F401  (they fill the table)
from .definition import ndarray
from .sparse_registry import COMPOSITES, FORMS, IN_PLACE, call, recorded_as

_ATEN = {
    "sum": "sum.dim_IntList", "fill": "fill_.Scalar", "slice_dim": "as_strided", "narrowed": "as_strided",
    "max_all": "max", "min_all": "min", "std_op": "std.correction", "var_op": "var.correction", "mean": "mean.dim",
    "vector_norm": "linalg_vector_norm", "nonzero_rows": "nonzero", "index": "index.Tensor", "softmax": "_softmax",
    "take": "index.Tensor", "eq": "eq.Scalar", "ne": "ne.Scalar", "gt": "gt.Scalar", "ge": "ge.Scalar", "lt": "lt.Scalar",
    "le": "le.Scalar",     "isclose": "eq.Tensor", "isfinite": "ne.Scalar", "remainder": "remainder.Tensor", "__getitem__": "index.Tensor",
    "diag": "diagonal_copy", "diff": "as_strided", "sort_op": "sort.stable", "unique": "_unique2", "log_softmax": "_log_softmax",
    "squeeze_all": "as_strided", "squeeze_dim": "as_strided", "squeeze_dims": "as_strided",
    "diagonal": "as_strided", "split_equal": "as_strided", "split_sized": "as_strided", "clamp_numbers": "clamp",
}  # fmt: skip

"""What PyTorch calls the operators that it names in refusals, where it is another name."""


def tensors_among(values: Any) -> list[Tensor]:
    """The tensors among the arguments, in lists too."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += tensors_among(value)
    return found


def run(op: Any, values: tuple[Any, ...], error: Exception) -> Any:
    """The result of an operator of which an argument is sparse. Raises NotImplementedError where it has no form for that."""
    if op.forward.__module__ in AWARE:
        raise error
    if any(isinstance(t._array, Sparse) and t._array.layout != "sparse_coo" for t in tensors_among(values)):
        from .compressed_forms import run as run_compressed

        return run_compressed(op, values)
    found = FORMS.get(op.name)
    if found is None:
        raise refusal(_ATEN.get(op.name, op.name)) from None
    result = found(*values)
    if isinstance(result, Tensor) and result._node is not None and not any(result is v for v in values):
        name = op.node_name
        if op.choose_node is not None and op.name in ("matmul", "sum"):
            name = (
                "MvBackward0"
                if result._array.ndim == 1 and op.name == "matmul"
                else op.choose_node(*[getattr(v, "_array", v) for v in values])
            )
        recorded_as(result, name)
    return result


def run_composite(public: tuple[str, ...], function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> Any:
    """What a function made of operators gives, where it has failed with `error` and has a sparse form of its own."""
    found = COMPOSITES.get(public[0] if public else "")
    if found is None or any(
        isinstance(t._array, Sparse) and t._array.layout != "sparse_coo" for t in tensors_among((*args, *kwargs.values()))
    ):
        raise named(error, (function.__name__,))
    return found(*args, **kwargs)


def named(error: Any, public: tuple[str, ...]) -> Exception:
    """The error for a function that has failed on a sparse tensor: where it says only what was asked of the array, with its name."""
    if not getattr(error, "nameless", False):
        return NotImplementedError(str(error)) if isinstance(error, NoSparseForm) else error
    name = public[0].rpartition(".")[2]
    if name in ("reshape", "flatten", "ravel", "unflatten", "view_as"):
        return RuntimeError("reshape is not implemented for sparse tensors")
    return refusal(_ATEN.get(name, name))


def run_in_place(op: Any, input: Any, args: tuple[Any, ...], name: str, recording: bool) -> Any:
    """An in-place form of which an argument is sparse: what the operator gives is put in the tensor's place."""
    from ..autograd.version import bump_version
    from ..autograd.views import set_history
    from ..core.promotion import can_cast

    own = IN_PLACE.get(op.name) if getattr(target := input._array, "layout", "sparse_coo") == "sparse_coo" else None
    result = own(input, *args) if own is not None else call(op.name, input, *args)
    array = result._array
    if array.shape != target.shape:
        raise RuntimeError(f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(array.shape)}")
    if array.dtype != target.dtype:
        source, into = OF_NUMPY[array.dtype], OF_NUMPY[target.dtype]
        if not can_cast(source, into):
            said = {
                "add": "Can't convert result type {} to output {} in add operation",
                "mul": "dtype of values ({}) must match dtype of sparse tensor ({})",
            }.get(op.name, "result type {} can't be cast to the desired output type {}")
            raise RuntimeError(said.format(SCALAR_NAMES[source], SCALAR_NAMES[into]))
        array = array.astype(target.dtype)
    if isinstance(target, Sparse):
        if array.__class__ is ndarray:
            raise refusal(name)
        input._array = array
    else:
        memory.copy_into(target, array.dense() if isinstance(array, Sparse) else array)
    bump_version(input)
    if recording and result._node is not None:
        set_history(input, result._node)
    return input


def put_out(result: Any, out: Any) -> Any:
    """A result where `out=` says, where one of the two is sparse. Raises RuntimeError where the other is not."""
    from ..autograd.version import bump_version

    if not isinstance(result._array, Sparse) or not isinstance(out._array, Sparse):
        raise RuntimeError("out= of another layout than the result is not supported")
    out._array = result._array.astype(out._array.dtype, copy=False)
    bump_version(out)
    return out
