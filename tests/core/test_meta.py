"""Tensors on the device meta: shapes and dtypes of results, and what is refused."""

import numpy as np
import pytest

import flambeau
from harness import Row, parity, rows

META = "m = torch.empty(2, 3, device='meta'); w = torch.empty(4, 3, device='meta', requires_grad=True); "

test_text = rows(
    *(
        Row(f"{META}repr({e}), list(({e}).stride())")
        for e in (
            "m", "w", "m + 1", "m + m", "m @ w.T", "F.linear(m, w)", "m.sum(1)", "m.mean(0)", "m.view(6)", "m.reshape(3, 2)", "m.t()",
            "m[0]", "m[:, 1:]", "m[None]", "m.expand(5, 2, 3)", "m.double()", "m.int()", "m == m", "m.clone()", "torch.zeros_like(m)",
            "torch.cat([m, m])", "torch.softmax(m, 1)", "torch.relu(m)", "torch.exp(m)", "F.layer_norm(m, (3,))", "m.fill_(3)",
            "m.normal_()", "m.zero_()", "m.copy_(torch.ones(2, 3))", "torch.ones(2, 3).T.to('meta')", "torch.arange(3, device='meta')",
            "torch.tensor([1.0], device='meta')", "torch.stack([m, m])", "m.max(1).values", "m.argmax()", "m.tril()", "m.cumsum(0)",
            "m.sort().indices", "m.var(0)", "m.norm()", "F.embedding(torch.empty(2, dtype=torch.long, device='meta'), m)",
            "F.cross_entropy(m, torch.empty(2, dtype=torch.long, device='meta'))", "torch.einsum('ij,kj->ik', m, m)",
            "F.conv2d(torch.empty(1, 3, 8, 8, device='meta'), torch.empty(4, 3, 3, 3, device='meta'))",
            "F.max_pool2d(torch.empty(1, 3, 8, 8, device='meta'), 2)", "F.dropout(m)", "F.gelu(m)", "torch.where(m > 0, m, m)",
            "m.masked_fill(m > 0, 1.0)", "m.masked_fill_(m > 0, 1.0)", "F.mse_loss(m, m)", "m + torch.tensor(1.0)", "m.t().contiguous()",
            "m.scatter(0, torch.zeros(1, 3, dtype=torch.long, device='meta'), m)", "m @ torch.ones(3, 2)", "F.linear(m, torch.ones(4, 3))",
            "F.scaled_dot_product_attention(*[torch.empty(1, 2, 4, 8, device='meta')] * 3)", "m.logsumexp(1)", "m.addcmul(m, m)",
            "F.avg_pool2d(torch.empty(2, 3, 4, 6, device='meta').transpose(2, 3), 2)", "F.group_norm(m.view(1, 2, 3), 2)",
            "F.max_pool2d(torch.empty(2, 3, 4, 6, device='meta').transpose(2, 3), 2)", "torch.cdist(m, m)",
        )
    ),
    Row("m = torch.empty(2, 3, device='meta'); m.device, m.is_meta, m.data_ptr(), m.nbytes, len(m)"),
    Row("torch.empty(2, 3, device='meta').tolist()"),
    Row("torch.empty(2, 3, device='meta').numpy()"),
    *(
        Row(f"m = torch.empty(2, 3, device='meta'); {e}")
        for e in (
            "m + torch.ones(2, 3)", "torch.ones(2, 3) + m", "m * torch.ones(2, 3, dtype=torch.long)", "torch.cat([m, torch.ones(2, 3)])",
            "torch.stack([m, torch.ones(2, 3)])", "torch.nn.Linear(3, 4)(m)", "torch.nn.Linear(3, 4, device='meta')(torch.ones(2, 3))",
            "torch.addmm(m, torch.ones(2, 3), torch.ones(3, 3))",
            "F.linear(torch.ones(2, 3), torch.ones(3, 3), m[0])", "F.rms_norm(torch.ones(2, 3), (3,), m[0])",
            "F.batch_norm(torch.ones(2, 3), torch.ones(3), torch.ones(3), m[0], torch.ones(3))",
            "F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 1]), m[0])", "F.nll_loss(torch.ones(2, 3), torch.tensor([0, 1]), m[0])",
            "F.binary_cross_entropy(torch.ones(2, 3), torch.ones(2, 3), m)", "torch.where(m > 0, torch.ones(2, 3), torch.ones(2, 3))",
        )
    ),
    Row("torch.empty(1, device='meta').item()"),
    Row("torch.empty(2, 3, device='meta').to('cpu')"),
    Row("torch.manual_seed(0); torch.rand(1, device='meta'); torch.rand(1)", exact=True),
)  # fmt: skip


@parity
def test_a_module_without_memory(torch):
    with torch.device("meta"):
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
        shape = model(torch.randn(5, 3)).shape
    device = model[0].weight.device
    given = {k: torch.ones(p.shape) for k, p in model.state_dict().items()}
    model.load_state_dict(given, assign=True)
    return list(shape), str(device), model(torch.ones(1, 3)), torch.nn.Linear(2, 3, device="meta").to_empty(device="cpu").weight.shape


