"""Arguments that PyTorch does not take: the errors of its parser of arguments; and NumPy's names for parameters, which it does."""

import pytest

import flambeau
from flambeau.ops import arguments
from harness import Row, randint, randn, rows

X = randn(2, 3)
INDEX = randint(0, 2, (2, 3), dtype="int64")


def errors(*expressions):
    return rows(*[Row(e, **{name: s for name, s in (("x", X), ("i", INDEX)) if name in e}) for e in expressions])


test_dims = errors(
    'torch.sum(x, dim="a")',
    'x.sum("a")',
    "x.sum(1.5)",
    'torch.sum(x, dim=(0, "a"))',
    "x.sum([1.0])",
    "torch.mean(x, dim={})",
    'torch.max(x, dim="a")',
    "x.max(1.5)",
    'x.min(0, "a")',
    'x.argmax("a")',
    "torch.argmax(x, dim=1.5)",
    'torch.std(x, dim="a")',
    'torch.softmax(x, dim="a")',
    "x.softmax()",
    "torch.softmax(x, 0, dtype=3)",
    'F.softmax(x, dim="a")',
    'F.log_softmax(x, dim="a")',
    "torch.cumsum(x, dim=None)",
    'x.transpose("a", 0)',
    "x.transpose(0, 1.5)",
    'x.unsqueeze("a")',
    'x.squeeze("a")',
    'x.flatten("a")',
    "x.flatten(0, 1.5)",
    'torch.cat([x, x], dim="a")',
    'torch.stack([x, x], dim="a")',
    'x.sort("a")',
    'torch.topk(x, "a")',
    "torch.topk(x, 1, dim=1.5)",
    'x.chunk("a")',
    'x.narrow(0, 0, "a")',
    'torch.gather(x, "a", i)',
    "torch.gather(x, 0)",
    'x.index_select("a", i[0])',
    'x.scatter(0, "a", x)',
    'torch.triu(x, diagonal="a")',
)

test_tensors = errors(
    'torch.exp("a")',
    "torch.sqrt(1.5)",
    'torch.sum("a")',
    "torch.mean(None)",
    'torch.add(x, "a")',
    'x.mul("a")',
    "x.add_(None)",
    'torch.add(x, x, alpha="a")',
    'torch.add(x, x, out="a")',
    "torch.exp(x, out=[1])",
    'torch.matmul(x, "a")',
    "torch.mm(x, None)",
    'torch.cat(["a"])',
    "torch.cat([x, 1])",
    "torch.stack(x[0, 0].item())",
    'torch.where("a", x, x)',
    'x.masked_fill("a", 0.)',
    'torch.clamp(x, "a")',
    "torch.div(x, x, rounding_mode=1.5)",
    "torch.maximum(x, 1.5)",
    'torch.logical_and(x, "a")',
    'torch.dot(x, "a")',
    'x.index_select(0, "a")',
    "torch.bincount([1])",
    "torch.isnan(1.5)",
    "F.relu(1.5)",
    'F.gelu("a")',
    'F.cross_entropy(x, "a")',
    "F.cross_entropy(x, i[:, 0], ignore_index='a')",
    'F.nll_loss(x, "a")',
    'F.embedding("a", x)',
    'F.layer_norm(x, "a")',
    "F.layer_norm(x, [1.0])",
    'F.dropout("a")',
    'F.one_hot("a")',
    "F.pad(x, 'a')",
    "F.pad(x, (1, 1), mode=1.5)",
    "torch.unique(1.5)",
    "nn.ReLU()(1.5)",
    "nn.CrossEntropyLoss()(x, 1.5)",
    "nn.LayerNorm(3)('a')",
    "torch.linalg.inv('a')",
    "x.view_as('a')",
    "x.type_as(1.5)",
    "torch.exp(np.ones(3))",
    "torch.exp(torch.float32)",
    "torch.exp(np.float64(1))",
)

