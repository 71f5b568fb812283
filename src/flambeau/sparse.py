"""`torch.sparse`: functions of sparse tensors whose gradients keep to what is stored, and checks of their parts."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from .core.layout import LAYOUTS, normalize_dim
from .core.missing import missing_name
from .core.naming import public
from .ops.definition import tensors
from .ops.sparse import Invariants, coalesce, is_sparse, sparse_softmax, sparse_sum
from .ops.sparse_products import addmm as _addmm
from .ops.sparse_products import matrix_product
from .ops.sparse_registry import recorded_as
from .tensor import Tensor

__all__ = [
    "addmm",
    "as_sparse_gradcheck",
    "check_sparse_tensor_invariants",
    "log_softmax",
    "mm",
    "sampled_addmm",
    "softmax",
    "spdiags",
    "sum",
]
_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    if name.endswith("Tensor"):
        from .legacy_types import SPARSE_TYPES

        if name in SPARSE_TYPES:
            return SPARSE_TYPES[name]
    return _missing(name)


def mm(mat1: Any, mat2: Any, reduce: str | None = None) -> Any:
    """The product of two matrices of which one at least is sparse: sparse if both are.

    The gradient of a sparse matrix keeps to its places. reduce: "sum", "mean", "amax" or "amin" of the products that
    make an element, for a matrix in CSR.
    Raises RuntimeError where the sizes do not fit.
    """
    if not isinstance(mat1, Tensor) or not isinstance(mat2, Tensor):
        raise TypeError("_sparse_mm() received an invalid combination of arguments")
    if reduce is not None:
        from .core.sparse import refusal
        from .ops.compressed_forms import mm_reduced

        if not hasattr(mat1._array, "compressed"):
            raise refusal("_sparse_mm_reduce_impl", "SparseCPU" if is_sparse(mat1) else "CPU")
        return mm_reduced(mat1, mat2, reduce)
    if not (is_sparse(mat1) or is_sparse(mat2)):
        return tensors.mm(mat1, mat2)
    if any(t.layout.name not in ("strided", "sparse_coo") for t in (mat1, mat2)):
        return tensors.mm(mat1, mat2)
    return matrix_product(mat1, mat2, True)


def addmm(mat: Any, mat1: Any, mat2: Any, *, beta: Any = 1.0, alpha: Any = 1.0) -> Any:
    """`beta * mat + alpha * (mat1 @ mat2)` with sparse `mat1`."""
    if not is_sparse(mat1):
        return tensors.addmm(mat, mat1, mat2, beta=beta, alpha=alpha)
    return recorded_as(_addmm(mat, mat1, mat2, beta, alpha, True), "SparseAddmmBackward0")


def sum(input: Any, dim: Any = None, dtype: Any = None) -> Any:
    """The sum of all elements, dense, or over `dim` (an int or several): sparse unless no sparse dim is left.

    Raises RuntimeError for a dense tensor.
    """
    result = sparse_sum(input, dim, dtype=dtype)
    return recorded_as(result, "SparseSumBackward0") if is_sparse(result) else result


def _softmax(name: str, input: Any, dim: int, dtype: Any, logarithm: bool) -> Any:
    if not is_sparse(input):
        from .core.sparse import refusal

        raise refusal(name, "CPU")
    x = input if dtype is None else input.to(dtype)
    if x.dtype.kind < 2:
        raise RuntimeError(f"\"{'log_' if logarithm else ''}softmax\" not implemented for '{x.type().rpartition('.')[2][:-6]}'")
    return sparse_softmax.function(coalesce(x), normalize_dim(dim, x.dim()), logarithm)


def softmax(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Softmax along `dim` of a sparse tensor: what is not stored counts as minus infinity."""
    return _softmax("_sparse_softmax", input, dim, dtype, False)


def log_softmax(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """The logarithm of `softmax`."""
    return _softmax("_sparse_log_softmax", input, dim, dtype, True)


def sampled_addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1.0, alpha: Any = 1.0, out: Any = None) -> Any:
    """`beta * input + alpha * (mat1 @ mat2)` at the places of `input`, in CSR; the matrices are dense.

    Raises RuntimeError where the sizes do not fit.
    """
    from .ops.compressed_forms import sampled_addmm

    result = sampled_addmm(input, mat1, mat2, beta, alpha)
    if out is None:
        return result
    out._array = result._array
    return out


