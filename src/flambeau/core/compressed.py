"""Sparse arrays whose rows or columns are compressed: CSR, CSC, and in blocks BSR and BSC, each with batches.

Along the compressed dim only the place where each row (or column) begins is kept: `compressed` (batches, rows + 1); along the other one
all places are: `plain` (batches, count). `values` is (batches, count, [block], dense dims).
"""

import math
from typing import Any, Sequence

import numpy as np

from .sparse import I64, CooArray, NoSparseForm, Sparse, operator_asking, refusal

ndarray = np.ndarray


class CompressedArray(Sparse):
    """A sparse array of one of the compressed layouts."""

    __slots__ = ("compressed", "plain", "layout")
    backend = "SparseCsrCPU"
    layout: str

    def __init__(self, compressed: ndarray, plain: ndarray, values: ndarray, shape: Sequence[int], layout: str) -> None:
        self.compressed, self.plain, self.values, self.sizes, self.layout = compressed, plain, values, tuple(shape), layout

    @property
    def flags(self) -> Any:
        op = operator_asking()
        if op is not None:
            raise refusal(op.name, self.backend, NoSparseForm)
        raise RuntimeError("Sparse CSR tensors do not have is_contiguous")

    @property
    def names(self) -> tuple[str, str]:
        """What the indices of the compressed dim and those of the plain one are called."""
        return ("crow", "col") if self.rows_first else ("ccol", "row")

    @property
    def rows_first(self) -> bool:
        return self.layout in ("sparse_csr", "sparse_bsr")

    @property
    def block(self) -> tuple[int, ...]:
        """The sizes of a block; () where single elements are stored."""
        if not self.layout.startswith("sparse_bs"):
            return ()
        start = self.plain.ndim
        return self.values.shape[start : start + 2]

    @property
    def batch(self) -> tuple[int, ...]:
        return self.plain.shape[:-1]

    @property
    def sparse_dim(self) -> int:
        return 2

    @property
    def dense_dim(self) -> int:
        return len(self.sizes) - 2 - len(self.batch)

    @property
    def nnz(self) -> int:
        return self.plain.shape[-1]

    @property
    def matrix(self) -> tuple[int, int]:
        """The sizes of the two sparse dims."""
        start = len(self.batch)
        return self.sizes[start], self.sizes[start + 1]

    def tensor_strides(self) -> tuple[int, ...]:
        raise RuntimeError("Sparse CSR tensors do not have strides")

    def with_values(self, values: ndarray) -> "CompressedArray":
        return CompressedArray(self.compressed, self.plain, values, self.sizes, self.layout)

    def duplicate(self) -> "CompressedArray":
        return CompressedArray(self.compressed.copy(), self.plain.copy(), self.values.copy(), self.sizes, self.layout)

    def major(self) -> ndarray:
        """The row (or column) of each stored element or block."""
        lines = np.arange(self.compressed.shape[-1] - 1)
        counts = np.diff(self.compressed).reshape(math.prod(self.batch), len(lines))
        found = [np.repeat(lines, n) for n in counts]
        if any(len(f) != self.nnz for f in found):
            raise RuntimeError(f"`{self.names[0]}_indices[..., -1] == nnz` is not satisfied.")
        return np.array(found, I64).reshape(self.plain.shape)

    def places(self) -> tuple[ndarray, ...]:
        """Index arrays that name the place of each number in `values`, up to the dense dims."""
        major, plain = self.major(), self.plain.astype(I64)
        rows, columns = (major, plain) if self.rows_first else (plain, major)
        block = self.block
        if block:
            rows = rows[..., None, None] * block[0] + np.arange(block[0])[:, None]
            columns = columns[..., None, None] * block[1] + np.arange(block[1])
        for name, places, size in (("rows", rows, self.matrix[0]), ("columns", columns, self.matrix[1])):
            if places.size and (places.min() < 0 or places.max() >= size):
                raise RuntimeError(f"the places of a sparse tensor of size {list(self.sizes)} lie outside of its {name}")
        rank = rows.ndim
        outer = [np.arange(n).reshape(-1, *[1] * (rank - 1 - d if not block else max(rows.ndim, columns.ndim) - 1 - d)) for d, n in
                 enumerate(self.batch)]  # fmt: skip
        return (*outer, rows, columns)

    def at(self, dense: ndarray) -> ndarray:
        """What stands in a dense array at the places that are stored."""
        return dense[self.places()]

    def dense(self) -> ndarray:
        result = np.zeros(self.sizes, self.values.dtype)
        if self.values.size:
            np.add.at(result, self.places(), self.values)
        return result

    def coo(self) -> CooArray:
        """The same by coordinates, in the order in which the values are stored."""
        places = np.broadcast_arrays(*self.places())
        indices = np.array([p.reshape(-1) for p in places], I64).reshape(len(places), -1)
        values = self.values.reshape(indices.shape[1], *self.sizes[len(places) :])
        return CooArray(indices, values, self.sizes, self.layout == "sparse_csr")

    def parts(self) -> list["CompressedArray"]:
        """The matrices of a batch."""
        count = math.prod(self.batch)
        flat = [x.reshape(count, *x.shape[len(self.batch) :]) for x in (self.compressed, self.plain, self.values)]
        return [CompressedArray(flat[0][i], flat[1][i], flat[2][i], self.sizes[len(self.batch) :], self.layout) for i in range(count)]


