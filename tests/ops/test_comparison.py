"""Comparisons, logic, bits, choices and public promotion functions, compared with PyTorch."""

import pytest

import flambeau
from harness import Row, bools, parity, randint, randn, rows, value

ALL = "bool uint8 int8 int64 float16 bfloat16 float32 float64"
EDGES = value([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.5])

test_comparisons = rows(
    *(Row(f"a {op} b", a=randint(0, 3, (6,), dtype=None), b=randint(0, 3, (6,)), dtypes=ALL) for op in ("==", "!=", "<", "<=", ">", ">=")),
    *(Row(f"torch.{name}(a[:, None], a)", a=EDGES) for name in "eq ne lt le gt ge not_equal less less_equal greater greater_equal".split()),
    Row("a == b, a != b", a=randn(3, dtype="complex64"), b=randn(3)),
    Row("a < 1j", a=randn(2)),
    Row("a < a", a=randn(2, dtype="complex64")),
    Row("a == 1.5, a > 0, a <= True", a=value([0, 1, 2])),
    Row("a.clone().eq_(b), a.clone().lt_(1)", a=randn(3), b=randn(3)),
    Row("torch.eq(a, a, out=torch.empty(3))", a=randn(3)),
    Row("a < b", a=randn(3), b=randn(2)),
    Row("(a > 0).requires_grad", a=randn(3), grad=False),
)

test_kinds_of_numbers = rows(
    *(Row(f"torch.{name}(x)", x=EDGES) for name in "isnan isinf isfinite isposinf isneginf isreal".split()),
    *(Row(f"torch.{name}(x)", x=value([1, 2])) for name in "isnan isinf isfinite isposinf isneginf isreal".split()),
    *(Row(f"torch.{name}(x)", x=randn(2, dtype="complex64")) for name in "isnan isinf isfinite isposinf isneginf isreal".split()),
)

test_closeness = rows(
    Row("torch.isclose(a, b)", a=value([1.0, 1.0, float("inf"), float("nan")]), b=value([1.0, 1.1, float("inf"), float("nan")])),
    Row("torch.isclose(a, a, equal_nan=True)", a=EDGES),
    Row("torch.isclose(a, a + 1, rtol=1.0), torch.allclose(a, a)", a=value([1, 2])),
    Row("torch.isclose(a, b)", a=randn(2), b=randn(2, dtype="float64")),
    Row("torch.isclose(a, a, rtol=-1)", a=randn(2)),
    Row("torch.allclose(a, a + 1e-9), torch.allclose(a, a + 1)", a=randn(2)),
    Row("torch.equal(a, a.clone()), torch.equal(a, a[:1]), torch.equal(a, a + 1)", a=randn(2)),
    Row("torch.equal(a, 1)", a=randn(2)),
)

test_logic = rows(
    *(Row(f"torch.logical_{name}(a, b)", a=randint(0, 2, (6,)), b=randint(0, 2, (6,)), dtypes=ALL) for name in ("and", "or", "xor")),
    Row("torch.logical_not(a)", a=randint(0, 2, (6,)), dtypes=ALL),
    Row("torch.logical_and(a, b)", a=randn(3), b=randn(3, dtype="complex64")),
    Row("torch.logical_and(a, 2)", a=randn(3)),
    *(Row(f"a {op} b", a=randint(-9, 9, (6,)), b=randint(-9, 9, (6,))) for op in "&|^"),
    *(Row(f"a {op} b, a {op} True", a=bools(6), b=bools(6)) for op in "&|^"),
    *(Row(f"a {op} 5, 5 {op} a", a=randint(-9, 9, (6,), dtype="int8")) for op in "&|^"),
    *(Row(f"a {op} 1", a=randn(2)) for op in ("&", "<<", ">>")),
    Row("~a, ~b, a.clone().bitwise_not_()", a=randint(-9, 9, (6,)), b=bools(4)),
    Row("~a", a=randn(2)),
    Row("torch.bitwise_and(2, a), torch.bitwise_left_shift(2, a)", a=randint(0, 9, (3,))),
    Row("torch.bitwise_and(2, 3)", message="invalid combination of arguments"),
    Row("a << b, a >> b", a=value([1, -8, 100]), b=value([1, 2, 70])),
    Row("a << 9, a >> 9, 1 << a", a=value([3, -3], dtype="int8")),
    Row("a <<= 1; a |= 1; a ^= 2; a &= 7; a >>= 1; a", a=value([1, 2, 3])),
    Row("a << a", a=bools(2)),
)

test_where = rows(
    Row("torch.where(c, a, b)", c=bools(3, 4), a=randn(3, 4), b=randn(4), grad=2),
    Row("torch.where(c, a, 0)", c=bools(4), a=randn(4), grad=2),
    Row("torch.where(c, 2.5, a)", c=bools(4), a=randn(4), grad=True),
    Row("torch.where(c, a, 2.5)", c=bools(4), a=value([1, 2, 3, 4])),
    Row("torch.where(c, 1, 2), torch.where(c, 1.0, 2)", c=bools(4)),
    Row("torch.where(c, a, b)", c=bools(4), a=randn(4, dtype="float16"), b=randn(dtype="float64")),
    Row("torch.where(c, a, b)", c=bools(4), a=value([1, 2, 3, 4]), b=randn(4)),
    Row("a.where(c, -1)", c=bools(4), a=randn(4)),
    Row("torch.where(c)", c=bools(3, 4)),
    Row("torch.where(c, c, c)", c=randn(2)),
    Row("torch.where(c, c, c)", c=value([1, 0], dtype="uint8")),
    Row("torch.where(c, a, a)", c=bools(2), a=randn(3)),
    Row("torch.where(c, a)", c=bools(2), a=randn(2)),
    Row("torch.where(c, a, a, out=torch.empty(2))", c=bools(2), a=randn(2)),
)

test_public_promotion = rows(
    Row("torch.result_type(a, 2.5), torch.result_type(2, 3), torch.result_type(1, a), torch.result_type(a, b)", a=value([1]), b=randn(2)),
    Row("torch.can_cast(torch.float, torch.int), torch.promote_types(torch.int8, torch.uint8)"),
    Row("torch.can_cast(1, 2)"),
    Row("torch.promote_types(torch.int8, 2)"),
)


@parity
def test_python_asks_the_other_operand(torch):
    """A class that knows how to combine itself with a tensor is asked."""

    class Other:
        def __radd__(self, tensor):
            return "radd"

        def __rmul__(self, tensor):
            return "rmul"

        def __eq__(self, tensor):
            return "eq"

        def __rpow__(self, tensor):
            return "rpow"

    a = torch.ones(2)
    return a + Other(), a * Other(), a == Other(), a ** Other()


def test_complex32_is_refused():
    with pytest.raises(NotImplementedError, match="complex32"):
        flambeau.ones(2, dtype=flambeau.float16) * 1j
