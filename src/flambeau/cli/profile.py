"""`flambeau profile`: runs a script or a module as `flambeau run` does, then prints where its time went."""

from typing import Any, Callable

from .run import run_module, run_script

ROWS = 30


def profile(run: Callable[[], int], rows: int = ROWS) -> int:
    """Calls `run` with the profiler on; prints a table by operator, longest first. Returns the exit status.

    Gradients are rows of their own, named after their nodes. The table is printed even if the script fails or exits.
    """
    from ..profiler import profile as profiler

    recorder: Any = profiler()
    recorder.start()
    try:
        return run()
    finally:
        recorder.stop()
        print(recorder.key_averages().table(sort_by="self_cpu_time_total", row_limit=rows, max_name_column_width=48))


def profile_script(path: str, arguments: list[str]) -> int:
    """`flambeau profile path arguments...`."""
    return profile(lambda: run_script(path, arguments))


def profile_module(name: str, arguments: list[str]) -> int:
    """`flambeau profile -m name arguments...`."""
    return profile(lambda: run_module(name, arguments))
