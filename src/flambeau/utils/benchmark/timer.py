"""Runs a statement often enough to say how long it takes."""

from __future__ import annotations

import textwrap
import timeit
from collections.abc import Callable
from typing import Any

from ...core.naming import public
from .measurement import Measurement, TaskSpec

timer = timeit.default_timer


@public("torch.utils.benchmark.utils.timer")
class Timer:
    """Times a Python statement. `setup` runs once before each measurement; `globals` are the names that both know, beside `torch`.

    `label`, `sub_label`, `description` and `env` are what tables show. Raises ValueError unless `stmt` is text, and
    NotImplementedError for C++.
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = "python",
    ) -> None:
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if str(getattr(language, "name", language)).lower() not in ("python", "py"):
            raise NotImplementedError("flambeau's torch.utils.benchmark.Timer times Python only")
        if global_setup:
            raise ValueError("global_setup is C++ only, Python code belongs in setup")
        import importlib

        self._globals = {"torch": importlib.import_module(__name__.partition(".")[0]), **(globals or {})}
        stmt, setup = textwrap.dedent(stmt).strip("\n"), textwrap.dedent(setup).strip("\n")
        self._timer = timeit.Timer(stmt, setup, timer, self._globals)
        self._task_spec = TaskSpec(stmt, setup, "", label, sub_label, description, env, num_threads)

    def _timeit(self, number: int) -> float:
        return max(self._timer.timeit(number), 1e-9)

    def _in_threads(self, run: Callable[[], Any]) -> Any:
        from ..._settings import get_num_threads, set_num_threads

        before = get_num_threads()
        set_num_threads(self._task_spec.num_threads)
        try:
            return run()
        finally:
            set_num_threads(before)

    def timeit(self, number: int = 1000000) -> Measurement:
        """One measurement of `number` runs, after a few to warm up."""

        def run() -> Measurement:
            self._timeit(max(number // 100, 2))
            return Measurement(number, [self._timeit(number)], self._task_spec)

        return self._in_threads(run)

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        """Not there, as in PyTorch: raises NotImplementedError. `blocked_autorange` is."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback: Any = None) -> None:
        """Not there, as in PyTorch: raises NotImplementedError. `blocked_autorange` is."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def _block_size(self, min_run_time: float) -> int:
        """So many runs that the timer's own cost is below a thousandth, but not more than fit into a share of the time."""
        overhead = sorted(self._timeit(0) for _ in range(5))[2]
        number = 1
        while True:
            taken = self._timeit(number)
            if overhead / taken <= 1e-4 and taken >= min_run_time / 1000 or taken > min_run_time:
                return number
            number *= 10

    def _measure(self, min_run_time: float, max_run_time: float, enough: Callable[[Measurement], bool], callback: Any) -> Measurement:
        def run() -> Measurement:
            number = self._block_size(min_run_time)
            times: list[float] = []
            found = Measurement(number, times, self._task_spec)
            total, done = 0.0, False
            while total < min_run_time or not done:
                taken = self._timeit(number)
                if callback is not None:
                    callback(number, taken)
                times.append(taken)
                total += taken
                done = total >= max_run_time or enough(found)
            return found

        return self._in_threads(run)

    def blocked_autorange(self, callback: Any = None, min_run_time: float = 0.2) -> Measurement:
        """Measurements of so many runs each that the timer costs next to nothing, for at least `min_run_time` seconds."""
        return self._measure(min_run_time, min_run_time, lambda found: True, callback)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0, callback: Any = None
    ) -> Measurement:
        """Measurements until their interquartile range is below `threshold` times the median, or `max_run_time` is over."""
        return self._measure(min_run_time, max_run_time, lambda m: len(m.raw_times) > 3 and m.meets_confidence(threshold), callback)

    def collect_callgrind(self, *args: Any, **kwargs: Any) -> Any:
        """Not supported: raises NotImplementedError."""
        raise NotImplementedError("flambeau does not support Timer.collect_callgrind: use blocked_autorange")
