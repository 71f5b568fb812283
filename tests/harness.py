"""Comparison with PyTorch: rows of (expression, samples), checked forward and backward.

A test file holds rows and one line that turns them into tests, one test per row:

    from harness import Row, rows, randn, rand, randint, value

    test_arithmetic = rows(
        Row("torch.add(a, b, alpha=2)", a=randn(3, 4), b=randn(4), grad=True),
        Row("a / 0", a=randint(-3, 4, (5,))),
        Row("torch.max(a, dim=1)", a=randn(3, 4), grad=2),                        # named tuple: field names are compared
        Row("x.view(5)", x=randn(2, 3)),                                          # PyTorch raises: so must we, same type and message
        Row("y = x.clone(); y[0] = 5; y * x", x=randn(3), grad=True),             # statements, then the expression that counts
        Row("torch.sin(x)", x=randn(3), dtypes="float16 bfloat16 int64 complex64"),  # one test for each dtype
        Row("torch.manual_seed(3); torch.randn(5)", exact=True),                  # bit for bit
    )

Whole programs are functions of `torch`; what they return is compared (tensors, numbers, strings, lists, tuples, dicts, any nesting):

    @parity
    def test_training(torch):
        model = torch.nn.Linear(2, 1)
        ...
        return losses, model.state_dict(), repr(model)

`@parity` goes together with `pytest.mark.parametrize` (put it below the mark) and fixtures such as `tmp_path`; it takes a row's options.
In rows, `torch`, `F` (torch.nn.functional), `nn`, `np` and `math` are there; every other name is a sample or any Python value, or a
list of such. `torch.manual_seed(0)` precedes every row and every `@parity` function.

Options of a row:
    grad       True: gradients of all floating-point samples, for fixed random cotangents; None gradients must be None, too.
               2: also the second derivatives. Gradients are taken over arrays and with create_graph=True, and both must agree.
    gradgrad   True: also flambeau's own gradgradcheck (float64 samples).
    dtypes     a string of dtype names: one test each; the samples without a dtype of their own take it.
    name       the test's id; by default the expression.
    exact      values must be equal, not close.
    rtol, atol tolerances in place of those of torch.testing.assert_close.
    strides    True: strides and storage offset of results are compared.
    grad_fn    False: the name of `grad_fn` is not compared.
    message    a regular expression that both messages must match, where they cannot be the same.
    warns      True: the warnings are compared (category and first line).

Samples are made with NumPy from a seed that depends on the row and the sample's name alone. `randn(3, 4)`, `rand(3, low=, high=)`,
`randint(low, high, shape)`, `bools(3)`, `distinct(3, 4)` (no ties), `value([1., 2.])`; all take `dtype="float64"`. A sample has
`.T` (transposed memory), `.strided` (every second element), `.expanded(n)` (a stride-0 first dim), `.nograd`.

PyTorch's answers lie in `expected/<test file>.json.gz` beside the test file, with PyTorch's version, so that the tests need no PyTorch.
A row without an answer there is compared with the installed PyTorch; it fails if there is none. `make expectations` rewrites them:

    FLAMBEAU_WRITE_EXPECTATIONS=1 python -m pytest tests/ops/test_pointwise.py     writes that file, and compares
    FLAMBEAU_LIVE=1 python -m pytest tests                                         compares with the installed PyTorch, stored answers too
"""

import ast
import base64
import copy
import gzip
import inspect
import json
import math
import os
import re
import subprocess
import sys
import textwrap
import warnings
import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Callable

import ml_dtypes
import numpy as np
import pytest
from flambeau.tensor import wrap

import flambeau

ROOT = Path(__file__).resolve().parent.parent
WRITE = os.environ.get("FLAMBEAU_WRITE_EXPECTATIONS", "") not in ("", "0")
LIVE = os.environ.get("FLAMBEAU_LIVE", "") not in ("", "0")
VERSION = "2.13.0"
FULL = 256
"""Results of more elements than this are stored as samples and projections."""

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}

# ---------------------------------------------------------------------------------------------------------------- samples