def spdiags(diagonals: Any, offsets: Any, shape: Any, layout: Any = None) -> Any:
    """A sparse matrix with the rows of `diagonals` as its diagonals.

    Row `i` lies on diagonal `offsets[i]` (above the main one where positive); element `j` of it in column `j`.
    Raises RuntimeError where the parts do not go together.
    """
    import numpy as np

    from .ops.sparse import from_parts
    from .tensor import wrap

    rows = diagonals if diagonals.dim() == 2 else diagonals.unsqueeze(0) if diagonals.dim() == 1 else None
    if rows is None:
        raise RuntimeError("Diagonals must be vector or matrix")
    if len(shape) != 2:
        raise RuntimeError("Output shape must be 2d")
    steps = offsets.reshape(-1) if offsets.dim() < 2 else None
    if steps is None:
        raise RuntimeError("Offsets must be scalar or vector")
    if rows.shape[0] != steps.shape[0]:
        raise RuntimeError(f"Number of diagonals ({rows.shape[0]}) does not match the number of offsets ({steps.shape[0]})")
    if steps.dtype.is_floating_point or steps._array.dtype.kind != "i" or steps._array.itemsize != 8:
        raise RuntimeError(f"Offset Tensor must have dtype Long but got {steps.type().rpartition('.')[2][:-6]}")
    numbers = steps._array.tolist()
    if len(set(numbers)) != len(numbers):
        raise RuntimeError("Offset tensor contains duplicate values")
    if layout is not None and layout.name not in ("sparse_coo", "sparse_csc", "sparse_csr"):
        name = {"strided": "Strided", "sparse_bsr": "SparseBsr", "sparse_bsc": "SparseBsc"}.get(layout.name, layout.name)
        raise RuntimeError(f"Only output layouts (Sparse, SparseCsc, SparseCsr) are supported, got {name}")
    n, m = shape
    parts = []
    for i, k in enumerate(numbers):
        first, last = max(k, 0), min(n + k, m, rows.shape[1])
        columns = np.arange(first, max(last, first))
        parts.append((np.full(columns.size, i), columns, columns - k))
    which, columns, lines = (np.concatenate([p[j] for p in parts] or [np.zeros(0, np.int64)]).astype(np.int64) for j in range(3))
    values = rows[wrap(which), wrap(columns)]
    result = from_parts.function(wrap(np.stack([lines, columns])), values, (n, m), False)
    return result if layout is None or layout is LAYOUTS["sparse_coo"] else result.to_sparse(layout=layout)


@public("torch.sparse")
class check_sparse_tensor_invariants:
    """Switches the checks of the parts that sparse tensors are made of: by `enable()` and `disable()`, as a context manager, or
    as a decorator. They are off at first; `check_invariants=` of a constructor comes before them."""

    @staticmethod
    def is_enabled() -> bool:
        """Whether constructors check."""
        return Invariants.enabled

    @staticmethod
    def enable() -> None:
        """Has constructors check."""
        Invariants.enabled = True

    @staticmethod
    def disable() -> None:
        """Has constructors trust what they are given."""
        Invariants.enabled = False

    def __init__(self, enable: bool = True) -> None:
        self.state = enable
        self.saved_state: bool | None = None

    def __enter__(self) -> None:
        if self.saved_state is not None:
            raise RuntimeError(
                "This context manager instance is already activated. Use a different context manager instance for context nesting."
            )
        self.saved_state = Invariants.enabled
        Invariants.enabled = self.state

    def __exit__(self, *exception: Any) -> None:
        assert self.saved_state is not None, "saved_state should not be None on exit"
        Invariants.enabled, self.saved_state = self.saved_state, None

    def __call__(self, mth: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.state):
                return mth(*args, **kwargs)

        return checked


def _with_values(like: Any, values: Any) -> Any:
    return tensors.from_parts(like.indices(), values, like._array.shape, True)


def _made_sparse(like: Any, dense: Any) -> Any:
    return dense.to_sparse(like.sparse_dim())


def as_sparse_gradcheck(gradcheck: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for `torch.autograd.gradcheck`: lets functions take and return sparse tensors.

    The inputs' values, and those of the results, are what is varied; `masked=True` keeps to the places that are stored, else all
    elements are.
    """

    @wraps(gradcheck)
    def check(func: Callable[..., Any], inputs: Any, **kwargs: Any) -> Any:
        masked = kwargs.pop("masked", False)
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        plain: list[Any] = []
        back: list[Callable[[Any], Any]] = []
        for x in given:
            if isinstance(x, Tensor) and x.layout.name != "strided" and x.requires_grad:
                if x.layout.name != "sparse_coo":
                    raise NotImplementedError("as_sparse_gradcheck: only COO tensors that require gradients are taken")
                own = x.detach().coalesce()
                if masked:
                    plain.append(own.values().clone().requires_grad_())
                    back.append(partial(_with_values, own))
                else:
                    plain.append(own.to_dense().requires_grad_())
                    back.append(partial(_made_sparse, own))
            else:
                plain.append(x)
                back.append(lambda v: v)

        def run(*values: Any) -> Any:
            results = func(*[make(v) for make, v in zip(back, values)])
            several = isinstance(results, (list, tuple))
            dense = [
                r.to_dense() if isinstance(r, Tensor) and r.layout.name != "strided" else r for r in (results if several else [results])
            ]
            return tuple(dense) if several else dense[0]

        return gradcheck(run, tuple(plain), **kwargs)

    return check
