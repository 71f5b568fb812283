"""Recording: a function mode sees each call of an operator, hooks see backward nodes and optimizers' steps.

Nothing of it is there while no profiler is on. A composite's own calls are seen too, below it. Only what runs in the thread that
started the profiler is recorded.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from ..core.naming import public
from ..ops.definition import NAMES, composite
from ..ops.modes import modes, stacks, stop_watching_nodes, watch_nodes
from ..overrides import TorchFunctionMode
from ..tensor import Tensor
from ._events import EventList, FunctionEvent, FunctionEventAvg

_COMPOSITE = composite("torch._profiled")(lambda: None).__code__
del NAMES["torch"]["_profiled"]


class _Current(threading.local):
    """The recorder that is on in this thread, or None."""

    recorder: Recorder | None = None


current = _Current()


def _shape(value: Any) -> Any:
    if isinstance(value, Tensor):
        return list(value._array.shape)
    if isinstance(value, (list, tuple)) and any(isinstance(v, Tensor) for v in value):
        return [_shape(v) for v in value]
    return []


def _tensors(values: Any) -> list[Tensor]:
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors(value)
    return found


def event_name(func: Any, args: Any) -> str:
    """The name that PyTorch gives to the operator behind a function."""
    name: str = func.__name__
    if name == "__getitem__":
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        if any(isinstance(i, (Tensor, list, np.ndarray)) for i in index):
            return "aten::index"
        return "aten::slice" if any(isinstance(i, slice) for i in index) else "aten::select"
    if name == "__setitem__":
        return "aten::index_put_"
    return f"aten::{name.strip('_') if name.startswith('__') else name}"


def _flops(func: Any, args: Any, result: Any) -> int:
    """Multiplications and additions, where it is known how many: products of matrices, convolutions, sums and products."""
    name = func.__name__
    shapes = [a._array.shape for a in args if isinstance(a, Tensor)]
    if not isinstance(result, Tensor) or not shapes:
        return 0
    size = result._array.size
    if name in ("mm", "bmm", "matmul"):
        return 2 * size * shapes[0][-1]
    if name in ("addmm", "baddbmm"):
        return 2 * size * shapes[1][-1]
    if name == "linear":
        return 2 * size * shapes[0][-1]
    if name in ("conv1d", "conv2d", "conv3d"):
        return 2 * size * int(np.prod(shapes[1][1:]))
    return size if name in ("add", "mul") else 0


class _Mode(TorchFunctionMode):
    """Times each call; a composite runs with the mode entered again, so that its own calls are seen."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        recorder = self.recorder
        event = recorder.begin(event_name(func, args))
        if recorder.record_shapes:
            event.input_shapes = [_shape(a) for a in (*args, *kwargs.values())]
        try:
            inner = getattr(func, "__wrapped__", None)
            if inner is None or types or stacks.autocast is not None or func.__code__ is not _COMPOSITE:
                result = func(*args, **kwargs)
            else:
                stacks.function_modes.append(self)
                modes.active += 1
                try:
                    result = inner(*args, **kwargs)
                finally:
                    modes.active -= 1
                    stacks.function_modes.pop()
            if recorder.profile_memory:
                given = _tensors((*args, *kwargs.values()))
                event.cpu_memory_usage = sum(
                    r._array.nbytes
                    for r in _tensors((result,))
                    if r._array.__class__ is np.ndarray and not any(r is g or np.may_share_memory(r._array, g._array) for g in given)
                )
            if recorder.with_flops:
                event.flops = _flops(func, args, result)
            return result
        finally:
            recorder.end(event)


