"""Names that PyTorch keeps beside better ones: forms of dropout and embedding in `torch`, functions that were removed and say what to
call instead, and what tensors of other layouts have and strided ones refuse."""

from __future__ import annotations

import math
from typing import Any

from ..core import dtype as dt
from ..core.dtype import SCALAR_NAMES
from ..tensor import Tensor
from .definition import NAMES, attach, composite, tensors
from .embedding import embedding as rows_of
from .embedding import renormalize

F = NAMES["F"]
T = NAMES["torch"]

# --- functions that were removed -----------------------------------------------------------------------------------------

_REMOVED = "This function was deprecated since version 1.9 and is now removed."
_INSTEAD = {
    "eig": " `torch.linalg.eig` returns complex tensors of dtype `cfloat` or `cdouble` rather than real tensors mimicking complex "
    "tensors.\n\n"
    "L, _ = torch.eig(A) should be replaced with:\nL_complex = torch.linalg.eigvals(A)\n\nand\n\n"
    "L, V = torch.eig(A, eigenvectors=True) should be replaced with:\nL_complex, V_complex = torch.linalg.eig(A)",
    "solve": " `torch.solve` is deprecated in favor of `torch.linalg.solve`. `torch.linalg.solve` has its arguments reversed and does not "
    "return the LU factorization.\n\nTo get the LU factorization see `torch.lu`, which can be used with `torch.lu_solve` or "
    "`torch.lu_unpack`.\nX = torch.solve(B, A).solution should be replaced with:\nX = torch.linalg.solve(A, B)",
    "symeig": " The default behavior has changed from using the upper triangular portion of the matrix by default to using the lower "
    "triangular portion.\n\nL, _ = torch.symeig(A, upper=upper) should be replaced with:\nL = torch.linalg.eigvalsh(A, UPLO='U' if upper "
    "else 'L')\n\nand\n\nL, V = torch.symeig(A, eigenvectors=True) should be replaced with:\nL, V = torch.linalg.eigh(A, UPLO='U' if upper "
    "else 'L')",
    "lstsq": " `torch.lstsq` is deprecated in favor of `torch.linalg.lstsq`.\n`torch.linalg.lstsq` has reversed arguments and does not "
    "return the QR decomposition in the returned tuple (although it returns other information about the problem).\n\nTo get the QR "
    "decomposition consider using `torch.linalg.qr`.\n\nThe returned solution in `torch.lstsq` stored the residuals of the solution in the "
    "last m - n columns of the returned value whenever m > n. In torch.linalg.lstsq, the residuals are in the field 'residuals' of the "
    "returned named tuple.\n\nThe unpacking of the solution, as in\nX, _ = torch.lstsq(B, A).solution[:A.size(1)]\nshould be replaced "
    "with:\nX = torch.linalg.lstsq(A, B).solution",
    "matrix_rank": "\nPlease use the `torch.linalg.matrix_rank` function instead. The parameter 'symmetric' was renamed in "
    "`torch.linalg.matrix_rank()` to 'hermitian'.",
}


