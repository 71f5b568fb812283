"""How processes find each other: by the URLs env://, tcp:// and file://, each of which gives a store, a rank and a world size."""

import os
from datetime import timedelta
from typing import Any, Callable, Iterator
from urllib.parse import SplitResult, urlsplit

from .constants import default_pg_timeout
from .stores import FileStore, Store, TCPStore, check_world_size

__all__ = ["register_rendezvous_handler", "rendezvous"]

Found = tuple[Store, int, int]
_handlers: dict[str, Callable[..., Iterator[Found]]] = {}


def register_rendezvous_handler(scheme: str, handler: Callable[..., Iterator[Found]]) -> None:
    """Adds a kind of URL: `handler(url)` yields (store, rank, world size). Raises RuntimeError for one that is known."""
    if scheme in _handlers:
        raise RuntimeError(f"Rendezvous handler for {scheme}:// already registered")
    _handlers[scheme] = handler


def rendezvous(url: str, rank: int = -1, world_size: int = -1, **kwargs: Any) -> Iterator[Found]:
    """Yields the store, the rank and the world size that a URL stands for; `rank` and `world_size` complete it.

    Raises ValueError where something is missing, RuntimeError for another kind of URL.
    """
    if not isinstance(url, (str, bytes)):
        raise RuntimeError(f"`url` must be a string. {type(url)}: {url}")
    if not isinstance(rank, int):
        raise RuntimeError(f"`rank` must be an integer. {rank}")
    if not isinstance(world_size, int):
        raise RuntimeError(f"`world_size` must be an integer. {world_size}")
    parts = urlsplit(str(url))
    if rank != -1 or world_size != -1:
        query = _query(parts)
        if "rank" in query or "world_size" in query:
            raise AssertionError(f"The url: {url} has node-specific arguments(rank, world_size) already.")
        query |= {name: str(value) for name, value in (("rank", rank), ("world_size", world_size)) if value != -1}
        parts = parts._replace(query="&".join(f"{name}={value}" for name, value in query.items()))
    if parts.scheme not in _handlers:
        raise RuntimeError(f"No rendezvous handler for {parts.scheme}://")
    return _handlers[parts.scheme](parts.geturl(), **kwargs)


def _query(parts: SplitResult) -> dict[str, str]:
    return dict(pair.split("=") for pair in filter(None, parts.query.split("&")))


def _problem(scheme: str, text: str) -> ValueError:
    return ValueError(f"Error initializing torch.distributed using {scheme}:// rendezvous: {text}")


def _rank_and_size(parts: SplitResult) -> tuple[int, int]:
    query = _query(parts)
    for name, words in (("rank", "rank"), ("world_size", "world size")):
        if name not in query:
            raise _problem(parts.scheme, f"{words} parameter missing")
    return int(query["rank"]), int(query["world_size"])


def _tcp_store(host: str, port: int, world_size: int, timeout: timedelta) -> TCPStore:
    if not 0 <= port < 2**16:
        raise ValueError(f"port must have value from 0 to 65535 but was {port}.")
    check_world_size(world_size)
    return TCPStore(host, port, world_size, True, timeout)


def _file(url: str, **kwargs: Any) -> Iterator[Found]:
    parts = urlsplit(url)
    path = parts.netloc + parts.path if os.name == "nt" else parts.path
    if not path:
        raise _problem("file", "path missing")
    rank, world_size = _rank_and_size(parts)
    yield FileStore(path, world_size), rank, world_size


def _tcp(url: str, timeout: timedelta = default_pg_timeout, **kwargs: Any) -> Iterator[Found]:
    parts = urlsplit(url)
    if parts.port is None:
        raise _problem("tcp", "port number missing")
    rank, world_size = _rank_and_size(parts)
    yield _tcp_store(parts.hostname or "", parts.port, world_size, timeout), rank, world_size


def _env(url: str, timeout: timedelta = default_pg_timeout, **kwargs: Any) -> Iterator[Found]:
    query = _query(urlsplit(url))

    def value(name: str) -> str:
        found = os.environ.get(name)
        if not found:
            raise _problem("env", f"environment variable {name} expected, but not set")
        return found

    rank = int(query["rank"] if "rank" in query else value("RANK"))
    world_size = int(query["world_size"] if "world_size" in query else value("WORLD_SIZE"))
    host, port = value("MASTER_ADDR"), int(value("MASTER_PORT"))
    yield _tcp_store(host, port, world_size, timeout), rank, world_size


register_rendezvous_handler("file", _file)
register_rendezvous_handler("tcp", _tcp)
register_rendezvous_handler("env", _env)
