"""Printing, character for character PyTorch's.

Every case is built from a seed alone. What PyTorch prints for it is stored in `expected/` and rewritten when the tests
run with FLAMBEAU_WRITE_EXPECTATIONS=1 and PyTorch; where PyTorch is installed, it is asked again, and about random cases
too (300 of them, or FLAMBEAU_PRINTING_CASES).
"""

import gzip
import json
import os
import types
import warnings
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.core import dtype as dtypes
from flambeau.core import printing
from flambeau.core.device import CPU, META
from flambeau.tensor import wrap

STORED = Path(__file__).parent / "expected" / "test_printing.json.gz"
WRITE = os.environ.get("FLAMBEAU_WRITE_EXPECTATIONS", "") not in ("", "0")
DTYPES = {d.name: d for d in dtypes.DTYPES}
NODE = "CloneBackward0"


@pytest.fixture(autouse=True)
def restore() -> Any:
    yield
    printing.set_printoptions(profile="default")
    dtypes.set_default_dtype(dtypes.float32)


class Case:
    """An array, the printing options and what else shows in its text."""

    def __init__(
        self,
        array: Any,
        options: dict[str, Any] | None = None,
        default: str = "float32",
        kind: str = "plain",  # or "leaf", "node" (made by clone()), "subclass", "meta"
        contents: str | None = None,
    ) -> None:
        self.array = array
        self.options = options or {}
        self.default = default
        self.kind = kind
        self.contents = contents

    def ours(self) -> str:
        dtypes.set_default_dtype(DTYPES[self.default])
        array = types.SimpleNamespace(shape=self.array.shape, dtype=self.array.dtype) if self.kind == "meta" else self.array
        with printing.printoptions(**self.options):
            text: str = printing.tensor_text(
                array,
                "LongNamedTensor(" if self.kind == "subclass" else "tensor(",
                device=META if self.kind == "meta" else CPU,
                requires_grad=self.kind in ("leaf", "node"),
                grad_fn_name=NODE if self.kind == "node" else None,
                contents=self.contents,
            )
        return text

    def theirs(self, torch: Any) -> str:
        source = np.array(self.array, order="C")
        if source.dtype == ml_dtypes.bfloat16:
            tensor = torch.from_numpy(source.view(np.int16)).view(torch.bfloat16)
        else:
            tensor = torch.from_numpy(source)
        if self.kind == "meta":
            tensor = tensor.to("meta")
        elif self.kind == "subclass":
            tensor = tensor.as_subclass(type("LongNamedTensor", (torch.Tensor,), {}))
        elif self.kind in ("leaf", "node"):
            tensor.requires_grad_()
            if self.kind == "node":
                tensor = tensor.clone()
        torch.set_default_dtype(getattr(torch, self.default))
        torch.set_printoptions(**self.options)
        try:
            return str(tensor.__repr__(tensor_contents=self.contents))
        finally:
            torch.set_printoptions(profile="default")
            torch.set_default_dtype(torch.float32)


def values(rng: np.random.Generator, name: str, shape: tuple[int, ...], manner: int) -> Any:
    """Elements of a dtype, of one of ten manners: small, whole, wide, tiny, huge, with zeros, with nan and inf, ..."""
    numpy = DTYPES[name].numpy
    if name == "bool":
        return rng.random(shape) < (0.5, 0.0, 1.0)[manner % 3]
    if DTYPES[name].kind == 1:
        info = np.iinfo(numpy)
        low, high = [(0, 2), (-9, 10), (-99, 120), (info.min, info.max)][manner % 4]
        return rng.integers(max(low, info.min), min(high, info.max), shape, dtype=numpy)

    def real(manner: int) -> Any:
        x = rng.standard_normal(shape)
        if manner == 1:
            x = np.rint(x * 5)
        elif manner == 2:
            x = x * 10.0 ** rng.integers(-6, 7, shape)
        elif manner == 3:
            x = x * 10.0 ** rng.integers(-7, -2)
        elif manner == 4:
            x = np.rint(x * 10.0 ** rng.integers(1, 12))
        elif manner == 5:
            x = np.where(rng.random(shape) < 0.6, rng.choice([0.0, -0.0]), x)
        elif manner == 6:
            x = np.where(rng.random(shape) < 0.4, rng.choice([np.nan, np.inf, -np.inf], shape), np.rint(x * 30))
        elif manner == 7:
            x = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], shape)
        elif manner == 8:
            x = np.where(rng.random(shape) < 0.2, np.inf, x * 200)
        elif manner == 9:
            x = rng.choice([1e-4, 9.9999e-5, 1e8, 1.0000001e8, 1.0, 1000.0, 1001.0, 0.99995, 0.5, 5e-45, 3e38, 65504.0], shape)
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # values beyond float16's range become inf
        if DTYPES[name].is_complex:
            z = np.empty(shape, numpy)
            z.real, z.imag = real(manner), real(int(rng.integers(10)))
            return z
        return np.asarray(real(manner)).astype(numpy)