class Recorder:
    """Collects the events of one thread from `start()` to `stop()`."""

    def __init__(self, record_shapes: bool = False, profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False):
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self.with_stack = with_stack
        self.with_flops = with_flops
        self.events: list[FunctionEvent] = []
        self.open: list[FunctionEvent] = []
        self.on = False
        self._handles: list[Any] = []
        self._backward: dict[int, tuple[FunctionEvent, FunctionEvent]] = {}

    def start(self) -> None:
        """Begins. Raises RuntimeError where another recorder is on in this thread."""
        if current.recorder is not None:
            raise RuntimeError("Profiler is already enabled on this thread.")
        from ..optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

        self.zero = time.perf_counter_ns()
        self.thread = threading.get_native_id()
        self.on = True
        current.recorder = self
        self.mode = _Mode(self)
        self.mode.__enter__()
        watch_nodes(self._watch_node)
        self._handles = [
            register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: self._step_begins(optimizer)),
            register_optimizer_step_post_hook(lambda optimizer, args, kwargs: self._step_ends()),
        ]

    def stop(self) -> None:
        """Ends, with whatever is still running."""
        for handle in self._handles:
            handle.remove()
        stop_watching_nodes(self._watch_node)
        stacks.function_modes.remove(self.mode)
        modes.active -= 1
        while self.open:
            self.end(self.open[-1])
        self.on = False
        current.recorder = None

    def begin(self, name: str) -> FunctionEvent:
        """A new event, inside the innermost that is running."""
        event = FunctionEvent(len(self.events) + 1, name, self.thread, 0.0, 0.0)
        if self.open:
            event.cpu_parent = self.open[-1]
            self.open[-1].cpu_children.append(event)
        self.open.append(event)
        self.events.append(event)
        if self.with_stack:
            event.stack = _stack()
        event.time_range.start = (time.perf_counter_ns() - self.zero) / 1000
        return event

    def end(self, event: FunctionEvent) -> None:
        """Closes an event, and what was left running inside it."""
        now = (time.perf_counter_ns() - self.zero) / 1000
        while event in self.open:
            last = self.open.pop()
            last.time_range.end = now
            if not last.cpu_memory_usage and not last.name.startswith("aten::"):
                last.cpu_memory_usage = sum(child.cpu_memory_usage for child in last.cpu_children)

    def _watch_node(self, node: Any) -> None:
        node.register_prehook(lambda grads: self._node_begins(node))
        node.register_hook(lambda inputs, outputs: self._node_ends(node, inputs))

    def _node_begins(self, node: Any) -> None:
        if self.on and current.recorder is self:
            outer = self.begin(f"autograd::engine::evaluate_function: {node.name()}")
            inner = self.begin(node.name())
            outer.sequence_nr = inner.sequence_nr = node.sequence
            self._backward[id(node)] = outer, inner

    def _node_ends(self, node: Any, results: Any) -> None:
        events = self._backward.pop(id(node), None)
        if events is not None:
            if self.profile_memory:
                events[1].cpu_memory_usage = sum(r._array.nbytes for r in _tensors(results))
            self.end(events[0])

    def _step_begins(self, optimizer: Any) -> None:
        self.begin(f"Optimizer.step#{type(optimizer).__name__}.step")

    def _step_ends(self) -> None:
        for event in reversed(self.open):
            if event.name.startswith("Optimizer.step#"):
                self.end(event)
                break


def _stack() -> list[str]:
    """The user's frames, innermost first."""
    import sys

    frame: Any = sys._getframe(2)
    lines = []
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith("<flambeau") and "/flambeau/ops/" not in file and "/flambeau/profiler/" not in file:
            lines.append(f"{file}({frame.f_lineno}): {frame.f_code.co_name}")
        frame = frame.f_back
    return lines


