"""Tensors with a hidden batch dimension, and what operators do with them: the machinery of `vmap`.

While `vmap` runs a function, each mapped argument is a `BatchedTensor`: it looks like one sample and holds all of them, the batch
in dimension 0 of its value. A `Level`, a function mode, sees every call inside. It goes through, in this order:

1. a rule of `rules.py` that makes one call over the whole batch of it;
2. for functions made of operators, these operators, each by its own rule;
3. the call for one sample after the other, whose results are stacked. This is right for whatever has no rule.

Nested vmaps nest: the value of an inner batch may be a BatchedTensor of an outer level, and a rule's own calls go to the next
level outwards. The graph of gradients is that of the innermost values, so samples that share nothing have gradients of their own.
"""

from collections.abc import Callable
from typing import Any

from ..autograd.node import tensors
from ..core.size import Size
from ..ops.modes import modes, stacks
from ..tensor import Tensor

RULES: dict[str, Callable[..., Any]] = {}
"""By function name: `rule(level, function, args, kwargs)`, with BatchedTensors of this level; NotImplemented passes the call on.
Filled by `rules.py`."""

_ITEM = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, please try to rewrite "
    "what you're doing with other operations. If error is occurring somewhere inside PyTorch internals, please file a bug report."
)
_CONTROL_FLOW = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support that yet, please file an "
    "issue at https://github.com/pytorch/pytorch/issues ."
)
_NO_STORAGE = "Cannot access data pointer of Tensor that doesn't have storage"


class NoRule(RuntimeError):
    """Something looked for the memory of a batched tensor, which shows one sample and holds many."""


def _raising(text: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(text)

    return method


class BatchedTensor(Tensor):
    """One sample to look at, all of them inside: `_value` has the batch in dimension 0; `_level` says which vmap it belongs to."""

    __slots__ = ("_value", "_level")
    _value: Any
    _level: "Level"

    def __new__(cls, value: Any, level: "Level") -> "BatchedTensor":
        self: Any = object.__new__(cls)
        self._value, self._level = value, level
        return self

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = [t._level for t in walk((args, kwargs or {})) if isinstance(t, BatchedTensor)]
        deepest = max(found, key=lambda level: level.depth)
        if not deepest.running:
            raise escaped()
        return deepest.call(func, args, kwargs or {})

    # --- what the memory would say: a batch has no array that looks like its sample -----------------------------

    @property
    def _array(self) -> Any:
        raise NoRule("vmap: this function looks at the memory of its argument and has no batching rule")

    @_array.setter
    def _array(self, value: Any) -> None:
        raise NoRule("vmap: this function replaces the memory of its argument and has no batching rule")

    @property
    def _node(self) -> Any:
        raise NoRule("vmap: this function looks at the graph of its argument and has no batching rule")

    def conj(self) -> Any:
        return BatchedTensor(self._value.conj(), self._level)

    def clamp_(self, min: Any = None, max: Any = None) -> Any:
        return self.copy_(self.clamp(min, max))

    clip_ = clamp_

    def detach_(self) -> Any:
        self._value = self._value.detach()
        return self

    def __iter__(self) -> Any:
        if not self.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    _view = _grad = _counter = _hooks = None

    _requires_grad = False  # the graph is that of the value

    @property
    def shape(self) -> Size:
        return Size(self._value.shape[1:])

    @property
    def ndim(self) -> int:
        return int(self._value.dim()) - 1

    @property
    def dtype(self) -> Any:
        return self._value.dtype

    @property
    def device(self) -> Any:
        return self._value.device

    @property
    def layout(self) -> Any:
        return self._value.layout

    @property
    def itemsize(self) -> int:
        return int(self._value.itemsize)

    @property
    def nbytes(self) -> int:
        return self.numel() * self.itemsize

    @property  # type: ignore[misc]
    def requires_grad(self) -> bool:
        return bool(self._value.requires_grad)

    @property
    def is_leaf(self) -> bool:
        return bool(self._value.is_leaf)

    @property
    def grad_fn(self) -> Any:
        return self._value.grad_fn

    @property
    def output_nr(self) -> int:
        return int(self._value.output_nr)

    @property  # type: ignore[misc]
    def grad(self) -> Any:
        return None

    @property
    def retains_grad(self) -> bool:
        return False

    @property  # type: ignore[misc]
    def data(self) -> Any:
        return BatchedTensor(self._value.data, self._level)

    @property
    def is_cpu(self) -> bool:
        return bool(self._value.is_cpu)

    @property
    def is_meta(self) -> bool:
        return bool(self._value.is_meta)

    @property
    def _base(self) -> Any:
        return None

    @property
    def _version(self) -> int:
        return int(self._value._version)

    def element_size(self) -> int:
        return self.itemsize

    def dim(self) -> int:
        return self.ndim

    ndimension = dim

    def numel(self) -> int:
        count = 1
        for n in self.shape:
            count *= n
        return count

    nelement = numel

    def size(self, dim: int | None = None) -> Any:
        if dim is None:
            return self.shape
        return self.shape[logical_dim(dim, self.ndim)]

    def stride(self, dim: int | None = None) -> Any:
        strides = self._value.stride()[1:]
        return strides if dim is None else strides[logical_dim(dim, self.ndim)]

    def storage_offset(self) -> int:
        return int(self._value.storage_offset())

    def get_device(self) -> int:
        return -1

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def is_floating_point(self) -> bool:
        return bool(self._value.is_floating_point())

    def is_complex(self) -> bool:
        return bool(self._value.is_complex())

    def is_signed(self) -> bool:
        return bool(self._value.is_signed())

    def is_contiguous(self, memory_format: Any = None) -> bool:
        return bool(self._value.is_contiguous())

    def is_inference(self) -> bool:
        return bool(self._value.is_inference())

    def _is_view(self) -> bool:
        return False

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        inner = repr(self._value).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={self._level.depth}, bdim=0, value=\n    {inner}\n)"

    def __format__(self, spec: str) -> str:
        return repr(self)

    item = _raising(_ITEM)
    __float__ = __int__ = __complex__ = __index__ = _raising(_ITEM)
    __bool__ = is_nonzero = _raising(_CONTROL_FLOW)
    numpy = __array__ = tolist = data_ptr = untyped_storage = _raising(_NO_STORAGE)
    backward = _raising(
        "backward() called inside a functorch transform. This is not supported, please use functorch.grad or functorch.vjp instead or call "
        "backward() outside of functorch transforms."
    )
    register_hook = retain_grad = _raising("vmap: hooks on tensors inside of a vmap are not supported")

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        raise RuntimeError(
            "You are attempting to call Tensor.requires_grad_() (or perhaps using torch.autograd.functional.* APIs) inside of a function "
            "being transformed by a functorch transform. This is unsupported, please attempt to use the functorch transforms (e.g. grad, "
            "vjp, jacrev, jacfwd, hessian) or call requires_grad_() outside of a function being transformed instead."
        )


