"""Recurrent networks: one operator for a layer in one direction over all time steps, and the functions made of them."""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..kernels import recurrent as k
from .definition import Array, composite, formula_function, operator, tensors

# --- layers --------------------------------------------------------------------------------------------------------
# `input` is (T, B, in), or (rows, in) in packed order with `sizes`, how many rows each step has. Outputs have the same
# form. The last state of each sequence follows.


def scalar_name(array: Any) -> str:
    """PyTorch's word for an array's dtype: Float, Double, ..."""
    return SCALAR_NAMES[OF_NUMPY[array.dtype]]


def _sizes_of(input: Array, sizes: Any) -> Any:
    return [input.shape[1]] * input.shape[0] if sizes is None else sizes


def _rows_of(array: Any) -> Any:
    return None if array is None else array.reshape(-1, array.shape[-1])


def _check_layer(input: Array, *others: Any) -> None:
    """Raises RuntimeError where there is no step, or a state or weight has another dtype than the input."""
    if not input.shape[0]:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    for other in others:
        if other is not None and other.dtype != input.dtype:
            names = (scalar_name(x) for x in (other, input))
            raise RuntimeError("mat1 and mat2 must have the same dtype, but got {} and {}".format(*names))


def _lstm_node(
    input: Array, hx: Array, cx: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, w_hr: Any, sizes: Any, reverse: Any
) -> str:
    if sizes is not None:
        return "CatBackward0"
    return "MkldnnRnnLayerBackward0" if input.size and input.dtype.name in ("float32", "bfloat16") and w_hr is None else "StackBackward0"


def _layer_node(input: Array, *rest: Any) -> str:
    return "StackBackward0" if input.ndim == 3 else "CatBackward0"


@operator(outputs=5, hidden=2, node=_lstm_node, out=False)
def lstm_layer(
    input: Array, hx: Array, cx: Array, w_ih: Array, w_hh: Array,
    b_ih: Array | None, b_hh: Array | None, w_hr: Array | None, sizes: Any, reverse: Any,
) -> Array:  # fmt: skip
    """An LSTM layer: outputs, last h, last c. `w_hr` projects h (Sak, Senior and Beaufays, 2014)."""
    _check_layer(input, hx, cx, w_ih, w_hh)
    values = k.in_single([input, hx, cx, w_ih, w_hh, b_ih, b_hh, w_hr])
    results = k.lstm(_rows_of(values[0]), *values[1:], _sizes_of(input, sizes), reverse)
    out, *states = results[:3] if values[0] is input else [r.astype(input.dtype) for r in results[:3]]
    return out.reshape(*input.shape[:-1], out.shape[1]), *states, *results[3:]


@operator(outputs=4, hidden=2, node=_layer_node, out=False)
def gru_layer(input: Array, hx: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None, sizes: Any, reverse: Any) -> Array:
    """A GRU layer: outputs, last h. The reset gate acts behind the recurrent product."""
    _check_layer(input, hx, w_ih, w_hh)
    values = k.in_single([input, hx, w_ih, w_hh, b_ih, b_hh])
    results = k.gru(_rows_of(values[0]), *values[1:], _sizes_of(input, sizes), reverse)
    out, h = results[:2] if values[0] is input else [r.astype(input.dtype) for r in results[:2]]
    return out.reshape(*input.shape[:-1], out.shape[1]), h, *results[2:]


@operator(outputs=2, node=_layer_node, out=False)
def rnn_layer(
    input: Array, hx: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None, relu: Any, sizes: Any, reverse: Any
) -> Array:
    """An Elman layer, tanh or relu: outputs, last h."""
    _check_layer(input, hx, w_ih, w_hh)
    values = k.in_single([input, hx, w_ih, w_hh, b_ih, b_hh])
    out, h = k.rnn(_rows_of(values[0]), *values[1:], relu, _sizes_of(input, sizes), reverse)
    if values[0] is not input:
        out, h = out.astype(input.dtype), h.astype(input.dtype)
    return out.reshape(*input.shape[:-1], out.shape[1]), h


def _lstm_backward_arrays(grads: Any, input: Any, hx: Any, cx: Any, weights: Any, saved: Any, sizes: Any, reverse: Any, needs: Any) -> Any:
    w_ih, w_hh, _, _, w_hr = weights
    grad, grad_h, grad_c = (_rows_of(g) for g in grads[:3])
    values = k.in_single([input, hx, cx, w_ih, w_hh, w_hr, grad, grad_h, grad_c, saved[0]])
    x, h0, c0, w_ih, w_hh, w_hr, grad, grad_h, grad_c, out = values
    found = k.lstm_backward(
        grad, grad_h, grad_c, _rows_of(x), h0, c0, w_ih, w_hh, w_hr, _rows_of(out), *saved[1:], _sizes_of(input, sizes), reverse, needs
    )
    return (found[0] if found[0] is None else found[0].reshape(input.shape), *found[1:])


