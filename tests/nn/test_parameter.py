"""Parameter and Buffer."""

import copy
import pickle

from harness import Row, parity, rows
from models import error

test_parameter = rows(
    Row("repr(nn.Parameter(torch.ones(2)))"),
    Row("repr(nn.Parameter(torch.ones(2), requires_grad=False))"),
    Row("repr(nn.Parameter(torch.tensor(1.5))), str(nn.Parameter(torch.ones(2, 2)))"),
    Row("nn.Parameter()"),
    Row("nn.Parameter(torch.tensor([1, 2]))"),
    Row("nn.Parameter(torch.tensor([1, 2]), requires_grad=False)"),
    Row("nn.Parameter(torch.tensor([1, 2]), False)"),
    Row("nn.Parameter([1.0, 2.0])"),
    Row("nn.Parameter"),
    Row("p = nn.Parameter(torch.ones(2)); [type(p * 2), type(p.data), type(p.detach()), type(p.clone())]"),
    Row("x = torch.ones(2); p = nn.Parameter(x); x[0] = 5; p"),
    Row("x = torch.ones(2, requires_grad=True); p = nn.Parameter(x * 2); p.is_leaf, p.grad_fn"),
    Row("p = nn.Parameter(torch.ones(2)); q = nn.Parameter(p); q is p, q.data_ptr() == p.data_ptr(), type(q)"),
    Row("p = nn.Parameter(torch.ones(2)); (p * p).sum().backward(); p.grad"),
    Row("x = torch.ones(2); p = nn.Parameter(x); y = (p * p).sum(); x.add_(1); y.backward()", message="modified by an inplace operation"),
    Row("p = nn.Parameter(torch.ones(2)); p.add_(1)"),
    Row("p = nn.Parameter(torch.ones(2)); p.data.add_(1); p"),
    Row("b = nn.Buffer(torch.ones(2)); repr(b), type(b), b.persistent, isinstance(b, nn.Buffer), b.requires_grad"),
    Row("b = nn.Buffer(torch.ones(2), persistent=False); b.persistent"),
    Row("nn.Buffer()"),
    Row("[isinstance(x, c) for x in (torch.ones(1), 3) for c in (nn.Buffer, nn.Parameter)]"),
    Row("[issubclass(c, torch.Tensor) for c in (nn.Parameter, nn.Buffer, nn.UninitializedParameter, nn.UninitializedBuffer)]"),
)


@parity
def test_copies(torch):
    """deepcopy and pickle keep values, the flag, and attributes of the user's."""
    p = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    q = torch.nn.Parameter(torch.zeros(1))
    q.note = "text"
    q.grad = torch.ones(1)
    out = []
    for twin in (copy.deepcopy(p), pickle.loads(pickle.dumps(p)), pickle.loads(pickle.dumps(q)), copy.deepcopy([q, q])[1]):
        out.append([type(twin).__name__, twin, twin.requires_grad, getattr(twin, "note", None), twin.grad])
    twins = copy.deepcopy([q, q])
    return out, twins[0] is twins[1], pickle.loads(pickle.dumps([q, q]))[0].note


@parity
def test_subclasses(torch):
    """Of Parameter, and parameters of Tensor's subclasses."""

    class Mine(torch.nn.Parameter):
        pass

    class Special(torch.Tensor):
        pass

    class Broken(torch.Tensor):
        def detach(self):
            return torch.ones(1)

    mine = Mine(torch.ones(2))
    special = torch.nn.Parameter(torch.ones(2).as_subclass(Special))
    return [
        type(mine).__name__,
        isinstance(mine, torch.nn.Parameter),
        isinstance(special, Mine),
        type(mine * 2).__name__,
        type(special).__name__,
        isinstance(special, torch.nn.Parameter),
        special.requires_grad,
        error(lambda: torch.nn.Parameter(torch.ones(1).as_subclass(Broken))),
    ]
