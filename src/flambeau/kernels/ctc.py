"""The loss of connectionist temporal classification (Graves et al., 2006), over a batch at once, in logarithms."""

from typing import Any

import numpy as np

from .compiler import usable
from .elementwise import logaddexp as _log_sum
from .library import ctc as library
from .quiet import quiet


def _extended(targets: Any, blank: int) -> tuple[Any, Any]:
    """Targets (B, S) with blanks between: (B, 2 S + 1); and where two steps forward may be skipped at once."""
    batch, most = targets.shape
    labels = np.full((batch, 2 * most + 1), blank, np.int64)
    labels[:, 1::2] = targets
    skip = np.zeros(labels.shape, bool)
    skip[:, 3::2] = targets[:, 1:] != targets[:, :-1]
    return labels, skip


def _compiled(log_probs: Any, labels: Any, *more: Any) -> str:
    """The dtype of the compiled kernel for these arrays; empty where there is none."""
    kind = {"f": "f32", "d": "f64"}.get(log_probs.dtype.char, "")
    if not kind or not log_probs.size or not all(x.__class__ is np.ndarray and x.flags.carray for x in (log_probs, *more)) or not usable():
        return ""
    return kind if labels.min() >= 0 and labels.max() < log_probs.shape[2] else ""


def _shifted(rows: Any, by: int) -> Any:
    """Rows moved to the right by `by`, filled with -inf."""
    result = np.full_like(rows, -np.inf)
    if rows.shape[1] > by:
        result[:, by:] = rows[:, :-by]
    return result


@quiet
def ctc(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int) -> tuple[Any, Any]:
    """The loss of each sample, (B), and log alpha, (T, B, 2 S + 1). log_probs: (T, B, C), targets: (B, S)."""
    steps, batch, _ = log_probs.shape
    labels, skip = _extended(targets, blank)
    never = log_probs.dtype.type(-np.inf)
    alpha = np.full((max(steps, 1), batch, labels.shape[1]), never, log_probs.dtype)
    rows = np.arange(batch)
    if steps:
        alpha[0, :, 0] = log_probs[0, :, blank]
        if labels.shape[1] > 1:
            alpha[0, :, 1] = np.where(target_lengths > 0, log_probs[0, rows, labels[:, 1]], never)
    kind = _compiled(log_probs, labels)
    if kind:
        library.forward(kind)(alpha, log_probs, labels, skip, *map(float, (steps, *log_probs.shape[1:], labels.shape[1])))
    for t in range(1, 0 if kind else steps):
        before = alpha[t - 1]
        total = _log_sum(before, _shifted(before, 1))
        total = np.where(skip, _log_sum(total, _shifted(before, 2)), total)
        alpha[t] = total + np.take_along_axis(log_probs[t], labels, 1)
    last = np.maximum(input_lengths - 1, 0)
    end = 2 * target_lengths
    final = alpha[last, rows, end]
    other = np.where(target_lengths > 0, alpha[last, rows, np.maximum(end - 1, 0)], never)
    losses = -_log_sum(final, other)
    # Without a step, only the empty target is possible.
    losses = np.where(input_lengths == 0, np.where(target_lengths == 0, log_probs.dtype.type(0), -never), losses)
    return losses.astype(log_probs.dtype, copy=False), alpha


@quiet
def ctc_backward(
    grad: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, losses: Any, alpha: Any, blank: int, zero: bool
) -> Any:
    """The gradient of log_probs, as that of the softmax behind them: exp(log_probs) less the expected labels.

    `zero`: samples with infinite loss have gradient zero.
    """
    steps, batch, classes = log_probs.shape
    labels, skip = _extended(targets, blank)
    width = labels.shape[1]
    never = log_probs.dtype.type(-np.inf)
    kind = _compiled(log_probs, labels, alpha)
    if kind:
        expected = np.full(log_probs.shape, never, log_probs.dtype)
        lengths = [np.ascontiguousarray(n, np.int64) for n in (input_lengths, target_lengths)]
        beta = np.empty((batch, width + 2), log_probs.dtype)
        library.backward(kind)(expected, beta, alpha, log_probs, labels, skip, *lengths, *map(float, (steps, batch, classes, width)))
        return _gradient(grad, log_probs, expected, input_lengths, losses, zero)
    rows = np.arange(batch)
    counted = np.arange(width) <= (2 * target_lengths)[:, None]
    ahead = np.zeros_like(skip)
    ahead[:, :-2] = skip[:, 2:]
    beta = np.full((batch, width), never, log_probs.dtype)
    expected = np.full((batch, classes, steps), never, log_probs.dtype)
    both = np.empty((batch, width, steps), log_probs.dtype)
    for t in range(steps - 1, -1, -1):
        here = np.take_along_axis(log_probs[t], labels, 1)
        back = beta[:, ::-1]
        total = _log_sum(back, _shifted(back, 1))[:, ::-1]
        total = np.where(ahead, _log_sum(total, _shifted(back, 2)[:, ::-1]), total)
        beta = np.where(counted, total + here, never)
        start = input_lengths - 1 == t
        if start.any():
            at = rows[start]
            beta[at] = never
            end = 2 * target_lengths[at]
            beta[at, end] = here[at, end]
            some = target_lengths[at] > 0
            beta[at[some], end[some] - 1] = here[at[some], end[some] - 1]
        np.add(alpha[t], beta, both[:, :, t])
    for s in range(width):
        place = rows, labels[:, s]
        expected[place] = _log_sum(expected[place], both[:, s])
    return _gradient(grad, log_probs, expected.transpose(2, 0, 1), input_lengths, losses, zero)


def _gradient(grad: Any, log_probs: Any, expected: Any, input_lengths: Any, losses: Any, zero: bool) -> Any:
    """The difference of the probabilities and of what is expected by the labels."""
    result = (np.exp(log_probs) - np.exp(expected + losses[None, :, None] - log_probs)) * grad[None, :, None]
    if zero:
        result = np.where(np.isinf(losses)[None, :, None], log_probs.dtype.type(0), result)
    result[np.arange(len(result))[:, None] >= input_lengths[None, :]] = 0
    return result


def padded(targets: Any, lengths: Any) -> Any:
    """Targets as (B, S): padded, or one after the other as they may be given."""
    most = int(lengths.max()) if lengths.size else 0
    if targets.ndim == 2:
        return np.where(np.arange(most) < lengths[:, None], targets[:, :most], 0) if most else targets[:, :0]
    result = np.zeros((lengths.size, most), np.int64)
    result[np.arange(most) < lengths[:, None]] = targets[: int(lengths.sum())]
    return result
