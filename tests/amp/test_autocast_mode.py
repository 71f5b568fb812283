"""Which dtype operators run in under autocast, and what its switches say."""

import pytest

from harness import Row, parity, randn, rows

EXPRESSIONS = [
    "x @ x.T", "torch.mm(x, x.T)", "F.linear(x, x)", "x + x", "torch.softmax(x, 1)", "x.prod()", "x.sum()", "torch.exp(x)",
    "torch.bmm(x[None], x.T[None])", "torch.baddbmm(x[None, :, :3], x[None], x.T[None])", "torch.addmm(x[:, :3], x, x.T)",
    "F.layer_norm(x, (4,))", "F.cross_entropy(x.to(h), torch.tensor([0, 1, 2]))", "F.nll_loss(x.to(h), torch.tensor([0, 1, 2]))",
    "torch.cat([x, x.to(h)])", "torch.stack([x, x.to(h)])", "torch.mv(x, x[0])", "torch.einsum('ij,kj->ik', x, x)",
    "F.scaled_dot_product_attention(x[None], x[None], x[None])", "torch.matmul(x.double(), x.double().T)",
]  # fmt: skip

test_dtypes = rows(
    *(
        Row(f"h = torch.{h}\nwith torch.autocast('cpu', dtype=h):\n    r = {e}\nr", x=randn(3, 4), name=f"{e} {h}")
        for e in EXPRESSIONS
        for h in ("bfloat16", "float16")
    )
)


@parity(rtol=1.6e-2, atol=1e-3)  # bfloat16's own tolerance: sums in half precision depend on their order
def test_training_step(torch):
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 3))
    x, y = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x)
        loss = torch.nn.functional.cross_entropy(out, y)
    loss.backward()
    return out.dtype, loss, [p.grad.dtype for p in model.parameters()], [p.grad for p in model.parameters()]


@parity
def test_nesting_and_decorating(torch):
    x = torch.ones(2, 2)

    @torch.autocast("cpu")
    def product(a):
        return a @ a

    with torch.autocast("cpu"):
        inside = torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", enabled=False):
            off = (x @ x).dtype
        with torch.autocast("cpu", dtype=torch.float16):
            other = (x @ x).dtype, torch.get_autocast_dtype("cpu")
        again = (x @ x).dtype
    return inside, off, other, again, product(x).dtype, (x @ x).dtype, torch.is_autocast_enabled("cpu")


@parity
def test_a_parameter_is_converted_once(torch):
    weight = torch.randn(2, 2, requires_grad=True)
    with torch.autocast("cpu"):
        (weight @ weight + torch.mm(weight, weight)).sum().backward()
    return weight.grad


@parity
def test_custom_function(torch):
    seen = []

    class Product(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
        def forward(ctx, a):
            seen.append((a.dtype, torch.is_autocast_enabled("cpu")))
            ctx.save_for_backward(a)
            return a @ a

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx, grad):
            (a,) = ctx.saved_tensors
            seen.append((grad.dtype, torch.is_autocast_enabled("cpu")))
            return grad @ a.T + a.T @ grad

    x = torch.randn(2, 2, requires_grad=True)
    with torch.autocast("cpu"):
        y = Product.apply(x)
    y.sum().backward()
    return seen, y.dtype, x.grad


@pytest.mark.parametrize("arguments", [("cuda",), ("cpu", "float64"), ("meta",), (3,)], ids=str)
@parity(warns=True)
def test_what_is_refused(torch, arguments):
    kind, *dtype = arguments
    region = torch.autocast(kind, dtype=getattr(torch, dtype[0])) if dtype else torch.autocast(kind)
    return region._enabled


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("layer", ["RNN", "GRU", "LSTM"])
@parity(rtol=5e-2, atol=1e-2)  # PyTorch rounds the gates to half precision as well
def test_recurrent_networks(torch, layer, dtype):
    """Of batches and of packed sequences; GRUs and packed LSTMs stay in the input's precision."""
    torch.manual_seed(1)
    half = getattr(torch, dtype)
    module, x = getattr(torch.nn, layer)(4, 3), torch.randn(4, 4, 4)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [4, 3, 3, 2])
    found = []
    with torch.autocast("cpu", dtype=half):
        if layer != "LSTM" or dtype == "bfloat16":  # PyTorch's LSTM raises in float16 on some processors
            found += [module(x)[0].detach(), module(x.to(torch.bfloat16))[0].detach().to(torch.bfloat16)]
        found += [module(packed)[0].data.detach()]
    return found
