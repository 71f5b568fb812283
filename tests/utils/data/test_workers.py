"""The loader with worker processes: results, errors, deaths, and that nothing is left behind, neither processes nor memory."""

import contextlib
import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from multiprocessing import forkserver, resource_tracker

import numpy as np
import pytest

import flambeau.utils.data
from flambeau.multiprocessing import reductions
from flambeau.tensor import wrap
from flambeau.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info
from flambeau.utils.data._utils import channel, parallel
from harness import ROOT, parity

LINUX = sys.platform == "linux"
METHODS = multiprocessing.get_all_start_methods()
pytestmark = pytest.mark.xdist_group("shared memory")  # not beside tests that fill it, too


@pytest.fixture(autouse=True)
def time_limit():
    """No test here may hang."""

    def too_long(*_):
        raise TimeoutError("the test hangs")

    previous = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, 60)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """No process, no file in shared memory, no open file more than before."""
    if LINUX:  # the standard library's helpers keep files open as long as the process lives: they start first
        resource_tracker.ensure_running()
        forkserver.ensure_running()
        reductions._arena.take(1)  # as is the block of memory that small tensors share
    before, shared = descriptors(), set(shared_files())
    yield
    assert not multiprocessing.active_children()
    assert set(shared_files()) <= shared
    gc.collect()  # a process object that nobody holds any more closes its sentinel
    assert descriptors() <= before


def descriptors():
    return len(os.listdir("/proc/self/fd")) if LINUX else 0


def shared_files():
    return [name for name in os.listdir("/dev/shm") if name.startswith(("torch", "flambeau", "psm", "sem.mp"))] if LINUX else []


