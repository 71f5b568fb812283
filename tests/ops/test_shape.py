"""Views, joining, repeating, rearranging and padding, compared with PyTorch: values, strides, gradients, errors."""

import pytest

from harness import Row, parity, randint, randn, rows, value

ALL = "bool uint8 int64 float16 bfloat16 float32 float64 complex64"

test_reshaping = rows(
    *(
        Row(expression, x=sample, grad=2, strides=True)
        for sample in (randn(2, 3, 4), randn(4, 3, 2).T)
        for expression in (
            "x.reshape(6, 4)", "x.reshape(-1)", "x.reshape((2, -1, 2))", "x.flatten()", "x.flatten(1)", "x.ravel()", "x.reshape_as(x)",
            "x.unsqueeze(0)", "x.unsqueeze(-1)", "x.unsqueeze(1).squeeze()", "x[:, :1].squeeze(1)", "x[:1, :1].squeeze((0, 1))",
            "x.unflatten(1, (3, 1))", "x.expand(5, *x.shape)", "x[:, :1].expand(-1, 6, -1)", "x.contiguous()", "x.clone()",
            "x.transpose(0, 2)", "x.permute(2, 0, 1)", "x.movedim(0, -1)", "x.movedim((0, 1), (2, 0))", "x.swapaxes(0, 1)", "x.mT",
            "x.adjoint()", "x.view(*x.shape)", "x.sum_to_size(3, 1)", "x.narrow(1, 1, 2)", "x.select(1, 2)", "x.unfold(2, 2, 1)",
            "x.diagonal()", "x.diagonal(-1, 1, 2)", "x.as_strided((2, 2), (1, 2), 1)", "torch.atleast_3d(x[0])",
        )
    ),
    Row("x.view(3, 8)", x=randn(2, 3, 4), strides=True),
    Row("x.t()", x=randn(2, 3), strides=True, grad=2),
    Row("x.t()", x=randn(3), strides=True, grad=True),
    Row("x.T", x=randn(2, 3), strides=True, grad=2),
    Row("x = torch.empty(0, 3); x.stride(), x.t().stride(), x[:0].stride(), x.t()[1:].stride(), x.permute(1, 0).stride()"),
    Row("x.view(dtype=torch.int32)", x=randn(4)),
    Row("x.view(torch.int16)", x=randn(2, 3), strides=True),
    Row("x.view(torch.float64)", x=randn(2, 4), strides=True),
    Row("x.view(torch.float32)", x=randn(3), strides=True, grad=True),
    Row("torch.broadcast_tensors(x, y)", x=randn(2, 1), y=randn(3), strides=True, grad=True),
    Row("torch.broadcast_shapes((2, 1), (3,), 1)"),
    Row("[p.shape for p in torch.atleast_2d(x, x[0])]", x=randn(3)),
)  # fmt: skip

test_memory_formats = rows(
    Row("x.contiguous(memory_format=torch.channels_last)", x=randn(2, 3, 4, 5), strides=True, grad=True),
    Row("x.contiguous(memory_format=torch.channels_last).clone()", x=randn(2, 3, 4, 5), strides=True),
    Row(
        "x.contiguous(memory_format=torch.channels_last).is_contiguous(), x.is_contiguous(memory_format=torch.channels_last)",
        x=randn(2, 3, 4, 5),
    ),
    Row("x.clone(memory_format=torch.contiguous_format)", x=randn(3, 2).T, strides=True),
    Row("x[:, ::2].clone()", x=randn(4, 6).T, strides=True),
    Row("x.expand(4, 2, 3).clone()", x=randn(2, 3), strides=True),
    Row("x.contiguous(memory_format=torch.channels_last)", x=randn(3)),
    Row("torch.channels_last, torch.preserve_format, x.layout, torch.strided", x=randn(3), name="how they print", message="."),
)

test_pieces = rows(
    *(
        Row(expression, x=randn(5, 4), grad=2, strides=True)
        for expression in (
            "x.split(2)", "x.split(3, 1)", "x.split([1, 4])", "x.chunk(3)", "x.chunk(7)", "x.tensor_split(3)", "x.tensor_split((1, 3), 1)",
            "x.unbind()", "x.unbind(-1)", "x.hsplit(2)", "x.vsplit((2,))", "torch.split(x, 2)[1]", "x.unsafe_chunk(2)", "x.unsafe_split(2)",
            "[p for p in x]", "x.split_with_sizes([2, 3])", "x.narrow_copy(0, 1, 2)", "x.split(5)[0]",
        )
    ),
    Row("[len(p) for p in x.chunk(2)]", x=randn(0, 3)),
    Row("x.dsplit([1])", x=randn(2, 3, 4), strides=True),
)  # fmt: skip

