"""Loading with `weights_only=True`: an interpreter of its own for the opcodes that state dictionaries need.

It is no filtered `pickle.Unpickler`. It looks up no module: a name is found in a fixed table, or among those the user has
declared safe. It calls nothing else, and where a listed function could be asked for something harmful (a bytearray of a
terabyte, a codec that is a module) a checked form is called in its place.
"""

from _codecs import encode
from collections import Counter, OrderedDict
from functools import cache
from pickle import UnpicklingError
from struct import unpack
from typing import Any, Callable

from ..core.device import device
from ..core.dtype import DTYPES
from ..core.size import Size
from ..core.storage import UntypedStorage
from ..core.typed_storage import LEGACY, TypedStorage
from .names import PARAMETERS, REBUILD, table, torch_name
from .stored import StorageType, shown

BLOCKED_MODULES = ("sys", "os", "posix", "nt")
"""Nothing out of these is ever loaded, whatever the user declares."""

_safe: set[Any] = set()


def add(globals_: Any) -> None:
    """Adds to what the user declares safe."""
    global _safe
    _safe = _safe.union(set(globals_))


def remove(globals_: Any) -> None:
    """Takes from what the user declares safe."""
    global _safe
    _safe = _safe - set(globals_)


def declared() -> list[Any]:
    """What the user has declared safe."""
    return list(_safe)


def clear() -> None:
    """Forgets what the user has declared safe."""
    global _safe
    _safe = set()


def user_globals() -> dict[str, Any]:
    """What the user has declared safe, by the name it has in files."""
    found: dict[str, Any] = {}
    for entry in _safe:
        if isinstance(entry, tuple):
            if len(entry) != 2:
                raise ValueError(f"Expected tuple of length 2 (global, str of callable full path), but got tuple of length: {len(entry)}")
            if type(entry[1]) is not str:
                raise TypeError(f"Expected second item in tuple to be str of callable full path, but got: {type(entry[1])}")
            found[entry[1]] = entry[0]
        else:
            module, name = torch_name(entry) or (entry.__module__, entry.__qualname__)
            found[f"{module}.{name}"] = entry
    return found


@cache
def allowed_globals() -> dict[str, Any]:
    """What may stand in a file without being declared, by name."""
    from . import _get_layout

    ours = table()
    found: dict[str, Any] = {
        "collections.OrderedDict": OrderedDict,
        "collections.Counter": Counter,
        "torch.nn.parameter.Parameter": ours["torch.nn.parameter", "Parameter"],
        "torch.serialization._get_layout": _get_layout,
        "torch.Size": Size,
        "torch.Tensor": ours["torch", "Tensor"],
        "torch.device": device,
        "_codecs.encode": encode,
        "builtins.bytearray": bytearray,
        "builtins.set": set,
        "builtins.complex": complex,
        "torch.storage.UntypedStorage": UntypedStorage,
        "torch.storage.TypedStorage": TypedStorage,
        "torch._tensor._rebuild_from_type_v2": ours["torch._tensor", "_rebuild_from_type_v2"],
    }
    found |= {f"torch.{d.name}": d for d in DTYPES}
    found |= {f"torch.{name}": StorageType(name) for name in LEGACY}
    found |= {f"torch._utils.{name}": ours["torch._utils", name] for name in (*REBUILD, *PARAMETERS)}
    return found


# --- checked forms of what a file may call ---------------------------------------------------------------------


def _check_args(wanted: str, condition: bool) -> None:
    if not condition:
        raise UnpicklingError(f"Trying to call {wanted} with arguments that no checkpoint needs")


def _bytearray(*args: Any) -> bytearray:
    _check_args("bytearray", not args or isinstance(args[0], (bytes, str)))
    return bytearray(*args)


def _encode(text: Any, encoding: Any = "utf-8", errors: Any = "strict") -> bytes:
    # Other codecs compress or are looked up as modules.
    _check_args(
        "_codecs.encode", isinstance(text, str) and encoding in ("latin1", "latin-1", "utf-8", "utf8", "ascii") and errors == "strict"
    )
    return text.encode(encoding)


