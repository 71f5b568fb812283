"""Views: tensors that see the memory of another in a different shape. With them, joining and copying."""

from __future__ import annotations

from operator import index as as_int
from typing import Any

from .. import tensor as tensor_module  # the package has a function of this name as well
from ..autograd.version import shared_version
from ..autograd.views import make_view
from ..core import layout
from ..core.dtype import OF_NUMPY, SCALAR_NAMES, dtype, int64
from ..core.layout import infer_size, ndarray, normalize_dim, normalize_dims, strided_view, strides_of, view_strides
from ..kernels.memory import row_major, sum_to
from ..tensor import PLAIN, Tensor, wrap
from .definition import Array, attach, composite, explained_here, formula_function, handle_overrides, operator, tensors
from .modes import modes

for _format in layout.MEMORY_FORMATS:
    attach(f"torch.{_format.name}", _format)
attach("torch.memory_format", layout.memory_format)
for _name, _layout in layout.LAYOUTS.items():
    attach(f"torch.{_name}", _layout)
attach("torch.layout", layout.layout)
tensor_module.layout_object = layout.layout_by_name


def ints(values: Any, name: str, argument: str = "size") -> tuple[int, ...]:
    """Sizes or dims given as several ints or one sequence. Raises TypeError as PyTorch does."""
    if not values:
        raise TypeError(f'{name}() missing 1 required positional arguments: "{argument}"')
    if len(values) == 1 and values[0].__class__ is not int:
        only = values[0]
        if isinstance(only, (tuple, list)):
            values = only
        elif only is None or not hasattr(only, "__index__"):
            raise TypeError(f"{name}(): argument '{argument}' (position 1) must be tuple of ints, not {type(only).__name__}")
    try:
        return tuple(map(as_int, values))
    except TypeError:
        pass
    for i, n in enumerate(values):
        if not hasattr(n, "__index__"):
            if values.__class__ is not tuple or i:
                raise TypeError(
                    f"{name}(): argument '{argument}' (position 1) must be tuple of ints, but found element of type {type(n).__name__} "
                    f"at pos {i}"
                )
            raise TypeError(
                f"{name}(): argument '{argument}' must be tuple of ints, but found element of type {type(n).__name__} at pos {i}"
            )
    raise TypeError(f"{name}(): argument '{argument}' must be tuple of ints")


def as_dim(value: Any, name: str, argument: str = "dim", position: int = 1) -> int:
    """A dim as an int. Raises TypeError for anything that is none."""
    if value.__class__ is int:
        return value
    if isinstance(value, (bool, float, str)) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be int, not {type(value).__name__}")
    return as_int(value)


# --- the same elements in another shape ----------------------------------------------------------------------------


@operator(view=True)
def view(input: Array, shape: tuple[int, ...]) -> Array:
    """The elements in another shape, in the same memory. Raises RuntimeError where that is impossible."""
    if input.flags.c_contiguous and input.size and (input.base is None or 1 not in input.shape):
        try:
            found = input.reshape(shape)  # row-major strides, as PyTorch gives them unless a size 1 had strides of its own
        except ValueError:
            pass
        else:
            if found.shape != shape:  # it had a -1: PyTorch takes no other negative number
                infer_size(shape, input.size)
            return found
    shape = infer_size(shape, input.size)
    strides = view_strides(input.shape, strides_of(input), shape)
    if strides is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous "
            "subspaces). Use .reshape(...) instead."
        )
    return strided_view(input, shape, strides)


view.derivative(input=lambda F, grad, input_shape: F.reshape(grad, input_shape))
_view = view.function


