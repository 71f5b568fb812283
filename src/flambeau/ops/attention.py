"""Attention: scaled dot products, and several heads of them."""

from __future__ import annotations

import math
from typing import Any

from ..core import dtype as dt
from ..core.dtype import SCALAR_NAMES
from ..core.layout import broadcast_shapes
from ..kernels import attention as k
from ..tensor import PLAIN, Tensor, wrap
from .definition import NAMES, Array, composite, formula_function, handle_overrides, operator, tensors

F = NAMES["F"]

SWITCHES = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True, "overrideable": True, "reduction": False}
"""Which ways of computing attention may be chosen: set by `torch.backends.cuda` and `torch.nn.attention.sdpa_kernel`."""


def check_choice(query: Any, key: Any, value: Any, attn_mask: Any, dropout_p: float) -> None:
    """Raises RuntimeError where the ways that are switched on do not take the call: flash attention alone takes few."""
    if not SWITCHES["flash"]:
        raise RuntimeError(
            "No viable backend for scaled_dot_product_attention was found. This is likely due to turning off both the math kernel and the "
            "fused kernels."
        )
    fits = dropout_p == 0 and all(x.dim() == 4 and x.numel() and x.stride(-1) == 1 for x in (query, key, value))
    fits = fits and query.shape[:2] == key.shape[:2] == value.shape[:2] and query.shape[-1] == key.shape[-1] == value.shape[-1]
    if not fits or (attn_mask is not None and attn_mask.requires_grad):
        import warnings

        warnings.warn("Flash attention kernel not used because:", stacklevel=3)
        raise RuntimeError("No available kernel.  Aborting execution.")


@operator(outputs=3, hidden=2, node="UnsafeViewBackward0", out=False)
def attention(query: Array, key: Array, value: Array, mask: Any, dropout: Any, scale: Any) -> Array:
    """softmax(query @ key.T * scale + mask) @ value, the probabilities and the dropout mask. `mask` is an array or None."""
    return k.attention(query, key, value, mask, dropout, scale)


attention.joint("query", "key", "value")(
    lambda F, grads, query, key, value, mask, dropout, scale, result1, result2: F.attention_backward(
        grads[0], query, key, value, None, result1, result2, dropout, scale, mask
    )
)


@operator(outputs=3, hidden=2, node="ScaledDotProductFlashAttentionForCpuBackward0", out=False)
def flash_attention(query: Array, key: Array, value: Array, mask: Any, scale: Any) -> Array:
    """The same where PyTorch's fused kernel serves (`kernels.attention.is_flash`); its backward takes the result, too."""
    return k.attention(query, key, value, mask, 0.0, scale)


flash_attention.joint("query", "key", "value")(
    lambda F, grads, query, key, value, mask, scale, result0, result1, result2: F.attention_backward(
        grads[0], query, key, value, result0, result1, result2, 0.0, scale, mask
    )
)


def _attend(query: Any, key: Any, value: Any, mask: Any, dropout: float, scale: float) -> Any:
    """Attention by the operator that PyTorch's way of computing it stands for."""
    if k.is_flash(query._array, key._array, value._array, dropout):
        return flash_attention.function(query, key, value, mask, scale)
    return attention.function(query, key, value, mask, dropout, scale)


def _backward_tensors(grad: Any, q: Any, key: Any, v: Any, out: Any, p: Any, kept: Any, dropout: float, scale: float, mask: Any) -> Any:
    """The kernel's formula in operators; the probabilities are computed anew so that they are differentiated as well."""
    scores = tensors.matmul(q, tensors.transpose(key, -2, -1)) * scale
    if mask is not None:
        mask = mask.array() if mask.__class__ is k.Causal else mask
        extra = wrap(k.additive(mask, q._array.dtype) if mask.dtype.kind == "b" else mask)
        scores = scores + extra
    p = tensors.softmax(scores, -1)
    noise = kept.to(q.dtype) * (1 / (1 - dropout)) if dropout > 0 else None
    used = p if noise is None else p * noise
    grad_v = tensors.matmul(tensors.transpose(used, -2, -1), grad)
    grad_p = tensors.matmul(grad, tensors.transpose(v, -2, -1))
    if noise is not None:
        grad_p = grad_p * noise
    product = grad_p * p
    product = (product - p * product.sum(-1, True)) * scale
    return tensors.matmul(product, key), tensors.matmul(tensors.transpose(product, -2, -1), q), grad_v