test_joining = rows(
    Row("torch.cat([x, y])", x=randn(2, 3), y=randn(1, 3), grad=2),
    Row("torch.cat((x, y), 1)", x=randn(2, 3), y=randn(2, 2), grad=2),
    Row("torch.cat([x, y], -1)", x=randn(3, 2).T, y=randn(2, 2), strides=True),
    Row("torch.cat([x.T, x.T])", x=randn(3, 4), strides=True),
    Row("torch.cat([x, y])", x=randn(3), y=randint(0, 3, (2,))),
    Row("torch.cat([x, torch.empty(0)])", x=randn(2, 2), grad=True),
    Row("torch.cat([x, x])", x=randn(2, 2), dtypes=ALL),
    Row("torch.stack([x, y], d)", x=randn(2, 3), y=randn(2, 3), d=1, grad=2),
    Row("torch.stack((x, y), -1)", x=randn(2, 3), y=randn(2, 3), grad=True, strides=True),
    Row("torch.hstack([x, x]), torch.vstack([x, x]), torch.dstack([x, x]), torch.column_stack([x, x])", x=randn(3), grad=True),
    Row("torch.hstack([x, x]), torch.vstack([x, x]), torch.dstack([x, x]), torch.column_stack([x, x])", x=randn(2, 2), grad=True),
    Row("torch.block_diag(x, y, x[0])", x=randn(2, 2), y=randn(1, 3), grad=2),
    Row("torch.meshgrid(x, y, indexing='ij')", x=randn(2), y=randn(3), grad=True, strides=True),
    Row("torch.meshgrid(x, y, indexing='xy')", x=randn(2), y=randn(3), grad=True, strides=True),
    Row("torch.cartesian_prod(x, y)", x=randn(2), y=randn(3), grad=True),
    Row("torch.combinations(x)", x=randn(4), grad=True),
    Row("torch.combinations(x, 3, True)", x=randn(3), grad=True),
)

test_repeating = rows(
    Row("x.repeat(2, 3)", x=randn(2, 3), grad=2),
    Row("x.repeat(2, 1, 2)", x=randn(2, 3), grad=2, strides=True),
    Row("x.repeat(0, 1)", x=randn(2, 3), grad=True),
    Row("x.tile(2), torch.tile(x, (2, 2, 1))", x=randn(2, 3), grad=True),
    Row("x.repeat_interleave(2), x.repeat_interleave(2, 0), x.repeat_interleave(r, 1)", x=randn(2, 3), r=value([1, 0, 2]), grad=2),
    Row("torch.repeat_interleave(r)", r=value([1, 0, 2])),
)

test_rearranging = rows(
    *(
        Row(expression, x=sample, grad=2, strides=True)
        for sample in (randn(3, 4), randn(4, 3).T)
        for expression in (
            "x.flip(0)", "x.flip((0, 1))", "x.fliplr()", "x.flipud()", "x.roll(1)", "x.roll((1, -1), (0, 1))", "x.roll(5, 1)",
            "x.rot90()", "x.rot90(2)", "x.rot90(-1)", "x.tril()", "x.triu(1)", "x.tril(-1)", "x.diag()", "x.diag(1)", "x[0].diag(-1)",
            "x.diag_embed()", "x.diag_embed(1, 0, 2)", "x.diagflat()",
        )
    ),
    Row("x.tril()", x=randn(2, 3, 3), dtypes=ALL),
    Row("x.triu_(); x", x=randn(3, 3)),
)  # fmt: skip

test_padding = rows(
    *(
        Row(f"F.pad(x, (1, 2), '{mode}')", x=randn(2, 3, 4), gradgrad=True, grad=True)
        for mode in ("constant", "reflect", "replicate", "circular")
    ),
    *(Row(f"F.pad(x, (1, 2, 2, 0), '{mode}')", x=randn(1, 2, 3, 4), gradgrad=True, grad=True) for mode in ("reflect", "replicate")),
    *(Row(f"F.pad(x, (1, 1, 0, 1, 1, 0), '{mode}')", x=randn(1, 2, 3, 2, 3), grad=True) for mode in ("reflect", "replicate")),
    Row("F.pad(x, (1, 2, 2, 0), 'circular')", x=randn(1, 2, 3, 4), grad=2, grad_fn=False),
    Row("F.pad(x, (-1, 1, 1, -1), value=2.5)", x=randn(3, 4), grad=2),
    Row("F.pad(x, (3, 3), 'reflect')", x=randn(2, 3)),
    Row("F.pad(x, (1,))", x=randn(2, 3)),
    Row("F.pad(x, (1, 1), 'foo')", x=randn(2, 3)),
    Row("F.pad(x, (1, 1, 1, 1), 'reflect')", x=randn(2, 3)),
)

