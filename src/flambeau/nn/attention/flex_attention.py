"""`torch.nn.attention.flex_attention`: attention whose scores and mask are functions of the place.

A `score_mod(score, b, h, q_idx, kv_idx)` changes each score, a `mask_mod(b, h, q_idx, kv_idx)` says which count; both see one element
and are mapped over all by `vmap`. PyTorch compiles them into a kernel that leaves out the blocks where nothing counts. Here the whole
matrix of scores is made, so a BlockMask decides the result but saves neither time nor memory; gradients work.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

from ..._functorch.vmap import vmap
from ...autograd.node import tensors
from ...core import dtype as dt
from ...core.missing import missing_name
from ...core.naming import public
from ...ops.definition import NAMES

__all__ = [
    "BlockMask", "flex_attention", "AuxOutput", "AuxRequest", "FlexKernelOptions", "create_block_mask", "create_mask", "or_masks",
    "and_masks", "noop_mask",
]  # fmt: skip

_DEFAULT_SPARSE_BLOCK_SIZE = 128
_LARGE_SPARSE_BLOCK_SIZE = 1 << 30
_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG = False
T = NAMES["torch"]


class FlexKernelOptions(TypedDict, total=False):
    """Options of PyTorch's GPU kernels; they change nothing here."""

    num_warps: int
    num_stages: int
    BLOCK_M: int
    BLOCK_N: int
    PRESCALE_QK: bool
    ROWS_GUARANTEED_SAFE: bool
    BLOCKS_ARE_CONTIGUOUS: bool
    WRITE_DQ: bool
    FORCE_USE_FLEX_ATTENTION: bool
    USE_TMA: bool
    BACKEND: str


class AuxRequest(NamedTuple):
    """Which results besides the output are wanted."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """The results besides the output: logsumexp and maximum of the scores of each query, or None."""

    lse: Any = None
    max_scores: Any = None


for _cls in (FlexKernelOptions, AuxRequest, AuxOutput):
    _cls.__module__ = "torch.nn.attention.flex_attention"


def noop_mask(batch: Any, head: Any, token_q: Any, token_kv: Any) -> Any:
    """A mask_mod that allows everything."""
    return batch.new_ones(size=(), dtype=dt.bool, device=batch.device)


def _sliced_mask_mod_error(batch: Any, head: Any, token_q: Any, token_kv: Any) -> Any:
    """The mask_mod of a part of a BlockMask, in which places are counted from elsewhere: raises RuntimeError."""
    raise RuntimeError(
        "Cannot use mask_mod from a sliced BlockMask. When you slice a BlockMask using [], the mask_mod attribute is reset. You must set "
        "it from the original BlockMask's mask_mod.\n\nIncorrect usage:\n  base_mask = create_block_mask(my_mask_fn, ...)\n  sliced_mask "
        "= base_mask[:, :, block_idx]\n  sliced_mask.mask_mod = apply_offset(sliced_mask.mask_mod, offset)  # WRONG!\n\nCorrect usage:\n  "
        "base_mask = create_block_mask(my_mask_fn, ...)\n  sliced_mask = base_mask[:, :, block_idx]\n  sliced_mask.mask_mod = "
        "apply_offset(base_mask.mask_mod, offset)  # Use base_mask!"
    )


def _positional(fn: Callable[..., Any]) -> int:
    """How many arguments a function must be given: 5 for a score_mod, 4 for a mask_mod. Raises AssertionError for another number."""
    if hasattr(fn, "__code__"):
        count = fn.__code__.co_argcount - len(getattr(fn, "__defaults__", None) or ())
    else:
        import inspect

        count = sum(p.default is p.empty for p in inspect.signature(fn).parameters.values())
    if count not in (4, 5):
        raise AssertionError(f"Expected 4 or 5 positional args, got {count}")
    return count


def _mapped(fn: Callable[..., Any], prefix: tuple[int, ...] = ()) -> Callable[..., Any]:
    """The function mapped over keys, queries, heads and batch."""
    for place in (3, 2, 1, 0):
        fn = vmap(fn, in_dims=prefix + tuple(0 if i == place else None for i in range(4)))
    return fn


def _places(*sizes: int, device: Any = None) -> list[Any]:
    return [T["arange"](0, n, device=device) for n in sizes]


def create_mask(mod_fn: Callable[..., Any], B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None) -> Any:
    """The mask (B, H, Q_LEN, KV_LEN) that a mask_mod describes, or a score_mod by scores of minus infinity; None counts as 1."""
    places = _places(B or 1, H or 1, Q_LEN, KV_LEN, device=device)
    if _positional(mod_fn) == 5:
        scores = _mapped(mod_fn, (0,))(T["zeros"](B or 1, H or 1, Q_LEN, KV_LEN, device=device), *places)
        return T["where"](T["isneginf"](scores), False, True)
    return _mapped(mod_fn)(*places)


def _checked_callables(mask_mods: tuple[Any, ...]) -> None:
    if not all(callable(each) for each in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")


def or_masks(*mask_mods: Callable[..., Any]) -> Callable[..., Any]:
    """A mask_mod that allows what any of the given ones allows."""
    _checked_callables(mask_mods)

    def or_mask(b: Any, h: Any, q_idx: Any, kv_idx: Any) -> Any:
        result = b.new_zeros((), dtype=dt.bool)
        for mask in mask_mods:
            result = result | mask(b, h, q_idx, kv_idx)
        return result

    return or_mask


def and_masks(*mask_mods: Callable[..., Any]) -> Callable[..., Any]:
    """A mask_mod that allows what all of the given ones allow."""
    _checked_callables(mask_mods)

    def and_mask(b: Any, h: Any, q_idx: Any, kv_idx: Any) -> Any:
        result = b.new_ones((), dtype=dt.bool)
        for mask in mask_mods:
            result = result & mask(b, h, q_idx, kv_idx)
        return result

    return and_mask


# --- blocks --------------------------------------------------------------------------------------------------------------


def _to_dense(counts: Any, indices: Any, columns: int) -> Any:
    """Ones where a row's list of columns says so, int32 (..., rows, columns)."""
    entries = indices.shape[-1]
    valid = T["arange"](entries, dtype=dt.int32) < counts.unsqueeze(-1)
    placed = T["where"](valid, indices, columns).to(dt.int64)
    dense = indices.new_zeros((*indices.shape[:-1], columns + 1), dtype=dt.int32)
    return dense.scatter(-1, placed, 1)[..., :columns].contiguous()


