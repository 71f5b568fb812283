"""The names under which objects stand in model files: PyTorch's, whatever they are called here.

`torch_name` goes from an object of ours to (module, name); `find` goes back, without a PyTorch in the process.
"""

import sys
from functools import cache, partial
from typing import Any

from ..core import dtype as dtypes
from ..core import return_types
from ..core.device import device
from ..core.naming import PUBLIC
from ..core.size import Size
from ..core.storage import UntypedStorage
from ..core.typed_storage import LEGACY, TypedStorage

_HERE = __package__.rpartition(".")[0]

_MOVED = {"torch.tensor": "torch._tensor", "torch._C._nn": "torch.nn.functional"}
"""Modules that files of some versions name, and where their contents are here."""


_NAMESPACES = (".nn.functional", "", ".linalg", ".fft", ".special", ".nn.init", ".random")
"""Where functions are looked for by users, and so by files, whichever module of ours defines them."""


@cache
def table() -> dict[tuple[str, str], Any]:
    """What is not found here under the module and name that files use."""
    from ..nn.parameter import Parameter
    from ..tensor import Tensor
    from . import _get_layout, _load_from_bytes, rebuild

    found: dict[tuple[str, str], Any] = {("torch._utils", name): getattr(rebuild, name) for name in (*REBUILD, *PARAMETERS)}
    found |= {("torch", name): cls for name, cls in LEGACY.items()}
    found |= {("torch", d.name): d for d in dtypes.DTYPES}
    found |= {
        ("torch._utils", "_rebuild_xla_tensor"): rebuild._rebuild_device_tensor_from_numpy,
        ("torch._tensor", "_rebuild_from_type_v2"): rebuild._rebuild_from_type_v2,
        ("torch.storage", "_load_from_bytes"): _load_from_bytes,
        ("torch.storage", "UntypedStorage"): UntypedStorage,
        ("torch.storage", "TypedStorage"): TypedStorage,
        ("torch.serialization", "_get_layout"): _get_layout,
        ("torch.nn.parameter", "Parameter"): Parameter,
        ("torch", "Tensor"): Tensor,
        ("torch._C", "TensorBase"): Tensor,
        ("torch._C", "_TensorBase"): Tensor,
        ("torch", "device"): device,
        ("torch", "Size"): Size,
        # Operators of the package are pickled as getattr(this class, name).
        ("torch._C", "_VariableFunctionsClass"): sys.modules[_HERE],
        ("torch._C", "_VariableFunctions"): sys.modules[_HERE],
    }
    return found


REBUILD = (
    "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_sparse_tensor", "_rebuild_meta_tensor_no_storage",
    "_rebuild_device_tensor_from_numpy", "_rebuild_device_tensor_from_cpu_tensor", "_rebuild_qtensor", "_rebuild_nested_tensor",
    "_rebuild_wrapper_subclass",
)  # fmt: skip
PARAMETERS = ("_rebuild_parameter", "_rebuild_parameter_with_state")
"""Functions of `torch._utils` that make tensors, and those that make parameters."""


@cache
def _names() -> dict[int, tuple[str, str]]:
    skipped = ("_VariableFunctionsClass", "_VariableFunctions", "TensorBase", "_TensorBase", "_rebuild_xla_tensor")
    names = {id(obj): name for name, obj in table().items() if name[1] not in skipped}
    from ..nn import parameter

    return names | {id(getattr(parameter, name)): ("torch._utils", name) for name in PARAMETERS}


def torch_name(obj: Any) -> tuple[str, str] | None:
    """The module and name that a file uses for a class or function of ours; None for any other object."""
    found = _names().get(id(obj))
    if found is not None:
        return found
    module, name = getattr(obj, "__module__", None), getattr(obj, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    if PUBLIC.get((module, name)) is obj:
        return module, name
    if module.partition(".")[0] not in ("torch", _HERE):
        return None
    for home in _NAMESPACES:
        namespace = sys.modules.get(_HERE + home)
        if namespace is not None and namespace.__dict__.get(name) is obj:
            return "torch" + home, name
    if module.partition(".")[0] == _HERE:
        return "torch" + module[len(_HERE) :], name
    try:
        return (module, name) if find(module, name) is obj else None
    except (AttributeError, ModuleNotFoundError):
        return None  # a real PyTorch's, which pickle finds there


def find(module: str, name: str) -> Any:
    """What stands for a name of PyTorch's. Raises AttributeError or ModuleNotFoundError where there is nothing.

    Names of other packages are not looked up: None.
    """
    if module != "torch" and not module.startswith("torch."):
        return None
    module = _MOVED.get(module, module)
    if module == "torch.return_types":
        return partial(_return_type, name)
    found = table().get((module, name))
    if found is None:
        found = PUBLIC.get((module, name))
    if found is not None:
        return found
    try:
        return _imported(module, name)
    except AttributeError:
        if module in ("torch", "torch.cuda") and name.endswith("Tensor"):
            return table()["torch", "Tensor"]  # the old classes of one dtype, which files name and never call
        raise


def _return_type(name: str, values: Any, fields: Any = None) -> Any:
    """The named tuple of an operator's results; PyTorch pickles a dictionary of unnamed fields beside them."""
    return return_types.make(name, tuple(values))


def _imported(module: str, name: str) -> Any:
    """The attribute of our module of that name, or of the nearest one above it that has it."""
    from importlib import import_module

    path = _HERE + module[len("torch") :]
    missing: Exception | None = None
    while path:
        try:
            found: Any = import_module(path)
            for part in name.split("."):
                found = getattr(found, part)
            return found
        except ModuleNotFoundError as error:
            if not _HERE.startswith(path) and not (error.name or "").startswith(_HERE):
                raise
        except AttributeError as error:
            missing = missing or error
        path = path.rpartition(".")[0] if path != _HERE else ""
    raise missing or ModuleNotFoundError(f"No module named {module!r}", name=module)
