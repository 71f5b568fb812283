"""Sparse tensors by coordinates: what they are made of, and what operators make of them, as PyTorch prints it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Row, parity, randn, rows, value

SETUP = """
i = torch.tensor([[0, 1, 1], [2, 0, 2]]); v = torch.tensor([3.0, 4.0, 5.0])
x = torch.sparse_coo_tensor(i, v, (2, 4)).coalesce(); y = torch.sparse_coo_tensor([[0, 1], [2, 3]], [10.0, 20.0], (2, 4))
y = y.coalesce()
u = torch.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 2.0], (2, 4))
n = torch.sparse_coo_tensor([[1, 0, 1], [2, 1, 0]], [1.0, 2.0, 3.0], (2, 4))
d = torch.arange(8.0).reshape(2, 4); dt = torch.arange(12.0).reshape(4, 3); h = torch.sparse_coo_tensor([[0, 1]], d + 1, (2, 4)).coalesce()
xi = x.int(); xc = x.to(torch.complex64) * 2j
"""

GROUPS = {
    "making": """
torch.sparse_coo_tensor(i, v)
torch.sparse_coo_tensor((2,3))
torch.sparse_coo_tensor(torch.empty(2,0,dtype=torch.long), [])
torch.sparse_coo_tensor([[0]], [1])
torch.sparse_coo_tensor([[0]], [1], dtype=torch.float64)
torch.sparse_coo_tensor([0], 1., (3,))
torch.sparse_coo_tensor([0,1], [1.,2.], (3,))
torch.sparse_coo_tensor([[0,5]], [1.,2.], (3,))
torch.sparse_coo_tensor([[0,-1]], [1.,2.], (3,))
torch.sparse_coo_tensor([[0,1]], [1.,2.,3.], (3,))
torch.sparse_coo_tensor([[0,1]], [1.,2.], (3,3))
torch.sparse_coo_tensor([[0.5,1]], [1.,2.])
torch.sparse_coo_tensor([[0,1]], [1.,2.], (3,), check_invariants=True)
torch.sparse_coo_tensor([[0,5]], [1.,2.], (3,), check_invariants=True)
torch.sparse_coo_tensor([[0,-1]], [1.,2.], check_invariants=True)
torch.sparse_coo_tensor([[0,-1]], [1.,2.])
torch.sparse_coo_tensor([[0,0]], [1.,2.], (3,), is_coalesced=True)
torch.sparse_coo_tensor([[0,0]], [1.,2.], (3,), is_coalesced=True, check_invariants=True)
torch.sparse_coo_tensor([[1,0]], [1.,2.], (3,), is_coalesced=True, check_invariants=True)
torch.sparse_coo_tensor([[1,0]], [1.,2.], (3,), requires_grad=True)
torch.sparse_coo_tensor("a", 1)
torch.sparse_coo_tensor([[0]], [1.], (-3,))
torch.sparse_coo_tensor([[0]], [3.], (1,)).item()
float(torch.sparse_coo_tensor([[0]], [3.], (1,)))
bool(torch.sparse_coo_tensor([[0]], [3.], (1,)))
x.to_sparse()
d.to_sparse(3)
d.to_sparse(1)
d.to_sparse(0)
d.to_sparse()
torch.tensor(3.).to_sparse()
d.to_sparse(layout=torch.strided)
torch.zeros_like(x)
torch.empty_like(x)
torch.zeros(2,3,layout=torch.sparse_coo)
torch.empty(2,3,layout=torch.sparse_coo)
x.new_zeros(3)
x.new_empty((2,2))
x.new_tensor([1.])
x.new(2,2)
torch.is_tensor(x), torch.is_nonzero(torch.sparse_coo_tensor([[0]], [3.], (1,)))
torch.sparse_coo_tensor(i, torch.tensor([True,False,True]))
torch.sparse_coo_tensor(i, torch.tensor([1,2,3],dtype=torch.int8))
torch.sparse_coo_tensor(i, v.to(torch.complex64))
torch.sparse_coo_tensor(i.int(), v)
torch.sparse_coo_tensor(torch.zeros(0,1,dtype=torch.long), torch.tensor([5.]), ())
torch.sparse_coo_tensor(torch.zeros(1,0,dtype=torch.long), torch.zeros(0,2), (0,2))
torch.sparse_coo_tensor(i, v.requires_grad_())
torch.sparse_coo_tensor(i, v.detach().requires_grad_()).coalesce()
torch.eye(3).requires_grad_().to_sparse()
torch.eye(3).requires_grad_().to_sparse().to_dense()
torch.sspaddmm(torch.sparse_coo_tensor((2,3)), x, dt)
torch.sparse_coo_tensor([[0]], torch.ones(1,2,3), (2,2,3)).transpose(1,2)
torch.sparse.spdiags(torch.arange(9).reshape(3,3), torch.tensor([0,-1,-2]), (3,3))
torch.sparse.spdiags(torch.tensor([[1.,2,3],[1,2,3],[1,2,3]]), torch.tensor([0,1,2]), (5,5))
torch.sparse.spdiags(torch.ones(2,3), torch.tensor([0,0]), (3,3))
torch.sparse.spdiags(torch.ones(2,3), torch.tensor([0]), (3,3))
torch.sparse.spdiags(torch.ones(1,3), torch.tensor([0.]), (3,3))
torch.sparse.spdiags(torch.ones(1,3), torch.tensor([0]), (3,))
torch.zeros(2,3,dtype=torch.int64,layout=torch.sparse_coo)
x.new_zeros(2,2,dtype=torch.float64)
torch.eye(3).to_sparse().is_coalesced()
(d>3).to_sparse()
d.to_sparse_coo()
torch.sspaddmm(torch.eye(2,3).to_sparse(),x,dt,beta=2,alpha=0.5)
torch.sparse_coo_tensor(i.T, v)
torch.sparse_coo_tensor(indices=i, values=v, size=[2,3])
torch.sparse_coo_tensor(i, v.double()).dtype
torch.sparse_coo_tensor(i, [1,2,3], dtype=torch.complex64)
torch.sparse_coo_tensor(size=(2,3))
x.to_dense().to_sparse().to_dense()
d.add_(torch.ones(2,5).to_sparse())
d+torch.ones(2,5).to_sparse()
x+torch.ones(2,5).to_sparse()
x*torch.ones(2,5).to_sparse()
""",
    "asking": """