test_sizes = errors(
    'torch.zeros("a")',
    "torch.zeros(True)",
    "torch.zeros(2, 1.5)",
    'torch.ones((2, "a"))',
    'torch.rand(("a", 2))',
    "torch.empty('a', 2)",
    "torch.zeros(-1)",
    "torch.ones(-1)",
    'x.view("a")',
    "x.view(1.5, 2)",
    'x.view(1, "a")',
    'x.reshape("a")',
    "x.reshape(3, 1.5)",
    'x.expand("a")',
    "x.expand(2, None)",
    'x.permute("a")',
    'x.permute(0, "a")',
    'x.repeat("a")',
    "x.repeat(1, 1.5)",
    'torch.randint(0, "a", (2,))',
    'torch.full("a", 1.)',
    'torch.full((2,), "a")',
    'torch.reshape(x, "a")',
)

test_flags = errors(
    "torch.sum(x, 0, 1)",
    "x.sum(0, keepdim=None)",
    "x.mean(0, keepdim='a')",
    "x.prod(0, keepdim=0.0)",
    "torch.all(x, dim=0, keepdim=1)",
    "x.argmax(0, 1)",
    "torch.amax(x, 0, np.bool_(True))",
    "x.std(0, 1)",
    "x.std(0, True, 1)",
    "x.var(dim=0, keepdim=1)",
    "torch.var_mean(x, dim=0, keepdim=1)",
    "x.max(0, 1)",
    "x.median(0, 1)",
    "x.topk(1, 0, 1)",
    "x.sort(0, 1)",
    "torch.isclose(x, x, equal_nan=1)",
    "x.index_put((i[0],), x, accumulate=1)",
    "torch.nonzero(x, as_tuple=1)",
    "torch.linalg.cholesky(x, upper=1)",
    "torch.zeros(3, requires_grad=1)",
    "torch.ones_like(x, requires_grad='a')",
    "torch.rand(3, requires_grad=0.0)",
    "torch.arange(3, requires_grad=1)",
    "torch.full((2,), 1., requires_grad=1)",
    "torch.eye(3, requires_grad=1)",
    "x.new_zeros(3, requires_grad=1)",
    "torch.tensor([1.], requires_grad=1)",
    "torch.zeros(3, requires_grad=None)",
    "x.clone().requires_grad_(1)",
    "y = x.clone(); y.requires_grad = 1; y",
    "F.dropout(x, 0.5, 1)",
    "F.dropout2d(x[None], 0.5, None)",
    "F.batch_norm(x, None, None, training=1)",
    "F.max_pool2d(x[None], 2, ceil_mode=1)",
    "F.avg_pool2d(x[None], 2, ceil_mode=1)",
    "F.embedding(i, x, scale_grad_by_freq='a')",
    "torch.sort(x, stable=None)",
)

test_booleans_are_no_dimensions = errors(
    "x.sum(True)",
    "x.softmax(True)",
    "x.transpose(True, 0)",
    "x.unsqueeze(True)",
    "x.gather(True, i)",
    "x.index_select(True, i[0])",
    "torch.stack([x, x], True)",
    "torch.cat([x, x], True)",
    "x.logsumexp(True)",
    "x.diagonal(True)",
    "x.triu(True)",
    "x.topk(True)",
    "x.chunk(True)",
    "torch.sum(x, dim=(0, True))",
)

