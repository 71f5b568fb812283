"""Rules of layers and losses: what the functions of `torch.nn.functional` do with a batch of samples."""

from typing import Any

from ..autograd.node import tensors
from ..ops.definition import NAMES
from ..tensor import Tensor
from .batching import RULES, Level, walk
from .rules import aligned, arguments, rule


@rule("linear")
def linear(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input weight bias", args, kwargs)
    x, weight, bias = given["input"], given["weight"], given.get("bias")
    if not level.has(weight) and not level.has(bias):
        return level.wrap(func(x._value, weight, bias)) if x.dim() else NotImplemented
    if weight.dim() != 2 or not x.dim() or x.shape[-1] != weight.shape[-1]:
        return NotImplemented
    flat = x.dim() == 1
    rows = (x._value if level.has(x) else x).reshape(*([level.size] if level.has(x) else []), -1, x.shape[-1])
    w = weight._value if level.has(weight) else weight
    if not level.has(weight):
        result = tensors.matmul(rows, w.transpose(-2, -1))
    elif bias is not None and bias.dim() == 1:
        shift_by = level.expanded(bias).unsqueeze(1)
        result = tensors.baddbmm(shift_by, rows if level.has(x) else rows.expand(level.size, *rows.shape), w.transpose(-2, -1))
        bias = None
    else:
        result = tensors.matmul(rows, w.transpose(-2, -1))
    if bias is not None:
        result = result + (bias._value.unsqueeze(1) if level.has(bias) else bias)
    shape = (level.size, *([] if flat else x.shape[:-1]), weight.shape[0])
    return level.wrap(result.reshape(shape))


@rule("conv1d conv2d conv3d")
def convolution(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input weight bias stride padding dilation groups", args, kwargs)
    x, weight, bias = given["input"], given["weight"], given.get("bias")
    n = int(func.__name__[4]) + 2
    if x.dim() not in (n, n - 1) or weight.dim() != n or not level.size:
        return NotImplemented
    alone = x.dim() == n - 1
    if not level.has(weight) and not level.has(bias):  # the batch is more rows of the batch
        value = x._value if alone else x._value.flatten(0, 1)
        result = func(value, weight, bias, **{k: v for k, v in given.items() if k not in ("input", "weight", "bias")})
        return level.wrap(result if alone else result.reshape(level.size, x.shape[0], *result.shape[1:]))
    # Weights of their own: each sample is a group of channels.
    size, groups = level.size, given.get("groups", 1)
    value = level.expanded(x if not alone else x.unsqueeze(0) if not level.has(x) else level.wrap(x._value.unsqueeze(1)))
    rows, channels = value.shape[1], value.shape[2]
    value = value.transpose(0, 1).reshape(rows, size * channels, *value.shape[3:])
    w = level.expanded(weight).reshape(-1, *weight.shape[1:])
    b = None if bias is None else level.expanded(bias).reshape(-1)
    rest = {k: v for k, v in given.items() if k not in ("input", "weight", "bias", "groups")}
    result = func(value, w, b, groups=size * groups, **rest)
    result = result.reshape(rows, size, weight.shape[0], *result.shape[2:]).transpose(0, 1)
    return level.wrap(result.squeeze(1) if alone else result)


@rule("layer_norm rms_norm")
def layer_norm(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    names = "input normalized_shape weight bias eps" if func.__name__ == "layer_norm" else "input normalized_shape weight eps"
    given = arguments(func, names, args, kwargs)
    x, weight, bias = given.pop("input"), given.get("weight"), given.get("bias")
    if not level.has(x) or not x.dim():
        return NotImplemented
    if not level.has(weight) and not level.has(bias):
        return level.wrap(func(x._value, **given))
    result = level.wrap(func(x._value, given["normalized_shape"], **({"eps": given["eps"]} if "eps" in given else {})))
    if weight is not None:
        result = level.call(tensors.mul, (result, weight), {})
    return result if bias is None else level.call(tensors.add, (result, bias), {})


@rule("max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
      "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d interpolate pixel_shuffle pixel_unshuffle")  # fmt: skip
def pooling(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    digit = [c for c in func.__name__ if c.isdigit()]
    x, *rest = args
    n = x.dim() if not digit else int(digit[0]) + 2
    if not level.has(x) or x.dim() != n or n < 3 or not x.shape[0] or not level.size:
        return NotImplemented
    result = func(x._value.flatten(0, 1), *rest, **kwargs)
    if not isinstance(result, Tensor):
        return NotImplemented
    return level.wrap(result.reshape(level.size, x.shape[0], *result.shape[1:]))


@rule("batch_norm")
def batch_norm(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input running_mean running_var weight bias training momentum eps", args, kwargs)
    mean, var = given.get("running_mean"), given.get("running_var")
    updates = given.get("training") and mean is not None
    if updates and level.has(given["input"]) and not (level.has(mean) and level.has(var)):
        raise RuntimeError(
            "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, were not "
            "batched.\nIf you are using a module and do not need eval mode, please set `track_running_stats` to be False.If you are using "
            "a prebuilt module and do not need eval mode, please see the functorch website for resources on how to patch your module to "
            "work with vmap"
        )
    return NotImplemented


@rule("pad")
def pad(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "input pad mode value", args, kwargs)
    x = given.pop("input")
    if given.get("mode", "constant") != "constant" or len(given["pad"]) > 2 * x.dim() or any(level.has(v) for v in walk(given)):
        return NotImplemented
    return level.wrap(func(x._value, **given))


@rule("scaled_dot_product_attention")
def attention(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    given = arguments(func, "query key value attn_mask dropout_p is_causal scale enable_gqa", args, kwargs)
    tensors_ = [given[n] for n in ("query", "key", "value")]
    if len({x.dim() for x in tensors_}) > 1 or tensors_[0].dim() < 2:
        return NotImplemented
    if given.get("dropout_p", 0.0) > 0 and level.randomness != "different":
        return RULES["random"](level, NAMES["torch"]["bernoulli"], (tensors_[0],), {}) if level.randomness == "error" else NotImplemented
    mask = given.pop("attn_mask", None)
    if mask is not None and level.has(mask):
        mask = mask._value.reshape(level.size, *[1] * (tensors_[0].dim() - mask.dim()), *mask.shape)
    for name in ("query", "key", "value"):
        given[name] = level.expanded(given[name])
    return level.wrap(func(given.pop("query"), given.pop("key"), given.pop("value"), mask, **given))


# --- losses --------------------------------------------------------------------------------------------------------------


@rule("mse_loss_function l1_loss smooth_l1_loss huber_loss_function soft_margin_loss binary_cross_entropy_function mse_loss huber_loss "
      "binary_cross_entropy binary_cross_entropy_with_logits")  # fmt: skip
def loss(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    """Losses of each element: computed for each, then reduced over each sample."""
    reduction = kwargs.get("reduction", "mean")
    if len(args) != 2 or kwargs.get("size_average") is not None or kwargs.get("reduce") is not None:
        return NotImplemented
    if reduction not in ("mean", "sum", "none") or (kwargs.get("weight") is not None and not func.__name__.startswith("binary")):
        return NotImplemented
    if args[0].shape != args[1].shape:
        return NotImplemented  # warns or raises
    rank = args[0].dim()
    if any(isinstance(v, Tensor) and v.dim() > rank for v in kwargs.values()):
        return NotImplemented
    args, kwargs = aligned(level, [level.wrap(level.expanded(x)) for x in args], {**kwargs, "reduction": "none"})
    each = func(*args, **kwargs)
    return level.wrap(each if reduction == "none" else _reduced(each, reduction))


def _reduced(each: Any, reduction: str) -> Any:
    if each.dim() == 1:
        return each
    dims = tuple(range(1, each.dim()))
    return each.sum(dims) if reduction == "sum" else each.mean(dims)


@rule("cross_entropy nll_loss")
def cross_entropy(level: Level, func: Any, args: Any, kwargs: Any) -> Any:
    names = "input target weight size_average ignore_index reduce reduction label_smoothing"
    given = arguments(func, names if func.__name__ == "cross_entropy" else names.rpartition(" ")[0], args, kwargs)
    x, target, reduction = given.pop("input"), given.pop("target"), given.pop("reduction", "mean")
    if any(given.pop(n, None) is not None for n in ("weight", "size_average", "reduce")) or reduction not in ("mean", "sum", "none"):
        return NotImplemented
    by_class = not target.is_floating_point()
    alone = x.dim() == 1
    if (
        not x.dim()
        or not x.numel()
        or not level.size
        or target.dim() != (x.dim() - (1 if alone or by_class else 0) if by_class else x.dim())
    ):
        return NotImplemented
    value, goal = level.expanded(x), level.expanded(target)
    if alone:
        value, goal = value.unsqueeze(1), goal.unsqueeze(1)
    shape = goal.shape if by_class else (*goal.shape[:2], *goal.shape[3:])
    each = func(value.flatten(0, 1), goal.flatten(0, 1), reduction="none", **given).reshape(shape)
    if alone and reduction == "none":
        return level.wrap(each.squeeze(1))
    if reduction == "none":
        return level.wrap(each)
    dims = tuple(range(1, each.dim()))
    total = each.sum(dims)
    if reduction == "sum":
        return level.wrap(total)
    if not by_class:
        return level.wrap(total / (each.numel() // level.size))
    return level.wrap(total / (goal != given.get("ignore_index", -100)).sum(dims))
