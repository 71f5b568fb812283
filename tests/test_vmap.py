"""`torch.vmap`: over operators with and without a batching rule, nested, with gradients inside, with random numbers; its errors."""

import functools
import importlib
import inspect

import pytest

import flambeau
from flambeau._functorch.batching import Level
from harness import parity


def func_of(torch):
    return importlib.import_module(f"{torch.__name__}.func")


def scope(torch):
    func = func_of(torch)
    return {
        "torch": torch, "F": torch.nn.functional, "nn": torch.nn, "vmap": torch.vmap, "functools": functools,
        "grad": func.grad, "vjp": func.vjp, "jvp": func.jvp, "jacrev": func.jacrev, "jacfwd": func.jacfwd, "hessian": func.hessian,
        "x": torch.arange(6.0).reshape(2, 3) / 4, "y": torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.25, -1.0]]),
        "w": torch.tensor([1.0, 2.0, 3.0]),
        "m": torch.arange(24.0).reshape(2, 3, 4) / 8, "i": torch.tensor([2, 0]),
        "mask": torch.tensor([[True, False, True], [False, False, True]]),
        "image": torch.randn(2, 3, 2, 6, 6), "kernel": torch.randn(4, 2, 3, 3), "kernels": torch.randn(2, 4, 2, 3, 3),
    }  # fmt: skip


ELEMENTWISE = """
vmap(torch.add)(x, y)
vmap(torch.add, in_dims=(0, None))(x, w)
vmap(lambda a, b: a * b, in_dims=(0, None))(w, y)
vmap(lambda a: 2 / (1 + a).sqrt() - a ** 2)(x)
vmap(lambda a, b: torch.where(a > b, a, b))(x, y)
vmap(lambda a, s: a + s)(x, i)
vmap(lambda a, s: a * s)(x, torch.tensor([1.5, 2.5], dtype=torch.float64))
vmap(lambda a: torch.clamp(a, min=0.5) + F.gelu(a) + F.softplus(a))(x)
vmap(lambda a, k: a.masked_fill(k, -1.0))(x, mask)
vmap(lambda a: torch.xlogy(a, a + 1) + torch.erf(a) + torch.lgamma(a + 1))(x)
vmap(lambda a: a.to(torch.float64))(x)
vmap(lambda a: torch.ones_like(a) + a.new_zeros(3) + torch.full_like(a, 2))(x)
vmap(lambda a: (a > 0.5) & ~(a > 1))(x)
"""

REDUCING = """
vmap(torch.sum)(x)
vmap(lambda a: a.sum(0))(m)
vmap(lambda a: a.mean(-1, keepdim=True))(m)
vmap(lambda a: (a.amax(1), a.amin(), a.prod(), a.logsumexp(0)))(m)
vmap(lambda a: a.max(1))(m)
vmap(lambda a: (a.max(), a.argmax(), a.min(0).indices, a.argmin(1)))(m)
vmap(lambda a: (a.std(), a.var(0), a.std(1, unbiased=False)))(m)
vmap(lambda a: (a.norm(), torch.linalg.vector_norm(a, dim=1), torch.linalg.norm(a)))(m)
vmap(lambda a: (torch.softmax(a, 0), torch.log_softmax(a, -1), a.cumsum(1)))(m)
vmap(lambda a: a.sort(descending=True).values)(y)
vmap(lambda a: a.topk(2))(y)
vmap(lambda a: torch.var_mean(a, dim=0))(m)
vmap(lambda a: a.all() | a.any(0))(mask)
vmap(lambda a: a.sum())(w)
vmap(lambda a: torch.max(a, a * 2 - 1))(x)
"""

