"""Stores: tables of bytes by key in which processes find each other. Here they live in the memory of the one process."""

import time
from datetime import timedelta

from ..core.naming import public

__all__ = [
    "DistBackendError",
    "DistError",
    "DistNetworkError",
    "DistStoreError",
    "FileStore",
    "HashStore",
    "PrefixStore",
    "Store",
    "TCPStore",
]

LATER = "flambeau runs in one process so far, a world of 1; groups of several processes come in a later version"


@public("torch.distributed")
class DistError(RuntimeError):
    """An error of torch.distributed."""


@public("torch.distributed")
class DistBackendError(DistError):
    """An error of a backend."""


@public("torch.distributed")
class DistNetworkError(DistError):
    """An error of the network."""


@public("torch.distributed")
class DistStoreError(DistError):
    """An error of a store, such as waiting too long for a key."""


def check_world_size(size: int) -> None:
    """Raises NotImplementedError for a world of several processes."""
    if size > 1:
        raise NotImplementedError(f"torch.distributed with a world of {size} processes: " + LATER)


@public("torch.distributed.distributed_c10d")
class Store:
    """A table of bytes by key. `get` and `wait` wait for keys until `timeout`, then raise DistStoreError."""

    def __init__(self) -> None:
        self._table: dict[str, bytes] = {}
        self._timeout = timedelta(minutes=5)

    @property
    def timeout(self) -> timedelta:
        """How long `get` and `wait` wait."""
        return self._timeout

    def set_timeout(self, timeout: timedelta) -> None:
        """Sets how long `get` and `wait` wait."""
        self._timeout = timeout

    def set(self, key: str, value: str | bytes) -> None:
        """Puts a value in, in place of an older one."""
        self._table[key] = value.encode() if isinstance(value, str) else bytes(value)

    def get(self, key: str) -> bytes:
        """The value of a key."""
        self.wait([key])
        return self._table[key]

    def add(self, key: str, amount: int) -> int:
        """Adds to a number, which begins at 0; returns the sum."""
        total = int(self._table.get(key, b"0")) + amount
        self._table[key] = str(total).encode()
        return total

    def append(self, key: str, value: str | bytes) -> None:
        """Adds bytes at the end of a value, which begins empty."""
        self._table[key] = self._table.get(key, b"") + (value.encode() if isinstance(value, str) else bytes(value))

    def compare_set(self, key: str, expected_value: str, desired_value: str) -> bytes:
        """Sets a key if its value is the expected one, or if it has none and "" is expected; returns the value it then has."""
        known = self._table.get(key)
        if known == expected_value.encode() or (known is None and expected_value == ""):
            self.set(key, desired_value)
        return self._table.get(key, expected_value.encode())

    def check(self, keys: list[str]) -> bool:
        """Whether all keys are there."""
        return all(key in self._table for key in keys)

    def delete_key(self, key: str) -> bool:
        """Takes a key out; whether it was there."""
        return self._table.pop(key, None) is not None

    def num_keys(self) -> int:
        """How many keys there are."""
        return len(self._table)

    def wait(self, keys: list[str], timeout: timedelta | None = None) -> None:
        """Returns when all keys are there. Raises DistStoreError when the time is over."""
        end = time.monotonic() + (self._timeout if timeout is None else timeout).total_seconds()
        while not self.check(keys):
            if time.monotonic() >= end:
                raise DistStoreError("Wait timeout")
            time.sleep(0.001)


@public("torch.distributed")
class HashStore(Store):
    """A store in memory, for the threads of one process."""


@public("torch.distributed")
class FileStore(Store):
    """A store that would share a file; with one process it is kept in memory. Raises NotImplementedError for more."""

    def __init__(self, file_name: str, world_size: int = -1) -> None:
        super().__init__()
        check_world_size(world_size)
        self.path = file_name


@public("torch.distributed")
class TCPStore(Store):
    """A store that would listen at a port; with one process nobody connects. Raises NotImplementedError for more."""

    def __init__(
        self,
        host_name: str,
        port: int,
        world_size: int | None = None,
        is_master: bool = False,
        timeout: timedelta = timedelta(minutes=5),
        wait_for_workers: bool = True,
        multi_tenant: bool = False,
        master_listen_fd: int | None = None,
        use_libuv: bool = True,
    ) -> None:
        super().__init__()
        check_world_size(2 if not is_master else world_size or 1)
        self.host, self.port = host_name, port
        self._timeout = timeout


@public("torch.distributed.distributed_c10d")
class PrefixStore(Store):
    """Another store, with a prefix before every key."""

    def __init__(self, prefix: str, store: Store) -> None:
        self._prefix, self.underlying_store = prefix, store

    @property
    def timeout(self) -> timedelta:
        """How long `get` and `wait` wait."""
        return self.underlying_store.timeout

    def set_timeout(self, timeout: timedelta) -> None:
        """Sets how long `get` and `wait` wait."""
        self.underlying_store.set_timeout(timeout)

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}"

    def set(self, key: str, value: str | bytes) -> None:
        self.underlying_store.set(self._key(key), value)

    def get(self, key: str) -> bytes:
        return self.underlying_store.get(self._key(key))

    def add(self, key: str, amount: int) -> int:
        return self.underlying_store.add(self._key(key), amount)

    def append(self, key: str, value: str | bytes) -> None:
        self.underlying_store.append(self._key(key), value)

    def compare_set(self, key: str, expected_value: str, desired_value: str) -> bytes:
        return self.underlying_store.compare_set(self._key(key), expected_value, desired_value)

    def check(self, keys: list[str]) -> bool:
        return self.underlying_store.check([self._key(key) for key in keys])

    def delete_key(self, key: str) -> bool:
        return self.underlying_store.delete_key(self._key(key))

    def num_keys(self) -> int:
        return self.underlying_store.num_keys()

    def wait(self, keys: list[str], timeout: timedelta | None = None) -> None:
        self.underlying_store.wait([self._key(key) for key in keys], timeout)
