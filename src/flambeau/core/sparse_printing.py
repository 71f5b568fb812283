"""The text of sparse tensors."""

from typing import Any

from . import dtype as dtypes
from .printing import _elements, with_suffixes

_INDENT = len("tensor(")


def _part(name: str, array: Any) -> str:
    """`name=tensor(...)` of what a sparse tensor is made of."""
    head = f"{name}=tensor("
    if not array.size:
        return f"{head}[], size={tuple(array.shape)})"
    return f"{head}{_elements(array, dtypes.OF_NUMPY[array.dtype], _INDENT + len(head))})"


def sparse_text(array: Any, requires_grad: bool, grad_fn_name: str | None) -> str:
    """What `repr(tensor)` returns for a tensor over a sparse array."""
    coo = array.layout == "sparse_coo"
    if coo:
        parts = [("indices", array.indices)]
    else:
        parts = [(f"{array.names[0]}_indices", array.compressed), (f"{array.names[1]}_indices", array.plain)]
    text = "tensor(" + (",\n" + " " * _INDENT).join(_part(name, part) for name, part in (*parts, ("values", array.values)))
    dtype, default = dtypes.OF_NUMPY[array.dtype], dtypes.DEFAULT
    suffixes = [f"size={tuple(array.shape)}", f"nnz={array.nnz}"]
    if dtype not in (default.dtype, default.complex, dtypes.int64, dtypes.bool):
        suffixes.append(f"dtype={dtype}")
    suffixes.append(f"layout=torch.{array.layout}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return with_suffixes(text, suffixes, _INDENT, coo)
