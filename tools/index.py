"""`python tools/index.py`: writes `ops/index.py`, the names that the families imported on demand attach."""

import ast
import importlib
import sys
from pathlib import Path

OPS = Path(__file__).resolve().parent.parent / "src" / "flambeau" / "ops"
sys.path.insert(0, str(OPS.parent.parent))

import flambeau.ops as ops  # noqa: E402
from flambeau.autograd.node import arrays, tensors  # noqa: E402
from flambeau.ops.definition import NAMES  # noqa: E402
from flambeau.tensor import Tensor  # noqa: E402

HEAD = '''"""Which names each family attaches that is imported on demand. Written by `tools/index.py`: run `make stubs`."""

INDEX = {
'''
NO_FAMILY = {"__init__", "definition", "dispatch", "families", "in_place", "index", "modes", "running"}


def names() -> set[str]:
    """Everything that has been attached so far."""
    found = {f"{where}.{name}" for where, functions in NAMES.items() for name in functions}
    found |= {f"Tensor.{name}" for name in vars(Tensor)}
    return found | {f"formula.{name}" for space in (arrays, tensors) for name in vars(space)}


def needs(family: str) -> list[str]:
    """The families that a family imports."""
    tree = ast.parse((OPS / f"{family}.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1]
    return [i.module for i in imports if i.module] + [a.name for i in imports if not i.module for a in i.names]


def index() -> str:
    """The text of `ops/index.py`."""
    eager = {Path(module.__file__).stem for name, module in sys.modules.items() if name.startswith("flambeau.ops.") and module.__file__}
    lazy = sorted(path.stem for path in OPS.glob("*.py") if path.stem not in eager | NO_FAMILY)
    found: dict[str, str] = {}

    def visit(family: str) -> None:
        if family in found or family not in lazy:
            return
        found[family] = ""
        for other in needs(family):
            visit(other)
        before = names()
        importlib.import_module(f"flambeau.ops.{family}")
        new = sorted(names() - before)
        wrong = [name for name in new if name.rpartition(".")[2].startswith("__") and name.startswith("Tensor.")]
        if wrong:
            raise SystemExit(f"{family} attaches {wrong}: Python looks special methods up in the class, so it must be imported at once")
        found[family] = " ".join(new)

    for family in lazy:
        visit(family)
    return HEAD + "".join(f"    {family!r}: {text!r},\n".replace("'", '"') for family, text in sorted(found.items()) if text) + "}\n"


if __name__ == "__main__":
    assert ops.__file__
    (OPS / "index.py").write_text("# ruff: noqa: E501\n" + index())
