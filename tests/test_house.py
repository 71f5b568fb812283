"""The rules of the house that a program can check: floors, circles, what importing costs, what a file may hold."""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from harness import ROOT, run_python

PACKAGE = ROOT / "src" / "flambeau"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = {"core": 1, "kernels": 2, "autograd": 3, "tensor": 3, "ops": 4}
HEAVY = ["asyncio", "concurrent", "dataclasses", "inspect", "multiprocessing", "scipy", "subprocess", "tempfile", "unittest", "zipfile"]


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def floor(module):
    parts = module.split(".")
    return FLOORS.get(parts[1], 5) if len(parts) > 1 else 5


@cache
def imports(path):
    """The modules of the package that a file imports while it is itself imported."""
    package = name_of(path).split(".") if path.stem == "__init__" else name_of(path).split(".")[:-1]
    found = set()

    def visit(body):
        for node in body:
            if isinstance(node, ast.ImportFrom) and node.level:
                base = ".".join(package[: len(package) - node.level + 1] + ([node.module] if node.module else []))
                for alias in node.names:
                    found.add(f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                visit(node.orelse)
            elif isinstance(node, (ast.If, ast.Try, ast.With)):
                visit(node.body)
                visit(getattr(node, "orelse", []))
                for handler in getattr(node, "handlers", []):
                    visit(handler.body)

    visit(ast.parse(path.read_text()).body)
    return found - {name_of(path)}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_from_its_own_floor_and_below(path):
    module = name_of(path)
    if floor(module) < 5:
        assert not [other for other in imports(path) if floor(other) > floor(module)]


def test_nothing_imports_in_a_circle():
    graph = {
        name: {other for other in imports(path) if other in MODULES and other != name.rpartition(".")[0]} for name, path in MODULES.items()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]), pytrace=False)


def test_importing_is_light():
    done = run_python(
        "-c",
        f"import sys, numpy; before = set(sys.modules); import flambeau; print([n for n in {HEAVY} if n in set(sys.modules) - before])",
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_ascii_and_not_too_long(path):
    text = path.read_text()
    assert text.isascii()
    assert text.count("\n") <= 1000


@pytest.mark.parametrize("path", [path for path in FILES if "ops" in path.parts], ids=name_of)
def test_operators_use_numpy_for_views_alone(path):
    """Memory is allocated and computed on by what kernels/ hands out."""
    calls = set(re.findall(r"\bnp\.(\w+)\(", path.read_text()))
    assert calls <= VIEWS


VIEWS = {"broadcast_to", "moveaxis", "swapaxes", "expand_dims", "transpose", "ndarray", "dtype", "may_share_memory", "shares_memory"}


def test_the_package_shows_pytorchs_names_alone():
    """`hasattr(torch, name)` is how programs ask what there is."""
    source = (
        "import flambeau; from flambeau.core.missing import torch_names;"
        "print(*sorted(n for n in vars(flambeau) if not n.startswith('_') and n not in torch_names()['torch']))"
    )
    assert set(run_python("-c", source).stdout.split()) <= {"alias", "alias_torch", "autograd", "cli", "core", "kernels", "ops", "tensor"}
