"""A worker process of a loader: takes the indices of batches from its channel and sends the batches back."""

import os
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .fetch import IterableFetcher

if TYPE_CHECKING:
    from .channel import Channel

MP_STATUS_CHECK_INTERVAL = 5.0
"""Seconds between two looks at whether the other side is still alive, for the cases that nothing announces."""


class WorkerInfo(NamedTuple):
    """What `get_worker_info` tells: the worker's number, how many there are, its seed and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str = "multiprocessing"


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process of a loader its WorkerInfo (`id`, `num_workers`, `seed`, `dataset`); elsewhere None."""
    return _worker_info


class KeyErrorMessage(str):
    """A message that KeyError, which shows the repr of its argument, prints readably."""

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """The exception being handled, as text, to be raised again in another process."""

    def __init__(self, where: str) -> None:
        import sys
        import traceback

        kind, error, trace = sys.exc_info()
        self.exc_type: Any = kind
        self.exc_msg = "".join(traceback.format_exception(kind, error, trace))
        self.where = where

    def reraise(self) -> None:
        """Raises an exception of the same type with the original traceback in its message.

        RuntimeError stands in for a type that can't be made from a message alone.
        """
        message = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            raise KeyError(KeyErrorMessage(message))
        if getattr(self.exc_type, "message", None):
            raise self.exc_type(message=message)
        try:
            error = self.exc_type(message)
        except Exception:
            error = RuntimeError(message)
            error.__suppress_context__ = True
        try:
            raise error
        finally:
            del error  # else the traceback keeps the loader's iterator, and its workers, alive


class Job(NamedTuple):
    """All that a worker needs to know, beside its channel."""

    worker_id: int
    num_workers: int
    base_seed: int
    dataset: Any
    make_fetcher: Callable[..., Any]
    fetcher_arguments: tuple[Any, ...]
    init_fn: Callable[[int], None] | None


BATCH, ERROR, END, RESUMED = range(4)
"""What a worker answers, as (task, kind, data): a batch; an ExceptionWrapper; that its IterableDataset is exhausted;
that it is ready for a new epoch. A loader sends (task, indices), and for a new epoch (None, None)."""


def seed_worker(base_seed: int, worker_id: int) -> None:
    """Seeds `random`, the default generator and NumPy: the same epoch gives the same samples, whatever the worker."""
    import random

    import numpy as np

    from ....core.generator import default_generator

    random.seed(base_seed + worker_id)
    default_generator.manual_seed(base_seed + worker_id)
    # NumPy's engine is that of `random`, so the same seed would give the same numbers: it gets a mixture instead.
    np.random.seed(np.random.SeedSequence([worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]).generate_state(4))


def watch_parent() -> None:
    """Ends this process soon after the loader's: a thread does, for the worker may be busy in code of the user."""
    import threading
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    sentinel = parent_process().sentinel  # type: ignore[union-attr]
    started_by = os.getppid()

    def watch() -> None:
        # The sentinel alone is not enough: processes that were forked later hold a copy of its other end.
        while os.getppid() == started_by and not wait([sentinel], timeout=1.0):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def run_worker(channel: "Channel", job: Job) -> None:
    """The main function of a worker process: until the channel is closed at the other end."""
    from ....kernels.compiler import threads
    from .channel import close_parent_ends

    global _worker_info
    close_parent_ends()
    watch_parent()
    try:
        threads.set_count(1)  # the loader has a worker for each core
        seed_worker(job.base_seed, job.worker_id)
        _worker_info = WorkerInfo(job.worker_id, job.num_workers, job.base_seed + job.worker_id, job.dataset)
        _serve(channel, job, f"in DataLoader worker process {job.worker_id}")
    except (KeyboardInterrupt, EOFError, ConnectionError):
        pass  # the loader hears of the interrupt itself; or it is gone
    channel.close()


def _serve(channel: "Channel", job: Job, where: str) -> None:
    failure: Any = None
    fetcher: Any = None
    try:
        if job.init_fn is not None:
            job.init_fn(job.worker_id)
        fetcher = job.make_fetcher(*job.fetcher_arguments)
    except Exception:
        failure = ExceptionWrapper(where)
    ended = False
    while True:
        task, index = channel.receive()
        if task is None:
            ended = False
            if failure is None:
                fetcher = job.make_fetcher(*job.fetcher_arguments)
            channel.send((None, RESUMED, None))
            continue
        if ended:
            continue  # indices that were under way when the dataset ended
        kind: int = BATCH
        data: Any = None
        try:
            if failure is None:
                data = fetcher.fetch(index)
            else:
                kind, data = ERROR, failure
        except Exception as error:
            if isinstance(error, StopIteration) and isinstance(fetcher, IterableFetcher):
                ended, kind = True, END
            else:
                kind, data = ERROR, ExceptionWrapper(where)
        try:
            channel.send((task, kind, data))
        except (EOFError, ConnectionError):
            raise
        except Exception:  # a batch, or the type of an exception, that can't be pickled
            trouble = ExceptionWrapper(where)
            if kind == ERROR:
                trouble.exc_type, trouble.exc_msg = RuntimeError, data.exc_msg
            channel.send((task, ERROR, trouble))
        del data, index  # their memory must not wait for the next batch
