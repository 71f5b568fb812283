"""Families imported on demand: the index says what they attach, and nothing tells them from the others."""

import pytest

from harness import ROOT, run_python


def run(code):
    return run_python("-c", code).stdout


def test_the_index_is_fresh():
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import index; from flambeau.ops.index import INDEX; scope = dict()"
    code += "; exec(index.index(), scope); print(scope['INDEX'] == INDEX)"
    assert run(code) == "True\n", "run `make stubs`"


@pytest.mark.parametrize(
    "expression, family",
    [
        ("torch.conv2d", "convolution"),
        ("torch.nn.functional.max_pool2d", "pooling"),
        ("torch.eye(2).cholesky()", "solving"),
        ("torch.Tensor.det", "solving"),
        ("torch.fft.fft", "spectral"),
        ("hasattr(torch.ones(3), 'cumsum')", "scan"),
    ],
)
def test_a_name_brings_its_family(expression, family):
    code = f"import sys, flambeau as torch; before = 'flambeau.ops.{family}' in sys.modules; {expression}"
    assert run(code + f"; print(before, 'flambeau.ops.{family}' in sys.modules)") == "False True\n"


def test_what_there_is_not():
    code = "import flambeau as torch; print(*(hasattr(x, 'nonsense') for x in (torch, torch.ones(1), torch.Tensor)))"
    assert run(code) == "False False False\n"
