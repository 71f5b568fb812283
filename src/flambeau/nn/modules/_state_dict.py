"""A module's state as a dictionary, and back: the functions here are methods of `Module`."""

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from typing import Any, Callable

from ...autograd.grad_mode import no_grad
from ...core.naming import public
from ...tensor import Tensor
from ...utils.hooks import RemovableHandle
from ..parameter import Parameter, is_lazy
from . import _hooks

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"


@public("torch.nn.modules.module")
class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` returns: the keys that found no partner, on either side."""

    __slots__ = ()

    def __repr__(self) -> str:
        if self.missing_keys or self.unexpected_keys:
            return super().__repr__()
        return "<All keys matched successfully>"

    __str__ = __repr__


def get_extra_state(self: Any) -> Any:
    """What else belongs into this module's state: override it together with `set_extra_state`. Any picklable object."""
    raise RuntimeError("Module.get_extra_state() must be overridden by the subclass that has extra state, and is not called otherwise.")


def set_extra_state(self: Any, state: Any) -> None:
    """Takes back, in `load_state_dict`, what `get_extra_state` gave."""
    raise RuntimeError("Module.set_extra_state() must be overridden by the subclass that has extra state, and is not called otherwise.")


def _save_to_state_dict(self: Any, destination: Any, prefix: str, keep_vars: bool) -> None:
    """Writes this module's own parameters, persistent buffers and extra state into `destination`, without its children's."""
    for name, parameter in self._parameters.items():
        if parameter is not None:
            destination[prefix + name] = parameter if keep_vars else parameter.detach()
    transient = self._non_persistent_buffers_set
    for name, buffer in self._buffers.items():
        if buffer is not None and name not in transient:
            destination[prefix + name] = buffer if keep_vars else buffer.detach()
    if type(self).get_extra_state is not get_extra_state:
        destination[prefix + _EXTRA_STATE_KEY_SUFFIX] = self.get_extra_state()


def state_dict(self: Any, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
    """An ordered dictionary of all parameters and persistent buffers, by dotted name; the tensors share their memory.

    Args: `destination`, a dictionary to write into; `prefix`, put before every name; `keep_vars`, if True the parameters
    themselves are returned, not detached. The attribute `_metadata` of the dictionary holds each module's version.
    """
    if args:
        warnings.warn(
            "Positional args are being deprecated, use kwargs instead. Refer to "
            "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for details.",
            FutureWarning,
            stacklevel=2,
        )
        destination = args[0] if destination is None else destination
        prefix = args[1] if len(args) > 1 and prefix == "" else prefix
        keep_vars = args[2] if len(args) > 2 and keep_vars is False else keep_vars
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()
    local_metadata = {"version": self._version}
    if hasattr(destination, "_metadata"):
        destination._metadata[prefix[:-1]] = local_metadata
    for hook in self._state_dict_pre_hooks.values():
        hook(self, prefix, keep_vars)
    self._save_to_state_dict(destination, prefix, keep_vars)
    for name, module in self._modules.items():
        if module is not None:
            module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    for hook in self._state_dict_hooks.values():
        returned = hook(self, destination, prefix, local_metadata)
        if returned is None:
            continue
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError("state_dict post-hook must return None")
        destination = returned
    return destination


def _register_state_dict_hook(self: Any, hook: Callable) -> RemovableHandle:
    """Older form of `register_state_dict_post_hook`: the hook may return another dictionary."""
    if getattr(hook, "_from_public_api", False):
        raise RuntimeError(
            "Cannot register the same function as the state dict post hook that was previously registered via register_state_dict_post_hook"
        )
    return _hooks.add(self._state_dict_hooks, hook)


def register_state_dict_post_hook(self: Any, hook: Any) -> RemovableHandle:
    """Calls `hook(module, state_dict, prefix, local_metadata)` after `state_dict`; it may change the dictionary in place."""
    hook._from_public_api = True
    return _hooks.add(self._state_dict_hooks, hook)


def register_state_dict_pre_hook(self: Any, hook: Callable) -> RemovableHandle:
    """Calls `hook(module, prefix, keep_vars)` before `state_dict` gathers anything."""
    return _hooks.add(self._state_dict_pre_hooks, hook)


def _register_load_state_dict_pre_hook(self: Any, hook: Callable, with_module: bool = False) -> RemovableHandle:
    """As the public form; `with_module` says whether the hook takes the module first."""
    return _hooks.add(self._load_state_dict_pre_hooks, _hooks._WrappedHook(hook, self if with_module else None))


def register_load_state_dict_pre_hook(self: Any, hook: Callable) -> RemovableHandle:
    """Calls `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` before loading."""
    return self._register_load_state_dict_pre_hook(hook, with_module=True)


def register_load_state_dict_post_hook(self: Any, hook: Callable) -> RemovableHandle:
    """Calls `hook(module, incompatible_keys)` after loading; it may change the lists in place."""
    return _hooks.add(self._load_state_dict_post_hooks, hook)


def _load_from_state_dict(
    self: Any,
    state_dict: Any,
    prefix: str,
    local_metadata: dict,
    strict: bool,
    missing_keys: list[str],
    unexpected_keys: list[str],
    error_msgs: list[str],
) -> None:
    """Loads this module's own entries, without its children's, and notes what is missing, unexpected or wrong.

    Subclasses override it to translate older versions (`local_metadata.get("version")`).
    """
    for hook in self._load_state_dict_pre_hooks.values():
        hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
    own = {name: parameter for name, parameter in self._parameters.items() if parameter is not None}
    for name, buffer in self._buffers.items():
        if buffer is not None and name not in self._non_persistent_buffers_set:
            own[name] = buffer
    assign = local_metadata.get("assign_to_params_buffers", False)
    for name, current in own.items():
        key = prefix + name
        if key in state_dict:
            problem = _load_tensor(self, name, key, current, state_dict[key], assign)
            if problem:
                error_msgs.append(problem)
        elif strict:
            missing_keys.append(key)

    extra_key = prefix + _EXTRA_STATE_KEY_SUFFIX
    if type(self).set_extra_state is not set_extra_state:
        if extra_key in state_dict:
            self.set_extra_state(state_dict[extra_key])
        elif strict:
            missing_keys.append(extra_key)
    elif strict and extra_key in state_dict:
        unexpected_keys.append(extra_key)

    if strict:
        for key in state_dict:
            if key.startswith(prefix) and key != extra_key:
                first, dot, _ = key[len(prefix) :].partition(".")
                if first not in (self._modules if dot else own):
                    unexpected_keys.append(key)


def _load_tensor(module: Any, name: str, key: str, current: Any, loaded: Any, assign: bool) -> str | None:
    """Copies (or assigns) one entry; returns what is wrong with it, if anything."""
    if not (isinstance(loaded, Tensor) or hasattr(type(loaded), "__torch_function__")):
        return (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint but received '
            f"{type(loaded)}"
        )
    if not is_lazy(current):
        if len(current.shape) == 0 and len(loaded.shape) == 1 and loaded.shape[0] == 1:
            loaded = loaded[0]  # files of PyTorch before 0.4 have no 0-dim tensors
        if loaded.shape != current.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {loaded.shape} from checkpoint, the shape in current model is "
                f"{current.shape}."
            )
    if current.is_meta and not loaded.is_meta and not assign:
        warnings.warn(
            f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current model, which is a no-op. "
            "(Did you mean to pass `assign=True` to assign items in the state dictionary to their corresponding key in the module instead "
            "of copying them in place?)",
            stacklevel=3,
        )
    try:
        with no_grad():
            if not assign:
                current.copy_(loaded)
                return None
            if isinstance(current, Parameter):
                if isinstance(loaded, Parameter):
                    loaded.requires_grad_(current.requires_grad)
                else:
                    loaded = Parameter(loaded, requires_grad=current.requires_grad)
            setattr(module, name, loaded)
    except Exception as error:
        return (
            f'While copying the parameter named "{key}", whose dimensions in the model are {current.size()} and whose dimensions in the '
            f"checkpoint are {loaded.size()}, an exception occurred : {error.args}."
        )
    return None


def load_state_dict(self: Any, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> _IncompatibleKeys:
    """Copies parameters and buffers from `state_dict` into this module and its descendants.

    Args: `strict`, raise if the keys differ; `assign`, put the given tensors in the place of the present ones, keeping their
    dtype and device (`requires_grad` stays as it is). Returns the missing and the unexpected keys.
    Raises RuntimeError with everything that is wrong; TypeError if `state_dict` is not a mapping.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []
    metadata = getattr(state_dict, "_metadata", None)
    entries: Any = OrderedDict(state_dict)
    if metadata is not None:
        entries._metadata = metadata

    def load(module: Any, entries: Any, prefix: str) -> None:
        local_metadata = {} if metadata is None else metadata.get(prefix[:-1], {})
        if assign:
            local_metadata["assign_to_params_buffers"] = assign
        module._load_from_state_dict(entries, prefix, local_metadata, True, missing, unexpected, errors)
        for name, child in module._modules.items():
            if child is not None:
                below = f"{prefix}{name}."
                load(child, {key: value for key, value in entries.items() if key.startswith(below)}, below)
        keys = _IncompatibleKeys(missing, unexpected)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, keys) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, if "
                    "incompatible_keys need to be modified, it should be done inplace."
                )

    load(self, entries, "")
    if strict:
        for keys, kind in ((unexpected, "Unexpected"), (missing, "Missing")):
            if keys:
                errors.insert(0, f"{kind} key(s) in state_dict: {', '.join(map(_quoted, keys))}. ")
    if errors:
        raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(errors))
    return _IncompatibleKeys(missing, unexpected)


def _quoted(key: str) -> str:
    return f'"{key}"'
