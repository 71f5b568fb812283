"""`torch.library`: operators of your own, with formulas for autograd, `vmap`, autocast and tensors without memory.

    @torch.library.custom_op("mylib::sin", mutates_args=())
    def sin(x: Tensor) -> Tensor:
        return torch.from_numpy(np.sin(x.numpy()))

    sin.register_autograd(lambda ctx, grad: ..., setup_context=...)

They are called as they are, or as `torch.ops.mylib.sin`.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from . import ops as _ops
from ._library.operators import REGISTRY, Definition, OpOverload, fallthrough_kernel, find, namespace
from ._library.operators import define as _define
from ._library.schema import infer_schema, parse
from .core.missing import missing_name
from .core.naming import public

__all__ = [
    "Library", "impl", "define", "fallthrough_kernel", "impl_abstract", "register_autocast", "register_fake", "register_torch_dispatch",
    "register_vmap", "get_ctx", "get_kernel", "custom_op", "triton_op", "wrap_triton", "infer_schema",
]  # fmt: skip


def _of_ops(name: str) -> Any:
    """`torch.ops.<name>`: the operators of a namespace, or a file of the package, which `from .ops import name` asks for first."""
    import importlib.util

    path = f"{_ops.__name__}.{name}"
    if importlib.util.find_spec(path) is not None:
        return importlib.import_module(path)
    return namespace(name)


_ops.__dict__["__getattr__"] = _of_ops

_KEYS = {"cpu": "CPU", "cuda": "CUDA", "meta": "Meta", "mps": "MPS", "xpu": "XPU", "default": "CompositeExplicitAutograd"}


def _key(device_type: str) -> str:
    """The dispatch key of a device type."""
    key = _KEYS.get(device_type.lower())
    if key is None:
        raise RuntimeError(f"Expected one of cpu, cuda, mps, xpu, meta device type, but got {device_type!r}")
    return key


@public("torch._library.custom_ops")
class CustomOpDef:
    """A function that was made an operator by `custom_op`."""

    def __init__(self, qualname: str, schema: str, fn: Callable[..., Any], tags: Any = None) -> None:
        self._namespace, self._name = qualname.split("::")
        self._init_fn = fn
        self._module = fn.__module__
        self._defined = _define(qualname, schema)
        self._op.custom = self
        self._op.tags = list(tags or ())
        if self._op.schema.is_mutable and any(r != "()" for r in self._op.schema.returns if r.endswith("!)")):
            raise NotImplementedError(f"custom_op with a schema that returns a mutated argument is not supported: {schema}")

    @property
    def _op(self) -> Definition:
        """The operator of this name, which may have been made anew."""
        return REGISTRY.get(self._qualname, self._defined)

    @property
    def _qualname(self) -> str:
        return f"{self._namespace}::{self._name}"

    @property
    def _opoverload(self) -> OpOverload:
        return self._op.overload

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._op.call(args, kwargs)

    def register_kernel(self, device_types: Any, fn: Callable[..., Any] | None = None, /) -> Any:
        """Registers a function for a device type, several, or None for all; a decorator without one."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            types = [device_types] if device_types is None or isinstance(device_types, str) else list(device_types)
            for each in types:
                self._op.kernels["CompositeExplicitAutograd" if each is None else _key(each)] = function
            return function

        if device_types is not None and not isinstance(device_types, (str, Iterable)):
            raise ValueError(f"Unexpected device_types={device_types}")
        return register if fn is None else register(fn)

    def register_fake(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """Registers the function that gives results without memory, for arguments on the device meta."""
        self._op.fake = fn
        return fn

    def register_autograd(self, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None) -> None:
        """Registers the derivative: `backward(ctx, *grads)` gives a gradient (or None) for each positional argument.

        `setup_context(ctx, inputs, output)` keeps what it needs, and is also given `keyword_only_inputs` where there are some. Raises
        RuntimeError for an operator that changes its arguments.
        """
        schema = self._op.schema
        if schema.is_mutable or not any(r.startswith("Tensor") for r in schema.returns):
            raise RuntimeError(
                f"Cannot register autograd formula for non-functional operator {self} with schema {schema}. Please create a functional "
                "operator and register an autograd formula for that."
            )
        self._op.backward, self._op.setup_context = backward, setup_context

    def register_vmap(self, func: Callable[..., Any] | None = None) -> Any:
        """Registers what `vmap` calls: `func(info, in_dims, *args)` gives the results and their batch dimensions."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self._op.vmap = function
            return function

        return register if func is None else register(func)

    def register_autocast(self, device_type: str, cast_inputs: Any) -> None:
        """Says which dtype the floating-point arguments are brought to under autocast of a device type."""
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if device_type not in ("cpu", "cuda"):
            raise ValueError(f"Unknown device type: {device_type}")
        self._op.autocast[device_type] = cast_inputs

    def register_torch_dispatch(self, torch_dispatch_class: Any, fn: Any = None, /) -> Any:
        """Raises NotImplementedError: there is no `__torch_dispatch__`."""
        raise NotImplementedError("flambeau has no __torch_dispatch__: override __torch_function__, which sees custom operators, too")

    @contextmanager
    def set_kernel_enabled(self, device_type: str, enabled: bool = True) -> Iterator[None]:
        """A block in which the kernel registered for a device type is used, or the function that the operator was made of."""
        key = _key(device_type).lower()
        known = key in {k.lower() for k in self._op.kernels}
        if not known:
            import logging

            word = "enable" if enabled else "disable"
            logging.getLogger(__name__).warning(
                "Attempted to %s kernel for %s but no kernel was registered for this device type.", word, device_type
            )
        before = key in self._op.disabled
        (self._op.disabled.discard if enabled or not known else self._op.disabled.add)(key)
        try:
            yield
        finally:
            (self._op.disabled.add if before else self._op.disabled.discard)(key)


def custom_op(
    name: str,
    fn: Callable[..., Any] | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    device_types: Any = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Decorator: makes a function an operator called `name` (`"namespace::name"`).

    mutates_args: the names of the arguments that it changes in place, `()` for none, "unknown" for all. device_types: where the
    function may be called, everywhere by default. schema: the signature as text; by default it is read off the annotations.
    Raises ValueError for annotations without a counterpart in schemas, and for `mutates_args` that say otherwise than the schema.
    """

    def make(function: Callable[..., Any]) -> CustomOpDef:
        text = infer_schema(function, mutates_args=mutates_args) if schema is None else schema
        space, own = name.split("::")
        if schema is not None and not isinstance(mutates_args, str):
            written = {a.name for a in parse(f"{space}::{own}{schema}").arguments if a.is_write}
            if written != set(mutates_args):
                raise ValueError(
                    f"Attempted to create a custom op with `mutates_args={mutates_args}` and `schema={schema}. The schema suggests that "
                    f"the op mutates {written}which is different from what was provided to us in `mutates_args`. Please make these "
                    "consistent."
                )
        if REGISTRY.get(f"{space}::{own}") is not None and REGISTRY[f"{space}::{own}"].custom is not None:
            del REGISTRY[f"{space}::{own}"]  # made anew, as when a notebook's cell runs again
        made = CustomOpDef(f"{space}::{own}", text, function, tags)
        made.register_kernel(device_types)(function)
        return made

    return make if fn is None else make(fn)


def triton_op(name: str, fn: Callable[..., Any] | None = None, /, *, mutates_args: str | Iterable[str], schema: str | None = None) -> Any:
    """`custom_op` for a function that calls Triton kernels, which need a GPU."""
    return custom_op(name, fn, mutates_args=mutates_args, schema=schema)


def wrap_triton(triton_kernel: Any, /) -> Any:
    """Raises ModuleNotFoundError without the package triton, RuntimeError with it: its kernels need a GPU."""
    import importlib

    importlib.import_module("triton")
    raise RuntimeError("wrap_triton: Triton kernels need a GPU, and flambeau has none")


# --- libraries -----------------------------------------------------------------------------------------------------------

_RESERVED = ("prim",)
_blocks: dict[str, str] = {}


@public("torch.library")
class Library:
    """Operators of one namespace, by schema: `Library("mylib", "DEF")`, or "FRAGMENT" to add to it, or "IMPL".

    Raises ValueError for another kind and a reserved name, RuntimeError where the namespace has been defined already.
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("IMPL", "DEF", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        if ns in _RESERVED and kind in ("DEF", "FRAGMENT"):
            raise ValueError(f"{ns} is a reserved namespace. Please try creating a library with another name.")
        if kind == "DEF":
            if ns in _blocks:
                raise RuntimeError(
                    f"Only a single TORCH_LIBRARY can be used to register the namespace {ns}; please put all of your definitions in a "
                    "single TORCH_LIBRARY block.  If you were trying to specify implementations, consider using TORCH_LIBRARY_IMPL (which "
                    "can be duplicated).  If you really intended to define operators for a single namespace in a distributed way, you can "
                    "use TORCH_LIBRARY_FRAGMENT to explicitly indicate this."
                )
            _blocks[ns] = ns
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key
        self._defined: list[str] = []

    def __repr__(self) -> str:
        return f"Library(kind={self.kind}, ns={self.ns}, dispatch_key={self.dispatch_key})>"

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Defines an operator by its schema, `"mul2(Tensor a, float s=2) -> Tensor"`, and returns its name."""
        if alias_analysis not in ("", "FROM_SCHEMA", "CONSERVATIVE"):
            raise RuntimeError(f"Invalid alias_analysis type {alias_analysis}")
        parse(schema)
        name, bracket, rest = schema.partition("(")
        made = _define(f"{self.ns}::{name.strip()}", bracket + rest)
        made.tags = list(tags) if isinstance(tags, (list, tuple)) else [tags]
        self._defined.append(made.qualname)
        return name.strip()

    def impl(self, op_name: Any, fn: Any, dispatch_key: str = "", *, with_keyset: bool = False, allow_override: bool = False) -> None:
        """Registers a function for an operator under a dispatch key: "CPU", "Meta", "Autograd", "CompositeImplicitAutograd" (default)."""
        if not callable(fn):
            raise TypeError(f"Input function is required to be a callable but found type {type(fn)}")
        key = dispatch_key or self.dispatch_key or "CompositeImplicitAutograd"
        if with_keyset:
            raise NotImplementedError("flambeau has no dispatch keys: Library.impl(with_keyset=False)")
        if isinstance(op_name, OpOverload):
            qualname = op_name._op.qualname
        elif isinstance(op_name, str):
            qualname = op_name if "::" in op_name else f"{self.ns}::{op_name}"
        else:
            raise RuntimeError("impl should be passed either a name or an OpOverload object as the first argument")
        if qualname in REGISTRY:
            REGISTRY[qualname].kernels[key] = fn
            return
        if qualname.startswith("aten::"):
            raise NotImplementedError(
                "flambeau's own operators cannot be replaced: override __torch_function__, or enter a TorchFunctionMode"
            )
        _early.setdefault(qualname, {})[key] = fn

    def fallback(self, fn: Callable[..., Any], dispatch_key: str = "", *, with_keyset: bool = False) -> None:
        """Raises NotImplementedError: there are no dispatch keys to fall back from."""
        raise NotImplementedError("flambeau has no dispatch keys: Library.fallback is not supported")

    def _destroy(self) -> None:
        """Forgets the operators that this library has defined."""
        for qualname in self._defined:
            REGISTRY.pop(qualname, None)
        self._defined.clear()
        if self.kind == "DEF":
            _blocks.pop(self.ns, None)


_early: dict[str, dict[str, Callable[..., Any]]] = {}
"""Functions for operators that are not defined yet."""


@contextmanager
def _scoped_library(*args: Any, **kwargs: Any) -> Iterator[Library]:
    """A block with a library whose operators are forgotten at its end."""
    library = Library(*args, **kwargs)
    try:
        yield library
    finally:
        library._destroy()


def define(qualname: Any, schema: str, *, lib: Library | None = None, tags: Any = ()) -> Any:
    """Defines an operator: `define("mylib::sin", "(Tensor x) -> Tensor")`."""
    if isinstance(qualname, Library):
        name = qualname.define(schema)

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            qualname.impl(name, function)
            return function

        return register
    if not isinstance(qualname, str):
        raise ValueError(f"define(qualname, schema): expected qualname to be instance of str, got {type(qualname)}")
    if qualname.count("::") != 1:
        raise ValueError(
            f"Expected `name` to be of the form `namespace::name`, got {qualname!r}. The qualname passed to the torch.library API must "
            "consist of a namespace and an operator name"
        )
    if not schema.startswith("("):
        raise ValueError(f'define(qualname, schema, ...): expected schema to look like e.g. "(Tensor x) -> Tensor" but got "{schema}"')
    made = _define(qualname, schema)
    made.tags = list(tags) if isinstance(tags, (list, tuple)) else [tags]
    made.kernels.update(_early.pop(qualname, {}))
    return None


def impl(qualname: Any, types: Any, func: Any = None, *, lib: Library | None = None) -> Any:
    """Registers a function for an operator and device types ("cpu", "meta", ..., or dispatch keys); a decorator without one."""
    if isinstance(qualname, Library):  # impl(library, name, dispatch_key)

        def register_in(function: Callable[..., Any]) -> Callable[..., Any]:
            qualname.impl(types, function, func or "")
            return function

        return register_in

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        op = REGISTRY.get(qualname)
        for each in (types,) if isinstance(types, str) else types:
            key = _KEYS.get(each, each)
            (op.kernels if op is not None else _early.setdefault(qualname, {}))[key] = function
        return function

    return register if func is None else register(func)


def _definition(op: Any) -> Definition:
    return find(op)


def register_kernel(op: Any, device_types: Any, func: Any = None, /, *, lib: Library | None = None) -> Any:
    """Registers a function for an operator and a device type, several, or None for all."""
    found = _definition(op)

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        types = [device_types] if device_types is None or isinstance(device_types, str) else list(device_types)
        for each in types:
            found.kernels["CompositeExplicitAutograd" if each is None else _key(each)] = function
        return function

    return register if func is None else register(func)


def register_fake(op: Any, func: Any = None, /, *, lib: Any = None, _stacklevel: int = 1, allow_override: bool = False) -> Any:
    """Registers the function that gives an operator's results without memory, for arguments on the device meta."""
    found = _definition(op)

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        found.fake = function
        return function

    return register if func is None else register(func)


def impl_abstract(qualname: Any, func: Any = None, *, lib: Any = None, _stacklevel: int = 1) -> Any:
    """The old name of `register_fake`."""
    return register_fake(qualname, func)


def register_autograd(op: Any, backward: Callable[..., Any], /, *, setup_context: Any = None, lib: Any = None) -> None:
    """Registers an operator's derivative: see `CustomOpDef.register_autograd`."""
    found = _definition(op)
    if found.custom is not None:
        found.custom.register_autograd(backward, setup_context=setup_context)
        return
    if found.schema.is_mutable:
        raise RuntimeError(
            f"Cannot register autograd formula for non-functional operator {found.qualname} with schema {found.schema}. Please create a "
            "functional operator and register an autograd formula for that."
        )
    found.backward, found.setup_context = backward, setup_context


def register_vmap(op: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """Registers what `vmap` calls for an operator: `func(info, in_dims, *args)` gives the results and their batch dimensions."""
    found = _definition(op)

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        found.vmap = function
        return function

    return register if func is None else register(func)


def register_autocast(op: Any, device_type: str, cast_inputs: Any, /, *, lib: Any = None) -> None:
    """Says which dtype an operator's floating-point arguments are brought to under autocast of a device type."""
    found = _definition(op)
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if device_type not in ("cpu", "cuda"):
        raise ValueError(f"Unknown device type: {device_type}")
    found.autocast[device_type] = cast_inputs


def register_torch_dispatch(op: Any, torch_dispatch_class: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """Raises NotImplementedError: there is no `__torch_dispatch__`."""
    raise NotImplementedError("flambeau has no __torch_dispatch__: override __torch_function__, which sees custom operators, too")


def get_ctx() -> Any:
    """Raises RuntimeError: sizes that depend on values are not symbolic here, so a fake function has no context."""
    raise RuntimeError("flambeau has no symbolic sizes: torch.library.get_ctx is not supported")


def get_kernel(op: Any, dispatch_key: Any) -> Callable[..., Any]:
    """The function that is registered for an operator under a dispatch key. Raises RuntimeError without one."""
    found = _definition(op)
    kernels = {**found.kernels, **({"Meta": found.fake} if found.fake is not None else {})}
    kernel = kernels.get(str(dispatch_key), kernels.get("CompositeExplicitAutograd", kernels.get("CompositeImplicitAutograd")))
    if kernel is None:
        raise RuntimeError(f"No kernel for dispatch key {dispatch_key} of operator {found.qualname}")
    return functools.wraps(kernel)(lambda *args, **kwargs: kernel(*args, **kwargs))


_TESTS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")


def opcheck(
    op: Any, args: tuple[Any, ...], kwargs: Any = None, *, test_utils: Any = _TESTS, raise_exception: bool = True, atol: Any = None,
    rtol: Any = None,
) -> dict[str, str]:  # fmt: skip
    """Checks an operator with sample arguments; each test's name with "SUCCESS", or what went wrong, which is raised by default.

    test_schema: only the arguments that the schema names are changed, and no result is an argument. test_faketensor: what is
    registered for tensors without memory gives the shapes and dtypes of the real results. test_autograd_registration: results for
    arguments that require gradients are in the graph. test_aot_dispatch_dynamic: nothing is compiled here, so there is nothing to fail.
    """
    from ._library.checking import check

    names = [test_utils] if isinstance(test_utils, str) else list(test_utils)
    unknown = set(names) - set(_TESTS)
    if unknown:
        raise ValueError(f"opcheck: unknown test_utils {sorted(unknown)}: choose from {_TESTS}")
    return check(_definition(op), args, kwargs or {}, names, raise_exception)


__getattr__ = missing_name(__name__)