def _gru_backward_arrays(grads: Any, input: Any, hx: Any, weights: Any, saved: Any, sizes: Any, reverse: Any, needs: Any) -> Any:
    grad, grad_h = (_rows_of(g) for g in grads[:2])
    x, h0, w_ih, w_hh, grad, grad_h, out = k.in_single([input, hx, *weights[:2], grad, grad_h, saved[0]])
    found = k.gru_backward(grad, grad_h, _rows_of(x), h0, w_ih, w_hh, _rows_of(out), *saved[1:], _sizes_of(input, sizes), reverse, needs)
    return (found[0] if found[0] is None else found[0].reshape(input.shape), *found[1:])


def _rnn_backward_arrays(grads: Any, input: Any, hx: Any, weights: Any, out: Any, relu: Any, sizes: Any, reverse: Any, needs: Any) -> Any:
    grad, grad_h = (_rows_of(g) for g in grads[:2])
    x, h0, w_ih, w_hh, grad, grad_h, out = k.in_single([input, hx, *weights[:2], grad, grad_h, out])
    found = k.rnn_backward(grad, grad_h, _rows_of(x), h0, w_ih, w_hh, _rows_of(out), relu, _sizes_of(input, sizes), reverse, needs)
    return (found[0] if found[0] is None else found[0].reshape(input.shape), *found[1:])


# Under create_graph the layer is computed anew, step by step, and differentiated as a graph of its own.


def _through_steps(cell: Any, input: Any, states: tuple[Any, ...], sizes: Any, reverse: bool) -> tuple[Any, ...]:
    """Applies `cell(x, states)`, which gives new states, at every step: outputs in the input's form, last states."""
    starts = k.steps_of(_sizes_of(input, sizes), reverse)
    rows = input.reshape(-1, input.shape[-1])
    outputs = []
    for start, n in starts:
        new = cell(rows[start : start + n], tuple(s[:n] for s in states))
        outputs.append(new[0])
        states = tuple(tensors.cat([a, s[n:]]) if n < s.shape[0] else a for a, s in zip(new, states))
    out = tensors.cat(outputs[::-1] if reverse else outputs)
    return out.reshape(*input.shape[:-1], out.shape[-1]), *states


def _gradients_of(function: Any, grads: Any, values: list[Any], needs: list[bool]) -> Any:
    """The gradients of `function(*values)` as recorded Tensors: aliases keep what a value was made of out of it."""
    from ..autograd import grad as gradient

    aliases = [v if v is None else v.view_as(v) for v in values]
    results = function(*aliases)
    ends = [(r, g) for r, g in zip(results, grads) if g is not None]
    wanted = [a for a, need in zip(aliases, needs) if need]
    if not ends or not wanted:
        return (None,) * len(values)
    found = iter(gradient([r for r, _ in ends], wanted, [g for _, g in ends], create_graph=True, allow_unused=True))
    return tuple(next(found) if need else None for need in needs)


def _lstm_backward_tensors(grads: Any, input: Any, hx: Any, cx: Any, weights: Any, saved: Any, sizes: Any, reverse: Any, needs: Any) -> Any:
    def layer(x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any) -> Any:
        return _through_steps(lambda x, s: _lstm_step(x, s[0], s[1], w_ih, w_hh, b_ih, b_hh, w_hr), x, (h, c), sizes, reverse)

    return _gradients_of(layer, grads, [input, hx, cx, *weights], needs)


def _gru_backward_tensors(grads: Any, input: Any, hx: Any, weights: Any, saved: Any, sizes: Any, reverse: Any, needs: Any) -> Any:
    def layer(x: Any, h: Any, *weights: Any) -> Any:
        return _through_steps(lambda x, s: (_gru_step(x, *s, *weights),), x, (h,), sizes, reverse)

    return _gradients_of(layer, grads, [input, hx, *weights], needs)


def _rnn_backward_tensors(grads: Any, input: Any, hx: Any, weights: Any, out: Any, relu: Any, sizes: Any, reverse: Any, needs: Any) -> Any:
    def layer(x: Any, h: Any, *weights: Any) -> Any:
        return _through_steps(
            lambda x, s: (_rnn_step(x, s[0], weights[0], weights[1], weights[2], weights[3], relu),), x, (h,), sizes, reverse
        )

    return _gradients_of(layer, grads, [input, hx, *weights], needs)


formula_function("lstm_layer_backward", _lstm_backward_arrays, _lstm_backward_tensors)
formula_function("gru_layer_backward", _gru_backward_arrays, _gru_backward_tensors)
formula_function("rnn_layer_backward", _rnn_backward_arrays, _rnn_backward_tensors)


