"""What a measurement says, and of what."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ...core.naming import public

_UNSTEADY, _VERY_UNSTEADY = 0.1, 0.25
"""Interquartile ranges, in parts of the median, from which on a measurement warns."""


@public("torch.utils.benchmark.utils.common")
class TaskSpec:
    """What was measured: the statement, its setup, and the names that the tables show."""

    _fields = ("stmt", "setup", "global_setup", "label", "sub_label", "description", "env", "num_threads")

    def __init__(
        self,
        stmt: str,
        setup: str,
        global_setup: str = "",
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
    ) -> None:
        self.stmt, self.setup, self.global_setup = stmt, setup, global_setup
        self.label, self.sub_label, self.description, self.env, self.num_threads = label, sub_label, description, env, num_threads

    def _key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskSpec) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    @property
    def title(self) -> str:
        """The labels, or the statement where there are none."""
        if self.label is not None:
            return self.label + (f": {self.sub_label}" if self.sub_label else "")
        if "\n" not in self.stmt:
            return self.stmt + (f": {self.sub_label}" if self.sub_label else "")
        heading = f"stmt:{f' ({self.sub_label})' if self.sub_label else ''}\n"
        return heading + "\n".join("  " + line for line in self.stmt.splitlines())

    def setup_str(self) -> str:
        """The setup as the printed measurement shows it."""
        if self.setup in ("", "pass"):
            return ""
        if "\n" in self.setup:
            return "setup:\n" + "\n".join("  " + line for line in self.setup.splitlines())
        return f"setup: {self.setup}"

    def summarize(self) -> str:
        """Title, description and setup."""
        parts = [part for part in (self.title, self.description or "", self.setup_str()) if part]
        return "\n".join(part + "\n" if "\n" in part else part for part in parts)


def select_unit(t: float) -> tuple[str, float]:
    """The unit in which a time is between 1 and 1000, and its length in seconds."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if t >= scale:
            return unit, scale
    return "ns", 1e-9


@public("torch.utils.benchmark.utils.common")
class Measurement:
    """Times of a statement: `raw_times` in seconds, each for `number_per_run` runs. Fields of the task can be read here as well."""

    def __init__(self, number_per_run: int, raw_times: list[float], task_spec: TaskSpec, metadata: dict[Any, Any] | None = None) -> None:
        self.number_per_run = number_per_run
        self.raw_times = raw_times
        self.task_spec = task_spec
        self.metadata = metadata

    def __getattr__(self, name: str) -> Any:
        if name in TaskSpec._fields:
            return getattr(self.task_spec, name)
        raise AttributeError(f"'Measurement' object has no attribute '{name}'")

    @property
    def times(self) -> list[float]:
        """Seconds per run."""
        return [t / self.number_per_run for t in self.raw_times]

    def _quantile(self, share: float) -> float:
        times = sorted(self.times)
        place = share * (len(times) - 1)
        low = math.floor(place)
        high = min(low + 1, len(times) - 1)
        return times[low] + (times[high] - times[low]) * (place - low)

    @property
    def median(self) -> float:
        """The median time of a run."""
        return self._quantile(0.5)

    @property
    def mean(self) -> float:
        """The mean time of a run."""
        return sum(self.times) / len(self.times)

    @property
    def iqr(self) -> float:
        """The interquartile range: between the fastest and the slowest quarter."""
        return self._quantile(0.75) - self._quantile(0.25)

    @property
    def significant_figures(self) -> int:
        """How many digits of the median can be believed, by the spread of the times between the quartiles."""
        times = sorted(self.times)
        inner = times[len(times) // 4 : math.ceil(3 * len(times) / 4)]
        mean = sum(inner) / len(inner)
        deviation = math.sqrt(sum((t - mean) ** 2 for t in inner) / len(inner))
        interval = max(1.645 * deviation / math.sqrt(len(inner)), 25e-9 / 2)
        return min(max(math.floor(math.log10(self.median / interval)), 1), 5)

    def meets_confidence(self, threshold: float = _UNSTEADY) -> bool:
        """Whether the interquartile range is below `threshold` times the median."""
        return self.iqr / self.median < threshold

    @property
    def has_warnings(self) -> bool:
        """Whether the times spread too much to be relied on."""
        return not self.meets_confidence()

    title = property(lambda self: self.task_spec.title)

    @property
    def as_row_name(self) -> str:
        """The name of its row in a table."""
        return self.task_spec.sub_label or self.task_spec.stmt or "[Unknown]"

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        count = len(self.raw_times)
        lines = [object.__repr__(self), self.task_spec.summarize()]
        lines.append(f"  {'Median: ' if count > 1 else ''}{self.median / scale:.2f} {unit}")
        if count >= 4:
            low, high = self._quantile(0.25) / scale, self._quantile(0.75) / scale
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})")
        runs = f"{self.number_per_run} runs {'per measurement,' if count > 1 else ','}"
        threads = self.task_spec.num_threads
        lines.append(f"  {count} measurement{'s' * (count > 1)}, {runs} {threads} thread{'s' * (threads > 1)}")
        if self.has_warnings:
            lines.append(f"  WARNING: Interquartile range is {self.iqr / self.median * 100:.1f}% of the median measurement.")
            gross = not self.meets_confidence(_VERY_UNSTEADY)
            reason = "This suggests significant environmental influence." if gross else "This could indicate system fluctuation."
            lines.append(f"           {reason}")
        return "\n".join(lines)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of the same task in one each."""
        groups: dict[TaskSpec, list[float]] = {}
        for m in measurements:
            groups.setdefault(m.task_spec, []).extend(m.times)
        return [Measurement(1, times, task) for task, times in groups.items()]
