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
`create_graph`, over Tensors (a parameter may not be called `grad`: `grad_output` is the word); gradients come out in any broadcast shape or dtype, the engine fits them.

Of each definition a Python function is written, straight from the call to the forward, and compiled when it is first
called; pdb shows its source.
"""

import linecache
from functools import partial
from types import CodeType, FunctionType
from typing import Any, Callable

import numpy as np

from ..autograd.engine import edge_of
from ..autograd.grad_mode import grad_mode
from ..autograd.node import Node, Output, arrays, next_sequence, node_class, tensors
from ..autograd.views import check_in_place, make_crossing, make_view, set_history
from ..core import layout
from ..core import dtype as dtypes
from ..core.dtype import DEFAULT, DTYPES, OF_NUMPY, SCALAR_NAMES
from ..core.promotion import can_cast, float_operand, float_operands, operands, result_dtype, rounded_operands, wrap_integer
from ..kernels.elementwise import cast, in_float32, to_float32
from ..core.return_types import return_type
from ..kernels.memory import clone_like, copy_into
from ..tensor import PLAIN, Tensor, bump_version, shared_version, wrap
from .modes import modes, stacks

ndarray = np.ndarray
Array = Any  # an ndarray, or a meta array
Number = int | float | bool | complex
NUMBERS: Any = frozenset((int, float, bool, complex))
F32, F64, I64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
BF16 = dtypes.bfloat16.numpy
INTEGERS = frozenset(d.numpy for d in DTYPES if d.kind < 2)


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
        widen: bool = True,
    ) -> None:
        self.forward = forward
        self.name: str = forward.__name__
        self.promote = promote
        self.view = view
        self.differentiable = differentiable
        self.outputs = outputs
        self.result_type = result_type
        self.hidden = hidden
        code = forward.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        defaults = dict(zip(names[code.co_argcount - len(forward.__defaults__ or ()) : code.co_argcount], forward.__defaults__ or ()))
        defaults |= forward.__kwdefaults__ or {}
        self.positional = code.co_argcount
        if names and names[-1] == "out":  # an elementwise forward can write where it is told
            names = names[:-1]
            self.positional = min(self.positional, len(names))
        self.forward_takes_out = len(names) < code.co_argcount + code.co_kwonlyargcount
        self.params = list(names)
        self.defaults = {n: d for n, d in defaults.items() if n in names}
        self.kinds = {n: _KINDS.get(str(forward.__annotations__.get(n)), "value") for n in names}
        self.tensor_params = [n for n in names if self.kinds[n] != "value"]
        self.formulas: dict[str, Callable[..., Any]] = {}
        self.joint_params: tuple[str, ...] = ()
        self.joint_formula: Callable[..., Any] | None = None
        self.takes_out = out and not view
        camel = "".join(part.capitalize() for part in self.name.strip("_").split("_"))
        self.node_name: str = node if isinstance(node, str) else f"{camel}Backward0"
        self.check = check  # sees two operands of different dtypes before they are promoted
        self.widen = widen  # whether bfloat16 is computed in float32
        self.legacy = legacy  # the keyword whose value once stood second, as in add(input, alpha, other)
        self.overlap = overlap  # whether it may write one number where several elements share memory
        self.takes_numbers = takes_numbers  # how many numbers may stand where tensors are expected
        self.choose_node = node if callable(node) else None  # the name may depend on the arrays
        self._variants: dict[str, type[Node]] = {}
        self._node_class: type[Node] | None = None
        self._record: Callable[..., Any] | None = None
        self._body: Callable[..., Any] | None = None
        self.public: list[str] = []
        self.in_places: dict[str, FunctionType] = {}
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

    @property
    def differentiable_params(self) -> list[str]:
        """The parameters that edges lead to, in order."""
        return [p for p in self.params if p in self.formulas or p in self.joint_params]

    # --- writing source ----------------------------------------------------------------------------------------

    def _compile(self, name: str, source: str, scope: dict[str, Any]) -> FunctionType:
        filename = f"<flambeau operator {self.name}: {name}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        exec(compile(source, filename, "exec"), scope)
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

    def _signature(self, out: bool) -> tuple[str, dict[str, Any]]:
        parts: list[str] = []
        scope: dict[str, Any] = {}
        for i, name in enumerate(self.params):
            if i == self.positional:
                parts += ["legacy=None", "*"] if self.legacy else ["*"]
            if name in self.defaults:
                scope[f"default_{name}"] = self.defaults[name]
                parts.append(f"{name}=default_{name}")
            else:
                parts.append(name)
        if out:
            if self.positional >= len(self.params):
                parts.append("*")
            parts.append("out=None")
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
        signature, scope = self._signature(self.takes_out)
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
        if self.legacy:
            tests.append("legacy is not None")
        if self.takes_out:
            tests.append("out is not None")
        out = ", out" if self.takes_out else ""
        names = "".join(f"{n}, " for n in self.params)
        source = (
            f"def {self.name}({signature}):\n"
            f"    if {' or '.join(tests)}:\n"
            f"{self._legacy_source()}"
            f"        return slow_path(OP, ({names}){out})\n" + self._body_source()
        )
        made = self._compile(self.name, source, {**self._scope(), **scope})
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
        if self.legacy:
            tests.append("legacy is not None")
        arguments = f"({''.join(f'{n}, ' for n in rest)})"
        slow = "slow_dunder_in_place" if name.startswith("__") else "slow_in_place"
        lines = [f"if {' or '.join(tests)}:", *[line[4:] for line in self._legacy_source("FUNCTION").splitlines()]]
        lines += [f"    return {slow}(OP, FUNCTION, ({', '.join(self.params)},))"]
        lines += self._straight_in_place(first, rest)
        lines.append(f"return apply_in_place(OP, {first}, {arguments}, NAME)")
        source = f"def {name}({parts}):\n" + "".join(f"    {line}\n" for line in lines)
        more = {"FUNCTION": stub, "NAME": name, "apply_in_place": apply_in_place, "slow_in_place": slow_in_place,
                "slow_dunder_in_place": slow_dunder_in_place}  # fmt: skip
        self._fill_stub(stub, self._compile(name, source, {**self._scope(), **scope, **more}))

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
            fits.append(floating + ")")
        fits += [f"a_{first}.__class__ is ndarray", f"0 not in a_{first}.strides"]
        call = ", ".join(
            (f"a_{n}" if kinds[n] != "value" else n) if i < self.positional else f"{n}={'a_' + n if kinds[n] != 'value' else n}"
            for i, n in enumerate(self.params)
        )
        recording = f"grad_mode.enabled and ({' or '.join(may_record)})"
        return lines + [
            f"if {' and '.join(fits)} and not ({recording}):",
            "    try:",
            f"        forward({call}, out=a_{first})",
            "    except ValueError:",
            f"        return apply_in_place(OP, {first}, ({''.join(f'{n}, ' for n in rest)}), NAME)",
            f"    counter = {first}._counter",
            "    if counter is None:",
            f"        {first}._counter = [1]",
            "    else:",
            "        counter[0] += 1",
            f"    return {first}",
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
        lines += self._promotion_source()
        call = ", ".join(
            (f"a_{n}" if n in tensor_params else n) if i < self.positional else f"{n}={'a_' + n if n in tensor_params else n}"
            for i, n in enumerate(self.params)
        )
        if (self.promote is not None or self.forward_takes_out) and len(self._operand_params()) > 1:
            shapes = ", ".join(f"a_{n}" for n in self._operand_params())
            compute = [f"r = forward({call})"]
            if self.promote in ("arithmetic", "float") and len(self._operand_params()) == 2:
                a, b = (f"a_{n}" for n in self._operand_params())
                compute = ["if final is None:", f"    r = forward({call})", "else:", f"    r = in_float32(lambda {a}, {b}: forward({call}), {a}, {b}, final)"]
            lines += ["try:", *[f"    {line}" for line in compute], "except ValueError:", f"    raise broadcast_failure({shapes}) from None"]
        else:
            given = "".join(f"a_{n}, " if n in tensor_params else f"{n}, " for n in self.params)
            lines += ["try:", f"    r = forward({call})", "except UNSUITED as error:", f"    r = without_memory(OP, error, ({given}))"]
        if self.promote is not None and len(self._operand_params()) == 2:
            a, b = (f"a_{n}" for n in self._operand_params())
            both = f"{a}.__class__ is ndarray and " * ("number" in self.kinds[a[2:]]) + f"{b}.__class__ is ndarray and " * ("number" in self.kinds[b[2:]])
            lines += [f"if r.ndim > 1 and {both}not {a}.flags.c_contiguous:", f"    r = laid_out(r, {a}, {b})"]
        if self.promote == "float" and len(self._operand_params()) == 1:  # the backward takes the operand as it was
            lines += ["if final is not None:", "    r = cast(r, final)", "    a_{0} = {0}._array".format(self._operand_params()[0])]
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
                "t = new(Tensor)",
                "t._array = r",
                "t._node = t._grad = t._view = t._counter = t._hooks = None",
                "t._requires_grad = False",
            ]
            if may_record and (differentiable or refuses):
                result = "t" if "result" in self._saved_names() else "r"
                lines += [
                    f"if ({' or '.join(may_record)}) and grad_mode.enabled:",
                    f"    node = record({result}{record_args})",
                    "    if node is not None:",
                    "        t._node = node",
                    "        t._requires_grad = True",
                ]
            if self.view:
                source = tensor_params[0]
                lines.append(f"if {source}._counter is None: {source}._counter = [0]")
                if self.view == "crossing":
                    lines.append(f"make_crossing(t, {source}, OP, ({self._view_arguments()}))")
                else:
                    lines.append(f"make_view(t, {source})")
            lines.append("return t")
        return "".join(f"    {line}\n" for line in lines)

    def _view_arguments(self) -> str:
        return "".join(f"{n}, " for n in self.params[1:])

    def _operand_params(self) -> list[str]:
        return [n for n in self.params if self.kinds[n] in ("tensor", "number")]

    def _promotion_source(self) -> list[str]:
        """Brings the operands to one dtype; straight through where they have it already."""
        if self.promote is None:
            return []
        names = self._operand_params()
        lines = ["final = None"]
        if len(names) == 2:
            a, b = (f"a_{n}" for n in names)
            number_a, number_b = (self.kinds[n] == "number" for n in names)
            if not number_a and not number_b:
                lines += [
                    f"if {a}.dtype is not {b}.dtype or {a}.dtype is not F32 and {a}.dtype is BF16:",
                    f"    {a}, {b}, final = operands({a}, {b})",
                ]
            elif number_b:
                arrays_only = f"{a}.__class__ is not ndarray or " if number_a else ""
                integer = f" and ({a}.dtype is not I64 or {b}.__class__ is float)" if self.promote != "float" and self.check is None else ""
                lines += [
                    f"if {b}.__class__ is float or {b}.__class__ is int:",
                    f"    if {arrays_only}{a}.dtype is not F32 and {a}.dtype is not F64{integer}:",
                    f"        {a}, {b}, final = operands({a}, {b})",
                    f"elif {arrays_only}{b}.__class__ is not ndarray or {a}.dtype is not {b}.dtype or {a}.dtype is not F32 and {a}.dtype is BF16:",
                    f"    {a}, {b}, final = operands({a}, {b})",
                ]
            else:
                lines += [
                    f"if {a}.__class__ is not ndarray or {a}.dtype is not {b}.dtype or {a}.dtype is not F32 and {a}.dtype is BF16:",
                    f"    {a}, {b}, final = operands({a}, {b})",
                ]
            if self.check is not None:
                lines = [line.replace(f"{a}, {b}, final = ", f"check({a}, {b}); {a}, {b}, final = ") for line in lines]
            if self.promote == "float":
                lines = [line.replace("= operands(", "= float_operands(") for line in lines]
                test = f"if getattr({a}, 'dtype', None) in INTEGERS or getattr({b}, 'dtype', None) in INTEGERS:"
                lines += [test if number_a else f"if {a}.dtype is not F32 and {a}.dtype.kind in 'iub':", f"    {a}, {b} = both_to_float({a}, {b})"]
            elif self.promote == "arithmetic" and self.widen:
                lines = [line.replace("= operands(", "= rounded_operands(") for line in lines]
            else:  # a comparison is not rounded
                lines = [line.replace(f" or {a}.dtype is not F32 and {a}.dtype is BF16", "") for line in lines]
        elif len(names) == 1 and self.promote == "float":
            a = f"a_{names[0]}"
            test = f"if {a}.dtype is not F32 and {a}.dtype is not F64"
            lines += [f"{test}:", f"    {a}, final = float_operand({a})"] if self.widen else [f"{test} and {a}.dtype in INTEGERS:", f"    {a} = to_float({a})"]
        return lines

    # --- recording ---------------------------------------------------------------------------------------------

    def _saved_names(self) -> list[str]:
        """What the formulas take, in a fixed order."""
        wanted: set[str] = set()
        for formula in (*self.formulas.values(), *([self.joint_formula] if self.joint_formula else [])):
            wanted |= set(_arguments(formula)) - {"F", "grad", "grads", "needs"}
        return sorted(wanted)

    @property
    def node_type(self) -> type[Node]:
        """The class of this operator's nodes."""
        if self._node_class is None:
            cls = node_class(self.node_name)
            cls.outputs = max(self.outputs, 1) if self.outputs else 0
            cls.spec = tuple(self._spec(n) for n in self._saved_names())
            cls.apply = self._apply_function()  # type: ignore[method-assign]
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

    def _apply_function(self) -> FunctionType:
        names = self._saved_names()
        scope: dict[str, Any] = {"formula": self.joint_formula}
        lines = [f"    {', '.join(names)}, = saved"] if names else []
        gradient = "grads" if self.outputs != 1 else "grad"
        if self.outputs == 0:
            lines += ["    if self.outputs == 1:", "        grads = [grads]"]
        params = self.differentiable_params
        if self.joint_formula is not None:
            args = ", ".join(
                {"F": "F", "grad": gradient, "grads": gradient, "needs": "[e is not None for e in self.edges]"}.get(a, a)
                for a in _arguments(self.joint_formula)
            )
            lines.append(f"    return formula({args})")
        else:
            results = []
            has_list = any(self.kinds[p] == "list" for p in params)
            for i, p in enumerate(params):
                scope[f"d_{p}"] = self.formulas[p]
                args = ", ".join({"F": "F", "grad": gradient, "grads": gradient, "needs": "[e is not None for e in self.edges]"}.get(a, a)
                                 for a in _arguments(self.formulas[p]))  # fmt: skip
                if self.kinds[p] == "list":
                    results.append(f"*d_{p}({args})")
                elif len(params) == 1:
                    results.append(f"d_{p}({args})")
                else:
                    position = f"len(edges) - {len(params) - i}" if has_list and i else str(i)
                    results.append(f"d_{p}({args}) if edges[{position}] is not None else None")
            if len(params) > 1:
                lines.append("    edges = self.edges")
            lines.append(f"    return ({', '.join(results)},)")
        return self._compile("apply", f"def apply(self, F, {gradient}, saved):\n" + "\n".join(lines) + "\n", scope)

    @property
    def record(self) -> Callable[..., Any]:
        """`record(result, each parameter (and its array)...)`: a new node, or None where no input needs a gradient."""
        if self._record is None:
            self._record = self._record_function()
        return self._record

    def _record_function(self) -> FunctionType:
        params = self.differentiable_params
        names = self._saved_names()
        signature = "".join(f", {n}, a_{n}" if n in self.tensor_params else f", {n}" for n in self.params)
        lines: list[str] = []
        for n in self.tensor_params:
            if n not in params and self.kinds[n] != "list":
                guard = f"{n} is not None and {n}.__class__ not in NUMBERS and " if self.kinds[n] in ("optional", "number") else ""
                lines.append(f"if {guard}{n}.requires_grad: raise no_derivative(OP, {n!r})")
        edge_parts, tests = [], []
        for p in params:
            kind = self.kinds[p]
            if kind == "list":
                lines.append(f"e_{p} = [edge_of(t) for t in {p}]")
                edge_parts.append(f"*e_{p}")
                tests.append(f"not any(e is not None for e in e_{p})")
                continue
            prefix = ""
            if kind in ("optional", "number"):
                absent = f"{p} is None" if kind == "optional" else f"{p}.__class__ in NUMBERS"
                lines += [f"if {absent}:", f"    e_{p} = None", "else:"]
                prefix = "    "
            lines += [
                f"{prefix}if {p}._view is not None: {p}._view.sync({p})",
                f"{prefix}e_{p} = ({p}._node or {p}) if {p}._requires_grad else None",
            ]
            edge_parts.append(f"e_{p}")
            tests.append(f"e_{p} is None")
        if not params:
            lines.append("return None")
            return self._compile("record", f"def record(result{signature}):\n" + "".join(f"    {x}\n" for x in lines), self._scope())
        # Views made under no_grad of what requires a gradient: their results require one too, but it leads nowhere.
        nowhere = [f"({p}._view is None or not {p}._view.base._requires_grad)" for p in params if self.kinds[p] == "tensor"]
        nowhere += [f"not any(t._view is not None and t._view.base._requires_grad for t in {p})" for p in params if self.kinds[p] == "list"]
        lines.append(f"if {' and '.join(tests + nowhere)}: return None")
        chosen = ", ".join(f"a_{n}" if n in self.tensor_params else n for n in self.params)
        lines += [f"node = new(variant({chosen}))" if self.choose_node else "node = new(NODE)", "node.sequence = next_sequence()"]
        lines.append(f"node.edges = ({', '.join(edge_parts)},)")
        saved, versions = [], []
        for n in names:
            needed = self._needed_for(n)
            condition = "" if needed is None else " or ".join(f"e_{p} is not None" for p in needed)
            if n == "result" or (n.startswith("result") and n[6:].isdigit()):
                if self.outputs == 1:
                    saved.append("result._array")
                    versions.append(("", "counter = result._counter or shared_version(result)"))
                else:
                    saved.append(f"result[{n[6:] or 0}]")
            elif n in self.tensor_params:
                kind = self.kinds[n]
                saved.append(f"a_{n} if {condition} else None" if condition else f"a_{n}")
                exists = {"optional": f"{n} is not None", "number": f"{n}.__class__ not in NUMBERS"}.get(kind, "")
                if kind != "list":
                    tests_ = " and ".join(filter(None, (exists, f"({condition})" if condition else "")))
                    versions.append((tests_, f"counter = {n}._counter or shared_version({n})"))
            elif n.endswith("_shape") and n[:-6] in self.tensor_params:
                base = n[:-6]
                saved.append(f"[x.shape for x in a_{base}]" if self.kinds[base] == "list" else
                             f"getattr(a_{base}, 'shape', ())")  # fmt: skip
            elif n.endswith("_dtype") and n[:-6] in self.tensor_params:
                saved.append(f"{n[:-6]}._array.dtype")
            elif n in self.params:
                saved.append(n)
            else:
                raise TypeError(f"the derivative of {self.name} takes {n!r}, which is neither a parameter nor a result")
        lines.append(f"node.saved = ({', '.join(saved)},)" if saved else "node.saved = ()")
        if not versions:
            lines.append("node.versions = ()")
        elif len(versions) == 1 and not versions[0][0]:
            lines += [versions[0][1], "node.versions = (counter, counter[0])"]
        else:
            lines.append("versions = []")
            for test, code in versions:
                indent = "    " if test else ""
                if test:
                    lines.append(f"if {test}:")
                lines += [indent + code, indent + "versions += (counter, counter[0])"]
            lines.append("node.versions = versions")
        if self.outputs == 1:
            r = "result._array" if "result" in names else "result"
            lines += [f"node.shape = {r}.shape", f"node.dtype = {r}.dtype"]
        else:
            lines += ["node.shape = [r.shape for r in result]", "node.dtype = [r.dtype for r in result]"]
            if self.outputs == 0:
                lines += ["if len(result) == 1:", "    node.shape, node.dtype = result[0].shape, result[0].dtype", "node.outputs = len(result)"]
        lines += ["node.pre_hooks = node.post_hooks = None"]
        lines += ["if stacks.node_hooks:", "    call_node_hooks(node)"]
        lines.append("return node")
        scope = dict(self._scope(), variant=self._variant, NODE=self.node_type if self.outputs else _counted(self.node_type))
        return self._compile("record", f"def record(result{signature}):\n" + "".join(f"    {x}\n" for x in lines), scope)

    def _variant(self, *arrays_: Any) -> type[Node]:
        """The node class for these arrays, where its name depends on them."""
        assert self.choose_node is not None
        name = self.choose_node(*arrays_)
        if name not in self._variants:
            self._variants[name] = type(name, (self.node_type,), {"__slots__": (), "__module__": "torch.autograd"})
        return self._variants[name]

    def _needed_for(self, name: str) -> list[str] | None:
        """The differentiable parameters whose formulas take `name`; None if that is always so."""
        params = self.differentiable_params
        if self.joint_formula is not None or len(params) == 1:
            return None
        needed = [p for p in params if name in _arguments(self.formulas[p])]
        return None if len(needed) == len(params) or any(self.kinds[p] == "list" for p in params) else needed