formula_function(
    "attention_backward",
    lambda grad, q, key, v, *others: k.attention_backward(grad, q, key, v, *others),
    _backward_tensors,
)


@composite("F.scaled_dot_product_attention")
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """softmax(query @ key.T * scale + mask) @ value, with dropout on the probabilities.

    Shapes: query (..., heads, L, E), key (..., heads, S, E), value (..., heads, S, Ev), result (..., heads, L, Ev).
    attn_mask: bool (False forbids) or a float that is added, broadcast to (..., L, S). scale: 1 / sqrt(E) unless given.
    enable_gqa: keys and values of fewer heads are shared among groups of query heads. Vaswani et al., 2017.
    """
    if attn_mask is not None and type(attn_mask) not in PLAIN:  # the mask may stand among the keywords, and know what to do
        options = {"scale": scale, "enable_gqa": enable_gqa}
        given = (query, key, value, attn_mask, dropout_p, is_causal)
        result = handle_overrides(F["scaled_dot_product_attention"], given, options)
        if result is not NotImplemented:
            return result
    for x in (query, key, value):
        if x.dim() < 2:
            raise RuntimeError(
                f"Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: {query.dim()} key.dim: {key.dim()} "
                f"and value.dim: {value.dim()} instead."
            )
    if not query.dtype is key.dtype is value.dtype:
        names = (_c_name(x) for x in (query, key, value))
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: {} key.dtype: {} and "
            "value.dtype: {} instead.".format(*names)
        )
    if attn_mask is not None:
        if is_causal:
            raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
        if attn_mask.dtype is not dt.bool and attn_mask.dtype is not query.dtype and attn_mask.dtype is not dt.float32:
            raise RuntimeError(
                f"Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{_c_name(attn_mask)} and  query.dtype: {_c_name(query)} instead."
            )
    if not query.is_floating_point():
        raise RuntimeError(f"expected scalar type Float but found {SCALAR_NAMES[query.dtype]}")
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if enable_gqa:
        if query.shape[-3] % key.shape[-3] or query.shape[-3] % value.shape[-3]:
            raise RuntimeError("Number of heads in key and value must divide the number of heads in ")
        groups = query.shape[-3] // key.shape[-3]
        if groups > 1:
            key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1]) if query.shape[-1] else 1.0
    if not SWITCHES["math"]:
        check_choice(query, key, value, attn_mask, dropout_p)
    if query.shape[-1] != key.shape[-1]:
        raise RuntimeError(_sizes_differ(query, query.shape[-1], key, key.shape[-1]))
    if key.shape[-2] != value.shape[-2]:
        raise RuntimeError(_sizes_differ(query, key.shape[-2], value, value.shape[-2]))
    batch = broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    query, key, value = (x if x.shape[:-2] == batch else x.expand(*batch, *x.shape[-2:]) for x in (query, key, value))
    if attn_mask is not None:
        broadcast_shapes((*batch, query.shape[-2], key.shape[-2]), attn_mask.shape)  # raises where it does not fit
    if attn_mask is not None and attn_mask.requires_grad:
        weights = (query @ key.transpose(-2, -1)) * scale + attn_mask
        return F["dropout"](tensors.softmax(weights, -1), dropout_p) @ value
    mask = k.Causal(query.shape[-2], key.shape[-2]) if is_causal else None if attn_mask is None else attn_mask._array
    return _attend(query, key, value, mask, dropout_p, scale)


def _sizes_differ(query: Any, expected: int, other: Any, found: int) -> str:
    """What PyTorch's batched product says of a size that does not fit."""
    batches = math.prod(query.shape[:-2]), math.prod(other.shape[:-2])
    return f"Expected size for first two dimensions of batch2 tensor to be: [{batches[0]}, {expected}] but got: [{batches[1]}, {found}]."


def _c_name(x: Tensor) -> str:
    in_c = {"Float": "float", "Double": "double", "Half": "c10::Half", "BFloat16": "c10::BFloat16", "Long": "long int", "Int": "int"}
    return in_c.get(SCALAR_NAMES[x.dtype], SCALAR_NAMES[x.dtype])


