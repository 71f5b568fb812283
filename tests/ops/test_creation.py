"""Making tensors."""

import numpy as np

from harness import Row, parity, randn, rows

test_data = rows(
    Row("[torch.tensor(v) for v in (1, 2.5, True, 1j, [1, 2], [1, 2.5], [True, False], [[1], [2]], [], [[]], (1, 2), range(3))]"),
    Row("torch.tensor([1, 2], dtype=torch.float16), torch.tensor(1.5, dtype=torch.int64), torch.tensor([0, 2], dtype=torch.bool)"),
    Row("torch.tensor(np.arange(3)), torch.tensor(np.float64(2)), torch.tensor([np.float64(1), "
        "np.float64(2)]), torch.tensor(np.eye(2, dtype='f4'))"),
    Row("torch.tensor([x[0], x[1]]), torch.tensor([[x[0], 2.0]])", x=randn(2)),
    Row("torch.tensor([x[:1], x[1:]]), torch.tensor([[x[:1]], [x[1:]]]), torch.tensor([x[:1], 2]), torch.Tensor([x[:1]])", x=randn(2)),
    Row("i, h, d = torch.tensor(1), torch.ones(1).half(), torch.ones(1, 1).double(); torch.tensor([i, 2.5]), torch.tensor([h, 2.0]), "
        "torch.tensor([i, d]), torch.tensor([1, i.int()]), torch.tensor([i.int(), i]), torch.tensor([i == 1, h])"),
    Row("torch.tensor([x, x])", x=randn(2)),
    Row("torch.tensor([torch.ones(0)])"),
    Row("torch.tensor([torch.ones(1, device='meta')])"),
    Row("torch.tensor(x)", x=randn(2), warns=True),
    Row("torch.as_tensor(x) is x, torch.as_tensor([1, 2]), torch.as_tensor(np.ones(2)), torch.as_tensor(x, "
        "dtype=torch.float64)", x=randn(2)),
    Row("a = np.zeros(3); t = torch.from_numpy(a); a[0] = 5; t"),
    Row("torch.from_numpy(np.arange(6).reshape(2, 3)[:, ::2]), torch.from_numpy(np.float32(3)[None])"),
    Row("torch.frombuffer(bytearray(range(8)), dtype=torch.int16), torch.frombuffer(bytearray(range(8)), "
        "dtype=torch.uint8, count=3, offset=2)"),
    Row("torch.scalar_tensor(3), torch.scalar_tensor(2.5, dtype=torch.int64)"),
    *[
        Row(expression)
        for expression in (
            "torch.tensor([1, 'a'])", "torch.tensor('a')", "torch.tensor(None)", "torch.tensor([[1], [2, 3]])", "torch.tensor([[1, 2], 3])",
            "torch.tensor(2**70)", "torch.tensor({})", "torch.from_numpy([1])", "torch.from_numpy(np.arange(3)[::-1])",
            "torch.tensor([1, 2], requires_grad=True)", "torch.frombuffer(b'', dtype=torch.uint8)",
        )
    ],
)  # fmt: skip

