"""How an operator is defined, and what is made of a definition.

    @operator("torch.mul", "Tensor.mul", "Tensor.mul_", "Tensor.__mul__", "Tensor.__rmul__", promote="arithmetic")
    def mul(input: Array, other: Array | Number) -> Array:
        return multiply(input, other)

    mul.derivative(input=lambda F, grad, other: grad * F.conj(other), other=lambda F, grad, input: grad * F.conj(input))

The function is the forward over arrays. Annotations say what a parameter is: `Array`, `Array | None`, `Array | Number`,
`list[Array]`; anything else is passed through. The names say where the operator appears: `torch.x`, `F.x` (in
nn.functional), `special.x`, `linalg.x`, `fft.x`, `Tensor.x`; one that ends in a single underscore, or `__i...__`, is the
in-place form.

A derivative is a formula per differentiable parameter: `F` holds functions by operator name, `grad` is the gradient of
the result, and the other names say what is saved: a parameter, `result` (or `result0`, `result1`, ...), or
`<parameter>_shape` / `<parameter>_dtype`. `operator.joint("input", "weight")(formula)` gives several gradients at once;
its formula also takes `needs`, which of them are asked for. The same formula runs over arrays and, under
`create_graph`, over Tensors (a parameter may not be called `grad`: `grad_output` is the word); gradients come out in any
broadcast shape or dtype, the engine fits them.

Of each definition a Python function is written, straight from the call to the forward, and compiled when it is first
called; pdb shows its source.
"""

import linecache
from functools import cached_property, partial
from threading import Lock
from types import CodeType, FunctionType
from typing import Any, Callable

from ..autograd.engine import edge_of
from ..autograd.grad_mode import grad_mode
from ..autograd.node import Node, arrays, node_class, tensors
from ..autograd.version import UNVERSIONED, shared_version
from ..autograd.views import cross
from ..core.promotion import float_operands, operands, rounded
from ..kernels.elementwise import beside_scalar, cast
from ..tensor import PLAIN, Tensor, wrap
from .dispatch import ALSO_CALLED, REQUIRED, after_failure, first_of_kind, legacy_call, renamed, slow_dunder, slow_path
from .dispatch import explained_here as explained_here
from .dispatch import handle_overrides as handle_overrides
from .dispatch import overriding as overriding
from .dispatch import under_autocast as under_autocast
from .dispatch import write_out as write_out
from .in_place import apply_in_place as apply_in_place
from .in_place import slow_dunder_in_place, slow_in_place
from .modes import modes, stacks
from .recording import apply_source, counted, record_source, saved_names
from .running import (
    F32,
    F64,
    HALVES,
    I64,
    INTEGERS,
    NUMBERS,
    UNSUITED,
    any_requires_grad,
    as_array,
    both_to_float,
    broadcast_failure,
    call_node_hooks,
    in_other_layout,
    laid_out,
    ndarray,
    new_node,
    new_tensor,
    new_view,
    no_derivative,
    numbers_for_tensors,
    to_float,
    without_memory,
    wrap_outputs,
)
from .running import Array as Array
from .running import Number as Number
from .running import plain_list as plain_list
from .running import raise_overlap as raise_overlap


class Functions(dict[str, Callable[..., Any]]):
    """The public functions of one module. A name not there yet is looked for in the families imported on demand."""

    load: Callable[[str], bool] = staticmethod(lambda name: False)  # set by families.py

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def __missing__(self, name: str) -> Callable[..., Any]:
        if Functions.load(f"{self.where}.{name}") and name in self:
            return self[name]
        raise KeyError(name)


NAMES: dict[str, Functions] = {where: Functions(where) for where in ("torch", "F", "special", "linalg", "fft")}
"""The public functions, by module and name."""

OPERATORS: dict[str, "Operator"] = {}
"""Every operator by its own name."""

_SCOPES: list[dict[str, Any]] = []  # of the functions written so far
_taking = Lock()
_CALLS = 200  # of an operator, before it is compiled for small arrays

_KINDS = {"Array": "tensor", "Array | None": "optional", "Array | Number": "number", "list[Array]": "list"}