@dataclass(frozen=True)
class Sample:
    """A recipe for an array: `make(seed, dtype)` gives it."""

    draw: Callable[[np.random.RandomState], Any]
    text: str
    dtype: str | None = None
    layout: str = ""
    grad: bool = True

    @property
    def T(self) -> "Sample":
        """The same shape as without, its memory in the reverse order of dims."""
        return replace(self, layout="T")

    @property
    def strided(self) -> "Sample":
        """The same shape, every second element of a longer last dim."""
        return replace(self, layout="strided")

    def expanded(self, size: int) -> "Sample":
        """A new first dim of `size` with stride 0."""
        return replace(self, layout=f"expanded{size}", grad=False)

    @property
    def nograd(self) -> "Sample":
        """No gradient is asked for."""
        return replace(self, grad=False)

    def make(self, seed: int, default: str) -> np.ndarray:
        drawn = np.asarray(self.draw(np.random.RandomState(seed)))
        array = cast(drawn, self.dtype or (default if drawn.dtype == np.float64 else str(drawn.dtype)))
        if self.layout == "T":
            array = array.T.copy().T
        elif self.layout == "strided":
            wide = np.zeros(array.shape[:-1] + (2 * array.shape[-1],), array.dtype)
            wide[..., ::2] = array
            array = wide[..., ::2]
        elif self.layout:
            array = np.broadcast_to(array, (int(self.layout[8:]), *array.shape))
        return array

    def signature(self) -> str:
        return f"{self.text}:{self.dtype}:{self.layout}:{self.grad}"


def cast(array: np.ndarray, dtype: str) -> np.ndarray:
    """`array` in another dtype; random reals spread to whole numbers, signs, imaginary parts as the dtype asks."""
    if dtype == "bool":
        return array > 0
    target = BFLOAT16 if dtype == "bfloat16" else np.dtype(dtype)
    if array.dtype.kind == "f" and target.kind in "iu":
        array = np.round(array * 3)
        array = np.abs(array) if target.kind == "u" else array
    if target.kind == "c" and array.dtype.kind != "c":
        array = array + 1j * np.flip(array)
    return np.ascontiguousarray(array.astype(target)).reshape(array.shape)


def randn(*shape: int, dtype: str | None = None, scale: float = 1.0) -> Sample:
    """Normally distributed."""
    return Sample(lambda rng: rng.standard_normal(shape) * scale, f"randn{shape}{scale}", dtype)


def rand(*shape: int, low: float = 0.0, high: float = 1.0, dtype: str | None = None) -> Sample:
    """Uniform in [low, high)."""
    return Sample(lambda rng: rng.uniform(low, high, shape), f"rand{shape}{low}{high}", dtype)


def randint(low: int, high: int, shape: tuple[int, ...], dtype: str | None = "int64") -> Sample:
    """Whole numbers in [low, high); int64 unless another dtype is named."""
    return Sample(lambda rng: rng.randint(low, high, shape), f"randint{low}{high}{shape}", dtype)


def bools(*shape: int) -> Sample:
    """True or False."""
    return Sample(lambda rng: rng.standard_normal(shape) > 0, f"bools{shape}", "bool")


def distinct(*shape: int, dtype: str | None = None) -> Sample:
    """A permutation of evenly spaced numbers around zero, for maxima and sorting without ties."""
    size = math.prod(shape)
    return Sample(lambda rng: (rng.permutation(size).reshape(shape) - size / 2 + 0.25) * 0.5, f"distinct{shape}", dtype)


def value(data: Any, dtype: str | None = None) -> Sample:
    """Exactly these numbers (float32 unless a dtype is named or they are integers or booleans)."""
    return Sample(lambda rng: np.array(data), f"value{data}", dtype)


# ------------------------------------------------------------------------------------------------------------------- rows


