"""Distances and similarities of vectors."""

from __future__ import annotations

from typing import Any

from ..autograd.grad_mode import no_grad
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import broadcast_shapes
from ..kernels import distance as k
from ..kernels.reduction import norm as norm_kernel
from ..tensor import Tensor
from .definition import Array, composite, formula_function, operator, tensors
from .reduction import vector_norm
from .running import same_scalar_type


@operator(node="NormBackward1", out=False)
def _distance_norm(input: Array, ord: Any, dim: Any, keepdim: Any) -> Array:
    """The norm of differences, under PyTorch's name for its node."""
    return norm_kernel(input, float(ord), (dim,), keepdim)


_distance_norm.derivative(input=vector_norm.formulas["input"])


@composite("F.pairwise_distance", "torch.pairwise_distance")
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The p-norm of x1 - x2 + eps along the last dimension, (..., D) to (...)."""
    return _distance_norm.function(x1 - x2 + eps, p, max(x1.dim(), x2.dim()) - 1, keepdim)


@composite("F.cosine_similarity", "torch.cosine_similarity")
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """x1 x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`; the inputs are broadcast. Raises RuntimeError for integers."""
    dtype = tensors.result_type(x1, x2)
    if dtype.kind != 2:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {SCALAR_NAMES[dtype]}")
    shape = broadcast_shapes(tuple(x1.shape), tuple(x2.shape))
    scaled = []
    for x in (x1, x2):
        x = x.to(dtype)
        if tuple(x.shape) != shape:
            x = x.expand(shape)
        norm = vector_norm.function(x, 2, dim, True).clone()
        with no_grad():  # the gradient does not see the bound
            norm.clamp_min_(eps)
        scaled.append(x / norm)
    return (scaled[0] * scaled[1]).sum(dim)


# --- all pairs -----------------------------------------------------------------------------------------------------


def _norm_gradient(grad: Any, d: Any, result: Any, p: float) -> Any:
    """The gradient of the norms `result` of the differences `d`, over Tensors; the count that p = 0 means has none."""
    return tensors.zeros_like(d) if p == 0 else vector_norm.formulas["input"](tensors, grad, d, result, p, -1, False)


def _cdist_backward_tensors(grad: Any, x1: Any, x2: Any, p: float, result: Any) -> Any:
    d = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    return _norm_gradient(grad, d, result, p).sum(-2)


formula_function("cdist_backward", k.cdist_backward, _cdist_backward_tensors)


def _cdist_node(x1: Array, x2: Array, p: Any, by_product: Any) -> str:
    return "ViewBackward0" if by_product else "CdistBackward0"


@operator(node=_cdist_node, out=False)
def cdist_pairs(x1: Array, x2: Array, p: Any, by_product: Any) -> Array:
    """The distances between all rows of x1 and all of x2."""
    same_scalar_type(x1, x2)
    return k.cdist(x1, x2, p, by_product)


@cdist_pairs.joint("x1", "x2")
def _cdist_gradients(F: Any, grad: Any, needs: Any, x1: Any, x2: Any, p: Any, result: Any) -> Any:
    return (
        F.cdist_backward(grad, x1, x2, p, result) if needs[0] else None,
        F.cdist_backward(F.transpose(grad, -1, -2), x2, x1, p, F.transpose(result, -1, -2)) if needs[1] else None,
    )


@composite("torch.cdist")
def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary") -> Any:
    """The p-norm distances (..., P, R) between each row of x1 (..., P, M) and each of x2 (..., R, M).

    `compute_mode`: whether the 2-norm goes by a matrix product: "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist", or
    if there are more than 25 rows. Raises RuntimeError for wrong shapes or dtypes.
    """
    modes_ = {None: 0, "use_mm_for_euclid_dist_if_necessary": 0, "use_mm_for_euclid_dist": 1, "donot_use_mm_for_euclid_dist": 2}
    if compute_mode not in modes_:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for position, (name, x) in enumerate((("X1", x1), ("X2", x2)), 1):
        if not isinstance(x, Tensor):
            from .arguments import type_name

            raise TypeError(f"cdist(): argument '{name.lower()}' (position {position}) must be Tensor, not {type_name(x)}")
        if x.dim() < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.dim()}D")
    if p != p:
        raise RuntimeError("cdist only supports non-negative p values")
    if x1.size(-1) != x2.size(-1):
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.size(-1)} X2: {x2.size(-1)}")
    for name, x in (("X1", x1), ("X2", x2)):
        if not x.is_floating_point():
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {SCALAR_NAMES[x.dtype]}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    mode = modes_[compute_mode]
    by_product = p == 2 and (mode == 1 or (mode == 0 and (x1.size(-2) > 25 or x2.size(-2) > 25)))
    return cdist_pairs.function(x1, x2, float(p), by_product)


def _pdist_backward_tensors(grad: Any, x: Any, p: float, result: Any) -> Any:
    i, j = (tensors.wrap(rows) for rows in k.pairs(x.size(0)))
    slope = _norm_gradient(grad, x[i] - x[j], result, p)
    return tensors.zeros_like(x).index_add(0, i, slope).index_add(0, j, -slope)


formula_function("pdist_backward", k.pdist_backward, _pdist_backward_tensors)


@operator(node="PdistBackward0", out=False)
def pdist_rows(input: Array, p: Any) -> Array:
    """The distances between all pairs of rows."""
    if input.dtype.kind not in "f":
        raise NotImplementedError(f"\"pdist\" not implemented for '{SCALAR_NAMES[OF_NUMPY[input.dtype]]}'")
    return k.pdist(input, p)


pdist_rows.derivative(input=lambda F, grad, input, p, result: F.pdist_backward(grad, input, p, result))


@composite("F.pdist", "torch.pdist")
def pdist(input: Any, p: float = 2) -> Any:
    """The p-norm distances between rows i < j of `input` (N, M): (N (N - 1) / 2)."""
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    return pdist_rows.function(input, float(p))