test_further_functions = errors(
    "x.diff('a')",
    "x.diff(1.5)",
    "torch.chunk(x, 2, True)",
    "torch.kthvalue(x, 'a')",
    "torch.bucketize(x, [1, 2])",
    "torch.block_diag(x, 1)",
    "torch.meshgrid([x[0], 'a'])",
    "torch.broadcast_tensors(x, None)",
    "F.hardtanh('a')",
    "F.celu(x, 'a')",
    "F.threshold(x, 'a', 1)",
    "F.kl_div(x, 1)",
    "F.group_norm(x[None], 1, 'a')",
    "F.rms_norm('a', (3,))",
    "F.triplet_margin_loss(x, x, 'a')",
    "F.soft_margin_loss('a', x)",
    "F.adaptive_avg_pool2d(x[None], (1, 1.5))",
    "F.adaptive_max_pool2d(x[None], 1.5)",
    "F.adaptive_avg_pool1d(x, 1.5)",
    "F.avg_pool2d(x[None], torch.tensor(2))",
    "torch.zeros()",
    "torch.zeros(3, layout=1)",
    "torch.zeros(3, dtype='a')",
    "torch.zeros(3, device=[1])",
    "torch.zeros(3, device=0)",
    "torch.arange(3, layout=1)",
    "torch.full((2,), None)",
    "torch.empty_like(x, bogus=1)",
    "x.cumsum_('a')",
    "x.addcmul_(x, 'a')",
    "x.mul_(np.ones(3))",
)

test_integers_beyond_64_bits = errors(
    "x.sum(dim=2**70)",
    "x.softmax(2**70)",
    "x.cumsum(2**70)",
    "x.clone().cumsum_(2**70)",
    "torch.full((2,), 2**70)",
    "x.gather(2**70, i)",
)

test_out = rows(
    *[
        Row(e, x=X, i=INDEX, warns="resized" in e)
        for e in (
            "torch.abs(x, out=torch.empty(2, 3, dtype=torch.float64))",
            "torch.neg(x, out=torch.empty(2, 3, dtype=torch.float64))",
            "torch.mm(x, x.T, out=torch.empty(2, 2, dtype=torch.float64))",
            "torch.softmax(x, 0, out=torch.empty(2, 3, dtype=torch.float64))",
            "torch.amax(x, 0, out=torch.empty(3, dtype=torch.float64))",
            "torch.all(x, 0, out=torch.empty(3))",
            "torch.index_select(x, 0, i[0], out=torch.empty(3, 3, dtype=torch.float64))",
            "torch.cumsum(x, 0, dtype=torch.float32, out=torch.empty(2, 3, dtype=torch.float64))",
            "torch.cumsum(x, 0, out=torch.empty(2, 3, dtype=torch.float64))",
            "torch.zeros(3, dtype=torch.float32, out=torch.empty(3, dtype=torch.float64))",
            "torch.arange(3, dtype=torch.float32, out=torch.empty(3, dtype=torch.float64))",
            "torch.tril(x, out=torch.empty(2, 3, dtype=torch.int64))",
            "torch.cat([x, x], out=torch.empty(4, 3, dtype=torch.int64))",
            "torch.stack([x, x], out=torch.empty(2, 2, 3, dtype=torch.int64))",
            "torch.mean(x, 0, out=torch.empty(3, dtype=torch.int64))",
            "torch.exp(x, out=torch.empty(2, 3, dtype=torch.int64))",
            "torch.add(x, x, out=torch.empty(2, 3, dtype=torch.float64))",
            "torch.add(x, x, out=torch.empty(2, 3, device='meta'))",
            "torch.argmax(x, 0, out=torch.empty(3, dtype=torch.int64, device='meta'))",
            "torch.abs(x, out=torch.ones(2, 3, requires_grad=True))",
            "torch.stack([x, x], out=torch.ones(2, 2, 3, requires_grad=True))",
            "torch.tensordot(x, x.T, 1, out=torch.ones(2, 2, requires_grad=True))",
            "torch.outer(x[0], x[0], out=torch.ones(3, 3, requires_grad=True))",
            "torch.abs(x, out=(torch.empty(2, 3),))",
            "b = torch.zeros(12); torch.add(b[:6].view(2, 3), x, out=b[1:7].view(2, 3))",
            "b = torch.zeros(12); torch.kron(b[:2], b[:2], out=b[:4])",
            "b = x.clone(); torch.cat([b], out=b)",
            "b = x.clone(); torch.stack([b[0]], out=b[:1])",
            "b = x.clone(); torch.index_select(b, 0, i[0, :2], out=b)",
            "b = x[:, :2].clone(); torch.gather(b, 0, i[:, :2], out=b)",
            "b = x[0].clone(); torch.linalg.cross(b, x[1], out=b)",
            "b = x.clone(); torch.kthvalue(b, 1, keepdim=True, out=(b[:, :1], i[:, :1].clone()))",
            "b = x.clone(); torch.index_add(x, 0, i[0, :2], b, out=b)",
            "b = x.clone(); torch.index_add(b, 0, i[0, :2], x, out=b)",
            "b = x[:1].clone(); torch.add(b, x, out=b)",
            "b = x[:1].clone(); torch.addcmul(x, b, x, out=b)",
            "b = x.clone(); torch.add(b, x, out=b)",
            "b = x.clone(); torch.sum(x, 0, out=b)",
        )
    ]
)

