"""`python tools/stubs.py`: writes `tensor.pyi`, `__init__.pyi`, `nn/functional.pyi` and others for editors and mypy.

Operators are attached to `Tensor` and to modules by their definitions in `ops/`, and packages import their files on
demand, where no type checker looks. The stubs say what there is; `tests/test_stubs.py` fails when they are stale.
"""

import builtins
import inspect
import keyword
import subprocess
import sys
import types
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "flambeau"
sys.path.insert(0, str(PACKAGE.parent))

from flambeau.core import naming  # noqa: E402
from flambeau.core.dtype import dtype  # noqa: E402
from flambeau.core.missing import torch_names  # noqa: E402
from flambeau.ops.definition import NAMES, OPERATORS, Operator  # noqa: E402
from flambeau.ops.index import INDEX  # noqa: E402
from flambeau.tensor import Tensor  # noqa: E402

for family in INDEX:  # those imported on demand
    import_module(f"flambeau.ops.{family}")

HEAD = """\
# Written by tools/stubs.py from the definitions. Do not edit: run `make stubs`.
import builtins
from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import Any, Callable, Self

import numpy as np

"""
KINDS = {"tensor": "Tensor", "optional": "Tensor | None", "number": "Tensor | builtins.complex", "list": "Sequence[Tensor]"}
IGNORED = dict.fromkeys(("__eq__", "__ne__"), "  # type: ignore[override]")
"""object's own give a bool; ours an element-wise answer."""
IGNORED |= dict.fromkeys(("__iadd__", "__isub__"), "  # type: ignore[misc]")
"""`alpha` is by keyword in place, but not in `__add__`."""
PLAIN = {"int", "float", "bool", "str", "complex", "bytes", "None", "Any", "Tensor", "Self"}


def operator_of(name: str) -> Operator | None:
    """The operator that appears under a public name such as `torch.add`."""
    return BY_NAME.get(name)


BY_NAME = {public: operator for operator in OPERATORS.values() for public in operator.public}


def annotation(text: Any) -> str:
    """An annotation of the source if a stub can repeat it without imports, else Any."""
    if text is inspect.Parameter.empty:
        return "Any"
    text = text.__name__ if isinstance(text, type) else "None" if text is None else str(text)
    text = text.strip("'\"").replace("typing.", "").replace("flambeau.tensor.", "")
    words = {part.strip("'\" ") for part in text.split("|")}
    return " | ".join(qualified(part.strip("'\" ")) for part in text.split("|")) if words <= PLAIN else "Any"


def qualified(name: str) -> str:
    """Tensor and torch have attributes called bool, float, ...: the builtin is meant."""
    return f"builtins.{name}" if hasattr(builtins, name) and name != "None" else name


def literal(default: Any) -> str:
    if (
        default is None
        or isinstance(default, (bool, int, str))
        or isinstance(default, float)
        and default == default
        and abs(default) < 1e300
    ):
        return repr(default)
    return "..."


def parameters(signature: inspect.Signature, kinds: dict[str, str], method: bool, extra: str = "") -> str:
    """The parameters of a function in the text of a stub."""
    parts: list[str] = []
    star = False
    for number, parameter in enumerate(signature.parameters.values()):
        if method and number == 0:
            parts.append("self")
            if parameter.kind is not parameter.VAR_POSITIONAL:
                continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        star = star or prefix == "*"
        text = f"{prefix}{parameter.name}: {KINDS.get(kinds.get(parameter.name, ''), annotation(parameter.annotation))}"
        if parameter.default is not parameter.empty:
            text += f" = {literal(parameter.default)}"
        parts.append(text)
    if extra and "out" not in signature.parameters and not any(part.startswith("**") for part in parts):
        parts += [extra] if star else ["*", extra]
    return ", ".join(parts)


def function(name: str, member: Any, public: str, method: bool = False) -> str:
    """A `def` line."""
    if name == "__repr__":  # mypy forgets the names of a special method's parameters, so none may be by keyword alone
        return "def __repr__(self, **kwargs: Any) -> builtins.str: ..."
    operator = operator_of(public)
    if operator is not None:
        signature = inspect.signature(operator.forward)
        signature = signature.replace(parameters=[p for n, p in signature.parameters.items() if n in operator.params])
        sizes = any(kind == "value" and word in ("size", "shape", "dims", "repeats", "sizes") for word, kind in operator.kinds.items())
        if method and sizes:  # x.view(2, 3) and x.view((2, 3))
            text = "self, *args: Any, **kwargs: Any"
        else:
            text = parameters(signature, operator.kinds, method, "" if method or not operator.takes_out else "out: Any = None")
        result = (
            "Self"
            if method and operator.outputs == 1 and name.endswith("_") and not name.endswith("__")
            else "Tensor"
            if operator.outputs == 1
            else "Any"
        )
        return f"def {name}({text}) -> {result}: ...{IGNORED.get(name, '')}"
    try:
        signature = inspect.signature(member)
    except (TypeError, ValueError):
        return f"def {name}({'self, ' if method else ''}*args: Any, **kwargs: Any) -> Any: ..."
    result = "None" if name in ("__init__", "__init_subclass__") else annotation(signature.return_annotation)
    return f"def {name}({parameters(signature, {}, method)}) -> {result}: ..."