def _removed(name: str) -> Any:
    def removed(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(_REMOVED + _INSTEAD[name])

    removed.__name__ = removed.__qualname__ = name
    removed.__doc__ = "Raises RuntimeError: it was removed, and the message says what to call instead."
    return removed


attach("torch.eig", _removed("eig"))
attach("Tensor.eig", _removed("eig"))
attach("torch.solve", _removed("solve"))
attach("Tensor.solve", _removed("solve"))
attach("torch.symeig", _removed("symeig"))
attach("Tensor.symeig", _removed("symeig"))
attach("torch.lstsq", _removed("lstsq"))
attach("Tensor.lstsq", _removed("lstsq"))
attach("torch.matrix_rank", _removed("matrix_rank"))

# --- dropout and embedding -----------------------------------------------------------------------------------------------


@composite("torch.native_dropout")
def native_dropout(input: Any, p: float, train: bool | None) -> Any:
    """`dropout`, and the mask of the elements that stay; `train` None counts as True."""
    if train is False or not input.numel():
        return input.clone(), T["ones_like"](input, dtype=dt.bool)
    if p == 1:
        return T["zeros_like"](input), T["zeros_like"](input, dtype=dt.bool)
    mask = tensors.empty_like(input).bernoulli_(1 - p).to(dt.bool)
    return input * (mask.to(input.dtype) * (1 / (1 - p))), mask


@composite("torch.alpha_dropout")
def alpha_dropout_of(input: Any, p: float, train: bool) -> Any:
    """`F.alpha_dropout` with its arguments in order."""
    return F["alpha_dropout"](input, p, train)


@composite("torch.alpha_dropout_")
def alpha_dropout_into(input: Any, p: float, train: bool) -> Any:
    """`alpha_dropout` in place."""
    return F["alpha_dropout"](input, p, train, True)


@composite("torch.feature_alpha_dropout")
def feature_alpha_dropout_of(input: Any, p: float, train: bool) -> Any:
    """`F.feature_alpha_dropout` with its arguments in order."""
    return F["feature_alpha_dropout"](input, p, train)


@composite("torch.feature_alpha_dropout_")
def feature_alpha_dropout_into(input: Any, p: float, train: bool) -> Any:
    """`feature_alpha_dropout` in place."""
    return F["feature_alpha_dropout"](input, p, train, True)


@composite("torch.feature_dropout")
def feature_dropout(input: Any, p: float, train: bool) -> Any:
    """Dropout of whole channels, the second dimension. Raises RuntimeError for less than two."""
    if not train or p == 0:
        return input
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    mask = tensors.empty_like(input[(slice(None), slice(None)) + (0,) * (input.dim() - 2)]).bernoulli_(1 - p)
    return input * (mask / (1 - p)).reshape(*mask.shape, *[1] * (input.dim() - 2))


@composite("torch.feature_dropout_")
def feature_dropout_into(input: Any, p: float, train: bool) -> Any:
    """`feature_dropout` in place."""
    return input.copy_(feature_dropout(input, p, train))


@composite("torch.embedding")
def embedding_of(weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False) -> Any:
    """The rows of `weight` at the indices: `F.embedding` with the table first."""
    if sparse and weight.requires_grad:
        return tensors.embedding_sparse(weight, indices, padding_idx, scale_grad_by_freq)
    return rows_of.function(weight, indices, padding_idx, scale_grad_by_freq)


@composite("torch.embedding_renorm_")
def embedding_renorm_(self: Any, indices: Any, max_norm: float, norm_type: float) -> Any:
    """Scales the rows at the indices down, in place, to a norm of at most `max_norm`."""
    renormalize(self, indices, max_norm, norm_type)
    return self


@composite("torch.addmv_")
def addmv_of(self: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`Tensor.addmv_` as a function."""
    return self.addmv_(mat, vec, beta=beta, alpha=alpha)


@composite("torch.dsmm")
def dsmm(input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    return T["mm"](input, mat2)


@composite("torch.dequantize", "Tensor.dequantize")
def dequantize(input: Any) -> Any:
    """The tensor in float32: there are no quantized ones."""
    return input.to(dt.float32)


@composite("torch.nuclear_norm")
def nuclear_norm(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The sum of the singular values: `linalg.matrix_norm(A, "nuc")`."""
    import warnings

    warnings.warn(
        "at::nuclear_norm is deprecated and it is just left for JIT compatibility. It will be removed in a future PyTorch release. Please "
        "use `linalg.matrix_norm(A, 'nuc', dim, keepdim)` instead",
        stacklevel=3,
    )
    return NAMES["linalg"]["matrix_norm"](input, "nuc", (-2, -1) if dim is None else dim, keepdim)


def cudnn_is_acceptable(input: Any) -> bool:
    """False: there is no cuDNN."""
    return False


attach("torch.cudnn_is_acceptable", cudnn_is_acceptable)

# --- segments ------------------------------------------------------------------------------------------------------------

_EMPTY = {"sum": 0.0, "prod": 1.0, "mean": math.nan, "max": -math.inf, "min": math.inf}


@composite("torch.segment_reduce")
def segment_reduce(
    data: Any, reduce: str, *, lengths: Any = None, indices: Any = None, offsets: Any = None, axis: int = 0, unsafe: bool = False,
    initial: Any = None,
) -> Any:  # fmt: skip
    """Reduces runs along `axis` of the given lengths, or between the given offsets, by "sum", "prod", "mean", "max" or "min".

    lengths and offsets: (..., segments) with the dimensions before `axis` in front. `initial`: where each run begins, and what an
    empty run gives, else 0, 1, NaN, minus and plus infinity. Raises RuntimeError where the lengths do not sum to the size.
    """
    kind = {"amax": "max", "amin": "min"}.get(reduce, reduce)
    if kind not in _EMPTY:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if not data.is_floating_point():
        raise NotImplementedError(f"\"_segment_reduce_cpu\" not implemented for '{SCALAR_NAMES[data.dtype]}'")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if lengths is None:
        lengths = offsets.diff(dim=-1)
    elif not unsafe:
        if (lengths < 0).any():
            raise RuntimeError("lengths contains negative value!")
        if (lengths.sum(-1) != data.shape[lengths.dim() - 1]).any():
            raise RuntimeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe."
            )
    empty = _EMPTY[kind] if initial is None else float(initial)

    def reduced(part: Any) -> Any:
        if not part.shape[0]:
            return T["full"](tuple(part.shape[1:]), empty, dtype=data.dtype)
        if initial is not None:
            if kind == "mean":
                return (part.sum(0) + initial) / part.shape[0]
            part = T["cat"]([T["full"]((1, *part.shape[1:]), empty, dtype=data.dtype), part])
        return {"sum": tensors.sum, "prod": tensors.prod, "mean": tensors.mean, "max": tensors.amax, "min": tensors.amin}[kind](part, 0)

    def rows(part: Any, counts: Any) -> Any:
        if counts.dim() > 1:
            return T["stack"]([rows(p, c) for p, c in zip(part, counts)])
        sizes = counts.tolist()
        start, found = 0, []
        for n in sizes:
            found.append(reduced(part.narrow(0, start, n)))
            start += n
        return T["stack"](found) if found else part[:0]

    return rows(data, lengths)


# --- what other layouts have ---------------------------------------------------------------------------------------------


def const_data_ptr(self: Tensor) -> int:
    """`data_ptr`, for reading."""
    return self.data_ptr()


@composite("Tensor.resize_as")
def resize_as(self: Any, tensor: Any) -> Any:
    """The first elements in the shape of another tensor of no more elements: deprecated in favour of `view_as`."""
    import warnings

    warnings.warn("non-inplace resize_as is deprecated", stacklevel=3)
    return self.clone().resize_(tensor.shape)


@composite("Tensor.module_load")
def module_load(self: Any, other: Any, assign: bool = False) -> Any:
    """What `load_state_dict` puts in the place of `self`: `other` as it is (`assign`), or its values for it."""
    return other.detach() if assign else self.copy_(other).detach()


attach("Tensor.const_data_ptr", const_data_ptr)