x
u
h
x.nbytes
len(x)
list(x)
x.reshape(8)
x.expand(2,2,4)
torch.ones(2,3,layout=torch.sparse_coo)
torch.tensor(x)
torch.as_tensor(x)
x.numpy(force=True)
x.is_same_size(x)
hash(x) is not None
x.grad_fn
abs(x)
torch.nn.functional.relu(x)
x.real
x.repeat(2,1)
torch.tensordot(x, dt, 1)
torch.nan_to_num(x)
x.layout == torch.sparse_coo
x.float_power(2)
""",
    "converting": """
u.coalesce()
u.indices()
u.values()
u._indices()
u._values()
u.is_coalesced()
u.coalesce().is_coalesced()
x.to(torch.float64)
x.double()
x.clone()
x.detach()
x.to_dense()
d.coalesce()
x.copy_(x)
x.copy_(d)
d.copy_(x)
x.cpu()
x.type()
x.type(torch.DoubleTensor)
x.dtype
x.to(torch.complex64).real
x.to(torch.complex64).imag
x.to(torch.complex64).abs()
torch.broadcast_to(x,(2,2,4))
x.type_as(d.double())
n.coalesce()
xc.to_dense()
h.coalesce().values()
h.to_dense()
n.half()
n.bfloat16()
n.to_dense()
x._coalesced_(False).is_coalesced()
torch.result_type(x,xi)
x.type_as(y)
x.coalesce() is x
u.coalesce() is u
x.copy_(y)
u.copy_(x).is_coalesced()
""",
    "elementwise": """
u._nnz()
x.sparse_dim(), x.dense_dim(), h.sparse_dim(), h.dense_dim()
d.sparse_dim(), d.dense_dim()
x.stride()
x.is_contiguous()
x.contiguous()
x.element_size()
x.numpy()
x.item()
x.flatten()
x.zero_()
u.abs()
x.log1p()
x.conj()
x.neg_()
x.abs_()
x.sqrt_()
x.relu_()
x.requires_grad_()
xc.conj()
xc.abs()
x.nan_to_num()
x.numel()
x.t_()
""",
    "arithmetic": """
