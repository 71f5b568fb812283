"""Ready-made parametrizations: orthogonal, weight and spectral normalisation."""

from enum import Enum, auto
from typing import Any

import numpy as np

from ...autograd.grad_mode import no_grad
from ...autograd.node import tensors
from ...core.naming import public
from ...ops.creation import eye, zeros_like
from ...tensor import Tensor
from ..modules.module import Module
from . import parametrize
from .spectral_norm import normalized, output_dim
from .weight_norm import _weight_norm, norm_except_dim

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def _named_tensor(module: Module, name: str) -> Any:
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return tensor


# ---- orthogonal


def _make_orthogonal(matrix: Any) -> Any:
    """The orthogonal factor of the QR decomposition whose triangular factor has a positive diagonal."""
    x, tau = tensors.geqrf(matrix)
    return tensors.householder_product(x, tau) * x.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def _is_orthogonal(matrix: Any) -> bool:
    rows, columns = matrix.shape[-2:]
    identity = eye(columns, dtype=matrix.dtype)
    return tensors.allclose(matrix.mH @ matrix, identity, atol=10.0 * rows * np.finfo(matrix._array.dtype).eps)


class _OrthMaps(Enum):
    matrix_exp = auto()
    cayley = auto()
    householder = auto()


@public("torch.nn.utils.parametrizations")
class _Orthogonal(Module):
    """Maps a matrix to one with orthonormal columns (or rows, if it is wide)."""

    def __init__(self, weight: Any, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map is _OrthMaps.householder:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:  # the result is taken relative to a base point, so that any value can be assigned
            self.register_buffer("base", None)

    def forward(self, X: Any) -> Any:
        wide = X.size(-2) < X.size(-1)
        if wide:
            X = X.mT
        Q = self._householder(X) if self.orthogonal_map is _OrthMaps.householder else self._of_skew_symmetric(X)
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.mT if wide else Q

    def _of_skew_symmetric(self, X: Any) -> Any:
        rows, columns = X.shape[-2:]
        X = X.tril()
        if rows != columns:
            X = tensors.cat([X, X.new_zeros(rows, rows - columns).expand(*X.shape[:-2], -1, -1)], dim=-1)
        A = X - X.mH
        if self.orthogonal_map is _OrthMaps.matrix_exp:
            Q = tensors.matrix_exp(A)
        else:
            identity = eye(rows, dtype=A.dtype)
            Q = tensors.solve(identity - A * 0.5, identity + A * 0.5)
        return Q if rows == columns else Q[..., :columns]

    def _householder(self, X: Any) -> Any:
        A = X.tril(diagonal=-1)
        Q = tensors.householder_product(A, 2.0 / (1.0 + (A * A).sum(dim=-2)))
        # The diagonal holds signs, and gradients don't pass through it.
        return Q * X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)

    @no_grad()
    def right_inverse(self, Q: Any) -> Any:
        if Q.shape != self.shape:
            raise ValueError(f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}.")
        given = Q
        wide = Q.size(-2) < Q.size(-1)
        if wide:
            Q = Q.mT
        rows, columns = Q.shape[-2:]
        if not hasattr(self, "base"):
            if self.orthogonal_map is not _OrthMaps.householder:
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley parametrizations when use_trivialization=False."
                )
            A, tau = tensors.geqrf(Q)
            diagonal = A.diagonal(dim1=-2, dim2=-1)
            diagonal.sign_()
            diagonal[tau == 0.0] *= -1
            return A.mT if wide else A
        if rows != columns:
            random = tensors.randn(*Q.shape[:-2], rows, rows - columns, dtype=Q.dtype)
            Q = _make_orthogonal(tensors.cat([Q, random], dim=-1))
        else:
            Q = Q.clone() if _is_orthogonal(Q) else _make_orthogonal(Q)
        self.base = Q
        # With the base at Q, minus the identity is mapped to it: its strictly lower part is zero.
        start = zeros_like(given)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def orthogonal(module: Any, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True) -> Any:
    """Keeps a matrix (or a batch of them) orthogonal, or unitary if it is complex. Returns the module.

    `orthogonal_map`: "matrix_exp", "cayley" or "householder"; by default the first for square and complex matrices, else the
    last. Raises ValueError if there is no such tensor or it has fewer than 2 dimensions.
    """
    weight = _named_tensor(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.size(-2) == weight.size(-1) or weight.is_complex() else "householder"
    chosen = getattr(_OrthMaps, orthogonal_map, None)
    if chosen is None:
        raise ValueError(f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}')
    parametrize.register_parametrization(module, name, _Orthogonal(weight, chosen, use_trivialization=use_trivialization), unsafe=True)
    return module


# ---- weight normalisation


@public("torch.nn.utils.parametrizations")
class _WeightNorm(Module):
    """A weight from its magnitude and its direction."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        return _weight_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Any) -> Any:
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Separates a weight into magnitude and direction, `original0` and `original1` (Salimans and Kingma 2016).

    `dim`: the dimension that keeps a norm of its own per entry; None takes one norm of everything. Returns the module.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def translate(
        state_dict: Any, prefix: str, local_metadata: Any, strict: Any, missing_keys: Any, unexpected_keys: Any, error_msgs: Any
    ) -> None:
        """States of the older `weight_norm` call the two `<name>_g` and `<name>_v`."""
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state_dict for key in old):
            for i, tensor in enumerate([state_dict.pop(key) for key in old]):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = tensor

    module._register_load_state_dict_pre_hook(translate)
    return module


# ---- spectral normalisation


@public("torch.nn.utils.parametrizations")
class _SpectralNorm(Module):
    """A weight divided by its largest singular value, which power iteration estimates in the buffers `_u` and `_v`."""

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._reshape_weight_to_matrix(weight)
            height, width = matrix.size()
            u = matrix.new_empty(height).normal_(0, 1)
            v = matrix.new_empty(width).normal_(0, 1)
            self.register_buffer("_u", normalized(u, eps))
            self.register_buffer("_v", normalized(v, eps))
            self._power_method(matrix, 15)  # a good estimate to begin with

    def _reshape_weight_to_matrix(self, weight: Any) -> Any:
        if self.dim != 0:
            weight = weight.permute(self.dim, *(d for d in range(weight.dim()) if d != self.dim))
        return weight.flatten(1)

    @no_grad()
    def _power_method(self, matrix: Any, n_power_iterations: int) -> None:
        for _ in range(n_power_iterations):
            self._u.copy_(normalized(matrix.mv(self._v), self.eps))
            self._v.copy_(normalized(matrix.mH.mv(self._u), self.eps))

    def forward(self, weight: Any) -> Any:
        if weight.ndim == 1:
            return normalized(weight, self.eps)
        matrix = self._reshape_weight_to_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # The next forward changes the buffers in place, and this one's backward may still need them.
        u, v = self._u.clone(), self._v.clone()
        return weight / u.vdot(matrix.mv(v))

    def right_inverse(self, value: Any) -> Any:
        return value


def spectral_norm(module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> Any:
    """Divides a weight by its largest singular value (Miyato et al. 2018). Returns the module.

    `n_power_iterations` each time the weight is looked at in training mode; `dim`, the dimension that counts the outputs
    (0, for transposed convolutions 1). Raises ValueError if there is no such tensor.
    """
    weight = _named_tensor(module, name)
    dim = output_dim(module) if dim is None else dim
    parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module
