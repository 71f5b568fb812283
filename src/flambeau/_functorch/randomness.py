"""Rules of what no batch can answer, and of random numbers, which are drawn as `randomness` says."""

from typing import Any

from ..autograd.node import tensors
from ..tensor import Tensor
from .batching import RULES, Level, change, walk
from .rules import arguments, rule, sizes_of

# --- numbers and answers that a batch cannot give ----------------------------------------------------------------------------


def _refused(names: str, text: str) -> None:
    def refuse(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
        raise RuntimeError(text.replace("{name}", func.__name__))

    for name in names.split():
        RULES[name] = refuse


_refused("equal", "Batching rule not implemented for aten::equal. We could not generate a fallback.")
_refused(
    "allclose",
    "vmap over torch.allclose isn't supported yet. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this "
    "feature.",
)
for _name, _shown in {
    "nonzero": "nonzero",
    "argwhere": "nonzero",
    "unique": "_unique2",
    "unique_consecutive": "unique_consecutive",
}.items():
    _refused(
        _name,
        f"vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over aten::{_shown}. Please file an "
        "issue at https://github.com/pytorch/pytorch/issues if you need this feature.",
    )
_refused(
    "masked_select",
    "vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask) We cannot support this because for each batch this would "
    "return a differently shaped Tensor. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this feature.",
)


# --- random numbers ----------------------------------------------------------------------------------------------------------

_FACTORIES = "rand randn randint randperm"
_LIKE = "rand_like randn_like randint_like"
_OF_NUMBERS = (
    "bernoulli bernoulli_of multinomial normal normal_of_mean normal_of_std normal_of_both poisson poisson_of binomial rrelu "
    "_standard_gamma _sample_dirichlet"
)
_IN_PLACE = "uniform_ normal_ bernoulli_ exponential_ cauchy_ geometric_ log_normal_ random_"
_DROPOUT = "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout native_dropout feature_dropout"

_ERROR = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness flags on vmap or "
    "perform the randomness operation out of vmap"
)


@rule(f"random {_FACTORIES} {_LIKE} {_OF_NUMBERS} {_IN_PLACE} {_DROPOUT}")
def random(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    """Random functions: an error, one draw for the batch, or one for all samples, as `randomness` says."""
    name = func.__name__
    if name in _DROPOUT.split():
        return dropout(level, func, args, kwargs)
    if level.randomness == "error":
        raise RuntimeError(_ERROR)
    batched = [x for x in walk((args, kwargs)) if level.has(x)]
    same = level.randomness == "same"
    if name in _IN_PLACE.split():
        return _random_in_place(level, func, args, kwargs, same)
    if name in _LIKE.split():
        x, *rest = args
        if same:
            return func(level.sample(x, 0) if batched else x, *rest, **kwargs)
        return level.wrap(func(level.expanded(x), *rest, **kwargs))
    if same:
        if batched:
            raise RuntimeError(
                "Vmap does not currently support same randomness with a batched tensor input. Please file an issue with functorch"
            )
        return func(*args, **kwargs)
    if name == "randperm" or (name == "rrelu" and batched):
        return level.one_by_one(func, args, kwargs)
    if name == "multinomial":
        x, *rest = args
        value = level.expanded(x)
        result = func(value.reshape(-1, value.shape[-1]), *rest, **kwargs)
        return level.wrap(result.reshape(*value.shape[:-1], result.shape[-1]))
    if name in ("rand", "randn"):
        return level.wrap(func((level.size, *sizes_of(args)), **kwargs))
    if name == "randint":
        *bounds, size = args
        return level.wrap(func(*bounds, (level.size, *size), **kwargs))
    if name == "normal" and not any(isinstance(a, Tensor) for a in args[:2]):
        size = args[2] if len(args) > 2 else kwargs.pop("size")
        return level.wrap(func(*args[:2], (level.size, *size), **kwargs))
    found = [x for x in walk((args, kwargs)) if isinstance(x, Tensor)]
    rank = max(x.dim() for x in found)

    def spread(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        return level.expanded(x).reshape(level.size, *[1] * (rank - x.dim()), *x.shape)

    args, kwargs = change((args, kwargs), spread)
    return level.wrap(func(*args, **kwargs))


def _random_in_place(level: Level, func: Any, args: Any, kwargs: Any, same: bool) -> Any:
    target, *rest = args
    if any(level.has(x) for x in walk((rest, kwargs))):
        return NotImplemented if not same and level.has(target) else _no_different()
    if not level.has(target):
        return func(*args, **kwargs) if same else _no_different()
    if same:
        drawn = func(tensors.empty_like(target._value.select(0, 0)), *rest, **kwargs)
        target._value.copy_(drawn.unsqueeze(0).expand(target._value.shape))
    else:
        func(target._value, *rest, **kwargs)
    return target


def _no_different() -> Any:
    raise RuntimeError(
        "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same randomness. If this is "
        "necessary for your usage, please file an issue with functorch."
    )


def dropout(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input p training inplace", args, kwargs)
    x = given.pop("input")
    plain = func.__name__ == "dropout"
    if not given.get("training", plain) or given.get("p", 0.5) == 0:
        return level.wrap(func(x._value, **given)) if level.has(x) else func(x, **given)
    if level.randomness == "error":
        raise RuntimeError(_ERROR)
    if level.randomness == "same":
        if not level.has(x):
            return func(x, **given)
        if not plain:
            raise RuntimeError(
                "Vmap does not currently support same randomness with a batched tensor input. Please file an issue with functorch"
            )
        given["inplace"] = False
        return level.wrap(x._value * func(tensors.ones_like(x._value.select(0, 0)), **given))
    if plain:
        return level.wrap(func(level.expanded(x).contiguous(), **given))
    return level.one_by_one(func, args, kwargs)