@public("torch.autograd.profiler")
class record_function:
    """A block, or a decorated function, that shows in the profile under `name`. Without a profiler it does nothing."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self.args = args
        self.event: FunctionEvent | None = None
        self.recorder: Recorder | None = None

    def __enter__(self) -> record_function:
        recorder = self.recorder = current.recorder
        if recorder is not None:
            self.event = recorder.begin(self.name)
            self.event.is_user_annotation = True
        return self

    def __exit__(self, *exception: Any) -> None:
        if self.event is not None and self.recorder is not None and self.recorder.on:
            self.recorder.end(self.event)
        self.event = None

    def __call__(self, function: Any) -> Any:
        import functools

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.name, self.args):
                return function(*args, **kwargs)

        return inside


@public("torch.autograd.profiler")
class profile:
    """A block whose calls of operators are recorded, with the time that each took.

    `record_shapes`, `profile_memory`, `with_flops`, `with_stack` record more. `use_cuda`, `use_device` find no device; the other
    options change nothing. Raises RuntimeError where it is entered twice, or inside another.
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: str | None = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_modules: bool = False,
        use_kineto: bool = False,
        use_cpu: bool = True,
        experimental_config: Any = None,
        acc_events: bool = False,
        custom_trace_id_callback: Any = None,
        post_processing_timeout_s: float | None = None,
        activity_filters: Any = None,
    ) -> None:
        if enabled and (use_cuda or use_device is not None):
            import warnings

            warnings.warn(f"{(use_device or 'cuda').upper()} is not available, disabling {(use_device or 'cuda').upper()} profiling")
        self.enabled = enabled
        self.entered = False
        self.use_device = None
        self.record_shapes = record_shapes or with_flops
        self.profile_memory = profile_memory
        self.with_stack = with_stack
        self.with_flops = with_flops
        self._recorder: Recorder | None = None
        self._events: EventList | None = None

    def __enter__(self) -> profile | None:
        if not self.enabled:
            return None
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        self.start()
        return self

    def start(self) -> None:
        """Begins to record."""
        self.entered = True
        self._recorder = Recorder(self.record_shapes, self.profile_memory, self.with_stack, self.with_flops)
        self._recorder.start()

    def __exit__(self, *exception: Any) -> None:
        if self.enabled and self._recorder is not None and self._recorder.on:
            self._recorder.stop()
            self._events = EventList(self._recorder.events, profile_memory=self.profile_memory, with_flops=self.with_flops)

    @property
    def function_events(self) -> EventList:
        """What was recorded. Raises RuntimeError before the end."""
        if self._events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self._events

    def __repr__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._events is None else repr(self._events)

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._events is None else str(self._events)

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int | None = 75,
        max_name_column_width: int | None = 55,
        max_shapes_column_width: int | None = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
    ) -> str:
        """The events as a table: see `EventList.table`."""
        widths = max_src_column_width, max_name_column_width, max_shapes_column_width
        return self.function_events.table(sort_by, row_limit, *widths, header, top_level_events_only)

    def export_chrome_trace(self, path: Any, metadata: Any = None, use_python_export: bool = False) -> None:
        """Writes a trace that chrome://tracing and Perfetto show."""
        self.function_events.export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Writes the stacks with their times. Needs `with_stack=True`."""
        assert self.with_stack, "export_stacks() requires with_stack=True"
        self.function_events.export_stacks(path, metric)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The calls added up by name: see `EventList.key_averages`."""
        return self.function_events.key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def total_average(self) -> FunctionEventAvg:
        """All calls added up."""
        return self.function_events.total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all calls, each without the calls that it made."""
        return self.function_events.self_cpu_time_total


@public("torch.autograd.profiler")
class emit_nvtx:
    """Would mark calls for NVIDIA's profiler. Entering raises AssertionError: there is no CUDA."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled
        self.record_shapes = record_shapes

    def __enter__(self) -> emit_nvtx | None:
        if self.enabled:
            raise AssertionError("Torch not compiled with CUDA enabled")
        return None

    def __exit__(self, *exception: Any) -> None:
        return None


@public("torch.autograd.profiler")
class emit_itt:
    """Would mark calls for Intel's profiler. Entering raises RuntimeError: it is not there."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled
        self.record_shapes = record_shapes

    def __enter__(self) -> emit_itt | None:
        if self.enabled:
            raise RuntimeError("flambeau does not support torch.autograd.profiler.emit_itt: use torch.profiler.profile")
        return None

    def __exit__(self, *exception: Any) -> None:
        return None
