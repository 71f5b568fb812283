"""The process group, and how one comes about: with one process, whose rank is 0."""

import os
import warnings
from datetime import timedelta
from typing import Any

from ..core.naming import public
from .constants import default_pg_timeout
from .rendezvous import rendezvous
from .stores import PrefixStore, Store, check_world_size

__all__ = [
    "Backend", "BackendConfig", "GroupMember", "ProcessGroup", "destroy_process_group", "get_backend", "get_backend_config",
    "get_default_backend_for_device", "get_global_rank", "get_group_rank", "get_node_local_rank", "get_pg_count", "get_process_group_ranks",
    "get_rank", "get_world_size", "group", "init_process_group", "is_available", "is_backend_available", "is_gloo_available",
    "is_initialized", "is_mpi_available", "is_nccl_available", "is_torchelastic_launched", "is_ucc_available", "is_xccl_available",
    "new_group", "new_subgroups",
]  # fmt: skip

NOT_INITIALIZED = "Default process group has not been initialized, please make sure to call init_process_group."


@public("torch.distributed.distributed_c10d")
class Backend(str):
    """The name of a backend, in small letters: `Backend("GLOO") == "gloo"`."""

    UNDEFINED = "undefined"
    GLOO = "gloo"
    NCCL = "nccl"
    UCC = "ucc"
    MPI = "mpi"
    XCCL = "xccl"
    FAKE = "fake"
    backend_list = [UNDEFINED, GLOO, NCCL, XCCL, UCC, MPI, FAKE]
    default_device_backend_map = {"cpu": GLOO, "cuda": NCCL, "xpu": XCCL, "mps": GLOO}

    def __new__(cls, name: str) -> "Backend":
        if not isinstance(name, str):
            raise ValueError("Backend constructor parameter must be string-ish")
        return super().__new__(cls, name.lower())


@public("torch.distributed.distributed_c10d")
class BackendConfig:
    """Which backend serves which type of device: of "gloo", or of "cpu:gloo,cuda:nccl"."""

    def __init__(self, backend: Backend) -> None:
        self.device_backend_map: dict[str, str] = {}
        if backend == Backend.UNDEFINED:
            self.device_backend_map["cpu"] = Backend.GLOO
        elif ":" in backend:
            for pair in backend.split(","):
                device, colon, name = pair.partition(":")
                if not colon or ":" in name:
                    raise ValueError(_malformed(f"Invalid device:backend pairing: {pair}", backend))
                if device in self.device_backend_map:
                    raise ValueError(_malformed(f"Duplicate device type {device:<40} in backend string: {name}", backend))
                self.device_backend_map[device] = Backend(name)
        else:
            self.device_backend_map = dict.fromkeys(("cpu", "cuda") if backend == Backend.GLOO else ("cuda",), backend)

    def __repr__(self) -> str:
        return ",".join(f"{device}:{backend}" for device, backend in self.device_backend_map.items())

    def get_device_backend_map(self) -> dict[str, str]:
        """The backend of each type of device."""
        return self.device_backend_map


def _malformed(problem: str, backend: str) -> str:
    return (
        f"{problem}. The custom backend string argument is invalid: {backend}.\n"
        "                Custom backend string is an experimental feature where the backend string must be in the format:\n"
        "                \"<device_type1>:<backend1>,<device_type2>:<backend2>...\". e.g. 'cpu:gloo,cuda:nccl'"
    )


@public("torch.distributed.distributed_c10d")
class ProcessGroup:
    """A group of processes, of which there is one."""

    def __init__(self, backend: Backend, name: str, description: str, store: Store | None) -> None:
        self._backend, self.group_name, self.group_desc, self._store = backend, name, description, store

    def size(self) -> int:
        """How many processes there are: 1."""
        return 1

    def rank(self) -> int:
        """The number of this process: 0."""
        return 0

    def name(self) -> str:
        """The name of the backend."""
        return str(self._backend)


class _World(type):
    """`group.WORLD` and `GroupMember.WORLD` are the default group."""

    default: ProcessGroup | None = None

    @property
    def WORLD(cls) -> ProcessGroup | None:
        return _World.default

    @WORLD.setter
    def WORLD(cls, group: ProcessGroup | None) -> None:
        _World.default = group


@public("torch.distributed.distributed_c10d")
class group(metaclass=_World):
    """`group.WORLD`: the default process group, None before it is initialised."""