@lstm_layer.joint("input", "hx", "cx", "w_ih", "w_hh", "b_ih", "b_hh", "w_hr")
def _lstm_gradients(
    F: Any, grads: Any, needs: Any, input: Any, hx: Any, cx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any,
    result0: Any, result3: Any, result4: Any, sizes: Any, reverse: Any,
) -> Any:  # fmt: skip
    weights = (w_ih, w_hh, b_ih, b_hh, w_hr)
    return F.lstm_layer_backward(grads, input, hx, cx, weights, (result0, result3, result4), sizes, reverse, needs)


@gru_layer.joint("input", "hx", "w_ih", "w_hh", "b_ih", "b_hh")
def _gru_gradients(
    F: Any, grads: Any, needs: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any,
    result0: Any, result2: Any, result3: Any, sizes: Any, reverse: Any,
) -> Any:  # fmt: skip
    return F.gru_layer_backward(grads, input, hx, (w_ih, w_hh, b_ih, b_hh), (result0, result2, result3), sizes, reverse, needs)


@rnn_layer.joint("input", "hx", "w_ih", "w_hh", "b_ih", "b_hh")
def _rnn_gradients(
    F: Any, grads: Any, needs: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any,
    result0: Any, relu: Any, sizes: Any, reverse: Any,
) -> Any:  # fmt: skip
    return F.rnn_layer_backward(grads, input, hx, (w_ih, w_hh, b_ih, b_hh), result0, relu, sizes, reverse, needs)


# --- single steps --------------------------------------------------------------------------------------------------


def _lstm_step(x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any = None) -> tuple[Any, Any]:
    gates = tensors.linear(h, w_hh, b_hh) + tensors.linear(x, w_ih, b_ih)
    i, f, g, o = gates.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if w_hr is None else tensors.linear(h, w_hr, None)), c


