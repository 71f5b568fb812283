"""`torch.library`: operators of the user's own."""

import importlib

import pytest

from harness import parity, run_python


def library_of(torch):
    return importlib.import_module(f"{torch.__name__}.library")


def defined(torch, name="doubled"):
    """An operator with a kernel, a derivative and a rule for tensors without memory."""
    L = library_of(torch)

    def doubled(x, scale=2.0):
        return x * scale

    doubled.__annotations__ = {"x": torch.Tensor, "scale": float, "return": torch.Tensor}
    op = L.custom_op(f"flame::{name}", doubled, mutates_args=())
    seen = []

    def keep(ctx, inputs, output):
        seen.append((len(inputs), tuple(output.shape)))
        ctx.scale = inputs[1]

    op.register_autograd(lambda ctx, grad: (grad * ctx.scale, None), setup_context=keep)
    op.register_fake(lambda x, scale=2.0: torch.empty_like(x))
    return op, seen


@parity
def test_custom_op(torch):
    op, seen = defined(torch)
    x = torch.arange(3.0, requires_grad=True)
    y = op(x, 3.0)
    y.sum().backward()
    shown = (
        repr(op),
        op._qualname,
        str(torch.ops.flame.doubled),
        str(torch.ops.flame.doubled.default),
        repr(torch.ops.flame.doubled.default),
    )
    meta = op(torch.ones(2, device="meta"))
    return y.detach(), type(y.grad_fn).__name__, x.grad, seen, shown, torch.ops.flame.doubled(x.detach()), meta.shape, meta.device.type


@parity
def test_names(torch):
    defined(torch)
    packet = torch.ops.flame.doubled
    schema = packet.default._schema
    return (
        packet.overloads(), packet.default.name(), packet.default.namespace, packet.__name__, packet.default.__name__,
        packet._qualified_op_name, str(schema), [(a.name, a.has_default_value(), a.kwarg_only) for a in schema.arguments],
        hasattr(torch.ops.flame, "nothing"),
    )  # fmt: skip


@pytest.mark.parametrize("call", ["op(3)", "op()", "op(x, 1.0, 2.0)", "op(x, other=1)", "op(x, 'a')", "torch.ops.flame.nothing(x)",
    "torch.ops.nowhere.nothing(x)", "op(x, scale=1)", "op(x=x)"])  # fmt: skip
@parity
def test_arguments(torch, call):
    op, _ = defined(torch)
    return eval(call, {"op": op, "torch": torch, "x": torch.ones(2)})


def test_families_are_still_imported():
    """`from flambeau.ops import family` asks the package for an attribute first."""
    code = (
        "import flambeau.library, types; from flambeau.ops import indefinite; assert isinstance(indefinite, types.ModuleType); print('ok')"
    )
    assert run_python("-c", code).stdout == "ok\n"


@parity
def test_without_a_formula(torch):
    L = library_of(torch)

    def plain(x):
        return x + 1

    plain.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    op = L.custom_op("flame::plain", plain, mutates_args=())
    y = op(torch.ones(2, requires_grad=True))
    assert y.requires_grad
    y.sum().backward()


@parity
def test_no_rule_without_memory(torch):
    L = library_of(torch)

    def bare(x):
        return x + 1

    bare.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    return L.custom_op("flame::bare", bare, mutates_args=())(torch.ones(2, device="meta"))


@parity
def test_mutation(torch):
    L = library_of(torch)

    def fill(x, value, *, times=1):
        x.add_(value * times)

    fill.__annotations__ = {"x": torch.Tensor, "value": int, "times": int, "return": None}
    op = L.custom_op("flame::fill", fill, mutates_args=("x",))
    x = torch.zeros(2)
    version = x._version
    result = op(x, 3, times=2)
    return result, x, x._version > version, str(op._opoverload._schema)


@parity
def test_no_formula_for_mutation(torch):
    L = library_of(torch)

    def change(x):
        x.add_(1)

    change.__annotations__ = {"x": torch.Tensor, "return": None}
    L.custom_op("flame::change", change, mutates_args=("x",)).register_autograd(lambda ctx, g: g)


@parity
def test_lists_and_several_results(torch):
    L = library_of(torch)

    def both(xs, y, k):
        return [x * k for x in xs], y * 2

    both.__annotations__ = {"xs": list[torch.Tensor], "y": torch.Tensor, "k": int, "return": list[torch.Tensor]}

    def scaled(xs, y, k):
        return [x * k for x in xs] + [y * 2]

    scaled.__annotations__ = both.__annotations__
    op = L.custom_op("flame::scaled", scaled, mutates_args=())

    def keep(ctx, inputs, output):
        ctx.k = inputs[2]

    op.register_autograd(lambda ctx, grads: ([g * ctx.k for g in grads[:-1]], grads[-1] * 2, None), setup_context=keep)
    a, b, y = (torch.ones(2, requires_grad=True) for _ in range(3))
    results = op([a, b], y, 5)
    sum(r.sum() for r in results).backward()

    def two(x):
        return x * 1, x * 2

    two.__annotations__ = {"x": torch.Tensor, "return": tuple[torch.Tensor, torch.Tensor]}
    pair = L.custom_op("flame::two", two, mutates_args=())
    pair.register_autograd(lambda ctx, g, h: g + 2 * h)
    first, second = pair(a)
    (first.sum() + second.sum()).backward()
    return type(results).__name__, [r.detach() for r in results], a.grad, b.grad, y.grad


