"""Tensors that a module registers: parameters and buffers, and their placeholders whose shape is not known yet."""

from collections import OrderedDict
from typing import Any

from ..autograd.version import shared_version
from ..core.dtype import OF_NUMPY
from ..core.naming import PUBLIC, public, rebuild
from ..ops.creation import empty
from ..tensor import Tensor, _TensorMeta, describe, disabled_torch_function, wrap, wrap_as

__all__ = ["Parameter", "UninitializedParameter", "is_lazy", "Buffer", "UninitializedBuffer", "UninitializedTensorMixin"]


class _ParameterMeta(_TensorMeta):
    """Makes `isinstance(t, Parameter)` true for a tensor of another class that was turned into a parameter."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Parameter and isinstance(instance, Tensor) and instance.__dict__.get("_is_param", False)
        )


@public("torch.nn.parameter")
class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that a `Module` registers among its parameters when it is assigned as an attribute.

    Args: `data`, a Tensor whose memory it shares (an empty one if None); `requires_grad`, True unless told otherwise.
    For an instance of a Tensor subclass the result keeps that class and is marked as a parameter.
    Raises RuntimeError if gradients are asked for and the dtype is not floating point or complex.
    """

    __torch_function__ = staticmethod(disabled_torch_function)

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = _empty(None, None)
        if type(data) is Tensor or type(data) is Parameter:
            return _share(cls, data, requires_grad)
        result = data.detach().requires_grad_(requires_grad)
        if type(result) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} requires that detach() returns an instance of the "
                f"same type, but return type {type(result).__name__} was found instead. To use the type as a Parameter, please correct the "
                "detach() semantics defined by its __torch_dispatch__() implementation."
            )
        result._is_param = True
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            data: Any = self.data
            memo[id(self)] = type(self)(data.clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self, **_: Any) -> str:
        return "Parameter containing:\n" + describe(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        from ..serialization.rebuild import _user_state

        state = _user_state(self)
        if state:
            return _rebuild_parameter_with_state, (self.data, self.requires_grad, OrderedDict(), state)
        return _rebuild_parameter, (self.data, self.requires_grad, OrderedDict())


def _rebuild_parameter(data: Any, requires_grad: bool, backward_hooks: Any) -> Any:
    """Unpickles a parameter."""
    return Parameter(data, requires_grad)


def _rebuild_parameter_with_state(data: Any, requires_grad: bool, backward_hooks: Any, state: Any) -> Any:
    """Unpickles a parameter that has attributes of the user's."""
    parameter = Parameter(data, requires_grad)
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    for entries in (attributes, slots):
        for name, value in (entries or {}).items():
            setattr(parameter, name, value)
    return parameter


def _share(cls: type, data: Tensor, requires_grad: bool) -> Any:
    """A leaf of class `cls` over the memory of `data`, with its counter of in-place changes."""
    array = data._array
    if requires_grad is not True and requires_grad is not False:
        raise TypeError(f"_make_subclass(): argument 'require_grad' (position 3) must be bool, not {type(requires_grad).__name__}")
    if requires_grad and OF_NUMPY[array.dtype].kind < 2:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    result = wrap_as(cls, array, requires_grad)
    result._counter = shared_version(data)
    if requires_grad and not result._counter:
        result.requires_grad_()  # which raises where the data was made in inference mode, and this is not it
    return result


def _empty(device: Any, dtype: Any) -> Tensor:
    return empty(0, device=device, dtype=dtype)


class _BufferMeta(_TensorMeta):
    """Makes `isinstance(t, Buffer)` true for a tensor that was turned into a buffer."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Buffer and isinstance(instance, Tensor) and instance.__dict__.get("_is_buffer", False)
        )


@public("torch.nn.parameter")
class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that a `Module` registers among its buffers when it is assigned as an attribute.

    Args: `data`, a Tensor whose memory it shares (an empty one if None); `persistent`, whether it is part of `state_dict`.
    The result has the class of `data`; only `isinstance` tells that it is a buffer.
    """

    persistent: bool

    __torch_function__ = staticmethod(disabled_torch_function)

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = _empty(None, None)
        result = data.detach().requires_grad_(data.requires_grad)
        result.persistent = persistent
        result._is_buffer = True
        return result


_ALLOWED = {
    "__hash__", "size", "copy_", "is_complex", "is_floating_point", "half", "float", "double", "char", "short", "int", "long",
    "cuda", "cpu", "to", "get_device",
}  # fmt: skip
"""What may be done with a tensor of unknown shape."""


def _refused(name: str) -> Any:
    """A method of a placeholder that fails as an operator would."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.__torch_function__(getattr(Tensor, name), (type(self),), (self, *args), kwargs)

    method.__name__ = name
    return method


@public("torch.nn.parameter")
class UninitializedTensorMixin:
    """What parameters and buffers of unknown shape share: a dtype and a device, until `materialize` gives them a shape."""

    cls_to_become: type
    data: Any

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Turns the placeholder, in place, into an ordinary parameter or buffer of that shape, with unset contents."""
        data = self.data
        self.data = empty(shape, device=data.device if device is None else device, dtype=data.dtype if dtype is None else dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` when "
            "trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the parameters before "
            "accessing their attributes."
        )

    def share_memory_(self) -> Any:
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters before calling "
            "`module.share_memory()`."
        )

    def __repr__(self, **_: Any) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        cls = type(self)
        if PUBLIC.get((cls.__module__, cls.__qualname__)) is cls:
            return rebuild, (__name__, cls.__module__, cls.__qualname__, self.requires_grad)  # type: ignore[attr-defined]
        return cls, (self.requires_grad,)  # type: ignore[attr-defined]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__class__.__name__ == "method-wrapper":  # a property, which needs no elements
            return Tensor.__torch_function__.__func__(cls, func, types, args, kwargs or {})  # type: ignore[attr-defined]
        if getattr(func, "__name__", "") in _ALLOWED:
            plain = [wrap(arg._array) if isinstance(arg, UninitializedTensorMixin) else arg for arg in args]  # type: ignore[attr-defined]
            result = func(*plain, **(kwargs or {}))
            # A converted parameter is taken for its data alone; a converted buffer takes the old one's place.
            return wrap_as(cls, result._array) if isinstance(result, Tensor) and not issubclass(cls, Parameter) else result
        raise ValueError(
            f"Attempted to use an uninitialized parameter in {func}. This error happens when you are using a `LazyModule` or explicitly "
            f"manipulating `torch.nn.parameter.{cls.__name__}` objects. When using LazyModules Call `forward` with a dummy batch to "
            "initialize the parameters before calling torch functions"
        )

    dim = _refused("dim")
    numel = _refused("numel")
    __len__ = _refused("__len__")


def is_lazy(param: Any) -> bool:
    """Whether `param` is a placeholder whose shape is not known yet."""
    return isinstance(param, UninitializedTensorMixin)


@public("torch.nn.parameter")
class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is found out at the first forward of a lazy module.

    Args: `requires_grad`; `device` and `dtype`, what it will have. Any use but a conversion raises ValueError.
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return _share(cls, _empty(device, dtype), requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        return memo[id(self)]


@public("torch.nn.parameter")
class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is found out at the first forward of a lazy module; arguments as `UninitializedParameter`."""

    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True) -> Any:
        result = _share(cls, _empty(device, dtype), requires_grad)
        result.persistent = persistent
        result._is_buffer = True
        return result