def _counted(cls: type[Node]) -> type[Node]:
    """A node class whose number of outputs differs from node to node."""
    return type(cls.__name__, (cls,), {"__slots__": ("outputs",), "__module__": cls.__module__})


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


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


def as_array(value: Any) -> Any:
    """A kernel's result as an ndarray: NumPy gives scalars for 0-dim results."""
    return value if not isinstance(value, np.generic) else np.asarray(value)


def to_float(array: Any) -> Any:
    """An integer array as the default floating-point dtype."""
    return array.astype(DEFAULT.dtype.numpy)


def both_to_float(a: Any, b: Any) -> tuple[Any, Any]:
    """Two integer operands in the default floating-point dtype; numbers stay numbers."""
    return (to_float(a) if hasattr(a, "dtype") else float(a)), (to_float(b) if hasattr(b, "dtype") else float(b))


def laid_out(result: Any, a: Any, b: Any) -> Any:
    """A result in the memory order that PyTorch gives it, where NumPy decides otherwise: that of the first operand."""
    if a.strides == b.strides or result.__class__ is not ndarray:
        return result
    shape = result.shape
    operands_ = [(0,) * (len(shape) - x.ndim) + tuple([s if n > 1 else 0 for s, n in zip(x.strides, x.shape)]) for x in (a, b)]
    strides = layout.ordered_strides(shape, *operands_)
    if strides == layout.strides_of(result):
        return result
    moved = layout.empty_strided(shape, strides, result.dtype)
    moved[...] = result
    return moved