x+y
x+u
u+u
d+x
x-y
d-x
x*y
x*u
u*u
x*d
d*x
x*2
2*x
x*torch.tensor(2.)
x*torch.tensor(2)
xi*2.5
x*xi
x+xi
x/2
x/y
x/d
x//2
x**2
x**0.5
x**0
x**-1
-x
-u
x.add_(y)
d.clone().add_(x)
d.clone().add_(x, alpha=2)
d.clone().sub_(x)
torch.add(x, y, alpha=3)
x.mul_(2)
x.mul_(y)
x.mul_(d)
d.clone().mul_(x)
x.div_(2)
x.sub_(y)
torch.add(x,x,out=x)
x.matmul(dt)
x+n
n+x
n+n
n+u
n*x
n*u
x*n
n-x
d+n
d.add_(n, alpha=0.3)
h+h
h*h
h*d
xc+x
xc*x
x.sub(y,alpha=2)
x.add(y,alpha=-0.5)
x.mul_(xi)
xi.mul_(2.5)
xi.add_(x)
x.add_(u)
u.add_(x)
d.mul_(h)
d.add_(x)
d.add_(h, alpha=2)
d.sub_(h)
x*torch.ones(2,1)
""",
    "products": """
torch.mm(x, dt)
torch.mm(d.t(), x)
torch.mm(x, x.t())
x @ dt
x @ x.t()
x @ torch.ones(4)
x.mv(torch.ones(4))
torch.ones(2) @ x
d.t() @ x
torch.addmm(torch.ones(2,3), x, dt, beta=2, alpha=3)
torch.sparse.addmm(torch.ones(2,3), x, dt, beta=2, alpha=3)
torch.addmm(torch.ones(1,3), x, dt)
torch.sparse.mm(x, dt)
torch.sparse.mm(x, x.t())
torch.sparse.mm(d.t(), x)
torch.sparse.mm(u, dt)
torch.smm(x, dt)
torch.hspmm(x, dt)
torch.spmm(x, dt)
torch.dsmm(x, dt)
torch.saddmm(x, x, dt)
torch.bmm(torch.stack([x,x]), torch.ones(2,4,3))
torch.mm(x, torch.ones(3,3))
x @ torch.ones(3,3)
torch.mm(x, dt.double())
torch.mm(h, dt)
torch.mm(xi, dt.int())
torch.sparse.softmax(x, 0)
torch.sparse.softmax(x, 1)
torch.sparse.log_softmax(x, 1)
torch.sparse.softmax(u, 1)
torch.sparse.softmax(h, 1)
torch.sparse.softmax(x, 1, dtype=torch.float64)
torch.nn.functional.linear(torch.ones(2,4), x)
torch.nn.functional.linear(x, torch.ones(3,4))
torch.sparse.mm(n,dt)
n@dt
h@dt if False else 0
torch.sparse.softmax(n,0)
torch.sparse.log_softmax(h,0)
torch.dsmm(x,dt)
n.smm(dt)
torch.hspmm(n,dt)
torch.addmm(torch.ones(2,3), n, dt, beta=0.5, alpha=2)
torch.mm(xi,dt.int())
torch.mm(xc,dt.to(torch.complex64))
torch.bmm(torch.stack([x,n]), torch.stack([dt,dt]))
torch.stack([x,n])@torch.stack([dt,dt])
""",
    "sums": """
x.sum()
x.sum(0)
x.sum(dim=1, keepdim=True)
x.norm()
x.any()
torch.sparse.sum(x)
torch.sparse.sum(x, 0)
torch.sparse.sum(x, (0,1))
torch.sparse.sum(x, dim=1, dtype=torch.float64)
torch.sparse.sum(h, 0)
torch.sparse.sum(h, 1)
torch.sparse.sum(u)
torch.sparse.sum(d)
u.sum()
u.sum(0)
xi.sum()
x.sum(dtype=torch.float64)
x.norm(1)
x.norm(2)
torch.norm(x, p='fro')
torch.isnan(x).any()
torch.any(x)
n.sum(0)
torch.stack([x,y]).sum((0,2))
torch.stack([x,y]).sum(1,keepdim=True)
torch.sparse.sum(torch.stack([x,y]),(0,1))
u.norm()
n.norm(3)
xi.sum(0)
""",
    "places": """
