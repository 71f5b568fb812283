"""Sampling from a language model, token by token, and the cache that makes each token cost one position."""

from typing import Any, Iterable, Iterator

from ..autograd.grad_mode import no_grad
from ..autograd.node import tensors
from ..core.dtype import bool as boolean
from ..nn import functional as F
from ..ops.creation import empty, ones, zeros

__all__ = ["KeyValueCache", "attend", "generate", "repetition_penalty", "stream", "top_k", "top_p"]

INFINITY = float("inf")


class KeyValueCache:
    """The keys and values of the positions that a model has seen, for each of its layers.

    `length`: how many positions. A model calls `append` in every layer, then `advance` once. Room doubles when it runs out.
    """

    def __init__(self, layers: int) -> None:
        self.length = 0
        self._held: list[Any] = [None] * layers

    def append(self, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
        """Adds the keys and values (N, heads, L, head) of new positions; returns those of all positions."""
        start, end = self.length, self.length + key.shape[2]
        held = self._held[layer]
        if held is None or held[0].shape[2] < end:
            room = max(end, 2 * start, 64)
            grown = tuple(empty((*new.shape[:2], room, new.shape[3]), dtype=new.dtype, device=new.device) for new in (key, value))
            for old, new in zip(held or (), grown):
                new[:, :, :start] = old[:, :, :start]
            held = self._held[layer] = grown
        keys, values = held
        keys[:, :, start:end] = key
        values[:, :, start:end] = value
        return keys[:, :, :end], values[:, :, :end]

    def advance(self, count: int) -> None:
        """Notes that all layers have taken `count` more positions."""
        self.length += count


def attend(query: Any, key: Any, value: Any, dropout: float = 0.0, scale: float | None = None) -> Any:
    """Causal attention of the last L of S positions: query (N, heads, L, head), key and value (N, heads or fewer, S, head)."""
    length, seen = query.shape[2], key.shape[2]
    mask = None
    if 1 < length < seen:
        mask = ones((length, seen), dtype=boolean, device=query.device).tril(seen - length)
    causal = mask is None and length > 1
    return F.scaled_dot_product_attention(query, key, value, mask, dropout, causal, scale=scale, enable_gqa=key.shape[1] != query.shape[1])


# --- what may come next ------------------------------------------------------------------------------------------


def repetition_penalty(logits: Any, ids: Any, penalty: float) -> Any:
    """Logits (N, V) in which the tokens of `ids` (N, L) are less likely: divided by `penalty`, or multiplied where negative.

    Keskar et al., "CTRL", 2019. Raises ValueError unless the penalty is positive.
    """
    if not penalty > 0:
        raise ValueError(f"repetition_penalty must be positive, got {penalty}")
    seen = logits.gather(1, ids)
    return logits.scatter(1, ids, tensors.where(seen < 0, seen * penalty, seen / penalty))


def top_k(logits: Any, k: int) -> Any:
    """Logits (N, V) with minus infinity for all but the `k` highest of each row, and those equal to the last of them.

    Raises ValueError unless k is positive.
    """
    if k < 1:
        raise ValueError(f"top_k must be positive, got {k}")
    last = logits.topk(min(k, logits.shape[-1]))[0][..., -1:]
    return logits.masked_fill(logits < last, -INFINITY)


def top_p(logits: Any, p: float) -> Any:
    """Logits (N, V) with minus infinity for all but the fewest tokens of each row whose probabilities reach `p` together.

    Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020. Raises ValueError for p outside (0, 1].
    """
    if not 0 < p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {p}")
    ascending, order = logits.sort(-1)
    dropped = F.softmax(ascending, -1).cumsum(-1) <= 1 - p
    dropped[..., -1] = False
    return logits.masked_fill(zeros(logits.shape, dtype=boolean, device=logits.device).scatter(1, order, dropped), -INFINITY)


# --- generating --------------------------------------------------------------------------------------------------


@no_grad()
def _next(model: Any, ids: Any, cache: Any, temperature: float, k: int | None, p: float | None, penalty: float, generator: Any) -> Any:
    """The next token (N, 1) after `ids` (N, L), of which the cache knows all but the last ones."""
    logits = model(ids) if cache is None else model(ids[:, cache.length :], cache=cache, last_only=True)
    logits = logits[:, -1].float()
    if penalty != 1.0:
        logits = repetition_penalty(logits, ids, penalty)
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    if temperature != 1.0:
        logits = logits / temperature
    if k is not None:
        logits = top_k(logits, k)
    if p is not None and p < 1.0:
        logits = top_p(logits, p)
    return tensors.multinomial(F.softmax(logits, -1), 1, generator=generator)


def stream(
    model: Any,
    ids: Any,
    max_new_tokens: int,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    eos_token_id: int | Iterable[int] | None = None,
    use_cache: bool = True,
    generator: Any = None,
) -> Iterator[Any]:
    """Yields the new tokens (N,) one position after the other; the arguments are those of `generate`."""
    if ids.dim() != 2 or ids.shape[1] == 0:
        raise ValueError(f"ids must be of shape (N, L) with at least one token in each row, got {tuple(ids.shape)}")
    if temperature < 0:
        raise ValueError(f"temperature must not be negative, got {temperature}")
    ends = [] if eos_token_id is None else [eos_token_id] if isinstance(eos_token_id, int) else list(eos_token_id)
    make_cache = getattr(model, "make_cache", None)
    cache = make_cache() if use_cache and make_cache is not None else None
    ended = zeros(ids.shape[0], dtype=boolean, device=ids.device)
    for _ in range(max_new_tokens):
        new = _next(model, ids, cache, temperature, top_k, top_p, repetition_penalty, generator)
        if ends:
            new = new.masked_fill(ended[:, None], ends[0])
            for end in ends:
                ended = ended | (new[:, 0] == end)
        ids = tensors.cat([ids, new], 1)
        yield new[:, 0]
        if ends and ended.all():
            return


def generate(model: Any, ids: Any, max_new_tokens: int, **options: Any) -> Any:
    """Continues each row of `ids` (N, L) by up to `max_new_tokens` tokens; returns (N, L + new).

    model: maps indices (N, L) to logits (N, L, V). If it has `make_cache()`, it is called with `cache=` and `last_only=True` and sees
    each position once; `use_cache=False` has it read the whole text for each token. Options:
    temperature: what logits are divided by; 0, the default, takes the likeliest token.
    top_k: only the k likeliest tokens are drawn. top_p: only the likeliest ones that have this probability together.
    repetition_penalty: above 1, tokens that have occurred become less likely. They are applied in the order penalty,
    temperature, top_k, top_p.
    eos_token_id: the token, or tokens, after which a row has ended; it is filled up with the first of them, and when all
    rows have ended, generating stops. generator: the random numbers' source in place of the global one.
    Raises ValueError for options out of range. The model stays in the mode that it is in: call `model.eval()` first.
    """
    rows = list(stream(model, ids, max_new_tokens, **options))
    return tensors.cat([ids, tensors.stack(rows, 1)], 1) if rows else ids
