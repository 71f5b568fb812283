"""How a call for each sample becomes one call over the batch, by function name.

A rule gets the level, the function, and its arguments, among them BatchedTensors of the level. It calls functions of the values,
whose batch is in dimension 0, and wraps what comes out; where it does not apply it returns NotImplemented.
"""

from collections.abc import Callable
from typing import Any

from ..autograd.node import tensors
from ..core.size import Size
from ..ops.definition import NAMES, OPERATORS
from ..tensor import Tensor
from .batching import RULES, BatchedTensor, Level, again, change, logical_dim, unbatched_target, walk

Rule = Callable[[Level, Any, tuple[Any, ...], dict[str, Any]], Any]


def rule(names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names.split():
            RULES[name] = function
        return function

    return register


# --- element by element --------------------------------------------------------------------------------------------------

_ELEMENTWISE = """
relu gelu silu logsigmoid softplus_op elu_op celu_op leaky_relu_op hardtanh_op hardsigmoid_op hardswish_op mish_op softshrink hardshrink
threshold_op square abs sgn conj_physical conjugated sign clamp_numbers clamp_tensors clamp isnan isinf isfinite isposinf isneginf isreal
isclose logical_not where to_dtype to_integer tanh_backward sigmoid_backward clone detach floor ceil trunc round frac nan_to_num ldexp
signbit heaviside lerp addcmul addcdiv complex polar contiguous zeros_like ones_like full_like empty_like to float
double half bfloat16 int long bool short cfloat cdouble clip positive fix negative sigmoid tanh relu6 softsign tanhshrink alias_view type_as
""".split()
_NOT_ELEMENTWISE = {"prelu_op", "outer", "logsumexp", "dist", "linalg_cross"}


def aligned(level: Level, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments with each batch brought to the same number of dimensions, so that samples broadcast against samples.

    A sample without dimensions among others that have some takes no part in choosing the dtype, as in PyTorch, which the batch,
    having one, would: it is brought to the dtype that the sample leads to.
    """
    found = [x for x in walk((args, kwargs)) if isinstance(x, Tensor)]
    rank = max(x.dim() for x in found)
    with_dims = [x for x in found if x.dim()]
    dtypes = {x.dtype for x in found}

    def align(x: Any) -> Any:
        if not level.has(x):
            return x
        value = x._value
        if len(dtypes) > 1 and not x.dim() and with_dims:
            others = tensors.zeros_like(innermost_of(with_dims[0]).reshape(-1)[:0])
            value = value.to(NAMES["torch"]["result_type"](others, others.new_zeros((), dtype=x.dtype)))
        missing = rank - x.dim()
        return value.reshape(level.size, *[1] * missing, *x.shape) if missing else value

    return change((args, kwargs), align)


def innermost_of(x: Any) -> Any:
    while x.__class__ is BatchedTensor:
        x = x._value
    return x


def elementwise(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    if kwargs.get("out") is not None or "reduction" in kwargs:
        return NotImplemented
    args, kwargs = aligned(level, args, kwargs)
    return level.wrap(func(*args, **kwargs))


def elementwise_in_place(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    target = args[0]
    if not level.has(target):
        raise unbatched_target(func.__name__)
    shape = target.shape
    for x in walk((args[1:], kwargs)):
        if isinstance(x, Tensor) and x.dim() > len(shape):
            return NotImplemented
    args, kwargs = aligned(level, args, kwargs)
    func(*args, **kwargs)
    return target


def default(func: Any) -> Rule | None:
    """The rule of an operator that says itself that it works element by element; remembered under its name."""
    if hasattr(func, "batching_rule"):  # an operator of the user's
        return func.batching_rule
    name = getattr(func, "__name__", "")
    op = OPERATORS.get(name)
    found = None
    if op is not None and op.function is func and _is_elementwise(op):
        found = elementwise
    elif (
        name.endswith("_")
        and (op := OPERATORS.get(name.rstrip("_"))) is not None
        and op.in_places.get(name) is func
        and _is_elementwise(op)
    ):
        found = elementwise_in_place
    if found is not None:
        RULES[name] = found
    return found


def _is_elementwise(op: Any) -> bool:
    return (op.promote is not None or op.name in _ELEMENTWISE) and op.name not in _NOT_ELEMENTWISE and "reduction" not in op.params


RULES["default"] = default
for _name in _ELEMENTWISE:
    RULES.setdefault(_name, elementwise)
RULES["copy_"] = RULES["masked_fill_"] = RULES["zero_"] = RULES["clamp_"] = elementwise_in_place
RULES["addcmul_"] = RULES["addcdiv_"] = RULES["lerp_"] = elementwise_in_place


@rule("fill_")
def fill(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    target, value = args
    if not level.has(target):
        raise unbatched_target("fill_")
    if level.has(value):
        if value.dim():
            return NotImplemented
        value = value._value.reshape(level.size, *[1] * target.dim())
        target._value.copy_(value.expand(target._value.shape))
    else:
        func(target._value, value)
    return target


@rule("masked_fill")
def masked_fill(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input mask value", args, kwargs)
    x, mask, value = given.get("input"), given.get("mask"), given.get("value")
    if not isinstance(x, Tensor) or not isinstance(mask, Tensor) or str(mask.dtype) != "torch.bool":
        return NotImplemented
    if isinstance(value, Tensor):
        if value.dim():
            return NotImplemented
        value = value.to(x.dtype)
    elif not isinstance(value, (int, float)) or (isinstance(value, float) and not x.is_floating_point()):
        return NotImplemented
    else:
        value = x.new_full((), value)
    with again(level):
        return NAMES["torch"]["where"](mask, value, x)


@rule("to type_as")
def convert(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    if not level.has(args[0]):
        return func(args[0], *change(args[1:], lambda x: x._value if level.has(x) else x), **kwargs)
    return elementwise(level, func, args, kwargs)


# --- dimensions ------------------------------------------------------------------------------------------------------------


def shift(dim: Any, ndim: int) -> Any:
    """A dimension of the sample, or several, as one of the batch."""
    if isinstance(dim, (tuple, list)):
        return tuple(logical_dim(d, ndim) + 1 for d in dim)
    return logical_dim(dim, ndim) + 1


def arguments(func: Any, names: str, args: Any, kwargs: Any) -> dict[str, Any]:
    """Positional and named arguments by name; `names` in their order."""
    return {**dict(zip(names.split(), args)), **kwargs}


_REDUCING = {
    "sum": "input dim keepdim", "nansum": "input dim keepdim", "mean": "input dim keepdim", "nanmean": "input dim keepdim",
    "amax": "input dim keepdim", "amin": "input dim keepdim", "logsumexp": "input dim keepdim",
}  # fmt: skip


def _reduce(names: str) -> Rule:
    def reduce(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
        given = arguments(func, names, args, kwargs)
        first, *_ = names.split()
        if "self" in given:
            given[first] = given.pop("self")
        if given.get("out") is not None or len(args) > len(names.split()):
            return NotImplemented
        x = given.pop(first)
        dim = given.pop("dim", None)
        given.pop("out", None)
        if any(level.has(v) for v in walk(given)):
            return NotImplemented
        n = x.dim()
        whole = dim is None or (isinstance(dim, (tuple, list)) and not dim)
        value = x._value
        if not n:
            value = value.unsqueeze(1)
            if "keepdim" in given:
                given["keepdim"] = False
            result = func(value, (1,) if isinstance(dim, (tuple, list)) else 1, **given)
            return level.wrap(result)
        dims = tuple(range(1, n + 1)) if whole else shift(dim, n)
        return level.wrap(func(value, dims, **given))

    return reduce


for _name, _params in _REDUCING.items():
    RULES[_name] = _reduce(_params)


def _along(names: str) -> Rule:
    """Functions of one dimension that must be named, such as softmax and cumsum."""
    params = names.split()

    def along(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
        given = arguments(func, names, args, kwargs)
        x = given.pop(params[0], None)
        if x is None or not level.has(x) or not x.dim() or given.get("out") is not None or any(level.has(v) for v in walk(given)):
            return NotImplemented
        dim = given.get("dim", {"sort": -1, "argsort": -1, "topk": -1, "median": None}.get(func.__name__))
        if not isinstance(dim, int):
            return NotImplemented
        given["dim"] = shift(dim, x.dim())
        given.pop("out", None)
        return level.wrap(func(x._value, **given))

    return along


for _names, _params in {
    "softmax log_softmax": "input dim dtype",
    "cumsum cumprod logcumsumexp cummax cummin": "input dim",
    "argsort": "input dim descending stable",
    "sort": "input dim descending stable",
    "topk": "input k dim largest sorted",
}.items():
    for _name in _names.split():
        RULES[_name] = _along(_params)


@rule("vector_norm")
def vector_norm(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input ord dim keepdim dtype", args, kwargs)
    x = given.pop("input", given.pop("x", None))
    dim, keepdim = given.pop("dim", None), given.pop("keepdim", False)
    if x is None or not x.dim() or given.pop("out", None) is not None or any(level.has(v) for v in walk(given)):
        return NotImplemented
    if dim is None:
        if keepdim:
            return NotImplemented
        return level.wrap(func(x._value.reshape(level.size, -1), dim=(1,), **given)) if x.numel() else NotImplemented
    dim = (dim,) if isinstance(dim, int) else dim
    return level.wrap(func(x._value, dim=shift(dim, x.dim()), keepdim=keepdim, **given))


@rule("var_op std_op")
def spread_of(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, dim, *rest = args
    if not x.dim() or kwargs or (dim is None and rest[1:] and rest[1]):
        return NotImplemented
    return level.wrap(func(x._value, tuple(range(1, x.dim() + 1)) if dim is None or dim == () else shift(dim, x.dim()), *rest))


@rule("flip flip_any roll")
def flip(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, *rest = args
    if func.__name__ == "roll":
        dims = rest[1] if len(rest) > 1 else kwargs.get("dims", ())
        by = rest[0] if rest else kwargs.get("shifts")
        dims = (dims,) if isinstance(dims, int) else dims
        return level.wrap(func(x._value, by, shift(dims, x.dim()))) if dims and x.dim() else NotImplemented
    dims = kwargs.get("dims", sizes_of(tuple(rest)))
    return level.wrap(x._value.flip(shift(dims, x.dim()))) if x.dim() and dims else NotImplemented


@rule("all any prod")
def truth(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, *rest = args
    if not level.has(x) or kwargs.get("out") is not None or len(rest) > 2:
        return NotImplemented
    given = {**dict(zip(("dim", "keepdim"), rest)), **kwargs}
    given.pop("out", None)
    dim = given.pop("dim", None)
    value = x._value
    if dim is None:
        if given.pop("keepdim", False):
            return NotImplemented
        return level.wrap(func(value.reshape(level.size, -1) if x.numel() or level.size else value.flatten(1), 1, **given))
    if not isinstance(dim, int) or not x.dim():
        return NotImplemented
    return level.wrap(func(value, shift(dim, x.dim()), **given))


@rule("max min argmax argmin")
def extreme(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, *rest = args
    if not level.has(x) or kwargs.get("out") is not None or kwargs.get("other") is not None:
        return NotImplemented
    given = {**dict(zip(("dim", "keepdim"), rest)), **{k: v for k, v in kwargs.items() if v is not None}}
    dim = given.get("dim")
    keepdim = given.get("keepdim", False)
    if isinstance(dim, Tensor) or not x.numel():
        if isinstance(dim, Tensor):
            return elementwise(level, NAMES["torch"]["maximum" if func.__name__ == "max" else "minimum"], (x, dim), {})
        return NotImplemented
    if isinstance(dim, int):
        return level.wrap(func(x._value, shift(dim, x.dim()), keepdim)) if x.dim() else NotImplemented
    if keepdim:
        return NotImplemented
    flat = x._value.reshape(level.size, -1)
    if func.__name__ in ("argmax", "argmin"):
        return level.wrap(func(flat, 1))
    return level.wrap((tensors.amax if func.__name__ == "max" else tensors.amin)(flat, 1))


# --- views -----------------------------------------------------------------------------------------------------------------


def sizes_of(args: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list, Size)) else args


@rule("view reshape view_method reshape_method reshaped")
def reshape(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, *rest = args
    shape = kwargs.get("size", kwargs.get("shape", sizes_of(tuple(rest))))
    if not shape and rest != [()] and rest != [[]] and "size" not in kwargs and "shape" not in kwargs:
        return NotImplemented
    if not all(isinstance(n, int) for n in (shape if isinstance(shape, (tuple, list)) else (shape,))):
        return NotImplemented
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if -1 in shape and not x._value.numel():
        return NotImplemented
    if -1 in shape:
        known = 1
        for n in shape:
            known *= n if n != -1 else 1
        if not known or x.numel() % known:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {x.numel()}")
        shape = tuple(x.numel() // known if n == -1 else n for n in shape)
    total = 1
    for n in shape:
        total *= n
    if total != x.numel():
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {x.numel()}")
    return level.wrap(func(x._value, (level.size, *shape)))


@rule("unflatten")
def unflatten(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input dim sizes", args, kwargs)
    x = given.pop("input", given.pop("self", None))
    if x is None or not x.dim() or not isinstance(given["dim"], int):
        return NotImplemented
    return level.wrap(func(x._value, shift(given["dim"], x.dim()), given["sizes"]))


@rule("repeat_method tile")
def repeat(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, *rest = args
    counts = kwargs.get("repeats", kwargs.get("dims", sizes_of(tuple(rest))))
    counts = (counts,) if isinstance(counts, int) else tuple(counts)
    if func.__name__ == "tile":
        counts = (1,) * (x.dim() - len(counts)) + counts
    if len(counts) < x.dim():
        return NotImplemented
    return level.wrap(x._value.reshape(level.size, *[1] * (len(counts) - x.dim()), *x.shape).repeat(1, *counts))


@rule("t_ transpose_ swapaxes_ swapdims_ squeeze_ unsqueeze_")
def change_shape_in_place(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    target, *rest = args
    with again(level):
        changed = getattr(target, func.__name__[:-1])(*rest, **kwargs)
    target._value = changed._value
    return target


@rule("view_as reshape_as")
def reshape_as(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    return level.wrap(args[0]._value.reshape(level.size, *args[1].shape)) if level.has(args[0]) else args[0].reshape(args[1].shape)


@rule("flatten")
def flatten(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input start_dim end_dim", args, kwargs)
    x = given["input"]
    start, end = given.get("start_dim", 0), given.get("end_dim", -1)
    if not isinstance(start, int) or not isinstance(end, int):
        return NotImplemented
    if not x.dim():
        return level.wrap(x._value.unsqueeze(1))
    return level.wrap(func(x._value, shift(start, x.dim()), shift(end, x.dim())))


@rule("transpose swapaxes swapdims")
def transpose(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    if len(args) != 3:
        return NotImplemented
    x, a, b = args
    return level.wrap(func(x._value, shift(a, x.dim()), shift(b, x.dim()))) if x.dim() else args[0]


@rule("permute permute_method")
def permute(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, *rest = args
    dims = kwargs.get("dims", sizes_of(tuple(rest)))
    return level.wrap(x._value.permute(0, *shift(dims, x.dim()))) if len(dims) == x.dim() else NotImplemented


@rule("t numpy_T matrix_T")
def reverse(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x = args[0]
    if func.__name__ == "matrix_T":
        return level.wrap(x._value.transpose(-2, -1)) if x.dim() >= 2 else NotImplemented
    return level.wrap(x._value.permute(0, *range(x.dim(), 0, -1))) if x.dim() <= 2 or func.__name__ != "t" else NotImplemented


@rule("unsqueeze")
def unsqueeze(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input dim", args, kwargs)
    x = given["input"]
    return level.wrap(func(x._value, logical_dim(given["dim"], x.dim() + 1) + 1))


@rule("squeeze")
def squeeze(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input dim", args, kwargs)
    x, dim = given["input"], given.get("dim")
    if not x.dim():
        return NotImplemented
    dims = range(x.dim()) if dim is None else [logical_dim(d, x.dim()) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    return level.wrap(x._value.reshape(level.size, *(n for i, n in enumerate(x.shape) if i not in dims or n != 1)))


@rule("expand expand_method")
def expand(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, *rest = args
    sizes = sizes_of(tuple(rest)) if rest else kwargs.get("size", ())
    if len(sizes) < x.dim() or not all(isinstance(n, int) for n in sizes):
        return NotImplemented
    value = x._value.reshape(level.size, *[1] * (len(sizes) - x.dim()), *x.shape)
    return level.wrap(value.expand(level.size, *sizes))


@rule("expand_as")
def expand_as(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, shape = args[0], tuple(args[1].shape)
    return expand(level, func, (x, shape), {}) if level.has(x) else x.expand(shape)


@rule("select narrow unbind")
def pick(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    names = {"select": "input dim index", "narrow": "input dim start length", "unbind": "input dim"}[func.__name__]
    given = arguments(func, names, args, kwargs)
    x = given.pop("input")
    if any(isinstance(v, Tensor) for v in given.values()) or not x.dim():
        return NotImplemented
    given["dim"] = shift(given.get("dim", 0), x.dim())
    return level.wrap(func(x._value, **given))


@rule("split split_method chunk tensor_split split_with_sizes unsafe_split unsafe_chunk")
def split(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    if not args or not level.has(args[0]) or not args[0].dim() or len(args) < 2 or any(isinstance(a, Tensor) for a in args[1:]):
        return NotImplemented
    x, sections, *rest = args
    dim = rest[0] if rest else kwargs.get("dim", 0)
    return level.wrap(func(x._value, sections, dim=shift(dim, x.dim())))


@rule("tril triu")
def triangle(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    return level.wrap(func(args[0]._value, *args[1:], **kwargs)) if args[0].dim() >= 2 else NotImplemented


@rule("diagonal")
def diagonal(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input offset dim1 dim2", args, kwargs)
    x = given["input"]
    if x.dim() < 2:
        return NotImplemented
    dims = shift((given.get("dim1", 0), given.get("dim2", 1)), x.dim())
    return level.wrap(func(x._value, given.get("offset", 0), *dims))


@rule("cat stack concat concatenate")
def join(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "tensors dim", args, kwargs)
    parts = given["tensors"]
    dim = given.get("dim", 0)
    if given.get("out") is not None or not isinstance(dim, int) or any(not x.dim() for x in parts) and func.__name__ != "stack":
        return NotImplemented
    if func.__name__ != "stack" and len({x.dim() for x in parts}) > 1:
        return NotImplemented
    n = parts[0].dim() + (func.__name__ == "stack")
    return level.wrap(func([level.expanded(x) for x in parts], logical_dim(dim, n) + 1))


# --- indexing --------------------------------------------------------------------------------------------------------------


def _no_masks(level: Level, index: tuple[Any, ...]) -> None:
    for i in index:
        if level.has(i) and str(i.dtype) == "torch.bool":
            raise RuntimeError(
                "vmap: We do not support batching operators that can support dynamic shape. Attempting to batch over indexing with a "
                "boolean mask."
            )


def _basic(index: tuple[Any, ...]) -> bool:
    return all(i is None or i is Ellipsis or i.__class__ in (int, slice) for i in index)


def _placed(level: Level, x: Any, index: tuple[Any, ...]) -> Any:
    """The index for the whole batch; None where there is no such."""
    _no_masks(level, index)
    if any(level.has(part) for i in index if isinstance(i, slice) for part in (i.start, i.stop, i.step)):
        return None
    if _basic(index):
        return (slice(None), *index) if level.has(x) else None
    if not all(i is Ellipsis or i is None or i.__class__ in (int, slice) or isinstance(i, Tensor) for i in index):
        return None
    if any(isinstance(i, Tensor) and not level.has(i) and str(i.dtype) == "torch.bool" for i in index):
        return None
    batched = [i for i in index if level.has(i)]
    if not batched:  # the same elements of each sample: together the indexed dimensions stay where they are
        advanced = [p for p, i in enumerate(index) if isinstance(i, Tensor) or i.__class__ is int]
        if advanced != list(range(advanced[0], advanced[-1] + 1)):
            return None
        return (slice(None), *index)
    # Other elements of each sample: the index tensors come first, and nothing but whole dimensions follows.
    count = next((p for p, i in enumerate(index) if not isinstance(i, Tensor)), len(index))
    if any(i is not Ellipsis and i != slice(None) for i in index[count:] if not isinstance(i, Tensor)) or any(
        isinstance(i, Tensor) for i in index[count:]
    ):
        return None
    rank = max(i.dim() for i in index[:count])
    chosen = [
        i._value.reshape(level.size, *[1] * (rank - i.dim()), *i.shape) if level.has(i) else i  # an index for all broadcasts from the right
        for i in index[:count]
    ]
    if not level.has(x):
        return (*chosen, *index[count:])
    rows = NAMES["torch"]["arange"](level.size).reshape(level.size, *[1] * rank)
    return (rows, *chosen, *index[count:])


@rule("getitem __getitem__")
def getitem(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, index = args
    index = index if isinstance(index, tuple) else (index,)
    placed = _placed(level, x, index)
    if placed is None:
        return NotImplemented
    return level.wrap((x._value if level.has(x) else x)[placed])


@rule("setitem __setitem__")
def setitem(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    x, index, value = args
    if not level.has(x):
        raise unbatched_target("setitem")
    index = index if isinstance(index, tuple) else (index,)
    _no_masks(level, index)
    if not _basic(index):
        return NotImplemented
    part = x._value[(slice(None), *index)]
    if level.has(value):
        missing = part.dim() - 1 - value.dim()
        if missing < 0:
            return NotImplemented
        value = value._value.reshape(level.size, *[1] * missing, *value.shape)
    x._value[(slice(None), *index)] = value
    return None


@rule("gather")
def gather(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input dim index", args, kwargs)
    x, index = given["input"], given["index"]
    if not x.dim() or not index.dim():
        return NotImplemented
    return level.wrap(func(level.expanded(x), shift(given["dim"], x.dim()), level.expanded(index)))


@rule("index_select")
def index_select(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input dim index", args, kwargs)
    x, index = given["input"], given["index"]
    if level.has(index) or not x.dim():
        return NotImplemented
    return level.wrap(func(x._value, shift(given["dim"], x.dim()), index))


@rule("embedding")
def embedding(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    if len(args) < 2 or level.has(args[0]):  # a table for each sample
        return NotImplemented
    return level.wrap(func(*level.values(args), **kwargs))


# --- products --------------------------------------------------------------------------------------------------------------


@rule("matmul mm bmm mv dot __matmul__")
def product(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    if len(args) != 2 or kwargs:
        return NotImplemented
    a, b = args
    wanted = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1)}.get(func.__name__)
    if (wanted and (a.dim(), b.dim()) != wanted) or not a.dim() or not b.dim() or a.dtype is not b.dtype:
        return NotImplemented
    if a.shape[-1] != b.shape[-2 if b.dim() > 1 else -1]:
        return NotImplemented
    rank = max(a.dim(), b.dim(), 2)
    row, column = a.dim() == 1, b.dim() == 1

    def lifted(x: Any, vector_dim: int) -> Any:
        value = x._value if level.has(x) else x
        if x.dim() == 1:
            value = value.unsqueeze(vector_dim)
        if level.has(x):
            shape = value.shape[1:]
            value = value.reshape(level.size, *[1] * (rank - len(shape)), *shape) if len(shape) < rank else value
        return value

    result = tensors.matmul(lifted(a, -2), lifted(b, -1))
    if row:
        result = result.squeeze(-2)
    if column:
        result = result.squeeze(-1)
    return level.wrap(result)


@rule("addmm")
def addmm(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    if len(args) != 3 or kwargs.get("out") is not None or set(kwargs) - {"beta", "alpha", "out"}:
        return NotImplemented
    c, a, b = args
    if not (a.dim() == b.dim() == 2) or c.dim() > 2 or not level.size:
        return NotImplemented
    c_value = c._value.reshape(level.size, *[1] * (2 - c.dim()), *c.shape) if level.has(c) else c
    given = {k: v for k, v in kwargs.items() if k != "out"}
    return level.wrap(tensors.baddbmm(c_value, level.expanded(a), level.expanded(b), **given))