test_dtypes_and_shapes_that_do_not_fit = errors(
    "F.layer_norm(x, (3,), torch.ones(2))",
    "F.layer_norm(x, (3,), torch.ones(3), torch.ones(1))",
    "F.layer_norm(x, (3,), torch.tensor(2.))",
    "F.layer_norm(x, (3,), torch.ones(3).double())",
    "F.layer_norm(x.double(), (3,), torch.ones(3))",
    "F.layer_norm(x, (3,), torch.ones(3), torch.ones(3).double())",
    "F.layer_norm(x.bfloat16(), (3,), torch.ones(3), torch.ones(3)).dtype",
    "F.layer_norm(x.bfloat16(), (3,), torch.ones(3), torch.ones(3).bfloat16())",
    "F.layer_norm(x.bfloat16(), (3,), torch.ones(3).bfloat16(), torch.ones(3))",
    "F.group_norm(x.double(), 1, torch.ones(3))",
    "F.prelu(x, torch.ones(1).double())",
    "torch.addmv(torch.ones(2).double(), x, torch.ones(3))",
    "torch.bmm(x[None].double(), x.T[None])",
    "torch.baddbmm(torch.ones(1, 2, 2).double(), x[None], x.T[None])",
    "torch.addbmm(torch.ones(2, 2).double(), x[None], x.T[None])",
    "torch.cdist(x, x.double())",
    "torch.linalg.cross(x, x.double())",
    "torch.cross(x.bool(), x.bool())",
    "torch.cholesky_solve(torch.ones(3, 1).double(), torch.eye(3))",
    "torch.triangular_solve(torch.ones(3, 1).double(), torch.eye(3))",
    "torch.max(x.to(torch.complex64))",
    "torch.min(x.to(torch.complex64), 0)",
    "x.to(torch.complex64).amax()",
    "x.to(torch.complex64).argmin()",
    "x.to(torch.complex64).aminmax()",
    "x.to(torch.complex64).median()",
    "x.bool().median(0)",
    "x.bool().kthvalue(1)",
    "x.to(torch.complex64).mode()",
    "x.to(torch.complex64).topk(1)",
    "x.bool().topk(1)",
    "x.to(torch.complex64).cummax(0)",
    "x.to(torch.complex64).sort()",
    "x.to(torch.complex64).unique()",
    "x.to(torch.complex64).unique_consecutive(dim=0)",
    "torch.clamp(x, x.to(torch.complex64))",
    "x.clamp(torch.ones(7))",
    "x.cumsum(0, dtype=torch.bool)",
    "x.bool().trace()",
    "torch.dist(x.bool(), x.bool())",
    "torch.trapezoid(x.bool())",
    "F.dropout(i, 0.5)",
    "F.dropout2d(x[0])",
    "F.mse_loss(x, x, reduction=1)",
    "F.l1_loss(x, x, reduction=['a'])",
    "torch.rand_like(x, device='nope')",
    "torch.linalg.vector_norm(x, dtype=torch.complex64)",
    "torch.linalg.matrix_norm(x, dtype=torch.complex64)",
    "F.unfold(i[None, None], 2)",
    "int(x)",
    "float(x)",
    "x.clone().fill_('a')",
    "x.masked_fill(x[:, :2], 1)",
    "torch.cross(x[0], torch.ones(4))",
    "nn.Linear(3, 2)(x.double())",
    "nn.Linear(3, 2)(i)",
    "torch.addmm(torch.ones(2), x, torch.ones(3, 2).double())",
    "torch.addmm(torch.ones(2).double(), x, torch.ones(3, 2))",
    "torch.addmm(torch.ones(2), x.double(), torch.ones(3, 2))",
    "torch.addmm(torch.ones(2), x[None], torch.ones(3, 2))",
    "torch.addmm(torch.ones(4, 2), x, torch.ones(3, 2))",
    "torch.addmm(torch.ones(1, 2, 2), x, torch.ones(3, 2))",
    "torch.mm(i, x.T)",
    "torch.dot(x[0], x[0].double())",
    "torch.softmax(i, 0)",
    "torch.softmax(i, 1)",
    "i.clone().addcmul_(x, x)",
    "x.clone().addcdiv_(x, x.to(torch.complex64))",
    "torch.index_add(x, 0, i[0] + 7, torch.ones(3, 3))",
    "torch.index_add(x, 1, i[0] + 7, x, alpha=2)",
    "x[0].index_add(0, i[0] + 7, x[0])",
    "torch.index_reduce(x, 1, i[0] + 7, x, 'mean')",
    "torch.index_reduce(x, 1, i[0], x[:1], 'mean')",
    "torch.index_reduce(x, 1, i[0, :2], x, 'mean')",
    "torch.index_reduce(x, 1, i[0], x.double(), 'mean')",
)

