"""Llama (Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023), with parameters named as in its checkpoints."""

import math
from typing import Any

from ..autograd.node import tensors
from ..core.dtype import float32
from ..nn import functional as F
from ..nn.modules.container import ModuleList
from ..nn.modules.linear import Linear
from ..nn.modules.module import Module
from ..nn.modules.normalization import RMSNorm
from ..nn.modules.sparse import Embedding
from ..ops.ranges import arange
from .generation import KeyValueCache, attend

__all__ = ["Llama"]


def rope_type(options: dict[str, Any]) -> str:
    """The kind of rope scaling. Raises ValueError for one that is not known."""
    kind = options.get("rope_type", options.get("type", "default"))
    if kind not in ("default", "linear", "llama3"):
        raise ValueError(f"Llama with rope scaling {kind!r} is not supported; known are default, linear, llama3")
    return kind


def rotary_frequencies(width: int, options: dict[str, Any]) -> Any:
    """The angle per position of each pair of a head's elements, (width / 2), float32.

    Su et al., "RoFormer", 2021: theta ** (-2 i / width). `rope_type` "linear" divides all by `factor`; "llama3" divides the
    slow ones, keeps the fast ones and goes from one to the other between (Grattafiori et al., "The Llama 3 Herd of Models", 2024).
    """
    kind = rope_type(options)
    frequencies = 1.0 / options["rope_theta"] ** (arange(0, width, 2, dtype=float32) / width)
    if kind == "default":
        return frequencies
    if kind == "linear":
        return frequencies / options["factor"]
    length, low, high = options["original_max_position_embeddings"], options["low_freq_factor"], options["high_freq_factor"]
    turns = length * frequencies / (2 * math.pi)  # in the context that the model was first trained with
    slow = frequencies / options["factor"]
    share = (turns - low) / (high - low)
    between = (1 - share) * slow + share * frequencies
    return tensors.where(turns < low, slow, tensors.where(turns > high, frequencies, between))


def rotate(x: Any, cos: Any, sin: Any) -> Any:
    """Rotary embedding of x (N, heads, L, head): element i is paired with i + head / 2."""
    first, second = x.chunk(2, -1)
    return x * cos + tensors.cat([-second, first], -1) * sin


class Attention(Module):
    """Causal self-attention with rotary positions, in which groups of query heads may share keys and values."""

    def __init__(self, width: int, heads: int, groups: int, head: int, bias: bool, dropout: float) -> None:
        super().__init__()
        self.q_proj = Linear(width, heads * head, bias=bias)
        self.k_proj = Linear(width, groups * head, bias=bias)
        self.v_proj = Linear(width, groups * head, bias=bias)
        self.o_proj = Linear(heads * head, width, bias=bias)
        self.head, self.dropout = head, dropout

    def forward(self, x: Any, rotary: Any, cache: Any, layer: int) -> Any:
        batch, length, _ = x.shape
        shape = (batch, length, -1, self.head)
        query = rotate(self.q_proj(x).view(shape).transpose(1, 2), *rotary)
        key = rotate(self.k_proj(x).view(shape).transpose(1, 2), *rotary)
        value = self.v_proj(x).view(shape).transpose(1, 2)
        if cache is not None:
            key, value = cache.append(layer, key, value)
        y = attend(query, key, value, self.dropout if self.training else 0.0)
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, -1))