def strided(rng: np.random.Generator, array: Any) -> Any:
    """Sometimes the same array seen otherwise: transposed, reversed, every second, broadcast."""
    how = rng.integers(8)
    if array.ndim == 0 or how > 3:
        return array
    if how == 0:
        return array.T
    if how == 1:
        return array[::-1]
    if how == 2:
        return array[..., ::2]
    return np.broadcast_to(array, (2, *array.shape)) if array.ndim < 5 else array


SHAPES = [
    (), (), (1,), (2,), (3,), (5,), (7,), (12,), (40,), (999,), (1000,), (1001,), (5000,), (1, 1), (2, 3), (3, 2), (1, 9), (9, 1),
    (4, 20), (3, 60), (30, 40), (7, 200), (1001, 1), (1, 1001), (2, 2, 2), (3, 1, 4), (1, 3, 30), (10, 12, 11), (2, 600, 3), (2, 1, 2, 3),
    (7, 7, 7, 7), (2, 2, 2, 2, 2), (1, 1, 1, 1, 1, 1), (0,), (0, 3), (3, 0), (2, 0, 2),
]  # fmt: skip

OPTIONS: list[dict[str, Any]] = [
    {"profile": "short"}, {"profile": "full"}, {"sci_mode": True}, {"sci_mode": False}, {"precision": 0}, {"precision": 1},
    {"precision": 8}, {"precision": 12, "sci_mode": True}, {"threshold": 0}, {"threshold": 5, "edgeitems": 1},
    {"threshold": 5, "edgeitems": 0},
    {"threshold": 20, "edgeitems": 2}, {"edgeitems": 0}, {"linewidth": 20}, {"linewidth": 40, "threshold": 30}, {"linewidth": 1},
    {"linewidth": 200},
    {"linewidth": 33.5}, {"profile": "short", "precision": 6, "linewidth": 60}, {"profile": "no such", "threshold": 8},
]  # fmt: skip


def random_case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(DTYPES)))
    if rng.random() < 0.4:
        name = "float32"
    shape = SHAPES[rng.integers(len(SHAPES))]
    options = OPTIONS[rng.integers(len(OPTIONS))] if rng.random() < 0.5 else {}
    if options.get("profile") == "full" and np.prod(shape) > 1300:
        options = {}
    array = strided(rng, values(rng, name, shape, int(rng.integers(10))))
    kind = str(rng.choice(["plain", "plain", "plain", "leaf", "node", "subclass", "meta"]))
    if kind in ("leaf", "node") and DTYPES[name].kind < 2:
        kind = "plain"
    default = str(rng.choice(["float32", "float32", "float32", "float64", "float16", "bfloat16"]))
    return Case(array, options, default, kind)


def f32(*numbers: float) -> Any:
    return np.array(numbers, np.float32)


