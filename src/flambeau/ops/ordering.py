"""Views with the dimensions in another order."""

from __future__ import annotations

from operator import index as as_int
from typing import Any

from ..core.layout import normalize_dim, strided_view, strides_of
from ..tensor import PLAIN, Tensor
from .definition import Array, attach, composite, explained_here, handle_overrides, operator, tensors
from .modes import modes
from .shape import alias, as_dim, ints


@operator("torch.transpose", "torch.swapdims", "Tensor.transpose", "Tensor.swapdims", view=True)
def transpose(input: Array, dim0: int, dim1: int) -> Array:
    """Swaps two dimensions."""
    if input.size:
        try:
            return input.swapaxes(dim0, dim1)
        except (IndexError, TypeError, ValueError):
            pass
    ndim = input.ndim
    a, b = normalize_dim(as_dim(dim0, "transpose", "dim0"), ndim), normalize_dim(as_dim(dim1, "transpose", "dim1", 2), ndim)
    if not ndim:
        return input.view()
    dims = list(range(ndim))
    dims[a], dims[b] = b, a
    return _permuted(input, dims)


transpose.derivative(input=lambda F, grad, dim0, dim1: F.transpose(grad, dim0, dim1))
_transpose = transpose.function


@composite("torch.swapaxes", "Tensor.swapaxes")
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Swaps two dimensions."""
    return _transpose(input, axis0, axis1)


def _permuted(input: Array, dims: Any) -> Array:
    if input.size:
        return input.transpose(dims)
    shape, strides = input.shape, strides_of(input)
    return strided_view(input, [shape[d] for d in dims], [strides[d] for d in dims])


@operator("torch.permute", view=True)
def permute(input: Array, dims: tuple[int, ...]) -> Array:
    """The dimensions in another order."""
    if dims.__class__ is not tuple:
        dims = ints((dims,), "permute", "dims")
    if input.size and len(dims) == input.ndim:
        try:
            return input.transpose(dims)
        except ValueError:
            pass
    ndim = input.ndim
    if len(dims) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of "
            f"dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(dims)}"
        )
    found = [normalize_dim(d, ndim) for d in dims]
    if len(set(found)) != ndim:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return _permuted(input, found)


permute.derivative(input=lambda F, grad, dims: F.permute(grad, inverse_order(dims)))
_permute = permute.function


def inverse_order(dims: Any) -> tuple[int, ...]:
    """The order that undoes a permutation."""
    ndim = len(dims)
    found = [0] * ndim
    for i, d in enumerate(dims):
        found[d % ndim] = i
    return tuple(found)


@composite("Tensor.permute", hot=True)
def permute_method(self: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order."""
    try:
        if dims is not None:
            args = (dims,)
        if modes.active or type(self) not in PLAIN:
            result = handle_overrides(permute_method, (self, *args), {})
            if result is not NotImplemented:
                return result
        return _permute(self, args if args and args[0].__class__ is int else ints(args, "permute", "dims"))
    except Exception as error:
        raise explained_here(error, "Tensor.permute")


permute_method.__name__ = "permute"


@operator("torch.t", "Tensor.t", node="TBackward0", view=True)
def t(input: Array) -> Array:
    """A matrix transposed; tensors with fewer dimensions as they are."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return input.T if input.size else _permuted(input, range(input.ndim)[::-1])


t.derivative(input=lambda F, grad: F.t(grad))


@composite(hot=True)
def numpy_T(self: Tensor) -> Tensor:
    """All dimensions in reverse order."""
    if modes.active or type(self) not in PLAIN:
        result = handle_overrides(numpy_T, (self,), {})
        if result is not NotImplemented:
            return result
    ndim = self._array.ndim
    if ndim != 2 and ndim != 0:
        _warn_T()
    return _permute(self, tuple(range(ndim - 1, -1, -1)))


def _warn_T() -> None:
    import warnings

    warnings.warn(
        "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will throw an error in a future "
        "release. Consider `x.mT` to transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the "
        "dimensions of a tensor.",
        stacklevel=4,
    )


@composite(hot=True)
def matrix_T(self: Tensor) -> Tensor:
    """The last two dimensions swapped."""
    if modes.active or type(self) not in PLAIN:
        result = handle_overrides(matrix_T, (self,), {})
        if result is not NotImplemented:
            return result
    ndim = self._array.ndim
    if ndim < 2:
        if ndim == 0:
            return self
        raise RuntimeError(f"tensor.mT is only supported on matrices or batches of matrices. Got {ndim}-D tensor.")
    return _transpose(self, -2, -1)


@composite()
def matrix_H(self: Tensor) -> Tensor:
    """The last two dimensions swapped and conjugated."""
    ndim = self._array.ndim
    if ndim == 1:
        raise RuntimeError("tensor.mH is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return self if ndim == 0 else _conjugated(_transpose(self, -2, -1))


@composite()
def numpy_H(self: Tensor) -> Tensor:
    """A matrix transposed and conjugated."""
    ndim = self._array.ndim
    if ndim == 0:
        return self
    if ndim != 2:
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {ndim}-D tensor.")
    return _conjugated(_transpose(self, 0, 1))


def _conjugated(x: Tensor) -> Tensor:
    return tensors.conj(x) if x._array.dtype.kind == "c" else x


attach("Tensor.T", property(numpy_T))
attach("Tensor.mT", property(matrix_T))
attach("Tensor.H", property(numpy_H))
attach("Tensor.mH", property(matrix_H))


@composite("torch.adjoint", "Tensor.adjoint")
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions swapped and conjugated."""
    if input._array.ndim == 1:
        raise RuntimeError("tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return input if input._array.ndim == 0 else _conjugated(_transpose(input, -2, -1))


@composite("torch.movedim", "torch.moveaxis", "Tensor.movedim", "Tensor.moveaxis")
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Moves dimensions to other places; the rest keep their order."""
    if hasattr(source, "__index__") and hasattr(destination, "__index__"):
        source, destination = (as_int(source),), (as_int(destination),)
    elif hasattr(source, "__index__") or hasattr(destination, "__index__"):
        raise TypeError(
            f"movedim() received an invalid combination of arguments - got ({type(source).__name__}, {type(destination).__name__})"
        )
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should contain the same number of dims as "
            f"destination ({list(destination)} dims)"
        )
    ndim = input._array.ndim
    from_ = [normalize_dim(d, ndim) for d in source]
    to = [normalize_dim(d, ndim) for d in destination]
    for name, dims, given in (("source", from_, source), ("destination", to, destination)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    if not ndim:
        return alias(input)
    order = [-1] * ndim
    for s, d in zip(from_, to):
        order[d] = s
    rest = iter([d for d in range(ndim) if d not in from_])
    return _permute(input, tuple([next(rest) if d < 0 else d for d in order]))
