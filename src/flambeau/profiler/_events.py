"""What the profiler recorded: events, their averages, and the table, trace and stacks made of them.

Times are in microseconds, memory in bytes.
"""

from __future__ import annotations

import enum
from typing import Any

from ..core.naming import public


class DeviceType(enum.Enum):
    """Where an event ran: always the CPU."""

    CPU = 0
    CUDA = 1

    def __repr__(self) -> str:
        return f"DeviceType.{self.name}"

    __str__ = __repr__


DeviceType.__module__ = "torch.autograd"


def format_time(us: float) -> str:
    """A time in the unit that suits it."""
    if us >= 1e6:
        return f"{us / 1e6:.3f}s"
    return f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


def format_share(us: float, total: float) -> str:
    """A time in percent of another."""
    return f"{us * 100.0 / total:.2f}%" if total else "NaN"


def format_memory(size: int) -> str:
    """A number of bytes in the unit that suits it."""
    for unit, scale in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if abs(size) >= scale:
            return f"{size / scale:.2f} {unit}"
    return f"{size} B"


class _Times:
    """What events and averages share: the times as text, and the columns of devices that are not there."""

    count: int
    cpu_time_total: Any
    self_cpu_time_total: Any
    device_time_total = self_device_time_total = cuda_time_total = self_cuda_time_total = 0
    device_memory_usage = self_device_memory_usage = self_cuda_memory_usage = 0
    device_type = DeviceType.CPU
    node_id = -1
    use_device = None
    is_async = is_remote = is_legacy = False
    overload_name = ""

    @property
    def cpu_time(self) -> float:
        """The average time of one call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def device_time(self) -> float:
        """0: there is no device."""
        return 0.0

    cuda_time = device_time
    cpu_time_str = property(lambda self: format_time(self.cpu_time))
    cpu_time_total_str = property(lambda self: format_time(self.cpu_time_total))
    self_cpu_time_total_str = property(lambda self: format_time(self.self_cpu_time_total))
    device_time_str = property(lambda self: format_time(self.device_time))
    device_time_total_str = property(lambda self: format_time(self.device_time_total))
    self_device_time_total_str = property(lambda self: format_time(self.self_device_time_total))


@public("torch.autograd.profiler_util")
class Interval:
    """From `start` to `end`."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end

    def elapsed_us(self) -> float:
        """The length."""
        return self.end - self.start


@public("torch.autograd.profiler_util")
class FunctionEvent(_Times):
    """One call: when it began and ended, what it was given, and the calls that it made (`cpu_children`)."""

    def __init__(self, id: int, name: str, thread: int, start_us: float, end_us: float) -> None:
        self.id = id
        self.name = self.trace_name = name
        self.thread = thread
        self.time_range = Interval(start_us, end_us)
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []
        self.input_shapes: Any = []
        self.stack: list[str] = []
        self.cpu_memory_usage = 0
        self.flops = 0
        self.sequence_nr = -1
        self.scope = 0
        self.count = 1
        self.is_user_annotation = False

    @property
    def key(self) -> str:
        """The name under which calls are added up."""
        return self.name

    @property
    def cpu_time_total(self) -> float:
        """The time from the call's beginning to its end."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:
        """That time without the calls that it made."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def self_cpu_memory_usage(self) -> int:
        """The memory of its results without that of the calls that it made."""
        return self.cpu_memory_usage - sum(child.cpu_memory_usage for child in self.cpu_children)

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} overload_name={self.overload_name} device_type={self.device_type} "
            f"node_id={self.node_id} cpu_time={self.cpu_time_str} start_us={self.time_range.start:.3f} end_us={self.time_range.end:.3f} "
            f"cpu_children={[child.id for child in self.cpu_children]} None_time={self.device_time_str} name={self.name} "
            f"thread={self.thread} input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage} None_memory_usage=0 "
            f"is_async={self.is_async} is_remote={self.is_remote} seq_nr={self.sequence_nr} is_legacy={self.is_legacy}>"
        )


