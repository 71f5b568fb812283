"""How error messages name the type of a value."""

from typing import Any

from ..core.dtype import SCALAR_NAMES


def typename(obj: Any) -> str:
    """The name of a class, or of an object's class, with its module (`"torch.nn.modules.linear.Linear"`).

    Builtins go without a module (`"int"`); a tensor is named by its element type (`"torch.FloatTensor"`).
    """
    if hasattr(type(obj), "_array"):
        return f"torch.{SCALAR_NAMES[obj.dtype]}Tensor"
    named = obj if hasattr(obj, "__qualname__") or hasattr(obj, "__name__") else type(obj)
    module = getattr(named, "__module__", "") or ""
    name = getattr(named, "__qualname__", None) or named.__name__
    root = __name__.partition(".")[0]
    if module == root or module.startswith(root + "."):
        module = "torch" + module[len(root) :]
    return name if module in ("", "builtins") else f"{module}.{name}"
