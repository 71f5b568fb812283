"""`torch.futures`."""

import importlib

import pytest

import flambeau
from harness import parity


def futures_of(torch):
    return importlib.import_module(f"{torch.__name__}.futures")


@parity
def test_results(torch):
    F = futures_of(torch)
    future, seen = F.Future(), []
    following = future.then(lambda f: f.wait() + 1)
    future.add_done_callback(lambda f: seen.append(f.value()))
    before = future.done()
    future.set_result(3)
    first, second = F.Future(), F.Future()
    both = F.collect_all([first, second])
    first.set_result(1)
    half = both.done()
    second.set_result(2)
    return before, future.done(), future.wait(), following.wait(), seen, half, [f.wait() for f in both.wait()], F.wait_all([first, second])


@pytest.mark.parametrize("call", ["twice", "exception", "no exception", "devices"])
@parity
def test_errors(torch, call):
    future = futures_of(torch).Future()
    if call == "twice":
        future.set_result(1)
        future.set_result(2)
    elif call == "exception":
        future.set_exception(ValueError("x"))
        future.wait()
    elif call == "no exception":
        future.set_exception(3)
    else:
        futures_of(torch).Future(devices=["cpu"])


def test_a_thread_waits():
    import threading

    future = futures_of(flambeau).Future()
    thread = threading.Timer(0.05, future.set_result, ("done",))
    thread.start()
    assert future.wait() == "done"
    thread.join()
    failed = future.then(lambda f: 1 / 0)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: division by zero"):
        failed.wait()
