"""Running one function in several processes, and hearing of the first that fails."""

import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import time
import warnings
from multiprocessing.connection import wait
from typing import Any, Callable

from ..core.naming import public

ENV_VAR_PARALLEL_START = "TORCH_MP_PARALLEL_START"


@public("torch.multiprocessing.spawn")
class ProcessException(Exception):
    """A process failed. Attributes: `msg`, `error_index` (its number), `error_pid`."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.error_pid = error_pid

    def __reduce__(self) -> Any:
        return _rebuild_exception, (False, (self.msg, self.error_index, self.error_pid))


@public("torch.multiprocessing.spawn")
class ProcessRaisedException(ProcessException):
    """A process ended with an exception; the message has its traceback."""


@public("torch.multiprocessing.spawn")
class ProcessExitedException(ProcessException):
    """A process ended by a signal or with an exit code. Attributes: `exit_code`, `signal_name` (or None)."""

    def __init__(self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name

    def __reduce__(self) -> Any:
        return _rebuild_exception, (True, (self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name))


def _rebuild_exception(exited: bool, arguments: tuple[Any, ...]) -> ProcessException:
    return ProcessExitedException(*arguments) if exited else ProcessRaisedException(*arguments)


def _end_with_parent() -> None:
    """Asks Linux to interrupt this process when its parent dies."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


def _run(fn: Callable[..., Any], i: int, args: tuple[Any, ...], error_file: str) -> None:
    _end_with_parent()
    try:
        fn(i, *args)
    except KeyboardInterrupt:
        pass  # the parent has ended it
    except Exception:
        import traceback

        with open(error_file, "wb") as file:
            pickle.dump(traceback.format_exc(), file)
        sys.exit(1)


@public("torch.multiprocessing.spawn")
class ProcessContext:
    """The processes that `spawn(..., join=False)` started. Attributes: `processes`, `error_files`, `sentinels`."""

    def __init__(self, processes: list[Any], error_files: list[str]) -> None:
        self.error_files = error_files
        self.processes = processes
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self) -> list[int]:
        """The process ids."""
        return [int(process.pid) for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Waits for a process to end; True once all have.

        When one failed the others get `grace_period` seconds to end by themselves, are terminated, and after another
        grace period (30 seconds by default) killed. Then raises ProcessRaisedException with the traceback, or
        ProcessExitedException where there is none.
        """
        failed = None
        for sentinel in wait(list(self.sentinels), timeout) if self.sentinels else ():
            index = self.sentinels.pop(sentinel)
            self.processes[index].join()
            if self.processes[index].exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        if grace_period is not None:
            self._join_all(grace_period)
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        self._join_all(30 if grace_period is None else grace_period)
        for process in self.processes:
            if process.is_alive():
                process.kill()
            process.join()
        raise self._error(failed)

    def _join_all(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        for process in self.processes:
            process.join(max(0.0, end - time.monotonic()))

    def _error(self, index: int) -> ProcessException:
        process = self.processes[index]
        code = process.exitcode
        try:
            with open(self.error_files[index], "rb") as file:
                trace = pickle.load(file)
            os.unlink(self.error_files[index])
        except OSError:
            pass  # it could not leave one
        else:
            return ProcessRaisedException(f"\n\n-- Process {index:d} terminated with the following error:\n{trace}", index, process.pid)
        if code >= 0:
            return ProcessExitedException(f"process {index:d} terminated with exit code {code:d}", index, process.pid, code)
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"<Unknown signal {-code}>"
        return ProcessExitedException(f"process {index:d} terminated with signal {name}", index, process.pid, code, name)


@public("torch.multiprocessing.spawn")
class SpawnContext(ProcessContext):
    """The old name of ProcessContext."""

    def __init__(self, processes: list[Any], error_files: list[str]) -> None:
        warnings.warn("SpawnContext is renamed to ProcessContext since 1.4 release.", stacklevel=2)
        super().__init__(processes, error_files)


def start_processes(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """`spawn` with a start method of choice."""
    context: Any = multiprocessing.get_context(start_method)
    processes, error_files = [], []
    for i in range(nprocs):
        # The file comes into being when the process fails: a name that nobody else will take.
        file = os.path.join(tempfile.gettempdir(), f"torch-error-{os.getpid()}-{i}-{os.urandom(8).hex()}.pickle")
        process = context.Process(target=_run, args=(fn, i, args, file), daemon=daemon)
        process.start()
        processes.append(process)
        error_files.append(file)
    started = ProcessContext(processes, error_files)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Calls `fn(i, *args)` in `nprocs` new processes, `i` being 0 to nprocs - 1.

    With `join` waits for all of them; raises ProcessRaisedException or ProcessExitedException for the first that
    fails, after ending the others. Without, returns a ProcessContext. `fn` must be importable by name.
    """
    if start_method != "spawn":
        warnings.warn(
            f"This method only supports start_method=spawn (got: {start_method}).\n"
            "To use a different start_method use:\n\t\t torch.multiprocessing.start_processes(...)",
            FutureWarning,
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
