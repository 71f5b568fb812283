"""The mathematical functions of kernels: errors in units of the last place, values at the limits, independence of position.

`FLAMBEAU_SLOW=1` looks at all 2^32 float32 numbers instead of a sample, for every function of one argument.
"""

import gzip
import json
import math
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flambeau.kernels.compiler import map_kernel, usable
from flambeau.kernels.compiler.expression import Expression, absolute, bitcast, cast, shift_right, where
from flambeau.kernels.compiler.maths import FUNCTIONS

pytestmark = pytest.mark.skipif(not usable(), reason="needs llvmlite")

INF, NAN = math.inf, math.nan
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
OF_TWO = ("pow", "atan2")
APPROXIMATE = ("gelu", "gelu_slope", "vector_sigmoid")  # as they are in PyTorch: see test_vector_kernels.py
UNARY = [name for name in FUNCTIONS if name not in (*OF_TWO, *APPROXIMATE) and not name.startswith("bounded")]
STORED: dict[str, Any] = json.loads(gzip.decompress((Path(__file__).parent / "expected/maths.json.gz").read_bytes()))


@cache
def kernel(name: str) -> Any:
    """The function as a map."""
    if name in OF_TWO:

        def of_two(row: Any, out: Any, x: Any, y: Any) -> None:
            row.each(lambda i: out.__setitem__(i, Expression(name, out.type, x[i], y[i])))

        return map_kernel("out:f x:f y:f")(of_two)

    def of_one(row: Any, out: Any, x: Any) -> None:
        row.each(lambda i: out.__setitem__(i, Expression(name, out.type, x[i])))

    return map_kernel("out:f x:f")(of_one)


def call(name: str, *x: Any) -> Any:
    return kernel(name).version(x[0].dtype)(np.empty_like(x[0]), *x)


@cache
def error_kernel(name: str) -> Any:
    """The error of the float32 function at the number with these bits, in units of the last place of the float64 function,
    which is tested by itself; infinity where one is NaN and the other is not."""

    def error(row: Any, out: Any, bits: Any) -> None:
        def body(i: Any) -> None:
            x = bitcast(bits[i], "f32")
            y = Expression(name, "f32", x)
            exact = Expression(name, "f64", cast(x, "f64"))
            rounded = cast(exact, "f32")
            exponent = shift_right(bitcast(rounded, "i32"), 23) & 255
            exponent = where(exponent < 1, 1, exponent)
            unit = bitcast(cast(exponent + (1023 - 150), "i64") << 52, "f64")
            distance = absolute(cast(y, "f64") - exact)
            result = distance / unit
            if name in ("lgamma", "digamma"):
                result = where(x < 0.0, where(distance <= 1e-6, 0.0, result), result)
            if name == "exp_of_negative":
                result = where(x > 0.0, 0.0, result)
            if name == "vector_log1p":
                result = where(x < 0.0, 0.0, result)
            both_nan = where(y.equals(y), 0.0, where(exact.equals(exact), INF, Expression("constant", "f64", 0.0)))
            out[i] = where(y.equals(rounded), 0.0, where(result.equals(result), result, both_nan))

        row.each(body)

    return map_kernel("out:f bits:i32")(error)


def largest_error(name: str, bits: Any) -> tuple[float, float]:
    """The largest error, and the number that has it."""
    errors = error_kernel(name).version(F64)(np.empty(bits.shape, F64), bits)
    worst = int(errors.argmax())
    return float(errors[worst]), float(bits[worst : worst + 1].view(F32)[0])


@pytest.mark.parametrize("name", UNARY)
def test_float32(name: str) -> None:
    """At most 2 units in the last place; lgamma and digamma of negative numbers, which have zeros there: 1e-6."""
    random = np.random.default_rng(len(name))
    wild = random.integers(-(2**31), 2**31, 100_000).astype(np.int32)
    usual = (random.standard_normal(100_000) * 3).astype(F32).view(np.int32)
    near_one = (1 + random.standard_normal(20_000) * 2.0 ** random.uniform(-24, 0, 20_000)).astype(F32).view(np.int32)
    error, worst = largest_error(name, np.concatenate([wild, usual, near_one]))
    assert error <= 2, worst


