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
        )
    ),
    Row("m = torch.empty(2, 3, device='meta'); m.device, m.is_meta, m.data_ptr(), m.nbytes, len(m)"),
    Row("torch.empty(2, 3, device='meta').tolist()"),
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


def test_what_needs_elements_names_the_operator():
    x = flambeau.empty(2, 3, device="meta")
    with pytest.raises(NotImplementedError, match=r"nonzero.*meta device"):
        x.nonzero()


def test_a_product_is_not_computed():
    """It would take terabytes."""
    from flambeau.core.meta import MetaArray

    a, b, v = MetaArray((10**6, 10**5), "float32"), MetaArray((10**5, 10**6), "float32"), MetaArray((10**5,), "float64")
    assert np.dot(a, b).shape == (10**6, 10**6) and np.dot(a, b).dtype == np.float32
    assert np.dot(a, v).shape == (10**6,) and np.dot(a, v).dtype == np.float64
    with pytest.raises(ValueError):
        np.dot(a, a)