@parity
def test_backward_without_memory(torch):
    """Gradients have shapes and dtypes; each leaf that is reached gets one, and what was freed is not there again."""

    def empty(*shape):
        return torch.empty(shape, device="meta", requires_grad=True)

    F = torch.nn.functional
    made = []
    for function, shapes in (
        (lambda x: x.exp(), [(2, 3)]),
        (lambda x, w, b: F.linear(x, w, b), [(2, 3), (4, 3), (4,)]),
        (lambda x, w: F.conv2d(x, w), [(1, 3, 8, 8), (4, 3, 3, 3)]),
        (lambda x, y: (x * y).softmax(-1), [(2, 3), (3,)]),
        (lambda x, y: x.masked_fill(x > 0, 0.0) + 0 * y.detach(), [(2, 3), (3,)]),
    ):
        leaves = [empty(*shape) for shape in shapes]
        function(*leaves).sum().backward()
        made.append([None if x.grad is None else (x.grad.shape, x.grad.dtype, str(x.grad.device)) for x in leaves])
    x, y = empty(3), empty(3)
    found = torch.autograd.grad((x * 2).sum(), (x, y), allow_unused=True)
    made.append([g if g is None else g.shape for g in found])
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).to("meta")
    loss = model(torch.empty(2, 3, device="meta")).mean()
    loss.backward()
    made.append([p.grad.shape for p in model.parameters()])
    try:
        loss.backward()
    except RuntimeError as error:
        made.append(str(error))
    return made


SQUARE = """
m, s = torch.empty(2, 3, device='meta'), torch.empty(3, 3, device='meta')
i = torch.empty(2, dtype=torch.long, device='meta')
"""
DESCRIBED = "[(list(t.shape), t.stride(), t.dtype, str(t.device)) for t in (r if isinstance(r, tuple) else (r,))]"

test_functions_of_several_operators = rows(
    *(
        Row(f"{SQUARE}r = {e}; {DESCRIBED}", name=e)
        for e in (
            "2.0 ** m", "F.one_hot(i, 4)", "torch.linalg.inv(s)", "torch.linalg.matrix_power(s, 3)", "torch.linalg.cholesky(s)",
            "torch.linalg.cholesky_ex(s)",
            "torch.stft(torch.empty(64, device='meta'), 16, return_complex=True)",
            "torch.linalg.vander(s[0])",
            "torch.linalg.qr(m)", "torch.linalg.eigh(s)", "torch.linalg.svd(s)", "torch.linalg.solve(s, s)", "torch.linalg.lu_factor(s)",
            "torch.quantile(m, 0.5)", "torch.isclose(m, m)", "m.count_nonzero()", "torch.bernoulli(m)", "torch.multinomial(m, 1)",
            "torch.searchsorted(s[0], m)", "torch.bucketize(m, s[0])", "torch.isin(m, s)", "m.masked_scatter(m > 0, m)",
            "m.T.double()", "m.T + m.T", "torch.view_as_real(torch.complex(m, m))", "torch.fft.fft(m)", "torch.randperm(3, device='meta')",
            "torch.histc(m)",
            "torch.scalar_tensor(1.0, device='meta')", "nn.EmbeddingBag(5, 3, device='meta')(i.view(1, 2))", "torch.linalg.pinv(s)",
            "nn.Embedding(5, 3, max_norm=1.0, device='meta')(i)", "F.interpolate(torch.empty(1, 2, 4, 4, device='meta'), scale_factor=2)",
        )
    ),
    *(Row(f"{SQUARE}{e}", name=e) for e in ("F.one_hot(i)", "torch.kron(m, m).item()")),
)  # fmt: skip


@parity
def test_optimizers_without_memory(torch):
    """They take steps, and so do their states."""
    done = []
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop"):
        model = torch.nn.Linear(3, 4, device="meta")
        optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.1)
        for _ in range(2):
            model(torch.empty(2, 3, device="meta")).sum().backward()
            optimizer.step()
        done.append((name, [str(p.device) for p in model.parameters()]))
    return done


def test_what_needs_elements_names_the_operator():
    x = flambeau.empty(2, 3, device="meta")
    with pytest.raises(NotImplementedError, match=r"nonzero.*meta device"):
        x.nonzero()


@parity
def test_indices_of_a_tensor_without_dimensions(torch):
    m = torch.empty((), device="meta")
    found = [m.argmax(), m.argmin(0), m.cummax(0)[1], m.cummin(0)[1], m.median(0)[1], m.mode(0)[1], m.max(0)[1], m.sort()[1], m.isreal()]
    return [(str(t.device), t.dtype, t.shape) for t in found]


def test_a_product_is_not_computed():
    """It would take terabytes."""
    from flambeau.core.meta import MetaArray

    a, b, v = MetaArray((10**6, 10**5), "float32"), MetaArray((10**5, 10**6), "float32"), MetaArray((10**5,), "float64")
    assert np.dot(a, b).shape == (10**6, 10**6) and np.dot(a, b).dtype == np.float32
    assert np.dot(a, v).shape == (10**6,) and np.dot(a, v).dtype == np.float64
    with pytest.raises(ValueError):
        np.dot(a, a)