def joined(parts: list[CompressedArray], batch: tuple[int, ...]) -> CompressedArray:
    """Matrices of one size as a batch. Raises RuntimeError where they hold different numbers of values."""
    if len({p.nnz for p in parts}) > 1:
        raise RuntimeError("Expect the same number of specified elements per batch.")
    first = parts[0]
    fields = [np.stack([getattr(p, name) for p in parts]) for name in ("compressed", "plain", "values")]
    fields = [x.reshape(*batch, *x.shape[1:]) for x in fields]
    return CompressedArray(fields[0], fields[1], fields[2], (*batch, *first.sizes), first.layout)


def compress(array: CooArray, layout: str, block: tuple[int, ...]) -> CompressedArray:
    """A coalesced matrix by coordinates (with dense dims) in a compressed layout. Of a block all is stored where anything is."""
    rows, columns = array.indices
    values, shape = array.values, array.sizes
    by_row = layout in ("sparse_csr", "sparse_bsr")
    n, m = shape[:2]
    if block:
        grid = n // block[0], m // block[1]
        keys = rows // block[0] * grid[1] + columns // block[1]
        blocks, which = np.unique(keys, return_inverse=True)
        whole = np.zeros((len(blocks), *block, *values.shape[1:]), values.dtype)
        whole[which.reshape(-1), rows % block[0], columns % block[1]] = values
        rows, columns, values, (n, m) = blocks // max(grid[1], 1), blocks % max(grid[1], 1), whole, grid
    return compress_places(rows, columns, values, (n, m), shape, layout, by_row, by_row)


def compress_places(
    rows: ndarray, columns: ndarray, values: ndarray, grid: tuple[int, int], shape: Sequence[int], layout: str, by_row: bool,
    ordered: bool = False,
) -> CompressedArray:  # fmt: skip
    """The elements, or blocks, at rows and columns of a grid, which come in any order unless they are `ordered`."""
    major, minor, count = (rows, columns, grid[0]) if by_row else (columns, rows, grid[1])
    starts = np.zeros(count + 1, I64)
    np.cumsum(np.bincount(major, minlength=count), out=starts[1:])
    if ordered:
        return CompressedArray(starts, minor.copy(), values.copy(), shape, layout)
    order = np.lexsort((minor, major))
    return CompressedArray(starts, minor[order], values[order], shape, layout)


def compress_dense(x: ndarray, layout: str, block: tuple[int, ...], dense_dim: int) -> CompressedArray:
    """What is not zero of a dense array, or its blocks that are not zero throughout; leading dims are a batch."""
    lead = x.ndim - 2 - dense_dim
    batch = x.shape[:lead]
    parts = []
    for part in x.reshape(-1, *x.shape[lead:]) if lead else [x]:
        n, m = part.shape[:2]
        if block:
            grid = n // block[0], m // block[1]
            tiles = np.moveaxis(part.reshape(grid[0], block[0], grid[1], block[1], *part.shape[2:]), 2, 1)
            kept = (tiles != 0).any(tuple(range(2, tiles.ndim)))
        else:
            grid, tiles = (n, m), part
            kept = (part != 0).any(tuple(range(2, part.ndim))) if dense_dim else part != 0
        rows, columns = kept.nonzero()
        parts.append(compress_places(rows, columns, tiles[rows, columns], grid, part.shape, layout, layout in ("sparse_csr", "sparse_bsr")))
    return joined(parts, batch) if lead else parts[0]