def _to_ordered(dense: Any) -> tuple[Any, Any]:
    """How many columns of each row count, and all columns, those that count first."""
    dense = dense.to(dt.int32)
    order = T["argsort"](dense, dim=-1, descending=True, stable=True)
    return dense.sum(-1).to(dt.int32), order.to(dt.int32)


def _transposed(counts: Any, indices: Any) -> tuple[Any, Any]:
    return _to_ordered(_to_dense(counts, indices, indices.shape[-1]).transpose(-2, -1))


_ATTRIBUTES = (
    "kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices",
    "q_num_blocks", "q_indices", "full_q_num_blocks", "full_q_indices",
)  # fmt: skip


@public("torch.nn.attention.flex_attention")
class BlockMask:
    """A mask by blocks of `BLOCK_SIZE` (queries, keys): for each row of blocks, the columns of blocks in which something counts.

    `kv_num_blocks` (B, H, rows) says how many, `kv_indices` (B, H, rows, columns) which; inside of them `mask_mod` decides.
    `full_kv_num_blocks` and `full_kv_indices` list the blocks in which everything counts. The `q_...` ones are the transposes.
    """

    def __init__(
        self,
        seq_lengths: tuple[int, int],
        kv_num_blocks: Any,
        kv_indices: Any,
        full_kv_num_blocks: Any,
        full_kv_indices: Any,
        q_num_blocks: Any,
        q_indices: Any,
        full_q_num_blocks: Any,
        full_q_indices: Any,
        BLOCK_SIZE: tuple[int, int] = (_DEFAULT_SPARSE_BLOCK_SIZE, _DEFAULT_SPARSE_BLOCK_SIZE),
        mask_mod: Callable[..., Any] = noop_mask,
    ) -> None:
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        if (full_kv_num_blocks is None) != (full_kv_indices is None):
            raise AssertionError("full_kv_num_blocks and full_kv_indices must be both provided or omitted")
        if (full_q_num_blocks is None) != (full_q_indices is None):
            raise AssertionError("full_q_num_blocks and full_q_indices must be both provided or omitted")
        self.seq_lengths = seq_lengths
        self.kv_num_blocks, self.kv_indices = kv_num_blocks, kv_indices
        self.full_kv_num_blocks, self.full_kv_indices = full_kv_num_blocks, full_kv_indices
        self.q_num_blocks, self.q_indices = q_num_blocks, q_indices
        self.full_q_num_blocks, self.full_q_indices = full_q_num_blocks, full_q_indices
        self.BLOCK_SIZE = BLOCK_SIZE
        self.mask_mod = mask_mod

    @classmethod
    def from_kv_blocks(
        cls,
        kv_num_blocks: Any,
        kv_indices: Any,
        full_kv_num_blocks: Any = None,
        full_kv_indices: Any = None,
        BLOCK_SIZE: int | tuple[int, int] = _DEFAULT_SPARSE_BLOCK_SIZE,
        mask_mod: Callable[..., Any] | None = None,
        seq_lengths: tuple[int, int] | None = None,
        compute_q_blocks: bool = True,
    ) -> "BlockMask":
        """A BlockMask of the lists for each row; those for each column are computed. Raises RuntimeError for less than 2 dimensions."""
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        if (full_kv_num_blocks is None) != (full_kv_indices is None):
            raise AssertionError("full_kv_num_blocks and full_kv_indices must be both provided or omitted")
        q: tuple[Any, Any] = (None, None)
        full_q: tuple[Any, Any] = (None, None)
        if compute_q_blocks:
            q = _transposed(kv_num_blocks, kv_indices)
            if full_kv_num_blocks is not None:
                full_q = _transposed(full_kv_num_blocks, full_kv_indices)
        sizes = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
        if seq_lengths is None:
            seq_lengths = (kv_indices.shape[-2] * sizes[0], kv_indices.shape[-1] * sizes[1])
        return cls(
            seq_lengths, kv_num_blocks, kv_indices, full_kv_num_blocks, full_kv_indices, *q, *full_q, BLOCK_SIZE=sizes,
            mask_mod=noop_mask if mask_mod is None else mask_mod,
        )  # fmt: skip

    def as_tuple(self, flatten: bool = True) -> tuple[Any, ...]:
        """All that it is made of; with `flatten`, lengths and block sizes number by number."""
        lengths = tuple(self.seq_lengths) if flatten else (self.seq_lengths,)
        sizes = tuple(self.BLOCK_SIZE) if flatten else (self.BLOCK_SIZE,)
        return (*lengths, *(getattr(self, name) for name in _ATTRIBUTES), *sizes, self.mask_mod)

    @property
    def shape(self) -> tuple[int, ...]:
        """(B, H, queries, keys)."""
        return (*self.kv_indices.shape[:-2], *self.seq_lengths)

    def numel(self) -> int:
        """The number of elements of the mask."""
        return math.prod(self.shape)

    def sparsity(self) -> float:
        """How many percent of the mask lie in blocks in which nothing counts."""
        blocks = self.kv_num_blocks.sum().item()
        if self.full_kv_num_blocks is not None:
            blocks += self.full_kv_num_blocks.sum().item()
        return 100 * (1 - blocks * self.BLOCK_SIZE[0] * self.BLOCK_SIZE[1] / self.numel())

    def to_dense(self) -> Any:
        """Ones for the blocks in which something counts, int32 (B, H, rows, columns)."""
        dense = _to_dense(self.kv_num_blocks, self.kv_indices, self.kv_indices.shape[-1])
        if self.full_kv_num_blocks is not None:
            dense = dense | _to_dense(self.full_kv_num_blocks, self.full_kv_indices, self.full_kv_indices.shape[-1])
        return dense

    def to(self, device: Any) -> "BlockMask":
        """The same mask on another device."""
        moved: dict[str, Any] = {name: getattr(self, name) for name in _ATTRIBUTES}
        moved = {name: x if x is None else x.to(device) for name, x in moved.items()}
        return BlockMask(self.seq_lengths, **moved, BLOCK_SIZE=self.BLOCK_SIZE, mask_mod=self.mask_mod)

    def __getitem__(self, index: Any) -> "BlockMask":
        """The part for some batches, heads and rows of blocks; an integer keeps its dimension. Its `mask_mod` has to be set anew."""
        index = index if isinstance(index, tuple) else (index,)
        padded = (*index, slice(None), slice(None), slice(None))[:3]
        chosen = tuple(
            (slice(i + n, i + n + 1) if -n <= i < 0 else slice(i, i + 1)) if isinstance(i, int) else i
            for i, n in zip(padded, self.kv_num_blocks.shape[:3])
        )
        full = self.full_kv_num_blocks is not None
        return BlockMask.from_kv_blocks(
            self.kv_num_blocks[chosen],
            self.kv_indices[chosen],
            self.full_kv_num_blocks[chosen] if full else None,
            self.full_kv_indices[chosen] if full else None,
            BLOCK_SIZE=self.BLOCK_SIZE,
            mask_mod=_sliced_mask_mod_error,
            seq_lengths=self.seq_lengths,
            compute_q_blocks=self.q_indices is not None,
        )

    def _adjust(self, new_q_len: int, new_kv_len: int) -> "BlockMask":
        """The upper left corner, for shorter sequences."""
        rows = -(-new_q_len // self.BLOCK_SIZE[0])
        columns = -(-new_kv_len // self.BLOCK_SIZE[1])

        def cropped(counts: Any, indices: Any) -> tuple[Any, Any]:
            if counts is None:
                return None, None
            indices, counts = indices[:, :, :rows, :columns], counts[:, :, :rows].clamp(max=columns)
            return (indices < counts.unsqueeze(-1)).sum(-1).to(dt.int32), indices

        return BlockMask.from_kv_blocks(
            *cropped(self.kv_num_blocks, self.kv_indices), *cropped(self.full_kv_num_blocks, self.full_kv_indices),
            BLOCK_SIZE=self.BLOCK_SIZE, mask_mod=self.mask_mod, seq_lengths=(new_q_len, new_kv_len),
            compute_q_blocks=self.q_indices is not None,
        )  # fmt: skip

    def to_string(self, grid_size: int | tuple[int, int] = (20, 20), limit: int = 4) -> str:
        """A picture of the blocks, one for each batch and head up to `limit`: full, in part, and blank where nothing counts."""
        dense = self.to_dense()
        *batch, rows, columns = dense.shape
        most = (grid_size, grid_size) if isinstance(grid_size, int) else grid_size
        row_step, column_step = max(1, -(-rows // most[0])), max(1, -(-columns // most[1]))
        pictures = []
        for number, place in enumerate(itertools.product(*(range(n) for n in batch))):
            if number == limit:
                pictures += [
                    "...",
                    "To print out more, set BlockMask.to_string(limit=N)",
                    "You can also index (BlockMask[batch, head]) to choose a specific batch or head",
                ]
                break
            lines = [f"{place}"]
            for r in range(0, rows, row_step):
                parts = (dense[place][r : r + row_step, c : c + column_step].float().mean().item() for c in range(0, columns, column_step))
                lines.append("".join(2 * ("\u2588" if p == 1 else " " if p == 0 else "\u2591") for p in parts))
            pictures.append("\n".join(lines) + "\n")
        return "\n".join(pictures)

    def __str__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%, \n{self.to_string().strip()}\n)"

    def __repr__(self) -> str:
        shapes = "".join(f"    {name}={None if (x := getattr(self, name)) is None else x.shape},\n" for name in _ATTRIBUTES)
        return (
            f"BlockMask(\n{shapes}    BLOCK_SIZE={self.BLOCK_SIZE},\n    shape={self.shape},\n    sparsity={self.sparsity():.2f}%,\n"
            f"    mask_mod={getattr(self.mask_mod, '__name__', self.mask_mod)}\n)"
        )


def create_block_mask(
    mask_mod: Callable[..., Any],
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: int | tuple[int, int] = _DEFAULT_SPARSE_BLOCK_SIZE,
    _compile: bool = False,
    separate_full_blocks: bool = True,
) -> BlockMask:
    """The BlockMask of a mask_mod. B and H: None where batches or heads have the same mask.

    Raises AssertionError for a function that does not take the four places of an element.
    """
    if _positional(mask_mod) != 4:
        raise AssertionError(f"create-block_mask requires a mask_mod function! Got {mask_mod}")
    rows, columns = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
    if _compile:
        import warnings

        warnings.warn(
            "_compile flag on create_block_mask was originally added to work around a torch.compile limitation. That limitation has "
            "since been addressed. So, to compile create_block_mask, we suggest doing torch.compile(create_block_mask). This still works "
            "for now, but will be removed in the future.",
            DeprecationWarning,
            stacklevel=2,
        )
    mask = create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device)
    mask = NAMES["F"]["pad"](mask, (0, -KV_LEN % columns, 0, -Q_LEN % rows))
    b, h, q, kv = mask.shape
    counts = mask.view(b, h, q // rows, rows, kv // columns, columns).sum((3, 5))
    whole = counts == rows * columns
    partial = (counts > 0) & ~whole if separate_full_blocks else counts > 0
    counts_of_full, full = _to_ordered(whole) if separate_full_blocks else (None, None)
    return BlockMask.from_kv_blocks(
        *_to_ordered(partial), counts_of_full, full, BLOCK_SIZE=(rows, columns), mask_mod=mask_mod, seq_lengths=(Q_LEN, KV_LEN)
    )


def _create_empty_block_mask(query: Any, key: Any) -> BlockMask:
    """One block in which everything counts."""
    return BlockMask.from_kv_blocks(
        T["ones"](1, 1, 1, dtype=dt.int32), T["zeros"](1, 1, 1, 1, dtype=dt.int32), BLOCK_SIZE=_LARGE_SPARSE_BLOCK_SIZE, seq_lengths=(1, 1)
    )


# --- attention -----------------------------------------------------------------------------------------------------------


def _check(query: Any, key: Any, value: Any, block_mask: BlockMask | None, enable_gqa: bool) -> None:
    """Raises what PyTorch raises of shapes that do not go together."""
    if any(x.dim() < 2 for x in (query, key, value)):
        raise ValueError(
            f"Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: {query.dim()}, key.dim: {key.dim()} and "
            f"value.dim: {value.dim()} instead."
        )
    if query.size(-1) != key.size(-1):
        raise ValueError(
            f"Expect query and key/value to have the same embedding dimension but got E={query.size(-1)} and E={key.size(-1)}."
        )
    if any(x.dim() != 4 for x in (query, key, value)):
        raise NotImplementedError("NYI: query, key, and value must be 4D tensors")
    heads, kv_heads = query.size(1), key.size(1)
    if not enable_gqa and heads != kv_heads:
        raise ValueError(
            f"Expect query and key/value to have the same number of heads but got Hq={heads} and Hkv={kv_heads}. Try setting "
            "enable_gqa=True for GQA."
        )
    if heads % kv_heads:
        raise ValueError(f"Expect number of query heads to be a multiple of kv heads for GQA but got Hq={heads} and Hkv={kv_heads}.")
    if query.size(0) != key.size(0):
        if block_mask is None:
            raise ValueError(
                "Expect query and key/value to have the same batch size, or non-none block_mask, but got block_mask=None, "
                f"Bq={query.size(0)}, and Bkv={key.size(0)}."
            )
        if block_mask.kv_num_blocks.size(0) != query.size(0):
            raise ValueError(
                "Expect query and key/value to have the same batch size, or block_mask and query to have the same batch size, but got "
                f"Bq={query.size(0)}, Bkv={key.size(0)}, B_block_mask={block_mask.kv_num_blocks.size(0)}."
            )
    if block_mask is None or tuple(block_mask.BLOCK_SIZE) == (_LARGE_SPARSE_BLOCK_SIZE,) * 2:
        return
    if block_mask.mask_mod is _sliced_mask_mod_error:
        raise RuntimeError("Cannot use mask_mod from a sliced BlockMask")
    queries, keys = query.size(-2), key.size(-2)
    made = f"block_mask was created for block_mask.shape={block_mask.shape} but got q_len={queries} and kv_len={keys}. "
    if queries > block_mask.shape[-2] or keys > block_mask.shape[-1]:
        raise ValueError(
            f"{made}As the block mask was created for a smaller length than you're using it for, you likely need to create a new block "
            f"mask."
        )
    if queries < block_mask.shape[-2] or keys < block_mask.shape[-1]:
        raise ValueError(
            f"{made}As the block mask was created for a larger length than you're using it for, you can either 1. create a new block mask "
            "with the correct length, or 2. 'adjust' the existing block mask to the correct length by calling block_mask._adjust(q_len, "
            "kv_len). This essentially 'crops' the block mask to the upper left corner, which does not work for all mask_mods!"
        )


def _allowed(block_mask: BlockMask, batch: int, heads: int, queries: int, keys: int) -> Any:
    """Which scores count, bool (batch or 1, heads or 1, queries, keys): all of full blocks, and of the others what mask_mod allows."""
    rows, columns = block_mask.BLOCK_SIZE

    def spread(counts: Any, indices: Any) -> Any:
        dense = _to_dense(counts, indices, indices.shape[-1]).to(dt.bool)
        return dense.repeat_interleave(rows, -2)[..., :queries, :].repeat_interleave(columns, -1)[..., :keys]

    b, h = block_mask.kv_indices.shape[:2]
    allowed = _mapped(block_mask.mask_mod)(*_places(batch if b > 1 else 1, heads if h > 1 else 1, queries, keys))
    if rows != _LARGE_SPARSE_BLOCK_SIZE:
        allowed = allowed & spread(block_mask.kv_num_blocks, block_mask.kv_indices)
    if block_mask.full_kv_num_blocks is not None:
        allowed = allowed | spread(block_mask.full_kv_num_blocks, block_mask.full_kv_indices)
    return allowed


def flex_attention(
    query: Any,
    key: Any,
    value: Any,
    score_mod: Callable[..., Any] | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: Any = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """softmax(score_mod(query @ key.T * scale)) @ value, over the scores that the block mask allows.

    Shapes: query (B, Hq, L, E), key (B, Hkv, S, E), value (B, Hkv, S, Ev), result (B, Hq, L, Ev). A row in which nothing counts gives
    zeros. scale: 1 / sqrt(E) unless given. enable_gqa: keys and values of fewer heads are shared among groups of query heads.
    return_lse: also the logsumexp of each row's scores; return_aux: an AuxOutput of what is asked for. Scores are float32 (float64
    for float64). Raises ValueError for shapes that do not go together.
    """
    _check(query, key, value, block_mask, enable_gqa)
    if return_lse and return_aux is not None:
        raise ValueError(
            "Cannot specify both return_lse and return_aux. return_lse is deprecated, please use return_aux=AuxRequest(lse=True) instead."
        )
    batch, heads, queries, width = query.shape
    keys = key.shape[2]
    if key.shape[0] != batch:
        key, value = (x.expand(batch, *x.shape[1:]) for x in (key, value))
    if key.shape[1] != heads:
        groups = heads // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    work = dt.float64 if query.dtype is dt.float64 else dt.float32
    scores = tensors.matmul(query.to(work), key.to(work).transpose(-2, -1)) * (1.0 / math.sqrt(width) if scale is None else scale)
    if score_mod is not None:
        scores = _mapped(score_mod, (0,))(scores, *_places(batch, heads, queries, keys)).to(work)
    if block_mask is not None:
        scores = T["where"](_allowed(block_mask, batch, heads, queries, keys), scores, -math.inf)
    empty = (scores == -math.inf).all(-1, keepdim=True)
    weights = T["where"](empty, 0.0, tensors.softmax(T["where"](empty, 0.0, scores), -1))
    out = tensors.matmul(weights.to(query.dtype), value.to(query.dtype))
    if return_aux is not None:
        lse = T["logsumexp"](scores, -1) if return_aux.lse else None
        return out, AuxOutput(lse, scores.amax(-1) if return_aux.max_scores else None)
    return (out, T["logsumexp"](scores, -1)) if return_lse else out


__getattr__ = missing_name(__name__)