@public("torch.autograd.profiler_util")
class FunctionEventAvg(_Times):
    """Calls of one name added up."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.input_shapes: Any = None
        self.stack: list[str] | None = None
        self.flops = 0
        self.scope: int | None = None
        self.cpu_children: Any = None
        self.cpu_parent: Any = None
        self.is_user_annotation = False

    def add(self, other: Any) -> FunctionEventAvg:
        """Adds an event, or another average of the same name."""
        if self.key is None:
            self.key, self.scope, self.stack = other.key, other.scope, other.stack
            self.input_shapes, self.cpu_parent = other.input_shapes, other.cpu_parent
            self.is_user_annotation = other.is_user_annotation
        self.count += other.count
        self.cpu_time_total += other.cpu_time_total
        self.self_cpu_time_total += other.self_cpu_time_total
        self.cpu_memory_usage += other.cpu_memory_usage
        self.self_cpu_memory_usage += other.self_cpu_memory_usage
        self.flops += other.flops
        return self

    __iadd__ = add

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} cpu_time={self.cpu_time_str}  "
            f"self_cuda_time={self.self_device_time_total_str} cuda_time={self.device_time_str} input_shapes={self.input_shapes} "
            f"cpu_memory_usage={self.cpu_memory_usage} cuda_memory_usage={self.device_memory_usage}>"
        )


@public("torch.autograd.profiler_util")
class EventList(list[Any]):
    """A list of events or of averages."""

    def __init__(self, events: Any = (), *, profile_memory: bool = False, with_flops: bool = False) -> None:
        super().__init__(events)
        self._profile_memory = profile_memory
        self._with_flops = with_flops

    def __str__(self) -> str:
        return self.table()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all of them, each without the calls that it made."""
        return sum(event.self_cpu_time_total for event in self)

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int | None = 75,
        max_name_column_width: int | None = 55,
        max_shapes_column_width: int | None = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:
        """The list as text, a row each; `row_limit=-1`: all of them.

        `sort_by` names a column, largest first: `cpu_time`, `cpu_time_total`, `self_cpu_time_total`, `cpu_memory_usage`,
        `self_cpu_memory_usage`, `count`. `time_unit`: "s", "ms" or "us", in place of what suits each time.
        """
        from ._table import build_table

        widths = (max_name_column_width, max_shapes_column_width, max_src_column_width)
        more = time_unit, self._profile_memory, self._with_flops
        return build_table(self, sort_by, row_limit, widths, header, top_level_events_only, *more)

    def key_averages(
        self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The calls added up by name; on request also by the shapes that came in, and by the innermost `group_by_stack_n` frames."""
        found: dict[Any, FunctionEventAvg] = {}
        for event in self:
            name = "ProfilerStep*" if event.key.startswith("ProfilerStep#") else event.key
            key = (name, str(event.input_shapes) if group_by_input_shapes else "", *event.stack[:group_by_stack_n])
            average = found.setdefault(key, FunctionEventAvg())
            average.add(event)
            average.key = name
        for average in found.values():
            average.stack = (average.stack or [])[:group_by_stack_n]
            if not group_by_input_shapes:
                average.input_shapes = ""
        return EventList(found.values(), profile_memory=self._profile_memory, with_flops=self._with_flops)

    def total_average(self) -> FunctionEventAvg:
        """All of them added up."""
        total = FunctionEventAvg()
        for event in self:
            total += event
            total.key = None
        total.key = "Total"
        return total

    def export_chrome_trace(self, path: Any) -> None:
        """Writes the events as a trace that chrome://tracing and Perfetto show."""
        import json
        import os

        records = [
            {
                "ph": "X",
                "cat": "user_annotation" if event.is_user_annotation else "cpu_op",
                "name": event.trace_name,
                "pid": os.getpid(),
                "tid": event.thread,
                "ts": event.time_range.start,
                "dur": event.cpu_time_total,
                "args": {"Input Dims": event.input_shapes, "Call stack": event.stack, "Ev Idx": event.id},
            }
            for event in self
        ]
        with open(path, "w") as file:
            json.dump({"schemaVersion": 1, "displayTimeUnit": "ms", "traceEvents": records, "traceName": str(path)}, file)

    def supported_export_stacks_metrics(self) -> list[str]:
        """What `export_stacks` can weigh a stack by."""
        return ["self_cpu_time_total", "self_cuda_time_total", "self_xpu_time_total", "self_privateuse1_time_total"]

    def export_stacks(self, path: str, metric: str) -> None:
        """Writes a line `outermost;...;innermost weight` per stack, as tools that draw flame graphs read them.

        Raises ValueError for an unknown metric.
        """
        if metric not in self.supported_export_stacks_metrics():
            raise ValueError("metric should be one of: " + str(self.supported_export_stacks_metrics()))
        place = str.maketrans(" ;\t\n", "____")
        with open(path, "w") as file:
            for event in self:
                weight = int(event.self_cpu_time_total) if metric == "self_cpu_time_total" else 0
                if event.stack and weight > 0:
                    file.write(";".join(entry.translate(place) for entry in reversed(event.stack)) + f" {weight}\n")
