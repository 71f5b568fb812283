"""`torch.utils.checkpoint`: parts of a model that keep their inputs only, and are computed again in the backward.

Without re-entrance, pack hooks put an empty holder in place of every tensor that operators save; the first one that the
backward asks for runs the function again, with hooks that fill the holders in the same order.
"""

import contextlib
import enum
import warnings
import weakref
from typing import Any, Callable

from ..autograd import backward as run_backward
from ..autograd.function import Function
from ..autograd.grad_mode import enable_grad, grad_mode, no_grad
from ..autograd.graph import saved_tensors_hooks
from ..core.generator import default_generator
from ..core.naming import public
from ..ops.modes import modes, stacks
from ..tensor import Tensor

__all__ = [
    "CheckpointError", "CheckpointFunction", "CheckpointPolicy", "SelectiveCheckpointContext", "checkpoint", "checkpoint_sequential",
    "create_selective_checkpoint_contexts", "noop_context_fn", "set_checkpoint_debug_enabled", "set_checkpoint_early_stop",
]  # fmt: skip


@public("torch.utils.checkpoint")
class CheckpointError(RuntimeError):
    """The second run of a function saved other tensors than the first."""


class _Stop(Exception):
    """Everything that was asked for has been computed again."""


_early_stop: bool | None = None


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Any:
    """Context manager: whether checkpoints made inside stop the second run once all saved tensors are there."""
    global _early_stop
    previous, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = previous


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Any:
    """Context manager in place of the argument `debug`. Neither changes anything: a failed second run says what it always says."""
    yield


class CheckpointPolicy(enum.Enum):
    """What to do with the result of an operator inside a selective checkpoint."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4


CheckpointPolicy.__module__ = "torch.utils.checkpoint"


class SelectiveCheckpointContext:
    """What a policy is told beside the operator: whether this is the second run."""

    __module__ = "torch.utils.checkpoint"

    def __init__(self, *, is_recompute: bool) -> None:
        self.is_recompute = is_recompute


def create_selective_checkpoint_contexts(policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False) -> tuple[Any, Any]:
    """Two context managers for `context_fn`. Whatever the policy says, everything is computed again: gradients are the same.

    Raises TypeError unless the policy is a function or a list of operators.
    """
    if not callable(policy_fn_or_list) and not isinstance(policy_fn_or_list, list):
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    return noop_context_fn()


def noop_context_fn() -> tuple[Any, Any]:
    """Two context managers that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


class _Surroundings:
    """Random state and autocast as they were at the first run."""

    def __init__(self, preserve_rng_state: bool) -> None:
        self.state = default_generator.get_state() if preserve_rng_state else None
        self.autocast = stacks.autocast

    @contextlib.contextmanager
    def restored(self) -> Any:
        state = None if self.state is None else default_generator.get_state()
        autocast, stacks.autocast = stacks.autocast, self.autocast
        change = (self.autocast is not None) - (autocast is not None)
        modes.active += change
        if state is not None:
            default_generator.set_state(self.state)
        try:
            yield
        finally:
            modes.active -= change
            stacks.autocast = autocast
            if state is not None:
                default_generator.set_state(state)