@pytest.mark.skipif(not os.environ.get("FLAMBEAU_SLOW"), reason="FLAMBEAU_SLOW=1 runs it: a minute for each function")
@pytest.mark.parametrize("name", UNARY)
def test_float32_everywhere(name: str) -> None:
    """All float32 numbers."""
    step = 2**20
    for start in range(-(2**31), 2**31, step):
        error, worst = largest_error(name, np.arange(start, start + step, dtype=np.int32))
        assert error <= 2, worst


@pytest.mark.parametrize("name", STORED)
def test_float64(name: str) -> None:
    """At most 4 units in the last place of values that are known to 100 bits."""
    *x, high, low = np.array([[float.fromhex(v) for v in row] for row in STORED[name]]).T.copy()
    y = call(name, *x)
    error = abs((y - high) - low)
    if name == "digamma":  # near its zero
        error = np.where(error < 1.5e-15, 0, error)
    assert (error / np.spacing(abs(high))).max() <= 4


@pytest.mark.parametrize("name", OF_TWO)
def test_float32_of_two(name: str) -> None:
    """At most 2 units in the last place of the float64 function."""
    random = np.random.default_rng(3)
    x, y = random.standard_normal((2, 100_000)).astype(F32) * 8
    if name == "pow":
        x = abs(x)
    result, exact = call(name, x, y), call(name, x.astype(F64), y.astype(F64))
    with np.errstate(over="ignore"):
        rounded = exact.astype(F32)
    same = result == rounded
    with np.errstate(invalid="ignore"):
        assert (same | (abs(result - exact) <= 2 * np.spacing(abs(rounded)))).all()


LIMITS: dict[str, list[tuple[float, float]]] = {
    "exp": [(-INF, 0.0), (INF, INF), (-0.0, 1.0), (1e4, INF), (-1e4, 0.0)],
    "exp_plus_one": [(-INF, 1.0), (INF, INF), (-0.0, 2.0), (1e4, INF)],
    "vector_exp": [(-INF, 0.0), (INF, INF), (-0.0, 1.0), (1e4, INF), (-1e4, 0.0)],
    "exp_of_negative": [(-INF, 0.0), (-0.0, 1.0), (0.0, 1.0), (-1e4, 0.0)],
    "exp2": [(-INF, 0.0), (INF, INF), (3.0, 8.0), (-126.0, 2.0**-126), (1e4, INF)],
    "expm1": [(-INF, -1.0), (INF, INF), (-0.0, -0.0), (0.0, 0.0), (1e-40, 1e-40), (1e4, INF)],
    "sigmoid": [(-INF, 0.0), (INF, 1.0), (0.0, 0.5)],
    "log_sigmoid": [(INF, 0.0), (-INF, -INF), (-1e4, -1e4)],
    "softplus": [(INF, INF), (-INF, 0.0), (1e4, 1e4)],
    "log": [(0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (-INF, NAN), (1.0, 0.0)],
    "vector_log": [(0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (-INF, NAN), (1.0, 0.0)],
    "vector_log1p": [(0.0, 0.0), (INF, INF)],
    "log1p": [(-1.0, -INF), (-2.0, NAN), (INF, INF), (-0.0, -0.0), (0.0, 0.0), (1e-40, 1e-40)],
    "log2": [(0.0, -INF), (INF, INF), (-1.0, NAN), (8.0, 3.0), (2.0**-130, -130.0)],
    "log10": [(0.0, -INF), (INF, INF), (-1.0, NAN), (1e3, 3.0)],
    "rsqrt": [(0.0, INF), (-0.0, -INF), (INF, 0.0), (-1.0, NAN), (4.0, 0.5)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (1e-40, 1e-40)],
    "cos": [(0.0, 1.0), (INF, NAN), (-INF, NAN)],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (1e-40, 1e-40)],
    "asin": [(0.0, 0.0), (-0.0, -0.0), (1.0, math.pi / 2), (-1.0, -math.pi / 2), (1.5, NAN), (-INF, NAN)],
    "acos": [(1.0, 0.0), (-1.0, math.pi), (1.5, NAN), (INF, NAN)],
    "atan": [(0.0, 0.0), (-0.0, -0.0), (INF, math.pi / 2), (-INF, -math.pi / 2), (1e-40, 1e-40)],
    "sinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (1e4, INF), (1e-40, 1e-40)],
    "cosh": [(0.0, 1.0), (INF, INF), (-INF, INF), (-1e4, INF)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (1e-40, 1e-40)],
    "vector_tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (1e-40, 1e-40)],
    "asinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (1e-40, 1e-40)],
    "acosh": [(1.0, 0.0), (0.5, NAN), (-INF, NAN), (INF, INF), (-1e30, NAN)],
    "atanh": [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (2.0, NAN), (1e-40, 1e-40)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (30.0, 1.0)],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (30.0, 0.0), (-30.0, 2.0)],
    "erfinv": [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (INF, NAN)],
    "erfcx": [(0.0, 1.0), (INF, 0.0), (-INF, INF), (-30.0, INF)],
    "ndtr": [(0.0, 0.5), (INF, 1.0), (-INF, 0.0)],
    "log_ndtr": [(INF, -0.0), (-INF, -INF)],
    "digamma": [(0.0, -INF), (-0.0, INF), (-1.0, NAN), (INF, INF), (-INF, NAN)],
    "lgamma": [(1.0, 0.0), (2.0, 0.0), (0.0, INF), (-0.0, INF), (-3.0, INF), (INF, INF), (-INF, INF)],
}


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_limits(name: str, dtype: Any) -> None:
    """Infinities, signed zeros, subnormal numbers, NaN, and where a function ends."""
    x, expected = np.array([*LIMITS[name], (NAN, NAN)]).T.astype(dtype, order="C")
    y = call(name, x)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(np.signbit(y[~np.isnan(y)]), np.signbit(expected[~np.isnan(y)]))


