"""Operators that users define: their registry, what a call goes through, and the objects that `torch.ops` shows.

A call goes through function modes and overriding arguments, autocast, autograd (the registered formula, as a Function), and to the
kernel for the device of the arguments.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ..autograd.function import Function
from ..autograd.grad_mode import grad_mode
from ..autograd.version import bump_version
from ..ops.definition import handle_overrides, overriding
from ..ops.modes import modes
from ..tensor import Tensor
from .schema import Argument, FunctionSchema, parse

REGISTRY: dict[str, "Definition"] = {}
"""Every operator by its qualified name, `namespace::name`."""

_IMPLICIT = "CompositeImplicitAutograd"
_NO_FORMULA = "Trying to backward through {} but no autograd formula was registered. Please use register_autograd to add one."
_WARN = (
    "{}: an autograd kernel was not registered to the Autograd key(s) but we are trying to backprop through it. This may lead to silently "
    "incorrect behavior. This behavior is deprecated and will be removed in a future version of PyTorch. If your operator is "
    "differentiable, please ensure you have registered an autograd kernel to the correct Autograd key (e.g. DispatchKey::Autograd, "
    "DispatchKey::CompositeImplicitAutograd). If your operator is not differentiable, or to squash this warning and use the previous "
    "behavior, please register torch::CppFunction::makeFallthrough() to DispatchKey::Autograd."
)


def fallthrough_kernel() -> None:
    """Stands for "go on to the next kernel" where one is registered. Calling it raises NotImplementedError."""
    raise NotImplementedError("fallthrough_kernel() should never be called.")


class Definition:
    """One operator: its schema and what is registered for it."""

    def __init__(self, qualname: str, schema: FunctionSchema) -> None:
        self.qualname = qualname
        self.schema = schema
        self.kernels: dict[str, Callable[..., Any]] = {}
        self.fake: Callable[..., Any] | None = None
        self.backward: Callable[..., Any] | None = None
        self.setup_context: Callable[..., Any] | None = None
        self.vmap: Callable[..., Any] | None = None
        self.autocast: dict[str, Any] = {}
        self.custom: Any = None  # the CustomOpDef, of those made by custom_op
        self.disabled: set[str] = set()
        self.tags: list[Any] = []
        self.function: type[Function] | None = None
        namespace, _, name = qualname.partition("::")
        self.packet = OpOverloadPacket(namespace, name)
        self.overload = OpOverload(self)

    # --- arguments ---------------------------------------------------------------------------------------------

    def bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments in the schema's order. Raises RuntimeError for what does not fit."""
        schema = self.schema
        positional = [a for a in schema.arguments if not a.kwarg_only]
        if len(args) > len(positional):
            raise RuntimeError(
                f"{schema.name}() expected at most {len(positional)} argument(s) but received {len(args)} argument(s). "
                f"Declaration: {schema}"
            )
        left = dict(kwargs)
        values = []
        for i, a in enumerate(schema.arguments):
            if i < len(args) and not a.kwarg_only:
                value = args[i]
            elif a.name in left:
                value = left.pop(a.name)
            elif a.has_default:
                values.append(a.default)
                continue
            else:
                raise RuntimeError(f"{schema.name}() is missing value for argument '{a.name}'. Declaration: {schema}")
            values.append(_checked(value, a, i, schema))
        if left:
            raise RuntimeError(f"Unknown keyword argument '{next(iter(left))}' for operator '{schema.name}'. Schema: {schema}")
        return tuple(values)

    def split(self, values: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """All values as positional arguments and keywords."""
        pairs = list(zip(self.schema.arguments, values))
        return tuple(v for a, v in pairs if not a.kwarg_only), {a.name: v for a, v in pairs if a.kwarg_only}

    # --- calls -------------------------------------------------------------------------------------------------

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        values = self.bound(args, kwargs)
        if modes.active or overriding(values):
            given, named = self.split(values)
            result = handle_overrides(self.overload, given, named)
            if result is not NotImplemented:
                return result
        if self.autocast:
            values, previous = self._cast(values)
            if previous is not None:
                with previous:
                    return self.recorded(values)
        return self.recorded(values)

    def _cast(self, values: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        from ..amp import autocast
        from ..amp.state import is_autocast_enabled

        for device_type, wanted in self.autocast.items():
            if not is_autocast_enabled(device_type):
                continue

            def cast(t: Any, to: Any = wanted, kind: str = device_type) -> Any:
                return t.to(to) if t.is_floating_point() and t.device.type == kind else t

            return tuple(_each(v, cast) for v in values), autocast(device_type, enabled=False)
        return values, None

    def recorded(self, values: tuple[Any, ...]) -> Any:
        """The result, in the graph where an argument requires a gradient."""
        implicit = self.kernels.get(_IMPLICIT)
        if implicit is not None and self.own_kernel(values) is None:
            return self._run(implicit, values)
        if not (grad_mode.enabled and any(t.requires_grad for t in _tensors(values))):
            return self.computed(values)
        for key in ("AutogradCPU", "Autograd"):
            if key in self.kernels:
                kernel = self.kernels[key]
                return self.computed(values) if kernel is fallthrough_kernel else self._run(kernel, values)
        if self.function is None:
            self.function = _function(self)
        lists = [t for v in values if isinstance(v, (list, tuple)) for t in v if any(isinstance(x, Tensor) for x in v)]
        results = self.function.apply(*values, *lists)
        return _rebuilt(self, results)

    def own_kernel(self, values: tuple[Any, ...]) -> Callable[..., Any] | None:
        """What is registered for the device of the arguments."""
        found = list(_tensors(values))
        meta = all(t.device.type == "meta" for t in found) if found else any(str(v) == "meta" for v in values)
        if meta and (self.custom is not None or self.fake is not None):
            return self.kernels.get("Meta", self.fake)
        for key in ("Meta" if meta else "CPU", "CompositeExplicitAutogradNonFunctional", "CompositeExplicitAutograd"):
            if key in self.kernels and key.lower() not in self.disabled:
                return self.kernels[key]
        if self.custom is not None and "cpu" in self.disabled and not meta:
            return self.custom._init_fn
        return None

    def _run(self, kernel: Callable[..., Any], values: tuple[Any, ...]) -> Any:
        given, named = self.split(values)
        return kernel(*given, **named)

    def computed(self, values: tuple[Any, ...]) -> Any:
        """The result, outside of any graph. Raises NotImplementedError where no kernel is registered for the device."""
        kernel = self.own_kernel(values)
        meta = any(t.device.type == "meta" for t in _tensors(values))
        if kernel is None:
            if meta and self.custom is not None:
                raise RuntimeError(
                    f"There was no fake impl registered for {self.custom!r}. This is necessary for torch.compile/export/fx tracing to "
                    f"work. Please use `{self.custom._init_fn.__name__}.register_fake` to add an fake impl."
                )
            backend = "Meta" if meta else "CPU"
            raise NotImplementedError(
                f"Could not run '{self.qualname}' with arguments from the '{backend}' backend. This could be because the operator doesn't "
                "exist for this backend, or was omitted during the selective/custom build process (if using custom build). "
                f"'{self.qualname}' is only available for these backends: [{', '.join(sorted(self.kernels))}]."
            )
        mode, grad_mode.enabled = grad_mode.enabled, False
        try:
            result = self._run(kernel, values)
        finally:
            grad_mode.enabled = mode
        if self.custom is not None:
            self._check_aliases(result, values)
            for a, value in zip(self.schema.arguments, values):
                if a.is_write:
                    for t in _tensors((value,)):
                        bump_version(t)
        return result

    def _check_aliases(self, result: Any, values: tuple[Any, ...]) -> None:
        storages = {t.untyped_storage().data_ptr() for t in _tensors(values) if t.numel() and t.device.type != "meta"}
        for t in _tensors((result,)):
            if t.device.type == "meta" or not t.numel():
                continue
            address = t.untyped_storage().data_ptr()
            if address in storages:
                raise RuntimeError(
                    f"{self.custom._name} (with implementation in {self.custom._module!r}): The output of this custom operator (1) must "
                    "not also be an input to this custom operator and (2) may not alias any inputs to this custom operator or other "
                    "returns. The most common way to trigger this error is if we have y = custom_op(x) and y and x are the same Tensor. "
                    "Please instead return a clone of the offending output tensor(s) (e.g. return x.clone()) or refactor the custom "
                    "operator to not return y."
                )
            storages.add(address)


def _each(value: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_each(v, function) for v in value)
    return function(value) if isinstance(value, Tensor) else value


def _tensors(values: Any) -> Iterator[Any]:
    for v in values:
        if isinstance(v, Tensor):
            yield v
        elif isinstance(v, (list, tuple)):
            yield from _tensors(v)


_ACCEPTS: dict[str, tuple[type, ...]] = {"SymInt": (int,), "int": (int,), "float": (float, int), "bool": (bool,), "str": (str,)}


def _checked(value: Any, a: Argument, position: int, schema: FunctionSchema) -> Any:
    kind = a.type
    if kind.endswith("?"):
        if value is None:
            return None
        kind = kind[:-1]
    base, many = (kind[: kind.index("[")], True) if kind.endswith("]") else (kind, False)
    optional = base.endswith("?")
    base = base.rstrip("?")
    if base in ("SymInt", "int", "float") and isinstance(value, Tensor) and not many and value.numel() == 1:
        return value.item()
    items = value if many and isinstance(value, (list, tuple)) else [value]
    accepted = (Tensor,) if base == "Tensor" else _ACCEPTS.get(base)
    fits = (not many or isinstance(value, (list, tuple))) and (
        accepted is None or all((optional and v is None) or isinstance(v, accepted) for v in items)
    )
    if fits:
        return list(value) if many else value
    word = f"List[{base}]" if many else {"SymInt": "int"}.get(base, base)
    detail = (
        f"Unable to cast {value!r} to Tensor"
        if base == "Tensor" and not many
        else f"Unable to cast Python instance of type {type(value)} to C++ type '?' (#define PYBIND11_DETAILED_ERROR_MESSAGES or "
        "compile in debug mode for details)"
    )
    raise RuntimeError(
        f"{schema.name}() Expected a value of type '{word}' for argument '{a.name}' but instead found type '{type(value).__name__}'.\n"
        f"Position: {position}\nValue: {value!r}\nDeclaration: {schema}\nCast error details: {detail}"
    )


# --- autograd ------------------------------------------------------------------------------------------------------------


def _function(op: Definition) -> type[Function]:
    """The Function through which the operator is recorded."""
    shown = f"{op.qualname.replace('::', '.')}.default"

    arguments = op.schema.arguments

    def forward(ctx: Any, *args: Any) -> Any:
        values = args[: len(arguments)]  # behind them come the tensors of lists once more, for their gradients
        result = op.computed(values)
        ctx.lists = [len(v) if isinstance(v, (list, tuple)) and any(isinstance(t, Tensor) for t in v) else 0 for v in values]
        ctx.returns_list = isinstance(result, list)
        if op.setup_context is not None:
            given, named = op.split(values)
            op.setup_context(ctx=ctx, inputs=given, output=result, **({"keyword_only_inputs": named} if named else {}))
        return result if isinstance(result, Tensor) else tuple(_tensors((result,)))

    def backward(ctx: Any, *grads: Any) -> Any:
        if op.backward is None:
            if op.custom is not None:
                raise RuntimeError(_NO_FORMULA.format(shown))
            import warnings

            warnings.warn(_WARN.format(op.qualname), stacklevel=2)
            return (None,) * (len(arguments) + sum(ctx.lists))
        found = op.backward(ctx, *((list(grads),) if ctx.returns_list else grads))
        found = found if isinstance(found, tuple) else (found,)
        count = sum(not a.kwarg_only for a in arguments)
        if len(found) != count:
            raise RuntimeError(
                f"Expected {count} gradients from the backward of {shown}, one for each argument that is not keyword-only, but got "
                f"{len(found)}"
            )
        found = (*found, *[None] * (len(arguments) - count))
        more: list[Any] = []
        for n, g in zip(ctx.lists, found):
            more += [] if not n else list(g) if g is not None else [None] * n
        return (*[None if n else g for n, g in zip(ctx.lists, found)], *more)

    name = f"GeneratedBackwardFor_{op.qualname.replace('::', '_')}_default"
    metaclass: Any = type(Function)
    made: Any = metaclass(name, (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})
    made.__module__ = made._backward_cls.__module__ = "torch.autograd.function"
    return made


def _rebuilt(op: Definition, results: Any) -> Any:
    """What the kernel returned, of what the Function made a tuple of tensors."""
    if isinstance(results, Tensor):
        return results
    if op.schema.returns == ["Tensor[]"]:
        return list(results)
    return None if op.schema.returns in ([], ["()"]) else results


# --- what torch.ops shows ------------------------------------------------------------------------------------------------


class OpOverload:
    """One operator as a function, `torch.ops.namespace.name.default`."""

    __module__ = "torch._ops"

    def __init__(self, op: Definition) -> None:
        self._op = op
        namespace, _, name = op.qualname.partition("::")
        overload = op.schema.overload_name or "default"
        self.__name__ = f"{name}.{overload}"
        self.__qualname__ = self.__name__
        self.namespace = namespace
        self._overloadname = overload
        self._schema = op.schema
        self.overloadpacket = op.packet

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._op.call(args, kwargs)

    def __hash__(self) -> int:
        return hash(self.name())

    def __str__(self) -> str:
        return f"{self.namespace}.{self.__name__}"

    def __repr__(self) -> str:
        name, _, overload = self.__name__.rpartition(".")
        return f"<OpOverload(op='{self.namespace}.{name}', overload='{overload}')>"

    def name(self) -> str:
        """The qualified name, with the overload unless it is the default one."""
        overload = self._op.schema.overload_name
        return f"{self._op.qualname}.{overload}" if overload else self._op.qualname

    @property
    def tags(self) -> list[Any]:
        return self._op.tags

    @property
    def batching_rule(self) -> Any:
        """The rule of `register_vmap`, in the form that `vmap` asks for; None without one."""
        rule = self._op.vmap
        if rule is None:
            return None
        from .._functorch.vmap import by_user_rule

        def call(level: Any, func: Any, args: Any, kwargs: Any) -> Any:
            return by_user_rule(level, rule, args, kwargs, self.name())

        return call


class OpOverloadPacket:
    """The overloads of one name, `torch.ops.namespace.name`: there is one."""

    __module__ = "torch._ops"

    def __init__(self, namespace: str, name: str) -> None:
        self._qualified_op_name = f"{namespace}::{name}"
        self.__name__ = name

    @property
    def default(self) -> OpOverload:
        return REGISTRY[self._qualified_op_name].overload

    def overloads(self) -> list[str]:
        return ["default"]

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return REGISTRY[self._qualified_op_name].call(args, kwargs)

    def __str__(self) -> str:
        return self._qualified_op_name.replace("::", ".")

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='{self}')>"


class OpNamespace:
    """The operators of one namespace, `torch.ops.namespace`."""

    __module__ = "torch._ops"

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> OpOverloadPacket:
        if name.startswith("__"):
            raise AttributeError(name)
        found = REGISTRY.get(f"{self.name}::{name}")
        if found is None:
            if self.name in ("aten", "prims", "prim"):
                raise AttributeError(f"flambeau has no torch.ops.{self.name}: its operators are functions of torch and of Tensor")
            raise AttributeError(f"'_OpNamespace' '{self.name}' object has no attribute '{name}'")
        return found.packet

    def __dir__(self) -> list[str]:
        return sorted(q.partition("::")[2] for q in REGISTRY if q.startswith(f"{self.name}::"))

    def __repr__(self) -> str:
        return f"<module 'torch.ops.{self.name}' from 'torch.ops'>"


_namespaces: dict[str, OpNamespace] = {}


def _load_library(path: Any) -> None:
    """Raises OSError: libraries that were compiled for PyTorch cannot be loaded."""
    raise OSError(f"Could not load this library: {path}")


_OWN: dict[str, Any] = {"loaded_libraries": set(), "load_library": _load_library}


def namespace(name: str) -> Any:
    """`torch.ops.<name>`."""
    if name.startswith("_"):
        raise AttributeError(f"module 'torch.ops' has no attribute {name!r}")
    if name in _OWN:
        return _OWN[name]
    return _namespaces.setdefault(name, OpNamespace(name))


def define(qualname: str, signature: str) -> Definition:
    """A new operator; `signature` is a schema without the name. Raises RuntimeError where there is one already."""
    schema = parse(qualname + signature)
    known = REGISTRY.get(qualname)
    if known is not None:
        raise RuntimeError(
            f"Tried to register an operator ({schema}) with the same name and overload name multiple times. Each overload's schema should "
            f"only be registered with a single call to def(). Original registration: {known.schema}"
        )
    made = REGISTRY[qualname] = Definition(qualname, schema)
    return made


def find(op: Any) -> Definition:
    """The operator of a name, an overload, or a CustomOpDef. Raises for anything else."""
    if isinstance(op, OpOverload):
        return op._op
    if isinstance(op, Definition):
        return op
    if hasattr(op, "_op") and isinstance(op._op, Definition):
        return op._op
    if not isinstance(op, str):
        raise ValueError(f"register(op): got unexpected type for op: {type(op)}")
    found = REGISTRY.get(op)
    if found is None:
        space, _, name = op.partition("::")
        return getattr(namespace(space), name)  # raises
    return found
