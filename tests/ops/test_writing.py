"""`out=`: results, versions, warnings and refusals as in PyTorch; and that the kernels write there themselves."""

import tracemalloc

import numpy as np
import pytest

import flambeau
from flambeau.kernels.compiler import usable
from flambeau.ops import dispatch
from flambeau.ops.definition import OPERATORS
from harness import Row, bools, parity, rand, randint, randn, rows

X, Y, B = randn(2, 3), rand(2, 3, low=0.5, high=2), bools(2, 3)
I3 = randint(0, 2, (2, 3), dtype="int64")
GIVEN = {"x": X, "y": Y, "b": B, "i": I3}


def cases(*expressions, **options):
    return rows(
        *[Row(e, **{n: s for n, s in GIVEN.items() if n in e.replace("exp", "").replace("index", "")}, **options) for e in expressions]
    )


test_results = cases(
    *[
        f"out = {made}; {call.format('out=out')}, out._version, out.stride()"
        for made in ("torch.full((2, 3), 7.)", "torch.zeros(3, 2).t()", "torch.zeros(2, 6)[:, ::2]", "torch.zeros(4, 3)[1:3]")
        for call in (
            "torch.add(x, y, {})",
            "torch.sub(x, 2, alpha=3, {})",
            "torch.mul(x, y[:1], {})",
            "torch.div(x, y, rounding_mode='floor', {})",
            "torch.addcmul(x, x, y, value=0.5, {})",
            "torch.lerp(x, y, 0.3, {})",
            "torch.clamp(x, -0.5, 0.5, {})",
            "torch.clamp(x, y - 1, y, {})",
            "torch.where(x > 0, x, y, {})",
            "torch.exp(x, {})",
            "torch.pow(y, 3, {})",
            "torch.mm(x @ x.T, y, {})",
            "torch.addmm(y, x @ x.T, y, {})",
            "torch.cumsum(x, 1, {})",
            "torch.cat([x[:1], y[:1]], {})",
            "torch.stack([x[0], y[0]], {})",
            "torch.softmax(x, 1, {})",
            "torch.index_select(y, 0, torch.tensor([1, 1]), {})",
            "torch.gather(x, 0, i, {})",
            "torch.tril(x, {})",
            "torch.outer(x[:, 0], y[0], {})",
            "torch.zeros(2, 3, {})",
            "torch.full((2, 3), 3.5, {})",
            "torch.rand(2, 3, {})",
            "torch.randint(5, (2, 3), {})",
        )
    ],
    strides=True,
)
test_dtypes = cases(
    "out = torch.zeros(2, 3, dtype=torch.bool); torch.lt(x, y, out=out), torch.logical_not(x, out=out), torch.logical_and(x, b, out=out)",
    "out = torch.zeros(2, 3, dtype=torch.uint8); torch.lt(x, y, out=out), torch.eq(i, 1, out=out)",
    "out = torch.zeros(2, 3, dtype=torch.float64); torch.add(x, y.double(), out=out), torch.mul(i, 2.5, out=out), torch.exp(i, out=out)",
    "out = torch.zeros(2, 3, dtype=torch.int64); torch.add(i, i, out=out), torch.cumsum(b, 0, out=out), torch.mul(i, b, out=out)",
    "out = torch.zeros(2, 3, dtype=torch.complex64); torch.add(x, 1j, out=out), torch.abs(x + 1j * y, out=out), torch.sgn(x, out=out)",
    "out = torch.zeros(2, 3, dtype=torch.bfloat16); torch.add(x.bfloat16(), y.bfloat16()[0, 0], out=out), torch.mul(x, 2.5, out=out)",
    "torch.add(x, y, out=torch.zeros(2, 3, dtype=torch.int64))",
    "torch.bitwise_and(i, 1, out=torch.zeros(2, 3))",
    "torch.abs(x, out=torch.zeros(2, 3, dtype=torch.float64))",
    "torch.add(b, 1, out=torch.zeros(2, 3, dtype=torch.bool))",
)
test_sharing = cases(
    "out = x.clone(); torch.sub(out, y, out=out), out._version",
    "out = x.clone(); torch.sub(y, out, out=out), out._version",
    "out = x.clone(); torch.sub(y, out.view(2, 3), out=out), out._version",
    "out = x.clone(); torch.div(out, out, rounding_mode='floor', out=out)",
    "out = y.clone(); torch.floor_divide(x, out, out=out)",
    "out = y.clone(); torch.addcmul(x, out, out, out=out)",
    "out = y.clone(); torch.clamp(x, x - 1, out, out=out)",
    "out = y.clone(); torch.cumsum(out, 0, out=out), torch.softmax(out, 1, out=out)",
    "z = torch.arange(12.); torch.add(z[:6].view(2, 3), x, out=z[6:].view(2, 3)), z",
    "z = torch.arange(12.); torch.add(z[:6].view(2, 3), x, out=z[1:7].view(2, 3))",
    "out = y.clone(); torch.gather(out, 0, i, out=out)",
    "out = y.clone(); torch.scatter_add(out, 0, i, x, out=out)",
    "out = y[:1].clone(); torch.add(out, x, out=out)",
    "torch.add(x, y, out=torch.zeros(3).expand(2, 3))",
)
test_resizing = cases(
    "out = torch.empty(0); torch.add(x, y, out=out), out._version",
    "out = torch.empty(0); torch.mm(x, y.T, out=out), out.stride()",
    "out = torch.empty(0); torch.add(x.T, 1, out=out), out.stride()",
    "out = torch.empty(4); torch.add(x, y, out=out), out._version",
    "out = torch.empty(4); torch.mm(x, y.T, out=out)",
    "out = torch.empty(2, 3, 1); torch.lt(x, y, out=out)",
    warns=True,
)
test_refusals = cases(
    "torch.add(x, y, out=torch.zeros(2, 3, requires_grad=True))",
    "torch.add(x.requires_grad_(), y, out=torch.zeros(2, 3))",
    "torch.mm(x.requires_grad_(), y.T, out=torch.zeros(2, 2))",
    "torch.full((2,), 1., out=torch.zeros(2, requires_grad=True))",
    "x.requires_grad_()\nwith torch.no_grad():\n    out = torch.add(x, y, out=torch.zeros(2, 3))\nout, out.requires_grad",
    "with torch.inference_mode():\n    z = torch.zeros(2, 3)\ntorch.add(x, y, out=z)",
    "with torch.inference_mode():\n    z = torch.add(x, y, out=torch.zeros(2, 3))\nz.is_inference()",
)


