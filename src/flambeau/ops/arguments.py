"""The error for arguments that PyTorch's functions do not take, worded as its parser of arguments words it.

Functions go straight to their work and look at nothing beforehand. Only where one has failed are its arguments held against PyTorch's
overloads (`signatures.gz`, written by `tools/signatures.py`): where none takes them, that is the error.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Iterable, NamedTuple

import numpy as np

from ..core.device import device as Device
from ..core.dtype import dtype as DType
from ..core.generator import Generator
from ..core.layout import layout as Layout
from ..core.layout import memory_format as MemoryFormat
from ..core.size import Size
from ..tensor import Tensor
from .dispatch import REQUIRED
from .running import ndarray, number_for

ALSO = {"dim": ("axis",), "keepdim": ("keepdims",), "input": ("x", "a", "x1"), "other": ("x2",)}
"""NumPy's names for parameters."""

TAKES_NUMBERS = frozenset("add div divide floor_divide mul multiply sub subtract true_divide".split())
"""Functions that take a number wherever they expect a tensor."""

TYPE_NAMES = {
    "int64_t": "int",
    "SymInt": "int",
    "DeviceIndex": "int",
    "double": "float",
    "Scalar": "Number",
    "IntArrayRef": "tuple of ints",
    "ArrayRef<double>": "tuple of floats",
    "TensorList": "tuple of Tensors",
    "c10::List<::std::optional<Tensor>>": "tuple of Tensors",
    "ScalarList": "tuple of Scalars",
    "ScalarType": "torch.dtype",
    "Layout": "torch.layout",
    "Device": "torch.device",
    "MemoryFormat": "torch.memory_format",
    "Generator": "torch.Generator",
    "PyObject*": "object",
    "Storage": "torch.StorageBase",
    "Stream": "torch.Stream",
}


class Parameter(NamedTuple):
    """One parameter of an overload. `size`: of a list, whether a single number may stand for it."""

    type: str
    size: bool
    nullable: bool
    name: str
    default: str | None
    keyword_only: bool

    def __str__(self) -> str:
        return f"{TYPE_NAMES.get(self.type, self.type)} {self.name}" + (f" = {self.default}" if self.default is not None else "")


