"""Recurrent layers over all time steps, one direction, and their gradients.

Rows are in packed order: first the batch's rows of step 0, then those of step 1, and so on; `sizes` says how many there
are at each step, never more than at the step before. The products with the input are one matrix product over all rows;
each step is one small product and arithmetic in place. A sigmoid is 0.5 tanh(x / 2) + 0.5, its halves multiplied
into the weights, so that all gates are one call of tanh.
"""

from typing import Any

import numpy as np

from .batch_norm import channel_sums
from .compiler import usable
from .library import recurrent as library
from .matmul import dot, linear, linear_weight_gradient, matmul
from .quiet import quiet

KINDS = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}
add, subtract, multiply, tanh = np.add, np.subtract, np.multiply, np.tanh


def in_single(values: list[Any]) -> list[Any]:
    """Arrays of 16-bit floats as float32, in which their arithmetic is done; others, and None, as they are."""
    if values[0].dtype.itemsize > 2:
        return values
    return [v if v is None else v.astype(np.float32) for v in values]


def steps_of(sizes: list[int], reverse: bool) -> list[tuple[int, int]]:
    """For each step, in the order of the computation: the number of its first row, how many rows it has."""
    steps, start = [], 0
    for n in sizes:
        steps.append((start, n))
        start += n
    return steps[::-1] if reverse else steps


def previous_rows(states: Any, initial: Any, steps: list[tuple[int, int]]) -> Any:
    """The state before each row's step: `initial` where a sequence begins, else the row of the step before."""
    result = np.empty((states.shape[0], initial.shape[1]), states.dtype)
    before, had = 0, 0
    for start, n in steps:
        both = had if had < n else n
        result[start : start + both] = states[before : before + both]
        if both < n:
            result[start + both : start + n] = initial[both:n]
        before, had = start, n
    return result


def _with_bias(product: Any, *biases: Any) -> Any:
    for bias in biases:
        if bias is not None:
            product += bias
    return product


# --- the compiled lowering ----------------------------------------------------------------------------------------------


def _compiles(*arrays: Any) -> bool:
    """Whether the compiled kernels take arrays of this dtype."""
    dtype = arrays[0].dtype
    return dtype in KINDS and usable() and arrays[0].size > 0 and all(a is None or (a.dtype == dtype and a.size > 0) for a in arrays)