def broadcast_failure(*operands_: Any) -> Exception:
    """The error for operands whose shapes do not broadcast; the kernel's own error where they do."""
    shapes = [getattr(x, "shape", ()) for x in operands_]
    try:
        layout.broadcast_shapes(*shapes)
    except RuntimeError as error:
        return error
    import sys

    return sys.exc_info()[1] or RuntimeError("the operands cannot be combined")  # type: ignore[return-value]


UNSUITED = (NotImplementedError, TypeError)
"""What a forward raises that wants the memory of an array that has none."""


def without_memory(op: Operator, error: Exception, values: tuple[Any, ...]) -> Any:
    """The result of a forward on arrays of the device meta; raises `error` where there are none among the values."""
    if not any(v.__class__.__name__ == "MetaArray" for value in values for v in (value if isinstance(value, (list, tuple)) else (value,))):
        raise error
    from ..core.meta import run_forward

    return run_forward(op, error, values)


def plain_list(values: Any) -> bool:
    """Whether it is a list or tuple of Tensors that operators take as they are."""
    if values.__class__ is not list and values.__class__ is not tuple:
        return False
    for t in values:
        if type(t) not in PLAIN:
            return False
    return True


def any_requires_grad(values: Any) -> bool:
    for t in values:
        if t._requires_grad or t._view is not None:
            return True
    return False


