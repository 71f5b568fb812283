"""`torch.__version__` compares as in PyTorch."""

import operator

import pytest

from harness import parity

OPERATORS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
VERSIONS = [
    "2.13.0+cpu",
    "2.13.0",
    "2.13",
    "2.14.0a0+git1",
    "2.13.1rc2",
    "2.13.0.post1",
    "2.13.0.dev3",
    "1!1.0",
    "2.9",
    "nonsense",
    "2.13.0+cu130",
]


@pytest.mark.parametrize("version", VERSIONS)
@parity
def test_comparisons(torch, version):
    given = type(torch.__version__)(version)
    others = [*VERSIONS, (2, 13), (2, 13, 0), (2,), (2, 14), [2, 12], (1, 10, "a0")]
    compared = [
        [f(given, other) for f in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)] for other in others
    ]
    return compared, [given == 3, given != None, given >= (2, 13)]  # noqa: E711


@parity
def test_it_is_a_string(torch):
    version = torch.__version__
    return isinstance(version, str), repr(version), version.split("+"), hash(version) == hash("2.13.0+cpu"), type(version).__name__


@parity(message="not supported between instances")
def test_no_version(torch):
    return torch.__version__ < 3
