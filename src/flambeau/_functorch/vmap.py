"""`torch.vmap`: a function of samples as a function of batches."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..autograd import function as autograd_function
from ..autograd.node import tensors
from ..ops.modes import modes, stacks
from ..tensor import Tensor
from ..utils._pytree import tree_flatten, tree_map, tree_unflatten
from . import layers as layers
from . import randomness as randomness_rules
from . import rules as rules
from .batching import BatchedTensor, Level, levels, walk

__all__ = ["vmap"]

_RULES = (rules, layers, randomness_rules)  # registered by being imported


def vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Callable[..., Any]:
    """A function over batches: `func` sees one sample of each argument along `in_dims`; results are stacked along `out_dims`.

    in_dims: a dimension for all positional arguments, or a tuple in their structure; None for what is the same for all samples.
    Keyword arguments are the same for all samples. out_dims: likewise for the results. randomness: "error",
    "same" (one draw for all samples) or "different". chunk_size: how many samples at a time, all unless given.

    Operators work on the whole batch where a rule says how; others are called for one sample after the other, with the same
    results. Raises ValueError for dimensions that do not fit the arguments, RuntimeError for what no batch can do: control flow
    that depends on values, `item()`, results whose shape depends on values, in-place changes of what is shared by all samples.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        name = name_of(func)
        _check_out_dims(out_dims, name)
        size, flat_dims, flat, spec = _taken_apart(in_dims, args, name)
        if chunk_size is None or size <= chunk_size:
            return _run(func, name, size, flat_dims, flat, spec, out_dims, randomness, kwargs)
        parts = []
        for start in range(0, size, chunk_size):
            count = min(chunk_size, size - start)
            chosen = [x if d is None else x.narrow(d, start, count) for x, d in zip(flat, flat_dims)]
            parts.append(_run(func, name, count, flat_dims, chosen, spec, out_dims, randomness, kwargs))
        return _joined(parts, out_dims)

    return wrapped


def name_of(func: Any) -> str:
    if hasattr(func, "__name__"):
        return str(func.__name__)
    return f"functools.partial({name_of(func.func)}, ...)" if isinstance(func, functools.partial) else repr(func)


def _check_out_dims(out_dims: Any, name: str) -> None:
    for dim in [out_dims] if isinstance(out_dims, int) else tree_flatten(out_dims)[0]:
        if not isinstance(dim, int) and dim is not None:
            raise ValueError(
                f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints representing "
                "where in the outputs the vmapped dimension should appear."
            )


def spread(prefix: Any, spec: Any) -> list[Any] | None:
    """One entry of `prefix` for each leaf: an entry stands for the whole branch below it. None where the structures do not fit."""
    found, own = tree_flatten(prefix, is_leaf=lambda x: x is None)
    return _spread(iter(found), own, spec)


def _spread(entries: Iterator[Any], own: Any, spec: Any) -> list[Any] | None:
    if own.is_leaf():
        return [next(entries)] * spec.num_leaves
    if spec.is_leaf() or own.type is not spec.type or own.num_children != spec.num_children or own.context != spec.context:
        return None
    result: list[Any] = []
    for a, b in zip(own.children(), spec.children()):
        part = _spread(entries, a, b)
        if part is None:
            return None
        result += part
    return result


def _taken_apart(in_dims: Any, args: tuple[Any, ...], name: str) -> tuple[int, list[int | None], list[Any], Any]:
    """The number of samples, the dimensions and the arguments as flat lists, and the structure of the latter."""
    call = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{call}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a function with no "
            "inputs. The latter is unsupported."
        )
    flat, spec = tree_flatten(args)
    dims = spread(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{call}: in_dims is not compatible with the structure of `inputs`. in_dims has structure {tree_flatten(in_dims)[1]} but "
            f"inputs has structure {spec}."
        )
    sizes = []
    for i, (x, dim) in enumerate(zip(flat, dims)):
        if not isinstance(dim, int) and dim is not None:
            raise ValueError(f"{call}: Got in_dim={dim} for an input but in_dim must be either an integer dimension or None.")
        if isinstance(dim, int) and not isinstance(x, Tensor):
            raise ValueError(
                f"{call}: Got in_dim={dim} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor arguments, "
                "please use None as the respective in_dim"
            )
        if dim is not None:
            if not -x.dim() <= dim < x.dim():
                raise ValueError(
                    f"{call}: Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {x.dim()} so expected in_dim "
                    f"to satisfy -{x.dim()} <= in_dim < {x.dim()}."
                )
            dims[i] = dim % x.dim()
            sizes.append(x.shape[dim])
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped dimension"
        )
    return sizes[0], dims, flat, spec