@public("torch.distributed.distributed_c10d")
class GroupMember(metaclass=_World):
    """`GroupMember.WORLD`: the default process group; `NON_GROUP_MEMBER`: what `new_group` gives those who are not in it."""

    NON_GROUP_MEMBER = -100


_groups: list[ProcessGroup] = []


def _get_default_group() -> ProcessGroup:
    """The default group. Raises ValueError before it is initialised."""
    if _World.default is None:
        raise ValueError(NOT_INITIALIZED)
    return _World.default


def resolve(group: Any) -> ProcessGroup:
    """The group meant by an argument `group`. Raises ValueError for None before the default one is initialised."""
    if group is None:
        return _get_default_group()
    if not isinstance(group, ProcessGroup):
        raise TypeError(f"expected a ProcessGroup, got {type(group).__name__}")
    if group not in _groups:
        raise ValueError("Invalid process group specified")
    return group


def is_available() -> bool:
    """True: there is a distributed package, for one process."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` was called."""
    return _World.default is not None


def is_gloo_available() -> bool:
    """True: the backend's name is known; with one process there is nothing to send."""
    return True


def is_nccl_available() -> bool:
    """False: there is no NCCL."""
    return False


def is_mpi_available() -> bool:
    """False: there is no MPI."""
    return False


def is_ucc_available() -> bool:
    """False: there is no UCC."""
    return False


def is_xccl_available() -> bool:
    """False: there is no XCCL."""
    return False


def is_backend_available(backend: str) -> bool:
    """Whether that backend is here: gloo is."""
    return backend.lower() == Backend.GLOO


