"""`torch.futures`: results that come later, and what is to be done with them then."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from .core.missing import missing_name

__all__ = ["Future", "collect_all", "wait_all"]

Result = TypeVar("Result")
_NOTHING = object()


class Future(Generic[Result]):
    """A result that some other code will set, and callbacks for that moment. May be shared between threads.

    Raises ValueError for `devices` without an index: there are no accelerators to wait for.
    """

    def __init__(self, *, devices: Any = None) -> None:
        for device in devices or ():
            raise ValueError(f"Expected devices to have indices, got {device}")
        self._condition = threading.Condition()
        self._result: Any = _NOTHING
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[], None]] = []

    def done(self) -> bool:
        """Whether a result or an exception is there."""
        return self._result is not _NOTHING or self._error is not None

    def wait(self) -> Result:
        """Waits for the result; raises the exception that was set in its place."""
        with self._condition:
            self._condition.wait_for(self.done)
        return self.value()

    def value(self) -> Result:
        """The result, which must be there. Raises RuntimeError before, and the exception that was set in its place."""
        if self._error is not None:
            raise self._error
        if self._result is _NOTHING:
            raise RuntimeError("Future.value() was called before the future was completed")
        return self._result

    def set_result(self, result: Result) -> None:
        """Sets the result and runs the callbacks. Raises RuntimeError the second time."""
        self._complete(result, None)

    def set_exception(self, result: BaseException) -> None:
        """Sets an exception that `wait` and `value` raise."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._complete(None, result)

    def _complete(self, result: Any, error: BaseException | None) -> None:
        with self._condition:
            if self.done():
                raise RuntimeError(
                    "Attempting to mark a completed Future as complete again. Note that a Future can only be marked completed once."
                )
            self._result, self._error = (_NOTHING, error) if error is not None else (result, None)
            callbacks, self._callbacks = self._callbacks, []
            self._condition.notify_all()
        for callback in callbacks:
            callback()

    def _when_done(self, callback: Callable[[], None]) -> None:
        with self._condition:
            if not self.done():
                self._callbacks.append(callback)
                return
        callback()

    def add_done_callback(self, callback: Callable[["Future[Result]"], None]) -> None:
        """Calls `callback(self)` once the result is there, or now; what it raises is shown and goes no further."""

        def call() -> None:
            try:
                callback(self)
            except Exception:
                import logging

                logging.getLogger(__name__).exception("A callback of a Future failed")

        self._when_done(call)

    def then(self, callback: Callable[["Future[Result]"], Any]) -> "Future[Any]":
        """A Future of what `callback(self)` returns once the result is there; RuntimeError there where it raises."""
        following: Future[Any] = Future()

        def call() -> None:
            try:
                found = callback(self)
            except Exception as error:
                text = f"Got the following error when running the callback: {type(error).__name__}: {error}"
                following.set_exception(RuntimeError(text))
            else:
                following.set_result(found)

        self._when_done(call)
        return following


Future.__module__ = "torch.futures"


def collect_all(futures: Sequence[Future[Any]]) -> Future[list[Future[Any]]]:
    """A Future of the list of all the given ones, done when each of them is."""
    every: Future[list[Future[Any]]] = Future()
    waiting = [len(futures)]
    lock = threading.Lock()

    def finished() -> None:
        with lock:
            waiting[0] -= 1
            last = waiting[0] == 0
        if last:
            every.set_result(list(futures))

    for future in futures:
        future._when_done(finished)
    if not futures:
        every.set_result([])
    return every


def wait_all(futures: Sequence[Future[Any]]) -> list[Any]:
    """The results of all, when they are there; raises the first exception among them."""
    return [future.wait() for future in collect_all(futures).wait()]


__getattr__ = missing_name(__name__)