def test_pow_limits() -> None:
    """All pairs of special numbers, as the C library has them."""
    special = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e300, -1e300, INF, -INF, NAN, 2.5, 2.0**53, 5e-324])
    x, y = (v.ravel() for v in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    result = call("pow", x, y)
    np.testing.assert_allclose(result, expected, rtol=1e-15)
    np.testing.assert_array_equal(np.signbit(result[~np.isnan(result)]), np.signbit(expected[~np.isnan(result)]))


def test_atan2_limits() -> None:
    """All pairs of special numbers, as the C library has them."""
    special = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 1e308, -1e308, 5e-324, -5e-324, 1e-300])
    for dtype in (F32, F64):
        with np.errstate(all="ignore"):
            y, x = (v.ravel().astype(dtype) for v in np.meshgrid(special, special))
            expected = np.arctan2(y.astype(F64), x.astype(F64)).astype(dtype)
        result = call("atan2", y, x)
        np.testing.assert_allclose(result, expected, rtol=1e-6 if dtype == F32 else 1e-15)
        np.testing.assert_array_equal(np.signbit(result[~np.isnan(result)]), np.signbit(expected[~np.isnan(result)]))


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_bounded_functions_are_the_same(name: str) -> None:
    """The versions for |x| < 2^30 give the same bits there."""
    random = np.random.default_rng(5)
    for dtype in (F32, F64):
        x = (random.standard_normal(10_000) * 2.0 ** random.uniform(-20, 25, 10_000)).astype(dtype)
        np.testing.assert_array_equal(call(name, x), call(f"bounded_{name}", x))


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_does_not_depend_on_position(name: str, dtype: Any) -> None:
    """In the vector loop, in the scalar one behind it, at any offset."""
    random = np.random.default_rng(6)
    operands = [(random.standard_normal(300) * 2).astype(dtype) for _ in range(1 + (name in OF_TWO))]
    whole = call(name, *operands)
    for start, stop in ((0, 1), (5, 6), (3, 10), (7, 71), (1, 300), (100, 133), (299, 300)):
        np.testing.assert_array_equal(call(name, *[x[start:stop].copy() for x in operands]), whole[start:stop])
