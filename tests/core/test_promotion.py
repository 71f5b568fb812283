"""Promotion, compared with PyTorch for every pair of dtypes, and with rules that hold for all."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flambeau.core import dtype as dt
from flambeau.core.promotion import as_element, can_cast, operands, promote_types, result_dtype, wrap_integer
from harness import parity

NAMES = [d.name for d in dt.DTYPES]
RANKED = ["0-dim", "1-dim"]


def answer(function):
    """What it returns, or the error it raises, as text."""
    try:
        return str(function())
    except (RuntimeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}"


@parity
def test_promote_types_of_all_pairs(torch):
    return {f"{a} {b}": answer(lambda a=a, b=b: torch.promote_types(getattr(torch, a), getattr(torch, b))) for a in NAMES for b in NAMES}


@parity
def test_can_cast_of_all_pairs(torch):
    return {f"{a} {b}": torch.can_cast(getattr(torch, a), getattr(torch, b)) for a in NAMES for b in NAMES}


def complex32(*names):
    """float16 met by a complex number of lower rank gives a dtype that flambeau refuses."""
    return "float16" in names and any(name.startswith("complex") or name == "1j" for name in names)


@parity
def test_result_type_of_all_pairs(torch):
    """Tensors with and without dimensions."""
    samples = {(name, rank): torch.zeros((2,) if rank == "1-dim" else (), dtype=getattr(torch, name)) for name in NAMES for rank in RANKED}
    return {
        f"{a} {b}": answer(lambda a=a, b=b: torch.result_type(samples[a], samples[b]))
        for a in samples
        for b in samples
        if not complex32(a[0], b[0])
    }


@parity
def test_result_type_with_numbers(torch):
    found = {}
    for default in (torch.float32, torch.float64):
        torch.set_default_dtype(default)
        try:
            for name in NAMES:
                for number in (True, 3, 2.5, 1j):
                    if not complex32(name, str(number)):
                        found[f"{default} {name} {number}"] = answer(
                            partial(torch.result_type, torch.zeros(2, dtype=getattr(torch, name)), number)
                        )
        finally:
            torch.set_default_dtype(torch.float32)
    return found


@parity
def test_results_of_arithmetic(torch):
    """The dtype of a sum is what result_type says; that of a quotient is never an integer's."""
    names = ["bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]
    found = {}
    for a in names:
        for b in names:
            if complex32(a, b):
                continue
            for shape in ((), (2,)):
                x, y = torch.ones(2, dtype=getattr(torch, a)), torch.ones(shape, dtype=getattr(torch, b))
                found[f"{a} {b} {shape}"] = str((x + y).dtype), str((x / y).dtype), str((x == y).dtype)
    return found


@given(st.sampled_from(dt.DTYPES), st.sampled_from(dt.DTYPES))
def test_promotion_is_symmetric_and_both_can_be_cast(a, b):
    try:
        together = promote_types(a, b)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            promote_types(b, a)
        return
    assert promote_types(b, a) is together
    assert can_cast(a, together) and can_cast(b, together)
    assert promote_types(together, a) is together


@given(st.integers(), st.sampled_from([d for d in dt.DTYPES if d.kind == 1]))
def test_wrapped_integers_are_congruent_and_in_range(number, to):
    wrapped = wrap_integer(number, to.numpy)
    bits = 8 * to.itemsize
    assert (wrapped - number) % (1 << bits) == 0
    assert (-(1 << bits - 1) <= wrapped < 1 << bits - 1) if to.is_signed else 0 <= wrapped < 1 << bits


@given(st.floats(), st.sampled_from(dt.DTYPES))
def test_elements_fit_or_are_refused(number, to):
    try:
        element = as_element(number, to.numpy)
    except RuntimeError as error:
        assert "without overflow" in str(error)
        return
    if to.kind == 1:
        assert (element - int(number)) % (1 << 8 * to.itemsize) == 0
    else:
        assert element is bool(number) or element == number or number != number


def test_half_precision_and_a_number():
    import numpy as np

    array, number, final = operands(np.ones(3, np.float16), 0.1)
    assert array.dtype == np.float16 and number == 0.1 and final is None  # kernels compute in float32
    assert operands(np.ones(3, np.float16), 0.1, rounds=True)[1] == float(np.float16(0.1))
    array, number, final = operands(np.ones(3, np.float16), np.asarray(0.1, np.float32))
    assert number.dtype == np.float32 and final == np.float16  # a number beside half precision: see `beside_scalar`
    assert result_dtype(np.ones(3, np.float16), 2.5) is dt.float16