def _hashing(build: Callable) -> Callable:
    """`build` for a container that hashes what it is given."""

    def checked(*args: Any) -> Any:
        check_hashable(args)
        return build(*args)

    return checked


def _size(sizes: Any = ()) -> Size:
    _check_args("torch.Size", isinstance(sizes, (tuple, list)) and all(type(n) is int for n in sizes))
    return Size(sizes)


def _from_type(function: Any, cls: Any, args: Any, state: Any) -> Any:
    ours = table()
    tensor = ours["torch", "Tensor"]
    _check_args("torch._tensor._rebuild_from_type_v2", isinstance(cls, type) and issubclass(cls, tensor) and type(args) is tuple)
    if not any(function is ours["torch._utils", name] for name in (*REBUILD, *PARAMETERS)):
        raise UnpicklingError(f"Trying to call reduce for unrecognized function {shown(function)}")
    return ours["torch._tensor", "_rebuild_from_type_v2"](_reducers()[function], cls, args, state)


def _device(*args: Any) -> device:
    _check_args("torch.device", all(type(arg) in (str, int, device) for arg in args))
    return device(*args)


def _parameter(rebuild: Callable) -> Callable:
    def checked(data: Any, *rest: Any) -> Any:
        _check_args("torch._utils._rebuild_parameter", isinstance(data, table()["torch", "Tensor"]))
        return rebuild(data, *rest)

    return checked


def _rebuilding(rebuild: Callable) -> Callable:
    def checked(storage: Any, *rest: Any) -> Any:
        _check_args(f"torch._utils.{rebuild.__name__}", isinstance(storage, (TypedStorage, UntypedStorage)))
        return rebuild(storage, *rest)

    return checked


@cache
def _reducers() -> dict[Any, Callable]:
    """What REDUCE calls for each listed function."""
    ours = table()
    found: dict[Any, Callable] = {
        OrderedDict: _hashing(OrderedDict),
        Counter: _hashing(Counter),
        set: _hashing(set),
        bytearray: _bytearray,
        encode: _encode,
        complex: complex,
        Size: _size,
        device: _device,
        ours["torch.serialization", "_get_layout"]: ours["torch.serialization", "_get_layout"],
        ours["torch._tensor", "_rebuild_from_type_v2"]: _from_type,
    }
    for name in REBUILD:
        function = ours["torch._utils", name]
        found[function] = _rebuilding(function) if name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3") else function
    for name in PARAMETERS:
        found[ours["torch._utils", name]] = _parameter(ours["torch._utils", name])
    return found


def check_hashable(value: Any, nodes: int = 1_000_000, depth: int = 200) -> None:
    """Refuses a nest of tuples whose hash would take forever or overflow the stack of C."""
    level = [value]
    while level:
        depth -= 1
        nodes -= len(level)
        if depth < 0 or nodes < 0:
            raise UnpicklingError("A key or an element of a set is nested too deeply")
        below: list[Any] = []
        for entry in level:
            if type(entry) in (tuple, list):
                nodes -= len(entry)
                if nodes < 0:
                    break
                below.extend(item for item in entry if type(item) in (tuple, list, dict, OrderedDict, Counter))
            elif type(entry) in (dict, OrderedDict, Counter):
                below.extend(item for item in entry.values() if type(item) in (tuple, list))
        level = below


# --- the interpreter -------------------------------------------------------------------------------------------


