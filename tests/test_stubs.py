"""The type stubs say what the operators' definitions attach."""

import json

import pytest

from harness import ROOT, run_python

pytest.importorskip("ruff")

NAMES = ["tensor.pyi", "__init__.pyi", "nn/functional.pyi", "nn/__init__.pyi", "nn/modules/__init__.pyi", "nn/utils/__init__.pyi",
         "optim/__init__.pyi"]  # fmt: skip


@pytest.fixture(scope="module")
def written():
    """What `make stubs` would write, in a process of its own: the tests of others may have attached things here."""
    source = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import stubs, json;"
        "print(json.dumps({p.relative_to(stubs.PACKAGE).as_posix(): t for p, t in stubs.stubs().items()}))"
    )
    return json.loads(run_python("-c", source).stdout)


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_not_stale(written, name):
    assert (ROOT / "src" / "flambeau" / name).read_text() == written[name], "run make stubs"


def test_every_method_is_in_the_stub(written):
    from flambeau.tensor import Tensor

    for name in vars(Tensor):
        if not name.startswith("_"):
            assert f" {name}" in written["tensor.pyi"]