SHAPES = """
vmap(lambda a: a.reshape(2, -1))(m)
vmap(lambda a: a.T @ a)(m)
vmap(lambda a: a.flatten())(m)
vmap(lambda a: a.unflatten(1, (2, 2)))(m)
vmap(lambda a: (a.unsqueeze(0), a.unsqueeze(-1), a[None]))(x)
vmap(lambda a: a.unsqueeze(0).squeeze())(m)
vmap(lambda a: a.permute(1, 0).transpose(0, 1))(m)
vmap(lambda a: a.expand(2, 3) + a.repeat(2, 1))(x)
vmap(lambda a: (a[0], a[:, 1], a[..., -1], a[1:, ::2], a[None, 0]))(m)
vmap(lambda a: a.split(2, 1))(m)
vmap(lambda a: torch.cat([a, a * 2], 0))(m)
vmap(lambda a: torch.stack([a, w], 1))(x)
vmap(lambda a: (torch.flip(a, (0,)), torch.roll(a, 1, 1), a.tril(), a.diagonal()))(m)
vmap(lambda a: [b * 2 for b in a])(m)
vmap(lambda a: F.pad(a, (1, 2), value=3.0))(m)
vmap(lambda a: a.squeeze_().unsqueeze_(0).t_())(x.clone())
vmap(lambda a: (a.view_as(a), a.movedim(0, 1), torch.einsum("ij,kj->ik", a, a)))(m)
"""

INDEXING = """
vmap(lambda a, j: a[j])(x, i)
vmap(lambda j: w[j])(i)
vmap(lambda a, j: a[j, 1:])(m, i)
vmap(lambda a: a[torch.tensor([1, 0])])(m)
vmap(lambda a: a[:, torch.tensor([1, 0])])(m)
vmap(lambda a, j: a[torch.stack([j, j])])(m, i)
vmap(lambda a: a.gather(0, torch.tensor([1, 1])))(x)
vmap(lambda a, j: a.index_select(0, j.unsqueeze(0)))(x, i)
vmap(lambda a: a[torch.tensor([True, False, True])])(m)
vmap(lambda a, j: torch.zeros_like(a).scatter(0, j.unsqueeze(0), a))(x, i)
vmap(lambda j: F.embedding(j, m[0]))(i)
vmap(lambda t: F.embedding(torch.tensor([1, 0]), t))(m)
vmap(lambda j: F.one_hot(j, 4))(i)
vmap(lambda a: torch.searchsorted(w, a))(x)
vmap(vmap(lambda a, b: m[0, a, b], in_dims=(None, 0)), in_dims=(0, None))(torch.arange(3), torch.arange(4))
"""

LAYERS = """
vmap(torch.dot)(x, y)
vmap(torch.mv, in_dims=(0, None))(m, torch.arange(4.0))
vmap(torch.mm, in_dims=(0, None))(m, torch.ones(4, 2))
vmap(torch.matmul)(x, m)
vmap(F.linear, in_dims=(0, None, None))(m, torch.ones(2, 4), torch.ones(2))
vmap(F.linear, in_dims=(None, 0, 0))(torch.ones(5, 4), m, x)
vmap(F.linear, in_dims=(0, 0))(torch.ones(2, 4), m)
vmap(lambda a, b: torch.addmm(a, b, b.T))(x, m)
vmap(F.conv2d, in_dims=(0, None))(image, kernel)
vmap(lambda a, k: F.conv2d(a, k, stride=2, padding=1))(image, kernels)
vmap(F.conv2d, in_dims=(None, 0))(image[0], kernels)
vmap(lambda a: F.max_pool2d(a, 2))(image)
vmap(lambda a: F.interpolate(a, scale_factor=2))(image)
vmap(lambda a: F.layer_norm(a, (4,), weight=torch.ones(4) * 2))(m)
vmap(lambda a: F.group_norm(a, 2))(image)
vmap(lambda a: F.batch_norm(a, None, None, training=True))(image)
vmap(lambda a, t: F.mse_loss(a, t))(x, y)
vmap(lambda a, t: F.binary_cross_entropy_with_logits(a, t.float()))(x, mask)
vmap(lambda a, t: F.huber_loss(a, t, reduction="sum"))(x, y)
vmap(lambda a, t: F.cross_entropy(a, t))(x, i)
vmap(lambda a, t: F.cross_entropy(a, t, ignore_index=2, label_smoothing=0.1))(m, torch.tensor([[0, 1, 2], [3, 3, 0]]))
vmap(lambda a: F.cross_entropy(a, torch.softmax(a, 1)))(m)
vmap(lambda a: F.scaled_dot_product_attention(a, a, a, is_causal=True))(m.reshape(2, 1, 3, 4))
vmap(lambda a: torch.linalg.inv(a.T @ a + torch.eye(4)))(m)
vmap(lambda a: torch.linalg.solve(a[:, :3] + 9 * torch.eye(3), w))(m)
vmap(lambda a: F.normalize(a, dim=0))(m)
vmap(lambda a: F.cosine_similarity(a, w, dim=0))(x)
vmap(lambda a: torch.cdist(a, a))(m)
vmap(lambda a: F.unfold(a, 2))(image)
"""

