"""Factors of symmetric and Hermitian matrices that need not be positive: L D L^H with D of blocks of one or two (Bunch and Kaufman, 1977).

Stored as LAPACK's `sytrf` and `hetrf` store them: D on the diagonal and, of blocks of two, below it; the rest of L below that. A
pivot k > 0 says that rows were exchanged with row k - 1; two equal ones -k < 0 mark a block of two, whose second row was.
"""

from typing import Any

import numpy as np

_ALPHA = (1 + 17**0.5) / 8  # keeps the growth of elements the same for blocks of one and two


def factor(a: Any, hermitian: bool) -> tuple[Any, Any, Any]:
    """The factors, the pivots (int32) and, per matrix, 0 or the number of the first block of D that is zero (int32)."""
    result = np.tril(a)
    pivots = np.zeros(a.shape[:-1], np.int32)
    info = np.zeros(a.shape[:-2], np.int32)
    with np.errstate(all="ignore"):
        for place in np.ndindex(a.shape[:-2]):
            info[place] = _factor(result[place], pivots[place], hermitian and a.dtype.kind == "c")
    return result, pivots, info


def _size(x: Any) -> Any:
    """How large elements are for the choice of a pivot: of complex ones, both parts added, as LAPACK does."""
    return np.abs(x.real) + np.abs(x.imag) if x.dtype.kind == "c" else np.abs(x)


def _factor(a: Any, pivots: Any, hermitian: bool) -> int:
    """Factors one matrix in place, from its lower triangle."""
    n, k, info = len(a), 0, 0
    conjugate = np.conj if hermitian else np.asarray
    while k < n:
        if hermitian:
            a[k, k] = a[k, k].real
        size, row = 1, k
        if _size(a[k:, k]).max() == 0:
            info = info or k + 1
        else:
            size, row = _pivot(a, k)
            last = k + size - 1
            if row != last:
                _exchange(a, last, row, conjugate)
                if size == 2:
                    a[k + 1, k], a[row, k] = a[row, k], a[k + 1, k]
            if size == 1:
                x = a[k + 1 :, k].copy()
                a[k + 1 :, k + 1 :] -= np.tril(np.outer(x / a[k, k], conjugate(x)))
                a[k + 1 :, k] = x / a[k, k]
            elif k + 2 < n:
                block = np.array([[a[k, k], conjugate(a[k + 1, k])], [a[k + 1, k], a[k + 1, k + 1]]])
                x = a[k + 2 :, k : k + 2].copy()
                w = _times_inverse(x, block)
                a[k + 2 :, k + 2 :] -= np.tril(w @ conjugate(x).T)
                a[k + 2 :, k : k + 2] = w
        pivots[k : k + size] = row + 1 if size == 1 else -(row + 1)
        k += size
    return info


def _pivot(a: Any, k: int) -> tuple[int, int]:
    """The size of the next block, 1 or 2, and the row that goes to its end: Bunch and Kaufman's choice (1977)."""
    here, below = _size(a[k, k]), _size(a[k + 1 :, k])
    largest = below.max(initial=0)
    if not here < _ALPHA * largest:  # NaN stays where it is
        return 1, k
    other = k + 1 + int(below.argmax())
    rest = max(_size(a[other, k:other]).max(), _size(a[other + 1 :, other]).max(initial=0))
    if not here < _ALPHA * largest * (largest / rest):
        return 1, k
    return (2 if _size(a[other, other]) < _ALPHA * rest else 1), other


def _exchange(a: Any, first: int, second: int, conjugate: Any) -> None:
    """Exchanges two rows and columns of what is left, in its lower triangle; `first` < `second`."""
    a[second + 1 :, [first, second]] = a[second + 1 :, [second, first]]
    column = a[first + 1 : second, first].copy()
    a[first + 1 : second, first] = conjugate(a[second, first + 1 : second])
    a[second, first + 1 : second] = conjugate(column)
    a[second, first] = conjugate(a[second, first])
    a[first, first], a[second, second] = a[second, second], a[first, first]


def _times_inverse(x: Any, block: Any) -> Any:
    """x times the inverse of a block of two, scaled by the element beside its diagonal, which is large."""
    (p, q), (r, s) = block
    scale = s / r * (p / q) - 1
    first = (x[:, 0] * (s / r) - x[:, 1]) / (scale * q)
    second = (x[:, 1] * (p / q) - x[:, 0]) / (scale * r)
    return np.stack([first, second], 1)


def solve(factors: Any, pivots: Any, b: Any, hermitian: bool) -> Any:
    """X with A X = B for the factors of A; batches are broadcast."""
    batch = np.broadcast_shapes(factors.shape[:-2], b.shape[:-2])
    result = np.array(np.broadcast_to(b, batch + b.shape[-2:]))
    factors = np.broadcast_to(factors, batch + factors.shape[-2:])
    pivots = np.broadcast_to(pivots, batch + pivots.shape[-1:])
    with np.errstate(all="ignore"):
        for place in np.ndindex(batch):
            _solve(factors[place], pivots[place].tolist(), result[place], hermitian and factors.dtype.kind == "c")
    return result


def _solve(a: Any, pivots: list[int], b: Any, hermitian: bool) -> None:
    n, k = len(a), 0
    conjugate = np.conj if hermitian else np.asarray
    while k < n:
        size = 1 if pivots[k] > 0 else 2
        last, other = k + size - 1, abs(pivots[k]) - 1
        b[[last, other]] = b[[other, last]]
        b[k + size :] -= a[k + size :, k : k + size] @ b[k : k + size]
        if size == 1:
            b[k] = b[k] / a[k, k]
        else:
            block = np.array([[a[k, k], conjugate(a[k + 1, k])], [a[k + 1, k], a[k + 1, k + 1]]])
            b[k : k + 2] = _times_inverse(b[k : k + 2].T, block.T).T
        k += size
    k = n - 1
    while k >= 0:
        size = 1 if pivots[k] > 0 else 2
        first = k - size + 1
        b[first : k + 1] -= conjugate(a[k + 1 :, first : k + 1]).T @ b[k + 1 :]
        other = abs(pivots[k]) - 1
        b[[k, other]] = b[[other, k]]
        k -= size