class Overload:
    """One way to call a function."""

    def __init__(self, text: str) -> None:
        self.hidden = text.startswith("/")
        self.parameters: list[Parameter] = []
        keyword_only = False
        for part in text.removeprefix("/").split(", ") if text else ():
            if part == "*":
                keyword_only = True
                continue
            declared, _, default = part.partition("=")
            kind, _, name = declared.rpartition(" ")
            nullable = kind.endswith("?") or default == "None"
            kind, _, size = kind.removesuffix("?").partition("[")
            self.parameters.append(Parameter(kind.removesuffix("?"), bool(size), nullable, name, default or None, keyword_only))
        self.least = sum(p.default is None for p in self.parameters)
        self.positional = sum(not p.keyword_only for p in self.parameters)

    def __str__(self) -> str:
        parts: list[str] = []
        for p in self.parameters:
            if p.keyword_only and "*" not in parts:
                parts.append("*")
            parts.append(str(p))
        return f"({', '.join(parts)})"

    def refusal(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """Why this overload does not take the arguments; None where it does."""
        given, spread = len(args), self.positional == 1 and self.parameters[0].type == "IntArrayRef"
        if given > self.positional and not (spread and matches(self.parameters[0], args, name)[0]):
            return self.too_many(name, given)
        position, unused = 0, len(kwargs)
        unfit = None  # an element of a list of numbers that only shows when the list is read
        for number, p in enumerate(self.parameters):
            by_name = position >= given
            if not by_name:
                if p.keyword_only:
                    return self.too_many(name, given)
                value, present = args[position], True
            else:
                key = next((k for k in (p.name, *ALSO.get(p.name, ())) if k in kwargs), None)
                value, present = kwargs.get(key or ""), key is not None
            if present and not (value is None and p.nullable):
                fits, failed = matches(p, value, name)
                if not fits and spread and position == 0 and not by_name:
                    fits, failed = matches(p, args, name)
                    if fits:
                        unfit = unfit or not_unpacked(name, p, args)
                        position = given
                        continue
                    failed = 0 if isinstance(value, (list, tuple)) else None
                if not fits:
                    where = f"{name}(): argument '{p.name}'" + ("" if by_name else f" (position {position + 1})")
                    return f"{where} must be {TYPE_NAMES.get(p.type, p.type)}, {found(value, None if by_name else failed)}"
                if p.type == "IntArrayRef" and isinstance(value, (list, tuple)):
                    unfit = unfit or not_unpacked(name, p, value)
            elif not present and p.default is None:
                missing = [f'"{m.name}"' for m in self.parameters[number:] if m.default is None]
                return f"{name}() missing {len(missing)} required positional argument{'s' * (len(missing) == 1)}: {', '.join(missing)}"
            if not by_name:
                position += 1
            elif present:
                unused -= 1
        if unused > 0:
            names = [p.name for p in self.parameters]
            for key in kwargs:
                plain = next((n for n in names if key == n or key in ALSO.get(n, ())), None)
                if plain is None:
                    return f"{name}() got an unexpected keyword argument '{key}'"
                if names.index(plain) < given:
                    return f"{name}() got multiple values for argument '{key}'"
            return "invalid keyword arguments"
        return unfit

    def overflow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception | None:
        """The error for integers that no 64 bits hold, among arguments that it takes otherwise."""
        for value, p in self.matched(args, kwargs):
            if value.__class__ is not int or -(1 << 63) <= value < 1 << 63:
                continue
            if p.type in ("int64_t", "SymInt", "IntArrayRef"):
                return ValueError("Overflow when unpacking long long")
            if p.type in ("Scalar", "Tensor") and not 0 <= value < 1 << 64:
                return OverflowError("int too big to convert")
        return None

    def matched(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[Any, Parameter]]:
        """Arguments that it takes, with their parameters."""
        found = list(zip(args, self.parameters))
        for p in self.parameters[len(args) :]:
            found += [(kwargs[k], p) for k in (p.name, *ALSO.get(p.name, ())) if k in kwargs]
        return found

    def too_many(self, name: str, given: int) -> str:
        least = sum(p.default is None and not p.keyword_only for p in self.parameters)
        if least != self.positional:
            return f"{name}() takes from {self.least} to {self.positional} positional arguments but {given} were given"
        plural, verb = "" if self.positional == 1 else "s", "was" if given == 1 else "were"
        return f"{name}() takes {self.positional} positional argument{plural} but {given} {verb} given"


def found(value: Any, failed: int | None) -> str:
    """What was there in the place of what was wanted: of a list, the element that does not fit."""
    if failed is None:
        return f"not {type_name(value)}"
    return f"but found element of type {type_name(value[failed])} at pos {failed}"


def not_unpacked(name: str, p: Parameter, values: Any) -> str | None:
    """What PyTorch says where the first element of a list is a number and another is not."""
    for position, value in enumerate(values, 1):
        if isinstance(value, bool):  # past the first it passes for a number
            continue
        if not is_index(value):
            reason = f"type must be tuple of ints,but got {type_name(value)}"
            return f"{name}(): argument '{p.name}' {UNPACKING} {position} with error \"{reason}\""
        if not -(1 << 63) <= value.__index__() < 1 << 63:
            return f"{name}(): argument '{p.name}' {UNPACKING} {position} with error \"Overflow when unpacking long long\""
    return None


UNPACKING = "failed to unpack the object at pos"


def is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_index(value: Any) -> bool:
    """Whether it may stand among the numbers of a size."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return False
    try:
        value.__index__()
    except Exception:  # a tensor of several elements, or of floating-point ones
        return False
    return True


def matches(p: Parameter, value: Any, name: str) -> tuple[bool, int | None]:
    """Whether the value fits, and where it is a list that does not, which element."""
    match p.type:
        case "Tensor":
            return isinstance(value, Tensor) or hasattr(type(value), "__torch_function__") or (
                name.rstrip("_") in TAKES_NUMBERS and is_number(value)
            ), None  # fmt: skip
        case "Scalar":
            return is_number(value) or is_scalar_tensor(value), None
        case "double":
            return (is_number(value) and not isinstance(value, (complex, np.complexfloating))) or is_scalar_tensor(value), None
        case "int64_t" | "SymInt" | "DeviceIndex":
            return is_integer(value) or (is_scalar_tensor(value) and value._array.dtype.kind in "iu"), None
        case "IntArrayRef":
            if isinstance(value, (list, tuple)):
                if value and not is_index(value[0]):
                    return False, 0
                return True, None
            return p.size and (is_integer(value) or isinstance(value, Tensor) and is_index(value)), None
        case "ArrayRef<double>":
            return isinstance(value, (list, tuple)) and (not value or is_number(value[0])), None
        case "ScalarList":
            return isinstance(value, (list, tuple)) and all(is_number(v) for v in value), None
        case "c10::List<::std::optional<Tensor>>":
            return isinstance(value, (list, tuple)), None
        case "TensorList":
            return isinstance(value, (list, tuple)) and all(isinstance(v, Tensor) for v in value), None
        case "bool":
            return isinstance(value, bool), None
        case "str":
            return isinstance(value, str), None
        case "ScalarType":
            return isinstance(value, DType) or value in (float, int, bool, complex), None
        case "Device":
            return isinstance(value, (Device, str)) or is_integer(value), None
        case "Layout":
            return isinstance(value, Layout), None
        case "MemoryFormat":
            return isinstance(value, MemoryFormat), None
        case "Generator":
            return isinstance(value, Generator), None
    return True, None


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, complex, np.number, np.bool_))


def is_scalar_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) and not value.requires_grad and value.ndim == 0


def type_name(value: Any) -> str:
    """A type's name as C code sees it: that of a class made in C has its module in front."""
    cls = type(value)
    name = _C_TYPES.get(cls)
    if name is not None:
        return name
    made_in_c = not cls.__flags__ & 1 << 9
    return f"{cls.__module__}.{cls.__name__}" if made_in_c and cls.__module__ != "builtins" else cls.__name__


_C_TYPES = {
    DType: "torch.dtype", Device: "torch.device", Layout: "torch.layout", MemoryFormat: "torch.memory_format", Size: "torch.Size",
    Generator: "torch._C.Generator",
}  # fmt: skip
_OPERATORS = __name__.rpartition(".")[0] + "."
_BETWEEN = {_OPERATORS + name for name in ("definition", "dispatch", "in_place")}
"""Modules that stand between a call and the function that does the work."""


@cache
def _rows() -> dict[str, list[str]]:
    from gzip import decompress
    from pathlib import Path

    text = decompress(Path(__file__).with_name("signatures.gz").read_bytes()).decode()
    return {key: overloads for key, *overloads in (line.split("\t") for line in text.split("\n"))}


@cache
def overloads_of(where: str, name: str) -> tuple[Overload, ...]:
    """PyTorch's overloads of a function; none where it is written in Python."""
    return tuple(Overload(text) for text in _rows().get(f"{where} {where}_{name}" if where in PREFIXED else f"{where} {name}", ()))


PREFIXED = ("fft", "linalg", "special")
"""Modules whose functions PyTorch calls after them in messages."""


def refusal(where: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception | None:
    """The error of PyTorch's function, `where` being "torch", "Tensor", ...; None where an overload takes the arguments."""
    overloads = overloads_of(where, name)
    if not overloads:
        return None
    if where in PREFIXED:
        name = f"{where}_{name}"
    refusals = []
    for overload in overloads:
        reason = overload.refusal(name, args, kwargs)
        if reason is None:
            return overload.overflow(args, kwargs)
        refusals.append(reason)
    if len(overloads) == 1 or name in ("cat", "concat"):
        for place, value in enumerate(args):
            listed = any(place < len(o.parameters) and o.parameters[place].type == "TensorList" for o in overloads)
            if not listed or not isinstance(value, (list, tuple)):
                continue
            odd = next((i for i, v in enumerate(value) if not isinstance(v, Tensor)), None)
            if odd is not None:
                return TypeError(f"expected Tensor as element {odd} in argument {place}, but got {type_name(value[odd])}")
    if len(overloads) == 1 or UNPACKING in refusals[-1]:
        return TypeError(refusals[-1])
    count = len(args) + len(kwargs)
    plausible = [r for o, r in zip(overloads, refusals) if o.least <= count <= len(o.parameters) and not o.hidden]
    if len(plausible) == 1:
        return TypeError(plausible[0])
    return TypeError(_combination(name, args, kwargs, [str(o) for o in overloads if not o.hidden]))


def maker_error(where: str, name: str, args: tuple[Any, ...], options: dict[str, Any], error: Exception) -> Exception:
    """What to raise where a function that makes tensors has failed with `error`; `options` are its keywords, defaults too."""
    given = {k: v for k, v in options.items() if v is not None and v is not False}
    return instead(refusal(where, name, args, given), error)


def option_error(name: str, dtype: Any, device: Any, error: Exception) -> Exception:
    """What to raise where a function that makes a tensor of data has failed: what is wrong with its options, or else `error`."""
    if dtype is not None and not isinstance(dtype, DType) and dtype not in (float, int, bool, complex):
        return instead(TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not {type_name(dtype)}"), error)
    if device is not None and not isinstance(device, (Device, str, int)):
        return instead(TypeError(f"{name}(): argument 'device' must be torch.device, not {type_name(device)}"), error)
    return error


def size_refusal(name: str, size: tuple[Any, ...]) -> Exception:
    """The error of a function that makes tensors for a size it does not take."""
    where = "Tensor" if name.startswith("new_") else "torch"
    return refusal(where, name, size, {}) or TypeError(f"{name}(): argument 'size' must be tuple of ints")


def _combination(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], options: list[str]) -> str:
    """The message that lists all overloads, with what was given."""
    given = dict(reversed(kwargs.items()))
    described = [type_name(v) for v in args] + [f"{k}={type_name(v)}" for k, v in given.items()]
    # With keywords alone PyTorch leaves the last comma standing.
    got = f"({', '.join(described)}{', ' if kwargs and not args else ''})"
    text = f"{name}() received an invalid combination of arguments - "
    if len(options) == 1:
        parts = _parts(options[0])
        wrong = _unknown(parts, given)
        if wrong:
            return f"{text}got unrecognized keyword arguments: {', '.join(wrong)}"
        return f"{text}got {_marked(parts, args, given) if len(parts) == len(described) else got}, but expected {options[0]}"
    text += f"got {got}, but expected one of:\n"
    for option in options:
        text += f" * {option}\n"
        parts = _parts(option)
        if len(parts) != len(described):
            continue
        wrong = _unknown(parts, given)
        if wrong:
            text += f"      didn't match because some of the keywords were incorrect: {', '.join(wrong)}\n"
        else:
            text += f"      didn't match because some of the arguments have invalid types: {_marked(parts, args, given)}\n"
    return text


def _parts(option: str) -> list[tuple[str, str]]:
    """Type and name of each part of a printed overload, split at the last blank: a default passes for a name, as in PyTorch."""
    parts = []
    for part in option[1:-1].split(", "):
        kind, blank, name = part.rpartition(" ")
        parts.append((kind, name) if blank else (part, part))
    return parts


def _unknown(parts: list[tuple[str, str]], kwargs: dict[str, Any]) -> list[str]:
    names = [name for _, name in parts[max(len(parts) - len(kwargs), 0) :]]
    return [key for key in kwargs if key not in names]


def _marked(parts: list[tuple[str, str]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The types given, between exclamation marks where they are not the ones wanted."""
    shown = []
    for number, (kind, name) in enumerate(parts):
        by_name = number >= len(args)
        value = kwargs[name] if by_name else args[number]
        found = type_name(value)
        fits = found == kind or (kind == "float" and found == "int")
        if isinstance(value, (list, tuple)):
            inside = ", ".join(type_name(v) for v in value)
            brackets = ("(", ",)" if len(value) == 1 else ")") if isinstance(value, tuple) else ("[", "]")
            found = f"{found} of {brackets[0]}{inside}{brackets[1]}"
        found = f"{name}={found}" if by_name else found
        shown.append(found if fits else f"!{found}!")
    return f"({', '.join(shown)}{'' if args else ', '})"


# --- how the failing call was written ------------------------------------------------------------------------------


def written_call(frame: Any) -> tuple[int, tuple[str, ...]] | None:
    """How many arguments the call that a frame is in the middle of passes, and which of them by name; None where it cannot be told."""
    from dis import get_instructions

    names: tuple[str, ...] = ()
    constant: Any = ()
    last, argument = "", 0
    for instruction in get_instructions(frame.f_code):
        if instruction.offset > frame.f_lasti:
            break
        if last == "CALL":
            names = ()
        last, argument = instruction.opname, instruction.arg or 0
        if last == "KW_NAMES":
            names = frame.f_code.co_consts[argument]
        elif last == "LOAD_CONST":
            constant = instruction.argval
    if last == "CALL_KW":
        return argument, constant
    return (argument, names) if last == "CALL" else None


def as_written(params: list[str], values: Iterable[Any], defaults: dict[str, Any], positional: int, frame: Any) -> Any:
    """(whether it was called as a method, its arguments, its keywords) of a call whose values are known by parameter."""
    given = dict(zip(params, values))
    call = written_call(frame)
    count, names = call if call is not None and all(n in params for n in call[1]) else (None, ())
    rest = [n for n in params if n not in names]
    present = [given[n] is not (defaults[n] if n in defaults else REQUIRED) for n in rest[:positional]]
    needed = 1 + max((i for i, there in enumerate(present) if there), default=-1)
    if count is None:
        args = tuple(given[n] for n in rest[: min(needed, positional)])
        kwargs = {n: given[n] for n in rest[positional:] if given[n] is not defaults.get(n)}
        return False, args, kwargs
    method = needed > count - len(names)
    taken = count - len(names) + method
    args = tuple(given[n] for n in rest[:taken])
    return method, args[1:] if method else args, {n: given[n] for n in names}


def is_ours(frame: Any) -> bool:
    """Whether an operator made the call, for its own purposes."""
    return frame.f_globals.get("__name__", "").startswith(_OPERATORS)


def instead(better: Exception | None, error: Exception) -> Exception:
    """`better` where there is one, as if `error` had never been raised."""
    if better is None:
        return error
    better.__suppress_context__ = True
    return better


def better_error(op: Any, frame: Any, error: Exception) -> Exception:
    """What to raise where a function over the operator's parameters has failed with `error`."""
    local = frame.f_locals
    if frame.f_globals.get("OP") is not op or any(n not in local for n in op.params):
        return error
    params = [*op.params, "out"] if local.get("out") is not None else op.params
    values = [local[n] for n in params]
    caller = frame
    while caller is not None and ("OP" in caller.f_globals or caller.f_globals.get("__name__") in _BETWEEN):
        caller = caller.f_back
    if caller is None or is_ours(caller) or any(isinstance(v, (ndarray, np.ndarray)) and v.dtype == object for v in values):
        return error
    method, args, kwargs = as_written(params, values, op.defaults, op.positional, caller)
    return instead(chosen(op.public, method, args, kwargs, local["input"] if method and "input" in local else values[0]), error)


def better_error_here(public: tuple[str, ...], frame: Any, error: Exception) -> Exception:
    """The same for a composite that looks for itself whether to leave its straight path, running in `frame`."""
    code: Any = frame.f_code
    local = frame.f_locals
    for name in public:
        if name in INNER:
            return instead(inner_refusal(name, local), error)
    where, _, name = public[0].rpartition(".")
    function: Any = getattr(Tensor, name) if where == "Tensor" else getattr(sys.modules[__name__.partition(".")[0]], name, None)
    if getattr(function, "__code__", None) != code:
        return error
    params = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    defaults = dict(zip(params[code.co_argcount - len(function.__defaults__ or ()) :], function.__defaults__ or ()))
    defaults |= function.__kwdefaults__ or {}
    if code.co_flags & 4:  # *args: a method with a size, spread out
        call = written_call(frame.f_back)
        star = local[code.co_varnames[len(params)]]
        kwargs = {n: local[n] for n in call[1] if n in local} if call is not None else {}
        return instead(chosen(public, True, star, kwargs, local[params[0]]), error)
    if is_ours(frame.f_back):
        return error
    method, args, kwargs = as_written(params, [local[n] for n in params], defaults, code.co_argcount, frame.f_back)
    return instead(chosen(public, method, args, kwargs, local[params[0]]), error)


INNER = {
    "F.cross_entropy": ("nn", "cross_entropy_loss", "input target weight =1 ignore_index label_smoothing"),
    "F.nll_loss": ("nn", "nll_loss_nd", "input target weight =1 ignore_index"),
    "F.layer_norm": ("torch", "layer_norm", "input normalized_shape weight bias eps"),
    "F.embedding": ("torch", "embedding", "weight input =-1 scale_grad_by_freq sparse"),
    "F.dropout": ("torch", "dropout", "input =0.5 training"),
    "F.relu": ("torch", "relu", "input"),
    "F.silu": ("nn", "silu", "input"),
    "F.gelu": ("nn", "gelu", "input"),
    "F.leaky_relu": ("nn", "leaky_relu", "input negative_slope"),
    "F.elu": ("nn", "elu", "input alpha"),
    "F.pad": ("nn", "pad", "input pad mode value"),
    "F.one_hot": ("nn", "one_hot", "input num_classes"),
    "F.max_pool2d": ("torch", "max_pool2d", "input kernel_size stride padding dilation ceil_mode"),
    "F.softmax": ("Tensor", "softmax", "dim"),
    "F.log_softmax": ("Tensor", "log_softmax", "dim"),
    "F.mse_loss": ("nn", "mse_loss", "input target"),
    "F.celu": ("torch", "celu", "input alpha"),
    "F.selu": ("torch", "selu", "input"),
    "F.rrelu": ("torch", "rrelu", "input lower upper training"),
    "F.relu6": ("nn", "relu6", "input"),
    "F.hardtanh": ("nn", "hardtanh", "input min_val max_val"),
    "F.hardsigmoid": ("nn", "hardsigmoid", "input"),
    "F.hardswish": ("nn", "hardswish", "input"),
    "F.mish": ("nn", "mish", "input"),
    "F.threshold": ("torch", "threshold", "input threshold value"),
    "F.glu": ("nn", "glu", "input dim"),
    "F.alpha_dropout": ("torch", "alpha_dropout", "input p training"),
    "F.feature_alpha_dropout": ("torch", "feature_alpha_dropout", "input p training"),
    "F.hinge_embedding_loss": ("torch", "hinge_embedding_loss", "input target margin =1"),
    "F.cosine_embedding_loss": ("torch", "cosine_embedding_loss", "input1 input2 target margin =1"),
    "F.triplet_margin_loss": ("torch", "triplet_margin_loss", "anchor positive negative margin p eps swap =1"),
    "F.margin_ranking_loss": ("torch", "margin_ranking_loss", "input1 input2 target margin =1"),
    "F.kl_div": ("torch", "kl_div", "input target =1"),
    "F.poisson_nll_loss": ("torch", "poisson_nll_loss", "input target log_input full eps =1"),
    "F.soft_margin_loss": ("nn", "soft_margin_loss", "input target =1"),
    "F.multi_margin_loss": ("nn", "multi_margin_loss", "input target p margin weight =1"),
    "F.multilabel_margin_loss": ("nn", "multilabel_margin_loss", "input target =1"),
    "F.binary_cross_entropy_with_logits": ("torch", "binary_cross_entropy_with_logits", "input target weight pos_weight =1"),
    "F.max_pool1d": ("torch", "max_pool1d", "input kernel_size stride padding dilation ceil_mode"),
    "F.max_pool3d": ("torch", "max_pool3d", "input kernel_size stride padding dilation ceil_mode"),
    "F.batch_norm": ("torch", "batch_norm", "input weight bias running_mean running_var training momentum eps =True"),
    "F.instance_norm": ("torch", "instance_norm", "input weight bias running_mean running_var use_input_stats momentum eps =True"),
    "F.group_norm": ("torch", "group_norm", "input num_groups weight bias eps =True"),
    "F.rms_norm": ("torch", "rms_norm", "input normalized_shape weight eps"),
    "torch.cdist": ("torch", "cdist", "x1 x2 p =None"),
    "torch.unique": ("torch", "_unique2", "input sorted return_inverse return_counts"),
}
"""Functions that PyTorch writes in Python: the one behind, and what it is called with. `=`: a constant that stands in for a value."""


TOUCHED = {
    "F.softmax": "softmax input",
    "F.log_softmax": "log_softmax input",
    "F.glu": "dim input",
    "F.group_norm": "dim input",
    "F.margin_ranking_loss": "dim input1 input2 target",
    "F.batch_norm": "size input",
}
"""Functions that PyTorch writes in Python and the attribute that they ask some of their arguments for first."""


def inner_refusal(public: str, local: dict[str, Any]) -> Exception | None:
    """The refusal of the function behind a public one, given the values of its parameters by name."""
    from ast import literal_eval

    where, name, given = INNER[public]
    attribute, _, params = TOUCHED.get(public, "").partition(" ")
    for param in params.split() if local.get("training", True) is True else ():
        value = local.get(param)
        if not isinstance(value, Tensor):
            try:
                getattr(value, attribute)
            except AttributeError as error:
                return error
    args = tuple(literal_eval(n[1:]) if n[0] == "=" else local.get(n) for n in given.split())
    if where == "Tensor" and not isinstance(local.get("input"), Tensor):
        return None
    return refusal(where, name, args, {})


def check_call(public: tuple[str, ...], function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], caller: Any) -> bool:
    """Raises where PyTorch takes no such arguments. The result: whether the types alone say that it does."""
    if public and public[0] in _OF_TENSORS:
        found = _element_refusal(args[0] if args and isinstance(args[0], (list, tuple)) else args)
        if found is not None:
            raise found
        return False
    inner = next((n for n in public if n in INNER), None)
    if inner is not None:
        error = inner_error(inner, function, args, kwargs)
        if error is not None and not is_ours(caller):
            raise error
        return error is None
    names = [name.rpartition(".") for name in public]
    if any(where == "F" and not overloads_of(where, name) for where, _, name in names):
        return True
    refused = False
    for where, _, name in names:
        given = args
        if where == "Tensor":
            if not args or not isinstance(args[0], Tensor):
                continue
            given = args[1:]
        overloads = overloads_of(where, name)
        if not overloads:
            continue
        whole = f"{where}_{name}" if where in PREFIXED else name
        taken = next((o for o in overloads if o.refusal(whole, given, kwargs) is None), None)
        if taken is not None and taken.overflow(given, kwargs) is None:
            return all(not isinstance(v, Tensor) or p.type in _TENSORS for v, p in taken.matched(given, kwargs))
        refused = True
    if refused and not is_ours(caller):
        found = explanation(public, args, kwargs, caller)
        if found is not None:
            raise found
    return not refused


_OF_TENSORS = ("torch.broadcast_tensors", "torch.block_diag", "torch.cartesian_prod", "torch.meshgrid")
"""Functions of any number of tensors."""


def _element_refusal(values: Any) -> Exception | None:
    wrong = next((i for i, v in enumerate(values) if not isinstance(v, Tensor)), None)
    return None if wrong is None else TypeError(f"expected Tensor as element {wrong} in argument 0, but got {type_name(values[wrong])}")


_TENSORS = ("Tensor", "TensorList", "c10::List<::std::optional<Tensor>>", "PyObject*")


def explanation(public: Iterable[str], args: tuple[Any, ...], kwargs: dict[str, Any], caller: Any) -> Exception | None:
    """The refusal of a call whose arguments are there as they came from the frame `caller`."""
    call = written_call(caller)
    method = call is not None and call[0] == len(args) + len(kwargs) - 1 and bool(args) and isinstance(args[0], Tensor)
    if call is None and args and isinstance(args[0], Tensor) and not any(n.rpartition(".")[0] != "Tensor" for n in public):
        method = True
    return chosen(public, method, args[1:] if method else args, kwargs, args[0] if args else None)


def inner_error(inner: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception | None:
    """The refusal of the function behind a public one; None where it takes the arguments, or they do not fit the public one."""
    from inspect import signature

    try:
        bound = signature(function).bind(*args, **kwargs)
    except TypeError:
        return None
    bound.apply_defaults()
    return inner_refusal(inner, bound.arguments)


def chosen(public: Iterable[str], method: bool, args: tuple[Any, ...], kwargs: dict[str, Any], itself: Any) -> Exception | None:
    """The refusal under the public name that was most likely used."""
    names = [name.rpartition(".") for name in public]
    if method and isinstance(itself, Tensor):
        for where, _, name in names:
            if where == "Tensor" and not name.startswith("__"):
                return refusal("Tensor", name, args, kwargs)
        return None
    if method:
        args = (itself, *args)
    if any(where == "F" and not overloads_of(where, name) for where, _, name in names):
        return None  # PyTorch's is written in Python, and may take more
    for where, _, name in names:
        if where != "Tensor" and overloads_of(where, name):
            return refusal(where, name, args, kwargs)
    return None


_NUMBERS = ("Scalar", "double", "int64_t", "SymInt", "IntArrayRef")


def fits_as_numbers(public: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]] | None:
    """The arguments with numbers for the tensors without dimensions that stand for them in the overload that takes them; None
    where there are none."""
    if not any(is_scalar_tensor(v) for v in (*args, *kwargs.values())):
        return None
    for where, _, name in (n.rpartition(".") for n in public):
        given = args[1:] if where == "Tensor" else args
        for overload in overloads_of(where, name):
            if overload.refusal(name, given, kwargs) is not None:
                continue
            numbers = [v for v, p in overload.matched(given, kwargs) if p.type in _NUMBERS and is_scalar_tensor(v)]
            if not numbers:
                return None

            def there(value: Any, numbers: list[Any] = numbers) -> Any:
                return number_for(value) if any(value is v for v in numbers) else value

            return [there(v) for v in args], {k: there(v) for k, v in kwargs.items()}
    return None


def better_error_of_call(
    public: tuple[str, ...], function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], caller: Any, error: Exception
) -> Exception:
    """The same for a function that has its arguments as they came from the frame `caller`."""
    inner = next((n for n in public if n in INNER), None)
    if inner is not None:
        return instead(inner_error(inner, function, args, kwargs), error)
    if is_ours(caller):
        return error
    return instead(explanation(public, args, kwargs, caller), error)


def better_error_in_place(op: Any, name: str, values: tuple[Any, ...], frame: Any, error: Exception) -> Exception:
    """What to raise where the in-place form `name` of an operator, called by `frame` or what called that, has failed with `error`."""
    while frame is not None and ("OP" in frame.f_globals or frame.f_globals.get("__name__") in _BETWEEN):
        frame = frame.f_back
    if frame is None or is_ours(frame) or name.startswith("__"):
        return error
    method, args, kwargs = as_written(op.params, values, op.defaults, op.positional, frame)
    return instead(refusal("Tensor", name, args if method else args[1:], kwargs), error)