def cases() -> dict[str, Case]:
    """The stored cases by name."""
    rng = np.random.default_rng(0)
    found: dict[str, Case] = {}
    shape: tuple[int, ...]
    for name in DTYPES:
        for manner in range(10 if DTYPES[name].kind > 1 else 4):
            for shape in ((), (6,), (2, 3)):
                found[f"{name} {shape} manner {manner}"] = Case(values(rng, name, shape, manner))
        for shape in ((0,), (0, 3), (2, 0, 1)):
            found[f"{name} empty {shape}"] = Case(np.empty(shape, DTYPES[name].numpy))
        for kind in ("plain", "meta", "subclass"):
            for default in ("float64", "bfloat16"):
                found[f"{name} {kind} default {default}"] = Case(values(rng, name, (3,), 0), default=default, kind=kind)
        found[f"{name} summary"] = Case(values(rng, name, (30, 40), 0))
        found[f"{name} extremes"] = Case(extremes(name))
    for i, options in enumerate(OPTIONS):
        for shape in ((), (9,), (4, 9), (8, 3, 2)):
            for name in ("float32", "int64", "complex64"):
                found[f"{name} {shape} options {i}"] = Case(values(rng, name, shape, 0), options)
    for shape in SHAPES:
        found[f"shape {shape}"] = Case(values(rng, "float32", shape, 0))
        found[f"shape {shape} leaf"] = Case(values(rng, "float64", shape, 8), kind="leaf")
    for length in range(1, 24):  # the suffixes cross the right margin one by one
        for kind in ("leaf", "node", "subclass"):
            found[f"wrapping {length} {kind}"] = Case(np.arange(length).astype(np.float16), kind=kind)
    for i, array in enumerate(
        [
            f32(1), f32(-0.0), f32(-0.0, 1.5), f32(-0.0, 2), f32(0, 0), f32(np.nan), f32(np.nan, 0), f32(np.inf, -np.inf),
            f32(1, np.nan, -np.inf), f32(1e-5), f32(1e-4), f32(9.9e-5, 0), f32(1e8), f32(1.1e8), f32(99999999, 1e8), f32(1, 1000),
            f32(1, 1001), f32(0.5, 500), f32(0.5, 500.5), f32(1e-45), f32(3.4e38), f32(3.4e38, 1e-45), f32(123456.789), f32(0.99999),
            f32(9.99995), f32(1e9, np.nan), f32(1.5, np.nan, np.inf),
            np.array([1e308, 1e-308]), np.array([5e-324]), np.array([2**53 + 2.0]), np.array(1 / 3), np.array([1e100, 1e99]),
            np.array([1 + 2j, -1.5 - 0.25j]), np.array(complex(0, -0.0)), np.array([complex(np.nan, -np.inf), 1j]),
            np.array([complex(-0.0, np.nan)]),
            np.array([1e10 + 1e-10j, 3 + 1j], np.complex64), np.array([[1 + 1j] * 12] * 2, np.complex64), np.array([True]), np.array(False),
        ]
    ):  # fmt: skip
        found[f"special {i}"] = Case(array)
    for contents in ("", "abc", "one\ntwo", "x" * 70):
        found[f"contents {contents}"] = Case(f32(1, 2), contents=contents, kind="node")
        found[f"contents {contents} empty"] = Case(np.empty((0, 2), np.int32), contents=contents)
        found[f"contents {contents} meta"] = Case(np.empty((0, 2), np.int32), contents=contents, kind="meta")
    for edgeitems in (-1, -2):
        found[f"edgeitems {edgeitems}"] = Case(f32(0, 1, 2, 3, 4), {"edgeitems": edgeitems, "threshold": 3})
    for seed in range(120):
        found[f"random {seed}"] = random_case(seed)
    return found


def extremes(name: str) -> Any:
    d = DTYPES[name]
    if d.kind == 0:
        return np.array([True, False])
    if d.kind == 1:
        return np.array([np.iinfo(d.numpy).min, np.iinfo(d.numpy).max, 0], d.numpy)
    info: Any = ml_dtypes.finfo(d.to_real().numpy)
    return np.array([info.min, info.max, info.tiny, info.eps], d.numpy)


CASES = cases()


def real_torch() -> Any:
    """PyTorch, in the version that the expectations are from; else the test is skipped."""
    torch = pytest.importorskip("torch")
    version = json.loads(gzip.decompress(STORED.read_bytes()))["torch"] if STORED.exists() else torch.__version__
    if torch.__version__.split("+")[0] != version.split("+")[0]:
        pytest.skip(f"expectations are from PyTorch {version}")
    return torch


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    if WRITE:
        import torch

        texts = {name: case.theirs(torch) for name, case in CASES.items()}
        content = json.dumps({"torch": torch.__version__, "texts": texts}, indent=0)
        STORED.parent.mkdir(exist_ok=True)
        STORED.write_bytes(gzip.compress(content.encode(), 9, mtime=0))
    assert STORED.stat().st_size < 200_000
    stored: dict[str, str] = json.loads(gzip.decompress(STORED.read_bytes()))["texts"]
    return stored


def test_expectations_are_complete(expected: dict[str, str]) -> None:
    assert list(expected) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_stored(name: str, expected: dict[str, str]) -> None:
    assert CASES[name].ours() == expected[name]


def test_stored_is_what_torch_prints(expected: dict[str, str]) -> None:
    torch = real_torch()
    assert {name: case.theirs(torch) for name, case in CASES.items()} == expected


def test_random_against_torch() -> None:
    torch = real_torch()
    count = int(os.environ.get("FLAMBEAU_PRINTING_CASES", "300"))
    for seed in range(1000, 1000 + count):
        case = random_case(seed)
        assert case.ours() == case.theirs(torch), f"seed {seed}"


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.floats(width=64), min_size=1, max_size=30), st.sampled_from(["float64", "float32", "bfloat16", "float16"]))
def test_any_floats_against_torch(numbers: list[float], name: str) -> None:
    torch = real_torch()
    with np.errstate(all="ignore"):
        case = Case(np.array(numbers).astype(DTYPES[name].numpy))
    assert case.ours() == case.theirs(torch)