test_two_devices = errors(
    "torch.addcmul(x, x.to('meta'), x)",
    "x.to('meta').addcdiv(x, x)",
    "torch.clamp(x, x.to('meta'))",
    "torch.lerp(x, x.to('meta'), 0.5)",
    "torch.where(x > 0, x, x.to('meta'))",
    "x.masked_fill((x > 0).to('meta'), 1.)",
    "F.layer_norm(x, (3,), torch.ones(3, device='meta'))",
    "F.layer_norm(x.to('meta'), (3,), torch.ones(3))",
    "F.layer_norm(x.to('meta'), (3,), torch.ones(3, device='meta'))",
    "torch.mv(x, x[0].to('meta'))",
    "torch.dot(x[0], x[0].to('meta'))",
)

test_what_is_taken_all_the_same = errors(
    "x.std(correction=torch.tensor(0)), torch.var_mean(x, dim=0, correction=torch.tensor(0.5))",
    "F.dropout2d(x[0], 0.0)",
    "b = x.clone(); torch.logsumexp(b, 1, True, out=b[:, :1])",
    "torch.zeros(2, requires_grad=None)",
    "torch.sum(x, torch.tensor(0))",
    "x.reshape((2, 3, True))",
)

test_losses_on_two_devices = errors(
    "y = torch.ones(200, 1000); F.mse_loss(y, y.to('meta'))",
    "y = torch.ones(200, 1000); F.smooth_l1_loss(y, y.to('meta'))",
    "y = torch.ones(200, 1000); F.prelu(y, torch.ones(1000).to('meta'))",
)

test_what_is_put_before_and_behind = errors(
    "torch.diff(x, 0, 0, x[0])",
    "torch.diff(x, 1, 0, x[:, :2])",
    "torch.diff(x, 1, 1, x[:, :2])",
)

test_alpha_beside_a_number = rows(
    Row("torch.add(x, 1.5, alpha=2), torch.sub(x, 1.5, alpha=0.5), torch.rsub(x, 1.5, alpha=2), torch.add(x, True, alpha=2)", x=X),
    Row("torch.add(x, 2j, alpha=2)", x=X),
)