def view_dtype(input: Array, target: Any) -> Array:
    """The memory read as another dtype; the last dimension grows or shrinks with the size of the elements."""
    old, new = input.dtype, target
    if old.itemsize == new.itemsize:
        return input.view(new)
    names = SCALAR_NAMES[OF_NUMPY[old]], SCALAR_NAMES[OF_NUMPY[new]]
    if input.ndim == 0:
        raise RuntimeError(f"self.dim() cannot be 0 to view {names[0]} as {names[1]} (different element sizes)")
    strides = strides_of(input)
    if old.itemsize > new.itemsize:
        ratio = old.itemsize // new.itemsize
        if strides[-1] != 1:
            raise RuntimeError(
                f"self.stride(-1) must be 1 to view {names[0]} as {names[1]} (different element sizes), but got {strides[-1]}"
            )
        shape = (*input.shape[:-1], input.shape[-1] * ratio)
        strides = (*[s * ratio for s in strides[:-1]], 1)
    else:
        ratio = new.itemsize // old.itemsize
        if input.shape[-1] % ratio:
            raise RuntimeError(
                f"self.size(-1) must be divisible by {ratio} to view {names[0]} as {names[1]} (different element sizes), but got "
                f"{input.shape[-1]}"
            )
        if layout.storage_offset(input) % ratio:
            raise RuntimeError(
                f"self.storage_offset() must be divisible by {ratio} to view {names[0]} as {names[1]} (different element sizes), but got "
                f"{layout.storage_offset(input)}"
            )
        for i, s in enumerate(strides[:-1]):
            if s % ratio:
                raise RuntimeError(
                    f"self.stride({i}) must be divisible by {ratio} to view {names[0]} as {names[1]} (different element sizes), but got {s}"
                )
        if strides[-1] != 1:
            raise RuntimeError(
                f"self.stride(-1) must be 1 to view {names[0]} as {names[1]} (different element sizes), but got {strides[-1]}"
            )
        shape = (*input.shape[:-1], input.shape[-1] // ratio)
        strides = (*[s // ratio for s in strides[:-1]], 1)
    root = layout.root_of(input)
    start = layout.address(input) - layout.address(root)
    return layout.ndarray(shape, new, root, start, [s * new.itemsize for s in strides])


@composite("Tensor.view", hot=True)
def view_method(self: Tensor, *args: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The elements in another shape, in the same memory; one size may be -1. Or, given a dtype, the memory read as that dtype.

    Raises RuntimeError where the number of elements differs or where the memory order does not allow a view.
    """
    try:
        if modes.active or type(self) not in PLAIN:
            kwargs = {} if dtype is None else {"dtype": dtype}
            result = handle_overrides(view_method, (self, *args), kwargs if size is None else {"size": size})
            if result is not NotImplemented:
                return result
        if size is None:
            size = args
        if len(size) == 1 and size[0].__class__ is not int:
            first = size[0]
            if first.__class__ is tuple:
                size = first
            elif isinstance(first, (tuple, list)):
                size = tuple(first)
            else:
                dtype, size = first, ()
        if dtype is not None:
            return _view_as_dtype(self, dtype)
        if not size:
            if not args:
                raise TypeError(
                    "view() received an invalid combination of arguments - got (), but expected one of:\n * (torch.dtype dtype)\n"
                    " * (tuple of ints size)\n"
                )
            return _view(self, ())
        if type(size[0]) is not int or type(size[-1]) is not int:
            if not all(hasattr(n, "__index__") for n in size):
                raise TypeError(
                    f"view() received an invalid combination of arguments - got ({', '.join(type(n).__name__ for n in args)}), but "
                    "expected one of:\n * (torch.dtype dtype)\n * (tuple of ints size)\n"
                )
            size = ints(size, "view")
        return _view(self, size)
    except Exception as error:
        raise explained_here(error, "Tensor.view")


view_method.__name__ = "view"


def _view_as_dtype(self: Tensor, target: Any) -> Tensor:
    if not isinstance(target, dtype):
        if hasattr(target, "__index__"):
            return _view(self, (as_int(target),))
        raise TypeError(
            f"view() received an invalid combination of arguments - got ({type(target).__name__}), but expected one of:\n"
            " * (torch.dtype dtype)\n"
            f"      didn't match because some of the arguments have invalid types: (!{type(target).__name__}!)\n"
            " * (tuple of ints size)\n"
            f"      didn't match because some of the arguments have invalid types: (!{type(target).__name__}!)\n"
        )
    t = wrap(view_dtype(self._array, target.numpy))
    shared_version(self)
    t._counter = self._counter
    if not self.requires_grad:
        make_view(t, self)
    return t


@operator(node="UnsafeViewBackward0")
def _unsafe_view(input: Array, shape: tuple[int, ...]) -> Array:
    """A fresh, contiguous tensor in another shape, which is not registered as a view."""
    return input.reshape(shape)


_unsafe_view.derivative(input=lambda F, grad, input_shape: F.reshape(grad, input_shape))


@operator(node="ReshapeAliasBackward0", view=True)
def reshaped(input: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """A view in another shape, with strides known to fit."""
    return strided_view(input, shape, strides)


reshaped.derivative(input=lambda F, grad, input_shape: F.reshape(grad, input_shape))


def reshape_tensor(input: Tensor, shape: Any) -> Tensor:
    """`reshape` with a tuple of ints."""
    array = input._array
    if array.flags.c_contiguous:
        return _view(input, shape)
    shape = infer_size(shape, array.size)
    strides = view_strides(array.shape, strides_of(array), shape)
    if strides is None:
        return _unsafe_view.function(clone_tensor(input, layout.contiguous_format), shape)
    return reshaped.function(input, shape, strides)


@composite("Tensor.reshape", hot=True)
def reshape_method(self: Tensor, *args: Any, shape: Any = None) -> Tensor:
    """The elements in another shape: a view where memory allows it, else a copy. One size may be -1."""
    try:
        if shape is None:
            shape = args
        if modes.active or type(self) not in PLAIN:
            result = handle_overrides(reshape_method, (self, shape) if args != shape else (self, *args), {})
            if result is not NotImplemented:
                return result
        if shape.__class__ is not tuple or len(shape) == 1 or type(shape[0]) is not int or type(shape[-1]) is not int:
            shape = ints(shape, "reshape", "shape")
        array = self._array
        if array.flags.c_contiguous:
            return _view(self, shape)
        return reshape_tensor(self, shape)
    except Exception as error:
        raise explained_here(error, "Tensor.reshape")


reshape_method.__name__ = "reshape"


@composite("torch.reshape")
def reshape(input: Tensor, shape: Any) -> Tensor:
    """The elements in another shape: a view where memory allows it, else a copy. One size may be -1."""
    return reshape_method(input, shape)


formula_function("reshape", lambda x, shape: x.reshape(shape), reshape_tensor)


@composite("Tensor.view_as")
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """A view in the shape of `other`."""
    return _view(self, other._array.shape)


@composite("Tensor.reshape_as")
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of `other`."""
    return reshape_tensor(self, other._array.shape)


@composite("torch.flatten", "Tensor.flatten", hot=True)
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merges the dimensions from `start_dim` to `end_dim` into one; a 0-dim tensor becomes one element long."""
    try:
        if modes.active or type(input) not in PLAIN:
            result = handle_overrides(flatten, (input, start_dim, end_dim), {})
            if result is not NotImplemented:
                return result
        shape = input._array.shape
        if end_dim == -1 and len(shape) > 1:
            if start_dim == 0:
                return reshape_tensor(input, (-1,) if input._array.size else (0,))
            if start_dim == 1 and len(shape) > 2 and input._array.size:
                return reshape_tensor(input, (shape[0], -1))
        start, end = normalize_dim(start_dim, len(shape)), normalize_dim(end_dim, len(shape))
        if start > end:
            raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
        if not shape:
            return reshape_tensor(input, (1,))
        if start == end:
            return input
        product = 1
        for n in shape[start : end + 1]:
            product *= n
        return reshape_tensor(input, (*shape[:start], product, *shape[end + 1 :]))
    except Exception as error:
        raise explained_here(error, "Tensor.flatten", "torch.flatten")


@composite("torch.ravel", "Tensor.ravel")
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension."""
    array = input._array
    return _view(input if array.flags.c_contiguous else clone_tensor(input, layout.contiguous_format), (array.size,))


@composite("torch.unflatten", "Tensor.unflatten")
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """Splits one dimension into several of the given sizes, one of which may be -1."""
    shape = input._array.shape
    dim = normalize_dim(as_dim(dim, "unflatten"), len(shape))
    wanted = ints((sizes,), "unflatten", "sizes")
    if not wanted:
        raise RuntimeError("unflatten: sizes must be non-empty")
    if not shape:
        raise RuntimeError("unflatten got an unexpected error:\nDimension specified as 0 but tensor has no dimensions")
    try:
        new = infer_size(wanted, shape[dim])
    except RuntimeError as error:
        if "is invalid for input of size" in str(error) or "ambiguous" in str(error):
            raise RuntimeError(
                f"unflatten: Provided sizes {list(wanted)} don't multiply up to the size of dim {dim} ({shape[dim]}) in the input tensor"
            ) from None
        raise RuntimeError(f"unflatten got an unexpected error:\n{error}") from None
    return _view(input, (*shape[:dim], *new, *shape[dim + 1 :]))


# --- dimensions of size 1 ------------------------------------------------------------------------------------------


@operator("torch.unsqueeze", "Tensor.unsqueeze", view=True)
def unsqueeze(input: Array, dim: int) -> Array:
    """A new dimension of size 1 at `dim`."""
    shape = input.shape
    dim = normalize_dim(dim if dim.__class__ is int else as_dim(dim, "unsqueeze"), len(shape) + 1)
    shape = (*shape[:dim], 1, *shape[dim:])
    if input.base is None and input.size and input.flags.c_contiguous:
        return input.reshape(shape)
    strides = strides_of(input)
    return strided_view(input, shape, (*strides[:dim], strides[dim] * shape[dim + 1] if dim < len(strides) else 1, *strides[dim:]))


unsqueeze.derivative(input=lambda F, grad, dim: F.squeeze_dim(grad, dim))


def _without(input: Array, dims: Any) -> Array:
    """The dimensions of size 1 among `dims` left out."""
    shape = input.shape
    if not input.size:
        strides = strides_of(input)
        kept = [d for d in range(len(shape)) if d not in dims or shape[d] != 1]
        return strided_view(input, [shape[d] for d in kept], [strides[d] for d in kept])
    return input.squeeze(tuple([d for d in dims if shape[d] == 1]))


@operator(node="SqueezeBackward0", view=True)
def squeeze_all(input: Array) -> Array:
    """All dimensions of size 1 left out."""
    return input.squeeze() if input.size else _without(input, range(input.ndim))


@operator(node="SqueezeBackward1", view=True)
def squeeze_dim(input: Array, dim: int) -> Array:
    """One dimension left out if its size is 1."""
    shape = input.shape
    dim = normalize_dim(dim if dim.__class__ is int else as_dim(dim, "squeeze"), len(shape))
    if not shape or shape[dim] != 1:
        return input.view()
    return input.squeeze(dim) if input.size else _without(input, (dim,))


@operator(node="SqueezeBackward2", view=True)
def squeeze_dims(input: Array, dims: tuple[int, ...]) -> Array:
    """Several dimensions left out where their size is 1."""
    dims = normalize_dims(dims, input.ndim)
    return _without(input, dims) if input.ndim else input.view()


for _operator in (squeeze_all, squeeze_dim, squeeze_dims):
    _operator.derivative(input=lambda F, grad, input_shape: F.reshape(grad, input_shape))


@composite("torch.squeeze", "Tensor.squeeze", hot=True)
def squeeze(input: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
    """Leaves out dimensions of size 1: all, or those named by `dim`, an int or several."""
    try:
        dim = dim if axis is None else axis
        if modes.active or type(input) not in PLAIN:
            result = handle_overrides(squeeze, (input,) if dim is None else (input, dim), {})
            if result is not NotImplemented:
                return result
        if dim is None:
            return squeeze_all.function(input)
        if isinstance(dim, (tuple, list)):
            return squeeze_dims.function(input, ints((dim,), "squeeze", "dim"))
        return squeeze_dim.function(input, dim)
    except Exception as error:
        raise explained_here(error, "Tensor.squeeze", "torch.squeeze")


# --- broadcasting --------------------------------------------------------------------------------------------------


@operator(view=True)
def expand(input: Array, size: tuple[int, ...]) -> Array:
    """Dimensions of size 1 repeated without copying; -1 leaves a dimension as it is."""
    old = input.shape
    if size == old:
        return input.view() if input.size else strided_view(input, old, strides_of(input))
    lead = len(size) - len(old)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{SCALAR_NAMES[OF_NUMPY[input.dtype]]}Tensor{{{list(old)}}}, size={list(size)}): the number of sizes provided "
            f"({len(size)}) must be greater or equal to the number of dimensions in the tensor ({len(old)})"
        )
    if not input.size:
        return _expanded_empty(input, size, lead)
    strides = list(input.strides)
    if lead:  # a new dimension of size 1 has the stride of a row-major one
        have = (1,) * lead + old
        step = old[0] * strides[0] if old else input.itemsize
        for n in size[lead - 1 :: -1]:
            strides.insert(0, step if n == 1 else 0)
            step *= n
    else:
        have = old
    if size != have:
        for i, n in enumerate(size):
            if n != have[i]:
                if n == -1 and i >= lead:
                    size = (*size[:i], have[i], *size[i + 1 :])
                elif have[i] != 1 or n < 0:
                    raise _expand_error(size, old)
                else:
                    strides[i] = 0
    flags = input.flags
    if flags.c_contiguous or flags.f_contiguous:
        return ndarray(size, input.dtype, input, 0, strides)
    return strided_view(input, size, [s // input.itemsize for s in strides])


def _expand_error(size: Any, old: Any) -> Exception:
    """The error for a size that `old` does not expand to; the last dimension that does not fit is named."""
    lead = len(size) - len(old)
    for i in range(len(size) - 1, -1, -1):
        n, have = size[i], old[i - lead] if i >= lead else 1
        if n == -1 and i < lead:
            return RuntimeError(f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {i}")
        if n not in (-1, have) and have != 1:
            return RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton dimension {i}.  "
                f"Target sizes: {list(size)}.  Tensor sizes: {list(old)}"
            )
    n = next(n for n in size if n < 0)
    return RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(size)}")


def _expanded_empty(input: Array, size: Any, lead: int) -> Array:
    """`expand` of a tensor without elements."""
    have, strides = (1,) * lead + input.shape, [0] * lead + list(strides_of(input))
    shape = list(size)
    for i, n in enumerate(size):
        if n == -1 and i >= lead:
            shape[i] = have[i]
        elif n != have[i]:
            if have[i] != 1 or n < 0:
                raise _expand_error(size, input.shape)
            strides[i] = 0
    return strided_view(input, tuple(shape), strides)


expand.derivative(input=lambda F, grad, input_shape: F.sum_to(grad, input_shape))
_expand = expand.function


@composite("Tensor.expand", hot=True)
def expand_method(self: Tensor, *args: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Dimensions of size 1 repeated without copying memory, new ones put in front; -1 leaves a size as it is."""
    try:
        if size is not None:
            args = (size,)
        if modes.active or type(self) not in PLAIN:
            result = handle_overrides(expand_method, (self, *args), {})
            if result is not NotImplemented:
                return result
        return _expand(self, args if args and args[0].__class__ is int and args[-1].__class__ is int else ints(args, "expand"))
    except Exception as error:
        raise explained_here(error, "Tensor.expand")


expand_method.__name__ = "expand"


@composite("Tensor.expand_as")
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of `other`."""
    return _expand(self, other._array.shape)


@composite("torch.broadcast_to", "Tensor.broadcast_to")
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """Expanded to a shape."""
    return _expand(input, ints((size,), "broadcast_to"))


@operator(node="SumBackward1")
def sum_to_shape(input: Array, shape: tuple[int, ...]) -> Array:
    """The sum over the dimensions that `shape` lacks or has as 1."""
    return sum_to(input, shape)


sum_to_shape.derivative(input=lambda F, grad, input_shape: F.expand(grad, input_shape))


@composite("Tensor.sum_to_size")
def sum_to_size(self: Tensor, *args: Any, size: Any = None) -> Tensor:
    """The sum over what was broadcast from `size`. Raises RuntimeError where `size` does not broadcast to the shape."""
    size = ints(args if size is None else (size,), "sum_to_size")
    shape = self._array.shape
    if len(size) > len(shape) or any(n != 1 and n != m for n, m in zip(size[::-1], shape[::-1])):
        raise RuntimeError(f"size {{{list(size)}}} is not expandable to size {{{list(shape)}}}.")
    if self._array.dtype.kind in "iub" and (size != shape or not size):
        self = tensors.to_dtype(self, int64.numpy)
    if size == shape:
        return self
    lead = len(shape) - len(size)
    result = sum_to_shape.function(self, (1,) * lead + size)
    return _view(result, size) if lead and size else result if not lead else sum_to_shape.function(self, size)


# --- copies, and tensors outside the graph -------------------------------------------------------------------------


@operator()
def clone(input: Array, memory_format: Any = None) -> Array:
    """A copy; in the same memory order unless a memory format is asked for."""
    if memory_format is None or memory_format is layout.preserve_format:
        if input.flags.c_contiguous:
            return input.copy()
        shape, strides = input.shape, strides_of(input)
        wanted = layout.preserved_strides(shape, strides)
    else:
        if memory_format is layout.contiguous_format:
            return row_major(input)
        shape = input.shape
        wanted = layout.format_strides(shape, memory_format)
    result = layout.empty_strided(shape, wanted, input.dtype)
    result[...] = input
    return result


clone.derivative(input=lambda F, grad: grad)
clone_tensor = clone.function


@composite("torch.clone", "Tensor.clone", hot=True)
def clone_method(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy that the gradient passes through; its memory keeps the order of dimensions unless a format is given."""
    try:
        if modes.active or type(input) not in PLAIN:
            result = handle_overrides(clone_method, (input,), {} if memory_format is None else {"memory_format": memory_format})
            if result is not NotImplemented:
                return result
        return clone_tensor(input, memory_format)
    except Exception as error:
        raise explained_here(error, "Tensor.clone", "torch.clone")


clone_method.__name__ = "clone"


@composite("Tensor.contiguous", hot=True)
def contiguous(self: Tensor, memory_format: Any = layout.contiguous_format) -> Tensor:
    """The tensor itself if it is dense in that memory format, else a copy that is."""
    try:
        if modes.active or type(self) not in PLAIN:
            result = handle_overrides(
                contiguous, (self,), {} if memory_format is layout.contiguous_format else {"memory_format": memory_format}
            )
            if result is not NotImplemented:
                return result
        if memory_format is layout.contiguous_format:
            return self if self._array.flags.c_contiguous else clone_tensor(self, memory_format)
        if memory_format is layout.preserve_format:
            raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
        return self if is_contiguous(self, memory_format) else clone_tensor(self, memory_format)
    except Exception as error:
        raise explained_here(error, "Tensor.contiguous")


@composite("Tensor.is_contiguous", hot=True)
def is_contiguous(self: Tensor, memory_format: Any = layout.contiguous_format) -> bool:
    """Whether the elements lie densely in memory in the order of that format."""
    try:
        array = self._array
        if memory_format is layout.contiguous_format:
            return array.flags.c_contiguous
        return layout.has_format(array.shape, strides_of(array), memory_format)
    except Exception as error:
        raise explained_here(error, "Tensor.is_contiguous")


@composite("torch.detach", "Tensor.detach", hot=True)
def detach(input: Tensor) -> Tensor:
    """The same memory outside the graph; in-place changes of one count for the other."""
    if modes.active or type(input) not in PLAIN:
        result = handle_overrides(detach, (input,), {})
        if result is not NotImplemented:
            return result
    t = wrap(input._array)
    t._counter = input._counter or shared_version(input)
    return t


@composite("torch.detach_", "Tensor.detach_")
def detach_(input: Tensor) -> Tensor:
    """Takes the tensor itself out of the graph. Raises RuntimeError for a view."""
    if input._view is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for training, and "
            "gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() cannot be called on these "
            "gradients. To fix this error, please refer to the Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
        )
    input._node = None
    input._requires_grad = False
    return input


@operator(node="AliasBackward0", view=True)
def alias_view(input: Array) -> Array:
    """The same tensor as a view of itself."""
    return input.view()


alias_view.derivative(input=lambda F, grad: grad)
alias = alias_view.function
