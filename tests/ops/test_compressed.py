"""Sparse tensors with compressed rows or columns: what they are made of, and what operators make of them, as PyTorch prints it."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Row, parity, randn, rows

SETUP = """
c = torch.tensor([[0, 0, 3.0, 0], [4, 0, 5, 0], [0, 0, 0, 6]]); x = c.to_sparse_csr(); y = c.to_sparse_csc(); co = c.to_sparse()
d = torch.arange(12.0).reshape(3, 4); m = torch.arange(8.0).reshape(4, 2); w = torch.arange(16.0).reshape(4, 4)
b = w.to_sparse_bsr((2, 2)); bc = w.to_sparse_bsc((2, 2)); k = torch.stack([c, c]).to_sparse_csr()
h = torch.ones(3, 4, 2).to_sparse_csr(dense_dim=1); z = torch.tensor([[1.0, 0, 0, 2], [0, 7, 0, 0], [0, 0, 8, 0]]).to_sparse_csr()
"""

EXPRESSIONS = """
x
y
b
bc
k
h
torch.sparse_csr_tensor([0,1,3],[2,0,2],[3.,4.,5.],(2,4))
torch.sparse_csr_tensor([0,1,3],[2,0,2],[3.,4.,5.])
torch.sparse_csr_tensor([0,1,3],[2,0,2],[3,4,5])
torch.sparse_csr_tensor(torch.tensor([0,1,3],dtype=torch.int32),torch.tensor([2,0,2],dtype=torch.int32),[3.,4.,5.],(2,4))
torch.sparse_csr_tensor([0,1,3],[2,0,2],[3.,4.,5.],(2,4),dtype=torch.float64)
torch.sparse_csr_tensor([0,1,3],[2,0,2],[3.,4.,5.],(2,4),requires_grad=True)
torch.sparse_csr_tensor([0,1,4],[2,0,2],[3.,4.,5.],(2,4))
torch.sparse_csr_tensor([0,1,4],[2,0,2],[3.,4.,5.],(2,4),check_invariants=True)
torch.sparse_csr_tensor([1,1,3],[2,0,2],[3.,4.,5.],(2,4),check_invariants=True)
torch.sparse_csr_tensor([0,1,3],[2,2,0],[3.,4.,5.],(2,4),check_invariants=True)
torch.sparse_csr_tensor([0,1,3],[2,0,5],[3.,4.,5.],(2,4),check_invariants=True)
torch.sparse_csr_tensor([0,1,3],[2,0],[3.,4.,5.],(2,4),check_invariants=True)
torch.sparse_csr_tensor([0,1,3],[2,0,2],[3.,4.,5.],(3,4),check_invariants=True)
torch.sparse_csr_tensor([0,1,3],[2,0,2],[3.,4.,5.],(4,),check_invariants=True)
torch.sparse_csr_tensor([0.,1,3],[2,0,2],[3.,4.,5.],(2,4),check_invariants=True)
torch.sparse_csr_tensor(torch.tensor([0,1,3]),torch.tensor([2,0,2],dtype=torch.int32),torch.tensor([3.,4.,5.]),(2,4),check_invariants=True)
torch.sparse_csr_tensor([[0,1]],[[0]],[[1.]],(1,1,1),check_invariants=True)
torch.sparse_csc_tensor([0,1,3],[2,0,2],[3.,4.,5.],(4,2))
torch.sparse_csc_tensor([0,1,3],[2,0,2],[3.,4.,5.])
torch.sparse_bsr_tensor([0,1,2],[0,1],[[[1.,2.],[3,4]],[[5,6],[7,8]]],(4,4))
torch.sparse_bsr_tensor([0,1,2],[0,1],[[[1.,2.],[3,4]],[[5,6],[7,8]]])
torch.sparse_bsc_tensor([0,1,2],[0,1],[[[1.,2.],[3,4]],[[5,6],[7,8]]],(4,4))
torch.sparse_compressed_tensor([0,1,3],[2,0,2],[3.,4.,5.],(2,4),layout=torch.sparse_csr)
torch.sparse_compressed_tensor([0,1,3],[2,0,2],[3.,4.,5.],(2,4))
torch.sparse_compressed_tensor([0,1,3],[2,0,2],[3.,4.,5.],(2,4),layout=torch.sparse_coo)
x.crow_indices()
x.col_indices()
x.values()
y.ccol_indices()
y.row_indices()
x.ccol_indices()
x.row_indices()
x.indices()
x.coalesce()
x._nnz()
b._nnz()
k._nnz()
b.values().shape
x.layout, x.is_sparse, x.is_sparse_csr, y.is_sparse_csr, x.shape, x.dtype, x.device, x.numel(), x.dim()
x.sparse_dim(), x.dense_dim(), h.sparse_dim(), h.dense_dim(), k.sparse_dim(), k.dense_dim(), b.sparse_dim(), b.dense_dim()
x.to_dense()
y.to_dense()
b.to_dense()
bc.to_dense()
k.to_dense()
h.to_dense()
x.to_sparse()
y.to_sparse()
b.to_sparse()
x.to_sparse_csc()
y.to_sparse_csr()
x.to_sparse_csr()
b.to_sparse_csr()
x.to_sparse_bsr((1,2))
x.to_sparse_bsr((2,2))
co.to_sparse_csr()
co.to_sparse_csc()
co.to_sparse_bsr((3,2))
bc.to_sparse_bsr((2,2))
b.to_sparse_bsc((2,2))
d.to_sparse_bsr((2,2))
d.to_sparse_bsr((3,2))
d.to_sparse_bsr(2)
d.to_sparse(layout=torch.sparse_csr)
d.to_sparse(layout=torch.sparse_bsr, blocksize=(1,2))
d.to_sparse(layout=torch.sparse_csr, blocksize=(1,2))
x.to_sparse(layout=torch.sparse_csc)
x @ m
torch.mm(x,m)
torch.sparse.mm(x,m)
x.mv(torch.ones(4))
x @ torch.ones(4)
torch.mm(d.t(), x)
d.t() @ x
torch.sparse.mm(x, m, 'sum')
torch.sparse.mm(x, m, 'mean')
torch.sparse.mm(x, m, 'amax')
torch.sparse.mm(x, m, 'amin')
torch.addmm(torch.ones(3,2), x, m)
torch.addmm(torch.ones(3,2), x, m, beta=2, alpha=3)
torch.sparse.addmm(torch.ones(3,2), x, m)
y @ m
b @ torch.ones(4,2)
torch.sparse.sampled_addmm(x, d[:, :2].contiguous(), m.t().contiguous())
torch.sparse.sampled_addmm(x, d[:, :2].contiguous(), m.t().contiguous(), beta=0.5, alpha=2)
torch.sparse.sampled_addmm(co, d[:, :2].contiguous(), m.t().contiguous())
torch.sparse.sampled_addmm(x, d, m)
x + x
x - x
x + d
d + x
x * 2
x * x
x * d
x / 2
-x
abs(x)
x.sqrt()
x.sin()
x.relu()
x.exp()
x.neg()
y.abs()
b.abs()
x ** 2
x.sum()
x.sum(0)
x.sum(1, keepdim=True)
x.sum(-1)
x.t()
x.transpose(0,1)
y.t()
b.t()
x[0]
x[0,2]
x.select(0,1)
k[0]
x.clone()
x.detach()
x.double()
x.int()
x.to(torch.float64)
x.zero_()
x.copy_(x)
x.contiguous()
x.is_contiguous()
x.stride()
x.numpy()
x.tolist()
x.nbytes
x.element_size()
torch.zeros_like(x)
torch.ones_like(x)
torch.zeros(2,3,layout=torch.sparse_csr)
x.new_zeros(2,2)
x.view(12)
x.reshape(12)
x == x
torch.equal(x,x)
x.sparse_mask(x)
d.sparse_mask(x)
x.is_coalesced()
x.type()
len(x)
x.requires_grad_()
x.add_(x)
x.mul_(2)
x.abs_()
x.fill_(1)
x.index_select(0, torch.tensor([0]))
torch.sparse.softmax(x,1)
torch.sparse.sum(x)
x.values().requires_grad
torch.sparse.spdiags(torch.arange(9).reshape(3,3), torch.tensor([0,-1,-2]), (3,3), layout=torch.sparse_csr)
torch.sparse.spdiags(torch.arange(9).reshape(3,3), torch.tensor([0,-1,-2]), (3,3), layout=torch.sparse_csc)
torch.sparse.spdiags(torch.arange(9).reshape(3,3), torch.tensor([0,-1,-2]), (3,3), layout=torch.sparse_bsr)
str(x.to_sparse().to_sparse_csr().crow_indices().dtype)
x.cos()
x.is_set_to(x)
torch.sparse_csr_tensor([0,1,3],[2,0,2],torch.ones(3,2),(2,4,2))
torch.tensor([[1.,0],[0,0]]).requires_grad_().to_sparse_csr()
x.requires_grad_().to_dense()
torch.nn.functional.linear(torch.ones(2,4), x)
torch.isnan(x)
x.log1p()
x.floor()
x.half()
(x*2).sum()
x.item()
x+z
x*z
k+k
k*2
k.to_sparse()
h.to_sparse()
k.to_sparse_csc()
torch.stack([c,d]).to_sparse_csr()
bc.t()
k.transpose(1,2)
k.transpose(0,1)
y.sum(0,keepdim=True)
x.sum((0,1),keepdim=True)
w @ bc
y.mv(torch.ones(4))
torch.addmm(torch.ones(2), x, m)
x.double() @ m
x @ torch.ones(3,2)
x.to(torch.complex64).conj()
b.to_sparse_csc()
c.to_sparse_csr(dense_dim=1)
co.to_sparse_bsr(2)
co.to_sparse_bsr((1,-1))
x.to_sparse(1)
x.to_sparse(2)
co.to_sparse(layout=torch.sparse_bsr)
x.crow_indices().dtype
x.add_(z)
torch.sparse_csr_tensor([0,1,3],[2,0,2],[3.,4.,5.],(2,4)).to_dense()
torch.sparse.mm(x, m, 'prod')
torch.sparse.mm(co, m, 'mean')
x.values().mul_(2), x
co.sparse_mask(x)
"""


def outcome(torch, expression):
    """What an expression gives, as text: tensors as they are printed, errors by type and message."""
    scope = {"torch": torch}
    exec(SETUP, scope)
    try:
        return repr(eval(expression, scope))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).split(' with arguments from')[0].splitlines()[0]}"


@pytest.mark.filterwarnings("ignore")
@parity
def test_as_pytorch_shows_it(torch):
    return {expression: outcome(torch, expression) for expression in EXPRESSIONS.strip().splitlines()}


test_gradients = rows(
    Row("x.to_sparse_csr().to_dense()", x=randn(3, 4), grad=2),
    Row("x.to_sparse_csc().to_dense()", x=randn(3, 4), grad=2),
    Row("x.to_sparse_bsr((1, 2)).to_dense()", x=randn(3, 4), grad=2),
    Row("x.to_sparse_bsc((1, 2)).to_dense()", x=randn(3, 4), grad=2),
    Row("torch.sparse_csr_tensor(torch.tensor([0, 1, 3]), torch.tensor([2, 0, 2]), v, (2, 4)).to_dense()", v=randn(3), grad=True),
    Row("torch.sparse.mm(x.to_sparse_csr(), m)", x=randn(3, 4), m=randn(4, 2), grad=True),
    Row("x.to_sparse_csr() @ m", x=randn(3, 4), m=randn(4, 2), grad=True, grad_fn=False),
    Row("torch.sparse.sampled_addmm(x.to_sparse_csr(), a, b).to_dense()", x=randn(3, 4), a=randn(3, 2), b=randn(2, 4), grad=True),
)


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_every_conversion_keeps_the_elements(n, m, seed):
    import flambeau as torch

    random = np.random.default_rng(seed)
    whole = torch.from_numpy(random.standard_normal((2 * n, 2 * m)) * (random.random((2 * n, 2 * m)) < 0.4))
    block = (int(random.integers(1, 3)), int(random.integers(1, 3)))

    def converted(x):
        found = [x.to_sparse(), x.to_sparse_bsr(block), x.to_sparse_bsc(block)]
        return found + ([] if x.layout in (torch.sparse_bsr, torch.sparse_bsc) else [x.to_sparse_csr(), x.to_sparse_csc()])

    with torch.sparse.check_sparse_tensor_invariants():
        for first in converted(whole):
            for second in converted(first):
                np.testing.assert_array_equal(second.to_dense().numpy(), whole.numpy())
                if second.layout is not torch.sparse_coo:
                    names = (
                        ("crow_indices", "col_indices")
                        if second.layout in (torch.sparse_csr, torch.sparse_bsr)
                        else ("ccol_indices", "row_indices")
                    )
                    parts = [getattr(second, name)() for name in names]
                    torch.sparse_compressed_tensor(*parts, second.values(), second.shape, layout=second.layout)


def test_files():
    import flambeau as torch

    x = torch.eye(4).to_sparse_bsr((2, 2))
    buffer = io.BytesIO()
    torch.save(x, buffer)
    buffer.seek(0)
    again = torch.load(buffer)
    assert repr(again) == repr(x) and again.layout is torch.sparse_bsr