def alive(pid):
    """Whether the process runs; a zombie that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(map(alive, pids)):
        time.sleep(0.02)
    return [pid for pid in pids if alive(pid)]


class Numbers(Dataset):
    """Sample i is i, after `act(i)`."""

    def __init__(self, size, act=None):
        self.size = size
        self.act = act

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        if self.act is not None:
            self.act(i)
        return i


class Images(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, i):
        return wrap(np.full((3, 32, 32), i, np.float32)), i, np.full(5, i, np.int16), f"image {i}"


class Stream(IterableDataset):
    def __init__(self, size):
        self.size = size

    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, self.size, info.num_workers))

    def __len__(self):
        return self.size


def values(loader):
    return [batch.tolist() for batch in loader]


# --- results -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("persistent", [False, True])
def test_batches_arrive_whole_and_in_order(method, persistent):
    loader = DataLoader(Images(), batch_size=16, num_workers=2, multiprocessing_context=method, persistent_workers=persistent)
    for _ in range(2):
        start = 0
        for images, numbers, arrays, names in loader:
            count = min(16, 40 - start)
            expected = np.arange(start, start + count)
            assert numbers.tolist() == expected.tolist()
            assert tuple(images.shape) == (count, 3, 32, 32)
            assert (images._array == expected.reshape(-1, 1, 1, 1)).all()
            assert (arrays._array == expected.reshape(-1, 1)).all()
            assert arrays.dtype is flambeau.int16
            assert names == tuple(f"image {i}" for i in expected)
            images._array[...] = 0  # the memory is the receiver's own
            start += count
        assert start == 40


@pytest.mark.parametrize("method", METHODS)
def test_datasets_of_tensors(method):
    numbers, squares = wrap(np.arange(100)), wrap(np.arange(100) ** 2)
    dataset = flambeau.utils.data.Subset(flambeau.utils.data.TensorDataset(numbers, squares), list(range(99, -1, -1)))
    for x, y in DataLoader(dataset, batch_size=30, num_workers=2, multiprocessing_context=method):
        assert (x._array**2 == y._array).all()
    assert x.tolist() == list(range(9, -1, -1))


@parity
def test_as_many_random_numbers_as_pytorch(torch):
    loader = torch.utils.data.DataLoader(range(10), 3, shuffle=True, num_workers=2)
    return list(loader), list(loader), torch.rand(1)


@parity
def test_as_many_random_numbers_as_pytorch_with_persistent_workers(torch):
    generator = torch.Generator().manual_seed(3)
    loader = torch.utils.data.DataLoader(range(10), 3, shuffle=True, num_workers=2, persistent_workers=True, generator=generator)
    return list(loader), list(loader), torch.rand(1), torch.rand(1, generator=generator)


@parity
def test_workers_are_seeded_as_in_pytorch(torch):
    class Draws(torch.utils.data.Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, i):
            info = torch.utils.data.get_worker_info()
            return random.random(), float(np.random.rand()), torch.rand(2), info.seed, info.id, info.num_workers

    return list(torch.utils.data.DataLoader(Draws(), batch_size=None, num_workers=2))


@parity
def test_structures_cross(torch):
    class Everything(torch.utils.data.Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return {"a": (i, [1.5, "x"]), "b": torch.zeros(0, 3), "c": torch.tensor(True), "d": None if i > 5 else b"bytes"}

    return list(torch.utils.data.DataLoader(Everything(), batch_size=2, num_workers=1))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "complex64", "bool", "uint8", "int64"])
@pytest.mark.parametrize("size", [3, 100_000])
def test_every_dtype_crosses(dtype, size):
    numbers = (np.arange(size) % 99).astype(getattr(flambeau, dtype).numpy)

    class One(Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, i):
            return wrap(numbers)

    (batch,) = DataLoader(One(), batch_size=None, num_workers=1)
    assert batch.dtype is getattr(flambeau, dtype)
    assert (batch._array == numbers).all()


def test_strides_and_requires_grad_cross():
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = [base.transpose(2, 0, 1), base[:, ::2], np.broadcast_to(base[:1], (3, 3, 4)), base[0, 0, 0:1].reshape(())]

    class Views(Dataset):
        def __len__(self):
            return len(arrays)

        def __getitem__(self, i):
            tensor = wrap(arrays[i])
            tensor._requires_grad = True
            return tensor

    batches = list(DataLoader(Views(), batch_size=None, num_workers=1))
    assert all((batch._array == array).all() and batch.shape == array.shape for batch, array in zip(batches, arrays, strict=True))
    assert all(batch.requires_grad and batch.is_leaf for batch in batches)
    assert batches[0]._array.strides == arrays[0].strides


def test_streams():
    assert values(DataLoader(Stream(7), batch_size=2, num_workers=2)) == [[0, 2], [1, 3], [4, 6], [5]]
    assert values(DataLoader(Stream(7), batch_size=2, num_workers=2, drop_last=True)) == [[0, 2], [1, 3], [4, 6]]
    assert list(DataLoader(Stream(5), batch_size=None, num_workers=2)) == [0, 1, 2, 3, 4]
    assert values(DataLoader(Stream(1), num_workers=2)) == [[0]]
    loader = DataLoader(Stream(9), batch_size=2, num_workers=2, persistent_workers=True)
    assert values(loader) == values(loader) == [[0, 2], [1, 3], [4, 6], [5, 7], [8]]
    del loader


def test_a_stream_that_is_longer_than_promised():
    class Long(Stream):
        def __iter__(self):
            return iter(range(self.size + 1))

    loader = DataLoader(Long(2), num_workers=1)
    len(loader)
    with pytest.warns(UserWarning, match=r"was reported to be 2\(when.*but 3 samples have been fetched. For multiprocessing data-loading"):
        list(loader)


def test_out_of_order():
    def slow_first(i):
        time.sleep(0.3 if i == 0 else 0)

    batches = values(DataLoader(Numbers(8, slow_first), num_workers=2, in_order=False))
    assert sorted(batches) == [[i] for i in range(8)]
    assert batches[0] != [0]
    assert values(DataLoader(Numbers(8, slow_first), num_workers=2)) == [[i] for i in range(8)]


def test_prefetching_deeper_than_any_buffer():
    assert len(list(DataLoader(Numbers(4000), num_workers=1, prefetch_factor=4000))) == 4000


def test_large_lists_of_indices_and_of_strings():
    loader = DataLoader(Numbers(300_000), batch_size=100_000, num_workers=1, collate_fn=lambda samples: [str(i) for i in samples])
    batches = list(loader)
    assert [len(batch) for batch in batches] == [100_000] * 3
    assert batches[2][-1] == "299999"


def test_batches_outlive_the_loader_and_cost_few_open_files():
    batches = list(DataLoader(Images(), batch_size=1, num_workers=1))
    assert all((images._array == i).all() for i, (images, *_) in enumerate(batches))
    del batches


def test_more_batches_kept_than_files_may_be_open(monkeypatch):
    monkeypatch.setattr(channel, "_mapping_limit", lambda: 3)
    batches = [images for images, *_ in DataLoader(Images(), batch_size=2, num_workers=1)]
    assert all((images._array.min(), images._array.max()) == (2 * i, 2 * i + 1) for i, images in enumerate(batches))
    del batches


def test_leaving_early_and_starting_again():
    loader = DataLoader(Numbers(100), num_workers=2)
    for _ in range(3):
        for batch in loader:
            assert batch.tolist() == [0]
            break
    loader = DataLoader(Numbers(100), num_workers=2, persistent_workers=True)
    for _ in range(3):
        for i, batch in enumerate(loader):
            assert batch.tolist() == [i]
            if i == 3:
                break
    del loader


def test_two_loaders_at_once():
    for a, b in zip(DataLoader(Numbers(20), num_workers=1), DataLoader(Numbers(20), num_workers=1), strict=True):
        assert a.tolist() == b.tolist()


def test_worker_info_and_init_function(tmp_path):
    def note(worker_id):
        info = get_worker_info()
        assert info.id == worker_id
        info.dataset.size = 77
        (tmp_path / str(worker_id)).write_text(repr(info).split("dataset=")[0] + f" {len(info.dataset)}")

    assert len(values(DataLoader(Numbers(4), num_workers=2, worker_init_fn=note))) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    text = (tmp_path / "1").read_text()
    assert text.startswith("WorkerInfo(id=1, num_workers=2, seed=")
    assert text.endswith("77")
    assert get_worker_info() is None


def test_without_shared_memory(monkeypatch):
    monkeypatch.setattr(channel, "SHARED_MEMORY", False)
    for images, numbers, *_ in DataLoader(Images(), batch_size=16, num_workers=2):
        assert (images._array == numbers._array.reshape(-1, 1, 1, 1)).all()
    big = DataLoader(Numbers(20), batch_size=1, num_workers=1, prefetch_factor=20, collate_fn=lambda samples: bytes(1 << 20))
    assert [len(batch) for batch in big] == [1 << 20] * 20
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly"):
        list(DataLoader(Numbers(8, kill_self_at_3), num_workers=2))


# --- errors --------------------------------------------------------------------------------------------------------


class Awkward(Exception):
    def __init__(self, one, two):
        super().__init__(one, two)


class WithMessage(Exception):
    message = "class attribute"

    def __init__(self, *, message):
        super().__init__(message)


@pytest.mark.parametrize(
    ("error", "kind", "caught"),
    [
        (ValueError("no"), ValueError, "ValueError"),
        (KeyError("no"), KeyError, "KeyError"),
        (Awkward(1, 2), RuntimeError, "Awkward"),
        (WithMessage(message="no"), WithMessage, "WithMessage"),
        (NotImplementedError(), NotImplementedError, "NotImplementedError"),
    ],
)
def test_an_error_in_a_worker_is_raised_here(error, kind, caught):
    def fail(i):
        if i == 3:
            raise error

    iterator = iter(DataLoader(Numbers(6, fail), num_workers=2))
    assert [next(iterator).tolist() for _ in range(3)] == [[0], [1], [2]]
    with pytest.raises(kind) as found:
        next(iterator)
    text = str(found.value)
    assert text.startswith(f"Caught {caught} in DataLoader worker process 1.\nOriginal Traceback (most recent call last):\n")
    assert "raise error" in text
    assert values(iterator) == [[4], [5]]  # as in PyTorch, the others still come


def test_an_error_in_the_init_function():
    def fail(worker_id):
        raise RuntimeError(f"init {worker_id}")

    with pytest.raises(RuntimeError, match=r"(?s)Caught RuntimeError in DataLoader worker process 0\.\nOriginal Traceback.*init 0"):
        list(DataLoader(Numbers(6), num_workers=2, worker_init_fn=fail))


def test_what_cannot_be_pickled_is_an_error_and_no_hang():
    with pytest.raises(Exception, match=r"(?s)in DataLoader worker process 0\.\nOriginal Traceback.*pickle"):
        list(DataLoader(Numbers(2), num_workers=1, collate_fn=lambda samples: lambda: 1))

    class Local(Exception):
        pass

    def fail(i):
        raise Local("here")

    with pytest.raises(RuntimeError, match=r"(?s)in DataLoader worker process 0.*here"):
        list(DataLoader(Numbers(2, fail), num_workers=1))


def test_a_result_inside_a_graph_is_refused():
    class Graph(Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, i):
            return flambeau.ones(2, requires_grad=True) * 2

    with pytest.raises(RuntimeError, match=r"(?s)Caught RuntimeError.*Cowardly refusing to serialize non-leaf tensor"):
        list(DataLoader(Graph(), batch_size=None, num_workers=1))


def test_the_timeout():
    def sleep(i):
        time.sleep(2 if i == 1 else 0)

    loader = DataLoader(Numbers(2, sleep), num_workers=1, timeout=0.4)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.4 seconds"):
        list(loader)


@pytest.mark.skipif("spawn" not in METHODS, reason="no spawn")
def test_arguments_that_cannot_be_pickled():
    loader = DataLoader(Numbers(2, lambda i: None), num_workers=1, multiprocessing_context="spawn")
    with (
        pytest.warns(UserWarning, match="Got pickle error when attempting to start a worker Process"),
        pytest.raises(Exception, match="pickle"),
    ):
        iter(loader)


def test_too_many_workers_are_warned_about():
    with pytest.warns(UserWarning, match="This DataLoader will create 4000 worker processes in total. Our suggested max number of worker"):
        DataLoader(Numbers(2), num_workers=4000)


# --- deaths --------------------------------------------------------------------------------------------------------


def kill_self_at_3(i):
    if i == 3:
        os.kill(os.getpid(), signal.SIGKILL)


def exit_at_3(i):
    if i == 3:
        os._exit(5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("act", "cause"),
    [
        (kill_self_at_3, r"DataLoader worker (pid {}) is killed by signal: Killed. "),
        (
            exit_at_3,
            "DataLoader worker (pid {}) exited unexpectedly with exit code 5. Details are lost due to multiprocessing. "
            "Rerunning with num_workers=0 may give better error trace.",
        ),
    ],
)
def test_the_death_of_a_worker_is_an_error(method, act, cause):
    iterator = iter(DataLoader(Numbers(8, act), num_workers=2, multiprocessing_context=method))
    pid = iterator._workers[1].pid
    with pytest.raises(RuntimeError) as found:
        list(iterator)
    assert str(found.value) == f"DataLoader worker (pid(s) {pid}) exited unexpectedly"
    assert str(found.value.__cause__) == cause.format(pid)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):  # and not a silent end
        next(iterator)


def test_a_worker_that_is_killed_from_outside_while_the_others_are_busy():
    iterator = iter(DataLoader(Numbers(100, lambda i: time.sleep(5 if i % 2 else 0)), num_workers=2))
    assert next(iterator).tolist() == [0]
    os.kill(iterator._workers[1].pid, signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(iterator)
    assert time.monotonic() - start < 4


def test_a_persistent_worker_that_dies_between_epochs():
    loader = DataLoader(Numbers(4), num_workers=2, persistent_workers=True)
    assert len(values(loader)) == 4
    os.kill(loader._iterator._workers[0].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        values(loader)
    del loader


def test_a_worker_with_a_child_that_outlives_it(monkeypatch):
    monkeypatch.setattr(parallel, "MP_STATUS_CHECK_INTERVAL", 0.5)

    def fork_and_die(i):
        if i == 1:
            if os.fork() == 0:
                time.sleep(3)
                os._exit(0)
            os._exit(1)

    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        values(DataLoader(Numbers(4, fork_and_die), num_workers=1))


PROGRAM = """
import os, sys, time
import numpy as np
sys.path[:0] = [{src!r}]
import flambeau as torch
from flambeau.multiprocessing import reductions
from flambeau.tensor import wrap
from flambeau.utils.data import DataLoader, Dataset