test_names_of_numpy = rows(
    *[
        Row(e, x=X, **({"i": INDEX} if "index=i" in e else {}))
        for e in (
            "torch.sum(x, axis=0)",
            "x.sum(axis=1, keepdims=True)",
            "x.mean(axis=(0, 1), keepdims=True)",
            "x.max(axis=0)",
            "torch.min(x, axis=1, keepdims=True)",
            "x.argmax(axis=1)",
            "torch.std(x, axis=0)",
            "x.var(axis=1, keepdims=True)",
            "torch.var_mean(x, axis=0)",
            "x.all(axis=0)",
            "torch.cat([x, x], axis=1)",
            "torch.stack([x, x], axis=-1)",
            "torch.softmax(x, axis=0)",
            "x.log_softmax(axis=1)",
            "x.cumsum(axis=0)",
            "x.unsqueeze(axis=0)",
            "torch.squeeze(x[None], axis=0)",
            "x.chunk(2, axis=1)",
            "torch.sort(x, axis=0)",
            "x.topk(1, axis=0)",
            "x.median(axis=0)",
            "torch.gather(x, axis=0, index=i)",
            "x.unbind(axis=0)",
            "torch.logsumexp(x, axis=0)",
            "x.prod(axis=1)",
            "x.sum(0, axis=1)",
            "F.softmax(x, axis=0)",
        )
    ]
)

test_asarray = rows(
    Row("torch.asarray([1.], copy=False)"),
    Row("torch.asarray(x, copy=False) is x, torch.asarray(x, copy=True) is x", x=X),
    Row("torch.asarray(x, dtype=torch.int32, copy=False)", x=X),
    Row("torch.asarray(np.float64(1), copy=False)"),
    Row("torch.asarray(np.float64(1)), torch.asarray(np.ones(2), copy=False)"),
    Row("torch.asarray(bytearray(b'abcd'), dtype=torch.int16)"),
    Row("torch.asarray(bytearray(b'abc'), dtype=torch.int16)"),
    Row("y = x.clone().requires_grad_() * 2; torch.asarray(y, copy=True).requires_grad, torch.asarray(y, requires_grad=False)", x=X),
    Row("torch.as_tensor([1.], copy=False)", message="unexpected keyword argument 'copy'"),
)


def test_a_call_from_inside_keeps_its_error():
    """Operators call each other in their own ways: those are not held against PyTorch's overloads."""
    with pytest.raises(RuntimeError, match="output padding must be smaller"):
        flambeau.nn.functional.conv_transpose2d(flambeau.ones(1, 1, 3, 3), flambeau.ones(1, 1, 2, 2), output_padding=1)


def test_what_is_taken_once_is_not_looked_at_again():
    """The arguments of functions made of operators are held against the overloads once for each combination of types."""
    x = flambeau.ones(2, 3)
    flambeau.diff(x, 1)
    looked, before = [], arguments.check_call
    arguments.check_call = lambda *given: looked.append(given) or before(*given)
    try:
        flambeau.diff(x, 2)
        assert not looked
        flambeau.diff(x, n=2, dim=0)
        assert len(looked) == 1
    finally:
        arguments.check_call = before


def test_lists_are_looked_through_for_overrides_each_time():
    class Mine:
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return "mine"

    x = flambeau.ones(2)
    assert flambeau.block_diag(x, x).shape == (2, 4)
    assert flambeau.block_diag(x, Mine()) == "mine"
    assert flambeau.einsum("i,i->", [x, x]).item() == 2
    assert flambeau.einsum("i,i->", [x, Mine()]) == "mine"


def test_every_overload_is_read():
    """Each line of the table gives overloads with known types."""
    known = {*arguments.TYPE_NAMES, "Tensor", "bool", "str"}
    for key in arguments._rows():
        where, _, name = key.partition(" ")
        for overload in arguments.overloads_of(where, name.removeprefix(f"{where}_") if where in arguments.PREFIXED else name):
            assert {p.type for p in overload.parameters} <= known, key