IN_PLACE = """
vmap(lambda a: a.clone().add_(1).mul_(w))(x)
vmap(lambda a: a.clone().copy_(w))(x)
vmap(lambda a: torch.zeros_like(a).fill_(a.sum()))(x)
vmap(lambda a, j: torch.zeros_like(a).index_fill_(0, j.unsqueeze(0), 5.0))(x, i)
vmap(lambda a: a.clone().clamp_(min=0.5).sqrt_())(x)
vmap(lambda a: torch.zeros_like(a).scatter_(0, torch.tensor([1]), a))(x)
"""

TRANSFORMS = """
vmap(grad(lambda a: (a.sin() * w).sum()))(x)
vmap(grad(lambda v, a: (v * a).sum() ** 2), in_dims=(None, 0))(w, x)
vmap(jacrev(torch.sin))(x)
vmap(jacfwd(lambda a: a ** 2))(x)
vmap(hessian(lambda a: (a ** 3).sum()))(x)
vmap(lambda a, t: jvp(torch.exp, (a,), (t,)))(x, y)
vmap(lambda a, t: vjp(torch.tanh, a)[1](t))(x, y)
grad(lambda v: vmap(lambda a: (a * v).sum() ** 2)(x).sum())(w)
jacrev(vmap(lambda a: (a ** 2).sum()))(x)
vmap(vmap(torch.dot, in_dims=(None, 0)), in_dims=(0, None))(x, y)
vmap(vmap(lambda a, b: a * b + b.sum(), in_dims=(0, None)), in_dims=(0, 0))(m, x)
vmap(vmap(grad(lambda a, b: (a.sin() * b).sum()), in_dims=(0, None)), in_dims=(0, 0))(m, m[:, 0])
vmap(vmap(lambda j: torch.tensor(2.0) * j))(m)
vmap(grad(lambda a, n: (a ** n).sum()), in_dims=(0, None))(x, 3)
vmap(lambda a: grad(lambda b: (b * a).sum())(w))(x)
"""

STRUCTURES = """
vmap(lambda a: a + 1, in_dims=1)(x)
vmap(lambda a: a + 1, in_dims=-1, out_dims=1)(x)
vmap(lambda d: d["p"] + d["q"], in_dims=({"p": 0, "q": None},))({"p": x, "q": w})
vmap(lambda a, b: (a, {"s": b.sum(), "t": (a * b,)}))(x, y)
vmap(lambda a: (a, a), out_dims=(0, 1))(x)
vmap(lambda a: {"p": a, "q": a.sum()}, out_dims={"p": 1, "q": 0})(x)
vmap(lambda a: [a, a], out_dims=[0, 1])(x)
vmap(lambda a: w, out_dims=None)(x)
vmap(lambda a: w)(x)
vmap(lambda a, b: a + b)(x, b=w)
vmap(lambda a: a * 2, chunk_size=1)(x)
vmap(lambda a: (a, a.sum()), chunk_size=2, out_dims=(1, 0))(torch.ones(5, 3))
vmap(lambda a: a * 2 + 1)(torch.zeros(0, 3))
vmap(lambda a: (a.shape, a.dim(), a.dtype, a.numel(), a.size(0), len(a), a.is_floating_point()) and a)(x)
"""