def canonical_mask(mask: Any, name: str, other: Any, other_name: str, target: Any, check_other: bool = True) -> Any:
    """A mask as a float that is added: bool True becomes minus infinity. Warns where two masks differ in type."""
    if mask is None:
        return None
    if not isinstance(mask, Tensor):
        from .arguments import type_name

        raise TypeError(f"is_floating_point(): argument 'input' (position 1) must be Tensor, not {type_name(mask)}")
    if mask.dtype is not dt.bool and not mask.dtype.is_floating_point:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if check_other and other is not None and mask.dtype is not other:
        import warnings

        warnings.warn(f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.", stacklevel=4)
    if not mask.dtype.is_floating_point:
        return wrap(k.additive(~mask._array, target.numpy))
    return mask


def _check_shapes(query: Any, key: Any, value: Any, key_padding_mask: Any, attn_mask: Any, num_heads: int) -> bool:
    """Whether the input is batched. Raises AssertionError where shapes do not go together."""
    if query.dim() == 3:
        batched = True
        assert key.dim() == 3 and value.dim() == 3, (
            f"For batched (3-D) `query`, expected `key` and `value` to be 3-D but found {key.dim()}-D and "
            f"{value.dim()}-D tensors respectively"
        )
        if key_padding_mask is not None:
            assert key_padding_mask.dim() == 2, (
                "For batched (3-D) `query`, expected `key_padding_mask` to be `None` or 2-D but found "
                f"{key_padding_mask.dim()}-D tensor instead"
            )
        if attn_mask is not None:
            assert attn_mask.dim() in (2, 3), (
                f"For batched (3-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor instead"
            )
    elif query.dim() == 2:
        batched = False
        assert key.dim() == 2 and value.dim() == 2, (
            f"For unbatched (2-D) `query`, expected `key` and `value` to be 2-D but found {key.dim()}-D and "
            f"{value.dim()}-D tensors respectively"
        )
        if key_padding_mask is not None:
            assert key_padding_mask.dim() == 1, (
                "For unbatched (2-D) `query`, expected `key_padding_mask` to be `None` or 1-D but found "
                f"{key_padding_mask.dim()}-D tensor instead"
            )
        if attn_mask is not None:
            assert attn_mask.dim() in (2, 3), (
                f"For unbatched (2-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor instead"
            )
            if attn_mask.dim() == 3:
                expected = (num_heads, query.shape[0], key.shape[0])
                assert tuple(attn_mask.shape) == expected, f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}"
    else:
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor")
    return batched


