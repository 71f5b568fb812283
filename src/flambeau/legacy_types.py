"""The tensor types from before dtypes: `torch.FloatTensor(2, 3)`, `isinstance(t, torch.LongTensor)`, `t.type()`."""

from typing import Any

from .core import dtype as dt
from .core.device import device as Device
from .core.dtype import SCALAR_NAMES, dtype
from .core.layout import LAYOUTS, strided
from .ops.creation import legacy
from .tensor import Tensor

_NAMES = {name: d for d, name in SCALAR_NAMES.items() if name not in ("UInt16", "UInt32", "UInt64", "ComplexFloat", "ComplexDouble")}


class tensortype(type):
    """The class of the tensor types; `isinstance` asks for dtype and device."""

    __module__ = "torch"
    dtype: dtype
    is_cuda: bool
    is_sparse = False
    layout = strided

    def __instancecheck__(cls, instance: Any) -> bool:
        return (
            isinstance(instance, Tensor)
            and not cls.is_cuda
            and instance.dtype is cls.dtype
            and instance.is_cpu
            and instance.layout is cls.layout
        )

    def __call__(cls, *args: Any, device: Any = None, **named: Any) -> Tensor:
        if cls.is_cuda:
            raise TypeError(f"type {cls.__module__}.{cls.__name__} not available. Torch not compiled with CUDA enabled.")
        if device is not None and Device(device).type != "cpu":
            raise RuntimeError(f"legacy constructor expects device type: cpu but device type: {Device(device).type} was passed")
        if args and isinstance(args[0], str):
            raise TypeError("new(): invalid data type 'str'")
        if args and isinstance(args[0], Tensor) and args[0].dtype is not cls.dtype:
            raise TypeError(f"expected {_options(cls.dtype)} (got {_options(args[0].dtype)})")
        return legacy(Tensor, cls.dtype.numpy, (*named.values(), *args))

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__name__}'>"

    def __reduce__(cls) -> Any:
        return by_name, (f"{cls.__module__}.{cls.__name__}",)


def _options(d: dtype) -> str:
    names = {"Long": "long int", "Byte": "unsigned char", "Char": "signed char", "Half": "c10::Half", "BFloat16": "c10::BFloat16"}
    name = SCALAR_NAMES[d]
    return (
        f"TensorOptions(dtype={names.get(name, name.lower())}, device=cpu, layout=Strided, requires_grad=false (default), "
        "pinned_memory=false (default), memory_format=(nullopt))"
    )


class sparsetensortype(tensortype):
    """The class of `torch.sparse.FloatTensor` and its like, which make sparse tensors: deprecated in favour of `sparse_coo_tensor`."""

    __module__ = "torch"
    is_sparse = True
    layout = LAYOUTS["sparse_coo"]

    def __call__(cls, *args: Any, device: Any = None, **named: Any) -> Tensor:
        import warnings

        from .ops.sparse import sparse_coo_tensor

        if args and all(isinstance(a, int) for a in args):
            args = (args,)
        parts = ("indices, values", "indices, values, shape")[len(args) - 2] if len(args) in (2, 3) else "shape" if args else ""
        new = "(0,), dtype=" if not parts else f"{parts}, dtype=, device="
        warnings.warn(
            f"torch.sparse.SparseTensor({parts}{', *, device=' if parts else ''}) is deprecated. {' ' if parts else ''}Please use "
            f"torch.sparse_coo_tensor({new}).",
            stacklevel=2,
        )
        if len(args) < 2:
            return sparse_coo_tensor(tuple(args[0]) if args else (0,), dtype=cls.dtype, device=device)
        return sparse_coo_tensor(*args, device=device, **named)


def _make(name: str, d: dtype, cuda: bool) -> tensortype:
    module = "torch.cuda" if cuda else "torch"
    return tensortype(f"{name}Tensor", (), {"dtype": d, "is_cuda": cuda, "__module__": module, "__slots__": ()})


TYPES = {f"{name}Tensor": _make(name, d, False) for name, d in _NAMES.items()}
CUDA_TYPES = {f"{name}Tensor": _make(name, d, True) for name, d in _NAMES.items()}
SPARSE_TYPES = {
    name: sparsetensortype(name, (), {"dtype": t.dtype, "is_cuda": False, "__module__": "torch.sparse", "__slots__": ()})
    for name, t in TYPES.items()
    if t.dtype is not dt.bool
}
globals().update(TYPES)


def by_name(name: str) -> Any:
    """The tensor type called `torch.FloatTensor` or `torch.cuda.FloatTensor`. Raises AttributeError where there is none."""
    module, _, last = name.rpartition(".")
    types: dict[str, Any] = CUDA_TYPES if module == "torch.cuda" else TYPES
    found = (SPARSE_TYPES if module == "torch.sparse" else types).get(last)
    if found is None:
        raise AttributeError(f"module '{module or 'torch'}' has no attribute '{last}'")
    return found


def type_method(self: Tensor, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """The name of the tensor's type (`'torch.FloatTensor'`), or the tensor as another type: a dtype, a tensor type or its name."""
    if dtype is None:
        if hasattr(self._array, "compressed"):
            raise RuntimeError("Unimplemented backend SparseCsrCPU")
        return f"torch.{'sparse.' if self.is_sparse else ''}{SCALAR_NAMES[self.dtype]}Tensor"
    if isinstance(dtype, tensortype):
        if dtype.is_cuda:
            raise AssertionError("Torch not compiled with CUDA enabled")
        return self.to(dtype.dtype)
    if isinstance(dtype, (str, type)):
        name = dtype if isinstance(dtype, str) else dtype.__name__
        module, _, last = name.rpartition(".")
        scalar = last.removesuffix("Tensor")
        found = (
            next((d for d, n in SCALAR_NAMES.items() if n == scalar), None)
            if module in ("torch", "torch.sparse") and last.endswith("Tensor")
            else None
        )
        if name == "torch.Tensor":
            found = dt.get_default_dtype()
        if found is None:
            raise ValueError(f"invalid type: {name!r}")
        return self.to(found)
    if not isinstance(dtype, dt.dtype):
        raise TypeError("dtype must be a type, str, or dtype object")
    return self.to(dtype)


type_method.__name__, type_method.__qualname__ = "type", "Tensor.type"
Tensor.type = type_method  # type: ignore[method-assign]