class Level:
    """One vmap that is running: a function mode for its time."""

    def __init__(self, size: int, randomness: str) -> None:
        self.size = size
        self.randomness = randomness
        self.depth = 0
        self.running = False

    def __enter__(self) -> "Level":
        self.running = True
        self.depth = len(levels()) + 1
        stacks.function_modes.append(self)
        modes.active += 1
        return self

    def __exit__(self, *exception: Any) -> None:
        self.running = False
        modes.active -= 1
        stacks.function_modes.remove(self)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.call(func, args, kwargs or {})

    def call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call over the whole batch. `func` works at the next level outwards."""
        name = getattr(func, "__name__", "")
        rule = RULES.get(name)
        if rule is None:
            rule = RULES["default"](func)
        if not any(self.has(x) for x in walk((args, kwargs))):
            return RULES["random"](self, func, args, kwargs) if rule is RULES["random"] else func(*args, **kwargs)
        if rule is not None:
            result = rule(self, func, args, kwargs)
            if result is not NotImplemented:
                return result
        if kwargs.get("out") is not None:
            raise RuntimeError(f"vmap: {name}(..., out=) is not supported inside of a vmap")
        whole = getattr(func, "__wrapped__", None)
        if whole is not None and name not in _NOT_TAKEN_APART:
            try:
                with again(self):
                    return whole(*args, **kwargs)
            except NoRule:
                pass
        return self.one_by_one(func, args, kwargs)

    def has(self, x: Any) -> bool:
        """Whether it is a batch of this level."""
        return x.__class__ is BatchedTensor and x._level is self

    def wrap(self, result: Any) -> Any:
        """A result of a call over the batch, in dimension 0 of each of its tensors."""
        if isinstance(result, (tuple, list)) and not isinstance(result, Size):
            parts = [self.wrap(r) for r in result]
            return type(result)(parts) if not hasattr(result, "_fields") or hasattr(result, "n_fields") else type(result)(*parts)
        return BatchedTensor(result, self) if isinstance(result, Tensor) else result

    def one_by_one(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls the function for each sample and stacks the results. In-place changes go into the batch."""
        name = getattr(func, "__name__", "")
        in_place = is_in_place(name)
        if in_place and not self.has(args[0]):
            raise unbatched_target(name)
        results = []
        for i in range(self.size):
            chosen = self.sample((args, kwargs), i)
            results.append(func(*chosen[0], **chosen[1]))
            if in_place and isinstance(results[-1], Tensor) and results[-1].shape != args[0].shape:
                raise RuntimeError(f"vmap: {name} changes the shape of its argument, which is not supported inside of a vmap")
        if not results:
            results = [self._of_no_sample(func, args, kwargs)]
            return self.wrap(stacked([results[0]], self.size))
        return args[0] if in_place else self.wrap(stacked(results, self.size))

    def _of_no_sample(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the function gives for one sample of zeros, for the shape of the results of no sample."""

        def zeros(x: Any) -> Any:
            return tensors.zeros_like(x._value.sum(0)).to(x.dtype) if self.has(x) else x

        chosen = change((args, kwargs), zeros)
        return func(*chosen[0], **chosen[1])

    def sample(self, tree: Any, i: int) -> Any:
        """The arguments with sample `i` in the place of each batch."""
        return change(tree, lambda x: x._value.select(0, i) if self.has(x) else x)

    def values(self, tree: Any) -> Any:
        """The arguments with the whole batch, in dimension 0, in the place of each."""
        return change(tree, lambda x: x._value if self.has(x) else x)

    def expanded(self, x: Any) -> Any:
        """The value with the batch in dimension 0, also of what is the same for all samples."""
        return x._value if self.has(x) else x.unsqueeze(0).expand(self.size, *x.shape)


class RefusingRandomness:
    """A block in which random functions raise, as they do in a vmap."""

    def __enter__(self) -> None:
        stacks.function_modes.append(self)
        modes.active += 1

    def __exit__(self, *exception: Any) -> None:
        modes.active -= 1
        stacks.function_modes.remove(self)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if RULES.get(getattr(func, "__name__", "")) is RULES["random"]:
            return RULES["random"](Level(1, "error"), func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


class again:
    """A block, inside of a rule, in which calls go to this level once more."""

    def __init__(self, level: Level) -> None:
        self.level = level

    def __enter__(self) -> None:
        stacks.function_modes.append(self.level)
        modes.active += 1

    def __exit__(self, *exception: Any) -> None:
        modes.active -= 1
        stacks.function_modes.pop()


_NOT_TAKEN_APART = frozenset(("rrelu", "gumbel_softmax", "multi_head_attention_forward_with_dropout"))


def levels() -> list[Level]:
    """The vmaps that are running, the outermost first."""
    return [mode for mode in stacks.function_modes if mode.__class__ is Level]


def logical_dim(dim: int, ndim: int) -> int:
    """A dimension of the sample, counted from the front. Raises IndexError out of range."""
    low = max(ndim, 1)
    if not -low <= dim < low:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-low}, {low - 1}], but got {dim})")
    return dim % low


def is_in_place(name: str) -> bool:
    """Whether a function of that name writes into its first argument."""
    return (name.endswith("_") and not name.endswith("__")) or name in ("__setitem__", "setitem")


def unbatched_target(name: str) -> RuntimeError:
    """The error for an in-place change, different for each sample, of a tensor that is the same for all."""
    arithmetic = name in ("setitem", "__setitem__", "copy_", "add_", "sub_", "mul_", "div_", "true_divide_", "fill_", "pow_", "__iadd__")
    what, advice = ("inplace arithmetic",) * 2 if arithmetic else (name,) * 2
    return RuntimeError(
        f"vmap: {what}(self, *extra_args) is not possible because there exists a Tensor `other` in extra_args that has more elements than "
        "`self`. This happened due to `other` being vmapped over but `self` not being vmapped over in a vmap. Please try to use "
        f"out-of-place operators instead of {advice}. If said operator is being called inside the PyTorch framework, please file a bug "
        "report instead."
    )


def escaped() -> RuntimeError:
    return RuntimeError("vmap: a tensor was used after the vmap in which it was made had returned; return it from the function instead")


def walk(tree: Any) -> Any:
    """Everything in nested tuples, lists and dicts."""
    for x in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(x, (tuple, list, dict)):
            yield from walk(x)
        elif isinstance(x, slice):
            yield from (x.start, x.stop, x.step)
        else:
            yield x


def change(tree: Any, function: Callable[[Any], Any]) -> Any:
    """The nested tuples, lists and dicts with each leaf changed."""
    if isinstance(tree, dict):
        return {key: change(value, function) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)) and not isinstance(tree, Size):
        parts = [change(value, function) for value in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return function(tree)


def stacked(results: list[Any], size: int) -> Any:
    """The results of the samples as one, with the batch in front; numbers must agree."""
    first = results[0]
    if isinstance(first, Tensor):
        return tensors.stack(results, 0) if size else first.unsqueeze(0)[:0]
    if isinstance(first, (tuple, list)) and not isinstance(first, Size):
        parts = [stacked(list(each), size) for each in zip(*results)]
        return type(first)(parts) if not hasattr(first, "_fields") or hasattr(first, "n_fields") else type(first)(*parts)
    if any(r is not first and r != first for r in results):
        raise RuntimeError(_CONTROL_FLOW)
    return first


# --- batches for gradients -----------------------------------------------------------------------------------------------


def lifted(x: Any) -> Any:
    """The tensor as a batch of every vmap that is running, so that its gradients are those of each sample."""
    return _lifted(x, levels())


def _lifted(x: Any, running: list[Level]) -> Any:
    if x.__class__ is BatchedTensor and x._level not in running:
        raise escaped()
    if not running:
        return x
    last = running[-1]
    if last.has(x):
        return BatchedTensor(_lifted(x._value, running[:-1]), last)
    inner = _lifted(x, running[:-1])
    return BatchedTensor(inner.unsqueeze(0).expand(last.size, *inner.shape), last)


def innermost(x: Any) -> Any:
    """The plain tensor that holds all batches."""
    while x.__class__ is BatchedTensor:
        x = x._value
    return x


def rewrapped(value: Any, like: Any) -> Any:
    """A plain tensor as a batch of the levels that `like` is of."""
    return BatchedTensor(rewrapped(value, like._value), like._level) if like.__class__ is BatchedTensor else value
