"""Cross entropy: the normalised logits are written only once, as the gradient."""

from functools import cache
from typing import Any, Callable

from ..compiler import row_kernel
from ..compiler.code import ELEMENT, Code, Value, kernel
from ..compiler.expression import cast, compare, constant, exp_of_negative, multiply_add, vector_log, where

LEVELS, CHAIN = 8, 4


@row_kernel("x:f losses:c* peak:c* log_sum:c* state:c* target:i64*", numbers=2, halves=True)
def cross_entropy(row: Any, x: Any, losses: Any, peak: Any, log_sum: Any, state: Any, target: Any, ignored: Any, classes: Any) -> None:
    """Per row the maximum of x and log(sum(exp(x - max))), and their sum minus x[target]; the state is 1, 0 where the target is
    ignored, NaN where it is no class."""
    top = row.max(lambda i: x[i])
    total = row.once(vector_log(row.lane_sum(lambda i: exp_of_negative(x[i] - top))))
    wanted = row.get(target)
    nan = constant(float("nan"), ignored.type)
    counts = row.once(compare("ne", wanted, cast(ignored, "i64")))
    there = row.once((wanted >= 0) & (cast(wanted, classes.type) < classes))
    safe = row.once(wanted * cast(there, "i64"))
    row.put(peak, top)
    row.put(log_sum, total)
    row.put(losses, where(counts, -(row.pick(x, safe) - top - total), 0.0))
    row.put(state, where(counts & (there ^ constant(1, "i1")), nan, cast(counts, ignored.type)))


def _gradient(row: Any, out: Any, x: Any, peak: Any, log_sum: Any, by: Any, wanted: Any) -> None:
    """by * (softmax(x) - onehot(wanted)), in the operations of log_softmax and its gradient."""
    top, total = row.get(peak), row.get(log_sum)

    def body(i: Any) -> None:
        out[i] = exp_of_negative(x[i] - top - total) * by

    row.each_lane(body)
    row.set(out, wanted, multiply_add(exp_of_negative(row.pick(x, wanted) - top - total), by, -by))


@row_kernel("out:f x:f target:i64* peak:c* log_sum:c*", numbers=2, halves=True)
def cross_entropy_backward(row: Any, out: Any, x: Any, target: Any, peak: Any, log_sum: Any, scale: Any, ignored: Any) -> None:
    """scale * (softmax(x) - onehot(target)) per row; zero where the target is ignored."""
    wanted = row.get(target)
    by = row.once(where(wanted.equals(cast(ignored, "i64")), 0.0, scale))
    safe = row.once(where(wanted.equals(cast(ignored, "i64")), constant(0, "i64"), wanted))
    _gradient(row, out, x, peak, log_sum, by, safe)


@row_kernel("out:f x:f target:i64* peak:c* log_sum:c* scale:c*", halves=True)
def cross_entropy_rows_backward(row: Any, out: Any, x: Any, target: Any, peak: Any, log_sum: Any, scale: Any) -> None:
    """scale * (softmax(x) - onehot(target)) with a scale for each row; that of a row that does not count is zero."""
    by, wanted = row.get(scale), row.get(target)
    safe = row.once(where(wanted >= 0, wanted, constant(0, "i64")))
    _gradient(row, out, x, peak, log_sum, by, safe)


@cache
def total_loss(kind: str, weighted: bool = False) -> Callable[..., Any]:
    """`kernel(out, losses, state, rows)`: out becomes the sum of the losses that count, and how many do (NaN where a state is NaN).
    weighted: `kernel(out, losses, state, weights, rows)`, and it becomes the sums of losses times weights, and of these.

    The order is that of ATen's nll_loss: at every 16th row, if it counts, the sum goes to a second accumulator, from there at every
    256th to a third, and so on (so the first loss goes to the last at once); at the end they are added up.
    """
    element = ELEMENT[kind]
    code = Code("total", f"out losses state {'weights ' if weighted else ''}rows:double")
    out, losses, state, *weights, rows = code.arguments
    sums = [[code.variable(element, 0.0) for _ in range(LEVELS)] for _ in range(1 + weighted)]
    count = code.variable(element, 0.0)

    def carry(row: Value, level: int) -> None:
        if level < LEVELS:
            with code.when((row & (((1 << CHAIN) - 1) << (CHAIN * (level - 1)))).equals(0)):
                for levels in sums:
                    levels[level].value = levels[level].value + levels[level - 1].value
                    levels[level - 1].value = 0.0
                carry(row, level + 1)

    def total(levels: list[Any]) -> Value:
        result = levels[0].value
        for level in levels[1:]:
            result = result + level.value
        return result

    with code.loop(0, code.convert(rows, "i64")) as row:
        counts = code.load(element, state, row)
        count.value = count.value + counts
        with code.when(counts.equals(1.0)):
            loss, first = code.load(element, losses, row), sums[0][0]
            if weighted:
                weight = code.load(element, weights[0], row)
                first.value = first.value + loss * weight
                sums[1][0].value = sums[1][0].value + weight
            else:
                first.value = first.value + loss
            carry(row, 1)
    code.store(total(sums[0]), out, 0)
    code.store(total(sums[1]) if weighted else count.value, out, 1)
    return kernel(f"flambeau_total_loss_{kind}{'_weighted' if weighted else ''}", code)


@cache
def picked(kind: str) -> Callable[..., Any]:
    """`kernel(losses, state, x, target, rows, classes, ignored)`: of each row of x minus the element at its target and 1, or 0 and 0 where
    that is `ignored`. Other targets must be in range."""
    element = ELEMENT[kind]
    code = Code("picked", "losses state x target rows:double classes:double ignored:double")
    losses, state, x, target, *numbers = code.arguments
    rows, classes, ignored = (code.convert(n, "i64") for n in numbers)
    with code.loop(0, rows, short=True) as row:
        place = code.load("i64", target, row)
        counts = place.differs(ignored)
        value = code.load(element, x, row * classes + code.where(counts, place, 0))
        code.store(code.where(counts, code.op(f"fneg {element} {value}", element), code.value(0.0, element)), losses, row)
        code.store(code.convert(counts, element), state, row)
    return kernel(f"flambeau_picked_{kind}", code)
