"""Hooks on modules: those common to all modules, and the way of a call when there are any.

`Module.__call__` looks at one flag, `in_use`. It is raised by the first hook that is registered on whatever module (or
that comes with an unpickled one) and stays up; until then a call goes straight to `forward`.
"""

import functools
import warnings
import weakref
from collections import OrderedDict
from typing import Any, Callable

from ...core.naming import public
from ...tensor import Tensor
from ...utils.hooks import BackwardHook, RemovableHandle

in_use = False

_global_buffer_registration_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_module_registration_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_parameter_registration_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_backward_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_backward_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_forward_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_forward_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_forward_hooks_always_called: OrderedDict[int, bool] = OrderedDict()
_global_forward_hooks_with_kwargs: OrderedDict[int, bool] = OrderedDict()
_global_is_full_backward_hook: bool | None = None


def add(hooks: Any, hook: Callable, prepend: bool = False, **options: Any) -> RemovableHandle:
    """Puts `hook` into the dictionary `hooks`; each option is a pair (dictionary, whether it is on)."""
    global in_use
    in_use = True
    handle = RemovableHandle(hooks, extra_dict=[extra for extra, _ in options.values()])
    hooks[handle.id] = hook
    for extra, on in options.values():
        if on:
            extra[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_module_buffer_registration_hook(hook: Callable[..., None]) -> RemovableHandle:
    """Calls `hook(module, name, buffer)` on every `register_buffer`; what it returns, unless None, is registered instead."""
    return add(_global_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Callable[..., None]) -> RemovableHandle:
    """Calls `hook(module, name, submodule)` on every registration of a submodule; it may return another one."""
    return add(_global_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook: Callable[..., None]) -> RemovableHandle:
    """Calls `hook(module, name, parameter)` on every `register_parameter`; it may return another one."""
    return add(_global_parameter_registration_hooks, hook)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, args)` before the forward of every module, ahead of the module's own; it may return new arguments."""
    return add(_global_forward_pre_hooks, hook)


def register_module_forward_hook(hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False) -> RemovableHandle:
    """Calls `hook(module, args, output)` after the forward of every module, ahead of the module's own; it may return a new output.

    `with_kwargs`: the hook also takes the keyword arguments, after `args`. `always_call`: it runs if forward raises, too.
    """
    return add(
        _global_forward_hooks,
        hook,
        with_kwargs=(_global_forward_hooks_with_kwargs, with_kwargs),
        always_call=(_global_forward_hooks_always_called, always_call),
    )


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """As `Module.register_full_backward_pre_hook`, for every module and ahead of the module's own."""
    return add(_global_backward_pre_hooks, hook)


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """The deprecated form of `register_module_full_backward_hook`: it sees the gradients of the last operator only."""
    return _add_global_backward_hook(hook, full=False)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """As `Module.register_full_backward_hook`, for every module and ahead of the module's own.

    Raises RuntimeError once non-full hooks were registered.
    """
    return _add_global_backward_hook(hook, full=True)


def _add_global_backward_hook(hook: Callable, full: bool) -> RemovableHandle:
    global _global_is_full_backward_hook
    if _global_is_full_backward_hook is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. Please use only one of them."
        )
    _global_is_full_backward_hook = full
    return add(_global_backward_hooks, hook)


def _has_any_global_hook() -> bool:
    return bool(
        _global_backward_pre_hooks
        or _global_backward_hooks
        or _global_forward_pre_hooks
        or _global_forward_hooks
        or _global_forward_hooks_always_called
        or _global_forward_hooks_with_kwargs
    )


@public("torch.nn.modules.module")
class _WrappedHook:
    """A hook that may be given its module as first argument, held weakly so that module and hook are no cycle."""

    def __init__(self, hook: Callable, module: Any = None) -> None:
        self.hook = hook
        functools.update_wrapper(self, hook)
        self.with_module = module is not None
        if module is not None:
            self.module = weakref.ref(module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.with_module:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self) -> dict:
        state = {"hook": self.hook, "with_module": self.with_module}
        return state | {"module": self.module()} if self.with_module else state

    def __setstate__(self, state: dict) -> None:
        self.hook = state["hook"]
        self.with_module = state["with_module"]
        if self.with_module:
            if state["module"] is None:
                raise RuntimeError("You are trying to revive the hook of a dead Module!")
            self.module = weakref.ref(state["module"])


def call(module: Any, args: tuple, kwargs: dict) -> Any:
    """A module's call when hooks exist somewhere: straight on if none concerns this module."""
    if not (
        module._backward_hooks
        or module._backward_pre_hooks
        or module._forward_hooks
        or module._forward_pre_hooks
        or _global_backward_pre_hooks
        or _global_backward_hooks
        or _global_forward_hooks
        or _global_forward_pre_hooks
    ):
        return module.forward(*args, **kwargs)
    running = _Call(module, args, kwargs)
    try:
        return running.run()
    except Exception:
        running.run_always_called()
        raise


class _Call:
    """One call with hooks: what the arguments and the result have become, and which `always_call` hooks have run."""

    __slots__ = ("args", "done", "kwargs", "module", "result")

    def __init__(self, module: Any, args: tuple, kwargs: dict) -> None:
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.done: set[int] = set()

    def run(self) -> Any:
        module = self.module
        pre_hooks = [*_global_backward_pre_hooks.values(), *module._backward_pre_hooks.values()]
        full_hooks, last_operator_hooks = module._get_backward_hooks()
        self.run_forward_pre_hooks()
        backward = None
        if full_hooks or pre_hooks:
            backward = BackwardHook(module, full_hooks, pre_hooks)
            self.args = backward.setup_input_hook(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        self.run_forward_hooks()
        if backward is not None:
            if not isinstance(self.result, (Tensor, tuple)):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                    f"{type(self.result)}",
                    stacklevel=5,
                )
            self.result = backward.setup_output_hook(self.result)
        if last_operator_hooks:
            self.hook_last_operator(last_operator_hooks)
        return self.result

    def run_forward_pre_hooks(self) -> None:
        module = self.module
        for key, hook in (*_global_forward_pre_hooks.items(), *module._forward_pre_hooks.items()):
            if key in module._forward_pre_hooks_with_kwargs:
                changed = hook(module, self.args, self.kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}.")
                self.args, self.kwargs = changed
            else:
                changed = hook(module, self.args)
                if changed is not None:
                    self.args = changed if isinstance(changed, tuple) else (changed,)

    def run_forward_hooks(self) -> None:
        always = (_global_forward_hooks_always_called, self.module._forward_hooks_always_called)
        for key, hook in (*_global_forward_hooks.items(), *self.module._forward_hooks.items()):
            if key in always[0] or key in always[1]:
                self.done.add(key)
            self.run_forward_hook(key, hook)

    def run_forward_hook(self, key: int, hook: Callable) -> None:
        module = self.module
        if key in module._forward_hooks_with_kwargs or key in _global_forward_hooks_with_kwargs:
            changed = hook(module, self.args, self.kwargs, self.result)
        else:
            changed = hook(module, self.args, self.result)
        if changed is not None:
            self.result = changed

    def run_always_called(self) -> None:
        """After an error: the `always_call` hooks that have not run. What they raise becomes a warning."""
        for kind, hooks, always in (
            ("global module", _global_forward_hooks, _global_forward_hooks_always_called),
            ("module", self.module._forward_hooks, self.module._forward_hooks_always_called),
        ):
            for key, hook in hooks.items():
                if key not in always or key in self.done:
                    continue
                try:
                    self.run_forward_hook(key, hook)
                except Exception as error:
                    warnings.warn(
                        f"{kind} forward hook with ``always_call=True`` raised an exception that was silenced as another error was raised "
                        f"in forward: {error}",
                        stacklevel=4,
                    )

    def hook_last_operator(self, hooks: list[Callable]) -> None:
        """The deprecated backward hooks: on the node that produced the (first) output."""
        first = self.result
        while not isinstance(first, Tensor):
            first = next(v for v in first.values() if isinstance(v, Tensor)) if isinstance(first, dict) else first[0]
        node = first.grad_fn
        if node is not None:
            for hook in hooks:
                node.register_hook(_WrappedHook(hook, self.module))
            _warn_of_missing_gradients(self.args, self.result, node)


def _warn_of_missing_gradients(inputs: Any, result: Any, node: Any) -> None:
    """Says why a non-full backward hook won't see all gradients of its module, if so."""
    advice = " Please use register_full_backward_hook to get the documented behavior."

    def warn(circumstance: str, missing: str, advice: str = advice) -> None:
        warnings.warn(
            f"Using {circumstance} is deprecated and will be removed in future versions. This hook will be missing some {missing}.{advice}",
            FutureWarning,
            stacklevel=7,
        )

    def all_tensors(values: Any) -> bool:
        return isinstance(values, Tensor) or isinstance(values, tuple) and all(isinstance(v, Tensor) for v in values)

    if not all_tensors(result):
        return warn("non-full backward hooks on a Module that does not return a single Tensor or a tuple of Tensors", "of the grad_output")
    if not all_tensors(inputs):
        return warn(
            "non-full backward hooks on a Module that does not take as input a single Tensor or a tuple of Tensors", "of the grad_input"
        )
    results = result if isinstance(result, tuple) else (result,)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    nodes = {r.grad_fn for r in results if r.grad_fn is not None}
    if not nodes or len(nodes) == 1 and node not in nodes:
        warn("a non-full backward hook when outputs are nested in python data structure", "grad_output", "")
    elif len(nodes) > 1:
        warn("a non-full backward hook when outputs are generated by different autograd Nodes", "grad_output")
    elif {i.grad_fn for i in arguments if i.grad_fn is not None} != {function for function, _ in node.next_functions}:
        warn("a non-full backward hook when the forward contains multiple autograd Nodes", "grad_input")
    return None