WRONG = """
vmap(lambda a: a + 1)(3.0)
vmap(lambda a: a + 1)()
vmap(lambda a: a + 1, in_dims=[0])(x)
vmap(lambda a: a + 1, in_dims=(0, 0))(x)
vmap(lambda a: a + 1, in_dims=None)(x)
vmap(lambda a: a + 1, in_dims=2)(x)
vmap(lambda a: a + 1, in_dims=("a",))(x)
vmap(lambda a, b: a)(x, w)
vmap(lambda a, b: a, in_dims=({"a": 0}, 0))(x, w)
vmap(lambda a: 3)(x)
vmap(lambda a: None)(x)
vmap(lambda a: a, out_dims=None)(x)
vmap(lambda a: a, out_dims="a")(x)
vmap(lambda a: a, out_dims=(0, 1))(x)
vmap(lambda a: (a, a), out_dims=(0,))(x)
vmap(lambda a: a.sum().item())(x)
vmap(lambda a: a if a.sum() > 0 else -a)(x)
vmap(lambda a: float(a.sum()))(x)
vmap(lambda a: a.numpy())(x)
vmap(lambda a: torch.equal(a, a))(x)
vmap(lambda a: torch.allclose(a, a))(x)
vmap(lambda a: a.nonzero())(x)
vmap(lambda a: a[a > 1])(x)
vmap(lambda a: torch.masked_select(a, a > 1))(x)
vmap(lambda a: a.unique())(x)
vmap(lambda a: w.mul_(a.sum()))(x)
vmap(lambda a: torch.zeros(3).copy_(a))(x)
vmap(lambda a: torch.zeros(3).index_put_((torch.tensor([0]),), a[:1]))(x)
vmap(lambda a: a.sum().backward())(x.clone().requires_grad_())
vmap(lambda a: a, chunk_size=0)(x)
vmap(lambda a: a, randomness="often")(x)
vmap(functools.partial(torch.add))(3.0)
vmap(nn.BatchNorm1d(3))(torch.ones(2, 4, 3))
vmap(lambda a: a)(x, b=1)
"""

RANDOM = """
vmap(lambda a: a + torch.rand(3), randomness=mode)(x)
vmap(lambda a: torch.rand_like(a), randomness=mode)(x)
vmap(lambda a: torch.bernoulli(a.sigmoid()), randomness=mode)(x)
vmap(lambda a: F.dropout(a + 1), randomness=mode)(x)
vmap(lambda a: a.clone().uniform_(), randomness=mode)(x)
vmap(lambda a: torch.zeros(3).uniform_() + a, randomness=mode)(x)
vmap(lambda a: torch.randperm(3) + 0 * a, randomness=mode)(x)
vmap(lambda a: F.dropout(w) + 0 * a, randomness=mode)(x)
vmap(lambda a: torch.normal(a, 1.0), randomness=mode)(x)
vmap(lambda a: torch.normal(0.0, 1.0, (2,)), randomness=mode)(x)
vmap(lambda a: torch.randint(5, (2,)), randomness=mode)(x)
vmap(lambda a: torch.multinomial(a.sigmoid(), 2), randomness=mode)(x)
vmap(lambda a: torch.randn(9), randomness=mode)(x)
vmap(lambda a: torch.randint_like(a, 5), randomness=mode)(x)
vmap(lambda a: torch.bernoulli(torch.full((3,), 0.5)), randomness=mode)(x)
vmap(lambda a: F.dropout(a, training=False), randomness=mode)(x)
"""


def calls(text):
    return pytest.mark.parametrize("call", text.strip().splitlines())


@calls(ELEMENTWISE + REDUCING + SHAPES + INDEXING + IN_PLACE + STRUCTURES)
@parity
def test_operators(torch, call):
    return eval(call, scope(torch))


@calls(LAYERS + TRANSFORMS)
@parity(rtol=1e-4, atol=1e-5)
def test_layers_and_transforms(torch, call):
    return eval(call, scope(torch))


@calls(WRONG)
@parity
def test_errors(torch, call):
    return eval(call, scope(torch))


@pytest.mark.parametrize("mode", ["error", "same", "different"])
@calls(RANDOM)
@parity(exact=True)
def test_random_numbers(torch, call, mode):
    return eval(call, {**scope(torch), "mode": mode}), torch.rand(1)