@dataclass
class Row:
    """One expression, its samples and what is compared. The options are described at the top of this file."""

    expression: str
    samples: dict[str, Any] = field(default_factory=dict)
    grad: int = False
    gradgrad: bool = False
    dtypes: str = ""
    name: str = ""
    exact: bool = False
    rtol: float | None = None
    atol: float | None = None
    strides: bool = False
    grad_fn: bool = True
    message: str | None = None
    warns: bool = False
    dtype: str = "float32"

    def __init__(self, expression: str, **arguments: Any) -> None:
        self.expression = textwrap.dedent(expression).strip()
        self.samples = {}
        options = {name for name in type(self).__dataclass_fields__ if name not in ("expression", "samples")}
        for name, argument in arguments.items():
            if name in options:
                setattr(self, name, argument)
            else:
                self.samples[name] = argument
        if self.gradgrad:
            self.dtype = "float64"

    @property
    def id(self) -> str:
        text = self.name or re.sub(r"\s+", " ", self.expression)[:70]
        return text + (f" {self.dtype}" if self.dtypes else "")

    @cached_property
    def key(self) -> str:
        """The name of the stored answer: it changes with the expression and with the samples."""
        parts = [f"{name}={signature(sample)}" for name, sample in self.samples.items()]
        text = "|".join([self.expression, self.dtype, str(int(self.grad)), str(self.strides), str(self.warns), *parts])
        return f"{self.id}#{zlib.crc32(text.encode()):08x}"

    def expand(self) -> list["Row"]:
        """One row for each of its dtypes."""
        if not self.dtypes:
            return [self]
        expanded = []
        for name in self.dtypes.split():
            row = copy.copy(self)
            row.dtype = name
            expanded.append(row)
        return expanded

    def tolerance(self, dtype: str) -> tuple[float, float]:
        if self.exact:
            return 0.0, 0.0
        rtol, atol = TOLERANCES.get(dtype, (0.0, 0.0))
        return (rtol if self.rtol is None else self.rtol), (atol if self.atol is None else self.atol)


def signature(sample: Any) -> str:
    if isinstance(sample, Sample):
        return sample.signature()
    if isinstance(sample, (list, tuple)):
        return "[" + ",".join(map(signature, sample)) + "]"
    return repr(sample)


def seed_of(row: Row, name: str) -> int:
    return zlib.crc32(f"{row.expression} {name}".encode())


def rows(*given: Row) -> Any:
    """The rows as one parametrised test function; assign it to a name that begins with `test`."""
    home = Expectations.of(inspect.stack()[1].filename)
    expanded = [row for each in given for row in each.expand()]

    @pytest.mark.parametrize("row", expanded, ids=[row.id for row in expanded])
    def test(row: Row) -> None:
        check_row(row, home)

    return test


def check_row(row: Row, home: "Expectations") -> None:
    """Compares flambeau's answer to the row with PyTorch's."""
    expected = home.answer(row.key, lambda torch: evaluate(torch, row), row)
    ours = evaluate(flambeau, row)
    compare(ours, expected, row)
    if row.grad and "grads" in ours:
        check_double_backward(row, ours["grads"])


def check_double_backward(row: Row, grads: Any = None) -> None:
    """A row's gradients over arrays and over Tensors (create_graph=True) agree; gradgradcheck where the row asks for it."""
    if grads is None:
        grads = evaluate(flambeau, row)["grads"]
    compare(evaluate(flambeau, row, create_graph=True), {"grads": grads}, row, "with create_graph=True: ")
    if row.gradgrad:
        inputs: dict[str, Any] = {}
        namespace = bind(flambeau, row, inputs)
        leaves = list(inputs.values())
        code = compile_row(row.expression)

        def function(*arguments: Any) -> Any:
            swap = {id(old): new for old, new in zip(leaves, arguments)}
            local = {name: replace_leaves(entry, swap) for name, entry in namespace.items()}
            out = flatten(run(code, local))
            return tuple(t for t in out if is_tensor(t) and t.requires_grad)

        assert flambeau.autograd.gradgradcheck(function, leaves)


def replace_leaves(entry: Any, swap: dict[int, Any]) -> Any:
    if isinstance(entry, (list, tuple)):
        return type(entry)(replace_leaves(each, swap) for each in entry)
    return swap.get(id(entry), entry)


def parity(function: Any = None, **options: Any) -> Any:
    """Decorator: the function runs with flambeau as `torch`, and what it returns is compared with PyTorch's.

    `@parity(exact=True, rtol=1e-4)`: options as of a row (exact, rtol, atol, strides, grad_fn, message, warns).
    """
    if function is None:
        return lambda inner: make_parity(inner, Row(inner.__name__, **options))
    return make_parity(function, Row(function.__name__))


