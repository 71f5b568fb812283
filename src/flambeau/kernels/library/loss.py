"""Cross entropy: the normalised logits are written only once, as the gradient."""

from typing import Any

from ..compiler import row_kernel
from ..compiler.expression import constant, exp, log, where


@row_kernel("x:f losses:c* lse:c* target:i64*", halves=True)
def cross_entropy(row: Any, x: Any, losses: Any, lse: Any, target: Any) -> None:
    """Per row log(sum(exp(x))) and, unless the target is negative, that minus x[target]."""
    peak = row.max(lambda i: x[i])
    total = row.once(log(row.sum(lambda i: exp(x[i] - peak))) + peak)
    wanted = row.get(target)
    counts = row.once(wanted >= 0)
    safe = row.once(where(counts, wanted, constant(0, "i64")))
    row.put(lse, total)
    row.put(losses, where(counts, total - row.pick(x, safe), 0.0))


@row_kernel("out:f x:f target:i64* lse:c* scale:c*", halves=True)
def cross_entropy_backward(row: Any, out: Any, x: Any, target: Any, lse: Any, scale: Any) -> None:
    """scale * (softmax(x) - onehot(target)) per row; the scale of a row that does not count is zero."""
    total, by, wanted = row.get(lse), row.get(scale), row.get(target)
    safe = row.once(where(wanted >= 0, wanted, constant(0, "i64")))

    def body(i: Any) -> None:
        out[i] = exp(x[i] - total) * by

    row.each(body)
    row.set(out, safe, exp(row.pick(x, safe) - total) * by - by)