def in_projection(q: Any, key: Any, v: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Queries, keys and values by one packed weight (3 E, E), in one product where they are the same tensor."""
    linear = F["linear"]
    width = q.shape[-1]
    if key is v:
        if q is key:
            parts = linear(q, weight, bias).unflatten(-1, (3, width)).unbind(-2)  # whose gradient is one stack
            return parts[0], parts[1], parts[2]
        w_q, w_kv = weight.split([width, 2 * width])
        b_q, b_kv = (None, None) if bias is None else bias.split([width, 2 * width])
        parts = linear(key, w_kv, b_kv).unflatten(-1, (2, width)).unbind(-2)
        return linear(q, w_q, b_q), parts[0], parts[1]
    w = weight.chunk(3)
    b = (None, None, None) if bias is None else bias.chunk(3)
    return linear(q, w[0], b[0]), linear(key, w[1], b[1]), linear(v, w[2], b[2])


def _separate_projections(query: Any, key: Any, value: Any, w_q: Any, w_k: Any, w_v: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Queries, keys and values by a weight each: (E, E), (E, width of the keys), (E, width of the values). bias: (3 E) or None."""
    assert key.shape[:2] == value.shape[:2], f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
    for name, weight, x in (("key", w_k, key), ("value", w_v, value)):
        expected = (query.shape[-1], x.shape[-1])
        assert tuple(weight.shape) == expected, f"expecting {name} weights shape of {expected}, but got {weight.shape}"
    b = (None, None, None) if bias is None else bias.chunk(3)
    linear = F["linear"]
    return linear(query, w_q, b[0]), linear(key, w_k, b[1]), linear(value, w_v, b[2])


def _three_dimensional(mask: Any, shape: tuple[int, int, int]) -> Any:
    """A mask of scores (N heads, L, S), or (L, S) for all, in three dimensions. Raises RuntimeError for other shapes."""
    if mask.dim() not in (2, 3):
        raise RuntimeError(f"attn_mask's dimension {mask.dim()} is not supported")
    expected = shape[-mask.dim() :]
    if tuple(mask.shape) != expected:
        raise RuntimeError(f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {expected}.")
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


@composite("F.multi_head_attention_forward")
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Any, Any]:
    """Attention of several heads: project, attend in each head, join and project; `nn.MultiheadAttention` gives the details.

    Shapes: query (L, N, E), key and value (S, N, E), without N if unbatched. Returns the output (L, N, E) and the weights
    (N, L, S), averaged over the heads unless told otherwise, or None.
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method `generate_square_subsequent_mask` "
            "to create this mask."
        )
    if not batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    source = key.shape[0]
    key_padding_mask = canonical_mask(
        key_padding_mask, "key_padding_mask", None if attn_mask is None else attn_mask.dtype, "attn_mask", query.dtype
    )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # the hint says all that the mask says
    else:
        attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
        if key_padding_mask is not None:
            is_causal = False
    assert width == embed_dim_to_check, f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}"
    head = width // num_heads
    assert head * num_heads == width, f"embed_dim {width} not divisible by num_heads {num_heads}"
    if use_separate_proj_weight:
        q, kk, v = _separate_projections(query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias)
    else:
        assert key.shape == value.shape, f"key shape {key.shape} does not match value shape {value.shape}"
        q, kk, v = in_projection(query, key, value, in_proj_weight, in_proj_bias)
    if key_padding_mask is not None:
        for number, size in enumerate((batch, source)):
            found = key_padding_mask.shape[number]
            assert found == size, f"Expected key_padded_mask.shape[{number}] to be {size}, but got {found}"
    if kk.shape[1] != batch and static_k is None:
        raise RuntimeError(f"shape '[{source}, {batch * num_heads}, {head}]' is invalid for input of size {kk.numel()}")
    if attn_mask is not None:
        attn_mask = _three_dimensional(attn_mask, (batch * num_heads, length, source))

    def lengthen(mask: Any) -> Any:
        return None if mask is None else F["pad"](mask, (0, 1))

    assert bias_v is None or bias_k is not None, "bias_v is set but bias_k is None"
    assert bias_k is None or bias_v is not None, "bias_k is set but bias_v is None"
    if bias_k is not None and bias_v is not None:
        assert static_k is None and static_v is None, "bias cannot be added to static key and value."
        kk = tensors.cat([kk, bias_k.repeat(1, batch, 1)], 0)
        v = tensors.cat([v, bias_v.repeat(1, batch, 1)], 0)
        attn_mask, key_padding_mask = lengthen(attn_mask), lengthen(key_padding_mask)
    # Heads become a dimension beside the batch, (N, heads, L, head), without copying.
    q = q.unflatten(-1, (num_heads, head)).permute(1, 2, 0, 3)
    kk = kk.unflatten(-1, (num_heads, head)).permute(1, 2, 0, 3) if static_k is None else static_k.view(batch, num_heads, -1, head)
    v = v.unflatten(-1, (num_heads, head)).permute(1, 2, 0, 3) if static_v is None else static_v.view(batch, num_heads, -1, head)
    if add_zero_attn:
        zeros = kk.new_zeros((batch, num_heads, 1, head))
        kk, v = tensors.cat([kk, zeros], 2), tensors.cat([v, zeros], 2)
        attn_mask, key_padding_mask = lengthen(attn_mask), lengthen(key_padding_mask)
    source = kk.shape[2]
    if attn_mask is not None:
        attn_mask = attn_mask.view(-1, num_heads if attn_mask.shape[0] > 1 else 1, length, source)
    if key_padding_mask is not None:
        assert tuple(key_padding_mask.shape) == (batch, source), (
            f"expecting key_padding_mask shape of {(batch, source)}, but got {tuple(key_padding_mask.shape)}"
        )
        merged = key_padding_mask.view(batch, 1, 1, source)
        attn_mask = merged if attn_mask is None else attn_mask + merged
    if not training:
        dropout_p = 0.0
    if need_weights:
        weights = tensors.matmul(q * (1.0 / math.sqrt(head)), kk.transpose(-2, -1))
        if attn_mask is not None:
            weights = weights + attn_mask
        weights = tensors.softmax(weights, -1)
        if dropout_p > 0.0:
            weights = F["dropout"](weights, dropout_p)
        out = tensors.matmul(weights, v)
        weights = weights.mean(1) if average_attn_weights else weights.view(weights.shape)
    else:
        weights = None
        out = scaled_dot_product_attention(q, kk, v, attn_mask, dropout_p, is_causal and attn_mask is None)
    out = out.permute(2, 0, 1, 3).reshape(length * batch, width)
    out = F["linear"](out, out_proj_weight, out_proj_bias).view(length, batch, out_proj_weight.shape[0])
    if not batched:
        out, weights = out.squeeze(1), None if weights is None else weights.squeeze(0)
    return out, weights
