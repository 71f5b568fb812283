"""The profiler's table: PyTorch's columns, widths and rules."""

from __future__ import annotations

import math
from typing import Any

from ._events import format_memory, format_share, format_time

_WIDTH = 12
_FLOPS = ("FLOPs", "KFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs")


def _width(texts: Any, limit: int | None) -> int:
    width = max(map(len, texts)) + 4
    return width if limit is None else min(width, limit)


def _tail(text: str, width: int) -> str:
    """The end of a text that is too long."""
    if len(text) <= width:
        return text
    text = text[len(text) - width :]
    return "..." + text[3:] if len(text) > 3 else text


def build_table(
    events: Any,
    sort_by: str | None,
    row_limit: int,
    widths: tuple[int | None, int | None, int | None],
    header: str | None,
    top_level_events_only: bool,
    time_unit: str | None,
    profile_memory: bool,
    with_flops: bool,
) -> str:
    """A table of events; empty where there are none. Raises AttributeError for a column that events do not have."""
    if not events:
        return ""
    if sort_by is not None:
        for other in ("cuda", "xpu", "privateuse1"):
            sort_by = sort_by.replace(other, "device")
        events = sorted(events, key=lambda event: getattr(event, sort_by), reverse=True)
    name_limit, shape_limit, source_limit = widths
    stacks = [event.stack for event in events if event.stack]
    shapes = any(event.input_shapes for event in events)
    counted = [event.flops for event in events if event.flops > 0] if with_flops else []

    def time(us: float) -> str:
        scale = {"s": 1e6, "ms": 1e3, "us": 1.0}.get(time_unit or "")
        return format_time(us) if scale is None else f"{us / scale:.3f}{time_unit}"

    total = sum(event.self_cpu_time_total for event in events)
    columns: list[tuple[str, str]] = [("Name", f">{_width([event.key for event in events], name_limit)}")]
    columns += [(title, f">{_WIDTH}") for title in ("Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg")]
    if profile_memory:
        columns += [(title, f">{_WIDTH}") for title in ("CPU Mem", "Self CPU Mem")]
    columns.append(("# of Calls", f">{_WIDTH}"))
    if shapes:
        columns.append(("Input Shapes", f">{_width([str(event.input_shapes) for event in events], shape_limit)}"))
    if stacks:
        columns.append(("Source Location", f"<{_width([entry for stack in stacks for entry in stack], source_limit)}"))
    if counted:
        step = int(max(0.0, min(math.log10(min(counted)) / 3, len(_FLOPS) - 1)))
        columns.append((f"Total {_FLOPS[step]}", f">{_WIDTH}"))
    sizes = [int(form[1:]) for _, form in columns]
    rule = "".join("-" * size + "  " for size in sizes)
    double = "=" * (sum(sizes) + 2 * len(sizes) - 2)

    def row(cells: list[str]) -> str:
        return "".join(f"{cell: {form}}  " for cell, (_, form) in zip(cells, columns))

    lines = [] if header is None else [double, header]
    if top_level_events_only:
        lines += [double, "This report only display top-level ops statistics"]
    lines += [rule, row([title for title, _ in columns]), rule]
    shown = 0
    for event in events:
        if shown == row_limit:
            break
        if top_level_events_only and event.cpu_parent is not None:
            continue
        shown += 1
        name = event.key
        if name_limit is not None and len(name) >= name_limit - 3:
            name = name[: name_limit - 3] + "..."
        cells = [name, format_share(event.self_cpu_time_total, total), time(event.self_cpu_time_total)]
        cells += [format_share(event.cpu_time_total, total), time(event.cpu_time_total), time(event.cpu_time)]
        if profile_memory:
            cells += [format_memory(event.cpu_memory_usage), format_memory(event.self_cpu_memory_usage)]
        cells.append(str(event.count))
        if shapes:
            cells.append(str(event.input_shapes)[: sizes[len(cells)]])
        # PyTorch heads the stack before the FLOPs, but fills the FLOPs first; here each stands below its own title.
        place = len(cells)
        if stacks:
            cells.append(_tail(event.stack[0], sizes[place]) if event.stack else "")
        if counted:
            cells.append(f"{event.flops / 1000.0**step:8.3f}" if event.flops > 0 else "--")
        lines.append(row(cells))
        if stacks:
            blank = [""] * len(columns)
            lines += [row([*blank[:place], _tail(entry, sizes[place]), *blank[place + 1 :]]) for entry in event.stack[1:]]
            lines.append(row(blank))
    lines += [rule, f"Self CPU time total: {time(total)}"]
    return "\n".join(lines) + "\n"
