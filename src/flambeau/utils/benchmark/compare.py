"""A table of measurements: a row for each task and number of threads, a column for each description."""

from __future__ import annotations

import math
from typing import Any

from ...core.naming import public
from .measurement import Measurement, select_unit

_ENGLISH = {"ns": "nanosecond", "us": "microsecond", "ms": "millisecond", "s": "second"}
_BEST, _GOOD, _BAD, _VERY_BAD, _END = "\033[92m\033[1m", "\033[34m\033[1m", "\033[2m\033[91m", "\033[31m\033[1m", "\033[0m\033[0m"


def trim_sigfig(x: float, n: int) -> float:
    """A number to `n` significant figures."""
    scale = 10.0 ** (math.ceil(math.log10(abs(x))) - n)
    return round(x / scale) * scale


@public("torch.utils.benchmark.utils.compare")
class Compare:
    """Measurements side by side. `print()` or `str()` gives a table for each label."""

    def __init__(self, results: list[Measurement]) -> None:
        self._results: list[Measurement] = []
        self.extend_results(results)
        self._trim = self._warn = False
        self._color = ""

    def extend_results(self, results: list[Measurement]) -> None:
        """Adds measurements. Raises ValueError for anything else."""
        for result in results:
            if not isinstance(result, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(result)} instead.")
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Shows only digits that can be believed."""
        self._trim = True

    def colorize(self, rowwise: bool = False) -> None:
        """Colors the fastest and the slowest of each column, or of each row."""
        self._color = "row" if rowwise else "column"

    def highlight_warnings(self) -> None:
        """Marks measurements that spread much."""
        self._warn = True

    def print(self) -> None:
        """Prints the tables."""
        print(str(self))

    def __str__(self) -> str:
        groups: dict[str | None, list[Measurement]] = {}
        for m in Measurement.merge(self._results):
            groups.setdefault(m.task_spec.label, []).append(m)
        return "\n".join(self._table(group) for group in groups.values())

    def _table(self, results: list[Measurement]) -> str:
        unit, scale = select_unit(min(m.median for m in results))
        columns = list(dict.fromkeys(m.task_spec.description for m in results))
        keys = list(dict.fromkeys((m.task_spec.num_threads, m.task_spec.env, m.as_row_name) for m in results))
        keys.sort(key=lambda key: (key[0], key[1] or ""))
        cells = {((m.task_spec.num_threads, m.task_spec.env, m.as_row_name), m.task_spec.description): m for m in results}
        environments = {m.task_spec.env for m in results}
        width = max(len(e or "Unspecified env") for e in environments) + 4 if len(environments) > 1 else 0
        texts = {c: self._column([cells.get((key, c)) for key in keys], scale) for c in columns}
        names = ["  " + (f"({key[1] or 'Unspecified env'})".ljust(width) if width else "    ") + key[2] for key in keys]
        widths = [max(map(len, ["", *names]))] + [max(len(c or ""), *map(len, texts[c])) for c in columns]
        lines = ["  |  ".join(text.center(w) for text, w in zip(["", *(c or "" for c in columns)], widths))]
        overall, threads = len(lines[0]), None
        for i, key in enumerate(keys):
            if key[0] != threads:
                threads = key[0]
                lines.append(f"{threads} threads: ".ljust(overall, "-"))
            parts = [names[i].ljust(widths[0])]
            for c, w in zip(columns, widths[1:]):
                rivals = [m for (k, d), m in cells.items() if (k == key if self._color == "row" else d == c and k[0] == key[0])]
                parts.append(self._colored(texts[c][i].center(w), cells.get((key, c)), rivals))
            lines.append("  |  ".join(parts))
        title = f"[{(' ' + (results[0].task_spec.label or '') + ' ').center(overall - 2, '-')}]"
        note = ""
        if self._warn and any(m.has_warnings for m in results):
            note = "(! XX%) Measurement has high variance, where XX is the IQR / median * 100.\n"
        return "\n".join([title, *lines, "", f"Times are in {_ENGLISH[unit]}s ({unit}).", note])

    def _column(self, results: list[Measurement | None], scale: float) -> list[str]:
        found = [m for m in results if m is not None]
        digits = [math.ceil(math.log10(m.median / scale)) for m in found]
        decimals = min(max(m.significant_figures - d, 0) for m, d in zip(found, digits)) if self._trim else 1
        length = max(digits) + decimals + (1 if decimals else 0)
        marked = self._warn and any(m.has_warnings for m in found)
        texts = []
        for m in results:
            if m is None:
                texts.append("")
                continue
            number = m.median / scale
            number = trim_sigfig(number, m.significant_figures) if self._trim else number
            mark = f" (! {m.iqr / m.median * 100:.0f}%)" if marked and m.has_warnings else ""
            texts.append(f"{number:>{length}.{decimals}f}{mark:>{7 if marked else 0}}")
        blank = " " * max(map(len, texts))
        return [text or blank for text in texts]

    def _colored(self, text: str, m: Any, rivals: list[Measurement]) -> str:
        if not self._color or m is None:
            return text
        best = min(r.median for r in rivals)
        if m.median <= best * 1.01 or m.median <= best + 100e-9:
            return _BEST + text + _END
        if m.median <= best * 1.1:
            return _GOOD + text + _END
        if m.median >= best * 5:
            return _VERY_BAD + text + _END
        return _BAD + text + _END if m.median >= best * 2 else text
