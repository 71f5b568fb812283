"""`Tensor`: an array with a place in the graph of gradients.

Only fields, properties and the interchange with Python and NumPy live here. Every operator, method or dunder alike, is
attached by its definition in `ops/`; this file names none.
"""

from typing import Any, Callable, Iterable

import numpy as np

from .autograd import engine
from .autograd.grad_mode import grad_mode, inferring
from .autograd.node import Node, Output, tensors
from .autograd.version import UNVERSIONED
from .autograd.views import check_in_place
from .core import device as devices
from .core import layout
from .core.dtype import OF_NUMPY, SCALAR_NAMES, dtype
from .core.hooks import RemovableHandle
from .core.size import Size, fresh_size

ndarray = np.ndarray
_new = object.__new__


class _TensorMeta(type):
    """Gives `torch.Tensor` its name, whatever package it was imported through."""


class Tensor(metaclass=_TensorMeta):
    """A multi-dimensional array of one dtype that can record how it was computed.

    Fields: `_array`, the memory (an ndarray, never a NumPy scalar); `_node`, what produced it in the graph (None for a
    leaf; an `Output` where the node has several); `_requires_grad`; `_grad`; `_view`, how it came out of its base;
    `_counter`, the counter of in-place changes that views share (None: nobody has asked yet; `UNVERSIONED`: made in
    inference mode); `_hooks` of a leaf.
    """

    __slots__ = ("_array", "_node", "_requires_grad", "_grad", "_view", "_counter", "_hooks", "__dict__", "__weakref__")
    __module__ = "torch"
    __array_priority__ = 1000  # NumPy's operators hand over to ours

    def __new__(cls, *args: Any, **kwargs: Any) -> "Tensor":
        return construct(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__torch_function__ is disabled_torch_function:
            PLAIN.add(cls)
        elif show_all is not None:
            show_all(cls)

    # --- what it is --------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return fresh_size(self._array.shape)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def dtype(self) -> dtype:
        """The type of the elements."""
        return OF_NUMPY[self._array.dtype]

    @property
    def device(self) -> devices.device:
        """Where the memory lies."""
        return devices.CPU if self._array.__class__ is ndarray else self._array.device

    @property
    def layout(self) -> Any:
        """How the elements are stored: `torch.strided`, or one of the sparse layouts."""
        return layout_object("strided" if self._array.__class__ is ndarray else getattr(self._array, "layout", "strided"))

    @property
    def is_sparse(self) -> bool:
        """Whether the layout is `torch.sparse_coo`."""
        return self._array.__class__ is not ndarray and getattr(self._array, "layout", "") == "sparse_coo"

    @property
    def is_sparse_csr(self) -> bool:
        """Whether the layout is `torch.sparse_csr`."""
        return self._array.__class__ is not ndarray and getattr(self._array, "layout", "") == "sparse_csr"

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements. Raises RuntimeError for a sparse tensor."""
        if self.is_sparse:
            raise RuntimeError(
                "nbytes is not defined for sparse tensors.  If you want the size of the constituent tensors, add the nbytes of the "
                "indices and values.  If you want the size of the  equivalent dense tensor, multiply numel() by element_size()"
            )
        return self._array.size * self._array.itemsize

    def element_size(self) -> int:
        """Bytes of one element."""
        return self._array.itemsize

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    nelement = numel

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of dimension `dim`. Raises IndexError out of range."""
        shape = self._array.shape
        if dim is None:
            return fresh_size(shape)
        if not shape:
            layout.normalize_dim(dim, 0)
            raise IndexError("Dimension specified as %d but tensor has no dimensions" % dim)
        try:
            return shape[layout.normalize_dim(dim, len(shape))]
        except (TypeError, IndexError) as error:
            raise no_dimension("size", dim, error) from None

    def stride(self, dim: int | None = None) -> Any:
        """The steps in memory, in elements, from one index to the next; all, or of one dimension."""
        strides = layout.strides_of(self._array) if self.layout is layout.strided else self._array.tensor_strides()
        if dim is None:
            return strides
        try:
            return strides[layout.normalize_dim(dim, len(strides))]
        except (TypeError, IndexError) as error:
            raise no_dimension("stride", dim, error) from None

    def storage_offset(self) -> int:
        """How many elements the tensor begins behind the start of its storage."""
        return 0 if self._array.__class__ is not ndarray else layout.storage_offset(self._array)

    def data_ptr(self) -> int:
        """The address of the first element; 0 where there is no memory."""
        if self._array.__class__ is not ndarray and hasattr(self._array, "layout"):
            raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")
        return layout.address(self._array) if self._array.__class__ is ndarray and self._array.size else 0

    def get_device(self) -> int:
        """The number of the CUDA device; -1 on the CPU."""
        return -1

    def __len__(self) -> int:
        shape = self._array.shape
        if not shape:
            raise TypeError("len() of a 0-d tensor")
        return shape[0]

    def is_floating_point(self) -> bool:
        """Whether the dtype is a floating-point type."""
        return OF_NUMPY[self._array.dtype].kind == 2

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self._array.dtype.kind == "c"

    def is_signed(self) -> bool:
        """Whether the dtype can hold negative numbers."""
        return OF_NUMPY[self._array.dtype].is_signed

    is_cuda = is_quantized = is_mkldnn = is_nested = is_mps = is_xpu = is_vulkan = is_ipu = is_xla = False
    is_maia = is_mtia = is_ort = False

    @property
    def is_cpu(self) -> bool:
        return self._array.__class__ is ndarray or self._array.device.type == "cpu"

    @property
    def is_meta(self) -> bool:
        return self._array.__class__ is not ndarray and self._array.device.type == "meta"

    # --- its place in the graph --------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operators record what happens to this tensor, or would if it was no view made under no_grad."""
        return self._requires_grad or (self._view is not None and self._view.base._requires_grad)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value is not True and value is not False:
            raise RuntimeError("requires_grad must be a bool")
        if value and OF_NUMPY[self._array.dtype].kind < 2:
            raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Starts or stops recording at this leaf. Raises RuntimeError for a non-leaf or a dtype without gradients."""
        if requires_grad is not True and requires_grad is not False:
            raise TypeError(f"requires_grad_(): argument 'requires_grad' (position 1) must be bool, not {type(requires_grad).__name__}")
        if requires_grad and OF_NUMPY[self._array.dtype].kind < 2:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        if not requires_grad and self._node is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph that "
                "doesn't require differentiation use var_no_grad = var.detach()."
            )
        if requires_grad and self._counter is UNVERSIONED and not grad_mode.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        self._requires_grad = bool(requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, not by a recorded operator."""
        if self._view is not None:
            self._view.sync(self)
        return self._node is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that produced this tensor; None for a leaf."""
        if self._view is not None:
            self._view.sync(self)
        node = self._node
        return node.node if node.__class__ is Output else node

    @property
    def output_nr(self) -> int:
        return self._node.index if self._node.__class__ is Output else 0

    @property
    def grad(self) -> Any:
        """The gradient that `backward()` accumulated here, or None."""
        found = self._grad
        if found is None and self._node is not None and not self.retains_grad:
            import warnings

            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be populated "
                "during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, use "
                ".retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access the leaf "
                "Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information.",
                stacklevel=2,
            )
        return found

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self._grad = None
            return
        if not isinstance(value, Tensor):
            raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__!r}")
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value._array.dtype != self._array.dtype:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{_scalar_name(value)}' to a tensor with dtype "
                f"'{_scalar_name(self)}'. Please ensure that the gradient and the tensor have the same dtype"
            )
        if value._array.shape != self._array.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size '{list(self.shape)}'. Please ensure "
                "that the gradient and the tensor are the same size"
            )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def retains_grad(self) -> bool:
        """Whether `.grad` of this non-leaf is kept."""
        return self._node is not None and bool(self.__dict__.get("_retains_grad"))

    def retain_grad(self) -> None:
        """Keeps the gradient of this non-leaf in `.grad` at each backward."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self._node is None or self.retains_grad:
            return
        import weakref

        self.__dict__["_retains_grad"] = True
        target = weakref.ref(self)

        def keep(grad: Any) -> None:
            tensor = target()
            if tensor is not None:
                tensor._grad = grad if tensor._grad is None else tensors.add(tensor._grad, grad)

        node, index = (self._node.node, self._node.index) if self._node.__class__ is Output else (self._node, 0)
        if node.pre_hooks is None:
            node.pre_hooks = {}
        handle = RemovableHandle(node.pre_hooks)
        node.pre_hooks[handle.id] = (~index, keep)

    @property
    def _base(self) -> Any:
        return None if self._view is None else self._view.base

    def _is_view(self) -> bool:
        return self._view is not None

    @property
    def data(self) -> "Tensor":
        """The same memory, outside the graph; changes through it go unnoticed by the version counter."""
        return wrap_as(type(self), self._array) if type(self) not in PLAIN else wrap(self._array)

    @data.setter
    def data(self, value: "Tensor") -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._requires_grad and OF_NUMPY[value._array.dtype].kind < 2:
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        self._array = value._array

    def is_inference(self) -> bool:
        """Whether it was made in inference mode."""
        return self._counter is UNVERSIONED

    def backward(self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None) -> None:
        """Adds the gradients of this tensor with respect to the leaves of its graph into their `.grad`.

        `gradient`: of the same shape; may be left out for a tensor with one element. `inputs`: only these receive.
        Raises RuntimeError for a tensor outside any graph, or a graph that was freed by an earlier backward.
        """
        if type(self) not in PLAIN and takes_over(self):
            named = dict(gradient=gradient, retain_graph=retain_graph, create_graph=create_graph, inputs=inputs)
            return type(self).__torch_function__(Tensor.backward, (type(self),), (self,), named)
        if inputs is not None:
            inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
            if not inputs:
                raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        if gradient is not None and not isinstance(gradient, Tensor):
            gradient = engine.first_gradient(gradient)
        engine.run_backward([self], [gradient], retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Calls `hook(grad)` whenever the gradient of this tensor is computed; what it returns replaces it."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node = self._node
        if node is None:
            if self._hooks is None:
                self._hooks = {}
            handle = RemovableHandle(self._hooks)
            self._hooks[handle.id] = hook
            return handle
        index = 0
        if node.__class__ is Output:
            node, index = node.node, node.index
        if node.pre_hooks is None:
            node.pre_hooks = {}
        handle = RemovableHandle(node.pre_hooks)
        node.pre_hooks[handle.id] = (index, hook)
        return handle

    def register_post_accumulate_grad_hook(self, hook: Callable[[Any], None]) -> RemovableHandle:
        """Calls `hook(self)` after a backward has added into `.grad` of this leaf."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self._node is not None:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        hooks = self.__dict__.setdefault("_post_accumulate_grad_hooks", {})
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle

    # --- Python and NumPy --------------------------------------------------------------------------------------

    def item(self) -> Any:
        """The one element as a Python number. Raises RuntimeError unless there is exactly one."""
        array = self._array
        if array.size != 1:
            raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        if array.dtype.kind == "V":  # bfloat16, which NumPy gives back as its own scalar
            return float(array.reshape(())[()])
        if array.__class__ is not ndarray:
            if hasattr(array, "layout"):
                return array.dense().item()
            raise RuntimeError("Tensor.item() cannot be called on meta tensors")
        return array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers; a number for a 0-dim tensor."""
        array = self._array
        if array.__class__ is not ndarray:
            if hasattr(array, "layout"):
                raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        return array.astype(np.float32).tolist() if array.dtype.kind == "V" else array.tolist()

    def numpy(self, *, force: bool = False) -> ndarray:
        """The memory as an ndarray, shared. Raises where a graph would be recorded, unless `force`."""
        array = self._array
        if array.__class__ is not ndarray and hasattr(array, "layout"):
            kind = array.layout.title().replace("_", "").replace("Coo", "")
            raise TypeError(f"can't convert {kind} layout tensor to numpy. Use Tensor.to_dense() first.")
        if not force:
            if self.requires_grad and grad_mode.enabled:
                raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
            if array.__class__ is not ndarray:
                raise TypeError("can't convert meta device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
        if array.dtype.kind == "V":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:
        array = self.numpy()
        if dtype is None or array.dtype == dtype:
            return array.copy() if copy else array
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        return array.astype(dtype)

    def __bool__(self) -> bool:
        array = self._array
        if array.size != 1:
            if array.size == 0:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return bool(self.item())

    def __int__(self) -> int:
        value = self._only()
        return int(value if value.__class__ is not complex else _real(value, "int64_t"))

    def __float__(self) -> float:
        if self._requires_grad:
            _warn_of_conversion()
        value = self._only()
        return float(value if value.__class__ is not complex else _real(value, "double"))

    def __complex__(self) -> complex:
        if self._requires_grad:
            _warn_of_conversion()
        return complex(self._only())

    def _only(self) -> Any:
        if self._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def __index__(self) -> int:
        if self._array.size != 1 or self._array.dtype.kind not in "iub":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __hash__(self) -> int:
        return id(self)

    def __dir__(self) -> Iterable[str]:
        return sorted({*dir(type(self)), *self.__dict__})

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        cls = type(self)
        if cls not in PLAIN and takes_over(self):
            return cls.__torch_function__(Tensor.__repr__, (cls,), (self,), {})
        return describe(self)

    def __format__(self, spec: str) -> str:
        if self._array.ndim == 0 and self._array.__class__ is ndarray and type(self) in PLAIN:
            return self.item().__format__(spec)
        return object.__format__(self, spec)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs `func` and gives its results this class, as PyTorch does for subclasses."""
        return default_torch_function(cls, func, types, args, kwargs or {})


def no_dimension(name: str, dim: Any, error: Exception) -> Exception:
    """What a method says of a `dim` that it does not have, or that is no number: `error` where that says it."""
    if hasattr(dim, "__index__"):
        return error
    return TypeError(f"{name}(): argument 'dim' (position 1) must be int, not {type(dim).__name__}")


def _real(value: complex, name: str) -> float:
    """A complex number without an imaginary part as a real one. Raises RuntimeError where it has one."""
    if value.imag:
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    return value.real


def _warn_of_conversion() -> None:
    """Warns, once, that a number takes no gradient along."""
    global _warned
    if _warned or not grad_mode.enabled:
        return
    _warned = True
    import warnings

    warnings.warn(
        "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\nConsider using tensor.detach() first.",
        stacklevel=3,
    )


_warned = False


def disabled_torch_function(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """A class whose `__torch_function__` is this one is treated as a plain Tensor."""
    return NotImplemented


PLAIN: set[type] = {Tensor}
"""The classes that operators take as they are; any other leaves by the operators' one exit."""


def wrap(array: ndarray, _new: Any = _new, _cls: type = Tensor) -> Tensor:
    """A tensor over an array, outside any graph."""
    t = _new(_cls)
    t._array = array
    t._node = t._grad = t._view = t._counter = t._hooks = None
    t._requires_grad = False
    if inferring.blocks and grad_mode.inference:
        t._counter = UNVERSIONED
    return t


def wrap_as(cls: type, array: ndarray, requires_grad: bool = False) -> Any:
    """`wrap` for a subclass."""
    t = _new(cls)
    t._array = array
    t._node = t._grad = t._view = t._counter = t._hooks = None
    t._requires_grad = requires_grad
    if inferring.blocks and grad_mode.inference:
        t._counter = UNVERSIONED
    return t


def guard_in_place(tensor: Tensor) -> None:
    """Before an in-place change: raises where PyTorch refuses."""
    if tensor._counter is UNVERSIONED:
        UNVERSIONED.check()
    if grad_mode.enabled and (tensor._requires_grad or tensor._view is not None):
        if tensor.requires_grad or tensor._view.base.requires_grad:
            check_in_place(tensor)


def _scalar_name(tensor: Tensor) -> str:
    name = SCALAR_NAMES[tensor.dtype]
    in_c = {"Float": "float", "Double": "double", "Half": "c10::Half", "BFloat16": "c10::BFloat16", "Long": "long int", "Int": "int"}
    return in_c.get(name, name.lower())


# Filled from above: what a tensor needs but floor 3 does not know.
construct: Any = None
"""`Tensor(...)`, the legacy constructor: set by ops/creation."""
default_torch_function: Any = None
"""The default `Tensor.__torch_function__`: set by ops/subclassing."""
takes_over: Any = None
"""Whether a subclass's own `__torch_function__` is to be asked: set by ops/subclassing."""
show_all: Any = None
"""Lets a subclass's own `__torch_function__` see the properties and methods defined here: set by ops/subclassing."""
layout_object: Any = None
"""`torch.strided`: set by the package."""


def describe(tensor: Tensor) -> str:
    """What `repr` shows."""
    from .core.printing import tensor_text

    node = tensor.grad_fn
    if tensor._array.__class__ is not ndarray and hasattr(tensor._array, "layout"):
        from .core.sparse_printing import sparse_text

        return sparse_text(tensor._array, tensor._requires_grad, None if node is None else node.name().rpartition("::")[2])
    name = None if node is None else node.name().rpartition("::")[2]
    cls = type(tensor)
    prefix = "tensor(" if cls in PLAIN else f"{cls.__name__}("
    return tensor_text(
        tensor._array,
        dtype=tensor.dtype,
        device=tensor.device,
        requires_grad=tensor._requires_grad,
        grad_fn_name=name,
        prefix=prefix,
    )


def _version_of(self: Tensor) -> int:
    if self._counter is UNVERSIONED:
        raise RuntimeError("Inference tensors do not track version counter.")
    return 0 if self._counter is None else self._counter[0]


Tensor._version = property(_version_of)  # type: ignore[attr-defined]