@parity
def test_library(torch):
    L = library_of(torch)
    with L._scoped_library("sparks", "FRAGMENT") as lib:
        lib.define("scale(Tensor a, float s=2) -> Tensor")
        lib.impl("scale", lambda a, s=2.0: a * s, "CPU")
        lib.define("sine(Tensor a) -> Tensor")
        lib.impl("sine", lambda a: a.sin(), "CompositeImplicitAutograd")
        x = torch.ones(2, requires_grad=True)
        y = torch.ops.sparks.sine(x)
        L.register_autograd("sparks::scale", lambda ctx, g: (g * 2, None), lib=lib)
        z = torch.ops.sparks.scale(x)
        z.sum().backward()
        return (
            y.detach(),
            y.grad_fn.name(),
            z.detach(),
            x.grad,
            torch.ops.sparks.scale(x.detach(), 3),
            str(torch.ops.sparks.scale.default._schema),
        )


@pytest.mark.parametrize("call", [
    'L.Library("flame", "X")', 'L.Library("prim", "DEF")', 'library.define("bad")',
    'L.Library("sparks", "FRAGMENT").impl("x", 3, "CPU")', 'L.register_autograd("nowhere::x", lambda ctx, g: g)',
])  # fmt: skip
@parity
def test_wrong_libraries(torch, call):
    library = library_of(torch).Library("sparks", "FRAGMENT")
    eval(call, {"L": library_of(torch), "library": library})


@pytest.mark.parametrize("source", [
    "def f(x: Tensor, n: int = 3) -> Tensor: ...", "def f(x: Tensor, f: float = 2.0, s: str = 'x', b: bool = True) -> Tensor: ...",
    "def f(x: list[Tensor], y: Tensor | None = None, *, k: Optional[int] = None) -> list[Tensor]: ...",
    "def f(x: Sequence[int]) -> tuple[Tensor, Tensor]: ...", "def f(x: Tensor) -> None: ...",
    "def f(x: torch.dtype, d: torch.device) -> Tensor: ...",
    "def f(x) -> Tensor: ...", "def f(x: Tensor): ...", "def f(*x: Tensor) -> Tensor: ...",
    "def f(x: Union[int, float, bool]) -> Tensor: ...",
])  # fmt: skip
@parity
def test_infer_schema(torch, source):
    from collections.abc import Sequence
    from typing import Optional, Union

    names = {"Tensor": torch.Tensor, "torch": torch, "Optional": Optional, "Union": Union, "Sequence": Sequence}
    exec(source, names)
    infer = library_of(torch).infer_schema
    return infer(names["f"], mutates_args=()), infer(names["f"], mutates_args="unknown"), infer(names["f"], mutates_args=(), op_name="a::b")


@parity
def test_wrong_mutates_args(torch):
    def f(x):
        pass

    f.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    library_of(torch).infer_schema(f, mutates_args=("y",))


@parity
def test_vmap(torch):
    func = importlib.import_module(f"{torch.__name__}.func")
    op, _ = defined(torch, "mapped")
    x = torch.arange(6.0).reshape(2, 3)
    first = func.vmap(op)(x)
    seen = []

    def rule(info, in_dims, x, scale=2.0):
        seen.append((info.batch_size, info.randomness))
        return x * scale, in_dims[0]

    op.register_vmap(rule)
    return first, func.vmap(op, in_dims=0)(x), seen


@parity
def test_autocast(torch):
    op, _ = defined(torch, "cast")
    op.register_autocast("cpu", torch.bfloat16)
    with torch.autocast("cpu"):
        inside = op(torch.ones(2))
    return inside.dtype, op(torch.ones(2)).dtype


@parity
def test_kernels(torch):
    L = library_of(torch)

    def where(x):
        return x * 1

    where.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    op = L.custom_op("flame::where", where, mutates_args=())
    op.register_kernel("cpu", lambda x: x * 10)
    with op.set_kernel_enabled("cpu", False):
        off = op(torch.ones(1))
    L.register_kernel("flame::where", "cpu", lambda x: x * 20)
    return off, op(torch.ones(1))


@parity
def test_opcheck(torch):
    op, _ = defined(torch, "checked")
    return library_of(torch).opcheck(op, (torch.ones(2, requires_grad=True),), test_utils=("test_schema", "test_autograd_registration"))


@parity
def test_modes_see_custom_operators(torch):
    op, _ = defined(torch, "seen")
    overrides = importlib.import_module(f"{torch.__name__}.overrides")
    names = []

    class Watch(overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            names.append(str(func))
            return func(*args, **(kwargs or {}))

    with Watch():
        op(torch.ones(2))
    return [n for n in names if "flame" in n]
