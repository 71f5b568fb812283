"""`torch.multiprocessing`: tensors that processes share, and `spawn`."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import flambeau
import flambeau.multiprocessing as mp
import flambeau.nn
from flambeau.multiprocessing import reductions
from flambeau.multiprocessing.block import Block, find_block
from flambeau.multiprocessing.reductions import is_shared, share_memory_
from flambeau.nn.parameter import Parameter
from flambeau.tensor import wrap, wrap_as
from harness import ROOT

METHODS = multiprocessing.get_all_start_methods()
LINUX = sys.platform == "linux"
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


def zeros(*shape):
    return wrap(np.zeros(shape, np.float32))


# --- shared memory -------------------------------------------------------------------------------------------------


def test_share_memory():
    tensor = wrap(np.arange(6.0).reshape(2, 3).T)
    assert not is_shared(tensor)
    assert share_memory_(tensor) is tensor
    assert is_shared(tensor)
    assert tensor._array.strides == (8, 24)
    assert tensor.tolist() == [[0, 3], [1, 4], [2, 5]]
    block = find_block(tensor._array)
    assert find_block(share_memory_(tensor)._array) is block
    assert is_shared(wrap(tensor._array[1:]))


def test_small_tensors_lie_together_and_large_ones_alone():
    small = [share_memory_(wrap(np.full(3, i))) for i in range(50)]
    assert len({id(find_block(tensor._array)) for tensor in small}) <= 2
    assert [tensor.tolist() for tensor in small] == [[i] * 3 for i in range(50)]
    assert len({tensor._array.ctypes.data for tensor in small}) == 50
    large = [share_memory_(zeros(100_000)) for _ in range(2)]
    assert find_block(large[0]._array) is not find_block(large[1]._array)


def test_blocks_are_freed():
    before = Block.live
    tensors = [share_memory_(zeros(100_000)) for _ in range(20)]
    view = wrap(tensors[3]._array[5:])
    assert Block.live == before + 20
    del tensors
    assert Block.live == before + 1
    assert view.tolist()[0] == 0
    del view
    assert Block.live == before


def test_whoever_looks_at_the_memory_follows_it():
    tensor = wrap(np.arange(12.0).reshape(3, 4))
    twin, row, corner = wrap(tensor._array), wrap(tensor._array[1]), wrap(tensor._array.T[1:, ::2])
    nothing = wrap(tensor._array[:, :0])
    outside = tensor._array
    share_memory_(row)
    assert all(map(is_shared, (tensor, twin, row, corner, nothing)))
    row._array[:] = -1
    assert tensor.tolist()[1] == twin.tolist()[1] == [-1] * 4
    tensor._array[2, 3] = 99
    assert corner.tolist() == [[1, 9], [2, 10], [3, 99]]
    assert corner._array.strides == (8, 64)
    assert nothing.shape == (3, 0)
    assert outside[2, 3] == 11


def test_modules():
    model = flambeau.nn.Linear(3, 2)
    names = dict(model.named_parameters())
    output = model(flambeau.ones(1, 3)).sum()  # its graph holds on to the weights
    assert model.share_memory() is model
    assert all(names[name] is parameter and is_shared(parameter) for name, parameter in model.named_parameters())
    output.backward()
    assert model.weight.grad.tolist() == [[1, 1, 1]] * 2


def test_empty_and_meta_tensors():
    assert is_shared(share_memory_(zeros(0, 3)))
    meta = flambeau.empty(2, device="meta")
    assert not is_shared(meta)
    with pytest.raises(RuntimeError, match="_share_fd_: only available on CPU"):
        share_memory_(meta)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_writes_where_we_read_and_takes_memory_of_its_own():
    tensor, first = share_memory_(zeros(4)), share_memory_(zeros(4))
    pid = os.fork()
    if pid == 0:
        tensor._array[2] = 7
        share_memory_(wrap(np.ones(4, np.float32)))
        os._exit(0)
    os.waitpid(pid, 0)
    second = share_memory_(zeros(4))
    assert tensor.tolist() == [0, 0, 7, 0]
    assert first.tolist() == second.tolist() == [0] * 4


# --- queues and pipes ----------------------------------------------------------------------------------------------


def answer(inbox, outbox):
    while (message := inbox.get()) is not None:
        tensor, number = message
        tensor._array[0] = number
        outbox.put((type(tensor).__name__, tensor.requires_grad, is_shared(tensor), "torch" in sys.modules, tensor))
    inbox.get()


@pytest.mark.parametrize("method", METHODS)
def test_tensors_pass_through_queues_by_reference(method):
    context = mp.get_context(method)
    inbox, outbox = context.Queue(), context.SimpleQueue()
    process = context.Process(target=answer, args=(inbox, outbox))
    process.start()
    for shape in ((3,), (50_000, 2)):
        tensor, parameter = zeros(*shape), wrap_as(Parameter, np.zeros(shape, np.float32), True)
        for sent, name in ((tensor, "Tensor"), (parameter, "Parameter")):
            inbox.put((sent, 5))
            kind, requires_grad, shared, torch_there, received = outbox.get()
            assert (kind, requires_grad, shared, torch_there) == (
                name,
                name == "Parameter",
                True,
                method == "fork" and "torch" in sys.modules,
            )
            assert np.ravel(sent._array)[0] == np.ravel(received._array)[0] == 5
            sent._array[1] = 9  # the same memory, there and back
            assert (received._array[1] == 9).all()
    inbox.put(None)
    inbox.put(None)
    process.join()
    assert process.exitcode == 0


@pytest.mark.parametrize("method", METHODS)
def test_views_empty_and_small_tensors_pass_through_pipes(method):
    context = mp.get_context(method)
    near, far = context.Pipe()
    process = context.Process(target=echo, args=(far,))
    process.start()
    base = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    for array in (base[:, 1], base.T, np.float32(3) * np.ones(()), np.zeros((0, 4)), np.ones(3, bool), np.broadcast_to(base[0, 0], (3, 4))):
        near.send(wrap(np.asarray(array)))
        received = near.recv()
        assert received.shape == array.shape
        assert received._array.dtype == array.dtype
        assert (received._array == array).all()
    near.send(None)
    process.join()
    assert base.flat[-1] == 23


def echo(connection):
    while (message := connection.recv()) is not None:
        connection.send(message)


def test_a_tensor_inside_a_graph_is_refused():
    inside = flambeau.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor which requires_grad"):
        reductions.reduce_tensor(inside)


def double(tensor):
    return wrap(tensor._array * 2)


def test_pools():
    with mp.get_context(METHODS[0]).Pool(2) as pool:
        assert [tensor.tolist() for tensor in pool.map(double, [wrap(np.full(2, i)) for i in range(5)])] == [[2 * i] * 2 for i in range(5)]


SENDER = """
import sys, time
sys.path[:0] = [{src!r}, {here!r}]
from test_multiprocessing import *
if __name__ == "__main__":
    context = mp.get_context({method!r})
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=answer, args=(inbox, outbox), daemon=True)
    process.start()
    tensors = [share_memory_(zeros(300_000)) for _ in range(3)]
    for tensor in tensors:
        inbox.put((tensor, 1))
    outbox.get()
    print(process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not LINUX, reason="looks into /dev/shm")