def _run(func: Any, name: str, size: int, dims: Any, flat: Any, spec: Any, out_dims: Any, randomness: str, kwargs: Any) -> Any:
    level = Level(size, randomness)
    batches = [x if d is None else BatchedTensor(x.movedim(d, 0) if d else x, level) for x, d in zip(flat, dims)]
    with level:
        results = func(*tree_unflatten(batches, spec), **kwargs)
    found, result_spec = tree_flatten(results)
    places: list[Any] | None
    if isinstance(results, Tensor):
        flat_out = tree_flatten(out_dims, is_leaf=lambda x: x is None)[0]
        places = flat_out if isinstance(out_dims, int) or out_dims is None or (isinstance(out_dims, tuple) and len(flat_out) == 1) else None
    else:
        places = spread(out_dims, result_spec)
    if places is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of `outputs`. out_dims has "
            f"structure {tree_flatten(out_dims)[1]} but outputs has structure {result_spec}."
        )
    return tree_unflatten([_unwrapped(level, x, d, name) for x, d in zip(found, places)], result_spec)


def _unwrapped(level: Level, x: Any, place: int | None, name: str) -> Any:
    """A result with the batch in the dimension asked for."""
    if place is None:
        if level.has(x):
            raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
        return x
    if not isinstance(x, Tensor):
        raise ValueError(
            f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did you mean to set out_dims= to None for output?"
        )
    if level.has(x):
        value = x._value  # type: ignore[attr-defined]
        return value.movedim(0, place) if place else value
    shape = list(x.shape)
    position = place % (x.dim() + 1) if -x.dim() - 1 <= place <= x.dim() else place
    if position == place or place < 0:
        shape.insert(position, level.size)
        return x.expand(shape) if not position else x.unsqueeze(position).expand(shape)
    raise IndexError(f"Dimension out of range (expected to be in range of [{-x.dim() - 1}, {x.dim()}], but got {place})")


def _joined(parts: list[Any], out_dims: Any) -> Any:
    flat = [tree_flatten(part) for part in parts]
    spec = flat[0][1]
    places = spread(out_dims, spec) or tree_flatten(out_dims)[0]
    columns = zip(*(leaves for leaves, _ in flat))
    return tree_unflatten([each[0] if d is None else tensors.cat(list(each), d) for each, d in zip(columns, places)], spec)


# --- autograd.Function ----------------------------------------------------------------------------------------------------


class VmapInfo(NamedTuple):
    """What the `vmap` of an `autograd.Function` is told of the batch."""

    batch_size: int
    randomness: str


VmapInfo.__module__ = "torch._functorch.autograd_function"


def by_user_rule(level: Level, rule: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Any:
    """What a user's rule `rule(info, in_dims, *args)` makes of the batch; it returns the results and their batch dimensions."""
    dims = tree_map(lambda x: 0 if level.has(x) else None, tuple(args))
    results, places = rule(VmapInfo(level.size, level.randomness), dims, *level.values(args), **level.values(kwargs))
    flat, spec = tree_flatten(results)
    where = spread(places, spec)
    if where is None:
        raise RuntimeError(f"{name}: the out_dims of its vmap rule are not compatible with the structure of its outputs: {places}")
    return tree_unflatten([x if d is None else BatchedTensor(x.movedim(d, 0), level) for x, d in zip(flat, where)], spec)


class _Transforms:
    """`depth`: how many transforms of `torch.func` other than vmap are running."""

    depth = 0


transforms = _Transforms()


def apply_inside(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `Function.apply` does inside of a transform of `torch.func`; NotImplemented outside of all, or where nothing is batched."""
    running = levels()
    if not running and not transforms.depth:
        return NotImplemented
    if cls.setup_context is autograd_function.Function.setup_context:
        raise RuntimeError(
            "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the "
            "setup_context staticmethod. For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
        )
    batched = {x._level for x in walk((args, kwargs)) if isinstance(x, BatchedTensor)}
    if not batched:
        return NotImplemented
    level = max(batched, key=lambda each: each.depth)
    has_rule = cls.vmap is not autograd_function.Function.vmap
    if cls.generate_vmap_rule and has_rule:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and an overridden vmap staticmethod. Please "
            "set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid ambiguity. For more details, please see "
            "https://pytorch.org/docs/main/notes/extending.func.html"
        )
    if not cls.generate_vmap_rule and not has_rule:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please override and implement the vmap "
            "staticmethod or set generate_vmap_rule=True. For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
        )
    place = stacks.function_modes.index(level)
    inner, stacks.function_modes[place:] = stacks.function_modes[place:], []
    modes.active -= len(inner)
    try:
        if not has_rule:
            return level.one_by_one(cls.apply, args, kwargs)
        return by_user_rule(level, cls.vmap, args, kwargs, cls.__name__)
    finally:
        stacks.function_modes.extend(inner)
        modes.active += len(inner)


autograd_function.apply_inside = apply_inside
