"""The pool of threads: every element once, from several threads at once, from within, and around a fork."""

import ctypes
import os
import threading
import time

import numpy as np
import pytest

from flambeau.kernels import elementwise, reduction
from flambeau.kernels.compiler import jit, threads, usable
from harness import run_python

pytestmark = pytest.mark.skipif(not usable() or os.name != "posix", reason="there is no pool here")

BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)

COUNT_UP = """
define void @count_up(ptr %context, i64 %begin, i64 %end) {
entry:
  br label %test
test:
  %i = phi i64 [%begin, %entry], [%i1, %step]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %step, label %done
step:
  %at = getelementptr i64, ptr %context, i64 %i
  %old = load i64, ptr %at
  %new = add i64 %old, 1
  store i64 %new, ptr %at
  %i1 = add i64 %i, 1
  br label %test
done:
  ret void
}
"""


@pytest.fixture(autouse=True)
def four_threads():
    before = threads._asked
    threads.set_count(4)
    yield
    threads._asked = before
    threads.set_count(threads.count())
    threads._asked = before


@pytest.fixture(scope="module")
def count_up():
    (address,) = jit.link(jit.cached_object(COUNT_UP), "count_up", "count_up")
    return address


def address(body):
    return ctypes.cast(body, ctypes.c_void_p).value


def launch(count_up, counts, grain):
    threads.parallel(count_up, counts.ctypes.data, counts.size, grain)


def recorded(seconds, count, grain):
    """The ranges of one launch, and which thread had each."""
    seen = []

    @BODY
    def body(context, begin, end):
        seen.append((begin, end, threading.get_ident()))
        time.sleep(seconds)

    threads.parallel(address(body), None, count, grain)
    return sorted(seen)


def test_ranges_cover_everything_once_on_several_threads():
    seen = recorded(0.02, 95, 10)
    assert [r[:2] for r in seen] == [(i, min(i + 10, 95)) for i in range(0, 95, 10)]
    assert len({r[2] for r in seen}) == 4


@pytest.mark.parametrize("count", [0, 1, 10])
def test_small_work_stays_here(count):
    assert recorded(0, count, 10) == [(0, count, threading.get_ident())]


def test_one_thread():
    threads.set_count(1)
    assert recorded(0, 1000, 10) == [(0, 1000, threading.get_ident())]
    threads.set_count(2)
    assert len({r[2] for r in recorded(0.02, 100, 10)}) == 2


def test_thousands_of_launches(count_up):
    counts = np.zeros(1000, np.int64)
    for _ in range(3000):
        launch(count_up, counts, 100)
    assert (counts == 3000).all()


def test_launches_from_several_threads(count_up):
    arrays = [np.zeros(997, np.int64) for _ in range(6)]

    def run(counts):
        for _ in range(500):
            launch(count_up, counts, 50)

    runners = [threading.Thread(target=run, args=(counts,)) for counts in arrays]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert all((counts == 500).all() for counts in arrays)


def test_nested(count_up):
    counts = np.zeros((40, 300), np.int64)

    @BODY
    def body(context, begin, end):
        for i in range(begin, end):
            launch(count_up, counts[i], 10)

    threads.parallel(address(body), None, len(counts), 1)
    assert (counts == 1).all()


def in_child(check):
    """Runs `check` in a fork of this process; whether it came through within 20 s."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if check() else 2
        finally:
            os._exit(status)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.005)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def several(count_up):
    """Whether a launch uses several threads and counts each element once."""
    counts = np.zeros(5000, np.int64)
    launch(count_up, counts, 10)
    return (counts == 1).all() and len({r[2] for r in recorded(0.02, 100, 10)}) == 4


def test_after_a_fork_both_have_a_pool(count_up):
    assert several(count_up)
    assert in_child(lambda: several(count_up) and in_child(lambda: several(count_up)))
    assert several(count_up)


def test_fork_during_a_launch(count_up):
    counts, stop = np.zeros(200_000, np.int64), threading.Event()

    def run():
        while not stop.is_set():
            launch(count_up, counts, 100)

    runner = threading.Thread(target=run)
    runner.start()
    try:
        assert all(in_child(lambda: several(count_up)) for _ in range(10))
    finally:
        stop.set()
        runner.join()
    assert (counts == counts[0]).all()


def test_settings_reach_the_pool():
    program = (
        "import flambeau as torch; from flambeau.kernels.compiler import threads;"
        "print(torch.get_num_threads()); torch.set_num_threads(7); print(torch.get_num_threads(), threads.count())"
    )
    assert run_python("-c", program, OMP_NUM_THREADS="3").stdout.split() == ["3", "7", "7"]


def test_a_worker_of_a_loader_has_one_thread(tmp_path):
    program = """
import flambeau as torch

class Threads(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        total = torch.ones(300_000).exp().sum()
        return torch.get_num_threads(), float(total) > 800_000

if __name__ == "__main__":
    torch.set_num_threads(3)
    torch.ones(300_000).exp()
    for counts, right in torch.utils.data.DataLoader(Threads(), num_workers=1):
        print(counts.tolist(), right.tolist())
    print(torch.get_num_threads())
"""
    (tmp_path / "script.py").write_text(program)
    assert run_python(str(tmp_path / "script.py")).stdout == "[1] [True]\n[1] [True]\n3\n"


def test_launches_of_kernels_from_several_threads():
    x = np.random.default_rng(0).standard_normal((600, 700)).astype(np.float32)
    expected = [elementwise.exp(x), elementwise.add(x, x[0]), reduction.sum(x, (0,)), reduction.sum(x, (1,))]
    failures = []

    def run():
        for _ in range(30):
            found = [elementwise.exp(x), elementwise.add(x, x[0]), reduction.sum(x, (0,)), reduction.sum(x, (1,))]
            if not all(np.array_equal(a, b) for a, b in zip(found, expected)):
                failures.append(1)

    runners = [threading.Thread(target=run) for _ in range(4)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert not failures
    assert in_child(lambda: np.array_equal(elementwise.exp(x), expected[0]))


def test_idle_workers_sleep(count_up):
    program = f"""
import ctypes, resource, time, numpy as np
from flambeau.kernels.compiler import jit, threads
threads.set_count(4)
(body,) = jit.link(jit.cached_object({COUNT_UP!r}), "count_up", "count_up")
counts = np.zeros(100000, np.int64)
threads.parallel(body, counts.ctypes.data, counts.size, 100)
time.sleep(0.1)
before = time.process_time()
time.sleep(1)
print(time.process_time() - before)
"""
    assert float(run_python("-c", program).stdout) < 0.1
