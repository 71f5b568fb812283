"""`torch.nn.attention.bias`: causal masks that are known by their rule and size."""

from enum import IntEnum
from typing import Any

from ...autograd.node import tensors
from ...core import dtype as dt
from ...core.missing import missing_name
from ...core.naming import public
from ...ops.definition import NAMES
from ...tensor import Tensor

__all__ = ["causal_upper_left", "causal_lower_right", "CausalVariant", "CausalBias"]


class CausalVariant(IntEnum):
    """Where the triangle of a causal mask begins: in the upper left corner, or aligned to the lower right one."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


CausalVariant.__module__ = "torch.nn.attention.bias"


@public("torch.nn.attention.bias")
class CausalBias(Tensor):
    """A causal mask of `seq_len_q` rows and `seq_len_kv` columns, for `scaled_dot_product_attention(attn_mask=...)`.

    Raises AssertionError for a variant that is no CausalVariant; warns where a row would have nothing to attend to.
    """

    def __init__(self, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> None:
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"variant must be a CausalVariant, got {type(variant).__name__}")
        super().__init__()
        self.variant = variant
        self.seq_len_q = seq_len_q
        self.seq_len_kv = seq_len_kv
        if seq_len_q > seq_len_kv and variant == CausalVariant.LOWER_RIGHT:
            import warnings

            warnings.warn("Lower right causal bias will produce NaNs in the output when seq_len_q > seq_len_kv!", stacklevel=2)

    def _materialize(self, device: Any = None) -> Tensor:
        """The mask as a bool tensor (seq_len_q, seq_len_kv), True where attention is allowed."""
        offset = self.seq_len_kv - self.seq_len_q if self.variant == CausalVariant.LOWER_RIGHT else 0
        whole = NAMES["torch"]["ones"](self.seq_len_q, self.seq_len_kv, dtype=dt.bool, device=device)
        mask: Tensor = tensors.tril(whole, offset)
        return mask

    @staticmethod
    def _dispatch(
        query: Any,
        key: Any,
        value: Any,
        attn_mask: Any,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Any:
        if is_causal:
            raise ValueError("CausalBias should not be used with causal=True")
        mask = None
        if attn_mask.seq_len_q != attn_mask.seq_len_kv and attn_mask.variant == CausalVariant.LOWER_RIGHT:
            mask = attn_mask._materialize(query.device)
        attend = NAMES["F"]["scaled_dot_product_attention"]
        return attend(query, key, value, mask, dropout_p, mask is None, scale=scale, enable_gqa=enable_gqa)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is NAMES["F"]["scaled_dot_product_attention"]:
            return cls._dispatch(*args, **(kwargs or {}))
        return super().__torch_function__(func, types, args, kwargs)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return repr(self._materialize())


def causal_upper_left(*size: int) -> CausalBias:
    """A causal mask of the size (queries, keys) that begins in the upper left corner, as `is_causal=True` means it."""
    if len(size) != 2:
        raise AssertionError("causal_upper_left only supports 2D tensors")
    return CausalBias(CausalVariant.UPPER_LEFT, *size)


def causal_lower_right(*size: int) -> CausalBias:
    """A causal mask of the size (queries, keys) whose last row allows all keys: for queries at the end of a longer sequence."""
    if len(size) != 2:
        raise AssertionError("causal_lower_right only supports 2D tensors")
    return CausalBias(CausalVariant.LOWER_RIGHT, *size)


__getattr__ = missing_name(__name__)
