"""Recurrent layers: RNN, LSTM and GRU, and their single steps."""

import functools
import math
import numbers
import warnings
import weakref
from typing import Any

from ...core.dtype import float32
from ...core.naming import public
from ...ops import recurrent as ops
from ...ops.creation import empty, zeros
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_FUNCTIONS = {"LSTM": ops.lstm, "GRU": ops.gru, "RNN_TANH": ops.rnn_tanh, "RNN_RELU": ops.rnn_relu}


def _check_options(input_size: Any, hidden_size: Any, num_layers: Any, bias: Any, batch_first: Any, dropout: Any, proj_size: Any) -> None:
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError("dropout should be a number in range [0, 1] representing the probability of an element being zeroed")
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than 1, but "
            f"got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value, kind in (("bias", bias, bool), ("batch_first", batch_first, bool)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(value, int):
            raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


def _weight_names(layer: int, direction: int, bias: bool, projected: bool) -> list[str]:
    suffix = f"_l{layer}" + ("_reverse" if direction else "")
    kinds = ["weight_ih", "weight_hh"] + ["bias_ih", "bias_hh"] * bias + ["weight_hr"] * projected
    return [kind + suffix for kind in kinds]


@public("torch.nn.modules.rnn")
class RNNBase(Module):
    """What RNN, LSTM and GRU share: their parameters, and the checks of what they are given.

    Per layer k (and with the ending `_reverse`, per backward direction): weight_ih_lk (gates * hidden, input), weight_hh_lk
    (gates * hidden, hidden), bias_ih_lk and bias_hh_lk (gates * hidden), with projections weight_hr_lk (proj, hidden). All
    start uniform in (-k, k), k = 1 / sqrt(hidden_size). Raises TypeError and ValueError for options that make no sense.
    """

    __constants__ = ["mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size"]
    __jit_unused_properties__ = ["all_weights"]

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._flat_weight_refs: list[Any] = []
        _check_options(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        rows, directions, out = _GATES[mode] * hidden_size, 1 + bool(bidirectional), proj_size or hidden_size
        self._flat_weights_names: list[str] = []
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(directions):
                columns = input_size if layer == 0 else out * directions
                shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, out), "weight_hr": (out, hidden_size)}
                names = _weight_names(layer, direction, bias, proj_size > 0)
                for name in names:
                    setattr(self, name, Parameter(empty(shapes.get(name.partition("_l")[0], (rows,)), device=device, dtype=dtype)))
                self._flat_weights_names.extend(names)
                self._all_weights.append(names)
        self._init_flat_weights()
        self.reset_parameters()

    # --- the weights as a list ---------------------------------------------------------------------------------

    def _init_flat_weights(self) -> None:
        self._flat_weights: list[Any] = [getattr(self, name, None) for name in self._flat_weights_names]
        self._flat_weight_refs = [w if w is None else weakref.ref(w) for w in self._flat_weights]
        self.flatten_parameters()

    def __setattr__(self, name: str, value: Any) -> None:
        names = self.__dict__.get("_flat_weights_names")
        # While the list is not there yet, a name that it will hold is a parameter like any other.
        if names and name in names and "_flat_weights" in self.__dict__:
            self._flat_weights[names.index(name)] = value
        super().__setattr__(name, value)

    def flatten_parameters(self) -> None:
        """Nothing: on a GPU, PyTorch lays the weights out in one block here."""

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._flat_weight_refs = []
        result = super()._apply(fn, recurse)
        self._init_flat_weights()
        return result

    def _weights_have_changed(self) -> bool:
        parameters = self._parameters
        for ref, name in zip(self._flat_weight_refs, self._flat_weights_names):
            weight = parameters.get(name)
            if weight is None:
                weight = getattr(self, name, None)  # a parametrization, say
            if weight is not None and ref is not None and ref() is not weight:
                return True
        return False

    def _update_flat_weights(self) -> None:
        if self._weights_have_changed():
            self._init_flat_weights()

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def reset_parameters(self) -> None:
        """Draws new initial values, uniform in (-k, k), k = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def __getstate__(self) -> dict[str, Any]:
        self._update_flat_weights()
        state = self.__dict__.copy()
        del state["_flat_weight_refs"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "all_weights" in state:  # as older versions stored them
            self.__dict__["_all_weights"] = state["all_weights"]
            self.__dict__.pop("all_weights", None)
        if "proj_size" not in state:
            self.proj_size = 0
        if not isinstance(self._all_weights[0][0], str):
            cells = [(layer, direction) for layer in range(self.num_layers) for direction in range(1 + bool(self.bidirectional))]
            self._all_weights = [_weight_names(layer, direction, self.bias, self.proj_size > 0) for layer, direction in cells]
            self._flat_weights_names = [name for names in self._all_weights for name in names]
            self._flat_weights = [getattr(self, name, None) for name in self._flat_weights_names]
        self._flat_weight_refs = [w if w is None else weakref.ref(w) for w in self._flat_weights]

    # --- checks ------------------------------------------------------------------------------------------------

    def check_input(self, input: Any, batch_sizes: Any) -> None:
        """Raises ValueError for another dtype than the weights', RuntimeError for a wrong number of dimensions or size."""
        dtype = self._flat_weights[0].dtype
        if input.dtype is not dtype and not _autocasting():
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert input: input.to({dtype}), or convert "
                f"model: model.to({input.dtype})"
            )
        expected = 3 if batch_sizes is None else 2
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}")

    def _state_size(self, input: Any, batch_sizes: Any, width: int) -> tuple[int, int, int]:
        batch = input.size(0 if self.batch_first else 1) if batch_sizes is None else int(batch_sizes[0])
        return self.num_layers * (1 + bool(self.bidirectional)), batch, width

    def get_expected_hidden_size(self, input: Any, batch_sizes: Any) -> tuple[int, int, int]:
        """(layers * directions, batch, hidden), the shape that the hidden state must have."""
        return self._state_size(input, batch_sizes, self.proj_size or self.hidden_size)

    def check_hidden_size(self, hx: Any, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}") -> None:
        """Raises RuntimeError where the hidden state has another shape."""
        if hx.size() != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Any, hidden: Any, batch_sizes: Any) -> None:
        """Raises where input or hidden state do not fit the module."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Any) -> Any:
        """The hidden state with the batch in the order `permutation`; unchanged for None."""
        return hx if permutation is None else hx.index_select(1, permutation)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        options = (("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0), ("bidirectional", False))
        return text + "".join(f", {name}={getattr(self, name)}" for name, default in options if getattr(self, name) != default)

    # --- running -----------------------------------------------------------------------------------------------

    def _initial(self, input: Any, batch_sizes: Any) -> Any:
        """The hidden state that stands for None."""
        return zeros(self.get_expected_hidden_size(input, batch_sizes), dtype=input.dtype, device=input.device)

    def _unsqueezed(self, hx: Any, batched: bool) -> Any:
        """A given hidden state, with a batch dimension of its own if the input has none."""
        if hx.dim() != (3 if batched else 2):
            raise RuntimeError(
                f"For batched 3-D input, hx should also be 3-D but got {hx.dim()}-D tensor" if batched
                else f"For unbatched 2-D input, hx should also be 2-D but got {hx.dim()}-D tensor"
            )  # fmt: skip
        return hx if batched else hx.unsqueeze(1)

    def _without_batch(self, hidden: Any) -> Any:
        return hidden.squeeze(1)

    def _run(self, input: Any, hx: Any, batch_sizes: Any) -> Any:
        """Output and last hidden state."""
        function: Any = _FUNCTIONS[self.mode]
        options = (self._flat_weights, self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        if batch_sizes is None:
            return function(input, hx, *options, self.batch_first)
        return function(input, batch_sizes, hx, *options)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The outputs of the last layer, and the last hidden state of every layer and direction.

        input: (L, N, in), with `batch_first` (N, L, in), without a batch (L, in), or a PackedSequence. The output has its
        form, with directions * hidden in place of in. hx: (layers * directions, N, hidden), zeros if None; for an LSTM
        a pair of such.
        """
        self._update_flat_weights()
        if isinstance(input, PackedSequence):
            data, batch_sizes, sorted_indices, unsorted_indices = input
            hx = self._initial(data, batch_sizes) if hx is None else self.permute_hidden(hx, sorted_indices)
            self.check_forward_args(data, hx, batch_sizes)
            output, hidden = self._run(data, hx, batch_sizes)
            packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
            return packed, self.permute_hidden(hidden, unsorted_indices)
        ndim = input.dim()
        if ndim != 3 and ndim != 2:
            tail = " tensor instead" if self.mode.startswith("RNN") else " instead"
            raise ValueError(f"{self.mode.partition('_')[0]}: Expected input to be 2D or 3D, got {ndim}D{tail}")
        batched, batch_dim = ndim == 3, 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_dim)
        hx = self._initial(input, None) if hx is None else self._unsqueezed(hx, batched)
        self.check_forward_args(input, hx, None)
        output, hidden = self._run(input, hx, None)
        if batched:
            return output, hidden
        return output.squeeze(batch_dim), self._without_batch(hidden)