def make_parity(function: Any, row: Row) -> Any:
    home = Expectations.of(inspect.getsourcefile(function) or "")
    parameters = list(inspect.signature(function).parameters.values())
    assert parameters and parameters[0].name == "torch", "the first parameter of a @parity function is `torch`"

    def test(request: Any, **arguments: Any) -> None:
        def answer(torch: Any) -> Any:
            return guarded(torch, row, lambda: {"result": describe(function(torch, **arguments), torch, row)})

        expected = home.answer(request.node.name, answer, row)
        compare(answer(flambeau), expected, row)

    request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY)
    rest = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters[1:]]
    test.__signature__ = inspect.Signature([request, *rest])  # type: ignore[attr-defined]
    test.__name__ = function.__name__
    test.__doc__ = function.__doc__
    test.__module__ = function.__module__
    return test


# ------------------------------------------------------------------------------------------------------------- evaluation


def compile_row(expression: str) -> tuple[Any, Any]:
    """The statements before the last expression, and that expression."""
    tree = ast.parse(expression)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr), f"a row ends with an expression: {expression}"
    return compile(tree, "<row>", "exec"), compile(ast.Expression(last.value), "<row>", "eval")


def run(code: tuple[Any, Any], namespace: dict[str, Any]) -> Any:
    exec(code[0], namespace)
    return eval(code[1], namespace)


def is_tensor(candidate: Any) -> bool:
    return hasattr(candidate, "requires_grad") and hasattr(candidate, "detach")


def is_ours(torch: Any) -> bool:
    return torch is flambeau


def to_tensor(torch: Any, array: np.ndarray) -> Any:
    if is_ours(torch):
        return wrap(array)
    if not array.flags.writeable:
        tensor = torch.from_numpy(array[0].copy() if array.dtype != BFLOAT16 else array[0].copy().view(np.int16))
        tensor = tensor.expand(array.shape)
        return tensor.view(torch.bfloat16) if array.dtype == BFLOAT16 else tensor
    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_numpy(tensor: Any) -> np.ndarray | None:
    """The tensor's numbers, copied; None where it has none (meta)."""
    if str(tensor.device) == "meta":
        return None
    if hasattr(tensor, "_array"):
        return np.array(tensor._array, order="C")
    if tensor.layout.__str__() != "torch.strided":
        tensor = tensor.to_dense()
    tensor = tensor.detach().clone().resolve_conj().resolve_neg().contiguous()
    import torch

    if tensor.dtype == torch.bfloat16:
        return np.array(tensor.view(torch.int16).numpy()).view(BFLOAT16)
    return np.array(tensor.numpy())


def bind(torch: Any, row: Row, inputs: dict[str, Any]) -> dict[str, Any]:
    """The names an expression sees; those samples whose gradients are wanted are put into `inputs`."""

    def make(name: str, sample: Any) -> Any:
        if isinstance(sample, (list, tuple)):
            return type(sample)(make(f"{name}[{number}]", each) for number, each in enumerate(sample))
        if not isinstance(sample, Sample):
            return sample
        tensor = to_tensor(torch, sample.make(seed_of(row, name), row.dtype))
        if row.grad and sample.grad and (tensor.dtype.is_floating_point or tensor.dtype.is_complex):
            tensor.requires_grad_(True)
            inputs[name] = tensor
        return tensor

    if hasattr(torch, "manual_seed"):
        torch.manual_seed(0)
    namespace = {"torch": torch, "np": np, "math": math, "__name__": "__row__"}
    if hasattr(torch, "nn"):
        namespace.update(nn=torch.nn, F=torch.nn.functional)
    namespace.update((name, make(name, sample)) for name, sample in row.samples.items())
    return namespace


