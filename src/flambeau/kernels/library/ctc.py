"""The forward and backward variables of connectionist temporal classification (Graves et al., 2006), in logarithms."""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, kernel, share
from .elementwise import log_of_sum

GRAIN = 1 << 12
"""One thread's share of the sums."""
NEVER = float("-inf")


def _main(name: str, body: Code, arrays: str) -> Callable[..., Any]:
    main = Code("main", f"{arrays} steps:double batch:double classes:double width:double")
    steps, batch, classes, width = (main.convert(main[k], "i64") for k in ("steps", "batch", "classes", "width"))
    values = [main[a] for a in arrays.split()] + [steps, batch, classes, width]
    share(main, body, values, batch, GRAIN // (steps * width + 1) + 1)
    return kernel(name, main, body)


@cache
def forward(kind: str) -> Callable[..., Any]:
    """`kernel(alpha, log_probs, labels, skip, steps, batch, classes, width)`: alpha (steps, batch, width) from its first row on, which is
    given. labels: int64 (batch, width); skip: bool, where a label may follow the one before the last."""
    element = ELEMENT[kind]
    arrays = "alpha log_probs labels skip"
    code = Code("forward", f"{arrays} steps:i64 batch:i64 classes:i64 width:i64 begin:i64 end:i64")
    alpha, log_probs, labels, skip, steps, batch, classes, width, begin, end = code.arguments
    with code.loop(begin, end, short=True) as b:
        own, may_skip = code.at(labels, b * width, "i64"), code.at(skip, b * width, "i8")
        with code.loop(1, steps, short=True) as t:
            before, row = (code.at(alpha, ((t - k) * batch + b) * width, element) for k in (1, 0))
            chances = code.at(log_probs, (t * batch + b) * classes, element)
            with code.loop(0, width, short=True) as s:
                total = code.variable(element, code.load(element, before, s))
                last = code.where(s > 0, code.load(element, before, code.most(s - 1, 0)), code.value(NEVER, element))
                total.value = code.expression(log_of_sum, total.value, last)
                with code.when(code.load("i8", may_skip, s).differs(0)):
                    total.value = code.expression(log_of_sum, total.value, code.load(element, before, s - 2))
                code.store(total.value + code.load(element, chances, code.load("i64", own, s)), row, s)
    return _main(f"flambeau_ctc_forward_{kind}", code, arrays)


@cache
def backward(kind: str) -> Callable[..., Any]:
    """`kernel(expected, beta, alpha, log_probs, labels, skip, input_lengths, target_lengths, steps, batch, classes,
    width)`: adds alpha and beta of every place of a label up in `expected` (steps, batch, classes), which is minus infinity before.

    beta: memory (batch, width + 2)."""
    element = ELEMENT[kind]
    arrays = "expected beta alpha log_probs labels skip input_lengths target_lengths"
    code = Code("backward", f"{arrays} steps:i64 batch:i64 classes:i64 width:i64 begin:i64 end:i64")
    expected, betas, alpha, log_probs, labels, skip, input_lengths, target_lengths = code.arguments[:8]
    steps, batch, classes, width, begin, end = code.arguments[8:]
    never = code.value(NEVER, element)

    def joined(a: Value, b: Value) -> Value:
        return code.expression(log_of_sum, a, b)

    with code.loop(begin, end, short=True) as b:
        own, may_skip = code.at(labels, b * width, "i64"), code.at(skip, b * width, "i8")
        beta = code.at(betas, b * (width + 2), element)
        final = code.load("i64", target_lengths, b) * 2
        with code.loop(0, width + 2) as s:
            code.store(never, beta, s)
        with code.loop(0, steps, short=True) as back:
            t = steps - 1 - back
            chances = code.at(log_probs, (t * batch + b) * classes, element)
            row, sums = code.at(alpha, (t * batch + b) * width, element), code.at(expected, (t * batch + b) * classes, element)
            starts = t.equals(code.load("i64", input_lengths, b) - 1)
            with code.loop(0, width, short=True) as s:
                label = code.load("i64", own, s)
                here = code.load(element, chances, label)
                total = code.variable(element, joined(code.load(element, beta, s), code.load(element, beta, s + 1)))
                ahead = code.where(s + 2 < width, code.load("i8", may_skip, code.least(s + 2, width - 1)), code.value(0, "i8"))
                with code.when(ahead.differs(0)):
                    total.value = joined(total.value, code.load(element, beta, s + 2))
                now = code.where(s <= final, total.value + here, never)
                first = s.equals(final) | (s.equals(final - 1) & (final > 0))
                now = code.where(starts, code.where(first, here, never), now)
                code.store(now, beta, s)
                old = code.load(element, sums, label)
                code.store(joined(old, code.load(element, row, s) + now), sums, label)
    return _main(f"flambeau_ctc_backward_{kind}", code, arrays)
