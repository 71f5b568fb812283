"""Cross entropy: the normalised logits are written only once, as the gradient."""

from typing import Any

from ..compiler import row_kernel
from ..compiler.expression import cast, compare, constant, exp, log, where


@row_kernel("x:f losses:c* lse:c* state:c* target:i64*", numbers=2, halves=True)
def cross_entropy(row: Any, x: Any, losses: Any, lse: Any, state: Any, target: Any, ignored: Any, classes: Any) -> None:
    """Per row log(sum(exp(x))) and that minus x[target]; the state is 1, 0 where the target is ignored, NaN where it is no class."""
    peak = row.max(lambda i: x[i])
    total = row.once(log(row.sum(lambda i: exp(x[i] - peak))) + peak)
    wanted = row.get(target)
    nan = constant(float("nan"), ignored.type)
    counts = row.once(compare("ne", wanted, cast(ignored, "i64")))
    there = row.once((wanted >= 0) & (cast(wanted, classes.type) < classes))
    safe = row.once(wanted * cast(there, "i64"))
    row.put(lse, total)
    row.put(losses, where(counts, total - row.pick(x, safe), 0.0))
    row.put(state, where(counts & (there ^ constant(1, "i1")), nan, cast(counts, ignored.type)))


@row_kernel("out:f x:f target:i64* lse:c*", numbers=2, halves=True)
def cross_entropy_backward(row: Any, out: Any, x: Any, target: Any, lse: Any, scale: Any, ignored: Any) -> None:
    """scale * (softmax(x) - onehot(target)) per row; zero where the target is ignored."""
    total, wanted = row.get(lse), row.get(target)
    by = row.once(where(wanted.equals(cast(ignored, "i64")), 0.0, scale))
    safe = row.once(where(wanted.equals(cast(ignored, "i64")), constant(0, "i64"), wanted))

    def body(i: Any) -> None:
        out[i] = exp(x[i] - total) * by

    row.each(body)
    row.set(out, safe, row.pick(out, safe) - by)


@row_kernel("out:f x:f target:i64* lse:c* scale:c*", halves=True)
def cross_entropy_rows_backward(row: Any, out: Any, x: Any, target: Any, lse: Any, scale: Any) -> None:
    """scale * (softmax(x) - onehot(target)) with a scale for each row; that of a row that does not count is zero."""
    total, by, wanted = row.get(lse), row.get(scale), row.get(target)
    safe = row.once(where(wanted >= 0, wanted, constant(0, "i64")))

    def body(i: Any) -> None:
        out[i] = exp(x[i] - total) * by

    row.each(body)
    row.set(out, safe, row.pick(out, safe) - by)