test_complex_views = rows(
    Row("torch.view_as_real(x)", x=randn(2, 3, dtype="complex64"), strides=True, grad=2),
    Row("torch.view_as_complex(x)", x=randn(3, 2), strides=True, grad=2),
    Row("x.real, x.imag", x=randn(2, 3, dtype="complex64"), strides=True, grad=2),
    Row("y = x * 1; y.real.mul_(2); y.imag[0] = 3; y", x=randn(2, 3, dtype="complex64"), grad=True),
    Row("y = x * 1; torch.view_as_real(y)[1] *= 2; y[0]", x=randn(3, dtype="complex64"), grad=True),
    Row("x.imag", x=randn(3)),
)

test_in_place_shapes = rows(
    *(
        Row(f"y = x * 1; z = y.{call}; y, z is y, y._version", x=randn(2, 1, 3), grad=True, strides=True)
        for call in ("transpose_(0, 2)", "squeeze_()", "squeeze_(1)", "unsqueeze_(0)", "swapaxes_(0, 1)", "as_strided_((2, 2), (1, 1))")
    ),
    Row("y = x * 1; y.t_(); y.mul_(2); y", x=randn(2, 3), grad=True, strides=True),
    Row("x.resize_(2, 2)", x=randn(2, 3).nograd, strides=True),
    Row("y = torch.empty(0); y.resize_(2, 3).shape", x=randn(1)),
    Row("x.resize_(2)", x=randn(3), grad=True),
    Row("y = torch.empty(0); y.set_(x); y", x=randn(2, 3), strides=True),
    Row("x.detach_(); x.requires_grad, x.is_leaf", x=randn(3), grad=True),
    Row("x.t_()", x=randn(2, 3), grad=True),
)

test_errors = rows(
    *(
        Row(expression, x=randn(2, 3))
        for expression in (
            "x.view(4)", "x.view(-2, 3)", "x.view(-1, -1)", "x.t().view(6)", "x.reshape(5)", "x.view(2.0, 3)", "x.transpose(0, 2)",
            "x.unsqueeze(3).t()", "x.permute(0)", "x.permute(0, 0)", "x.permute(0, 5)", "x.expand(3)", "x.expand(4, 3)",
            "x.expand(-1, 2, 3)", "x.squeeze(3)", "x.squeeze((0, 0))", "x.unsqueeze(4)", "x.flatten(2)", "x.flatten(1, 0)",
            "x.unflatten(0, (3, 2))", "x.movedim(0, 2)", "x.movedim((0, 0), (0, 1))", "x.narrow(0, 1, 5)", "x.narrow(0, -5, 1)",
            "x.select(0, 5)", "x.select(2, 0)", "torch.tensor(1).select(0, 0)", "torch.cat([])", "torch.cat([x, x[0]])",
            "torch.cat([x, x[:, :2]])", "torch.cat([torch.tensor(1), x])", "torch.cat(x)", "torch.stack([])", "torch.stack([x, x.t()])",
            "torch.stack([x], 3)", "x.split(0)", "x.split(-1)", "x.split([1, 2])", "x.chunk(0)", "torch.tensor(1).unbind()",
            "x.sum_to_size(2)", "x.repeat(2)", "x.roll(1, (0, 1))", "x.flip(3)", "x.rot90(1, (0, 0))", "x[0].tril()", "x.diagonal(0, 0, 0)",
            "x.unfold(0, 5, 1)", "x.as_strided((5, 5), (5, 5))", "x.as_strided((2,), (-1,))", "x.tensor_split(0)", "x.hsplit(2)",
            "torch.meshgrid(x, x, indexing='ab')", "torch.combinations(x)", "x.view(torch.float64)", "x.resize_(-1)",
            "torch.view_as_complex(x)", "torch.hstack([])", "x.repeat_interleave(torch.tensor([1, 2, 3]), 0)",
        )
    ),
)  # fmt: skip


@parity
def test_views_share_memory(torch):
    x = torch.arange(24.0).reshape(2, 3, 4)
    views = [
        x.view(-1),
        x.t() if x.dim() < 3 else x[0].t(),
        x[:, 1:],
        x.unbind(2)[1],
        x.diagonal(),
        x.unfold(2, 2, 2),
        x.squeeze(),
        x.detach(),
        x.data,
    ]
    x.add_(1)
    return views, [v._version for v in views], [v._base is x for v in views], [v.storage_offset() for v in views]


@parity
def test_chained_views_lead_to_the_base(torch):
    x = torch.zeros(3, 4)
    row = x[1:].t()[2]
    row += 5
    return x, row._base is x, row._is_view(), x._is_view(), row.is_contiguous(), row.stride(), row.storage_offset()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("dim", [0, 1, -1])
@parity
def test_the_gradient_of_unbind_in_any_memory_order(torch, dim, order):
    x = torch.arange(24.0).view(2, 3, 4).permute(order).requires_grad_()
    parts = (x * 2).unbind(dim)
    (parts[0].square().sum() + parts[-1].sum()).backward()
    line = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, _, c = line.unbind()
    (a * 3 + c * c).backward()
    return x.grad, line.grad