def guarded(torch: Any, row: Row, action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The action's answer with its exception and warnings in it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if hasattr(torch, "manual_seed"):
            torch.manual_seed(0)
        try:
            answer = action()
        except Exception as error:
            if is_ours(torch):
                answer = {"raises": type(error).__name__, "message": clean(str(error)), "error": error}
            else:
                answer = {"raises": type(error).__name__, "message": clean(str(error))}
    if row.warns:
        answer["warnings"] = [f"{w.category.__name__}: {clean(str(w.message)).splitlines()[0]}" for w in caught]
    elif is_ours(torch):
        for w in caught:
            assert not issubclass(w.category, RuntimeWarning), (
                f"flambeau warns where PyTorch does not: {w.message} ({w.filename}:{w.lineno})"
            )
    return answer


def clean(message: str) -> str:
    """A message without what differs from run to run."""
    message = message.split("\nException raised from")[0]
    message = re.sub(r" ?\(Triggered internally at .*\)", "", message)
    return re.sub(r"0x[0-9a-f]{4,}", "0x...", message).strip()


def evaluate(torch: Any, row: Row, create_graph: bool = False) -> dict[str, Any]:
    """What the row gives under `torch`: its result and gradients, or its exception."""

    def action() -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        namespace = bind(torch, row, inputs)
        out = run(compile_row(row.expression), namespace)
        answer = {"result": describe(out, torch, row)}
        if row.grad:
            answer["grads"], first = gradients(torch, row, out, inputs, create_graph or row.grad > 1, "cotangent")
            if row.grad > 1 and not create_graph:
                answer["grads2"], _ = gradients(torch, row, first, inputs, False, "second cotangent")
                if is_ours(torch):  # the plain gradients: over arrays, not over Tensors
                    out = run(compile_row(row.expression), bind(torch, row, inputs := {}))
                    answer["grads"], _ = gradients(torch, row, out, inputs, False, "cotangent")
        return answer

    return guarded(torch, row, action)


def gradients(torch: Any, row: Row, out: Any, inputs: dict[str, Any], create_graph: bool, name: str) -> tuple[dict[str, Any], list[Any]]:
    """Gradients of all inputs for fixed cotangents: described, and as tensors."""
    outs = [t for t in flatten(out) if is_tensor(t) and t.requires_grad]
    if not outs:
        return dict.fromkeys(inputs), []
    cotangents = []
    for number, t in enumerate(outs):
        dtype = str(t.dtype).removeprefix("torch.")
        array = cast(np.random.RandomState(seed_of(row, f"{name} {number}")).standard_normal(tuple(t.shape)), dtype)
        cotangents.append(to_tensor(torch, array))
    grads = torch.autograd.grad(outs, list(inputs.values()), cotangents, create_graph=create_graph, allow_unused=True)
    plain = Row(row.expression, grad_fn=False)
    described = {}
    for key, grad in zip(inputs, grads):
        tree = described[key] = None if grad is None else describe(grad, torch, plain)
        if tree is not None:
            tree.pop("requires_grad")
    return described, [grad for grad in grads if grad is not None]


def flatten(entry: Any) -> list[Any]:
    if isinstance(entry, dict):
        entry = list(entry.values())
    if isinstance(entry, (list, tuple)):
        return [leaf for each in entry for leaf in flatten(each)]
    return [entry]


def describe(entry: Any, torch: Any, row: Row) -> Any:
    """A result as plain data: dicts with a `kind`; tensors with their numbers as arrays."""
    if entry is None or isinstance(entry, (bool, int, str)) and type(entry) in (bool, int, str):
        return entry
    if isinstance(entry, (float, complex)):
        return {"kind": type(entry).__name__, "number": str(entry)}
    if is_tensor(entry) and not isinstance(entry, type):
        tree: dict[str, Any] = {
            "kind": "tensor",
            "dtype": str(entry.dtype),
            "shape": list(entry.shape),
            "requires_grad": entry.requires_grad,
        }
        if type(entry).__name__ != "Tensor":
            tree["class"] = type(entry).__name__
        if str(entry.device) != "cpu":
            tree["device"] = str(entry.device)
        if row.grad_fn and entry.grad_fn is not None:
            tree["grad_fn"] = entry.grad_fn.name()
        if row.strides:
            tree["strides"] = [*entry.stride(), entry.storage_offset()]
        tree["array"] = to_numpy(entry)
        return tree
    if isinstance(entry, np.ndarray):
        return {"kind": "ndarray", "dtype": str(entry.dtype), "shape": list(entry.shape), "array": np.array(entry, order="C")}
    if isinstance(entry, np.generic):
        return {"kind": "numpy scalar", "dtype": str(entry.dtype), "shape": [], "array": np.array(entry)}
    if isinstance(entry, dict):
        items = [[describe(k, torch, row), describe(v, torch, row)] for k, v in entry.items()]
        return {"kind": "dict", "class": type(entry).__name__, "items": items}
    if isinstance(entry, (list, tuple, set, frozenset)):
        if isinstance(entry, (set, frozenset)):
            tree = {"kind": type(entry).__name__, "items": [describe(each, torch, row) for each in sorted(entry)]}
        else:
            tree = {"kind": type(entry).__name__, "items": [describe(each, torch, row) for each in entry]}
        fields = getattr(type(entry), "_fields", None) or getattr(type(entry), "__match_args__", None)
        if fields:
            tree["fields"] = list(fields)
        return tree
    if isinstance(entry, slice):
        return {"kind": "slice", "items": [describe(each, torch, row) for each in (entry.start, entry.stop, entry.step)]}
    if isinstance(entry, BaseException):
        return {"kind": "exception", "items": [type(entry).__name__, clean(str(entry))]}
    if isinstance(entry, type):
        return {"kind": "class", "items": [f"{entry.__module__}.{entry.__qualname__}"]}
    if isinstance(entry, (bytes, bytearray)):
        return {"kind": type(entry).__name__, "items": [base64.b64encode(entry).decode()]}
    if type(entry).__module__.split(".")[0] == "torch" and type(entry).__name__ in (
        "dtype",
        "device",
        "layout",
        "memory_format",
        "TorchVersion",
    ):
        return {"kind": type(entry).__name__, "items": [str(entry)]}
    raise TypeError(f"the harness cannot compare a {type(entry).__module__}.{type(entry).__qualname__}: return its parts")


# ------------------------------------------------------------------------------------------------------------- comparison


def compare(ours: Any, expected: Any, row: Row, where: str = "") -> None:
    """Fails unless flambeau's answer is PyTorch's, within the row's tolerances."""
    error = ours.pop("error", None) if isinstance(ours, dict) else None
    if isinstance(expected, dict) and "raises" in expected:
        if not (isinstance(ours, dict) and "raises" in ours):
            pytest.fail(f"{where}PyTorch raises {expected['raises']}: {expected['message']}\nflambeau gives {ours}", pytrace=False)
        if row.message is not None:
            assert re.search(row.message, expected["message"]), f"PyTorch's own message does not match: {expected['message']}"
        same = re.search(row.message, ours["message"]) if row.message is not None else ours["message"] == expected["message"]
        if ours["raises"] != expected["raises"] or not same:
            reference = f"PyTorch  {expected['raises']}: {expected['message']}"
            raise AssertionError(f"{where}the exceptions differ\n{reference}\nflambeau {ours['raises']}: {ours['message']}") from error
        if row.warns:
            match(ours.get("warnings"), expected.get("warnings"), row, f"{where}warnings")
        return
    if error is not None:
        raise error
    for part in sorted(expected, key=("result", "grads", "grads2", "warnings").index):
        match(ours.get(part), expected[part], row, f"{where}{part}")


def match(ours: Any, expected: Any, row: Row, where: str) -> None:
    """Two described values agree; `where` is the way to them."""
    if not isinstance(expected, dict) or not isinstance(ours, dict):
        if isinstance(expected, list) and isinstance(ours, list):
            assert len(ours) == len(expected), f"{where}: flambeau gives {ours}, PyTorch {expected}"
            for number, (a, b) in enumerate(zip(ours, expected)):
                match(a, b, row, f"{where}[{number}]")
            return
        assert type(ours) is type(expected) and ours == expected, f"{where}: flambeau gives {ours!r}, PyTorch {expected!r}"
        return
    if "kind" not in expected:  # gradients by name
        assert list(ours) == list(expected), f"{where}: {list(ours)} against {list(expected)}"
        for name in expected:
            match(ours[name], expected[name], row, f"{where}.{name}")
        return
    for name in sorted({*ours, *expected} - {"array", "digest", "items", "number"}):
        assert ours.get(name) == expected.get(name), f"{where}: {name} is {ours.get(name)}, PyTorch's {expected.get(name)}"
    if "items" in expected:
        match(ours["items"], expected["items"], row, where)
    elif "number" in expected:
        a, b = complex(ours["number"]), complex(expected["number"])
        rtol, atol = row.tolerance("float32")
        numbers_match(np.array([a.real, a.imag]), np.array([b.real, b.imag]), rtol, atol, where)
    elif "digest" in expected:
        digest_matches(digest(ours["array"], row), expected["digest"], row, where, ours["dtype"])
    elif expected.get("array") is None:
        assert ours.get("array") is None, f"{where}: flambeau has numbers, PyTorch none"
    else:
        rtol, atol = row.tolerance(expected["dtype"].removeprefix("torch."))
        numbers_match(ours["array"], expected["array"], rtol, atol, where)


def numbers_match(ours: np.ndarray, expected: np.ndarray, rtol: float, atol: float, where: str) -> None:
    """Arrays of one shape are close, NaN equal to NaN; equal where the tolerances are zero."""
    if expected.dtype.kind in "biu" or rtol == 0 and atol == 0:
        same = (ours == expected) | ((ours != ours) & (expected != expected))
    else:
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        a, b = ours.astype(wide), expected.astype(wide)
        with np.errstate(all="ignore"):
            same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.isfinite(a) & np.isfinite(b) & (np.abs(a - b) <= atol + rtol * np.abs(b)))
            if wide is np.complex128:
                same |= close_parts(a, b, rtol, atol)
    if not np.all(same):
        wrong = np.argwhere(~np.asarray(same))
        first = tuple(wrong[0])
        raise AssertionError(
            f"{where}: {len(wrong)} of {same.size} numbers differ, first at {list(map(int, first))}: "
            f"{ours[first]!r}, PyTorch {expected[first]!r} (rtol {rtol}, atol {atol})"
            + (f"\nflambeau {ours}\nPyTorch  {expected}" if same.size <= 40 else "")
        )