def no_derivative(op: Operator, name: str) -> Exception:
    return NotImplementedError(f"the derivative for '{name}' of {op.name} is not implemented")


def call_node_hooks(node: Node) -> None:
    """Tells whoever watches the graph being built (anomaly detection, saved-tensor hooks) of a new node."""
    for hook in stacks.node_hooks:
        hook(node)


def wrap_outputs(op: Operator, results: Any, node: Node | None, source: Any) -> Any:
    """Tensors over an operator's several results; integer ones stay outside the graph."""
    visible = []
    for i, r in enumerate(results[: len(results) - op.hidden] if op.hidden else results):
        t = wrap(r if r.__class__ is ndarray else as_array(r))
        if node is not None and r.dtype.kind in "fcV":
            t._node = node if node.outputs == 1 else Output(node, i)
            t._requires_grad = True
        if source is not None:
            shared_version(source)
            make_view(t, source, True)
        visible.append(t)
    if op.hidden and len(visible) == 1:
        return visible[0]
    return tuple(visible) if op.result_type is None else op.result_type(visible)


# --- the one exit ----------------------------------------------------------------------------------------------


def overriding(values: Any) -> list[Any]:
    """The arguments whose classes override functions, subclasses before their bases."""
    found: list[Any] = []
    for value in values:
        for v in value if isinstance(value, (list, tuple)) else (value,):
            cls = type(v)
            if cls in PLAIN or not hasattr(cls, "__torch_function__") or isinstance(v, type):
                continue
            if any(type(f) is cls for f in found):
                continue
            position = next((i for i, f in enumerate(found) if issubclass(cls, type(f))), len(found))
            found.insert(position, v)
    return found