class MLP(Module):
    """`down(silu(gate(x)) * up(x))` (Shazeer, "GLU Variants Improve Transformer", 2020)."""

    def __init__(self, width: int, inner: int, bias: bool) -> None:
        super().__init__()
        self.gate_proj = Linear(width, inner, bias=bias)
        self.up_proj = Linear(width, inner, bias=bias)
        self.down_proj = Linear(inner, width, bias=bias)

    def forward(self, x: Any) -> Any:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(Module):
    """Attention and a perceptron, each behind an RMS norm and beside a residual connection."""

    def __init__(self, attention: Attention, mlp: MLP, width: int, eps: float) -> None:
        super().__init__()
        self.self_attn = attention
        self.mlp = mlp
        self.input_layernorm = RMSNorm(width, eps=eps)
        self.post_attention_layernorm = RMSNorm(width, eps=eps)

    def forward(self, x: Any, rotary: Any, cache: Any, layer: int) -> Any:
        x = x + self.self_attn(self.input_layernorm(x), rotary, cache, layer)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(Module):
    """Everything below the head: indices (N, L) to states (N, L, width)."""

    def __init__(self, vocabulary: int, width: int, blocks: list[Block], eps: float, head: int, rope: dict[str, Any]) -> None:
        super().__init__()
        self.embed_tokens = Embedding(vocabulary, width)
        self.layers = ModuleList(blocks)
        self.norm = RMSNorm(width, eps=eps)
        self.head, self.rope = head, rope

    def forward(self, ids: Any, cache: Any) -> Any:
        start = 0 if cache is None else cache.length
        x = self.embed_tokens(ids)
        positions = arange(start, start + ids.shape[1], dtype=float32, device=ids.device)
        angles = tensors.outer(positions, rotary_frequencies(self.head, self.rope)).repeat(1, 2)
        rotary = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for layer, block in enumerate(self.layers):
            x = block(x, rotary, cache, layer)
        if cache is not None:
            cache.advance(ids.shape[1])
        return self.norm(x)


class Llama(Module):
    """The model of a `config.json` with `model_type` "llama": indices (N, L) to logits (N, L, vocabulary).

    `cache`: of `make_cache()`; then `ids` hold new positions alone. `last_only`: logits of the last position, (N, 1, vocabulary).
    Raises ValueError for options that it does not know: other activations than silu, other rope scalings than linear and llama3.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        if config.get("hidden_act", "silu") != "silu":
            raise ValueError(f"Llama with hidden_act={config['hidden_act']!r} is not supported; known is silu")
        self.config = config
        width, heads, eps = config["hidden_size"], config["num_attention_heads"], config.get("rms_norm_eps", 1e-6)
        groups = config.get("num_key_value_heads") or heads
        head = config.get("head_dim") or width // heads
        if heads % groups:
            raise ValueError(f"num_attention_heads must be divisible by num_key_value_heads, got {heads} and {groups}")
        # Newer files have one entry for all of it, older ones two.
        rope = (
            {"rope_theta": config.get("rope_theta", 10000.0)} | (config.get("rope_scaling") or {}) | (config.get("rope_parameters") or {})
        )
        rope_type(rope)  # raises here, not at the first text
        bias, dropout = config.get("attention_bias", False), config.get("attention_dropout", 0.0)
        blocks = [
            Block(
                Attention(width, heads, groups, head, bias, dropout),
                MLP(width, config["intermediate_size"], config.get("mlp_bias", False)),
                width,
                eps,
            )
            for _ in range(config["num_hidden_layers"])
        ]
        self.model = Body(config["vocab_size"], width, blocks, eps, head, rope)
        self.lm_head = Linear(width, config["vocab_size"], bias=False)
        self.tied = config.get("tie_word_embeddings", False)
        self.tie_weights()

    def tie_weights(self) -> None:
        """Makes the head's weight that of the embedding, where the configuration says so."""
        if self.tied:
            self.lm_head.weight = self.model.embed_tokens.weight

    def make_cache(self) -> KeyValueCache:
        """An empty cache for this model."""
        return KeyValueCache(len(self.model.layers))

    def forward(self, ids: Any, cache: Any = None, last_only: bool = False) -> Any:
        x = self.model(ids, cache)
        return self.lm_head(x[:, -1:] if last_only else x)

    @staticmethod
    def from_checkpoint(weights: dict[str, Any]) -> dict[str, Any]:
        """A checkpoint's tensors under this model's names: older ones hold rotary frequencies as well."""
        return {name: tensor for name, tensor in weights.items() if not name.endswith(".rotary_emb.inv_freq")}