def close_parts(a: np.ndarray, b: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Complex numbers with infinite or NaN parts: part by part."""

    def part(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x == y) | (np.isnan(x) & np.isnan(y)) | (np.abs(x - y) <= atol + rtol * np.abs(y))

    return part(a.real, b.real) & part(a.imag, b.imag)


def digest(array: np.ndarray, row: Row) -> dict[str, Any]:
    """A large array in few numbers: some of its elements, its norm, and projections on random signs."""
    flat = array.reshape(-1)
    picked = np.linspace(0, flat.size - 1, 32).astype(int)
    result: dict[str, Any] = {"size": flat.size, "picked": flat[picked]}
    if row.exact or flat.dtype.kind in "biu":
        result["crc"] = zlib.crc32(np.ascontiguousarray(flat).tobytes())
        return result
    wide = flat.astype(np.complex128 if flat.dtype.kind == "c" else np.float64)
    finite = np.isfinite(wide)
    wide = np.where(finite, wide, 0)
    rng = np.random.RandomState(flat.size % 2**31)
    signs = [rng.randint(0, 2, flat.size) * 2 - 1 for _ in range(4)]
    result["finite"] = [int((finite * s).sum()) for s in signs]
    result["norm"] = float(np.sqrt((np.abs(wide) ** 2).sum()))
    result["projections"] = np.array([(wide * s).sum() for s in signs])
    return result


def digest_matches(ours: dict[str, Any], expected: dict[str, Any], row: Row, where: str, dtype: str) -> None:
    rtol, atol = row.tolerance(dtype.removeprefix("torch."))
    numbers_match(ours["picked"], expected["picked"], rtol, atol, f"{where} (32 of its elements)")
    for name in ("size", "crc", "finite"):
        assert ours.get(name) == expected.get(name), f"{where}: {name} of the whole is {ours.get(name)}, PyTorch's {expected.get(name)}"
    if "norm" in expected:
        bound = rtol * expected["norm"] + atol * math.sqrt(expected["size"])
        numbers_match(ours["projections"], expected["projections"], 0.0, bound, f"{where} (projections of the whole)")


# ------------------------------------------------------------------------------------------------------- stored expectations


class Expectations:
    """PyTorch's answers to the rows of one test file."""

    all: dict[str, "Expectations"] = {}
    fresh = False
    """Set when a whole file is written anew: answers of rows that are gone are dropped."""

    def __init__(self, test_file: Path) -> None:
        self.path = test_file.parent / "expected" / f"{test_file.stem}.json.gz"
        self.written: dict[str, Any] = {}

    @classmethod
    def of(cls, test_file: str) -> "Expectations":
        path = Path(test_file).resolve()
        return cls.all.setdefault(str(path), cls(path))

    @cached_property
    def stored(self) -> dict[str, Any]:
        if not self.path.exists():
            return {}
        content = json.loads(gzip.decompress(self.path.read_bytes()))
        assert content["torch"] == VERSION, f"{self.path} was written by PyTorch {content['torch']}"
        return content["answers"]

    def answer(self, key: str, compute: Callable[[Any], Any], row: Row) -> Any:
        """PyTorch's answer: the stored one, or live where asked for or where none is stored."""
        key = key.encode("ascii", "backslashreplace").decode()
        if not (WRITE or LIVE) and key in self.stored:
            return unpack(self.stored[key])
        torch = real_torch()
        if torch is None:
            pytest.fail(f"no answer is stored for {key!r} and PyTorch is not installed: run make expectations", pytrace=False)
        live = compute(torch)
        if WRITE:
            self.written[key] = pack(live, row)
        elif LIVE:
            assert key in self.stored, f"no answer is stored for {key!r}: run make expectations"
            compare(copy.copy(live), unpack(self.stored[key]), row, "stored expectation is stale (run make expectations): ")
        return live

    def save(self) -> None:
        answers = {**({} if self.fresh else self.stored), **self.written}
        text = json.dumps({"torch": VERSION, "answers": answers}, separators=(",", ":"), sort_keys=True)
        self.path.parent.mkdir(exist_ok=True)
        data = gzip.compress(text.encode(), 9, mtime=0)
        assert len(data) < 200_000, f"{self.path} has {len(data)} bytes: make samples smaller or split the test file"
        self.path.write_bytes(data)


def real_torch() -> Any:
    """PyTorch, if it is installed in the version that is the reference."""
    try:
        import torch
    except ImportError:
        return None
    assert torch.__version__.split("+")[0] == VERSION, f"the reference is PyTorch {VERSION}, not {torch.__version__}"
    assert torch is not flambeau, "the tests run without the alias"
    return torch


def pack(tree: Any, row: Row) -> Any:
    """A described answer as JSON: arrays as base64, large ones as digests."""
    if isinstance(tree, dict):
        packed = {name: pack(each, row) for name, each in tree.items() if name != "error"}
        if isinstance(tree.get("array"), np.ndarray) and tree["array"].size > FULL and "kind" in tree:
            del packed["array"]
            packed["digest"] = pack(digest(tree["array"], row), row)
        return packed
    if isinstance(tree, list):
        return [pack(each, row) for each in tree]
    if isinstance(tree, np.ndarray):
        dtype = "bfloat16" if tree.dtype == BFLOAT16 else tree.dtype.newbyteorder("<").str
        return {"b64": base64.b64encode(np.ascontiguousarray(tree).tobytes()).decode(), "of": dtype, "as": list(tree.shape)}
    return tree


def unpack(tree: Any) -> Any:
    if isinstance(tree, dict):
        if "b64" in tree:
            dtype = BFLOAT16 if tree["of"] == "bfloat16" else np.dtype(tree["of"])
            return np.frombuffer(base64.b64decode(tree["b64"]), dtype).reshape(tree["as"])
        return {name: unpack(each) for name, each in tree.items()}
    if isinstance(tree, list):
        return [unpack(each) for each in tree]
    return tree


# ------------------------------------------------------------------------------------------------------------ subprocesses


def run_python(*arguments: Any, check: bool = True, timeout: float = 120, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs the tests' Python with flambeau importable; fails on a non-zero exit unless `check` is False."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    if check:
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
