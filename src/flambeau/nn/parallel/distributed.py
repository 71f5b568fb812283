"""`DistributedDataParallel`, for a process group of one: gradients are those of the module, there is nobody to average with."""

from contextlib import contextmanager
from typing import Any, Iterator

from ...autograd.grad_mode import is_grad_enabled
from ...core.naming import public
from ...tensor import Tensor
from ..modules.module import Module
from ..parameter import UninitializedParameter

__all__ = ["DistributedDataParallel"]

_UNFINISHED = (
    "Expected to have finished reduction in the prior iteration before starting a new one. This error indicates that your module has "
    "parameters that were not used in producing loss. You can enable unused parameter detection by passing the keyword argument "
    "`find_unused_parameters=True` to `torch.nn.parallel.DistributedDataParallel`, and by \nmaking sure all `forward` function outputs "
    "participate in calculating loss. \nIf you already have done the above, then the distributed data parallel module wasn't able to "
    "locate the output tensors in the return value of your module's `forward` function. Please include the loss function and the "
    "structure of the return value of `forward` of your module when reporting this issue (e.g. list, dict, iterable).\nParameter indices "
    "which did not receive grad for rank 0: {}\n In addition, you can set the environment variable TORCH_DISTRIBUTED_DEBUG to either INFO "
    "or DETAIL to print out information about which particular parameters did not receive gradient on this rank as part of this error"
)


class _Reducer:
    """Which parameters have got their gradients in this iteration.

    With several processes each of them would be averaged as it comes; what remains with one is that all of them must come.
    """

    def __init__(self, parameters: list[Any]) -> None:
        self.count = len(parameters)
        self.expecting = False
        self.missing: set[int] | None = None  # None until the first gradient of an iteration has come
        self.unused: set[int] = set()
        self.hooks = [parameter.register_post_accumulate_grad_hook(self._hook(i)) for i, parameter in enumerate(parameters)]

    def _hook(self, index: int) -> Any:
        def arrived(parameter: Any) -> None:
            if self.expecting:
                if self.missing is None:
                    self.missing = set(range(self.count)) - self.unused
                self.missing.discard(index)
                if not self.missing:
                    self.expecting, self.missing = False, None

        return arrived

    def begin(self) -> None:
        """A forward pass begins. Raises RuntimeError where gradients of the one before have not come."""
        if self.missing:
            raise RuntimeError(_UNFINISHED.format(" ".join(map(str, sorted(self.missing)))))

    def expect(self, unused: set[int]) -> None:
        """A forward pass has ended, in which the parameters `unused` had no part."""
        self.expecting, self.missing, self.unused = True, None, unused