def tensor_stub() -> str:
    """`tensor.pyi`: the class with all that is attached to it, then the module's own functions."""
    lines = ["class _TensorMeta(type): ...", "class Tensor(metaclass=_TensorMeta):"]
    for name, member in sorted(vars(Tensor).items()):
        if isinstance(member, (staticmethod, classmethod)):
            decorator = "staticmethod" if isinstance(member, staticmethod) else "classmethod"
            text = function(name, member.__func__, "", method=decorator == "classmethod").replace("(self", "(cls", 1)
            lines += [f"    @{decorator}", f"    {text}"]
        elif isinstance(member, property):
            kind = annotation(inspect.signature(member.fget).return_annotation) if member.fget else "Any"
            lines += ["    @property", f"    def {name}(self) -> {kind}: ..."]
            if member.fset:
                lines += [f"    @{name}.setter", f"    def {name}(self, value: Any) -> None: ..."]
        elif isinstance(member, types.FunctionType) and name != "__getattr__":  # the families that it imports are here
            lines.append(f"    {function(name, member, f'Tensor.{name}', method=True)}")
        elif name not in (
            "__dict__",
            "__weakref__",
            "__doc__",
            "__module__",
            "__slots__",
            "__qualname__",
            "__annotations__",
            "__getattr__",
        ):
            lines.append(f"    {name}: Any")
    return HEAD + "\n".join(lines) + "\n" + module_members("flambeau.tensor", skip={"Tensor"})


def module_members(name: str, skip: set[str]) -> str:
    """The functions, classes and values of a module that are its own."""
    module = sys.modules[name]
    lines = []
    for member_name, member in vars(module).items():
        if member_name in skip or member_name.startswith("__") or isinstance(member, types.ModuleType):
            continue
        if isinstance(member, types.FunctionType):
            lines.append(function(member_name, member, ""))
        elif not isinstance(member, type):
            lines.append(f"{member_name}: Any")
    return "\n".join(lines) + "\n"


def package_stub(name: str, prefix: str, root: str) -> str:
    """The stub of a package's `__init__` or of a module whose functions come from `ops/`."""
    imports, lines = {f"from {root}tensor import Tensor as Tensor"}, []
    names = "F" if prefix == "torch.nn.functional" else prefix  # what the definitions call it
    for member_name, member in sorted(vars(sys.modules[name]).items()):
        if member_name.startswith("_") and member_name not in ("__version__", "__getattr__") or keyword.iskeyword(member_name):
            continue
        if isinstance(member, types.ModuleType):
            if member.__name__ == f"{name}.{member_name}" and (member_name in torch_names()[prefix] or member_name == "version"):
                imports.add(f"from . import {member_name} as {member_name}")
        elif isinstance(member, type):
            home = naming._HOME.get((member.__module__, member.__qualname__))
            if home is None or not home.startswith("flambeau.") or member is Tensor:
                continue
            if member.__name__ not in vars(sys.modules[home]):  # made by a function
                lines.append(f"{member_name}: Any")
            else:
                imports.add(f"from {root}{home.removeprefix('flambeau.')} import {member.__name__} as {member_name}")
        elif isinstance(member, dtype):
            lines.append(f"{member_name}: dtype")
        elif callable(member):
            lines.append(function(member_name, member, f"{names}.{member_name}"))
        elif isinstance(member, (int, float, str)):
            lines.append(f"{member_name}: {qualified('float') if isinstance(member, float) else 'Any'}")
    if any(line.endswith(": dtype") for line in lines):
        imports.add(f"from {root}core.dtype import dtype as dtype")
    return HEAD + "\n".join(sorted(imports)) + "\n\n" + "\n".join(lines) + "\n"


def on_demand_stub(name: str) -> str:
    """The stub of a package whose `FILES` says which names each of its files holds."""
    package = import_module(name)
    lines = [f"from . import {file} as {file}" for file in package.FILES]
    lines += [f"from .{file} import {n} as {n}" for file, names in package.FILES.items() for n in names.split()]
    for n, member in vars(package).items():  # what it imports at once
        if isinstance(member, types.FunctionType) and member.__module__.startswith(f"{name}."):
            lines.append(f"from .{member.__module__.removeprefix(f'{name}.')} import {n} as {n}")
    return HEAD + "\n".join(lines) + "\n"


def nn_stub() -> str:
    """`nn/__init__.pyi`: its own modules, the parameters and every class of `nn.modules`."""
    nn = import_module("flambeau.nn")
    lines = []
    for n in nn.__all__:
        home = "" if isinstance(getattr(nn, n), types.ModuleType) else "modules" if n in nn.modules.__all__ else "parameter"
        home = "parallel" if n == "DataParallel" else home
        lines.append(f"from .{home} import {n} as {n}")
    return HEAD + "\n".join(lines) + "\n"


def stubs() -> dict[Path, str]:
    """Every stub file and what must be in it."""
    import flambeau.nn.functional

    for name in (*flambeau._SUBMODULES, *flambeau._LAZY, *NAMES["torch"]):  # what is imported when it is first named
        getattr(flambeau, name, None)
    for name in NAMES["F"]:
        getattr(flambeau.nn.functional, name)
    texts = {
        PACKAGE / "tensor.pyi": tensor_stub(),
        PACKAGE / "__init__.pyi": package_stub("flambeau", "torch", "."),
        PACKAGE / "nn" / "functional.pyi": package_stub("flambeau.nn.functional", "torch.nn.functional", ".."),
        PACKAGE / "nn" / "__init__.pyi": nn_stub(),
        PACKAGE / "nn" / "modules" / "__init__.pyi": on_demand_stub("flambeau.nn.modules"),
        PACKAGE / "nn" / "utils" / "__init__.pyi": on_demand_stub("flambeau.nn.utils"),
        PACKAGE / "optim" / "__init__.pyi": on_demand_stub("flambeau.optim"),
    }
    return {path: formatted(text, path) for path, text in texts.items()}


def formatted(text: str, path: Path) -> str:
    for command in (["check", "--fix", "--quiet", "--select", "I,F401"], ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text)
