"""`torch.profiler`: which operators run, how often, and how long each takes.

with torch.profiler.profile(record_shapes=True) as prof:
    model(x).sum().backward()
print(prof.key_averages().table(sort_by="cpu_time_total", row_limit=10))
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any

from ..core.missing import missing_name
from ..core.naming import public
from ._events import EventList
from ._recording import current, record_function
from ._recording import profile as _Profile

__all__ = ["profile", "record_function", "schedule", "supported_activities", "tensorboard_trace_handler", "ProfilerAction",
           "ProfilerActivity", "is_recording", "kineto_available"]  # fmt: skip


class ProfilerActivity(enum.Enum):
    """What may be recorded; here only the CPU is there."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5

    def __repr__(self) -> str:
        return f"<ProfilerActivity.{self.name}: {self.value}>"

    def __str__(self) -> str:
        return f"ProfilerActivity.{self.name}"


class ProfilerAction(enum.Enum):
    """What a profiler does during a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


ProfilerActivity.__module__, ProfilerAction.__module__ = "torch._C._profiler", "torch.profiler.profiler"


def supported_activities() -> set[ProfilerActivity]:
    """The activities that can be recorded here."""
    return {ProfilerActivity.CPU}


def kineto_available() -> bool:
    """True: `torch.profiler.profile` can be used."""
    return True


def is_recording() -> bool:
    """Whether a profiler is on in this thread."""
    return current.recorder is not None


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """A function from a step's number to what the profiler does then.

    After `skip_first` steps come cycles of `wait` steps without the profiler, `warmup` steps whose record is thrown away and
    `active` steps that are recorded; `repeat` cycles, 0 for no end. `skip_first_wait`: the first cycle does not wait.
    """
    numbers = (wait, warmup, active, repeat, skip_first)
    if min(numbers) < 0 or active == 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} (need >= 0), active={active} (need > 0), "
            f"repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0)."
        )
    if warmup == 0:
        import warnings

        warnings.warn("Profiler won't be using warmup, this can skew profiler results", stacklevel=2)
    length = wait + warmup + active

    def schedule_fn(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        if repeat and step // length >= repeat:
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return schedule_fn


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False, use_python_export: bool = False
) -> Callable[[Any], None]:
    """An `on_trace_ready` that writes each trace into a folder, as `<worker>.<time>.pt.trace.json`."""
    import os
    import socket
    import time

    def handler(prof: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json"
        prof.export_chrome_trace(os.path.join(dir_name, name + (".gz" if use_gzip else "")))

    return handler


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


@public("torch.profiler.profiler")
class profile:
    """A block, or the time from `start()` to `stop()`, whose calls of operators are recorded.

    With a `schedule`, `step()` ends a step; whenever a recorded cycle ends, `on_trace_ready(self)` is called. `record_shapes`,
    `profile_memory`, `with_stack` and `with_flops` record more. Raises AssertionError where `activities` names nothing.
    """

    def __init__(
        self,
        *,
        activities: Iterable[Any] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[..., Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
        custom_trace_id_callback: Callable[[], str] | None = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:
        self.activities = set(activities) if activities is not None else supported_activities()
        assert self.activities, "No valid profiler activities found"
        if use_cuda is not None:
            import warnings

            warnings.warn("`use_cuda` is deprecated, use `activities` argument instead", FutureWarning, stacklevel=2)
        self.schedule = schedule if schedule is not None else lambda step: ProfilerAction.RECORD
        self.on_trace_ready = on_trace_ready
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self.with_stack = with_stack
        self.with_flops = with_flops
        self.with_modules = with_modules
        self.step_num = 0
        self.current_action = self.schedule(0)
        self.profiler: _Profile | None = None
        self._marks_steps = schedule is not None
        self._mark: record_function | None = None
        self._metadata: dict[str, Any] = {}

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Begins the first step."""
        self._change(ProfilerAction.NONE, self.current_action)
        self._mark_step()

    def stop(self) -> None:
        """Ends the last step; a recorded cycle that was cut short counts as ended."""
        self._end_mark()
        self._change(self.current_action, None)

    def step(self) -> None:
        """Ends a step and begins the next."""
        self._end_mark()
        previous = self.current_action
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        self._change(previous, self.current_action)
        self._mark_step()

    def _mark_step(self) -> None:
        if self._marks_steps:
            self._mark = record_function(f"ProfilerStep#{self.step_num}")
            self._mark.__enter__()

    def _end_mark(self) -> None:
        if self._mark is not None:
            self._mark.__exit__()
            self._mark = None

    def _change(self, previous: ProfilerAction, now: ProfilerAction | None) -> None:
        ends = previous in _RECORDING and (previous is ProfilerAction.RECORD_AND_SAVE or now not in _RECORDING)
        if now is ProfilerAction.NONE and previous in (ProfilerAction.WARMUP, ProfilerAction.RECORD):
            self._warn(previous, now)
        if now is ProfilerAction.WARMUP and previous is ProfilerAction.RECORD:
            self._warn(previous, now)
        if ends and self.profiler is not None:
            self.profiler.__exit__(None, None, None)
            if self.on_trace_ready is not None and (now is None or previous is ProfilerAction.RECORD_AND_SAVE):
                self.on_trace_ready(self)
        if now in _RECORDING and (ends or previous not in _RECORDING):
            self.profiler = _Profile(
                record_shapes=self.record_shapes,
                profile_memory=self.profile_memory,
                with_stack=self.with_stack,
                with_flops=self.with_flops,
            )
            self.profiler.start()

    def _warn(self, previous: ProfilerAction, now: ProfilerAction) -> None:
        import warnings

        warnings.warn(f"Incorrect schedule: {previous.name} followed by {now.name}", stacklevel=4)

    def events(self) -> EventList:
        """What was recorded. Raises AssertionError before anything was."""
        assert self.profiler is not None, "Profiler must be initialized before accessing events"
        return self.profiler.function_events

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The calls added up by name; on request also by the shapes that came in, and by the innermost frames."""
        assert self.profiler is not None, "Profiler must be initialized before getting key averages"
        return self.profiler.key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def export_chrome_trace(self, path: str, use_python_export: bool = False) -> None:
        """Writes a trace that chrome://tracing and Perfetto show; compressed if the path ends in `.gz`."""
        assert self.profiler is not None, "Profiler must be initialized before exporting chrome trace"
        if not path.endswith(".gz"):
            self.profiler.export_chrome_trace(path)
            self._add_metadata_to(path)
            return
        import gzip
        import os

        plain = path.removesuffix(".gz")
        self.profiler.export_chrome_trace(plain)
        self._add_metadata_to(plain)
        with open(plain, "rb") as source, gzip.open(path, "wb") as target:
            target.write(source.read())
        os.remove(plain)

    def _add_metadata_to(self, path: str) -> None:
        if self._metadata:
            import json

            with open(path) as file:
                trace = json.load(file)
            with open(path, "w") as file:
                json.dump({**self._metadata, **trace}, file)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Writes a line per stack with its time, as tools that draw flame graphs read them. Needs `with_stack=True`."""
        assert self.profiler is not None, "Profiler must be initialized before exporting stacks"
        self.profiler.export_stacks(path, metric)

    def add_metadata(self, key: str, value: str) -> None:
        """Adds a text to what `export_chrome_trace` writes."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Adds a JSON value to what `export_chrome_trace` writes."""
        import json

        self._metadata[key] = json.loads(value)

    preset_metadata_json = add_metadata_json

    def export_memory_timeline(self, path: str, device: str | None = None) -> None:
        """Not supported: raises NotImplementedError."""
        raise NotImplementedError("flambeau does not support torch.profiler.profile.export_memory_timeline")


_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    if name == "profiler":
        import importlib

        return importlib.import_module(f"{__name__}.profiler")
    return _missing(name)