def _tensors(output: Any) -> Iterator[Any]:
    """The tensors in what a module returned."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, (list, tuple)):
        for value in output:
            yield from _tensors(value)


def _reached(outputs: Iterator[Any]) -> set[int]:
    """The ids of the leaves that the outputs were computed of."""
    found: set[int] = set()
    seen: set[int] = set()
    waiting = [output.grad_fn for output in outputs if output.grad_fn is not None]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            found.add(id(leaf))
        waiting.extend(following for following, _ in node.next_functions if following is not None)
    return found


@public("torch.nn.parallel.distributed")
class DistributedDataParallel(Module):
    """A module whose gradients are averaged over the processes of a group, here one; its parameters are named `module.*`.

    `torch.distributed.init_process_group` comes before it. As in PyTorch, all parameters must get a gradient in each
    iteration unless `find_unused_parameters` is set or the pass is within `no_sync()`; else the next forward raises RuntimeError.
    Raises ValueError for device ids, RuntimeError for a module without parameters that need gradients or with lazy ones.
    """

    def __init__(
        self,
        module: Any,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool | None = None,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        delay_all_reduce_named_params: Any = None,
        param_to_hook_all_reduce: Any = None,
        mixed_precision: Any = None,
        device_mesh: Any = None,
        skip_all_reduce_unused_params: bool = False,
        bucket_cap_mb_list: list[int] | None = None,
        batched_grad_copy: bool = False,
        forward_sync_buffers: bool | None = None,
    ) -> None:
        super().__init__()
        from ...distributed.groups import _get_default_group, resolve

        if (delay_all_reduce_named_params is not None) != (param_to_hook_all_reduce is not None):
            raise ValueError("delay_all_reduce_named_params and param_to_hook_all_reduce need to be set at the same time.")
        for name, value in (("mixed_precision", mixed_precision), ("device_mesh", device_mesh)):
            if value is not None:
                raise NotImplementedError(f"DistributedDataParallel with {name} is not supported yet")
        self.process_group = _get_default_group() if process_group is None else resolve(process_group)
        self.parameters_to_ignore = set(getattr(module, "_ddp_params_and_buffers_to_ignore", ()))
        self.parameters_to_ignore |= {name for name, _ in delay_all_reduce_named_params or ()}
        self._module_parameters = [p for name, p in module.named_parameters() if name not in self.parameters_to_ignore]
        if not any(p.requires_grad for p in self._module_parameters):
            raise RuntimeError("DistributedDataParallel is not needed when a module doesn't have any parameter that requires a gradient.")
        if device_ids is not None and len(device_ids) > 1:
            raise ValueError("device_ids can only be None or contain a single element.")
        if device_ids or output_device:
            raise ValueError(
                "DistributedDataParallel device_ids and output_device arguments only work with single-device/multiple-device GPU modules "
                f"or CPU modules, but got device_ids {device_ids}, output_device {output_device}, and module parameters "
                f"{ {p.device for p in self._module_parameters} }."
            )
        self.device_ids = self.output_device = None
        self.is_multi_device_module = False
        self.static_graph = static_graph
        self.dim = dim
        self.module = module
        self.device = self._module_parameters[0].device
        self.device_type = self.device.type
        self.forward_sync_buffers = _sync_buffers(broadcast_buffers, forward_sync_buffers)
        self.find_unused_parameters = find_unused_parameters
        self.require_backward_grad_sync = self.require_forward_param_sync = True
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.batched_grad_copy = batched_grad_copy
        self.mixed_precision = mixed_precision
        if check_reduction:
            import warnings

            warnings.warn(
                "The `check_reduction` argument in `DistributedDataParallel` module is deprecated. Please avoid using it.",
                FutureWarning,
                stacklevel=2,
            )
        if any(isinstance(p, UninitializedParameter) for p in self._module_parameters):
            raise RuntimeError(
                "Modules with uninitialized parameters can't be used with `DistributedDataParallel`. Run a dummy forward pass to correctly "
                "initialize the modules"
            )
        self.skip_all_reduce_unused_params = skip_all_reduce_unused_params
        self._begin_reducing()

    def _begin_reducing(self) -> None:
        self._reduced = [p for p in self._module_parameters if p.requires_grad]
        self.reducer = _Reducer(self._reduced)

    @property
    def broadcast_buffers(self) -> bool:
        """The older name of `forward_sync_buffers`."""
        return self.forward_sync_buffers

    @broadcast_buffers.setter
    def broadcast_buffers(self, value: bool) -> None:
        self.forward_sync_buffers = value

    def __getstate__(self) -> dict[str, Any]:
        self._check_default_group()
        state = self.__dict__.copy()
        for name in ("process_group", "reducer", "_reduced"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        from ...distributed.groups import _get_default_group

        self.process_group = _get_default_group()
        super().__setstate__(state)
        self.__dict__["forward_sync_buffers"] = self.__dict__.pop("broadcast_buffers", self.__dict__.get("forward_sync_buffers", True))
        self.__dict__.setdefault("require_forward_param_sync", True)
        self.__dict__.setdefault("require_backward_grad_sync", True)
        self._begin_reducing()

    def _check_default_group(self) -> None:
        from ...distributed.groups import _get_default_group

        if self.process_group is not _get_default_group():
            raise RuntimeError(
                "DDP Pickling/Unpickling are only supported when using DDP with the default process group. That is, when you have called "
                "init_process_group and have not passed process_group argument to DDP constructor"
            )

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """A context in which gradients are only accumulated; they are averaged after the first pass behind it."""
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextmanager
    def join(
        self, divide_by_initial_world_size: bool = True, enable: bool = True, throw_on_early_termination: bool = False
    ) -> Iterator[None]:
        """A context for processes with different numbers of batches: with one process, nothing."""
        yield

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        reducing = is_grad_enabled()
        if reducing:
            self.reducer.begin()
            reducing = self.require_backward_grad_sync
        output = self.module(*inputs, **kwargs)
        if reducing:
            unused: set[int] = set()
            if self.find_unused_parameters or self.static_graph:
                reached = _reached(_tensors(output))
                unused = {i for i, parameter in enumerate(self._reduced) if id(parameter) not in reached}
            self.reducer.expect(unused)
        self.require_forward_param_sync = reducing
        return output

    def train(self, mode: bool = True) -> "DistributedDataParallel":
        super().train(mode)
        return self

    def register_comm_hook(self, state: Any, hook: Any) -> None:
        """Would put a function in place of averaging. Raises NotImplementedError: there is no averaging with one process."""
        raise NotImplementedError("register_comm_hook: flambeau runs in one process so far, in which no gradients are communicated")

    @staticmethod
    def _set_params_and_buffers_to_ignore_for_model(module: Any, params_and_buffers_to_ignore: Any) -> None:
        module._ddp_params_and_buffers_to_ignore = params_and_buffers_to_ignore
        for name, parameter in module.named_parameters():
            if name in params_and_buffers_to_ignore:
                parameter._ddp_ignored = True
        for name, buffer in module.named_buffers():
            if name in params_and_buffers_to_ignore:
                buffer._ddp_ignored = True


def _sync_buffers(broadcast_buffers: bool | None, forward_sync_buffers: bool | None) -> bool:
    """Whether buffers would be sent before each forward; warns of the option's older name."""
    if broadcast_buffers is not None:
        import warnings

        if forward_sync_buffers is not None:
            text = (
                "Both `broadcast_buffers` and `forward_sync_buffers` were specified. `broadcast_buffers` is deprecated and its value is "
                "ignored when `forward_sync_buffers` is provided."
            )
        else:
            text = (
                "`broadcast_buffers` is deprecated. Use `forward_sync_buffers` instead. IMPORTANT: unlike `broadcast_buffers=False`, "
                "`forward_sync_buffers=False` still syncs buffers at init. If you rely on buffers NOT being synced at init (e.g. "
                "rank-local buffers), keep using `broadcast_buffers=False` until `init_sync_buffers` is available."
            )
        warnings.warn(text, FutureWarning, stacklevel=3)
    if forward_sync_buffers is not None:
        return forward_sync_buffers
    return True if broadcast_buffers is None else broadcast_buffers