def is_torchelastic_launched() -> bool:
    """Whether the process was started by `torchrun`."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def get_default_backend_for_device(device: Any) -> str:
    """The backend for a device. Raises ValueError for one that has none."""
    kind = getattr(device, "type", str(device).partition(":")[0])
    if kind not in Backend.default_device_backend_map:
        raise ValueError(f"Default backend not registered for device : {device}")
    return Backend.default_device_backend_map[kind]


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Store | None = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
    _ranks: list[int] | None = None,
) -> None:
    """Makes the default process group, of one process.

    backend: "gloo" or None. Where the process finds the others: by `store`, or by the URL `init_method`, `env://` unless given,
    which reads RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Raises ValueError the second time and where something is missing,
    RuntimeError for a backend that is not here, NotImplementedError for a world of several processes.
    """
    if _World.default is not None:
        raise ValueError("trying to initialize the default process group twice!")
    if store is not None and init_method is not None:
        raise AssertionError("Cannot specify both init_method and store.")
    if store is not None:
        if not world_size > 0:
            raise AssertionError("world_size must be positive if using store")
        if not rank >= 0:
            raise AssertionError("rank must be non-negative if using store")
    name = Backend("undefined" if backend is None else backend)
    if timeout is None:
        timeout = default_pg_timeout
    elif not isinstance(timeout, timedelta):
        raise TypeError(f"Expected timeout argument to be of type datetime.timedelta, got {timeout}")
    if name == Backend.MPI:
        raise RuntimeError(
            "Distributed package doesn't have MPI built in. MPI is only included if you build PyTorch from source on a host that has "
            "MPI installed."
        )
    if store is None:
        store, rank, world_size = next(rendezvous(init_method or "env://", rank, world_size, timeout=timeout))
        store.set_timeout(timeout)
    check_world_size(world_size)
    if rank != 0:
        raise RuntimeError(f"[enforce fail at gloo/context.cc:23] rank < size. {rank} vs {world_size}")
    _check_backends(name)
    made = ProcessGroup(name, "0", "default_pg", PrefixStore("default_pg", store))
    _groups.append(made)
    _World.default = made


def _check_backends(name: Backend) -> None:
    """Raises for a backend that is not here."""
    if ":" not in name and name not in Backend.backend_list:
        warnings.warn(
            f"Device capability of {name} unknown, assuming `cpu` and `cuda`. You can specify it in `device:backend` format in "
            "`init_process_group` call.",
            stacklevel=3,
        )
        raise AssertionError(f"Unknown backend type {name}")
    for backend in BackendConfig(name).device_backend_map.values():
        if backend == Backend.NCCL:
            raise RuntimeError("Distributed package doesn't have NCCL built in")
        if backend != Backend.GLOO:
            raise AssertionError(f"Unknown c10d backend type {backend.upper()}")


def destroy_process_group(group: Any = None) -> None:
    """Ends a group, or with the default group all of them. Raises AssertionError where there is none."""
    if group == GroupMember.NON_GROUP_MEMBER:
        return
    found = _World.default if group is None else group
    if found is None:
        raise AssertionError("Process group cannot be None")
    if found not in _groups:
        raise ValueError("Invalid process group specified")
    if found is _World.default:
        _groups.clear()
        _World.default = None
    else:
        _groups.remove(found)


def new_group(
    ranks: list[int] | None = None,
    timeout: timedelta | None = None,
    backend: Any = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
    sort_ranks: bool = True,
) -> ProcessGroup:
    """A group of some processes, here of the only one. Raises ValueError for other ranks or ranks that are named twice."""
    default = _get_default_group()
    if timeout is not None and not isinstance(timeout, timedelta):
        raise TypeError(f"Expected timeout argument to be of type datetime.timedelta, got {timeout}")
    if ranks is not None:
        ranks = sorted(ranks)
        for rank in ranks:
            if rank not in (0,):
                raise ValueError(f"Rank {rank} is out of range. Valid ranks are 0 to 0 (world_size=1)")
        if len(set(ranks)) != len(ranks):
            raise ValueError(f"ranks list must not contain duplicate entries, got {ranks}")
        if not ranks:
            raise TypeError("a process group needs at least one rank")
    name = default._backend if backend is None else Backend(backend)
    _check_backends(name)
    made = ProcessGroup(name, str(len(_groups)), group_desc or "undefined", default._store)
    _groups.append(made)
    return made


def new_subgroups(
    group_size: int | None = None,
    group: Any = None,
    timeout: timedelta | None = None,
    backend: Any = None,
    pg_options: Any = None,
    group_desc: str | None = None,
) -> tuple[ProcessGroup, list[ProcessGroup]]:
    """Groups of equal size: the one that this process is in, and all of them. Raises ValueError for a size that is not 1."""
    _get_default_group()
    if group_size is None:
        raise ValueError("Default group size only takes effect when CUDA/XPU is available.")
    if group_size <= 0:
        raise ValueError(f"The arg 'group_size' ({group_size}) must be positive")
    if group_size > 1:
        raise ValueError(f"The arg 'group_size' ({group_size}) must not exceed the world size (1)")
    made = new_group([0], timeout, backend, pg_options, group_desc=group_desc)
    return made, [made]


def get_rank(group: Any = None) -> int:
    """The number of this process in the group: 0, or -1 if it is not in it."""
    if group == GroupMember.NON_GROUP_MEMBER:
        return -1
    return resolve(group).rank()


def get_world_size(group: Any = None) -> int:
    """How many processes the group has: 1, or -1 if this one is not in it."""
    if group == GroupMember.NON_GROUP_MEMBER:
        return -1
    return resolve(group).size()


def get_backend(group: Any = None) -> Backend:
    """The backend of a group."""
    return resolve(group)._backend


def get_backend_config(group: Any = None) -> str:
    """Which backend serves which device, as a string."""
    return str(BackendConfig(resolve(group)._backend))


def get_group_rank(group: Any, global_rank: int) -> int:
    """The number in the group of the process with a number in the world. Raises ValueError if it is not in it."""
    found = resolve(group)
    if found is not _World.default and global_rank != 0:
        raise ValueError(f"Global rank {global_rank} is not part of group {found}")
    return global_rank


def get_global_rank(group: Any, group_rank: int) -> int:
    """The number in the world of the process with a number in the group. Raises ValueError if the group has none such."""
    found = resolve(group)
    if found is not _World.default and group_rank != 0:
        raise ValueError(f"Group rank {group_rank} is not part of group {found}")
    return group_rank


def get_process_group_ranks(group: Any) -> list[int]:
    """The numbers in the world of the group's processes."""
    resolve(group)
    return [0]


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """The number of this process on its machine, of LOCAL_RANK. Raises RuntimeError without it and a fallback."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is not None:
        return int(fallback_rank)
    raise RuntimeError(
        "LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow `get_node_local_rank` to work, assuming you are "
        "not running in a multi-device context and want the code to run locally instead."
    )


def get_pg_count() -> int:
    """How many groups there are."""
    return len(_groups)