def handle_overrides(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What a mode or an argument's `__torch_function__` makes of the call; NotImplemented where none takes it."""
    found = [] if stacks.subclasses_disabled else overriding((*args, *kwargs.values()))
    if stacks.subclasses_disabled:
        found = [f for f in overriding((*args, *kwargs.values())) if not isinstance(f, Tensor)]
    types = tuple(type(f) for f in found)
    if stacks.function_modes:
        mode = stacks.function_modes.pop()
        modes.active -= 1
        try:
            result = mode.__torch_function__(function, types, args, kwargs)
        finally:
            stacks.function_modes.append(mode)
            modes.active += 1
        if result is NotImplemented:
            raise TypeError(f"no implementation found for {function!r} on types that implement __torch_function__: {list(types)}")
        return result
    if not found:
        return NotImplemented if stacks.autocast is None else under_autocast(function, args, kwargs)
    for value in found:
        result = type(value).__torch_function__(function, types, args, kwargs)
        if result is not NotImplemented:
            return result
    handlers = "".join(f"  - tensor subclass {c!r}\n" for c in types)
    raise TypeError(
        f"Multiple dispatch failed for 'torch.{function.__name__}'; all __torch_function__ handlers returned NotImplemented:\n\n{handlers}\n"
        "For more information, try re-running with TORCH_LOGS=not_implemented"
    )


def under_autocast(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The call with its arguments in the dtype that autocast wants; NotImplemented where they are in it already."""
    given = (*args, *kwargs.values())
    cast = stacks.autocast(function.__name__, given)
    if cast is given:
        return NotImplemented
    return function(*cast[: len(args)], **dict(zip(kwargs, cast[len(args) :])))


def slow_path(op: Operator, args: tuple[Any, ...], out: Any = None) -> Any:
    """Everything an operator does off its straight path: overrides, modes, autocast, odd arguments, `out=`."""
    if stacks.function_modes or overriding(args) or (out is not None and overriding((out,))):
        given, kwargs = op.as_called(args)  # type: ignore[attr-defined]
        if out is not None:
            kwargs["out"] = out
        result = handle_overrides(op.function, given, kwargs)
        if result is not NotImplemented:
            return result
    if stacks.autocast is not None and out is None:
        args = stacks.autocast(op.name, args)
    checked = []
    for position, (name, value) in enumerate(zip(op.params, args), 1):
        kind = op.kinds[name]
        if kind == "value" or (isinstance(value, Tensor) and kind != "list") or (kind == "optional" and value is None):
            checked.append(value)
        elif kind == "number" and type(value) in NUMBERS:
            checked.append(value)
        elif kind == "number" and isinstance(value, (np.generic, int, float, complex)):
            checked.append(value.item() if isinstance(value, np.generic) else _plain_number(value))
        elif kind == "tensor" and op.takes_numbers and isinstance(value, (np.generic, int, float, complex)):
            checked.append(wrap(number_array(value.item() if isinstance(value, np.generic) else _plain_number(value), args)))
        elif kind == "list" and isinstance(value, (list, tuple)):
            for i, v in enumerate(value):
                if not isinstance(v, Tensor):
                    raise TypeError(f"expected Tensor as element {i} in argument {position - 1}, but got {type(v).__name__}")
            checked.append(value)
        else:
            if "number" in op.kinds.values() and not op.takes_numbers:
                raise invalid_combination(op, args)
            what = "tuple of Tensors" if kind == "list" else "Tensor"
            raise TypeError(f"{op.name}(): argument '{name}' (position {position}) must be {what}, not {type(value).__name__}")
    if op.takes_numbers and not any(isinstance(value, Tensor) for value in args) and op.takes_numbers < 2:
        raise invalid_combination(op, args)
    result = op.body(*checked)
    return result if out is None else write_out(result, out, f"{op.name}(): functions with ")


def legacy_call(op: Operator, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """A call in the old order of arguments, with the multiplier second."""
    import warnings

    input, value, *rest = args
    warnings.warn(
        f"This overload of {function.__name__} is deprecated:\n\t{function.__name__}(Tensor input, Number {op.legacy}, ...)\n"
        f"Consider using the keyword argument {op.legacy} instead.",
        stacklevel=3,
    )
    return function(input, *rest, **{op.legacy: value})


def number_array(number: Any, others: Any) -> Any:
    """A number in the place of a tensor, in the dtype that it has together with the other operands."""
    arrays_ = [t._array for t in others if isinstance(t, Tensor)]
    to = result_dtype(number, *arrays_).numpy
    return np.asarray(wrap_integer(number, to) if to.kind in "iu" else number, to)


def invalid_combination(op: Operator, args: tuple[Any, ...]) -> TypeError:
    """The error for a function with overloads for tensors and numbers, none of which takes the arguments."""
    given, _ = op.as_called(args)  # type: ignore[attr-defined]
    numbers = [n for n in op.params if op.kinds[n] == "number"]
    overloads = [()] + [(n,) for n in numbers]
    lines = []
    for overload in sorted(overloads, key=lambda o: o[:1] != (op.params[0],) and bool(o)):
        types = [f"{'Number' if n in overload else 'Tensor'} {n}" for n in op.params[: op.positional] if op.kinds[n] != "value"]
        lines.append(f" * ({', '.join(types)}, *, Tensor out = None)\n")
    return TypeError(
        f"{op.name}() received an invalid combination of arguments - got ({', '.join(type(v).__name__ for v in given)}), but expected "
        f"one of:\n{''.join(lines)}"
    )


def slow_dunder(op: Operator, args: tuple[Any, ...], out: Any = None) -> Any:
    """`slow_path` for Python's operators, which ask the other operand next where this one does not know it."""
    if not isinstance(args[0], Tensor):
        raise TypeError(f"{op.name}(): argument '{op.params[0]}' (position 1) must be Tensor, not {type(args[0]).__name__}")
    try:
        return slow_path(op, args, out)
    except TypeError:
        return NotImplemented


def _plain_number(value: Any) -> Any:
    """A subclass of a Python number, such as an IntEnum, as the number itself."""
    for cls in (bool, int, float, complex):
        if isinstance(value, cls):
            return cls(value)  # type: ignore[arg-type]
    return value


def _as_called(self: Operator, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """All parameters in order, as the user would have passed them: without trailing defaults."""
    given = list(zip(self.params, args))
    positional = [v for _, v in given[: self.positional]]
    kwargs = {n: v for n, v in given[self.positional :] if n not in self.defaults or self.defaults[n] is not v}
    names = self.params[: self.positional]
    while positional and names[len(positional) - 1] in self.defaults and self.defaults[names[len(positional) - 1]] is positional[-1]:
        positional.pop()
    return tuple(positional), kwargs


Operator.as_called = _as_called  # type: ignore[attr-defined]


def write_out(result: Any, out: Any, where: str = "") -> Any:
    """Puts a result where `out=` says, resizing it if need be. Raises where dtype or graph forbid."""
    if isinstance(result, (tuple, list)):
        written = [write_out(r, o) for r, o in zip(result, out)]
        fields = getattr(result, "_fields", None)
        return type(result)(written) if fields is None else return_type(f"{type(result).__name__}_out", *fields)(written)
    if result.requires_grad or (grad_mode.enabled and out.requires_grad):
        raise RuntimeError(f"{where}out=... arguments don't support automatic differentiation, but one of the arguments requires grad.")
    source, target = result._array, out._array
    if not can_cast(OF_NUMPY[source.dtype], OF_NUMPY[target.dtype]):
        raise RuntimeError(
            f"result type {SCALAR_NAMES[OF_NUMPY[source.dtype]]} can't be cast to the desired output type "
            f"{SCALAR_NAMES[OF_NUMPY[target.dtype]]}"
        )
    if target.shape != source.shape:
        if target.size:
            import warnings

            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(target.shape)}, which does not match the "
                f"required output shape {list(source.shape)}. This behavior is deprecated, and in a future PyTorch release outputs will "
                "not be resized unless they have zero elements. You can explicitly reuse an out tensor t by resizing it, inplace, to zero "
                "elements with t.resize_(0).",
                stacklevel=3,
            )
        out._array = source.astype(target.dtype)
    else:
        if target.size > 1 and 0 in target.strides and any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape)):
            raise_overlap()
        copy_into(target, source)
    bump_version(out)
    return out