class Unpickler:
    """Reads one pickle from `file`; `persistent_load` is set by the caller.

    Raises UnpicklingError for an opcode, name or use that state dictionaries do not have, and for damaged input; EOFError
    for input that ends early.
    """

    def __init__(self, file: Any, *, encoding: str = "bytes", **_: Any) -> None:
        self.encoding = encoding
        self.file_read = file.read
        self.readline = file.readline
        self.memo: dict[int, Any] = {}
        self.marks: list[list[Any]] = []
        self.stack: list[Any] = []

    def find_class(self, module: str, name: str) -> Any:
        """The object that a name in the file stands for."""
        path = f"{module}.{name}"
        if module in BLOCKED_MODULES:
            raise UnpicklingError(f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked.")
        found = allowed_globals().get(path)
        if found is None and _safe:
            found = user_globals().get(path)
        if found is None:
            if module == "builtins":
                path = name
            raise UnpicklingError(
                f"Unsupported global: GLOBAL {path} was not an allowed global by default. Please use "
                f"`torch.serialization.add_safe_globals([{path}])` or the `torch.serialization.safe_globals([{path}])` context manager to "
                "allowlist this global if you trust this class/function."
            )
        return found

    def persistent_load(self, identity: Any) -> Any:
        raise UnpicklingError("unsupported persistent id encountered")

    def load(self) -> Any:
        """The object that the pickle describes."""
        read = self.file_read
        operations = OPERATIONS
        try:
            while True:
                opcode = read(1)
                if opcode == b".":  # STOP
                    return self.stack.pop()
                if not opcode:
                    raise EOFError
                operation = operations.get(opcode)
                if operation is None:
                    raise UnpicklingError(f"Unsupported operand {opcode[0]}")
                operation(self)
        except IndexError as error:  # a stack or a mark too few
            raise UnpicklingError(f"The pickle is damaged: {error}") from error

    def read(self, count: int) -> bytes:
        data = self.file_read(count)
        if len(data) != count:
            raise UnpicklingError("pickle data was truncated")
        return data

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    # One method for each opcode. Names and their meaning are those of the pickle module.

    def proto(self) -> None:
        protocol = self.read(1)[0]
        if protocol != 2:
            import warnings

            warnings.warn(
                f"Detected pickle protocol {protocol} in the checkpoint, which was not the default pickle protocol used by `torch.load` "
                "(2). The weights_only Unpickler might not support all instructions implemented by this protocol, please file an issue for "
                "adding support if you encounter this.",
                stacklevel=2,
            )

    def global_(self) -> None:
        self.stack.append(self.find_class(*read_name(self.readline)))

    def newobj(self) -> None:
        args = self.stack.pop()
        cls = self.stack.pop()
        ours = table()
        if type(args) is not tuple:
            raise UnpicklingError(f"NEWOBJ expected an arg tuple, got {type(args)}")
        if cls is ours["torch.nn.parameter", "Parameter"]:
            _check_args("torch.nn.Parameter", not args or isinstance(args[0], ours["torch", "Tensor"]))
            self.stack.append(cls(*args))
        elif cls is ours["torch", "Tensor"]:
            _check_args("torch.Tensor", not args)
            self.stack.append(cls())
        elif isinstance(cls, type) and cls in _reducers():
            self.stack.append(_reducers()[cls](*args))
        elif isinstance(cls, type) and any(cls is known for known in user_globals().values()):
            self.stack.append(cls.__new__(cls, *args))
        else:
            raise UnpicklingError(
                f"Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` but got {shown(cls)}"
            )

    def reduce(self) -> None:
        args = self.stack.pop()
        function = self.stack[-1]
        # Only what is callable is hashed: the hash of a nest of tuples may take forever.
        call = _reducers().get(function) if callable(function) else None
        if call is None:
            if not any(function is known for known in user_globals().values()):
                message = f"Trying to call reduce for unrecognized function {shown(function)}"
                if hasattr(function, "__self__"):
                    message += f" which belongs to {shown(function.__self__)}"
                raise UnpicklingError(message)
            call = function
        if type(args) is not tuple:
            raise UnpicklingError(f"REDUCE expected an arg tuple, got {type(args)}")
        self.stack[-1] = call(*args)

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        cls = type(target)
        ours = table()
        if cls is ours["torch", "Tensor"]:
            _legacy_state(target, state)
        elif cls is ours["torch.nn.parameter", "Parameter"]:
            _parameter_state(target, state)
        elif cls is OrderedDict:
            target.__dict__.update(state)
        elif any(cls is known for known in user_globals().values()):
            _user_state(target, state)
        else:
            raise UnpicklingError(
                f"Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, but got {cls}"
            )

    def append(self) -> None:
        item = self.stack.pop()
        target = self.stack[-1]
        if type(target) is not list:
            raise UnpicklingError(f"Can only append to lists, but got {type(target)}")
        target.append(item)

    def appends(self) -> None:
        items = self.pop_mark()
        target = self.stack[-1]
        if type(target) is not list:
            raise UnpicklingError(f"Can only extend lists, but got {type(target)}")
        target.extend(items)

    def setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set("SETITEM", key, value)

    def setitems(self) -> None:
        items = self.pop_mark()
        for i in range(0, len(items), 2):
            self._set("SETITEMS", items[i], items[i + 1])

    def _set(self, opcode: str, key: Any, value: Any) -> None:
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict, Counter):
            raise UnpicklingError(f"Can only {opcode} for dict, collections.OrderedDict, collections.Counter, but got {type(target)}")
        if type(key) is tuple:
            check_hashable(key)
        target[key] = value

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def tuple_(self) -> None:
        items = self.pop_mark()
        self.stack.append(tuple(items))

    def tuple1(self) -> None:
        self.stack[-1] = (self.stack[-1],)

    def tuple2(self) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def tuple3(self) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def binint(self) -> None:
        self.stack.append(unpack("<i", self.read(4))[0])

    def binint1(self) -> None:
        self.stack.append(self.read(1)[0])

    def binint2(self) -> None:
        self.stack.append(unpack("<H", self.read(2))[0])

    def long1(self) -> None:
        self.stack.append(int.from_bytes(self.read(self.read(1)[0]), "little", signed=True))

    def binfloat(self) -> None:
        self.stack.append(unpack(">d", self.read(8))[0])

    def binunicode(self) -> None:
        data = self.read(unpack("<I", self.read(4))[0])
        try:
            self.stack.append(str(data, "utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise UnpicklingError(f"The pickle is damaged: {error}") from None

    def short_binstring(self) -> None:
        data = self.read(self.read(1)[0])
        self.stack.append(data if self.encoding == "bytes" else data.decode(self.encoding, "strict"))

    def binpersid(self) -> None:
        identity = self.stack.pop()
        if type(identity) not in (tuple, int):
            raise UnpicklingError(f"persistent_load id must be tuple or int, but got {type(identity)}")
        if type(identity) is tuple and identity and identity[0] not in ("storage", b"storage"):
            raise UnpicklingError(f"Only persistent_load of storage is allowed, but got {type(identity[0])}")
        self.stack.append(self.persistent_load(identity))

    def binget(self) -> None:
        self._get(self.read(1)[0])

    def long_binget(self) -> None:
        self._get(unpack("<I", self.read(4))[0])

    def _get(self, index: int) -> None:
        if index not in self.memo:
            raise UnpicklingError(f"Memo value not found at index {index}")
        self.stack.append(self.memo[index])

    def binput(self) -> None:
        self.memo[self.read(1)[0]] = self.stack[-1]

    def long_binput(self) -> None:
        self.memo[unpack("<I", self.read(4))[0]] = self.stack[-1]


def _pushing(make: Callable[[], Any]) -> Callable[[Unpickler], None]:
    return lambda unpickler: unpickler.stack.append(make())


OPERATIONS: dict[bytes, Callable[[Unpickler], None]] = {
    b"\x80": Unpickler.proto, b"c": Unpickler.global_, b"\x81": Unpickler.newobj, b"R": Unpickler.reduce, b"b": Unpickler.build,
    b"a": Unpickler.append, b"e": Unpickler.appends, b"s": Unpickler.setitem, b"u": Unpickler.setitems, b"(": Unpickler.mark,
    b"t": Unpickler.tuple_, b"\x85": Unpickler.tuple1, b"\x86": Unpickler.tuple2, b"\x87": Unpickler.tuple3,
    b"N": _pushing(lambda: None), b"\x88": _pushing(lambda: True), b"\x89": _pushing(lambda: False), b")": _pushing(tuple),
    b"]": _pushing(list), b"}": _pushing(dict), b"\x8f": _pushing(set), b"J": Unpickler.binint, b"K": Unpickler.binint1,
    b"M": Unpickler.binint2, b"\x8a": Unpickler.long1, b"G": Unpickler.binfloat, b"X": Unpickler.binunicode,
    b"U": Unpickler.short_binstring, b"Q": Unpickler.binpersid, b"h": Unpickler.binget, b"j": Unpickler.long_binget,
    b"q": Unpickler.binput, b"r": Unpickler.long_binput,
}  # fmt: skip


def read_name(readline: Callable[[], bytes]) -> tuple[str, str]:
    """Module and name of a GLOBAL, with Python 2's names (which protocol 2 writes) brought to today's."""
    from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

    lines = readline(), readline()
    if not (lines[0].endswith(b"\n") and lines[1].endswith(b"\n")):
        raise UnpicklingError("pickle data was truncated")
    try:
        module, name = lines[0][:-1].decode(), lines[1][:-1].decode()
    except UnicodeDecodeError as error:
        raise UnpicklingError(f"The pickle is damaged: {error}") from None
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[module, name]
    return IMPORT_MAPPING.get(module, module), name


def _legacy_state(tensor: Any, state: Any) -> None:
    """Sets a tensor from (storage, offset, size, stride), as the oldest files hold it."""
    from .rebuild import _rebuild_tensor

    if type(state) is not tuple or len(state) != 4 or not isinstance(state[0], (TypedStorage, UntypedStorage)):
        raise UnpicklingError("Can only set a Tensor from a storage, an offset, a size and a stride")
    tensor._array = _rebuild_tensor(*state, dtype=state[0].dtype if isinstance(state[0], TypedStorage) else tensor.dtype)._array


def _parameter_state(parameter: Any, state: Any) -> None:
    if type(state) is tuple and len(state) == 4:
        _legacy_state(parameter, state)
        return
    if type(state) is tuple and len(state) == 5:
        _check_args("Parameter.__setstate__", isinstance(state[0], table()["torch", "Tensor"]))
        parameter.data = state[0]
        state = (state[3], state[4], state[2])
    if type(state) is not tuple or len(state) != 3:
        raise UnpicklingError("Can only set a Parameter from (requires_grad, _, hooks)")
    parameter.requires_grad = bool(state[0])


def _user_state(target: Any, state: Any) -> None:
    """What BUILD does for a class that the user declared safe."""
    if hasattr(target, "__setstate__"):
        target.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        target.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(target, name, value)


def globals_in(file: Any) -> set[str]:
    """The names in a pickle, found without building anything. Raises UnpicklingError for opcodes that are not known here."""
    found: set[str] = set()
    sizes = {b"J": 4, b"K": 1, b"M": 2, b"G": 8, b"h": 1, b"j": 4, b"q": 1, b"r": 4, b"\x80": 1}
    read = file.read
    while True:
        opcode = read(1)
        if not opcode:
            raise EOFError
        if opcode == b".":
            return found
        if opcode not in OPERATIONS:
            raise UnpicklingError(f"Unsupported operand {opcode[0]}")
        if opcode == b"c":
            found.add(".".join(read_name(file.readline)))
        elif opcode == b"X":
            read(unpack("<I", (read(4) + bytes(4))[:4])[0])
        elif opcode in (b"U", b"\x8a"):
            read((read(1) + b"\0")[0])
        elif opcode in sizes:
            read(sizes[opcode])


def load(file: Any, *, encoding: str = "ASCII", **_: Any) -> Any:
    """Reads one pickle from `file`."""
    return Unpickler(file, encoding=encoding).load()