def _gru_step(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    from_x = tensors.linear(x, w_ih, b_ih).chunk(3, 1)
    from_h = tensors.linear(h, w_hh, b_hh).chunk(3, 1)
    reset = (from_h[0] + from_x[0]).sigmoid()
    update = (from_h[1] + from_x[1]).sigmoid()
    new = (from_x[2] + from_h[2] * reset).tanh()
    return (h - new) * update + new


def _rnn_step(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, relu: bool) -> Any:
    total = tensors.linear(h, w_hh, b_hh) + tensors.linear(x, w_ih, b_ih)
    return total.relu() if relu else total.tanh()


def _check_cell(input: Any, hidden: Any, w_ih: Any, w_hh: Any) -> None:
    """Raises RuntimeError where the sizes or dtypes of a single step do not fit."""
    if input.size(1) != w_ih.size(1):
        raise RuntimeError(f"input has inconsistent input_size: got {input.size(1)} expected {w_ih.size(1)}")
    size = w_hh.size(1)
    for number, h in enumerate(hidden):
        if input.size(0) != h.size(0):
            raise RuntimeError(f"Input batch size {input.size(0)} doesn't match hidden{number} batch size {h.size(0)}")
        if h.size(1) != size:
            raise RuntimeError(f"hidden{number} has inconsistent hidden_size: got {h.size(1)}, expected {size}")
    for t in (input, *hidden):
        if t.dtype is not w_ih.dtype:
            raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {SCALAR_NAMES[t.dtype]} and {SCALAR_NAMES[w_ih.dtype]}")


@composite("torch.lstm_cell")
def lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> tuple[Any, Any]:
    """One step of an LSTM. input: (B, in), hx: (h, c), each (B, hidden). Returns the new h and c."""
    if not isinstance(hx, (tuple, list)):
        raise TypeError(f"lstm_cell(): argument 'hx' (position 2) must be tuple of Tensors, not {type(hx).__name__}")
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    _check_cell(input, hx, w_ih, w_hh)
    return _lstm_step(input, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh)


@composite("torch.gru_cell")
def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of a GRU. input: (B, in), hx: (B, hidden). Returns the new state."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return _gru_step(input, hx, w_ih, w_hh, b_ih, b_hh)


@composite("torch.rnn_tanh_cell")
def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of an Elman network with tanh. input: (B, in), hx: (B, hidden). Returns the new state."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return _rnn_step(input, hx, w_ih, w_hh, b_ih, b_hh, False)


@composite("torch.rnn_relu_cell")
def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of an Elman network with relu. input: (B, in), hx: (B, hidden). Returns the new state."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return _rnn_step(input, hx, w_ih, w_hh, b_ih, b_hh, True)


# --- whole networks ------------------------------------------------------------------------------------------------


def _network(
    layer: Any, input: Any, sizes: Any, states: tuple[Any, ...], params: Any,
    has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Stacked layers in one or two directions. `layer(x, states, weights, sizes, reverse)` gives (output, *last states)."""
    directions = 2 if bidirectional else 1
    cells = num_layers * directions
    per_layer = len(params) // cells if cells else 0
    if not has_biases:
        params = [p for i in range(cells) for p in _without_bias(params[i * per_layer : (i + 1) * per_layer])]
        per_layer = len(params) // cells
    last: list[list[Any]] = [[] for _ in states]
    number = 0
    for i in range(num_layers):
        outputs = []
        for direction in range(directions):
            weights = params[number * per_layer : (number + 1) * per_layer]
            out, *ends = layer(input, tuple(s[number] for s in states), weights, sizes, direction == 1)
            outputs.append(out)
            for kept, end in zip(last, ends):
                kept.append(end)
            number += 1
        input = outputs[0] if directions == 1 else tensors.cat(outputs, -1)
        if dropout and train and i < num_layers - 1:
            input = tensors.dropout(input, dropout, True)
    return input, *(tensors.stack(kept) for kept in last)


def _without_bias(weights: Any) -> list[Any]:
    """The weights of a layer without biases, with None in their places."""
    return [*weights[:2], None, None, *weights[2:]]


def _lstm_over(input: Any, states: Any, weights: Any, sizes: Any, reverse: bool) -> Any:
    return lstm_layer.function(input, *states, *weights, *((None,) if len(weights) == 4 else ()), sizes, reverse)


def _gru_over(input: Any, states: Any, weights: Any, sizes: Any, reverse: bool) -> Any:
    return gru_layer.function(input, *states, *weights, sizes, reverse)


def _tanh_over(input: Any, states: Any, weights: Any, sizes: Any, reverse: bool) -> Any:
    return rnn_layer.function(input, *states, *weights, False, sizes, reverse)


def _relu_over(input: Any, states: Any, weights: Any, sizes: Any, reverse: bool) -> Any:
    return rnn_layer.function(input, *states, *weights, True, sizes, reverse)


def _check_devices(input: Any, hx: Any, params: Any) -> None:
    """Raises RuntimeError where states or weights have no memory and the input has, or the other way round."""
    for what, others in (("hidden", hx if isinstance(hx, (tuple, list)) else (hx,)), ("parameter", params)):
        for other in others:
            if other.is_meta != input.is_meta:
                raise RuntimeError(
                    f"Input and {what} tensors are not at the same device, found input tensor at {input.device} and {what} tensor at "
                    f"{other.device}"
                )


def _run(layer: Any, states_of: Any, args: tuple[Any, ...]) -> Any:
    """Both forms: (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) of a padded
    batch, and (data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional) of a packed one."""
    packed = isinstance(args[2], bool) or not isinstance(args[3], bool)
    _check_devices(args[0], args[1 + packed], args[2 + packed])
    if packed:
        data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional = args
        sizes = batch_sizes.tolist()
        return _network(layer, data, sizes, states_of(hx), params, has_biases, num_layers, dropout, train, bidirectional)
    input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first = args
    if batch_first:
        input = input.transpose(0, 1)
    out, *last = _network(layer, input, None, states_of(hx), params, has_biases, num_layers, dropout, train, bidirectional)
    if batch_first:  # PyTorch does it in place, but for LSTMs, which shows in the name of the node
        if layer is _lstm_over:
            out = out.transpose(0, 1)
        else:
            out = out.transpose_(0, 1)
            if out._counter:  # no element has changed, and the backward takes them
                out._counter[0] -= 1
    return out, *last


def _pair(hx: Any) -> tuple[Any, ...]:
    if len(hx) != 2:
        raise RuntimeError("lstm expects two hidden states")
    return tuple(hx)


def _alone(hx: Any) -> tuple[Any, ...]:
    return (hx,)


@composite("torch.lstm")
def lstm(*args: Any) -> tuple[Any, Any, Any]:
    """A stack of LSTM layers: output, h_n, c_n.

    (input, (h, c), params, has_biases, num_layers, dropout, train, bidirectional, batch_first), or, packed,
    (data, batch_sizes, (h, c), params, has_biases, num_layers, dropout, train, bidirectional).
    """
    return _run(_lstm_over, _pair, args)


@composite("torch.gru")
def gru(*args: Any) -> tuple[Any, Any]:
    """A stack of GRU layers: output, h_n. Arguments as those of `lstm`, with one tensor in place of (h, c)."""
    return _run(_gru_over, _alone, args)


@composite("torch.rnn_tanh")
def rnn_tanh(*args: Any) -> tuple[Any, Any]:
    """A stack of Elman layers with tanh: output, h_n. Arguments as those of `gru`."""
    return _run(_tanh_over, _alone, args)


@composite("torch.rnn_relu")
def rnn_relu(*args: Any) -> tuple[Any, Any]:
    """A stack of Elman layers with relu: output, h_n. Arguments as those of `gru`."""
    return _run(_relu_over, _alone, args)
