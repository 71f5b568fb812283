"""PyTorch's promotion rules: which dtype an operation on several operands computes in.

Tensors with dimensions outrank 0-dim tensors, which outrank Python numbers: an operand of lower rank changes the dtype
only if its category (bool < integer < floating point < complex) is higher.
"""

import math
from functools import lru_cache
from typing import Any, Callable

import numpy as np

from . import dtype as dt
from .dtype import DEFAULT, OF_NUMPY, dtype

_LADDER = {dt.uint8: 0, dt.int8: 0, dt.int16: 1, dt.int32: 2, dt.int64: 3}
_UNSIGNED = (dt.uint16, dt.uint32, dt.uint64)
_FLOAT_RANK = {dt.float16: 0, dt.bfloat16: 0, dt.float32: 1, dt.float64: 2}


@lru_cache(None)
def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both convert to. Raises RuntimeError for the unsigned types PyTorch does not promote."""
    if type1 is type2:
        return type1
    a, b = (type1, type2) if type1.kind >= type2.kind else (type2, type1)
    if (a in _UNSIGNED or b in _UNSIGNED) and a.kind != 2:
        names = dt.SCALAR_NAMES[type1], dt.SCALAR_NAMES[type2]
        raise RuntimeError(f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote {names[0]} and {names[1]}")
    if a.kind == 3:
        if b.kind == 3 or b is dt.float64:
            return dt.complex128 if dt.complex128 in (a, b) or b is dt.float64 else a
        return a
    if a.kind > b.kind:
        return a
    if a.kind == 2:
        if _FLOAT_RANK[a] == _FLOAT_RANK[b]:
            return dt.float32  # float16 with bfloat16
        return a if _FLOAT_RANK[a] > _FLOAT_RANK[b] else b
    if dt.uint8 in (a, b):
        other = b if a is dt.uint8 else a
        return dt.int16 if other is dt.int8 else other
    return a if _LADDER[a] >= _LADDER[b] else b


def combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """The dtype of an operand of higher rank met by one of lower rank."""
    if higher is None or lower is None:
        return higher or lower
    if higher.kind == 3:
        return higher
    if higher.kind == 2:
        if lower.kind == 3 and higher is dt.float16:
            raise NotImplementedError("complex32 (ComplexHalf), the result of float16 and a complex number, is not supported")
        return higher.to_complex() if lower.kind == 3 else higher
    if lower.kind >= 2:
        return lower
    if higher is dt.bool:
        return promote_types(higher, lower)
    return higher


def number_dtype(number: Any) -> dtype:
    """The dtype that a Python number stands for."""
    if isinstance(number, bool):
        return dt.bool
    if isinstance(number, int):
        return dt.int64
    return DEFAULT.complex if isinstance(number, complex) else DEFAULT.dtype


def result_dtype(*operands: Any) -> dtype:
    """The dtype for arrays and Python numbers met together."""
    ranks: list[dtype | None] = [None, None, None]
    for x in operands:
        if hasattr(x, "ndim"):
            rank, d = (0 if x.ndim else 1), OF_NUMPY[x.dtype]
        else:
            rank, d = 2, number_dtype(x)
        so_far = ranks[rank]
        ranks[rank] = d if so_far is None else promote_types(so_far, d)
    found = combine(ranks[0], combine(ranks[1], ranks[2]))
    assert found is not None
    return found


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether a result of dtype `from_` may be stored in `to` in place: no category is lost."""
    if from_.kind == 3 and to.kind != 3:
        return False
    if from_.kind == 2 and to.kind < 2:
        return False
    return not (from_ is not dt.bool and to is dt.bool)


_LOW = (dt.float16.numpy, dt.bfloat16.numpy)
_INTEGER_SIZE = {d.numpy: 8 * d.itemsize for d in dt.DTYPES if d.kind == 1}


def wrap_integer(number: int, to: Any) -> int:
    """A Python integer as the integer dtype `to` holds it: modulo its range, in two's complement."""
    bits = _INTEGER_SIZE[to]
    number &= (1 << bits) - 1
    return number - (1 << bits) if to.kind == "i" and number >> (bits - 1) else number