x.storage_offset()
x.tolist()
x[0]
x[0,2]
x[:,1]
x[None]
x.T
x.t()
x.mT
x.permute(1,0)
x.transpose(0,1)
x.unsqueeze(0)
x.unsqueeze(1)
x.int()
torch.cat([x,x])
torch.cat([x,x],1)
torch.stack([x,x])
torch.hstack([x,x])
x.sparse_resize_((3,5),2,0)
x.sqrt()
u.sqrt()
xi.sqrt()
d.sparse_mask(x)
d.sparse_mask(u)
x.sparse_mask(y)
torch.ones(2,5).sparse_mask(x)
x.index_select(0, torch.tensor([1,1,0]))
x.index_select(1, torch.tensor([2]))
u.index_select(0, torch.tensor([0]))
h.index_select(1, torch.tensor([0,2]))
torch.select(x, 0, 1)
h.select(1,0)
x.narrow_copy(1, 0, 2)
x.unbind(0)
x.unsqueeze(-1).shape
x.swapaxes(0,1)
x.movedim(0,1)
x.permute(0,1,1)
x.permute(0)
h.transpose(0,1)
n.t()
h.t() if False else 0
n.index_select(0,torch.tensor([1,0,1]))
n[1]
n[:,2]
n[1,0]
h[1]
h[0,1]
torch.cat([x,n,u])
torch.cat([h,h],1)
torch.cat([x,d])
torch.stack([h,h])
n.unsqueeze(2)
h.unsqueeze(1)
h.unsqueeze(2)
n.permute(1,0)
h.permute(0,1)
torch.stack([x,y]).permute(2,0,1)
torch.stack([x,y]).transpose(0,2)
d.sparse_mask(n)
n.sparse_mask(x)
x.sparse_resize_and_clear_((3,5),1,1)
x.is_floating_point()
x*torch.tensor([1.,2,3,4])
x.transpose_(0,1)
""",
    "refused": """
