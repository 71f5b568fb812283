"""GPT-2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019), with parameters named as in its checkpoints."""

import math
from typing import Any

from ..autograd.node import tensors
from ..nn import functional as F
from ..nn.modules.container import ModuleList
from ..nn.modules.dropout import Dropout
from ..nn.modules.linear import Linear
from ..nn.modules.module import Module
from ..nn.modules.normalization import LayerNorm
from ..nn.modules.sparse import Embedding
from ..ops.ranges import arange
from .generation import KeyValueCache, attend

__all__ = ["GPT2"]


def _gelu_tanh(x: Any) -> Any:
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Any] = {
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
    "tanh": F.tanh,
}


class Attention(Module):
    """Causal self-attention in `heads` heads."""

    def __init__(self, width: int, heads: int, scale: float, attention_dropout: float, dropout: float) -> None:
        super().__init__()
        self.c_attn = Linear(width, 3 * width)
        self.c_proj = Linear(width, width)
        self.resid_dropout = Dropout(dropout)
        self.heads, self.scale, self.attention_dropout = heads, scale, attention_dropout

    def forward(self, x: Any, cache: Any, layer: int) -> Any:
        batch, length, width = x.shape
        query, key, value = self.c_attn(x).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if cache is not None:
            key, value = cache.append(layer, key, value)
        y = attend(query, key, value, self.attention_dropout if self.training else 0.0, self.scale)
        return self.resid_dropout(self.c_proj(y.transpose(1, 2).reshape(batch, length, width)))


class MLP(Module):
    """Two linear layers with an activation between them."""

    def __init__(self, width: int, inner: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.c_fc = Linear(width, inner)
        self.c_proj = Linear(inner, width)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Any) -> Any:
        return self.dropout(self.c_proj(self.activation(self.c_fc(x))))


class Block(Module):
    """Attention and a perceptron, each behind a layer norm and beside a residual connection."""

    def __init__(self, attention: Attention, mlp: MLP, width: int, eps: float) -> None:
        super().__init__()
        self.ln_1 = LayerNorm(width, eps=eps)
        self.attn = attention
        self.ln_2 = LayerNorm(width, eps=eps)
        self.mlp = mlp

    def forward(self, x: Any, cache: Any, layer: int) -> Any:
        x = x + self.attn(self.ln_1(x), cache, layer)
        return x + self.mlp(self.ln_2(x))


class Body(Module):
    """Everything below the head: indices (N, L) to states (N, L, width)."""

    def __init__(self, vocabulary: int, positions: int, blocks: list[Block], width: int, eps: float, dropout: float) -> None:
        super().__init__()
        self.wte = Embedding(vocabulary, width)
        self.wpe = Embedding(positions, width)
        self.drop = Dropout(dropout)
        self.h = ModuleList(blocks)
        self.ln_f = LayerNorm(width, eps=eps)

    def forward(self, ids: Any, cache: Any) -> Any:
        start = 0 if cache is None else cache.length
        end = start + ids.shape[1]
        if end > self.wpe.num_embeddings:
            raise ValueError(f"the model has {self.wpe.num_embeddings} positions, the text {end}")
        x = self.drop(self.wte(ids) + self.wpe(arange(start, end, device=ids.device)))
        for layer, block in enumerate(self.h):
            x = block(x, cache, layer)
        if cache is not None:
            cache.advance(ids.shape[1])
        return self.ln_f(x)


class GPT2(Module):
    """The model of a `config.json` with `model_type` "gpt2": indices (N, L) to logits (N, L, vocabulary).

    `cache`: of `make_cache()`; then `ids` hold new positions alone. `last_only`: logits of the last position, (N, 1, vocabulary).
    Raises ValueError for options that it does not know, and for a text longer than its positions.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        activation = config.get("activation_function", "gelu_new")
        if activation not in ACTIVATIONS:
            raise ValueError(f"GPT-2 with activation_function={activation!r} is not supported; known are {', '.join(ACTIVATIONS)}")
        if config.get("add_cross_attention"):
            raise ValueError("GPT-2 with add_cross_attention is not supported")
        self.config = config
        width, heads, eps = config["n_embd"], config["n_head"], config.get("layer_norm_epsilon", 1e-5)
        if width % heads:
            raise ValueError(f"n_embd must be divisible by n_head, got {width} and {heads}")
        dropout, attention_dropout = config.get("resid_pdrop", 0.1), config.get("attn_pdrop", 0.1)
        scale = 1.0 / math.sqrt(width // heads) if config.get("scale_attn_weights", True) else 1.0
        blocks = []
        for layer in range(config["n_layer"]):
            attention_scale = scale / (layer + 1) if config.get("scale_attn_by_inverse_layer_idx") else scale
            attention = Attention(width, heads, attention_scale, attention_dropout, dropout)
            blocks.append(Block(attention, MLP(width, config.get("n_inner") or 4 * width, activation, dropout), width, eps))
        self.transformer = Body(config["vocab_size"], config.get("n_positions", 1024), blocks, width, eps, config.get("embd_pdrop", 0.1))
        self.lm_head = Linear(width, config["vocab_size"], bias=False)
        self.tied = config.get("tie_word_embeddings", True)
        self.tie_weights()

    def tie_weights(self) -> None:
        """Makes the head's weight that of the embedding, where the configuration says so."""
        if self.tied:
            self.lm_head.weight = self.transformer.wte.weight

    def make_cache(self) -> KeyValueCache:
        """An empty cache for this model."""
        return KeyValueCache(len(self.transformer.h))

    def forward(self, ids: Any, cache: Any = None, last_only: bool = False) -> Any:
        x = self.transformer(ids, cache)
        return self.lm_head(x[:, -1:] if last_only else x)

    @staticmethod
    def from_checkpoint(weights: dict[str, Any]) -> dict[str, Any]:
        """A checkpoint's tensors under this model's names: linear weights lie there as (in, out), masks are left out."""
        state = {}
        for name, tensor in weights.items():
            if name.endswith((".attn.bias", ".attn.masked_bias")):
                continue
            if not name.startswith(("transformer.", "lm_head.")):
                name = f"transformer.{name}"
            if name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
                tensor = tensors.t(tensor).contiguous()
            state[name] = tensor
        return state
