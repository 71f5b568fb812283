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
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

import flambeau
from comparison import TOLERANCES, clean, compare, describe, flatten, is_tensor, pack, unpack
from flambeau.tensor import wrap
from samples import BFLOAT16, Sample, bools, cast, distinct, rand, randint, randn, value

__all__ = [
    "Row", "Sample", "bools", "check_double_backward", "distinct", "parity", "rand", "randint", "randn", "rows", "run_python", "value",
]  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent
WRITE = os.environ.get("FLAMBEAU_WRITE_EXPECTATIONS", "") not in ("", "0")
LIVE = os.environ.get("FLAMBEAU_LIVE", "") not in ("", "0")
VERSION = "2.13.0"


@dataclass(init=False)
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
            return guarded(torch, row, lambda: {"result": describe(function(torch, **arguments), row)})

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


def evaluate(torch: Any, row: Row, create_graph: bool = False) -> dict[str, Any]:
    """What the row gives under `torch`: its result and gradients, or its exception."""

    def action() -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        namespace = bind(torch, row, inputs)
        out = run(compile_row(row.expression), namespace)
        answer = {"result": describe(out, row)}
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
        tree = described[key] = None if grad is None else describe(grad, plain)
        if tree is not None:
            tree.pop("requires_grad")
    return described, [grad for grad in grads if grad is not None]


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


def run_python(
    *arguments: Any, check: bool = True, timeout: float = 120, cwd: Any = None, input: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Runs the tests' Python with flambeau importable; fails on a non-zero exit unless `check` is False."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=env, cwd=cwd, input=input, capture_output=True, text=True, timeout=timeout)
    if check:
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
