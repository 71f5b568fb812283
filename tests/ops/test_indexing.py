"""Indexing, gathering, scattering and masks, compared with PyTorch: values, strides, gradients, errors."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flambeau
from harness import Row, bools, parity, randint, randn, real_torch, rows, value

READS = (
    "x[0]", "x[-1]", "x[1:]", "x[::2]", "x[:, 1]", "x[..., -1]", "x[None]", "x[:, None, 1:3]", "x[0, 1]", "x[0, 1, 2]", "x[...]", "x[:]",
    "x[()]", "x[0, ..., 1]", "x[1:, :2, ::3]", "x[[0, 1]]", "x[[1, 0], [2, 0]]", "x[:, [0, 2]]", "x[:, :, [3, 0, 3]]", "x[[0], :, [1]]",
    "x[torch.tensor([[0, 1], [1, 0]])]", "x[0, [1, 2]]", "x[:, torch.tensor([0, 1]), None]", "x[torch.tensor(1)]", "x[True]", "x[False]",
    "x[[True, False]]", "x[:, torch.tensor([True, False, True])]", "x[x > 0]", "x[(x > 0).any(-1)]", "x[..., torch.tensor([-1, 0])]",
    "x[np.array([1, 0])]", "x[np.int64(1)]", "x[range(2)]", "x[1, torch.tensor([0, 2]), 1:3]", "x[[]]", "x[:, 1:1]", "x[5:2]",
    "x[torch.tensor([0, 1]), :, torch.tensor([0, 1])]", "x[None, [0, 1], None, [0, 1]]", "x[[0, 1], [0, 1], [0, 1]]",
    "x[[[0], [1]], [0, 1]]",
)  # fmt: skip

test_reading = rows(
    *(Row(expression, x=randn(2, 3, 4), grad=2, strides=True) for expression in READS),
    *(Row(expression, x=randn(4, 3, 2).T, grad=True, strides=True, name=f"{expression} of transposed memory") for expression in READS),
    Row("x[0]", x=randn(3), dtypes="bool uint8 int64 float16 bfloat16 complex64"),
    Row("x[i]", x=randn(4), i=value([1, 0, 1, 0], dtype="uint8"), warns=True),
    Row("[x for x in x], 3. in x, list(reversed(x))", x=randn(3)),
    Row("x[[1, 1, 2]]", x=randn(4, 3), grad=2, name="repeated indices add up"),
    Row("x[i]", x=randn(50, 3), i=randint(0, 50, (200,)), grad=2, name="many repeated indices"),
)

WRITES = (
    "y[0] = 5", "y[0, 1] = 2.5", "y[1:] = x[:1] * 2", "y[:, 1] = x[:, 0] * 2", "y[...] = 1", "y[:] = x[0] * 3", "y[0] = x[1]",
    "y[None, 0] = 1",
    "y[[0, 1], [1, 2]] = 7", "y[[0, 1], [1, 2]] = x[0, :2] * 2", "y[y > 0] = 0", "y[y > 0] = y[y > 0] * 2", "y[0][1] = x[1, 1] * 2",
    "y[0] += x[1]", "y[:, 0] *= 2", "y[torch.tensor([True, False])] = -1", "y[:, [0, 0]] = 3", "y[0] = x[1:2]", "y[1] = torch.tensor(3.0)",
    "y[torch.tensor(0), 1:] = x[1, 0, 0] * 2", "y[[1, 0]] = x * 2", "y[..., torch.tensor([0, 3])] = x[..., :2] * 2",
)  # fmt: skip

test_writing = rows(
    *(Row(f"y = x * 1; {statement}; y, y._version", x=randn(2, 3, 4), grad=2) for statement in WRITES),
    *(Row(f"y = torch.zeros(2, 3, 4); {write}; y", x=randn(2, 3, 4), grad=True, name=f"{write} into zeros") for write in WRITES),
    Row("y = x.clone(); y[0] = 300; y", x=randint(0, 5, (2,), dtype="int8")),
    Row("y = x.clone(); y[0] = -1; y[1] = 1.5; y", x=randint(0, 5, (2,), dtype="uint8")),
    Row("y = x.clone(); y[0] = float('nan')", x=randint(0, 5, (2,), dtype="int32")),
    Row("y = x.clone(); y[0] = 1e300", x=randn(2)),
    Row("y = x.clone(); y[0] = 1j", x=randn(2)),
    Row("y = x.clone(); y[0] = x.double()[0]; y[1:] = x.double()[1:]; y", x=randn(2)),
    Row("y = x.clone(); y[[0]] = x.double()[:1]", x=randn(2)),
    Row("y = x.clone(); y[0] = True; y[1] = 0; y", x=bools(3)),
)

test_errors = rows(
    *(
        Row(expression, x=randn(2, 3))
        for expression in (
            "x[5]", "x[-3]", "x[0, 5]", "x[:, -4]", "x[0, 0, 0]", "torch.tensor(1)[0]", "torch.tensor(1)[1]", "torch.tensor(1)[:]",
            "x[::-1]", "x[::0]", "x['a']", "x[1.0]", "x[torch.ones(2)]", "x[torch.tensor([5])]", "x[torch.tensor([True])]",
            "x[[0, 1], [0], [0]]",
            "x[[0, 1], [0, 1, 2]]", "x[{}]", "x[1.5:]", "x[torch.ones(3, 3) > 0]", "x[0] = torch.ones(2)", "x[0] = 'a'", "x[0] = None",
            "x[:1] = torch.ones(2)", "x[[0, 1]] = torch.ones(2)", "x[5] = 1", "x[0] = [1, 2, 3]", "del x[0]", "x[:, 1:] = torch.ones(3, 2)",
            "torch.gather(x, 0, torch.zeros(5, 5).long())", "torch.gather(x, 0, torch.zeros(5).long())", "torch.gather(x, 0, x)",
            "torch.gather(x, 0, torch.full((1, 3), 7))", "x.scatter(0, torch.zeros(1, 5).long(), x)",
            "x.scatter(0, torch.full((1, 3), 9), 1)", "x.scatter(0, torch.zeros(1, 3).long(), x.double())",
            "x.scatter(0, torch.zeros(1, 3).long(), 1, reduce='foo')",
            "x.scatter_reduce(0, torch.zeros(1, 3).long(), x, 'foo')", "x.index_select(0, torch.tensor([5]))",
            "x.index_select(0, torch.tensor([[1]]))", "x.index_select(0, torch.tensor([1.0]))", "x.index_add(0, torch.tensor([0]), x)",
            "x.index_add(0, torch.tensor([9]), x[:1])", "x.index_copy(0, torch.tensor([9]), x[:1])",
            "x.index_fill(0, torch.tensor([9]), 1)", "x.masked_fill(x, 1)", "x.masked_fill(torch.ones(2) > 0, 1)",
            "x.masked_fill(x > 0, 1j)", "x.masked_select(x)",
            "x.masked_scatter(x < 9, torch.ones(2))", "x.take(torch.tensor([50]))", "x.put(torch.tensor([1]), torch.ones(2))",
            "torch.take_along_dim(x, torch.zeros(3).long(), 1)", "torch.ones(3).fill_diagonal_(1)", "x.select_scatter(x, 0, 1)",
            "x.slice_scatter(torch.ones(2), 0, 1)", "F.one_hot(torch.tensor([0, 5]), 3)", "F.one_hot(torch.tensor([-1]))", "F.one_hot(x)",
            "'a' in x",
        )
    ),
)  # fmt: skip

I23 = randint(0, 2, (2, 3))

test_gather_and_scatter = rows(
    Row("x.gather(1, i)", x=randn(2, 4), i=randint(0, 4, (2, 3)), grad=2),
    Row("x.gather(0, i)", x=randn(5, 4), i=randint(0, 5, (2, 3)), grad=2),
    Row("x.gather(2, i)", x=randn(2, 3, 4), i=randint(0, 4, (2, 2, 5)), grad=2),
    Row("x.scatter(0, i, y)", x=randn(3, 4), i=value([[0, 1, 2]]), y=randn(1, 3), grad=2),
    Row("x.scatter(1, i, 2.5)", x=randn(3, 4), i=randint(0, 4, (2, 2)), grad=2),
    Row("x.scatter(1, i, 2, reduce='multiply'), x.scatter(1, i, x, reduce='add')", x=randn(3, 4).nograd, i=randint(0, 4, (2, 2))),
    Row("x.scatter_add(0, i, y)", x=randn(3, 3), i=randint(0, 3, (4, 3)), y=randn(4, 3), grad=2),
    Row("x.clone().scatter_(0, i, x * 2)", x=randn(2, 3), i=I23, grad_fn=False),
    *(
        Row(f"x.scatter_reduce(0, i, y, '{reduce}', include_self={own})", x=randn(3, 3), i=randint(0, 3, (5, 3)), y=randn(5, 3), grad=True)
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for own in (True, False)
    ),
    *(
        Row(
            f"x.index_reduce(1, i, y, '{reduce}', include_self={own})",
            x=randn(3, 3),
            i=value([0, 2, 0]),
            y=randn(3, 3),
            grad=True,
            warns=False,
        )
        for reduce in ("prod", "mean", "amax", "amin")
        for own in (True, False)
    ),
    Row("x.index_select(1, i)", x=randn(3, 4), i=value([3, 0, 3]), grad=2),
    Row("x.index_add(0, i, y, alpha=2)", x=randn(3, 4), i=value([2, 0, 2]), y=randn(3, 4), grad=2),
    Row("x.index_copy(0, i, y)", x=randn(3, 4), i=value([2, 0]), y=randn(2, 4), grad=2),
    Row("x.index_fill(1, i, 5), x.index_fill(1, i, y)", x=randn(3, 4), i=value([2, 0]), y=randn(), grad=2),
    Row("x.index_put((i,), y)", x=randn(3, 4), i=value([2, 0]), y=randn(2, 4), grad=2),
    Row("x.index_put((i,), y, accumulate=True)", x=randn(3, 4), i=value([2, 2]), y=randn(4), grad=2),
    Row("x.take(i), x.put(i, y), x.put(i, y, accumulate=True)", x=randn(3, 4), i=value([2, 11, -1]), y=randn(3), grad=True),
    Row("x.take(i)", x=randn(4, 3).T, i=value([[0, 5], [2, 2]]), grad=2),
    Row("torch.take_along_dim(x, i, 1), torch.take_along_dim(x, i)", x=randn(3, 4), i=value([[0], [1], [2]]), grad=2),
)

test_masks = rows(
    Row("x.masked_fill(m, 2.5), x.masked_fill(m[0], y)", x=randn(3, 4), m=bools(3, 4), y=randn(), grad=2),
    Row("x.masked_fill(m, -1)", x=randn(2, 1), m=bools(3), dtypes="float16 bfloat16 int64 float32"),
    Row("x.masked_select(m), x.masked_select(m[0])", x=randn(3, 4), m=bools(3, 4), grad=2),
    Row("x.masked_scatter(m, y)", x=randn(3, 4), m=bools(3, 4), y=randn(20), grad=2),
    Row("x.nonzero(), x.nonzero(as_tuple=True), torch.argwhere(x)", x=randint(0, 2, (3, 4))),
    Row("torch.tensor(3).nonzero(), torch.tensor(3).nonzero(as_tuple=True)"),
    Row("torch.nonzero_static(x, size=3), torch.nonzero_static(x, size=20, fill_value=7)", x=randint(0, 2, (3, 4))),
    Row("F.one_hot(x), F.one_hot(x, 7)", x=randint(0, 4, (2, 3))),
)

test_replaced_parts = rows(
    Row("x.select_scatter(y, 0, 1)", x=randn(3, 4), y=randn(4), grad=2),
    Row("x.slice_scatter(y, 1, 0, 4, 2)", x=randn(3, 4), y=randn(3, 2), grad=2),
    Row("x.diagonal_scatter(y, 1)", x=randn(3, 4), y=randn(3), grad=2),
    Row("x.as_strided_scatter(y, (2, 2), (1, 2), 1)", x=randn(3, 4).nograd, y=randn(2, 2), grad=2),
    Row("y = x.clone(); y.fill_diagonal_(7.0); y", x=randn(5, 2)),
    Row("y = x.clone(); y.fill_diagonal_(7.0, wrap=True); y", x=randn(7, 2)),
)


@parity
def test_loop_of_writes(torch):
    """The usual way to fill a result row by row."""
    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = torch.zeros(4, 3)
    for i in range(4):
        out[i] = w * i
        out[i, i % 3] += w[0]
    out.sum().backward()
    return out, w.grad, out.grad_fn.name()


# --- any index ---------------------------------------------------------------------------------------------------

part = st.one_of(
    st.integers(-3, 3), st.just(None), st.just(...),
    st.builds(slice, st.none() | st.integers(-4, 4), st.none() | st.integers(-4, 4), st.none() | st.integers(1, 3)),
    st.lists(st.integers(-2, 1), min_size=1, max_size=3), st.booleans(), st.lists(st.booleans(), min_size=2, max_size=3),
    st.lists(st.lists(st.integers(0, 1), min_size=2, max_size=2), min_size=1, max_size=2).map(lambda x: ("tensor", x)),
)  # fmt: skip


def outcome(torch, index, writes):
    x = torch.arange(12.0).reshape(2, 3, 2).transpose(0, 1) * 1
    index = tuple(item for n, item in enumerate(index) if item is not Ellipsis or Ellipsis not in index[:n])
    index = tuple(torch.tensor(i[1]) if isinstance(i, tuple) else i for i in index)
    try:
        if writes:
            y = x.clone()
            y[index] = 7.0
            return y.tolist()
        y = x[index]
        strides = [s for n, s in zip(y.shape, y.stride()) if n > 1] if y.numel() else None
        return list(y.shape), strides, y.storage_offset() if y.numel() else None, y._base is not None, y.tolist()
    except Exception as error:
        return type(error).__name__, str(error).split("Exception raised")[0].strip()


@pytest.mark.skipif(real_torch() is None, reason="PyTorch is not installed")
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(part, min_size=1, max_size=4), st.booleans())
def test_any_index(index, writes):
    theirs = outcome(real_torch(), index, writes)
    ours = outcome(flambeau, index, writes)
    assert ours == theirs, index


def test_numpy_agrees_on_gradients():
    """A read with many repeated indices gives back sums per index."""
    x = flambeau.zeros(10, 4, requires_grad=True)
    index = np.random.RandomState(0).randint(0, 10, 500)
    weights = np.random.RandomState(1).standard_normal((500, 4)).astype(np.float32)
    (x[index] * flambeau.from_numpy(weights)).sum().backward()
    expected = np.zeros((10, 4))
    np.add.at(expected, index, weights.astype(np.float64))
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-4, atol=1e-4)