class Images(Dataset):
    def __len__(self):
        return 1000
    def __getitem__(self, i):
        {act}
        return wrap(np.full((3, 64, 64), i, np.float32))

if __name__ == "__main__":
    loader = DataLoader(Images(), batch_size=8, num_workers=2, multiprocessing_context={method!r})
    other = iter(DataLoader(Images(), num_workers=1, multiprocessing_context={method!r}))
    iterator = iter(loader)
    {first}
    print(*[w.pid for w in iterator._workers + other._workers], flush=True)
    {then}
"""


@contextlib.contextmanager
def program(tmp_path, method, act="pass", first="kept = next(iterator)", then="time.sleep(60)"):
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(PROGRAM).format(src=str(ROOT / "src"), method=method, act=act, first=first, then=then))
    process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def nothing_new(before, seconds=30):
    """Whether shared memory comes to hold nothing that was not there; tests that run beside this one use it for a while, too."""
    end = time.monotonic() + seconds
    while not set(os.listdir("/dev/shm")) <= before and time.monotonic() < end:
        time.sleep(0.02)
    return set(os.listdir("/dev/shm")) <= before


@pytest.mark.skipif(not LINUX, reason="looks into /proc and /dev/shm")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("act", ["pass", "time.sleep(30 if i > 20 else 0)"], ids=["idle workers", "busy workers"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_loader_is_killed_its_workers_go_and_leave_nothing(tmp_path, method, act, how):
    before = set(os.listdir("/dev/shm"))
    with program(tmp_path, method, act) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 3
        assert all(map(alive, pids))
        process.send_signal(how)
        process.wait()
        assert wait_until_gone(pids) == []
    assert nothing_new(before)


@pytest.mark.skipif(not LINUX, reason="looks into /proc and /dev/shm")
@pytest.mark.parametrize("then", ["sys.exit(0)", "raise ValueError", "os.kill(os.getpid(), 2); time.sleep(30)", "pass"])
def test_a_program_that_ends_in_the_middle_ends_at_once(tmp_path, then):
    with program(tmp_path, METHODS[0], then=then) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.wait(20)
        assert wait_until_gone(pids, 5) == []
        errors = process.stderr.read()
        assert "Exception ignored" not in errors
        assert errors.count("Traceback") <= 1


@pytest.mark.skipif(not LINUX, reason="looks into /dev/shm")
def test_when_a_worker_is_killed_nothing_stays_in_shared_memory(tmp_path):
    before = set(os.listdir("/dev/shm"))
    then = "os.kill(iterator._workers[0].pid, 9); list(iterator)"
    with program(tmp_path, METHODS[0], then=then) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.wait(20)
        assert "RuntimeError: DataLoader worker (pid(s)" in process.stderr.read()
        assert wait_until_gone(pids, 5) == []
    assert nothing_new(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_does_not_end_its_parents_workers():
    iterator = iter(DataLoader(Numbers(6), num_workers=1))
    assert next(iterator).tolist() == [0]
    pid = os.fork()
    if pid == 0:
        del iterator
        os._exit(0)
    os.waitpid(pid, 0)
    assert values(iterator) == [[i] for i in range(1, 6)]
