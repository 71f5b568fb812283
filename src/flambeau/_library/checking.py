"""`torch.library.opcheck`: whether what is registered for an operator fits together."""

from typing import Any

from ..autograd.node import tensors
from ..tensor import Tensor
from ..utils._pytree import tree_flatten, tree_map
from .operators import Definition


class OpCheckError(Exception):
    """A check of an operator failed."""


OpCheckError.__module__ = "torch.testing._internal.optests.generate_tests"


def check(op: Definition, args: tuple[Any, ...], kwargs: dict[str, Any], names: list[str], raise_exception: bool) -> dict[str, str]:
    """Runs the tests by name; raises OpCheckError at the first that fails, or gives the failures as text."""
    results: Any = {}
    for name in names:
        test = _TESTS.get(name)
        try:
            if test is not None:
                test(op, args, kwargs)
            results[name] = "SUCCESS"
        except Exception as error:
            if raise_exception:
                raise OpCheckError(f"opcheck(op, ...): {name} failed with {error} (scroll up for stack trace)") from error
            results[name] = error
    return results


def _copied(tree: Any) -> Any:
    return tree_map(lambda x: x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x, tree)


def _schema(op: Definition, args: Any, kwargs: Any) -> None:
    args, kwargs = _copied((args, kwargs))
    before = _copied((args, kwargs))
    values, old = op.bound(args, kwargs), op.bound(*before)
    result = op.call(args, kwargs)
    for a, value, was in zip(op.schema.arguments, values, old):
        for new, kept in zip(tree_flatten(value)[0], tree_flatten(was)[0]):
            if isinstance(new, Tensor) and not a.is_write and not tensors.equal(new, kept):
                raise RuntimeError(f"Argument {a.name} is not defined as mutable but was mutated")
    given = [x for x in tree_flatten(values)[0] if isinstance(x, Tensor)]
    for x in tree_flatten(result)[0]:
        if isinstance(x, Tensor) and any(x is g for g in given):
            raise RuntimeError(f"A result of {op.qualname} is one of its arguments: return a clone instead")


def _registration(op: Definition, args: Any, kwargs: Any) -> None:
    args, kwargs = _copied((args, kwargs))
    given = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
    if not any(x.requires_grad for x in given):
        return
    found = [x for x in tree_flatten(op.call(args, kwargs))[0] if isinstance(x, Tensor) and x.is_floating_point()]
    if found and not any(x.requires_grad for x in found):
        raise AssertionError(f"No result of {op.qualname} requires a gradient: register a formula with torch.library.register_autograd")


def _fake(op: Definition, args: Any, kwargs: Any) -> None:
    real = tree_flatten(op.call(*_copied((args, kwargs))))[0]
    kernel = op.kernels.get("Meta", op.fake)
    if kernel is None:
        if "CompositeImplicitAutograd" in op.kernels:
            return
        raise RuntimeError(f"There was no fake impl registered for {op.custom or op.qualname}: use register_fake")
    placed = tree_map(lambda x: x.to("meta") if isinstance(x, Tensor) else x, (args, kwargs))
    fake = tree_flatten(op.call(*placed))[0]
    if len(real) != len(fake):
        raise AssertionError(f"{op.qualname} gives {len(real)} results, and {len(fake)} without memory")
    for r, f in zip(real, fake):
        if isinstance(r, Tensor) and (r.shape != f.shape or r.dtype is not f.dtype):
            raise AssertionError(f"{op.qualname}: a result has shape {r.shape} and {r.dtype}, without memory {f.shape} and {f.dtype}")


_TESTS = {"test_schema": _schema, "test_autograd_registration": _registration, "test_faketensor": _fake}
