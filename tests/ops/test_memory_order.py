"""The strides of results: channels last is kept where PyTorch keeps it; permuted, sliced and expanded operands give its orders."""

from harness import Row, randn, rows

X = randn(2, 3, 4, 6)
LAST = "c = x; x = x.contiguous(memory_format=torch.channels_last); "

test_channels_last = rows(
    *[
        Row(LAST + e, x=X, strides=True, grad_fn=False)
        for e in (
            "F.max_pool2d(x, 2)",
            "F.max_pool2d(x, 3, 1, 1, return_indices=True)",
            "F.avg_pool2d(x, 2)",
            "F.adaptive_avg_pool2d(x, 2)",
            "F.adaptive_max_pool2d(x, 2, return_indices=True)",
            "F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)",
            "F.batch_norm(x, torch.zeros(3), torch.ones(3))",
            "F.batch_norm(x, None, None, torch.ones(3), torch.ones(3), training=True)",
            "F.group_norm(x, 3)",
            "F.instance_norm(x)",
            "F.layer_norm(x, (4, 6))",
            "F.rms_norm(x, (6,))",
            "F.interpolate(x, scale_factor=2)",
            "F.interpolate(x, scale_factor=2, mode='bilinear')",
            "F.interpolate(x, size=(2, 3), mode='area')",
            "F.pixel_shuffle(torch.cat([x, x[:, :1]], 1), 2)",
            "F.pixel_unshuffle(x, 2)",
            "F.channel_shuffle(x, 3)",
            "F.pad(x, (1, 1))",
            "F.pad(x, (1, 1), mode='reflect')",
            "F.pad(x, (1, 1, 1, 1), mode='replicate')",
            "torch.cat([x, x], 1)",
            "torch.cat([x, c], 1)",
            "torch.cat([c, x], 1)",
            "torch.stack([x, x])",
            "torch.stack([x, x], 1)",
            "torch.stack([x, x], -1)",
            "F.relu(x)",
            "F.dropout(x, training=False)",
            "x.roll(1, 2)",
            "x.sort(1)",
            "x.masked_fill(x > 0, 1.0)",
            "x.sum(1, keepdim=True)",
            "x.mean((2, 3), keepdim=True)",
            "torch.complex(x, x).real",
            "x.cfloat().imag",
            "F.logsigmoid(x)",
            "torch.zeros_like(x)",
            "F.conv2d(x, torch.ones(2, 3, 3, 3))",
        )
    ],
    Row(
        "x = x.contiguous(memory_format=torch.channels_last_3d)\n"
        "F.max_pool3d(x, 2), F.avg_pool3d(x, 2), F.interpolate(x, scale_factor=2), F.pad(x, (1, 1))",
        x=randn(1, 2, 4, 4, 4),
        strides=True,
    ),
)

ORDERS = {
    "transposed": "x = x.transpose(1, 2); ",
    "permuted": "x = x.permute(2, 0, 3, 1); ",
    "sliced": "x = x[:, :, ::2, 1:4].permute(3, 1, 0, 2); ",
    "expanded": "x = x[:1].expand(2, 3, 4, 6).permute(3, 0, 1, 2); ",
}

test_orders = rows(
    *[
        Row(order + e, x=X, strides=True, grad_fn=False, name=f"{name} {e}")
        for name, order in ORDERS.items()
        for e in (
            "x.sum(1)",
            "x.mean(0, keepdim=True)",
            "x.max(1)",
            "x.amin((0, 1))",
            "x.var(1)",
            "x.any(0)",
            "x.prod(0)",
            "x.logsumexp(1)",
            "x.norm(dim=1)",
            "x.sum(1).view(-1).shape",
            "x.sort(1)",
            "x.cummax(0)",
            "x.logcumsumexp(1)",
            "x + x",
            "x + 1",
            "x * x[0]",
            "x + x.contiguous()",
            "x.contiguous() + x",
            "x.double() * x",
            "x.exp()",
            "x > 0",
            "torch.xlogy(x, x.abs() + 1)",
            "torch.special.zeta(x.abs() + 2, 1.5)",
            "torch.where(x > 0, x, x.contiguous())",
            "torch.lerp(x, x.contiguous(), 0.5)",
            "torch.addcmul(x, x, x)",
            "x.clamp(-1 * x.abs(), x.abs())",
            "x.masked_fill(x > 0, 0.0)",
            "x.scatter(0, torch.zeros(1, 1, 1, 1, dtype=torch.long), 1.0)",
            "x.index_add(0, torch.tensor([0]), x[:1])",
            "F.layer_norm(x, x.shape[3:])",
            "torch.empty_like(x).stride()",
            "x.to(torch.float64)",
        )
    ]
)