@parity
def test_a_failing_call_leaves_out_alone(torch):
    found = []
    for call in (
        lambda out: torch.add(torch.ones(3), torch.ones(2), out=out),
        lambda out: torch.mm(torch.ones(3, 2), torch.ones(3, 2), out=out),
        lambda out: torch.add(torch.ones(3), 1j, out=out),
        lambda out: torch.floor_divide(torch.ones(3, dtype=torch.int64), 0, out=out),
        lambda out: torch.cat([torch.ones(2, 2), torch.ones(3, 3)], out=out),
        lambda out: torch.add(torch.ones(3, requires_grad=True), 1, out=out),
    ):
        out = torch.arange(3.0)
        with pytest.raises(RuntimeError):
            call(out)
        found.append((out, out._version))
    return found


@parity
def test_what_a_backward_has_saved_is_not_overwritten_unnoticed(torch):
    x = torch.ones(3, requires_grad=True)
    y = x.exp()
    total = (y * y).sum()
    with torch.no_grad():
        torch.add(x, 1, out=y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()
    return y._version


FLOATS = ("float32", "float64", "float16", "bfloat16")
VALUES = {"n": 1, "rounding_mode": "floor", "min": 0.3, "max": 0.6}  # of parameters that are no operands and have no default
ELEMENTWISE = sorted(
    name
    for name, op in OPERATORS.items()
    if op.forward_takes_out and op.takes_out and (name.startswith(("clamp", "div_")) or any(p.startswith("torch.") for p in op.public))
    if name not in ("index_add", "index_copy", "scatter_add", "zero")
)


def sample(dtype, shape):
    if dtype.is_floating_point:
        return (flambeau.rand(shape) * 0.8 + 0.1).to(dtype)
    return flambeau.rand(shape) > 0.5 if dtype is flambeau.bool else flambeau.randint(1, 5, shape).to(dtype)


def bits(t):
    """The dtype and the memory; without compiled kernels rounded, since NumPy's last digits depend on strides."""
    if not usable() and t.is_floating_point():
        return t.dtype, [f"{x:.3g}" for x in t.flatten().tolist()]
    return t.dtype, t.numpy().tobytes() if t.dtype is not flambeau.bfloat16 else t.view(flambeau.int16).numpy().tobytes()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_operators_write_the_same_bits_into_out(name, monkeypatch):
    def copied(*given, **named):
        raise AssertionError("the result was computed elsewhere and copied")

    op = OPERATORS[name]
    tried = 0
    for dtype in (*FLOATS, "int64", "uint8", "bool"):
        for shape in ((4, 5), (9, 129)):
            flambeau.manual_seed(0)
            dtype_ = getattr(flambeau, dtype)
            args = [
                sample(dtype_, shape) if op.kinds[p] != "value" else op.defaults.get(p, VALUES.get(p)) for p in op.params
            ]  # fmt: skip
            operands = [i for i, p in enumerate(op.params) if op.kinds[p] != "value"]

            def call(args, **named):
                return op.function(*args[: op.positional], **dict(zip(op.params[op.positional :], args[op.positional :])), **named)

            try:
                wanted = call(args)
            except (RuntimeError, NotImplementedError):  # not for this dtype
                continue
            if wanted.dtype is not dtype_ and op.promote != "compare":  # `square` of booleans and the like
                continue
            tried += 1
            places = [
                flambeau.empty_like(wanted),
                flambeau.empty(shape[::-1], dtype=wanted.dtype).t(),
                flambeau.empty((shape[0], 2 * shape[1]), dtype=wanted.dtype)[:, ::2],
            ]
            if dtype in FLOATS:
                monkeypatch.setattr(dispatch, "write_out", copied)
            for out in places:
                assert call(args, out=out) is out
                assert bits(out.contiguous()) == bits(wanted)
                assert out._version == 1
            monkeypatch.undo()
            if wanted.dtype is dtype_:
                for i in operands:
                    given = list(args)
                    given[i] = out = args[i].clone()
                    assert bits(call(given, out=out)) == bits(wanted)
    assert tried


BIG = (1 << 9, 1 << 9)


@pytest.mark.parametrize(
    "call",
    [
        "torch.add(a, b, out=c)", "torch.add(a, 2, out=c)", "torch.maximum(a, b, out=c)", "torch.exp(a, out=c)", "torch.neg(a, out=c)",
        "torch.div(a, b, out=c)", "torch.clamp(a, 0, 1, out=c)", "torch.sub(a, b, out=b)", "torch.sqrt(a, out=a)", "torch.pow(a, 2, out=c)",
        "torch.lt(a, b, out=d)", "torch.logical_not(d, out=d)", "torch.cat([a[:9], b[9:]], out=c)", "torch.stack([a[0], b[0]], out=c[:2])",
        "torch.zeros(a.shape, out=c)", "torch.full(a.shape, 2., out=c)",
        "a.mul_(b)", "a.exp_()", "a.clamp_(0, 1)", "a.add_(b)",
    ],
)  # fmt: skip
def test_large_results_need_no_memory_of_their_own(call):
    assert peak(call) < 8 * BIG[0] * 8


@pytest.mark.parametrize(
    "call",
    [
        "torch.mm(a, b, out=c)", "torch.matmul(a, b, out=c)", "torch.addmm(a, a, b, out=c)", "torch.bmm(a[None], b[None], out=c[None])",
        "torch.add(a, b, alpha=2, out=c)", "torch.addcmul(a, a, b, out=c)", "torch.lerp(a, b, 0.5, out=c)", "torch.cumsum(a, 0, out=c)",
        "torch.softmax(a, 1, out=c)", "torch.softmax(a, 0, out=c)", "torch.where(d, a, b, out=c)", "torch.index_select(a, 0, i, out=c)",
        "torch.gather(a, 0, j, out=c)", "torch.tril(a, out=c)", "torch.outer(a[0], b[0], out=c)", "F.silu(a, True)", "F.leaky_relu_(a)",
        "torch.rand(a.shape, out=c)", "torch.randn(a.shape, out=c)", "a.add_(b, alpha=2)",
        "F.hardswish(a, True)", "F.elu_(a)", "F.relu6(a, True)", "F.mish(a, True)", "F.hardsigmoid(a, True)",
    ],
)  # fmt: skip
@pytest.mark.skipif(not usable(), reason="only compiled kernels write there")
def test_compiled_results_need_no_memory_of_their_own(call):
    assert peak(call) < 8 * BIG[0] * 8


def peak(call):
    """The most memory that NumPy asks for meanwhile."""
    torch = flambeau
    torch.manual_seed(0)
    a, b, c = torch.rand(BIG), torch.rand(BIG), torch.empty(BIG)
    scope = dict(
        torch=torch, F=torch.nn.functional, a=a, b=b, c=c, d=a > 0.5, i=torch.arange(BIG[0]), j=torch.zeros(BIG, dtype=torch.int64)
    )
    eval(call, scope)
    tracemalloc.start()
    try:
        eval(call, scope)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@parity
def test_in_place_forms_that_record_what_they_overwrite(torch):
    x = torch.linspace(-2, 2, 7, requires_grad=True)
    found = []
    for change in (
        lambda y: torch.nn.functional.silu(y, inplace=True),
        lambda y: torch.nn.functional.hardswish(y, inplace=True),
        lambda y: torch.nn.functional.mish(y, inplace=True),
        lambda y: y.mul_(2),
        lambda y: y.sin_(),
        lambda y: y.pow_(3),
    ):
        y = x * 1
        result = change(y)
        (grad,) = torch.autograd.grad(result.sum(), x)
        found.append((result, result is y, y._version, grad))
    return found


def test_read_only_memory_is_not_written():
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    with pytest.warns(UserWarning):
        target = flambeau.from_numpy(array)
    with pytest.raises(ValueError):
        flambeau.add(flambeau.ones(3), 1, out=target)
    assert not array.any()