def reformat(array: Any, layout: str, block: tuple[int, ...]) -> CompressedArray:
    """A sparse array in a compressed layout."""
    if isinstance(array, CooArray):
        if array.sparse_dim != 2:
            raise RuntimeError(f"expected a tensor with 2 sparse dims, but got {array.sparse_dim}")
        return compress(array.coalesce(), layout, block)
    if not isinstance(array, CompressedArray):
        raise refusal("to_sparse")
    if array.layout == layout and (not block or array.block == block):
        return array
    if array.batch:
        return joined([reformat(p, layout, block) for p in array.parts()], array.batch)
    if array.block and block and array.block == tuple(block):
        major, plain = array.major(), array.plain
        rows, columns = (major, plain) if array.rows_first else (plain, major)
        grid = array.sizes[0] // block[0], array.sizes[1] // block[1]
        return compress_places(rows, columns, array.values, grid, array.sizes, layout, layout == "sparse_bsr")
    return compress(array.coo().coalesce(), layout, block)


def empty(layout: str, shape: Sequence[int], dtype: Any, block: tuple[int, ...] = (), dense_dim: int = 0) -> CompressedArray:
    """An array with nothing stored."""
    lead = len(shape) - 2 - dense_dim
    batch, matrix, tail = tuple(shape[:lead]), shape[lead : lead + 2], tuple(shape[lead + 2 :])
    lines = matrix[0] if layout in ("sparse_csr", "sparse_bsr") else matrix[1]
    if block:
        lines //= block[0] if layout == "sparse_bsr" else block[1]
    values = np.zeros((*batch, 0, *block, *tail), dtype)
    return CompressedArray(np.zeros((*batch, lines + 1), I64), np.zeros((*batch, 0), I64), values, shape, layout)


def check(array: CompressedArray) -> None:
    """Raises RuntimeError where the parts do not make a matrix of the layout."""
    compressed, plain = (f"{name}_indices" for name in array.names)
    lines, across = ("rows", "columns") if array.rows_first else ("columns", "rows")
    n, m = array.matrix if array.rows_first else array.matrix[::-1]
    block = array.block
    if block:
        n, m = (n // block[0], m // block[1]) if array.rows_first else (n // block[1], m // block[0])
    short = {"rows": "nrows", "columns": "ncols"}

    def need(holds: Any, said: str) -> None:
        if not holds:
            raise RuntimeError(f"`{said}` is not satisfied.")

    if array.compressed.shape[-1] != n + 1:
        raise RuntimeError(
            f"{compressed}.shape[-1] must be equal to the number of {lines} + 1 (={n + 1}), but got {array.compressed.shape[-1]}"
        )
    count = array.values.shape[len(array.batch)]
    if array.nnz != count:
        raise RuntimeError(
            f"{plain}.shape[-1] must be equal to nnz (={count}) as defined by values.shape[{len(array.batch)}], but got {array.nnz}"
        )
    starts = array.compressed
    need((starts[..., 0] == 0).all(), f"{compressed}[..., 0] == 0")
    need((starts[..., -1] == array.nnz).all(), f"{compressed}[..., -1] == nnz")
    steps = np.diff(starts)
    need(((steps >= 0) & (steps <= m)).all(), f"0 <= {compressed}[..., 1:] - {compressed}[..., :-1] <= {short[across]}")
    need(((array.plain >= 0) & (array.plain < m)).all(), f"0 <= {plain} < {short[across]}")
    major = array.major()
    same = np.diff(major) == 0
    need(
        (np.diff(array.plain)[same] > 0).all(),
        f"{plain}[..., {compressed}[..., i - 1]:{compressed}[..., i]] for all i = 1, ..., {short[lines]} are sorted and distinct along the "
        "last dimension values",
    )