# --- in place --------------------------------------------------------------------------------------------------


def slow_in_place(op: Operator, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Overrides, modes and odd arguments of an in-place form."""
    input = args[0]
    if not isinstance(input, Tensor):
        raise TypeError(f"{function.__name__}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if stacks.function_modes or overriding(args):
        given, kwargs = op.as_called(args)  # type: ignore[attr-defined]
        result = handle_overrides(function, given, kwargs)
        if result is not NotImplemented:
            return result
    return apply_in_place(op, input, args[1:], function.__name__)


def slow_dunder_in_place(op: Operator, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """`slow_in_place` for Python's operators."""
    try:
        return slow_in_place(op, function, args)
    except TypeError:
        if not isinstance(args[0], Tensor):
            raise
        return NotImplemented


def apply_in_place(op: Operator, input: Any, args: tuple[Any, ...], name: str = "") -> Any:
    """Runs an operator and writes its result into `input`, with its history where a graph is recorded."""
    target = input._array
    recording = False
    if grad_mode.enabled and op.differentiable_params:
        for p, v in zip(op.params, (input, *args)):
            if op.kinds[p] != "value" and isinstance(v, Tensor) and (v.requires_grad or (v is input and v._view is not None and v._view.base.requires_grad)):
                recording = True
                break
    elif grad_mode.enabled and input.requires_grad:
        recording = True
    if recording:
        check_in_place(input)
    may_overlap = op.overlap and not (args and isinstance(args[-1], Tensor))
    if not target.flags.writeable and target.__class__ is ndarray and 0 in target.strides and not may_overlap:
        raise_overlap()
    values: list[Any] = []
    tensors_: list[Any] = []
    for p, v in zip(op.params, (input, *args)):
        if op.kinds[p] == "value":
            values.append(v)
        elif isinstance(v, Tensor):
            values.append(v._array)
        elif isinstance(v, np.generic):
            values.append(v.item())
        elif op.kinds[p] == "list":
            values.append([t._array for t in v])
        elif op.kinds[p] == "number" and type(v) in NUMBERS or v is None and op.kinds[p] == "optional":
            values.append(v)
        else:
            raise TypeError(f"{name or op.name}(): argument '{p}' (position {op.params.index(p)}) must be Tensor, not {type(v).__name__}")
        tensors_.append(v)
    final: Any = None
    positions = [i for i, p in enumerate(op.params) if op.kinds[p] in ("tensor", "number")]
    if op.promote is not None and len(positions) == 2:
        i, j = positions
        a, b = values[i], values[j]
        if not (hasattr(a, "dtype") and hasattr(b, "dtype") and a.dtype is b.dtype):
            if op.check is not None:
                op.check(a, b)
            values[i], values[j], final = (float_operands if op.promote == "float" else operands)(a, b)
            if final is not None:
                values[i], values[j] = (to_float32(x) for x in (values[i], values[j]))
        if op.promote == "float" and getattr(values[i], "dtype", F32).kind in "iub":
            values[i], values[j] = both_to_float(values[i], values[j])
    elif op.promote == "float" and len(positions) == 1 and target.dtype is not F32 and target.dtype is not F64:
        values[0], final = float_operand(target)
    keep_input = recording and any(n == op.params[0] for n in op._saved_names())
    if keep_input and values[0] is target:
        values[0] = clone_like(target, target)
    positional, keywords = values[: op.positional], dict(zip(op.params[op.positional :], values[op.positional :]))
    direct = op.forward_takes_out and final is None and not keep_input and values[0] is target and target.__class__ is ndarray and op.promote != "compare"
    try:
        if direct and not 0 in target.strides:
            result = op.forward(*positional, **keywords, out=target)
        else:
            result = op.forward(*positional, **keywords)
            direct = False
    except ValueError:
        failure = broadcast_failure(*(values[i] for i in positions))
        if isinstance(failure, ValueError):
            shape = layout.broadcast_shapes(*(getattr(values[i], "shape", ()) for i in positions))
            raise RuntimeError(
                f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(shape)}"
            ) from None
        raise failure from None
    if not direct:
        result = as_array(result) if final is None else cast(as_array(result), final)
        if result.shape != target.shape:
            if layout.broadcast_shapes(target.shape, result.shape) != target.shape:
                shape = layout.broadcast_shapes(target.shape, result.shape)
                raise RuntimeError(f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(shape)}")
        source, into = OF_NUMPY[result.dtype], OF_NUMPY[target.dtype]
        if not can_cast(source, into):
            raise RuntimeError(
                f"result type {SCALAR_NAMES[source]} can't be cast to the desired output type {SCALAR_NAMES[into]}"
            )
        if not may_overlap and target.size > 1 and 0 in target.strides and any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape)):
            raise_overlap()
        copy_into(target, result)
    counter = input._counter
    if counter is None:
        input._counter = [1]
    else:
        counter[0] += 1
    if recording:
        if input._view is not None:
            input._view.version = counter[0]  # type: ignore[index]  # its node was renewed above and stands for the old values
        flat: list[Any] = []
        position = 0
        for p, v in zip(op.params, (input, *args)):
            flat.append(v)
            if op.kinds[p] != "value":
                flat.append(values[position])
            position += 1
        if "result" in op._saved_names():
            node = op.record(input, *flat)
        else:
            node = op.record(target, *flat)
        if node is None and op.differentiable_params:
            node = None
        if node is not None:
            if keep_input:
                node.versions = ()
            set_history(input, node)
    return input