def _table(steps: list[tuple[int, int]], rows: int, width: int, padded: int, has_grad: bool, backwards: bool) -> Any:
    """The steps as the compiled kernels take them: the rows of each and of the step before it."""
    befores = [(0, 0), *steps[:-1]]
    lines = [(*now, *before) for now, before in zip(steps, befores)]
    work = max(1, len(steps) * width * padded)
    grain = max(1, min(8, rows), -(-100_000 // work))
    table = [len(steps), rows, width, grain, padded, int(has_grad)]
    for line in reversed(lines) if backwards else lines:
        table += line
    return np.array(table, np.int64)


def _panels(weight: Any) -> Any:
    """A weight (k, columns) packed in panels of columns, the last one filled up with zeros."""
    size = library.panel(KINDS[weight.dtype])
    k, columns = weight.shape
    count = -(-columns // size)
    if count * size != columns:
        wide = np.zeros((k, count * size), weight.dtype)
        wide[:, :columns] = weight
        weight = wide
    return weight.reshape(k, count, size).swapaxes(0, 1).copy("C")


def _run(
    kernel: Any, arrays: list[Any], weight: Any, steps: list[tuple[int, int]], rows: int, width: int, has_grad: bool, backwards: bool
) -> None:
    panels = _panels(weight)
    padded = panels.shape[0] * panels.shape[2]
    kernel(*arrays, np.empty((rows, padded), weight.dtype), panels, _table(steps, rows, width, padded, has_grad, backwards))


def _or_zeros(grad: Any, width: int, dtype: Any) -> Any:
    return np.zeros(width, dtype) if grad is None else np.ascontiguousarray(grad)


@quiet
def lstm(
    x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, sizes: list[int], reverse: bool
) -> tuple[Any, Any, Any, Any, Any]:
    """The outputs of all rows, the last h and c of each sequence, the gates (i, f, g, o) and the cells of all rows."""
    width = c0.shape[1]
    dtype = x.dtype
    if w_hr is None and _compiles(x, h0, c0, w_ih, w_hh, b_ih, b_hh):
        gates = linear(x, w_ih, b_ih if b_hh is None else b_ih + b_hh)
        h, c = h0.copy("C"), c0.copy("C")
        outputs, cells = np.empty((len(x), width), dtype), np.empty((len(x), width), dtype)
        arrays = [outputs, cells, gates, h, c]
        _run(library.lstm(KINDS[dtype]), arrays, w_hh.T, steps_of(sizes, reverse), len(h), width, False, False)
        return outputs, h, c, gates, cells
    half = np.full(4 * width, 0.5, dtype)
    half[2 * width : 3 * width] = 1  # g is a tanh already
    shift = half.copy()
    shift[2 * width : 3 * width] = 0
    gates = _with_bias(linear(x, w_ih * half[:, None], None), *(None if b is None else b * half for b in (b_ih, b_hh)))
    recurrent = np.ascontiguousarray((w_hh * half[:, None]).T)
    project = None if w_hr is None else np.ascontiguousarray(w_hr.T)
    h, c = h0.copy(), c0.copy()
    outputs, cells = np.empty((x.shape[0], h.shape[1]), dtype), np.empty((x.shape[0], width), dtype)
    product, scratch = np.empty((h.shape[0], 4 * width), dtype), np.empty((h.shape[0], width), dtype)
    for start, n in steps_of(sizes, reverse):
        end = start + n
        g, s, now, cell = gates[start:end], scratch[:n], h[:n], c[:n]
        add(g, dot(now, recurrent, product[:n]), g)
        tanh(g, g)
        multiply(g, half, g)
        add(g, shift, g)
        multiply(cell, g[:, width : 2 * width], cell)
        multiply(g[:, :width], g[:, 2 * width : 3 * width], s)
        add(cell, s, cell)
        cells[start:end] = cell
        tanh(cell, s)
        if project is None:
            multiply(s, g[:, 3 * width :], now)
        else:
            dot(multiply(s, g[:, 3 * width :], s), project, now)
        outputs[start:end] = now
    return outputs, h, c, gates, cells


@quiet
def lstm_backward(
    grad: Any, grad_h: Any, grad_c: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, w_hr: Any,
    outputs: Any, gates: Any, cells: Any, sizes: list[int], reverse: bool, needs: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of x, h0, c0, w_ih, w_hh, both biases and w_hr, given those of the outputs and the last h and c."""
    rows, width = cells.shape
    steps = steps_of(sizes, reverse)
    if w_hr is None and _compiles(x, h0, c0, w_ih, w_hh, grad, grad_h, grad_c, outputs, gates, cells):
        slopes, previous = np.empty(gates.shape, x.dtype), np.empty(outputs.shape, x.dtype)
        dh = np.zeros(h0.shape, x.dtype) if grad_h is None else grad_h.copy("C")
        dc = np.zeros(c0.shape, x.dtype) if grad_c is None else grad_c.copy("C")
        arrays = [slopes, previous, dh, dc, _or_zeros(grad, width, x.dtype)]
        arrays += [np.ascontiguousarray(a) for a in (outputs, gates, cells, h0, c0)]
        _run(library.lstm_backward(KINDS[x.dtype]), arrays, w_hh, steps, len(h0), width, grad is not None, True)
        total: Any = channel_sums(slopes) if needs[5] or needs[6] else None
        return (
            matmul(slopes, w_ih) if needs[0] else None,
            dh,
            dc,
            linear_weight_gradient(slopes, x) if needs[3] else None,
            linear_weight_gradient(slopes, previous) if needs[4] else None,
            total if needs[5] else None,
            total.copy() if needs[6] else None,
            None,
        )
    i, f, g, o = (gates[:, k * width : (k + 1) * width] for k in range(4))
    t = tanh(cells)
    # What multiplies the gradients of c (first three) and of h (the last) to give those of the gates' arguments.
    slopes = np.empty((rows, 4, width), x.dtype)
    one = x.dtype.type(1)
    subtract(one, gates.reshape(rows, 4, width), slopes)
    slopes *= gates.reshape(rows, 4, width)
    slopes[:, 0] *= g
    slopes[:, 1] *= previous_rows(cells, c0, steps)
    np.multiply(g, g, slopes[:, 2])
    subtract(one, slopes[:, 2], slopes[:, 2])
    slopes[:, 2] *= i
    slopes[:, 3] *= t
    through_cell = multiply(t, t, t)
    subtract(one, t, t)
    t *= o
    dh = np.zeros_like(h0) if grad_h is None else grad_h.copy()
    dc = np.zeros_like(c0) if grad_c is None else grad_c.copy()
    scratch = np.empty((h0.shape[0], width), x.dtype)
    flat = slopes.reshape(rows, 4 * width)
    projected = None if w_hr is None else (np.empty((rows, h0.shape[1]), x.dtype), np.empty((h0.shape[0], width), x.dtype))
    for start, n in reversed(steps):
        end = start + n
        h, c, s, slope = dh[:n], dc[:n], scratch[:n], slopes[start:end]
        if grad is not None:
            add(h, grad[start:end], h)
        if projected is None:
            inner = h
        else:
            projected[0][start:end] = h
            inner = dot(h, w_hr, projected[1][:n])
        multiply(inner, through_cell[start:end], s)
        add(c, s, c)
        first, last = slope[:, :3], slope[:, 3]
        multiply(first, c[:, None], first)
        multiply(last, inner, last)
        multiply(c, f[start:end], c)
        dot(flat[start:end], w_hh, h)
    bias: Any = add.reduce(flat, 0) if needs[5] or needs[6] else None
    project = None
    if projected is not None and needs[7]:
        project = linear_weight_gradient(projected[0], tanh(cells) * o)
    return (
        dot(flat, w_ih) if needs[0] else None,
        dh,
        dc,
        linear_weight_gradient(flat, x) if needs[3] else None,
        linear_weight_gradient(flat, previous_rows(outputs, h0, steps)) if needs[4] else None,
        bias if needs[5] else None,
        bias.copy() if needs[6] else None,
        project,
    )


@quiet
def gru(x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, sizes: list[int], reverse: bool) -> tuple[Any, Any, Any, Any]:
    """The outputs of all rows, the last h of each sequence, the gates (r, z, n), the recurrent part of n before r."""
    width = h0.shape[1]
    dtype = x.dtype
    if _compiles(x, h0, w_ih, w_hh, b_ih, b_hh):
        gates = linear(x, w_ih, b_ih)
        last = np.zeros(width, dtype)
        if b_hh is not None:
            gates[:, : 2 * width] += b_hh[: 2 * width]
            last[...] = b_hh[2 * width :]
        h = h0.copy("C")
        outputs, parts = np.empty((len(x), width), dtype), np.empty((len(x), width), dtype)
        arrays = [outputs, gates, parts, h, last]
        _run(library.gru(KINDS[dtype]), arrays, w_hh.T, steps_of(sizes, reverse), len(h), width, False, False)
        return outputs, h, gates, parts
    half = np.full(3 * width, 0.5, dtype)
    half[2 * width :] = 1
    gates = linear(x, w_ih * half[:, None], None)
    new_bias = None
    if b_ih is not None:
        gates += b_ih * half
    if b_hh is not None:
        gates[:, : 2 * width] += b_hh[: 2 * width] * half[: 2 * width]
        new_bias = b_hh[2 * width :]
    recurrent = np.ascontiguousarray((w_hh * half[:, None]).T)
    h = h0.copy()
    outputs, parts = np.empty((x.shape[0], width), dtype), np.empty((x.shape[0], width), dtype)
    product, scratch = np.empty((h.shape[0], 3 * width), dtype), np.empty((h.shape[0], width), dtype)
    point_five = dtype.type(0.5)
    for start, n in steps_of(sizes, reverse):
        end = start + n
        g, s, now, part, p = gates[start:end], scratch[:n], h[:n], parts[start:end], product[:n]
        dot(now, recurrent, p)
        rz, new = g[:, : 2 * width], g[:, 2 * width :]
        add(rz, p[:, : 2 * width], rz)
        tanh(rz, rz)
        multiply(rz, point_five, rz)
        add(rz, point_five, rz)
        if new_bias is None:
            part[...] = p[:, 2 * width :]
        else:
            add(p[:, 2 * width :], new_bias, part)
        multiply(g[:, :width], part, s)
        add(new, s, new)
        tanh(new, new)
        subtract(now, new, now)
        multiply(now, g[:, width : 2 * width], now)
        add(now, new, now)
        outputs[start:end] = now
    return outputs, h, gates, parts


@quiet
def gru_backward(
    grad: Any, grad_h: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, outputs: Any, gates: Any, parts: Any,
    sizes: list[int], reverse: bool, needs: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of x, h0, w_ih, w_hh and both biases, given those of the outputs and the last h."""
    rows, width = outputs.shape
    steps = steps_of(sizes, reverse)
    if _compiles(x, h0, w_ih, w_hh, grad, grad_h, outputs, gates, parts):
        slopes = np.empty(gates.shape, x.dtype)
        news, previous = np.empty(outputs.shape, x.dtype), np.empty(outputs.shape, x.dtype)
        dh = np.zeros(h0.shape, x.dtype) if grad_h is None else grad_h.copy("C")
        arrays = [slopes, news, previous, dh, _or_zeros(grad, width, x.dtype)]
        arrays += [np.ascontiguousarray(a) for a in (outputs, gates, parts, h0)]
        _run(library.gru_backward(KINDS[x.dtype]), arrays, w_hh, steps, len(h0), width, grad is not None, True)
        recurrent = linear_weight_gradient(slopes, previous) if needs[3] else None
        b_hh = channel_sums(slopes) if needs[5] else None
        slopes[:, 2 * width :] = news
        return (
            matmul(slopes, w_ih) if needs[0] else None,
            dh,
            linear_weight_gradient(slopes, x) if needs[2] else None,
            recurrent,
            channel_sums(slopes) if needs[4] else None,
            b_hh,
        )
    r, z, new = (gates[:, k * width : (k + 1) * width] for k in range(3))
    before = previous_rows(outputs, h0, steps)
    slopes = np.empty((rows, 3, width), x.dtype)
    slopes[:, 0] = parts * r * (1 - r)
    slopes[:, 1] = (before - new) * z * (1 - z)
    slopes[:, 2] = (1 - z) * (1 - new * new)
    dh = np.zeros_like(h0) if grad_h is None else grad_h.copy()
    product = np.empty_like(h0)
    news = np.empty((rows, width), x.dtype)  # gradients of the argument of n
    flat = slopes.reshape(rows, 3 * width)
    for start, n in reversed(steps):
        end = start + n
        h, slope, dn, p = dh[:n], slopes[start:end], news[start:end], product[:n]
        if grad is not None:
            add(h, grad[start:end], h)
        multiply(slope[:, 2], h, dn)
        multiply(slope[:, 1], h, slope[:, 1])
        multiply(slope[:, 0], dn, slope[:, 0])
        multiply(dn, r[start:end], slope[:, 2])
        multiply(h, z[start:end], h)
        add(h, dot(flat[start:end], w_hh, p), h)
    recurrent = linear_weight_gradient(flat, before) if needs[3] else None
    b_hh = add.reduce(flat, 0) if needs[5] else None
    slopes[:, 2] = news
    return (
        dot(flat, w_ih) if needs[0] else None,
        dh,
        linear_weight_gradient(flat, x) if needs[2] else None,
        recurrent,
        add.reduce(flat, 0) if needs[4] else None,
        b_hh,
    )


@quiet
def rnn(x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, relu: bool, sizes: list[int], reverse: bool) -> tuple[Any, Any]:
    """The outputs of all rows and the last h of each sequence."""
    outputs = _with_bias(linear(x, w_ih, None), b_ih, b_hh)
    h = h0.copy("C")
    if _compiles(x, h0, w_ih, w_hh, b_ih, b_hh):
        _run(library.rnn(KINDS[x.dtype], bool(relu)), [outputs, h], w_hh.T, steps_of(sizes, reverse), len(h), h.shape[1], False, False)
        return outputs, h
    product, recurrent, zero = np.empty_like(h), np.ascontiguousarray(w_hh.T), x.dtype.type(0)
    for start, n in steps_of(sizes, reverse):
        out, now = outputs[start : start + n], h[:n]
        add(out, dot(now, recurrent, product[:n]), out)
        if relu:
            np.maximum(out, zero, out=out)
        else:
            tanh(out, out)
        now[...] = out
    return outputs, h


@quiet
def rnn_backward(
    grad: Any, grad_h: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, outputs: Any, relu: bool, sizes: list[int], reverse: bool, needs: Any
) -> tuple[Any, ...]:
    """The gradients of x, h0, w_ih, w_hh and both biases, given those of the outputs and the last h."""
    steps = steps_of(sizes, reverse)
    if _compiles(x, h0, w_ih, w_hh, grad, grad_h, outputs):
        width = h0.shape[1]
        slopes, previous = np.empty(outputs.shape, x.dtype), np.empty(outputs.shape, x.dtype)
        dh = np.zeros(h0.shape, x.dtype) if grad_h is None else grad_h.copy("C")
        arrays = [slopes, previous, dh, _or_zeros(grad, width, x.dtype), np.ascontiguousarray(outputs), np.ascontiguousarray(h0)]
        _run(library.rnn_backward(KINDS[x.dtype], bool(relu)), arrays, w_hh, steps, len(h0), width, grad is not None, True)
        total: Any = channel_sums(slopes) if needs[4] or needs[5] else None
        return (
            matmul(slopes, w_ih) if needs[0] else None,
            dh,
            linear_weight_gradient(slopes, x) if needs[2] else None,
            linear_weight_gradient(slopes, previous) if needs[3] else None,
            total if needs[4] else None,
            total.copy() if needs[5] else None,
        )
    slopes = (outputs > 0).astype(x.dtype) if relu else 1 - outputs * outputs
    dh = np.zeros_like(h0) if grad_h is None else grad_h.copy()
    for start, n in reversed(steps):
        end = start + n
        h, slope = dh[:n], slopes[start:end]
        if grad is not None:
            add(h, grad[start:end], h)
        multiply(slope, h, slope)
        dot(slope, w_hh, h)
    bias: Any = add.reduce(slopes, 0) if needs[4] or needs[5] else None
    return (
        dot(slopes, w_ih) if needs[0] else None,
        dh,
        linear_weight_gradient(slopes, x) if needs[2] else None,
        linear_weight_gradient(slopes, previous_rows(outputs, h0, steps)) if needs[3] else None,
        bias if needs[4] else None,
        bias.copy() if needs[5] else None,
    )
