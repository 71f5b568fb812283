"""The base of all optimizers: parameter groups, state, checkpoints and hooks."""

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad
from ..autograd.version import bump_version
from ..core import dtype as dtypes
from ..core.hooks import RemovableHandle
from ..core.naming import public
from ..tensor import Tensor, wrap

__all__ = ["Optimizer", "register_optimizer_step_pre_hook", "register_optimizer_step_post_hook"]

ParamsT = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Group = dict[str, Any]
State = dict[str, Any]

_global_optimizer_pre_hooks: dict[int, Callable] = OrderedDict()
_global_optimizer_post_hooks: dict[int, Callable] = OrderedDict()

_FUSED_DEVICES = ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]


class _RequiredParameter:
    """Stands for a default that every parameter group must bring itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _RequiredParameter()


def register_optimizer_step_pre_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of any optimizer; it may return new (args, kwargs)."""
    return _register(_global_optimizer_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of any optimizer."""
    return _register(_global_optimizer_post_hooks, hook)


def _register(hooks: Any, hook: Callable, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _to_scalar(x: Any) -> Any:
    """A tensor of one element without its dimensions; anything else as it is."""
    return x.squeeze() if isinstance(x, Tensor) and x.dim() != 0 else x


def _number(x: Any) -> Any:
    """An option as a Python number, also where it is given as a tensor."""
    return x.item() if isinstance(x, Tensor) else x


def _check_lr(lr: Any) -> None:
    """Raise ValueError for a tensor of several elements and for a negative rate."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    _check_positive("learning rate", lr)


def _check_positive(name: str, value: Any) -> None:
    if not 0.0 <= value:
        raise ValueError(f"Invalid {name}: {value}")


def _check_betas(betas: Any) -> None:
    for i in range(2):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def _new_scalar(value: float, fused: bool = False) -> Tensor:
    """A 0-dim tensor for a number in the state, such as the step count: float64 only if that is the default dtype."""
    double = dtypes.get_default_dtype() is dtypes.float64 and not fused
    return wrap(np.array(value, np.float64 if double else np.float32))


def _zeros_like(tensor: Tensor) -> Tensor:
    return wrap(np.zeros_like(tensor._array))


def _full_like(tensor: Tensor, value: Any) -> Tensor:
    return wrap(np.full_like(tensor._array, value))


def _device_dtype_check_for_fused(p: Tensor) -> None:
    if not p.is_floating_point():
        raise RuntimeError(
            "`fused=True` requires all the params to be floating point Tensors of "
            f"supported devices: {_FUSED_DEVICES} but {p.dtype} and {p.device.type}"
        )


def _check_fused(fused: Any, foreach: Any, differentiable: bool) -> None:
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


@public("torch.optim.optimizer")
class Optimizer:
    """Base class of the optimizers.

    Args:
        params: tensors, or pairs (name, tensor), or dicts that describe parameter groups: "params" and options of the group.
        defaults: the options that a group does not give itself.

    `param_groups` is the list of these dicts. `state` holds a dict for each parameter that has been updated. Raises TypeError
    if the parameters are not tensors or come in no order, ValueError if there are none, one is no leaf or appears twice.
    """

    _optimizer_step_pre_hooks: dict[int, Callable]
    _optimizer_step_post_hooks: dict[int, Callable]
    _optimizer_state_dict_pre_hooks: "OrderedDict[int, Callable]"
    _optimizer_state_dict_post_hooks: "OrderedDict[int, Callable]"
    _optimizer_load_state_dict_pre_hooks: "OrderedDict[int, Callable]"
    _optimizer_load_state_dict_post_hooks: "OrderedDict[int, Callable]"

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hooks()
        self._patch_step_function()
        if isinstance(params, Tensor):
            raise TypeError(
                f"params argument given to the optimizer should be an iterable of Tensors or dicts, but got {_typename(params)}"
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups: list[Any] = list(params)
        if len(groups) == 0:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _make_hooks(self) -> None:
        fields = self.__dict__
        for name in (
            "_optimizer_step_pre_hooks",
            "_optimizer_step_post_hooks",
            "_optimizer_state_dict_pre_hooks",
            "_optimizer_state_dict_post_hooks",
            "_optimizer_load_state_dict_pre_hooks",
            "_optimizer_load_state_dict_post_hooks",
        ):
            if name not in fields:
                fields[name] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hooks()
        self._patch_step_function()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"

    # --- stepping -----------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once. `closure` evaluates the model anew and returns the loss, which is returned."""
        raise NotImplementedError

    @staticmethod
    def profile_hook_step(func: Callable) -> Callable:
        """`func`, a `step` method, with the step hooks around it."""

        @functools.wraps(func)
        def step(self: Any, *args: Any, **kwargs: Any) -> Any:
            if (
                self._optimizer_step_pre_hooks
                or self._optimizer_step_post_hooks
                or _global_optimizer_pre_hooks
                or _global_optimizer_post_hooks
            ):
                return _step_with_hooks(func, self, (self, *args), kwargs)
            return func(self, *args, **kwargs)

        return step

    def _patch_step_function(self) -> None:
        """Put the step hooks around the class's `step`, once; a user's class gets them too."""
        cls: Any = type(self)
        if not getattr(cls.step, "hooked", None):
            cls.step = self.profile_hook_step(cls.step)
            cls.step.hooked = True

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or set them to zero where they are if `set_to_none` is False."""
        for group in self.param_groups:
            for p in group["params"]:
                grad = p._grad
                if grad is None:
                    continue
                if set_to_none:
                    p._grad = None
                    continue
                if grad.grad_fn is not None:
                    grad.detach_()
                else:
                    grad.requires_grad_(False)
                grad._array[...] = 0
                bump_version(grad)

    def add_param_group(self, param_group: Group) -> None:
        """Add a group to `param_groups`: a dict with "params" and the options of the group.

        Raises TypeError if it is not a dict, its parameters come in no order (a set) or are not tensors; ValueError if one is
        no leaf, belongs to another group, only some have names, or a required option is missing.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but "
                "the ordering of tensors in sets will change between runs. Please use a list instead."
            )
        else:
            params = list(params)
        names = [entry[0] for entry in params if isinstance(entry, tuple)]
        param_group["params"] = params = [entry[1] if isinstance(entry, tuple) else entry for entry in params]
        if names:
            if len(names) != len(params):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            param_group["param_names"] = names
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {_typename(p)}")
            if not self.defaults.get("differentiable", None) and not (p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        if len(params) != len(set(params)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        known: set[Tensor] = set()
        for group in self.param_groups:
            known.update(group["params"])
            if ("param_names" in param_group) != ("param_names" in group):
                which = "with names" if "param_names" in param_group else "without names"
                raise ValueError(
                    f"all optimizer param groups should be with/without names. cannot add param group {which} to the optimizer"
                )
        if not known.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state as a dict: "state", by number of the parameter, and "param_groups", with such numbers as "params".

        The tensors are those of the optimizer, not copies.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        start = 0
        for group in self.param_groups:
            # a parameter that is in the group twice gets its last number
            numbers.update({id(p): i for i, p in enumerate(group["params"], start) if id(p) not in numbers})
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
            start += len(packed["params"])
        state = {(numbers[id(key)] if isinstance(key, Tensor) else key): value for key, value in self.state.items()}
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave. Floating-point state is cast to the dtype of its parameter.

        Raises ValueError if the number of groups, or of parameters in one, differs.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        groups = self.param_groups
        saved_groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(group["params"]) != len(saved["params"]) for group, saved in zip(groups, saved_groups)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group")
        numbers = chain.from_iterable(saved["params"] for saved in saved_groups)
        params = dict(zip(numbers, chain.from_iterable(group["params"] for group in groups)))
        state: defaultdict[Any, Any] = defaultdict(dict)
        for number, value in state_dict["state"].items():
            p = params.get(number)
            if p is None:  # belongs to no parameter
                state[number] = value
            else:
                state[p] = _adapt(p, value, number, state_dict["param_groups"])
        for group, saved in zip(groups, saved_groups):
            saved["params"] = group["params"]
            if "param_names" in group and "param_names" not in saved:
                saved["param_names"] = group["param_names"]
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    @staticmethod
    def _process_value_according_to_param_policy(
        param: Tensor, value: Tensor, param_id: int, param_groups: list[Group], key: Any = None
    ) -> Tensor:
        """A loaded state tensor as its parameter needs it: floating point as the parameter is; a step count stays as it is."""
        if key == "step":
            for group in param_groups:
                if param_id in group["params"]:
                    if group.get("capturable", False) or group.get("fused", False):
                        return value.to(dtype=dtypes.float32, device=param.device)
                    break
            return value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)

    # --- hooks --------------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new (args, kwargs)."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict()`; `prepend`: before the hooks that are there."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict()`; it may return another dict to be given out."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)`, with a shallow copy, before loading; it may return another dict to be loaded."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _typename(obj: Any) -> str:
    from ..utils._typename import typename

    return typename(obj)


def _step_with_hooks(func: Callable, optimizer: Optimizer, args: tuple, kwargs: dict[str, Any]) -> Any:
    for hook in chain(_global_optimizer_pre_hooks.values(), optimizer._optimizer_step_pre_hooks.values()):
        result = hook(optimizer, args, kwargs)
        if result is not None:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(f"{func} must return None or a tuple of (new_args, new_kwargs), but got {result}.")
            args, kwargs = result
    out = func(*args, **kwargs)
    for hook in chain(optimizer._optimizer_step_post_hooks.values(), _global_optimizer_post_hooks.values()):
        hook(optimizer, args, kwargs)
    return out


def _adapt(p: Tensor, value: Any, number: int, groups: list[Group], key: Any = None) -> Any:
    """Loaded state of a parameter, with all tensors in it as the parameter needs them."""
    if isinstance(value, Tensor):
        return Optimizer._process_value_according_to_param_policy(p, value, number, groups, key)
    if isinstance(value, dict):
        return {k: _adapt(p, v, number, groups, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return type(value)(_adapt(p, v, number, groups) for v in value)  # type: ignore[call-arg]
    return value


class KernelOptimizer(Optimizer):
    """Base of the optimizers that update each parameter from its gradient and its own state, by one kernel for a group.

    A subclass defines `_init_state`, which fills the state of a parameter at its first step, and `_update`, which hands
    the arrays of a group to the kernel.
    """

    _missing_options: dict[str, Any] = {}
    """Options that checkpoints of older versions lack."""
    _scalar_state: tuple[str, ...] = ("step",)
    """State that older versions kept as Python numbers."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._missing_options.items():
                group.setdefault(name, value)
            for state_of_one in filter(None, map(self.state.get, group["params"])):
                for name in self._scalar_state:
                    if not isinstance(state_of_one[name], Tensor):
                        state_of_one[name] = _new_scalar(float(state_of_one[name]), bool(group.get("fused")))

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        raise NotImplementedError

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        raise NotImplementedError

    def _update_sparse(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        """`_update` where a gradient is sparse: raise RuntimeError, unless a subclass takes them."""
        if any(hasattr(g, "layout") for g in grads):
            from ._sparse import refuse

            refuse(self)

    def _refuse(self, group: Group) -> None:
        """A step with `capturable` on the CPU: raise what PyTorch raises."""
        _refuse_capturable(xla=not group["foreach"])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient.

        `closure` evaluates the model anew (with gradients) and returns the loss, which is returned; None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        state = self.state
        for group in self.param_groups:
            if group.get("differentiable"):
                from ._differentiable import step_group

                step_group(self, group)
                continue
            params, grads, states = [], [], []
            for p in group["params"]:
                grad = p._grad
                if grad is None:
                    continue
                p_state = state[p]
                if not p_state:
                    try:
                        self._init_state(group, p, p_state)
                    except NotImplementedError:
                        self._update_sparse(group, [], [grad._array], [])
                        raise
                params.append(p._array)
                grads.append(grad._array)
                states.append(p_state)
                bump_version(p)
            if params:
                if group.get("capturable") and not group.get("fused"):
                    self._refuse(group)
                if list(map(type, grads)).count(np.ndarray) != len(grads) and any(hasattr(g, "layout") for g in grads):
                    self._update_sparse(group, params, grads, states)
                    continue
                self._update(group, params, grads, states)
        return loss

    def _unscale(self, grads: list, fused: Any) -> bool:
        """Whether the step is to be taken, by what a gradient scaler has left; a fused step divides by the scale first."""
        if "grad_scale" not in self.__dict__ and "found_inf" not in self.__dict__:
            return True
        scale, found_inf = self.__dict__.get("grad_scale"), self.__dict__.get("found_inf")
        if scale is None and found_inf is None:
            return True
        if not fused:
            raise AssertionError("Expected grad_scale and found_inf to be None")
        if found_inf is not None and found_inf.item() == 1.0:
            return False
        if scale is not None:
            divisor = np.float32(scale.item())
            for grad in grads:
                grad[...] = grad / divisor
        return True


def _refuse_capturable(names: str = "params and state_steps", xla: bool = True) -> None:
    devices = ["cuda", "xpu", "hpu", "privateuseone"] + ["xla"] * xla
    raise AssertionError(f"If capturable=True, {names} must be on supported devices: {devices}.")