x.untyped_storage()
x[0:1]
x[...]
x.view(8)
x.squeeze()
x.to_dense(torch.float64)
x.to_sparse(1)
torch.equal(x, x)
torch.equal(x, x.to_dense())
torch.equal(u, u.coalesce())
torch.allclose(x, x)
x == 1
x > 0
x != 0
torch.isclose(x, x)
torch.ones_like(x)
torch.full_like(x, 2.)
x.mean()
x.max()
x.amax()
x.prod()
x.all()
x.nonzero()
x.argmax()
x.std()
x.resize_(3,3)
x.new_ones(2)
x+d
x+1
1+x
x-d
2/x
x%2
x**y
2**x
x.exp()
x.cos()
x.sigmoid()
x.reciprocal()
x.log()
x.clamp(0,1)
x.isfinite()
x.add_(d)
torch.softmax(x, 1)
x.sparse_mask(d)
d.sparse_mask(d)
x.narrow(1,0,2)
x.split(1)
x.chunk(2)
torch.linalg.norm(x)
torch.linalg.vector_norm(x)
torch.where(x>0,x,x)
x.tril()
x.diag()
x.diagonal()
torch.trace(x)
x.flip(0)
x.roll(1)
x.gather(0,torch.zeros(1,1,dtype=torch.long))
x.cumsum(0)
x.sort()
x.unique()
torch.diff(x)
x.addmv(torch.ones(2,4), torch.ones(4))
torch.dot(x[0], torch.ones(4))
x.is_set_to(x)
x.any(0)
n+d
x.sparse_resize_((1,5),2,0)
x.sparse_resize_((3,5,2),2,1)
x.sparse_resize_((3,5),1,1)
""",
}


def outcome(torch, expression):
    """What an expression gives, as text: tensors as they are printed and whether they are coalesced, errors by type and message."""
    scope = {"torch": torch, "F": torch.nn.functional}
    exec(SETUP, scope)

    def shown(value):
        if isinstance(value, (tuple, list)) and not hasattr(value, "numel"):
            return [shown(v) for v in value]
        return f"{value!r} {value.is_coalesced()}" if getattr(value, "is_sparse", False) else repr(value)

    try:
        return shown(eval(expression, scope))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).split(' with arguments from')[0].splitlines()[0]}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", GROUPS)
@parity
def test_as_pytorch_shows_it(torch, group):
    return {expression: outcome(torch, expression) for expression in GROUPS[group].strip().splitlines()}


test_gradients = rows(
    Row("x.to_sparse().to_dense()", x=randn(3, 4), grad=2),
    Row("x.to_sparse(1).to_dense()", x=randn(3, 4), grad=2),
    Row("torch.sparse_coo_tensor(i, v, (3, 4)).to_dense()", i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), grad=2),
    Row("torch.sparse_coo_tensor(i, v, (3, 4)).to_dense()", i=value([[0, 2, 0]]), v=randn(3, 4), grad=2),
    Row("torch.sparse_coo_tensor(i, v, (3, 4)).coalesce().values()", i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), grad=True),
    Row("torch.sparse.mm(torch.sparse_coo_tensor(i, v, (3, 4)), m)", i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), m=randn(4, 2), grad=True),
    Row(
        "torch.sparse.addmm(b, torch.sparse_coo_tensor(i, v, (3, 4)), m, beta=2, alpha=3)",
        i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), m=randn(4, 2), b=randn(3, 2), grad=True,
    ),
    Row("torch.mm(torch.sparse_coo_tensor(i, v, (3, 4)), m)", i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), m=randn(4, 2), grad=True),
    Row("torch.sparse_coo_tensor(i, v, (3, 4)) @ m", i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), m=randn(4), grad=True),
    Row("m @ torch.sparse_coo_tensor(i, v, (3, 4))", i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), m=randn(2, 3), grad=True),
    Row("torch.sparse.sum(torch.sparse_coo_tensor(i, v, (3, 4)))", i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), grad=True),
    Row("torch.sparse.sum(torch.sparse_coo_tensor(i, v, (3, 4)), 1).to_dense()", i=value([[0, 2, 0], [1, 3, 1]]), v=randn(3), grad=True),
    Row("torch.sparse.softmax(x.to_sparse(), 1).to_dense()", x=randn(3, 4), grad=True),
    Row("torch.sparse.log_softmax(x.to_sparse(), 0).to_dense()", x=randn(3, 4), grad=True),
    Row("(a.to_sparse() * b.to_sparse()).to_dense()", a=randn(3, 4), b=randn(3, 4), grad=True),
    Row("(a.to_sparse() + b.to_sparse()).to_dense(), b + a.to_sparse()", a=randn(3, 4), b=randn(3, 4), grad=True),
    Row("(a.to_sparse() - b.to_sparse() / 2).to_dense()", a=randn(3, 4), b=randn(3, 4), grad=True),
    Row("(-a.to_sparse()).to_dense()", a=randn(3, 4), grad=True),
    Row("(a.to_sparse() ** 2).to_dense()", a=randn(3, 4), grad=True),
    Row("a.to_sparse().t().to_dense(), a.to_sparse().double().to_dense()", a=randn(3, 4), grad=True),
    Row("a.sparse_mask(torch.eye(3, 4).to_sparse()).to_dense()", a=randn(3, 4), grad=True),
    Row("torch.sparse.mm(a.to_sparse(), b.to_sparse()).to_dense()", a=randn(3, 4), b=randn(4, 2), grad=True),
)  # fmt: skip


@parity
def test_gradients_of_sparse_leaves(torch):
    found = []
    matrix = torch.arange(12.0).reshape(4, 3)
    for function in (
        lambda x: x.to_dense(),
        lambda x: x.to_dense(masked_grad=False),
        lambda x: x.sum(),
        torch.sparse.sum,
        lambda x: torch.sparse.mm(x, matrix),
        lambda x: torch.mm(x, matrix),
        lambda x: x.values(),
        lambda x: (x * 2).to_dense(),
    ):
        x = torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 4)).coalesce().requires_grad_()
        y = function(x)
        (y * torch.arange(1.0, y.numel() + 1).reshape(y.shape)).sum().backward()
        found.append([type(y.grad_fn).__name__, str(x.grad.layout), x.grad.to_dense()])
    return found


@parity
def test_gradients_of_sparse_results(torch):
    x = torch.tensor([[1.0, 0, 2], [0, 3, 0]], requires_grad=True)
    found = list(torch.autograd.grad(x.to_sparse() * 2, x, torch.tensor([[1.0, 0, 2], [0, 3, 0]]).to_sparse()))
    (x.to_sparse() * 3).backward(torch.tensor([[1.0, 0, 2], [0, 3, 0]]).to_sparse())
    found += [x.grad, *torch.autograd.grad(x.to_sparse_csr(), x, torch.ones(2, 3))]
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.sparse_coo_tensor([[0, 2]], values, (3,))
    y.backward(torch.tensor([4.0, 5.0, 6.0]))
    return [*found, values.grad, str(x.grad.device)]


@pytest.mark.filterwarnings("ignore")
@parity
def test_the_types_from_before_layouts(torch):
    i, v = torch.tensor([[0, 1], [1, 0]]), torch.tensor([1.0, 2.0])
    kind = torch.sparse.FloatTensor
    made = [kind(i, v), kind(i, v, torch.Size([2, 3])), kind(2, 3), kind(), torch.sparse.DoubleTensor(i, v.double())]
    asked = [isinstance(x, t) for x in (made[0], v) for t in (kind, torch.FloatTensor, torch.sparse.DoubleTensor)]
    return [repr(x) for x in made], asked, repr(kind), made[0].type(), made[0].type(torch.sparse.DoubleTensor).type(), kind.is_sparse


def test_what_no_form_is_there_for():
    import flambeau as torch

    x = torch.eye(2).to_sparse()
    for function in (torch.exp, torch.cumsum, torch.sort, torch.linalg.inv, torch.nn.functional.gelu, torch.Tensor.uniform_):
        with pytest.raises(NotImplementedError, match="SparseCPU"):
            function(x, *([0] if function is torch.cumsum else []))
    with pytest.raises(NotImplementedError):
        torch.nn.functional.layer_norm(torch.ones(2, 2), (2,), torch.ones(2).to_sparse())
    with pytest.raises(NotImplementedError):
        torch.nn.functional.soft_margin_loss(torch.ones(2), torch.ones(2).to_sparse())
    with pytest.raises(RuntimeError):
        torch.nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2), torch.ones(2).to_sparse())


def test_places_out_of_range_are_found():
    import flambeau as torch

    for outside, said in ([0, -1], "negative index -1"), ([0, 5], "index 5"):
        y = torch.sparse_coo_tensor([outside, [0, 1]], [1.0, 2.0], (3, 2))
        for function in (lambda y: y @ torch.ones(2, 2), lambda y: y.t() @ torch.ones(3), lambda y: torch.sparse.softmax(y, 0)):
            with pytest.raises(RuntimeError, match=said):
                function(y)
    x = torch.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,))
    for function in (torch.Tensor.to_dense, torch.Tensor.coalesce, lambda t: t + t, lambda t: torch.zeros(3) + t):
        with pytest.raises(RuntimeError, match="index 5"):
            function(x)


def test_invariants_are_checked_where_asked():
    import flambeau as torch

    def wrong():
        return torch.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,))

    checks = torch.sparse.check_sparse_tensor_invariants
    assert not checks.is_enabled()
    wrong()
    with checks(), pytest.raises(RuntimeError, match="index 5"):
        wrong()
    with pytest.raises(RuntimeError, match="index 5"):
        checks()(wrong)()
    checks.enable()
    try:
        torch.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,), check_invariants=False)
        with checks(False):
            wrong()
    finally:
        checks.disable()


def test_memory_is_shared_with_the_parts():
    import flambeau as torch

    values = torch.tensor([1.0, 2.0])
    x = torch.sparse_coo_tensor([[0, 1]], values, (3,))
    values[0] = 5
    x._values()[1] = 7
    assert x.to_dense().tolist() == [5, 7, 0] and values.tolist() == [5, 7] and type(x) is torch.Tensor


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_sums_and_products_are_those_of_the_whole(count, n, m, seed):
    import flambeau as torch

    random = np.random.default_rng(seed)

    def make(shape):
        places = np.stack([random.integers(0, k, count) for k in shape])
        return torch.sparse_coo_tensor(torch.from_numpy(places), torch.from_numpy(random.standard_normal(count)), shape)

    a, b, c = make((n, m)), make((n, m)), make((m, n))
    A, B, C = (x.to_dense().numpy() for x in (a, b, c))
    for sparse, dense in (
        (a + b, A + B), (a - b, A - B), (a * b, A * B), (a.coalesce() * b.coalesce(), A * B), (a @ c, A @ C), (a.t(), A.T),
        (a.sum(0), A.sum(0)), (a.abs(), abs(A)), (torch.cat([a, b]), np.concatenate([A, B])), (a.index_select(0, torch.tensor([n - 1, 0])),
        A[[n - 1, 0]]), (a[n - 1], A[n - 1]),
    ):  # fmt: skip
        np.testing.assert_allclose(sparse.to_dense().numpy(), dense, atol=1e-12)
        merged = sparse.coalesce().indices().numpy()
        assert (np.diff(np.ravel_multi_index(tuple(merged), tuple(sparse.shape)[: len(merged)])) > 0).all()
    np.testing.assert_allclose((a @ torch.from_numpy(C)).numpy(), A @ C, atol=1e-12)
    np.testing.assert_allclose((torch.from_numpy(B) + a).numpy(), A + B, atol=1e-12)