def raise_overlap() -> None:
    """Refuses to write where several elements share memory."""
    raise RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() the "
        "tensor before performing the operation."
    )


# --- defining --------------------------------------------------------------------------------------------------


def is_in_place(name: str) -> bool:
    return (name.endswith("_") and not name.endswith("__")) or (name.startswith("__i") and name not in ("__invert__", "__int__", "__index__", "__iter__"))


_ROOT = __name__.partition(".")[0]
_HOMES = {"torch": _ROOT, "F": f"{_ROOT}.nn.functional", "special": f"{_ROOT}.special", "linalg": f"{_ROOT}.linalg", "fft": f"{_ROOT}.fft"}
_PLACED = frozenset(_HOMES.values())


def attach(public: str, function: Callable[..., Any]) -> None:
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


def composite(*public: str, hot: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: a function over Tensors, made of operators, under the given public names.

    Overrides and function modes see the call first. A `hot` function tests for them itself.
    """

    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if modes.active or overriding(args):
                result = handle_overrides(call, args, kwargs)
                if result is not NotImplemented:
                    return result
            return function(*args, **kwargs)

        made = function if hot else call
        made.__name__ = made.__qualname__ = function.__name__
        made.__doc__ = function.__doc__
        made.__module__ = "torch"
        made.__wrapped__ = function  # type: ignore[attr-defined]
        for name in public:
            attach(name, made)
        setattr(tensors, function.__name__, function)
        return made

    return define


def formula_function(name: str, over_arrays: Callable[..., Any], over_tensors: Callable[..., Any]) -> None:
    """Makes a function available to backward formulas as `F.name`, in both its forms."""
    setattr(arrays, name, over_arrays)
    setattr(tensors, name, over_tensors)


class _Scope(dict):
    pass


_SCOPE: dict[str, Any] = {
    "__name__": "flambeau.ops",
    "modes": modes,
    "stacks": stacks,
    "PLAIN": PLAIN,
    "NUMBERS": NUMBERS,
    "F32": F32,
    "F64": F64,
    "I64": I64,
    "INTEGERS": INTEGERS,
    "ndarray": ndarray,
    "Tensor": Tensor,
    "make_view": make_view,
    "make_crossing": make_crossing,
    "new": object.__new__,
    "grad_mode": grad_mode,
    "next_sequence": next_sequence,
    "edge_of": edge_of,
    "operands": operands,
    "float_operand": float_operand,
    "float_operands": float_operands,
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
    "laid_out": laid_out,
    "cast": cast,
    "in_float32": in_float32,
    "rounded_operands": rounded_operands,
    "BF16": BF16,
    "legacy_call": legacy_call,
}

setattr(tensors, "wrap", wrap)
