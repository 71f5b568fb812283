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


def test_every_overload_is_read():
    """Each line of the table gives overloads with known types."""
    known = {*arguments.TYPE_NAMES, "Tensor", "bool", "str"}
    for key in arguments._rows():
        where, _, name = key.partition(" ")
        for overload in arguments.overloads_of(where, name.removeprefix(f"{where}_") if where in arguments.PREFIXED else name):
            assert {p.type for p in overload.parameters} <= known, key