def test_a_summary_reads_only_what_it_shows() -> None:
    rows = np.broadcast_to(np.arange(1_000_000, dtype=np.float32), (1_000_000, 1_000_000))  # 4 TB if it were copied
    line = "[0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.0000e+06, 1.0000e+06,\n         1.0000e+06]"
    assert printing.tensor_text(rows) == "tensor([" + ",\n        ".join([line] * 3 + ["..."] + [line] * 3) + "])"


def test_signalling_nan_prints_without_a_warning() -> None:
    array = np.array([0x7F800001], np.uint32).view(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert printing.tensor_text(array) == "tensor([nan])"


def test_profiles_and_options() -> None:
    default = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
    assert printing.get_printoptions() == default
    assert list(printing.get_printoptions()) == list(default)
    printing.set_printoptions(profile="short")
    assert printing.get_printoptions() == {**default, "precision": 2, "edgeitems": 2}
    printing.set_printoptions(profile="full", precision=7)
    assert printing.get_printoptions() == {**default, "precision": 7, "threshold": float("inf")}
    printing.set_printoptions(linewidth=100, sci_mode=True)
    assert printing.get_printoptions() == {**default, "precision": 7, "threshold": float("inf"), "linewidth": 100, "sci_mode": True}
    printing.set_printoptions(threshold=10)  # sci_mode goes back to automatic, the rest stays
    assert printing.get_printoptions() == {**default, "precision": 7, "threshold": 10, "linewidth": 100}
    printing.set_printoptions(profile="default")
    assert printing.get_printoptions() == default


def test_options_return_after_the_context_and_after_an_error() -> None:
    printing.set_printoptions(precision=3, sci_mode=False)
    before = printing.get_printoptions()
    with pytest.raises(KeyError), printing.printoptions(precision=9, linewidth=20):
        assert printing.get_printoptions() == {**before, "precision": 9, "linewidth": 20, "sci_mode": None}
        raise KeyError
    assert printing.get_printoptions() == before
    with pytest.raises(TypeError, match="unexpected keyword argument 'digits'"), printing.printoptions(digits=3):
        pass


@pytest.mark.parametrize(
    ("options", "shape", "error", "message"),
    [
        ({"precision": -1}, (3,), ValueError, "Format specifier missing precision"),
        ({"precision": 2.0}, (3,), ValueError, "Invalid format specifier"),
        ({"edgeitems": 2.5, "threshold": 1}, (9,), TypeError, "slice indices must be integers or None or have an __index__ method"),
        ({"edgeitems": -1, "threshold": 1}, (3, 4), RuntimeError, "stack expects a non-empty TensorList"),
        ({"linewidth": float("inf")}, (3,), OverflowError, "cannot convert float infinity to integer"),
        ({"threshold": "a"}, (3,), TypeError, "'>' not supported between instances of 'int' and 'str'"),
    ],
)
def test_bad_options(options: dict[str, Any], shape: tuple[int, ...], error: type[Exception], message: str) -> None:
    case = Case(np.full(shape, 1.5, np.float32), options)
    with pytest.raises(error) as ours:
        case.ours()
    assert message in str(ours.value)


def test_bad_options_against_torch() -> None:
    torch = real_torch()
    mark = next(m for m in test_bad_options.pytestmark if m.name == "parametrize")
    for options, shape, error, message in mark.args[1]:
        with pytest.raises(error) as theirs:
            Case(np.full(shape, 1.5, np.float32), options).theirs(torch)
        assert message in str(theirs.value)


FORMATS = [
    ("float32", 0.1, "", "0.10000000149011612"), ("float32", 0.1, ".3f", "0.100"), ("float64", 1e22, ",", "1e+22"),
    ("float16", 0.1, "8.2e", "1.00e-01"),
    ("bfloat16", 0.1, ".4f", "0.1001"), ("int64", 12345678, ",", "12,345,678"), ("uint8", 255, "x", "ff"), ("bool", True, "", "True"),
    ("bool", True, "d", "1"), ("complex64", 1 + 2j, ".1f", "1.0+2.0j"), ("float32", float("nan"), "6", "   nan"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "number", "spec", "text"), FORMATS)
def test_format_of_one_element(name: str, number: Any, spec: str, text: str) -> None:
    assert format(wrap(np.array(number, DTYPES[name].numpy)), spec) == text


def test_format_of_one_element_against_torch() -> None:
    torch = real_torch()
    for name, number, spec, text in FORMATS:
        assert format(torch.tensor(number, dtype=getattr(torch, name)), spec) == text


def test_format_of_one_element_raises_as_the_python_number() -> None:
    with pytest.raises(ValueError, match="Unknown format code 'd' for object of type 'float'"):
        format(wrap(np.array(1.5, np.float32)), "d")
