"""Subclasses of Tensor: the default `__torch_function__`, and how a tensor becomes one of a subclass."""

from __future__ import annotations

from typing import Any

from .. import tensor as tensor_module
from ..autograd.version import shared_version
from ..core.size import Size
from ..tensor import PLAIN, Tensor, wrap_as
from .definition import OPERATORS
from .dispatch import handle_overrides
from .modes import stacks

_FIELDS = ("_array", "_node", "_requires_grad", "_grad", "_view", "_counter", "_hooks")


def as_subclass(self: Tensor, cls: Any) -> Any:
    """The same values as an instance of `cls`, a subclass of Tensor; gradients flow back to this tensor.

    Raises TypeError for any other class.
    """
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(
            "Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure your class inherits from "
            "Tensor."
        )
    stacks.subclasses_disabled += 1
    try:
        return _copied(OPERATORS["alias_view"].function(self), cls)
    finally:
        stacks.subclasses_disabled -= 1


def _copied(tensor: Tensor, cls: Any) -> Any:
    """A second object over the same memory, at the same place in the graph."""
    made = object.__new__(cls)
    for field in _FIELDS:
        setattr(made, field, getattr(tensor, field))
    return made


def make_subclass(cls: Any, data: Any, require_grad: bool = False, **options: Any) -> Any:
    """A leaf of class `cls` over the memory of `data`: for the `__new__` of subclasses."""
    if not isinstance(data, Tensor):
        raise TypeError(f"_make_subclass(): argument 'data' (position 2) must be Tensor, not {type(data).__name__}")
    made = wrap_as(cls, data._array, bool(require_grad))
    made._counter = shared_version(data)
    return made


def convert(result: Any, cls: Any) -> Any:
    """A result, or each in a list or tuple, as an instance of `cls`."""
    if isinstance(result, Tensor):
        if isinstance(result, cls):
            return result
        return as_subclass(result, cls) if result._requires_grad else _copied(result, cls)
    if isinstance(result, (tuple, list)) and type(result) is not Size:
        return type(result)([convert(r, cls) for r in result])
    return result


def default_torch_function(cls: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Runs `func` on the data and gives its results the class `cls`; NotImplemented beside a class it knows nothing of."""
    for t in types:
        if not issubclass(cls, t):
            return NotImplemented
    stacks.subclasses_disabled += 1
    try:
        result = func(*args, **kwargs)
    finally:
        stacks.subclasses_disabled -= 1
    return result if cls is Tensor or func in _UNCONVERTED else convert(result, cls)


_DEFAULT = Tensor.__dict__["__torch_function__"].__func__


def takes_over(tensor: Tensor) -> bool:
    """Whether the class of a tensor has a `__torch_function__` of its own that is to see methods of Tensor itself."""
    cls = type(tensor)
    return cls not in PLAIN and not stacks.subclasses_disabled and getattr(cls.__torch_function__, "__func__", None) is not _DEFAULT


# --- what Tensor defines without an operator ----------------------------------------------------------------------------

_PROPERTIES = """
shape ndim dtype device layout itemsize nbytes is_cpu is_meta is_cuda is_sparse is_quantized is_mkldnn is_nested is_mps is_xpu is_vulkan
is_sparse_csr is_ipu is_xla is_maia is_mtia is_ort requires_grad is_leaf grad_fn output_nr grad retains_grad _base data _version T mT H mH
real imag
""".split()
_METHODS = """
element_size dim ndimension numel nelement size stride storage_offset data_ptr get_device __len__ is_floating_point is_complex is_signed
requires_grad_ _is_view is_inference register_hook retain_grad item tolist numpy __float__ __int__ __bool__ __complex__ __index__
is_contiguous untyped_storage is_shared storage_type type __format__ __array__ __contains__ __reversed__
""".split()
_UNCONVERTED: Any = frozenset((Tensor.grad.__get__, Tensor._base.__get__))
"""What keeps its class whatever subclass asks for it."""


def show_all(cls: Any) -> None:
    """Puts forms on a subclass with a `__torch_function__` of its own that ask it first. Tensor itself does not pay for that."""
    if getattr(cls.__torch_function__, "__func__", None) is _DEFAULT:
        return
    for names, form in ((_PROPERTIES, _shown_property), (_METHODS, _shown_method)):
        for name in names:
            owner = next((base for base in cls.__mro__ if name in base.__dict__), None)
            if owner is Tensor:
                setattr(cls, name, form(name))


def _shown_property(name: str) -> property:
    plain = Tensor.__dict__[name]
    if not isinstance(plain, property):  # a constant of the class
        plain = property(lambda self, value=plain: value)  # type: ignore[misc]

    def shown(self: Any) -> Any:
        return plain.__get__(self) if stacks.subclasses_disabled else handle_overrides(plain.__get__, (self,), {})

    def assigned(self: Any, value: Any) -> None:
        if stacks.subclasses_disabled:
            plain.__set__(self, value)
        else:
            handle_overrides(plain.__set__, (self, value), {})

    def deleted(self: Any) -> None:
        plain.__delete__(self)

    return property(shown, assigned, deleted, plain.__doc__)


def _shown_method(name: str) -> Any:
    def shown(self: Any, *args: Any, **kwargs: Any) -> Any:
        plain = getattr(Tensor, name)
        return plain(self, *args, **kwargs) if stacks.subclasses_disabled else handle_overrides(plain, (self, *args), kwargs)

    shown.__name__ = shown.__qualname__ = name
    return shown


tensor_module.show_all = show_all
tensor_module.default_torch_function = default_torch_function
tensor_module.takes_over = takes_over
Tensor.as_subclass = as_subclass  # type: ignore[method-assign]
Tensor._make_subclass = staticmethod(make_subclass)  # type: ignore[method-assign]
