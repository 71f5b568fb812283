"""Calling a module with other parameters and buffers than its own."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...tensor import Tensor
from ..modules.module import Module

__all__ = ["functional_call"]

_MISSING: Any = object()


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Deprecated name of `torch.func.functional_call`."""
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a future version of PyTorch. "
        "Please use `torch.func.functional_call` instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def _functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`module(*args, **kwargs)` with the given tensors, by dotted name, in the place of its own; its own come back after.

    `tie_weights`: a tensor that the module has under several names is replaced under all of them. `strict`: the names
    must be exactly the module's. What the call assigns to a buffer is found in the dictionary afterwards.
    """
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights=tie_weights, strict=strict):
        return module(*arguments, **(kwargs or {}))


@contextmanager
def _reparametrize_module(
    module: Module,
    parameters_and_buffers: dict[str, Any],
    tie_weights: bool = False,
    strict: bool = False,
    stack_weights: bool = False,
) -> Iterator[None]:
    """Inside, the module has the given tensors. `stack_weights`: they are put back in reverse order."""
    given = _with_ties(module, parameters_and_buffers) if tie_weights else parameters_and_buffers
    if strict:
        _check_names(module, given)
    own: dict[str, Any] = {}
    try:
        for name, tensor in given.items():
            own[name] = _exchange(module, name, tensor)
        yield
    finally:
        names = list(reversed(own)) if stack_weights else list(own)
        latest = {name: _exchange(module, name, own[name]) for name in names}
        parameters_and_buffers.update({name: latest[name] for name in parameters_and_buffers if name in latest})


def _check_names(module: Module, given: dict[str, Any]) -> None:
    names = {name for name, _ in _named_tensors(module)}
    problems = [
        f"{kind} key(s): {', '.join(map(repr, sorted(keys)))}."
        for kind, keys in (("Unexpected", given.keys() - names), ("Missing", names - given.keys()))
        if keys
    ]
    if problems:
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(problems))


def _named_tensors(module: Module) -> Iterator[tuple[str, Any]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _with_ties(module: Module, given: dict[str, Any]) -> dict[str, Any]:
    """`given`, and the same tensors under the other names of what they replace."""
    groups: dict[int, list[str]] = {}
    for name, tensor in dict(_named_tensors(module)).items():
        groups.setdefault(id(tensor), []).append(name)
    result = dict(given)
    for names in groups.values():
        replaced = [name for name in names if name in given]
        if len(names) == 1 or not replaced:
            continue
        if len({id(given[name]) for name in replaced}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(names)}, which are tied. Consider using tie_weights=False"
            )
        result.update(dict.fromkeys(names, given[replaced[0]]))
    return result


def _exchange(module: Any, path: str, tensor: Any) -> Any:
    """Puts `tensor` at a dotted path, past all checks, and returns what was there; `_MISSING` stands for nothing."""
    parents, _, name = path.rpartition(".")
    for part in parents.split(".") if parents else ():
        if not hasattr(module, part):
            raise AttributeError(f"{module._get_name()} has no attribute `{part}`")
        module = getattr(module, part)
        if not isinstance(module, Module):
            raise TypeError(f"submodule `{parents}`: {module} is not an instance of torch.nn.Module")
    if tensor is not _MISSING and tensor is not None and not isinstance(tensor, Tensor):
        raise TypeError(f"{tensor} is not an instance of torch.Tensor")
    if name == "":
        raise KeyError('tensor name can\'t be empty string ""')
    for place in (module._parameters, module._buffers):
        if name in place:
            before = place[name]
            if tensor is _MISSING:
                del place[name]
            else:
                place[name] = tensor
            return before
    before = getattr(module, name, _MISSING)
    if before is not _MISSING and before is not None and not isinstance(before, Tensor):
        raise TypeError(f"attribute `{name}`: {before} is not an instance of torch.Tensor")
    if tensor is not _MISSING:
        setattr(module, name, tensor)
    elif before is not _MISSING:
        delattr(module, name)
    return before
