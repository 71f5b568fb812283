"""Loading with worker processes: hands out indices, takes batches in, notices when a worker dies."""

import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from io import BytesIO
from multiprocessing.connection import wait
from pickle import PicklingError
from typing import Any
from warnings import warn

from ....core.naming import public
from ....multiprocessing import reductions  # noqa: F401  (tensors inside datasets reach spawned workers)
from ..dataloader import _BaseDataLoaderIter, _DatasetKind
from .channel import MessagePickler, make_line
from .worker import END, ERROR, MP_STATUS_CHECK_INTERVAL, RESUMED, Job, run_worker


class PortableJob:
    """A worker's Job that a spawned process can unpickle though its classes bear PyTorch's names."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __reduce__(self) -> Any:
        pickled = BytesIO()
        MessagePickler(pickled).dump(tuple(self.job))
        return load_job, (pickled.getvalue(),)


def load_job(pickled: bytes) -> Any:
    """Unpickles a PortableJob."""
    import pickle

    return PortableJob(Job(*pickle.loads(pickled)))


def start_worker(channel: Any, portable: PortableJob) -> None:
    """What the worker process runs."""
    run_worker(channel, portable.job)


@public("torch.utils.data.dataloader")
class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Loads in worker processes.

    Batch number `i` is a task: `_send_idx` is the next one to hand out, `_rcvd_idx` the next to yield, `_owners` tells
    which worker has it, `_ready` holds batches that came before their turn. A worker is `_active` while it may still
    have something to send in this epoch.
    """

    def __init__(self, loader: Any) -> None:
        self._workers: list[Any] = []
        self._channels: list[Any] = []
        self._pid = os.getpid()
        super().__init__(loader)
        if loader.prefetch_factor <= 0:
            raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")
        self._prefetch_factor = loader.prefetch_factor
        self._in_order = loader.in_order
        self._worker_init_fn = loader.worker_init_fn
        self._failure: str | None = None
        self._ends: dict[Any, int] = {}
        self._inbox: deque[Any] = deque()
        context = loader.multiprocessing_context or multiprocessing
        for worker_id in range(self._num_workers):
            self._start(context, worker_id)
        self._reset(loader, first_iter=True)

    def _start(self, context: Any, worker_id: int) -> None:
        fetcher_arguments = (self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn, self._drop_last)
        job = Job(
            worker_id,
            self._num_workers,
            self._base_seed,
            self._dataset,
            _DatasetKind.create_fetcher,
            fetcher_arguments,
            self._worker_init_fn,
        )
        near, far = make_line(context)
        worker = context.Process(target=start_worker, args=(far, PortableJob(job)), daemon=True)
        try:
            worker.start()
        except (TypeError, AttributeError, PicklingError):
            near.close()
            self._shutdown_workers()
            warn(
                "Got pickle error when attempting to start a worker Process. This might be because the worker Process arguments are not "
                "picklable. Python 3.14+ changed the multiprocessing start method in non-Mac POSIX platforms to 'forkserver', which "
                "requires the worker Process arguments to be picklable. You can also try multiprocessing.set_start_method('fork').",
                stacklevel=2,
            )
            raise
        finally:
            far.abandon()
        self._workers.append(worker)
        self._channels.append(near)
        self._ends[near.waitable] = worker_id

    def _reset(self, loader: Any, first_iter: bool = False) -> None:
        super()._reset(loader, first_iter)
        self._send_idx = 0
        self._rcvd_idx = 0
        self._owners: dict[int, int] = {}
        self._ready: dict[int, tuple[int, int, Any]] = {}
        self._active = [True] * self._num_workers
        self._num_tasks = [0] * self._num_workers
        self._turns = itertools.cycle(range(self._num_workers))
        if not first_iter:
            for worker_id in range(self._num_workers):
                self._post(worker_id, (None, None))
            resumed = 0
            while resumed < self._num_workers:  # what comes before that belongs to the epoch that was broken off
                resumed += self._receive()[2] == RESUMED
        for _ in range(self._prefetch_factor * self._num_workers):
            self._try_put_index()

    def _next_data(self) -> Any:
        while True:
            while self._rcvd_idx < self._send_idx:
                if self._rcvd_idx in self._ready:
                    worker_id, kind, data = self._ready.pop(self._rcvd_idx)
                    self._rcvd_idx += 1
                    return self._yield(worker_id, kind, data)
                worker_id = self._owners.get(self._rcvd_idx, -1)
                if worker_id >= 0 and self._active[worker_id]:
                    break
                self._owners.pop(self._rcvd_idx, None)  # the worker's dataset ended before this task, or it was yielded early
                self._rcvd_idx += 1
            else:
                if not self._persistent_workers:
                    self._shutdown_workers()
                raise StopIteration
            worker_id, task, kind, data = self._receive()
            if kind == END:
                self._active[worker_id] = False
                self._try_put_index()
                continue
            del self._owners[task]
            if task == self._rcvd_idx:
                self._rcvd_idx += 1
            elif self._in_order:
                self._ready[task] = worker_id, kind, data
                continue
            return self._yield(worker_id, kind, data)

    def _yield(self, worker_id: int, kind: int, data: Any) -> Any:
        self._num_tasks[worker_id] -= 1
        self._try_put_index()
        if kind == ERROR:
            data.reraise()
        return data

    def _try_put_index(self) -> None:
        """Hands the next batch to the worker whose turn it is, or that has room; to nobody if all are at their end."""
        try:
            index = self._next_index()
        except StopIteration:
            return
        room = self._prefetch_factor * self._num_workers
        for _ in range(self._num_workers):
            worker_id = next(self._turns)
            if self._active[worker_id] and (self._in_order or self._num_tasks[worker_id] < room // sum(self._active)):
                break
        else:
            return
        self._post(worker_id, (self._send_idx, index))
        self._owners[self._send_idx] = worker_id
        self._num_tasks[worker_id] += 1
        self._send_idx += 1

    def _post(self, worker_id: int, message: Any) -> None:
        if self._failure is not None:
            raise RuntimeError(self._failure)
        try:
            self._channels[worker_id].send(message)
        except (ConnectionError, OSError):
            self._fail([worker_id])

    def _receive(self) -> tuple[int, int, int, Any]:
        """The next answer of any worker: (worker, task, kind, data). Raises RuntimeError for a death and the timeout."""
        if self._failure is not None:
            raise RuntimeError(self._failure)
        deadline = time.monotonic() + self._timeout if self._timeout > 0 else None
        while not self._inbox:
            pause = MP_STATUS_CHECK_INTERVAL if deadline is None else max(0.0, min(MP_STATUS_CHECK_INTERVAL, deadline - time.monotonic()))
            ready = wait(list(self._ends), pause)
            for end in ready:
                worker_id = self._ends[end]
                try:
                    self._inbox.append((worker_id, *self._channels[worker_id].receive()))
                    self._channels[worker_id].flush()  # it took something in, so there is room again
                except (EOFError, ConnectionError):
                    del self._ends[end]
                    if self._active[worker_id]:
                        self._fail([worker_id])
            if not ready:
                # Where a process that the worker started holds its end of the line, the line does not end.
                dead = [worker_id for worker_id, worker in enumerate(self._workers) if self._active[worker_id] and not worker.is_alive()]
                if dead:
                    self._fail(dead)
                if deadline is not None and time.monotonic() >= deadline:
                    raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
        return self._inbox.popleft()

    def _fail(self, worker_ids: list[int]) -> None:
        """Raises for dead workers, and ends the others: what these would send is of no use."""
        dead = [self._workers[worker_id] for worker_id in worker_ids]
        for worker in dead:
            worker.join(MP_STATUS_CHECK_INTERVAL)
        self._failure = f"DataLoader worker (pid(s) {', '.join(str(worker.pid) for worker in dead)}) exited unexpectedly"
        cause = describe_death(dead[0].pid, dead[0].exitcode)
        self._shutdown_workers(patience=0.1)
        raise RuntimeError(self._failure) from cause

    def _shutdown_workers(self, patience: float = MP_STATUS_CHECK_INTERVAL) -> None:
        """Ends the workers: they leave when their line ends, within a batch; after `patience` seconds they are killed."""
        if os.getpid() != self._pid or sys.is_finalizing():
            return  # a copy in a forked process; or multiprocessing ends its daemons now
        channels, self._channels = self._channels, []
        workers, self._workers = self._workers, []
        self._ends = {}
        for channel in channels:
            channel.close()
        deadline = time.monotonic() + patience
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        for worker in workers:
            if worker.is_alive():
                worker.kill()
                worker.join()

    def __del__(self) -> None:
        self._shutdown_workers()


def describe_death(pid: int, exitcode: int | None) -> RuntimeError | None:
    """The cause of an error about a dead worker, as far as it is known."""
    if not exitcode:
        return None
    if exitcode > 0:
        return RuntimeError(
            f"DataLoader worker (pid {pid}) exited unexpectedly with exit code {exitcode}. Details are lost due to "
            "multiprocessing. Rerunning with num_workers=0 may give better error trace."
        )
    text = f"DataLoader worker (pid {pid}) is killed by signal: {signal.strsignal(-exitcode)}. "
    if -exitcode == getattr(signal, "SIGBUS", None):
        text += "It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit."
    return RuntimeError(text)