test_shapes = rows(
    Row(
        "torch.zeros(3), torch.zeros(2, 3), torch.zeros((2, 3)), torch.zeros([2]), torch.zeros(()), "
        "torch.zeros(size=(2,)), torch.zeros(0, 3)"
    ),
    Row("torch.ones(2, dtype=torch.int32), torch.ones(2, requires_grad=True), torch.zeros(torch.Size([2]), dtype=torch.bool)"),
    Row("torch.empty(2, 3).shape, torch.empty((2, 3, 4, 5), memory_format=torch.channels_last).stride(), torch.empty(0)"),
    Row("torch.full((2,), 1), torch.full([2], 1.5), torch.full((), True), torch.full((2,), 1, dtype=torch.bool), torch.full((1,), 1j)"),
    Row("torch.zeros_like(x), torch.ones_like(x), torch.full_like(x, 3), torch.empty_like(x).stride()", x=randn(3, 4).T, strides=True),
    Row("torch.zeros_like(x, dtype=torch.int64), torch.ones_like(x, requires_grad=True)", x=randn(3)),
    Row(
        "x.new_zeros(2, 3), x.new_ones((2,)), x.new_full((2,), 7), x.new_tensor([1, 2]), "
        "x.new_empty(2).shape, x.new_zeros(2, dtype=torch.int64)",
        x=randn(3, dtype="float64"),
    ),
    Row("torch.eye(3), torch.eye(2, 4), torch.eye(3, 1, dtype=torch.bool), torch.eye(0)"),
    Row("torch.tril_indices(3, 4), torch.triu_indices(3, 3, 1), torch.tril_indices(2, 2, -1)"),
    Row("torch.empty_strided((2, 3), (1, 2)).stride(), torch.empty_permuted((2, 3, 4), (1, 0, 2)).stride()"),
    Row("out = torch.empty(3, dtype=torch.int32); r = torch.zeros(3, out=out); r is out, out"),
    Row("torch.zeros('a')"),
    Row("torch.zeros(2.0)"),
    Row("torch.zeros(2, foo=1)", message="unexpected keyword argument|invalid combination"),
    Row("torch.eye(-1)"),
    Row("torch.empty_permuted((2,), (0, 1))"),
)

test_ranges = rows(
    Row("torch.arange(5), torch.arange(2, 7), torch.arange(2, 7, 2), torch.arange(5, 0, -2), torch.arange(0), torch.arange(end=4)"),
    Row("torch.arange(0, 1, 0.3), torch.arange(5.0), torch.arange(1, 4, dtype=torch.float16), "
        "torch.arange(0.5, 3, dtype=torch.int64)", exact=True),
    Row("torch.arange(0, 1, 0.25, dtype=torch.int32), torch.arange(torch.tensor(3)), torch.arange(3, out=torch.empty(0))"),
    Row("torch.linspace(0, 1, 5), torch.linspace(-3, 7, 11), torch.linspace(2.3, 9.7, 23), torch.linspace(3, "
        "1, 1), torch.linspace(0, 1, 0)", exact=True),
    Row("torch.linspace(2.3, 9.7, 23, dtype=torch.float64), torch.linspace(-4.5, 9.7, 23, "
        "dtype=torch.int64), torch.linspace(0, 1j, 3)", exact=True),
    Row("torch.logspace(0, 2, 5), torch.logspace(1, 3, 3, 2), torch.logspace(2, 1.2, 4, dtype=torch.int64)"),
    Row("torch.range(1, 4), torch.range(0, 1, 0.25)", warns=True),
    *[
        Row(expression)
        for expression in (
            "torch.arange(0, 3, 0)", "torch.arange(0, 3, -1)", "torch.arange(0, float('inf'))",
            "torch.arange(3.2, 9.1, 0.5, dtype=torch.int64)",
            "torch.linspace(0, 1, -1)", "torch.logspace(0, 1, -1)", "torch.linspace(torch.ones(2), 1, 3)",
        )
    ],
)  # fmt: skip

test_legacy = rows(
    Row(
        "torch.Tensor([1, 2]), torch.Tensor(2, 3).shape, torch.Tensor(), torch.FloatTensor([1]), "
        "torch.LongTensor([1, 2]), torch.Tensor(x) is x",
        x=randn(2),
    ),
)


@parity
def test_default_dtype(torch):
    """The default dtype decides for floats alone."""
    torch.set_default_dtype(torch.float64)
    try:
        return torch.tensor(1.5), torch.zeros(2), torch.arange(3), torch.arange(0, 1, 0.5), torch.full((1,), 2.0), torch.tensor(1j)
    finally:
        torch.set_default_dtype(torch.float32)


@parity
def test_numpy_memory_is_shared(torch):
    array = np.arange(4, dtype=np.float32)
    tensor = torch.as_tensor(array)
    tensor += 1
    return array.tolist(), tensor.numpy().tolist()