_LIMITS = {dt.float16.numpy: 65504.0, dt.bfloat16.numpy: 3.3895313892515355e38, dt.float32.numpy: 3.4028234663852886e38}
_C_NAMES = {
    "bool": "bool", "uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int", "int64": "int64_t", "uint16": "uint16_t",
    "uint32": "uint32_t", "uint64": "uint64_t", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float",
    "float64": "double", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def as_element(number: Any, to: Any) -> Any:
    """A Python number as an element of the NumPy dtype `to`. Raises RuntimeError where it does not fit, in PyTorch's words."""
    kind = to.kind
    fits = True
    if number.__class__ is complex and kind != "c":
        fits = number.imag == 0
        number = number.real
    if fits and kind in "iu":
        fits = number == number and abs(number) != math.inf
        if fits:
            bits = _INTEGER_SIZE[to]
            number = int(number)
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind == "i" else (-(1 << bits) + 1, (1 << bits) - 1)
            fits = low <= number <= high
            number = wrap_integer(number, to)
    elif fits and to in _LIMITS:
        fits = not _LIMITS[to] < abs(number) < math.inf
    if not fits:
        raise RuntimeError(f"value cannot be converted to type {_C_NAMES[OF_NUMPY[to].name]} without overflow")
    return bool(number) if kind == "b" else number


_NUMBERS = frozenset((bool, int, float, complex))


def _number_rule(of: Any, cls: type) -> tuple[Any, Any]:
    """For an array's dtype and a number's class: the dtype to compute in and the number's conversion."""
    to = combine(OF_NUMPY[of], number_dtype(cls(1)))
    assert to is not None
    return to.numpy, (bool, int, float, complex)[to.kind]


_number_rules: dict[tuple[Any, type, dtype], tuple[Any, Any]] = {}
_pair_rules: dict[tuple[Any, Any, bool, bool], tuple[Any, Any]] = {}


def rounded(number: Any, to: Any) -> float:
    """A real number as half precision holds it."""
    if -65504.0 < number < 65504.0:
        return float(to.type(number))
    with np.errstate(over="ignore"):  # to infinity
        return float(to.type(number))


def _cast(array: Any, to: Any) -> Any:
    return array.astype(to)


def operands(a: Any, b: Any, rounds: bool = False, cast: Callable[[Any, Any], Any] = _cast) -> tuple[Any, Any, Any]:
    """Two operands, each an array or a Python number, brought to one dtype.

    Numbers stay numbers, which NumPy takes weakly. Beside half precision they keep their digits, unless `rounds`: kernels compute
    in float32. A 0-dim array beside one of half precision with dimensions counts as a number: then both are returned as they were,
    and the NumPy dtype of the result (see `beside_scalar`), which else is None.
    """
    if b.__class__ in _NUMBERS:
        array, number, first = a, b, True
        if a.__class__ in _NUMBERS:
            raise TypeError(f"received an invalid combination of arguments - got ({type(a).__name__}, {type(b).__name__})")
    elif a.__class__ in _NUMBERS:
        array, number, first = b, a, False
    else:
        pair = (a.dtype, b.dtype, not a.ndim, not b.ndim)
        known = _pair_rules.get(pair)
        if known is None:
            known = _pair_rules[pair] = _pair_rule(a, b)
        to, final = known
        if final is not None:
            return a, b, final
        return (a if a.dtype == to else cast(a, to)), (b if b.dtype == to else cast(b, to)), None
    key = (array.dtype, number.__class__, DEFAULT.dtype)
    rule = _number_rules.get(key)
    if rule is None:
        rule = _number_rules[key] = _number_rule(array.dtype, number.__class__)
    work, convert = rule
    if array.dtype is not work:
        array = cast(array, work)
    number = convert(number)
    if convert is int and (not -128 < number < 128 or number < 0 and work.kind == "u"):
        number = wrap_integer(number, work)
    elif rounds and work in _LOW:
        number = rounded(number, work)
    return (array, number, None) if first else (number, array, None)


def _pair_rule(a: Any, b: Any) -> tuple[Any, Any]:
    """The dtype of the result, and again where one operand counts as a number beside half precision."""
    to = result_dtype(a, b).numpy
    return to, to if to in _LOW and (not a.ndim) != (not b.ndim) else None


def float_operands(a: Any, b: Any, rounds: bool = False, cast: Callable[[Any, Any], Any] = _cast) -> tuple[Any, Any, Any]:
    """`operands` for functions whose results are never integers: those become the default floating-point dtype."""
    if (hasattr(a, "ndim") or hasattr(b, "ndim")) and result_dtype(a, b).kind < 2:
        to = DEFAULT.dtype.numpy
        return (*[x.astype(to) if hasattr(x, "ndim") else float(x) for x in (a, b)], None)  # type: ignore[return-value]
    return operands(a, b, rounds, cast)