def _autocasting() -> bool:
    from ...ops.modes import stacks

    return stacks.autocast is not None


@public("torch.nn.modules.rnn")
class RNN(RNNBase):
    """Layers of Elman networks: `h = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or relu in place of tanh.

    Arguments: input_size, hidden_size, num_layers, nonlinearity ("tanh" or "relu"), and those of `RNNBase`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        # An option of this class, kept first as PyTorch keeps it.
        self.nonlinearity = nonlinearity
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)


@functools.cache
def _warn_of_projections() -> None:
    """Says, once in a process, what PyTorch says."""
    warnings.warn(
        "LSTM with projections is not supported with oneDNN. Using default implementation. "
        "(Triggered internally at /__w/pytorch/pytorch/aten/src/ATen/native/RNN.cpp:1512.)",
        stacklevel=4,
    )


@public("torch.nn.modules.rnn")
class LSTM(RNNBase):
    """Layers of long short-term memory.

    With gates i, f, o = sigmoid(W x + b + W' h + b') and g = tanh(...): `c = f c + i g`, `h = o tanh(c)`, and, with
    `proj_size`, `h = W_hr h`. The hidden state is the pair (h, c). Hochreiter and Schmidhuber, 1997.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Any, batch_sizes: Any) -> tuple[int, int, int]:
        """(layers * directions, batch, hidden), the shape that the cell state must have."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Any, hidden: Any, batch_sizes: Any) -> None:
        """Raises where input or states do not fit the module."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden[0], self.get_expected_hidden_size(input, batch_sizes), "Expected hidden[0] size {}, got {}")
        self.check_hidden_size(hidden[1], self.get_expected_cell_size(input, batch_sizes), "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Any) -> Any:
        """Both states with the batch in the order `permutation`; unchanged for None."""
        return hx if permutation is None else (hx[0].index_select(1, permutation), hx[1].index_select(1, permutation))

    def _initial(self, input: Any, batch_sizes: Any) -> Any:
        h = super()._initial(input, batch_sizes)
        return h, zeros(self.get_expected_cell_size(input, batch_sizes), dtype=input.dtype, device=input.device)

    def _unsqueezed(self, hx: Any, batched: bool) -> Any:
        ndims = hx[0].dim(), hx[1].dim()
        if ndims != ((3, 3) if batched else (2, 2)):
            kind, wanted = ("batched 3-D", 3) if batched else ("unbatched 2-D", 2)
            raise RuntimeError(f"For {kind} input, hx and cx should also be {wanted}-D but got ({ndims[0]}-D, {ndims[1]}-D) tensors")
        return hx if batched else (hx[0].unsqueeze(1), hx[1].unsqueeze(1))

    def _without_batch(self, hidden: Any) -> Any:
        return hidden[0].squeeze(1), hidden[1].squeeze(1)

    def _run(self, input: Any, hx: Any, batch_sizes: Any) -> Any:
        if self.proj_size and batch_sizes is None and input.dtype is float32 and input.numel():
            _warn_of_projections()
        output, h, c = super()._run(input, hx, batch_sizes)
        return output, (h, c)


@public("torch.nn.modules.rnn")
class GRU(RNNBase):
    """Layers of gated recurrent units.

    `r, z = sigmoid(W x + b + W' h + b')`, `n = tanh(W x + b + r (W' h + b'))`, `h = (1 - z) n + z h`. Cho et al., 2014.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


# --- single steps --------------------------------------------------------------------------------------------------


@public("torch.nn.modules.rnn")
class RNNCellBase(Module):
    """What the cells share: weight_ih (gates * hidden, input), weight_hh (gates * hidden, hidden) and two biases."""

    __constants__ = ["input_size", "hidden_size", "bias"]

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(empty((rows, hidden_size), device=device, dtype=dtype))
        if bias:
            self.bias_ih = Parameter(empty(rows, device=device, dtype=dtype))
            self.bias_hh = Parameter(empty(rows, device=device, dtype=dtype))
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.__dict__.get("nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def reset_parameters(self) -> None:
        """Draws new initial values, uniform in (-k, k), k = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _check_dims(self, input: Any, hidden: Any) -> None:
        """Raises ValueError where the input or a state is neither 1-D nor 2-D."""
        name = type(self).__name__ if type(self).__name__ in __all__ else self._get_name()
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for what, state in hidden:
            if state.dim() not in (1, 2):
                raise ValueError(f"{name}: Expected {what} to be 1D or 2D, got {state.dim()}D instead")

    def _one_state(self, function: Any, input: Any, hx: Any) -> Any:
        """A step of a cell with one state, for (N, in) or (in)."""
        self._check_dims(input, () if hx is None else (("hidden", hx),))
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if hx is None:
            hx = zeros((input.size(0), self.hidden_size), dtype=input.dtype, device=input.device)
        elif not batched:
            hx = hx.unsqueeze(0)
        result = function(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return result if batched else result.squeeze(0)


@public("torch.nn.modules.rnn")
class RNNCell(RNNCellBase):
    """One step of `RNN`: `h = tanh(W_ih x + b_ih + W_hh h + b_hh)`. Shapes: input (N, in) or (in), hx (N, hidden) or (hidden)."""

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Any:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._one_state(ops.rnn_tanh_cell if self.nonlinearity == "tanh" else ops.rnn_relu_cell, input, hx)


@public("torch.nn.modules.rnn")
class LSTMCell(RNNCellBase):
    """One step of `LSTM`. Shapes: input (N, in) or (in), hx a pair of (N, hidden) or (hidden). Returns the new pair."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        self._check_dims(input, () if hx is None else [(f"hx[{i}]", state) for i, state in enumerate(hx)])
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if hx is None:
            state = zeros((input.size(0), self.hidden_size), dtype=input.dtype, device=input.device)
            hx = state, state
        elif not batched:
            hx = hx[0].unsqueeze(0), hx[1].unsqueeze(0)
        h, c = ops.lstm_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return (h, c) if batched else (h.squeeze(0), c.squeeze(0))


@public("torch.nn.modules.rnn")
class GRUCell(RNNCellBase):
    """One step of `GRU`. Shapes: input (N, in) or (in), hx (N, hidden) or (hidden)."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        return self._one_state(ops.gru_cell, input, hx)