def detach_variable(inputs: Any) -> tuple[Any, ...]:
    """The inputs outside the graph, each requiring a gradient where it did."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple(x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)


@public("torch.utils.checkpoint")
class CheckpointFunction(Function):
    """The re-entrant form: the backward runs the function again and calls backward on it."""

    @staticmethod
    def forward(ctx: Any, run_function: Any, preserve_rng_state: bool, *args: Any) -> Any:
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
        ctx.run_function = run_function
        ctx.surroundings = _Surroundings(preserve_rng_state)
        ctx.inputs = [None if isinstance(a, Tensor) else a for a in args]
        ctx.tensor_indices = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.save_for_backward(*[args[i] for i in ctx.tensor_indices])
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        if grad_mode.walk is not None and grad_mode.walk.needed is not None:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter to "
                ".backward(). To resolve this error, you can either set use_reentrant=False, or call .backward() without passing the "
                "`inputs` argument."
            )
        inputs: Any = list(ctx.inputs)
        for i, tensor in zip(ctx.tensor_indices, ctx.saved_tensors):
            inputs[i] = tensor
        inputs = detach_variable(tuple(inputs))
        with ctx.surroundings.restored(), enable_grad():
            outputs = ctx.run_function(*inputs)
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        pairs = [(o, g) for o, g in zip(outputs, grads) if isinstance(o, Tensor) and o.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        run_backward([o for o, _ in pairs], [g for _, g in pairs])
        return (None, None, *(x.grad if isinstance(x, Tensor) else None for x in inputs))


class _Holder:
    """Stands for a saved tensor that is not kept."""

    __slots__ = ("number", "__weakref__")

    def __init__(self, number: int) -> None:
        self.number = number


class _Run:
    """One call of a checkpointed function: what is needed to do it again, and what a second run gave, by backward walk."""

    def __init__(self, again: Callable[[], Any], early_stop: bool, described: Callable[[Any], Any]) -> None:
        self.again = again
        self.early_stop = early_stop
        self.described = described
        self.holders: list[Any] = []
        self.descriptions: list[Any] = []
        self.computed: Any = weakref.WeakKeyDictionary()

    def pack(self, tensor: Any) -> _Holder:
        holder = _Holder(len(self.holders))
        self.holders.append(weakref.ref(holder))
        self.descriptions.append(self.described(tensor))
        return holder

    def unpack(self, holder: _Holder) -> Any:
        walk = grad_mode.walk if grad_mode.walk is not None else _Holder(-1)
        found = self.computed.get(walk)
        if found is None:
            found = self.computed[walk] = self.compute()
        tensor = found.pop(holder.number, None)
        if tensor is None:
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. If you are calling "
                "ctx.saved_tensors in backward, make sure to do so only once. Otherwise please open an issue with details on your use case."
            )
        return tensor

    def compute(self) -> dict[int, Any]:
        """Runs the function again and catches what it saves."""
        found: dict[int, Any] = {}
        count = 0

        def pack(tensor: Any) -> Any:
            nonlocal count
            number, count = count, count + 1
            if number >= len(self.holders):
                raise CheckpointError(
                    "torch.utils.checkpoint: trying to save more tensors during recomputation than during the original forward pass.\n"
                    + _TIP
                )
            if self.holders[number]() is not None:
                found[number] = tensor
            if self.early_stop and count == len(self.holders):
                raise _Stop
            return tensor

        try:
            with saved_tensors_hooks(pack, lambda tensor: tensor), enable_grad():
                self.again()
        except _Stop:
            pass
        if count != len(self.holders):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and recomputation.\n"
                f"Number of tensors saved during forward: {len(self.holders)}\n"
                f"Number of tensors saved during recomputation: {count}.\n{_TIP}"
            )
        different = [
            f"tensor at position {i}:\nsaved metadata: {self.descriptions[i]}\nrecomputed metadata: {self.described(t)}\n"
            for i, t in found.items()
            if self.described(t) != self.descriptions[i]
        ]
        if different:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the forward "
                "pass.\n"
                f"{''.join(different)}.\n{_TIP}"
            )
        return found


_TIP = "The function must do the same at each call: the same operators on the same shapes."


def _described(tensor: Any) -> Any:
    return {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device}


_CHECKS: dict[str, Callable[[Any], Any]] = {"default": _described, "none": lambda tensor: None}


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, of which only the inputs are kept for the backward; it runs again there.

    `use_reentrant=False` works with every kind of backward. `preserve_rng_state=True` (a keyword) gives the second run the
    random numbers of the first. Raises CheckpointError where the second run saves other tensors than the first.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling checkpoint "
            "without use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to preserve the current "
            "default behavior, you can pass use_reentrant=True. Refer to docs for more details on the differences between the two "
            "variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs and use_reentrant:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if use_reentrant:
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in _CHECKS:
        raise ValueError(f"determinism_check should be one of {list(_CHECKS)} but got {determinism_check}")
    first, second = context_fn()
    if not grad_mode.enabled:
        with first:
            return function(*args, **kwargs)
    surroundings = _Surroundings(preserve)

    def again() -> None:
        with surroundings.restored(), second:
            function(*args, **kwargs)

    run = _Run(again, early_stop if _early_stop is None else _early_stop, _CHECKS[determinism_check])
    with saved_tensors_hooks(run.pack, run.unpack), first:
        return function(*args, **kwargs)


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Runs a Sequential (or a list of functions) in `segments` parts, all but the last one checkpointed."""
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. In version 2.9 we "
            "will raise an exception if use_reentrant is not passed. use_reentrant=False is recommended, but if you need to preserve the "
            "current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the differences between the "
            "two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def part(start: int, end: int) -> Callable[[Any], Any]:
        def forward(input: Any) -> Any:
            for function in functions[start:end]:
                input = function(input)
            return input

        return forward

    size = len(functions) // segments
    for start in range(0, size * (segments - 1), size):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(size * (segments - 1), len(functions))(input)
