"""Normalisation against PyTorch: forward, gradients of both orders, running statistics, errors."""

from harness import Row, rand, randn, rows

test_layer_norm = rows(
    Row("F.layer_norm(x, (4,), w, z)", w=randn(4), x=randn(2, 3, 4), z=randn(4), grad=2),
    Row("F.layer_norm(x, (3, 4))", x=randn(2, 3, 4), grad=2),
    Row("F.layer_norm(x, (4,), w, z)", w=randn(4), x=randn(0, 4), z=randn(4), grad=True, name="no rows"),
    Row("F.rms_norm(x, (4,), w)", w=randn(4), x=randn(2, 3, 4), grad=2),
    Row("F.rms_norm(x, (3, 4), eps=0.1)", x=randn(2, 3, 4), grad=True),
    Row("F.rms_norm(x, (4,), w)", w=randn(4), x=randn(2, 4), dtypes="float16 bfloat16 float64"),
    Row("F.rms_norm(x, (3,))", x=randn(2, 3, 4)),
    Row("F.rms_norm(x, (4,), w)", w=randn(3), x=randn(2, 4), name="weight of another shape"),
)

test_batch_norm = rows(
    Row(
        "m, v = m.clone(), v.clone(); F.batch_norm(x, m, v, w, z, True, 0.3), m, v",
        m=randn(3).nograd,
        v=rand(3).nograd,
        w=randn(3),
        x=randn(4, 3, 2, 5),
        z=randn(3),
        grad=2,
    ),
    Row("F.batch_norm(x, m, v, w, z)", m=randn(3).nograd, v=rand(3).nograd, w=randn(3), x=randn(4, 3, 2), z=randn(3), grad=2),
    Row("F.batch_norm(x, None, None, training=True)", x=randn(5, 3), grad=2),
    Row("F.batch_norm(x, None, None, w, z, training=True)", x=randn(5, 3, 4), w=randn(3), z=randn(3), dtypes="float16 bfloat16", atol=4e-3),
    Row("F.batch_norm(x, z, w.abs(), w, z)", x=randn(5, 3, 4), w=randn(3), z=randn(3), dtypes="float16 bfloat16"),
    Row("F.batch_norm(x + 1000, None, None, training=True)", x=randn(8, 3, 6, 6, dtype="float64"), grad=True, name="far from zero"),
    Row(
        "F.batch_norm(x, m, v, w, z, True)",
        m=randn(3).nograd,
        v=rand(3).nograd,
        w=randn(3),
        x=randn(0, 3),
        z=randn(3),
        grad=True,
        name="no samples",
        grad_fn=False,
    ),
    Row("F.batch_norm(x, None, None, training=True)", x=randn(4, 3, 5), dtypes="float16 bfloat16 float64", atol=1e-3),
    Row("torch.native_batch_norm(x, w, z, None, None, True, 0.1, 1e-5)", w=randn(3), x=randn(4, 3, 5), z=randn(3)),
    Row("F.batch_norm(x, None, None)", x=randn(4, 3)),
    Row("F.batch_norm(x, m, v, training=True)", m=randn(3), v=rand(3), x=randn(1, 3), name="one value"),
    Row("F.batch_norm(x, m, v)", m=randn(2), v=rand(3), x=randn(4, 3), name="mean of another size"),
    Row("F.batch_norm(x, m, v, w)", m=randn(3), v=rand(3), w=randn(4), x=randn(4, 3), name="weight of another size"),
    Row("F.batch_norm(x, m, v, training=True, eps=0)", m=randn(3), v=rand(3), x=randn(4, 3)),
)

test_others = rows(
    Row("F.instance_norm(x)", x=randn(2, 3, 4, 2), grad=2),
    Row(
        "m, v = m.clone(), v.clone(); F.instance_norm(x, m, v, w, z), m, v",
        m=randn(3).nograd,
        v=rand(3).nograd,
        w=randn(3),
        x=randn(2, 3, 4),
        z=randn(3),
        grad=True,
    ),
    Row("F.instance_norm(x, m, v, use_input_stats=False)", m=randn(3).nograd, v=rand(3).nograd, x=randn(2, 3, 4), grad=True),
    Row("F.group_norm(x, 2, w, z)", w=randn(6), x=randn(2, 6, 4, 3), z=randn(6), grad=2),
    Row("F.group_norm(x, 3)", x=randn(2, 6), grad=True),
    Row("F.group_norm(x, 1, w, z)", w=randn(2), x=randn(0, 2), z=randn(2), grad=True),
    Row("F.group_norm(x, 2, w)", w=randn(6), x=randn(2, 6, 4), grad=True),
    Row("F.group_norm(x, 4)", x=randn(2, 6, 4)),
    Row("F.group_norm(x, 2, w)", w=randn(4), x=randn(2, 6, 4)),
    Row("F.instance_norm(x)", x=randn(2, 3, 1), name="one element"),
    Row("F.local_response_norm(x, 3)", x=randn(2, 5, 4), grad=True),
    Row("F.local_response_norm(x, 2, 0.5, 0.6, 2.0)", x=randn(2, 5, 3, 4), grad=True),
    Row("F.normalize(x)", x=randn(3, 4), grad=2),
    Row("F.normalize(x, p=1, dim=0)", x=randn(3, 4), grad=True),
)
