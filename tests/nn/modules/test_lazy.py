"""Lazy modules and uninitialized parameters."""

import copy
import pickle

from harness import Row, parity, rows
from models import error


def lazy(torch):
    """A lazy layer and the class that it turns into."""
    nn = torch.nn

    class Layer(nn.Module):
        def __init__(self, n, m):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(m, n))

        def forward(self, x):
            return x @ self.weight.t()

    class LazyLayer(nn.modules.lazy.LazyModuleMixin, Layer):
        cls_to_become = Layer

        def __init__(self, m):
            super().__init__(0, 0)
            self.m = m
            self.weight = nn.UninitializedParameter()
            self.buffer = nn.UninitializedBuffer()

        def initialize_parameters(self, x):
            if self.has_uninitialized_params():
                with torch.no_grad():
                    self.weight.materialize((self.m, x.shape[-1]))
                    self.buffer.materialize((2,))
                    self.weight.fill_(2.0)
                    self.buffer.fill_(1.0)

    return LazyLayer(3)


@parity
def test_first_forward(torch):
    """Shapes, classes and hooks before and after."""
    model = lazy(torch)
    weight = model.weight
    before = [repr(model.state_dict()["weight"]), model.has_uninitialized_params(), type(model).__name__, len(model._forward_pre_hooks)]
    out = model(torch.ones(2, 4))
    after = [type(model).__name__, type(weight).__name__, model.weight is weight, len(model._forward_pre_hooks), list(model.__dict__)]
    return before, out, after, model.state_dict()["buffer"], type(model.buffer).__name__, list(model._buffers)


@parity
def test_conversion_before(torch):
    """Dtype and device may be set before the shape is known."""
    model = lazy(torch).double().to("cpu")
    kind = [str(model.weight.dtype), type(model.weight).__name__]
    return kind, model(torch.ones(1, 2, dtype=torch.float64)), str(model.buffer.dtype)


@parity
def test_loading(torch):
    """Each way: placeholder from tensor, tensor from tensor, tensor from placeholder."""
    full = lazy(torch)
    full(torch.ones(1, 4))
    model, untouched = lazy(torch), lazy(torch)
    result = repr(model.load_state_dict(full.state_dict()))
    return [
        result,
        model.weight,
        type(model.weight).__name__,
        type(model).__name__,
        repr(untouched.load_state_dict(lazy(torch).state_dict())),
        error(lambda: full.load_state_dict(untouched.state_dict())),
    ]


@parity
def test_not_fully_initialized(torch):
    """A module that forgets a parameter, and one that defines nothing."""

    class Forgetful(torch.nn.modules.lazy.LazyModuleMixin, torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.UninitializedParameter()

        def initialize_parameters(self, x):
            pass

    class Undefined(Forgetful):
        initialize_parameters = torch.nn.modules.lazy.LazyModuleMixin.initialize_parameters

    return [error(lambda: Forgetful()(1)), error(lambda: Undefined()(1)), error(lambda: Forgetful()._replicate_for_data_parallel())]


@parity
def test_placeholder_copies(torch):
    u = torch.nn.UninitializedParameter(requires_grad=False, dtype=torch.float64)
    twin = copy.deepcopy(u)
    other = pickle.loads(pickle.dumps(u))
    shown = [repr(each) for each in (u, twin, other, torch.nn.UninitializedBuffer())]
    return shown, twin.requires_grad, str(twin.dtype), other.requires_grad


UNINITIALIZED = "u = nn.UninitializedParameter(); "

test_refused = rows(
    Row(UNINITIALIZED + "u.shape"),
    Row(UNINITIALIZED + "u + 1", message="Attempted to use an uninitialized parameter in .*UninitializedParameter` objects"),
    Row(UNINITIALIZED + "torch.ones(1) * u", message="Attempted to use an uninitialized parameter in "),
    Row(UNINITIALIZED + "u.dim()", message="Attempted to use an uninitialized parameter in "),
    Row(UNINITIALIZED + "u.numel()", message="Attempted to use an uninitialized parameter in "),
    Row(UNINITIALIZED + "u.detach()", message="Attempted to use an uninitialized parameter in "),
    Row(UNINITIALIZED + "u.share_memory_()"),
    Row(UNINITIALIZED + "u.size(), str(u.dtype), str(u.device), u.requires_grad"),
    Row("u = nn.UninitializedBuffer(dtype=torch.int64); u.sum()", message="Attempted to use an uninitialized parameter in "),
)
