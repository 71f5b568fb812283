"""Covariances, histograms, Vandermonde matrices."""

from __future__ import annotations

from typing import Any

from ..core.dtype import SCALAR_NAMES
from ..core.return_types import return_type
from ..kernels import statistics as k
from ..tensor import Tensor, wrap
from .definition import composite, tensors, write_out


def _check_weights(name: str, weights: Any, count: int, integral: bool) -> None:
    """Raises RuntimeError where weights of observations have the wrong shape, dtype or sign."""
    if weights.dim() > 1:
        raise RuntimeError(f"cov(): expected {name} to have one or fewer dimensions but got {name} with {weights.dim()} dimensions")
    if integral != (weights.dtype.kind == 1):
        raise RuntimeError(
            f"cov(): expected {name} to have {'integral' if integral else 'floating point'} dtype but got {name} with "
            f"{SCALAR_NAMES[weights.dtype]} dtype"
        )
    if weights.numel() != count:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got {weights.numel()} != {count}"
        )
    if count and bool((weights < 0).any()):
        raise RuntimeError(f"cov(): {name} cannot be negative")


@composite("torch.cov", "Tensor.cov")
def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """The covariance matrix of variables (rows) over observations (columns).

    fweights: how often each observation counts (integers); aweights: how much it counts. The sum of products is divided by
    the number of observations less `correction`. Raises RuntimeError for bool input or weights that do not fit.
    """
    if input.dim() > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions")
    if input.dtype.name == "bool":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = input.unsqueeze(0) if input.dim() < 2 else input
    if input.dim() == 0:
        x = x.unsqueeze(0)
    count = x.shape[1]
    weights = None
    if fweights is not None:
        _check_weights("fweights", fweights, count, True)
        weights = fweights
    if aweights is not None:
        _check_weights("aweights", aweights, count, False)
        weights = aweights if weights is None else weights * aweights
    total: Any = count
    if weights is not None:
        total = weights.sum()
        if count and float(total) == 0:
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    average = x.sum(1) / count if weights is None else (x * weights).sum(1) / total
    if weights is None or correction == 0:
        norm = total - correction
    elif aweights is None:
        norm = total - correction
    else:
        norm = total - correction * (weights * aweights).sum() / total
    if float(norm) <= 0:
        import warnings

        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.", stacklevel=3
        )
        norm = tensors.zeros_like(norm) if isinstance(norm, Tensor) else 0
    centred = x - average.unsqueeze(1)
    weighted = centred if weights is None else centred * weights
    product = tensors.mm(centred, tensors.conj(weighted.t().to(centred.dtype)))
    return tensors.div(product, norm).squeeze()


@composite("torch.corrcoef", "Tensor.corrcoef")
def corrcoef(input: Any) -> Any:
    """The matrix of correlation coefficients of variables (rows) over observations (columns)."""
    if input.dim() > 2:
        raise RuntimeError(f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions")
    c = cov(input)
    if c.dim() == 0:
        return c / c
    deviation = tensors.sqrt(c.diagonal())
    deviation = deviation.real if deviation.is_complex() else deviation
    c = c / deviation.view(-1, 1) / deviation.view(1, -1)
    return tensors.complex(c.real.clip(-1, 1), c.imag.clip(-1, 1)) if c.is_complex() else c.clip(-1, 1)


@composite("torch.vander")
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The Vandermonde matrix (n, N) of a vector: its powers, from N - 1 down to 0, or up from 0 if `increasing`."""
    if x.dim() != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    if x.dtype.kind < 2:
        x = x.to(tensors.cumprod(x, 0).dtype)
    if count == 0:
        return x.new_empty((x.shape[0], 0))
    powers = tensors.ones_like(x).unsqueeze(1)
    if count > 1:
        powers = tensors.cat([powers, tensors.cumprod(x.unsqueeze(1).expand(-1, count - 1), 1)], 1)
    return powers if increasing else powers.flip([1])


def _counted(input: Any, bins: Any, range_: Any, weight: Any, density: bool) -> tuple[Any, list[Any]]:
    """Counts and edges of a histogram of the rows of `input` (n, d)."""
    name = SCALAR_NAMES[input.dtype]
    if input.dtype.name not in ("float32", "float64"):
        raise NotImplementedError(f"\"histogramdd\" not implemented for '{name}'")
    array = input._array.reshape(-1, input.shape[-1])
    if weight is not None and tuple(weight.shape) != tuple(input.shape[:-1]):
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor excluding its innermost "
            f"dimension, but got input with shape {list(input.shape)} and weight with shape {list(weight.shape)}"
        )
    edges = []
    for d, b in enumerate(bins):
        if isinstance(b, Tensor):
            if b.dim() != 1:
                raise RuntimeError(
                    f"torch.histogramdd: bins tensor should have one dimension, but got {b.dim()} dimensions in the bins tensor for "
                    f"dimension {d}"
                )
            edges.append(b._array)
            continue
        if b <= 0:
            raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {b} for dimension {d}")
        low, high = k.bounds(array[:, d]) if range_ is None else (float(range_[2 * d]), float(range_[2 * d + 1]))
        if low > high:
            raise RuntimeError(f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension {d}")
        edges.append(k.edges(low, high, b, array.dtype))
    counts = k.histogram(array, edges, None if weight is None else weight._array.reshape(-1), density)
    return counts, edges


@composite("torch.histogram", "Tensor.histogram")
def histogram(input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False, out: Any = None) -> Any:
    """Counts of the elements in `bins` equal bins, or between the edges in a tensor, and the edges.

    The last bin includes its right edge. weight: of each element; density: so that the integral is 1.
    """
    counts, edges = _counted(input.reshape(-1, 1), [bins], range, None if weight is None else weight.reshape(-1), density)
    result = return_type("histogram", "hist", "bin_edges")((wrap(counts), wrap(edges[0].copy())))
    return result if out is None else write_out(result, out)


@composite("torch.histogramdd")
def histogramdd(input: Any, bins: Any, range: Any = None, weight: Any = None, density: bool = False) -> Any:
    """`histogram` of points (..., d): counts in d dimensions, and a tuple of edges for each."""
    if input.dim() < 2:
        raise RuntimeError(f"torch.histogramdd: input tensor should have at least 2 dimensions, but got {input.dim()}")
    width = input.shape[-1]
    each = [bins] * width if isinstance(bins, int) else list(bins)
    if len(each) != width:
        raise RuntimeError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    counts, edges = _counted(input, each, range, weight, density)
    return return_type("histogramdd", "hist", "bin_edges")(
        (wrap(counts), tuple(b if isinstance(b, Tensor) else wrap(e) for b, e in zip(each, edges)))
    )
