"""The builder of machine code: values, loops, conditions, variables, vectors, and what a module holds."""

import numpy as np
import pytest

from flambeau.kernels.compiler import usable
from flambeau.kernels.compiler.code import Code, kernel, literal, module

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")


def run(main, *arrays, name="flambeau_test_code"):
    return kernel(name, main)(*arrays)


def test_loops_conditions_and_variables():
    """The sum of i * x[i] over range(start, stop, step), of even x doubled, and where it stands."""
    code = Code("main", "out x bounds")
    out, x, bounds = code.arguments
    start, stop, step = (code.load("i64", bounds, i) for i in range(3))
    total, seen = code.variable("i64", 0), code.variable("i64", -1)
    with code.loop(start, stop, step) as i:
        value = code.load("i64", x, i)

        def even():
            total.value = total.value + i * value * 2

        def odd():
            total.value = total.value + i * value

        code.either((value % 2).equals(0), even, odd)
        with code.when((value > 6) & ~(seen.value >= 0)):
            seen.value = i
    code.store(total.value, out)
    code.store(seen.value, out, 1)
    x = np.array([3, 4, 5, 6, 7, 8, 9], np.int64)
    for bounds in ((0, 7, 1), (1, 7, 2), (5, 2, 1)):
        out = np.zeros(2, np.int64)
        assert run(code, out, x, np.array(bounds, np.int64)) is out
        places = range(*bounds)
        assert out[0] == sum(i * x[i] * (1 + (x[i] % 2 == 0)) for i in places)
        assert out[1] == next((i for i in places if x[i] > 6), -1)


def test_leaving_and_coming_back():
    """A function that goes on to a label, or returns from within a loop, says which argument the kernel returns."""
    code = Code("main", "a b n:double", "i64")
    a, _, n = code.arguments
    count = code.convert(n, "i64")
    code.leave(count > 10, "many")
    with code.loop(count) as i:
        with code.when(code.load("double", a, i).equals(2.0)):
            code.back(1)
    code.back(0)
    code.mark("many")
    code.jump("end")
    code.mark("end")
    code.back(1)
    a, b = np.array([1.0, 2.0, 3.0]), np.zeros(1)
    run_ = kernel("flambeau_test_back", code)
    assert run_(a, b, 1.0) is a and run_(a, b, 3.0) is b and run_(a, b, 11.0) is b


def test_vectors():
    code = Code("main", "out x")
    out, x = code.arguments
    wide = "<4 x float>"
    rows = [code.load(wide, x, 4 * i) for i in range(4)]
    for i, column in enumerate(code.transposed(rows)):
        code.store(column, out, 4 * i)
    code.store(code.total(rows[0] * 2.0 + code.load("float", x, 1)), out, 16)
    code.store(code.where(rows[1] > 5.0, rows[1], 0.0), out, 17)
    code.store(code.lane(rows[3], 2), out, 21)
    code.store(code.multiply_add(rows[0], rows[1], rows[2]), out, 22)
    x = np.arange(16, dtype=np.float32)
    out = np.zeros(26, np.float32)
    run(code, out, x)
    square = x.reshape(4, 4)
    np.testing.assert_array_equal(out[:16].reshape(4, 4), square.T)
    assert out[16] == (square[0] * 2 + 1).sum() and out[21] == 14
    np.testing.assert_array_equal(out[17:21], [0, 0, 6, 7])
    np.testing.assert_array_equal(out[22:], square[0] * square[1] + square[2])


def test_constants():
    assert literal(0.1, "double") == "0x3FB999999999999A" and literal(7, "i32") == "7"
    assert literal(0.1, "float") == literal(float(np.float32(0.1)), "double")
    code = Code("main", "out")
    assert [str(code.value(x)) for x in (3, True, None)] == ["3", "true", "null"]
    code.store(code.value(-0.0, "<2 x double>"), code["out"])
    code.store(code.value(0.0, "<2 x double>"), code["out"], 2)
    out = np.ones(4)
    run(code, out)
    assert list(np.signbit(out)) == [True, True, False, False] and not out.any()


def test_a_module_declares_what_it_calls_and_does_not_hold():
    inner = Code("inner", "n:i64", "i64")
    with inner.loop(inner["n"], short=True), inner.loop(inner["n"], elements=True):
        inner.call("void", "llvm.donothing")
    inner.back(inner["n"])
    outer = Code("outer", "n:i64", "i64")
    outer.back(outer.call("i64", "inner", outer["n"]))
    text = module([inner, outer], "declare void @llvm.donothing()\n")
    assert "declare i64 @inner" not in text and text.count("@llvm.donothing()") == 2
    assert "!llvm.loop !3" in text and "!llvm.loop !4" in text and "!4 = distinct !{!4, !0, !2}" in text


def test_expressions():
    from flambeau.kernels.compiler.expression import tanh

    code = Code("main", "out x")
    code.store(code.expression(tanh, code.load("double", code["x"])), code["out"])
    out = np.zeros(1)
    run(code, out, np.array([0.5]))
    assert abs(out[0] - np.tanh(0.5)) < 1e-15