MODELS = {
    "mlp": ("nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.LayerNorm(5), nn.Linear(5, 4))", (3, 6)),
    "cnn": ("nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.GroupNorm(2, 4), nn.SiLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 4))",
            (3, 1, 6, 6)),
    "attention": ("nn.Sequential(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), nn.Flatten(), nn.Linear(8, 4))",
                  (3, 2, 4)),
    "recurrent": ("Last(nn.LSTM(4, 4, batch_first=True))", (3, 5, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(MODELS))
def test_gradients_of_each_sample(name):
    """vmap over the gradient is the gradient of one sample after the other."""
    torch, func = flambeau, func_of(flambeau)
    torch.manual_seed(0)

    class Last(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x)[0][:, -1]

    source, shape = MODELS[name]
    model = eval(source, {"nn": torch.nn, "Last": Last})
    x, y = torch.randn(*shape), torch.tensor([0, 3, 1])
    params = {k: v.detach() for k, v in model.named_parameters()}

    def loss(p, a, t):
        return torch.nn.functional.cross_entropy(func.functional_call(model, p, (a.unsqueeze(0),)), t.unsqueeze(0))

    together = func.vmap(func.grad(loss), in_dims=(None, 0, 0))(params, x, y)
    alone = [func.grad(loss)(params, a, t) for a, t in zip(x, y)]
    for key, found in together.items():
        torch.testing.assert_close(found, torch.stack([each[key] for each in alone]), rtol=1e-4, atol=1e-5)


@parity(rtol=1e-4, atol=1e-5)
def test_ensemble(torch):
    func = func_of(torch)
    models = [torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)) for _ in range(3)]
    params, buffers = func.stack_module_state(models)
    x = torch.randn(5, 3)

    def call(p, b, a):
        return func.functional_call(models[0], (p, b), (a,))

    out = torch.vmap(call, in_dims=(0, 0, None))(params, buffers, x)
    each = torch.vmap(call)(params, buffers, torch.randn(3, 5, 3))
    out.sum().backward()
    return out.detach(), each.detach(), params["0.weight"].grad, params["2.bias"].grad


def doubled(torch, **members):
    base = {
        "forward": staticmethod(lambda a: a * 2),
        "setup_context": staticmethod(lambda ctx, inputs, output: None),
        "backward": staticmethod(lambda ctx, g: g * 2),
    }
    return type(torch.autograd.Function)("Doubled", (torch.autograd.Function,), {**base, **members})


@pytest.mark.parametrize("kind", ["generated", "rule", "neither", "both", "no context"])
@parity
def test_functions_of_the_user(torch, kind):
    func = func_of(torch)
    seen = []

    def rule(info, in_dims, a):
        seen.append((info.batch_size, info.randomness))
        return a * 2, in_dims[0]

    members = {}
    if kind in ("generated", "both"):
        members["generate_vmap_rule"] = True
    if kind in ("rule", "both"):
        members["vmap"] = staticmethod(rule)
    if kind == "no context":
        members = {"forward": staticmethod(lambda ctx, a: a * 2), "setup_context": torch.autograd.Function.setup_context}
    apply = doubled(torch, **members).apply
    x = torch.arange(6.0).reshape(2, 3)
    return torch.vmap(apply)(x), torch.vmap(func.grad(lambda a: apply(a).sum()))(x), func.grad(lambda a: apply(a).sum())(x), seen


def test_the_common_operators_run_once():
    """No call for each sample where a rule is there."""
    torch = flambeau
    counted = []
    original = Level.one_by_one

    def counting(self, func, args, kwargs):
        counted.append(func.__name__)
        return original(self, func, args, kwargs)

    Level.one_by_one = counting
    try:
        x = torch.randn(4, 3, 5)
        layer = torch.nn.Linear(5, 2)
        torch.vmap(lambda a: torch.softmax(layer(a).relu(), -1).mean(0) + a[0, :2])(x)
        torch.vmap(func_of(torch).grad(lambda a: torch.nn.functional.mse_loss(layer(a), torch.zeros(3, 2))))(x)
    finally:
        Level.one_by_one = original
    assert counted == []


def test_tensors_do_not_leave():
    """A batch used after its vmap raises; it is never taken for one sample."""
    torch = flambeau
    kept = []
    torch.vmap(lambda a: kept.append(a) or a)(torch.ones(2, 3))
    with pytest.raises(RuntimeError, match="used after the vmap"):
        kept[0] + 1
    with pytest.raises(RuntimeError):
        torch.vmap(lambda a: a.resize_(2))(torch.ones(2, 3))


def test_what_it_looks_like():
    torch = flambeau
    shown = []
    torch.vmap(lambda a: shown.append(repr(a)) or a)(torch.ones(2, 1))
    assert shown == ["BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[1.],\n            [1.]])\n)"]
    assert list(inspect.signature(torch.vmap).parameters) == ["func", "in_dims", "out_dims", "randomness", "chunk_size"]