@pytest.mark.parametrize("method", METHODS)
def test_nothing_stays_when_processes_are_killed(tmp_path, method):
    before = set(os.listdir("/dev/shm"))
    path = tmp_path / "sender.py"
    path.write_text(SENDER.format(src=str(ROOT / "src"), here=str(ROOT / "tests"), method=method))
    process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    os.kill(child, signal.SIGKILL)
    process.kill()
    process.wait()
    process.stdout.close()
    # The standard library's tracker removes the semaphores of its queues; tests that run beside this one have some, too.
    end = time.monotonic() + 30
    while not set(os.listdir("/dev/shm")) <= before and time.monotonic() < end:
        time.sleep(0.02)
    assert set(os.listdir("/dev/shm")) <= before


# --- spawn ---------------------------------------------------------------------------------------------------------


def write(i, tensor, what=None):
    tensor._array[i] = i + 1
    if what is not None and i == 1:
        if what == "raise":
            raise ValueError("bad luck")
        if what == "exit":
            sys.exit(7)
        os.kill(os.getpid(), signal.SIGKILL)
    if what is not None:
        time.sleep(40)


def test_spawn():
    tensor = share_memory_(zeros(3))
    assert mp.spawn(write, (tensor,), nprocs=2) is None
    assert tensor.tolist() == [1, 2, 0]


def write_all(i, tensors):
    for number, tensor in enumerate(tensors):
        tensor._array[i] = number


@pytest.mark.parametrize("method", METHODS)
def test_many_tensors_go_along_to_a_new_process(method):
    tensors = [zeros(2) for _ in range(300)] + [zeros(50_000)] * 2
    if method == "fork":
        for tensor in tensors:
            share_memory_(tensor)
    mp.start_processes(write_all, (tensors,), nprocs=2, start_method=method)
    assert [tensor.tolist()[:2] for tensor in tensors[:-2]] == [[number] * 2 for number in range(300)]
    assert tensors[-1].tolist()[:2] == [301, 301]


@pytest.mark.parametrize("method", METHODS)
def test_start_processes_without_waiting(method):
    tensor = share_memory_(zeros(3))
    context = mp.start_processes(write, (tensor,), nprocs=3, join=False, start_method=method)
    assert type(context) is mp.ProcessContext
    assert len(context.pids()) == 3
    while not context.join(timeout=10):
        pass
    assert context.join()
    assert tensor.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("what", "kind", "text", "code"),
    [
        (
            "raise",
            mp.ProcessRaisedException,
            "\n\n-- Process 1 terminated with the following error:\nTraceback (most recent call last):\n",
            None,
        ),
        ("exit", mp.ProcessExitedException, "process 1 terminated with exit code 7", 7),
        ("kill", mp.ProcessExitedException, "process 1 terminated with signal SIGKILL", -9),
    ],
)
def test_the_first_failure_ends_the_others(what, kind, text, code):
    start = time.monotonic()
    with pytest.raises(kind) as found:
        mp.start_processes(write, (share_memory_(zeros(2)), what), nprocs=2, start_method=METHODS[0])
    assert time.monotonic() - start < 20
    error = found.value
    assert str(error).startswith(text)
    assert error.error_index == 1
    assert getattr(error, "exit_code", None) == code
    if what == "raise":
        assert str(error).endswith("ValueError: bad luck\n")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_spawn_takes_no_other_start_method():
    with pytest.warns(FutureWarning, match="This method only supports start_method=spawn"):
        mp.spawn(write, (share_memory_(zeros(1)),), start_method="fork")


def test_sharing_strategies():
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    previous = mp.get_sharing_strategy()
    mp.set_sharing_strategy("file_system")
    assert mp.get_sharing_strategy() == "file_system"
    mp.set_sharing_strategy(previous)
    with pytest.raises(AssertionError, match="invalid sharing strategy 'none', expected one of"):
        mp.set_sharing_strategy("none")


def test_the_names_of_the_standard_library_are_there():
    assert set(multiprocessing.__all__) <= set(mp.__all__)
    assert all(hasattr(mp, name) for name in mp.__all__)
    assert mp.ProcessRaisedException.__module__ == "torch.multiprocessing.spawn"