class Operator:
    """A definition and the functions made of it: `forward` over arrays, `function` over Tensors, `record` of nodes."""

    def __init__(
        self,
        forward: Callable[..., Any],
        promote: str | None = None,
        view: bool | str = False,
        differentiable: bool = True,
        outputs: int = 1,
        result_type: Any = None,
        node: str | Callable[..., str] | None = None,
        hidden: int = 0,
        out: bool = True,
        takes_numbers: int = 0,
        check: Callable[..., None] | None = None,
        overlap: bool = False,
        legacy: str = "",
        rounds_number: bool = False,
        kernel_backward: bool = False,
    ) -> None:
        self.forward = forward
        self.name: str = forward.__name__
        self.promote = promote
        self.view = view
        self.differentiable = differentiable
        self.outputs = outputs
        self.result_type = result_type
        self.hidden = hidden
        self.visible = outputs - hidden  # a node with one visible output is a node with one output
        code = forward.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        defaults = dict(zip(names[code.co_argcount - len(forward.__defaults__ or ()) : code.co_argcount], forward.__defaults__ or ()))
        defaults |= forward.__kwdefaults__ or {}
        self.positional = code.co_argcount
        last = names[-1] if names else ""
        self.forward_takes_out = last == "out"  # an elementwise forward can write where it is told
        self.forward_takes_into = last == "into"  # another writes there what fits there, and returns it
        if self.forward_takes_out or self.forward_takes_into:
            names = names[:-1]
            self.positional = min(self.positional, len(names))
        self.params = list(names)
        self.defaults = {n: d for n, d in defaults.items() if n in names}
        self.kinds = {n: _KINDS.get(str(forward.__annotations__.get(n)), "value") for n in names}
        self.tensor_params = [n for n in names if self.kinds[n] != "value"]
        self.flags = [n for n in names if forward.__annotations__.get(n) == "bool" or defaults.get(n).__class__ is bool]
        self.integers = [n for n in names if forward.__annotations__.get(n) == "int"]
        self.formulas: dict[str, Callable[..., Any]] = {}
        self.joint_params: tuple[str, ...] = ()
        self.joint_formula: Callable[..., Any] | None = None
        self.takes_out = out and not view
        camel = "".join(part.capitalize() for part in self.name.strip("_").split("_"))
        self.node_name: str = node if isinstance(node, str) else f"{camel}Backward0"
        self.check = check  # sees two operands of different dtypes before they are promoted
        self.rounds_number = rounds_number  # whether a number beside half precision is rounded first
        self.legacy = legacy  # the keyword whose value once stood second, as in add(input, alpha, other)
        self.overlap = overlap  # whether it may write one number where several elements share memory
        self.kernel_backward = kernel_backward  # whether the gradient is one kernel, which takes half precision as it is
        self.takes_numbers = takes_numbers  # how many numbers may stand where tensors are expected
        self.choose_node = node if callable(node) else None  # the name may depend on the arrays
        self._variants: dict[str, type[Node]] = {}
        self._node_class: type[Node] | None = None
        self._record: Callable[..., Any] | None = None
        self._body: Callable[..., Any] | None = None
        self.write: Callable[..., Any] | None = None  # of `ops/writing.py`, once it has been called with `out=`
        self.public: list[str] = []
        self.in_places: dict[str, FunctionType] = {}
        self.native_form: tuple[Callable[..., Any], str, float | None] | None = None
        self.natives: dict[str, Any] = {}
        self.calls = 0
        self.function = self._stub(dict(_STUB_SCOPE, OP=self))
        self._dunder: FunctionType | None = None

    # --- derivatives -------------------------------------------------------------------------------------------

    def derivative(self, **formulas: Callable[..., Any]) -> "Operator":
        """Gives the formula of each differentiable parameter."""
        self.formulas |= formulas
        return self

    def joint(self, *params: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: one formula for the gradients of several parameters, as a tuple in their order."""

        def register(formula: Callable[..., Any]) -> Callable[..., Any]:
            self.joint_params, self.joint_formula = params, formula
            return formula

        return register

    # --- machine code ------------------------------------------------------------------------------------------

    def native(self, forward: Callable[..., Any], kind: str = "map", constant: float | None = None) -> "Operator":
        """Gives the result as an expression over scalars: small arrays get machine code of their own (see `native.py`)."""
        self.native_form = (forward, kind, constant)
        return self

    def count_call(self) -> None:
        """Counts the calls of a program that may be short; one that goes on is worth compiling for."""
        self.calls += 1
        if self.calls < _CALLS:
            return
        with _taking:  # one thread compiles, the others go on as before
            form, self.native_form = self.native_form, None
        if form is None:
            return
        from .native import Native, install

        self.natives = install(Native(self, *form))
        use_native_parts()
        self.compile_function()
        for stub in self.in_places.values():
            self.compile_in_place(stub)

    def _native_source(self, which: str, operands: list[str], names: list[str]) -> str:
        """The first lines of a function: machine code takes the call, or declines it with None."""
        if self.native_form is not None:
            return "    OP.count_call()\n"
        if which not in self.natives:
            return ""
        tests = [f"{n} is default_{n}" for n in names if n not in operands]
        if which == "call":
            tests += [f"{n} is None" for n in self.also.values()]
        tests += ["legacy is None"] * bool(self.legacy) + ["out is None"] * (which == "call" and self.takes_out)
        lines = [f"t = {which}({', '.join(operands)})", "if t is not None:", "    return t"]
        if tests:
            lines = [f"if {' and '.join(tests)}:", *(f"    {line}" for line in lines)]
        return "".join(f"    {line}\n" for line in lines)

    @property
    def differentiable_params(self) -> list[str]:
        """The parameters that edges lead to, in order."""
        return [p for p in self.params if p in self.formulas or p in self.joint_params]

    @property
    def also(self) -> dict[str, str]:
        """Parameters that may be called as in NumPy, by their own names."""
        return {n: also for n, also in ALSO_CALLED.items() if n in self.params and self.public}

    # --- writing source ----------------------------------------------------------------------------------------

    def _compile(self, name: str, source: str, scope: dict[str, Any]) -> FunctionType:
        filename = f"<flambeau operator {self.name}: {name}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        exec(compile(source, filename, "exec"), scope)
        _SCOPES.append(scope)
        return scope[name]

    def _scope(self) -> dict[str, Any]:
        return dict(_SCOPE, OP=self, forward=self.forward, record=self._record or self._first_record, check=self.check)

    def _first_record(self, *args: Any) -> Node | None:
        """Stands in for `record` until the first node is needed."""
        record = self.record
        for function in (self.function, self._dunder, self._body):
            if function is not None:
                function.__globals__["record"] = record
        return record(*args)

    def _signature(self, out: bool, also: dict[str, str] | None = None) -> tuple[str, dict[str, Any]]:
        parts: list[str] = []
        scope: dict[str, Any] = {}
        also = also or {}
        for i, name in enumerate(self.params):
            if i == self.positional:
                parts += ["legacy=None", "*"] if self.legacy else ["*"]
            if name in self.defaults or name in also or REQUIRED in scope.values():  # what follows a default needs one
                scope[f"default_{name}"] = self.defaults.get(name, REQUIRED)
                parts.append(f"{name}=default_{name}")
            else:
                parts.append(name)
        keywords = [f"{n}=None" for n in (*["out"] * out, *also.values())]
        if keywords:
            parts += ["*"] * (self.positional >= len(self.params)) + keywords
        return ", ".join(parts), scope

    def _stub(self, scope: dict[str, Any], name: str = "") -> FunctionType:
        """A public function. Its code is written and put in place on the first call."""
        stub = FunctionType(_STUB_CODE, scope, name or self.name)
        stub.__doc__ = self.forward.__doc__
        stub.__qualname__ = stub.__name__
        stub.__module__ = "torch"
        return stub

    @property
    def dunder(self) -> FunctionType:
        """The function as Python's operators call it: NotImplemented in place of a TypeError."""
        if self._dunder is None:
            self._dunder = self._stub(dict(_STUB_SCOPE, OP=self, first_call=_first_dunder_call))
        return self._dunder

    def compile_function(self) -> None:
        """Writes the straight path from the call to the forward into the public function."""
        signature, scope = self._signature(self.takes_out, self.also)
        tests = ["modes.active"]
        for name in self.params:
            kind = self.kinds[name]
            if kind == "tensor":
                tests.append(f"type({name}) not in PLAIN")
            elif kind == "optional":
                tests.append(f"({name} is not None and type({name}) not in PLAIN)")
            elif kind == "number":
                tests.append(f"(type({name}) not in PLAIN and type({name}) not in NUMBERS)")
            elif kind == "list":
                tests.append(f"not plain_list({name})")
            elif name in self.flags:
                usual = self.defaults.get(name, False) is True
                tests.append(f"{name} is not {usual} and {name} is not {not usual}")
            elif name in self.integers:
                tests.append(f"{name} is True or {name} is False")
        if self.legacy:
            tests.append("legacy is not None")
        if self.takes_out:
            tests.append("out is not None")
        tests += [f"{n} is not None" for n in self.also.values()]
        tests += [f"{n} is REQUIRED" for n in self.params if scope.get(f"default_{n}") is REQUIRED]
        renamed = "".join(f"        {n} = renamed(OP, {n!r}, {n}, {also})\n" for n, also in self.also.items())
        out = ", out" if self.takes_out else ""
        names = "".join(f"{n}, " for n in self.params)
        source = (
            f"def {self.name}({signature}):\n"
            f"{self._native_source('call', self._operand_params(), self.params)}"
            f"    if {' or '.join(tests)}:\n"
            f"{renamed}{self._legacy_source()}"
            f"        return slow_path(OP, ({names}){out})\n" + self._body_source()
        )
        made = self._compile(self.name, source, {**self._scope(), **scope, **self.natives})
        self._fill_stub(self.function, made)
        if self._dunder is not None:
            self._fill_stub(self._dunder, made)
            self._dunder.__globals__["slow_path"] = slow_dunder

    def _legacy_source(self, function: str = "OP.function") -> str:
        if not self.legacy:
            return ""
        given = "".join(f"{n}, " for n in self.params[: self.positional])
        return f"        if legacy is not None:\n            return legacy_call(OP, {function}, ({given}legacy))\n"

    @staticmethod
    def _fill_stub(stub: FunctionType, made: FunctionType) -> None:
        stub.__globals__.update(made.__globals__)
        stub.__defaults__, stub.__kwdefaults__ = made.__defaults__, made.__kwdefaults__
        stub.__code__ = made.__code__

    # --- in place ----------------------------------------------------------------------------------------------

    def in_place_stub(self, name: str) -> FunctionType:
        """The in-place form under one of its names: the result is written into the first argument, which is returned."""
        scope = dict(_STUB_SCOPE, OP=self, first_call=partial(_first_in_place_call, NAME=name))
        return self._stub(scope, name)

    def compile_in_place(self, stub: FunctionType) -> None:
        """Writes the in-place form: straight to the forward where nothing is recorded and no dtype changes."""
        first, *rest = self.params
        name = stub.__name__
        parts, scope = self._signature(out=False)
        tests = ["modes.active", f"type({first}) not in PLAIN"]
        for n in rest:
            test = {
                "tensor": f"type({n}) not in PLAIN",
                "optional": f"({n} is not None and type({n}) not in PLAIN)",
                "number": f"(type({n}) not in PLAIN and type({n}) not in NUMBERS)",
                "list": f"not plain_list({n})",
            }.get(self.kinds[n])
            if test:
                tests.append(test)
            elif n in self.flags:
                tests.append(f"{n} is not False and {n} is not True")
        if self.legacy:
            tests.append("legacy is not None")
        arguments = f"({''.join(f'{n}, ' for n in rest)})"
        slow = "slow_dunder_in_place" if name.startswith("__") else "slow_in_place"
        lines = [f"if {' or '.join(tests)}:", *[line[4:] for line in self._legacy_source("FUNCTION").splitlines()]]
        lines += [f"    return {slow}(OP, FUNCTION, ({', '.join(self.params)},))"]
        lines += self._straight_in_place(first, rest)
        lines.append(f"return apply_in_place(OP, {first}, {arguments}, NAME)")
        native = self._native_source("call_in_place", self._operand_params(), self.params)
        source = f"def {name}({parts}):\n{native}" + "".join(f"    {line}\n" for line in lines)
        more = {"FUNCTION": stub, "NAME": name, "apply_in_place": apply_in_place, "slow_in_place": slow_in_place,
                "slow_dunder_in_place": slow_dunder_in_place}  # fmt: skip
        self._fill_stub(stub, self._compile(name, source, {**self._scope(), **scope, **more, **self.natives}))

    def _straight_in_place(self, first: str, rest: list[str]) -> list[str]:
        """The way of operands that need no promotion, in memory without overlap, outside any graph."""
        kinds = self.kinds
        if not self.forward_takes_out or self.promote == "compare" or any(kinds[n] in ("optional", "list") for n in rest):
            return []
        lines = [f"a_{first} = {first}._array"]
        fits = []
        floating = f"(a_{first}.dtype is F32 or a_{first}.dtype is F64"
        integer = f" or a_{first}.dtype is I64 and %s.__class__ is int" if self.promote == "arithmetic" and self.check is None else ""
        may_record = [f"{first}._requires_grad or {first}._view is not None"]
        for n in rest:
            if kinds[n] == "number":
                lines += [
                    f"if {n}.__class__ is float or {n}.__class__ is int:",
                    f"    a_{n} = {n}",
                    f"    fits_{n} = {floating}{integer and integer % n})",
                    f"    if not fits_{n} and a_{first}.dtype in HALVES:",
                    f"        a_{n}, fits_{n} = {f'rounded({n}, a_{first}.dtype)' if self.rounds_number else n}, True",
                    "else:",
                    f"    a_{n} = {n}._array if {n}.__class__ not in NUMBERS else None",
                    f"    fits_{n} = a_{n} is not None and a_{n}.dtype is a_{first}.dtype",
                ]
                fits.append(f"fits_{n}")
                may_record.append(f"({n}.__class__ not in NUMBERS and {n}.requires_grad)")
            elif kinds[n] == "tensor":
                lines.append(f"a_{n} = {n}._array")
                fits.append(f"a_{n}.dtype is a_{first}.dtype")
                may_record.append(f"{n}.requires_grad")
        if self.promote == "float":
            fits.append(f"{floating} or a_{first}.dtype in HALVES)")
        fits += [f"a_{first}.__class__ is ndarray", f"0 not in a_{first}.strides", f"{first}._counter is not UNVERSIONED"]
        call = ", ".join(
            (f"a_{n}" if kinds[n] != "value" else n) if i < self.positional else f"{n}={'a_' + n if kinds[n] != 'value' else n}"
            for i, n in enumerate(self.params)
        )
        recording = f"grad_mode.enabled and ({' or '.join(may_record)})"
        lines += [
            f"if {' and '.join(fits)} and not ({recording}):",
            f"    forward({call}, out=a_{first})",
            f"    counter = {first}._counter",
            "    if counter is None:",
            f"        {first}._counter = [1]",
            "    else:",
            "        counter[0] += 1",
            f"    return {first}",
        ]
        return [
            "try:",
            *[f"    {line}" for line in lines],
            "except UNSUITED:",
            f"    return apply_in_place(OP, {first}, ({''.join(f'{n}, ' for n in rest)}), NAME)",
        ]

    @property
    def body(self) -> Callable[..., Any]:
        """The straight path without the test in front: for arguments that `slow_path` has put in order."""
        if self._body is None:
            source = f"def body({', '.join(self.params)}):\n" + self._body_source()
            self._body = self._compile("body", source, self._scope())
        return self._body

    def _body_source(self) -> str:
        tensor_params = self.tensor_params
        lines: list[str] = []
        for name in self.params:
            kind = self.kinds[name]
            if kind == "tensor":
                lines.append(f"a_{name} = {name}._array")
            elif kind == "optional":
                lines.append(f"a_{name} = None if {name} is None else {name}._array")
            elif kind == "number":
                lines.append(f"a_{name} = {name} if {name}.__class__ in NUMBERS else {name}._array")
            elif kind == "list":
                lines.append(f"a_{name} = [t._array for t in {name}]")
        promotion = [f"    {line}" for line in self._promotion_source()]
        call = ", ".join(
            (f"a_{n}" if n in tensor_params else n) if i < self.positional else f"{n}={'a_' + n if n in tensor_params else n}"
            for i, n in enumerate(self.params)
        )
        given = "".join(f"a_{n}, " if n in tensor_params else f"{n}, " for n in self.params)
        if (self.promote is not None or self.forward_takes_out) and len(self._operand_params()) > 1:
            shapes = ", ".join(f"a_{n}" for n in self._operand_params())
            compute = [f"r = forward({call})"]
            if self.promote in ("arithmetic", "float") and len(self._operand_params()) == 2:
                a, b = (f"a_{n}" for n in self._operand_params())
                compute = [
                    "if final is None:",
                    f"    r = forward({call})",
                    "else:",
                    f"    r = beside_scalar(lambda {a}, {b}: forward({call}), {a}, {b}, final, {self.rounds_number})",
                ]
            lines += [
                "try:",
                *promotion,
                *[f"    {line}" for line in compute],
                "except ValueError:",
                f"    raise broadcast_failure({shapes}) from None",
                "except UNSUITED as error:",
                *self._failure_source(given),
            ]
        else:
            lines += ["try:", *promotion, f"    r = forward({call})", "except UNSUITED as error:", *self._failure_source(given)]
        lines += self._layout_source()
        record_args = "".join(f", {n}, a_{n}" if n in tensor_params else f", {n}" for n in self.params)
        differentiable = self.differentiable and bool(self.differentiable_params)
        refuses = self.differentiable and not differentiable and bool(tensor_params)
        may_record = []
        for name in tensor_params if self.differentiable else ():
            kind = self.kinds[name]
            if kind == "tensor":
                may_record.append(f"{name}._requires_grad or {name}._view is not None")
            elif kind == "optional":
                may_record.append(f"({name} is not None and ({name}._requires_grad or {name}._view is not None))")
            elif kind == "number":
                may_record.append(f"({name}.__class__ not in NUMBERS and ({name}._requires_grad or {name}._view is not None))")
            elif kind == "list":
                may_record.append(f"any_requires_grad({name})")
        if self.outputs > 1 or self.outputs == 0:
            lines.append(f"node = record(r{record_args}) if ({' or '.join(may_record) or 'False'}) and grad_mode.enabled else None")
            source = tensor_params[0] if self.view else "None"
            lines.append(f"return wrap_outputs(OP, r, node, {source})")
        else:
            lines += [
                "if r.__class__ is not ndarray:",
                "    r = as_array(r)",
                f"t = new_view(r, {tensor_params[0]})" if self.view else "t = new_tensor(r)",
            ]
            if may_record and (differentiable or refuses):
                result = "t" if "result" in saved_names(self) else "r"
                lines += [
                    f"if ({' or '.join(may_record)}) and grad_mode.enabled:",
                    f"    node = record({result}{record_args})",
                    "    if node is not None:",
                    "        t._node = node",
                    "        t._requires_grad = True",
                ]
            if self.view == "crossing":
                lines.append(f"cross(t, {tensor_params[0]}, OP, ({self._view_arguments()}))")
            lines.append("return t")
        return "".join(f"    {line}\n" for line in lines)

    def _failure_source(self, given: str) -> list[str]:
        """What follows where the forward has raised `error`; `given` are its arguments."""
        lines = [f"    r = without_memory(OP, error, ({given}))"]
        if any(self.takes_number(n) for n in self.params):
            lines.insert(0, f"    again = numbers_for_tensors(OP, error, ({''.join(f'{n}, ' for n in self.params)}))")
            lines[1:1] = ["    if again is not None:", "        return OP.with_numbers(*again)"]
        arguments = "".join(f"{n}, " for n in self.params)
        return [f"    t = in_other_layout(OP, error, ({arguments}))", "    if t is not None:", "        return t", *lines]

    def takes_number(self, name: str) -> bool:
        """Whether a parameter may be a number, for which PyTorch takes a tensor without dimensions as well."""
        return self.kinds[name] == "value" and name not in self.flags

    def with_numbers(self, *values: Any) -> Any:
        """The function, called with all parameters in order."""
        return self.function(*values[: self.positional], **dict(zip(self.params[self.positional :], values[self.positional :])))

    def _layout_source(self) -> list[str]:
        """Brings an elementwise result into the memory order that the operands have, off the row-major path."""
        operands_ = [f"a_{n}" for n in self._operand_params()]
        if self.promote is None or self.outputs != 1 or not 1 <= len(operands_) <= 2:
            return []
        names = self._operand_params()
        array, given = operands_[0], ", ".join(f"{n}._array" for n in names)
        if "number" in self.kinds.values():
            given = f"*[x._array for x in ({', '.join(names)},) if x.__class__ not in NUMBERS]"
            if self.kinds[names[0]] == "number":
                array = f"({operands_[-1]} if {array}.__class__ in NUMBERS else {array})"
        return [f"if r.ndim > 1 and not {array}.flags.c_contiguous:", f"    r = laid_out(r, {given})"]

    def _view_arguments(self) -> str:
        return "".join(f"{n}, " for n in self.params[1:])

    def _operand_params(self) -> list[str]:
        return [n for n in self.params if self.kinds[n] in ("tensor", "number")]

    def _promotion_source(self) -> list[str]:
        """Brings the operands to one dtype; straight through where they have it already."""
        if self.promote is None:
            return []
        names = self._operand_params()
        lines: list[str] = []
        if len(names) == 2:
            lines.append("final = None")
            a, b = (f"a_{n}" for n in names)
            number_a, number_b = (self.kinds[n] == "number" for n in names)
            if not number_a and not number_b:
                lines += [f"if {a}.dtype is not {b}.dtype:", f"    {a}, {b}, final = operands({a}, {b})"]
            elif number_b:
                arrays_only = f"{a}.__class__ is not ndarray or " if number_a else ""
                integer = f" and ({a}.dtype is not I64 or {b}.__class__ is float)" if self.promote != "float" and self.check is None else ""
                lines += [
                    f"if {b}.__class__ is float or {b}.__class__ is int:",
                    f"    if {arrays_only}{a}.dtype is not F32 and {a}.dtype is not F64{integer}:",
                    f"        {a}, {b}, final = operands({a}, {b})",
                    f"elif {arrays_only}{b}.__class__ is not ndarray or {a}.dtype is not {b}.dtype:",
                    f"    {a}, {b}, final = operands({a}, {b})",
                ]
            else:
                lines += [
                    f"if {a}.__class__ is not ndarray or {a}.dtype is not {b}.dtype:",
                    f"    {a}, {b}, final = operands({a}, {b})",
                ]
            if self.check is not None:
                lines = [line.replace(f"{a}, {b}, final = ", f"check({a}, {b}); {a}, {b}, final = ") for line in lines]
            if self.rounds_number or self.promote == "compare":
                lines = [line.replace("= operands(", "= rounding_operands(") for line in lines]
            if self.promote == "float":
                lines = [line.replace("operands(", "float_operands(") for line in lines]
                test = f"if getattr({a}, 'dtype', None) in INTEGERS or getattr({b}, 'dtype', None) in INTEGERS:"
                lines += [
                    test if number_a else f"if {a}.dtype is not F32 and {a}.dtype.kind in 'iub':",
                    f"    {a}, {b} = both_to_float({a}, {b})",
                ]
        elif len(names) == 1 and self.promote == "float":
            a = f"a_{names[0]}"
            lines = [f"if {a}.dtype is not F32 and {a}.dtype is not F64 and {a}.dtype in INTEGERS:", f"    {a} = to_float({a})"]
        return lines

    # --- recording ---------------------------------------------------------------------------------------------

    @cached_property
    def saved_results(self) -> frozenset[int]:
        """Which of several results the formulas take: changing one in place spoils the backward."""
        return frozenset(int(n[6:]) for n in saved_names(self) if n.startswith("result") and n[6:].isdigit())

    @property
    def node_type(self) -> type[Node]:
        """The class of this operator's nodes."""
        if self._node_class is None:
            cls = node_class(self.node_name)
            cls.outputs = 1 if self.visible == 1 else self.outputs
            cls.spec = tuple(self._spec(n) for n in saved_names(self))
            cls.apply = self._compile("apply", *apply_source(self))  # type: ignore[method-assign]
            self._node_class = cls
        return self._node_class

    def _edge_position(self, name: str) -> int:
        params = self.differentiable_params
        return params.index(name) if name in params else -1

    def _spec(self, name: str) -> tuple[str, str, int]:
        if name.startswith("result") and name[6:].isdigit():
            return name, "result", int(name[6:])
        if name == "result":
            return name, "result", 0
        if name in self.tensor_params:
            return name, "list" if self.kinds[name] == "list" else "input", self._edge_position(name)
        return name, "value", -1

    @property
    def record(self) -> Callable[..., Any]:
        """`record(result, each parameter (and its array)...)`: a new node, or None where no input needs a gradient."""
        if self._record is None:
            scope = self._scope()
            if self.differentiable_params:
                scope |= {"variant": self._variant, "NODE": self.node_type if self.outputs else counted(self.node_type)}
            self._record = self._compile("record", record_source(self), scope)
        return self._record

    def _variant(self, *arrays_: Any) -> type[Node]:
        """The node class for these arrays, where its name depends on them."""
        assert self.choose_node is not None
        name = self.choose_node(*arrays_)
        if name not in self._variants:
            self._variants[name] = type(name, (self.node_type,), {"__slots__": (), "__module__": "torch.autograd"})
        return self._variants[name]

    def as_called(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """All parameters in order, as the user would have passed them: without trailing defaults."""
        given = list(zip(self.params, args))
        positional = [v for _, v in given[: self.positional]]
        kwargs = {n: v for n, v in given[self.positional :] if n not in self.defaults or self.defaults[n] is not v}
        names = self.params[: self.positional]
        while positional and names[len(positional) - 1] in self.defaults and self.defaults[names[len(positional) - 1]] is positional[-1]:
            positional.pop()
        return tuple(positional), kwargs


def use_native_parts() -> dict[str, Any]:
    """Puts in place what all operators share in machine code, where it can be compiled; returns its functions."""
    from .native import native_parts

    shared, first = native_parts()
    if first:
        for scope in (_SCOPE, *_SCOPES):
            scope.update(shared)
    return shared


def _first_call(*args, OP, **kwargs):  # type: ignore[no-untyped-def]
    OP.compile_function()
    return OP.function(*args, **kwargs)


def _first_dunder_call(*args, OP, **kwargs):  # type: ignore[no-untyped-def]
    OP.compile_function()
    return OP.dunder(*args, **kwargs)


def _first_in_place_call(*args, OP, NAME, **kwargs):  # type: ignore[no-untyped-def]
    stub = OP.in_places[NAME]
    OP.compile_in_place(stub)
    return stub(*args, **kwargs)


def _stub_code() -> CodeType:
    def stub(*args: Any, **kwargs: Any) -> Any:
        return first_call(*args, OP=OP, **kwargs)  # type: ignore[name-defined]  # noqa: F821

    return stub.__code__


_STUB_CODE = _stub_code()
_STUB_SCOPE: dict[str, Any] = {"first_call": _first_call, "__name__": "flambeau.ops", "__builtins__": __builtins__}


# --- defining --------------------------------------------------------------------------------------------------


def is_in_place(name: str) -> bool:
    return (name.endswith("_") and not name.endswith("__")) or (
        name.startswith("__i") and name not in ("__invert__", "__int__", "__index__", "__iter__")
    )


_ROOT = __name__.partition(".")[0]
_HOMES = {"torch": _ROOT, "F": f"{_ROOT}.nn.functional", "special": f"{_ROOT}.special", "linalg": f"{_ROOT}.linalg", "fft": f"{_ROOT}.fft"}
_PLACED = frozenset(_HOMES.values())


def attach(public: str, function: Any) -> None:
    """Puts a function where users find it, and where pickle looks: under its first name in a module, else as a method."""
    where, _, name = public.rpartition(".")
    if where == "Tensor":
        setattr(Tensor, name, function)
    else:
        NAMES[where][name] = function
    if function.__class__ is FunctionType and (function.__module__ not in _PLACED or function.__qualname__.startswith("Tensor.")):
        if where != "Tensor":
            function.__module__, function.__qualname__ = _HOMES[where], name
        elif function.__module__ not in _PLACED:
            function.__module__, function.__qualname__ = _ROOT, f"Tensor.{name}"


def operator(*public: str, **options: Any) -> Callable[[Callable[..., Any]], Operator]:
    """Decorator: the function over arrays becomes an operator under the given public names. Options: see `Operator`."""

    def define(forward: Callable[..., Any]) -> Operator:
        op = Operator(forward, **options)
        op.public = list(public)
        OPERATORS[op.name] = op
        setattr(arrays, op.name, forward)
        setattr(tensors, op.name, op.function)
        for name in public:
            last = name.rpartition(".")[2]
            if is_in_place(last):
                if last not in op.in_places:
                    op.in_places[last] = op.in_place_stub(last)
                attach(name, op.in_places[last])
            elif last.startswith("__"):
                attach(name, op.dunder)
            else:
                attach(name, op.function)
        return op

    return define


def composite(*public: str, hot: bool = False, formula: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: a function over Tensors, made of operators, under the given public names.

    Overrides and function modes see the call first. A `hot` function tests for them itself. With `formula`, backward formulas
    and other composites find it under its own name, which no other definition may have.
    """

    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        known: set[tuple[Any, ...]] = set()

        def call(*args: Any, **kwargs: Any) -> Any:
            types: tuple[Any, ...] = tuple(map(type, args))
            if kwargs:
                types += (*kwargs, *map(type, kwargs.values()))
            if modes.active or types not in known:
                result = first_of_kind(public, function, call, known, types, args, kwargs)
                if result is not NotImplemented:
                    return result
            try:
                return function(*args, **kwargs)
            except Exception as error:
                return after_failure(public, function, args, kwargs, error)

        made = function if hot else call
        made.__name__ = made.__qualname__ = function.__name__
        made.__doc__ = function.__doc__
        made.__module__ = "torch"
        if not hot:
            made.__wrapped__ = function  # type: ignore[attr-defined]
        for name in public:
            attach(name, made)
        if formula:
            setattr(tensors, function.__name__, function)
        return made

    return define


def formula_function(name: str, over_arrays: Callable[..., Any], over_tensors: Callable[..., Any]) -> None:
    """Makes a function available to backward formulas as `F.name`, in both its forms."""
    setattr(arrays, name, over_arrays)
    setattr(tensors, name, over_tensors)


_SCOPE: dict[str, Any] = {
    "__name__": "flambeau.ops",
    "modes": modes,
    "stacks": stacks,
    "PLAIN": PLAIN,
    "UNVERSIONED": UNVERSIONED,
    "NUMBERS": NUMBERS,
    "F32": F32,
    "F64": F64,
    "I64": I64,
    "INTEGERS": INTEGERS,
    "ndarray": ndarray,
    "cross": cross,
    "new_tensor": new_tensor,
    "new_view": new_view,
    "new_node": new_node,
    "grad_mode": grad_mode,
    "edge_of": edge_of,
    "operands": partial(operands, cast=cast),
    "float_operands": partial(float_operands, cast=cast),
    "rounding_operands": partial(operands, rounds=True, cast=cast),
    "rounding_float_operands": partial(float_operands, rounds=True, cast=cast),
    "to_float": to_float,
    "both_to_float": both_to_float,
    "as_array": as_array,
    "plain_list": plain_list,
    "any_requires_grad": any_requires_grad,
    "no_derivative": no_derivative,
    "call_node_hooks": call_node_hooks,
    "shared_version": shared_version,
    "slow_path": slow_path,
    "wrap_outputs": wrap_outputs,
    "broadcast_failure": broadcast_failure,
    "UNSUITED": UNSUITED,
    "without_memory": without_memory,
    "numbers_for_tensors": numbers_for_tensors,
    "in_other_layout": in_other_layout,
    "laid_out": laid_out,
    "cast": cast,
    "beside_scalar": beside_scalar,
    "rounded": rounded,
    "HALVES": HALVES,
    "legacy_call": legacy_call,
    "REQUIRED": REQUIRED,
    "renamed": renamed,
}

tensors.wrap = wrap
