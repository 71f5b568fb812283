"""nn.init: the same random numbers as PyTorch, bit for bit."""

import inspect

from harness import Row, parity, rows

RANDOM = (
    "uniform_(torch.empty(3, 5))",
    "uniform_(torch.empty(4), -1.0, 2.5)",
    "uniform_(torch.empty(3, 4, dtype=torch.float64), a=1)",
    "normal_(torch.empty(3, 7))",
    "normal_(torch.empty(5), mean=2.0, std=0.1)",
    "normal_(torch.empty(40, dtype=torch.float64), 1, 3)",
    "trunc_normal_(torch.empty(8, 8))",
    "trunc_normal_(torch.empty(40), std=0.02)",
    "trunc_normal_(torch.empty(10, 10), mean=1.0, std=0.5, a=0.9, b=1.2)",
    "trunc_normal_(torch.empty(64), a=1.5, b=2.5)",
    "trunc_normal_(torch.empty(64), mean=0.3, std=1.0, a=0.2, b=0.5)",
    "trunc_normal_(torch.empty(64), mean=5.0, std=1.0, a=-2, b=2.5)",
    "trunc_normal_(torch.empty(32, dtype=torch.float64), 0, 1, -1, 1)",
    "trunc_normal_(torch.empty(32, dtype=torch.bfloat16), 0, 1, -1, 1)",
    "xavier_uniform_(torch.empty(3, 5))",
    "xavier_uniform_(torch.empty(3, 5, 2, 2), gain=2.0)",
    "xavier_normal_(torch.empty(6, 5), gain=0.5)",
    "kaiming_uniform_(torch.empty(3, 5))",
    "kaiming_uniform_(torch.empty(3, 5), a=5 ** 0.5)",
    "kaiming_uniform_(torch.empty(3, 5, 3), mode='fan_out', nonlinearity='relu')",
    "kaiming_normal_(torch.empty(6, 5))",
    "kaiming_normal_(torch.empty(6, 5), mode='fan_out', nonlinearity='tanh')",
    "kaiming_uniform_(torch.empty(3, 5), nonlinearity='linear')",
    "sparse_(torch.empty(6, 4), 0.5)",
    "sparse_(torch.empty(7, 3), sparsity=0.3, std=2.0)",
)

test_random = rows(
    *(Row(f"nn.init.{call}, torch.rand(2)", name=call, exact=True) for call in RANDOM),
    *(
        Row(
            f"g = torch.Generator().manual_seed(7); nn.init.{name}(torch.empty(6, 6), generator=g{rest}), torch.rand(2)",
            name=f"{name} with a generator",
            exact=True,
        )
        for name, rest in (
            ("uniform_", ""), ("normal_", ""), ("trunc_normal_", ""), ("xavier_uniform_", ""), ("xavier_normal_", ""),
            ("kaiming_uniform_", ""), ("kaiming_normal_", ""), ("sparse_", ", sparsity=0.4"),
        )
    ),
)  # fmt: skip

test_orthogonal = rows(
    Row("nn.init.orthogonal_(torch.empty(3, 5))"),
    Row("nn.init.orthogonal_(torch.empty(5, 3), gain=2.0), torch.rand(1)"),
    Row("nn.init.orthogonal_(torch.empty(4, 2, 3))"),
    Row("nn.init.orthogonal_(torch.empty(4, 4, dtype=torch.float64))"),
    Row("nn.init.orthogonal_(torch.empty(0, 4))"),
)

test_fixed = rows(
    Row("nn.init.constant_(torch.empty(2, 3), 0.3)"),
    Row("nn.init.ones_(torch.empty(2, 3)), nn.init.zeros_(torch.empty(2, dtype=torch.int64))"),
    Row("nn.init.eye_(torch.empty(2, 3)), nn.init.eye_(torch.empty(3, 2, dtype=torch.float64))"),
    Row("nn.init.dirac_(torch.empty(3, 2, 3)), nn.init.dirac_(torch.empty(2, 3, 3, 2))"),
    Row("nn.init.dirac_(torch.empty(4, 2, 3, 3, 3), groups=2)"),
    Row("[nn.init.calculate_gain(n) for n in ('linear', 'conv1d', 'conv_transpose3d', 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'selu')]"),
    Row("nn.init.calculate_gain('leaky_relu', 0.2), nn.init.calculate_gain('leaky_relu', 1)"),
    Row("w = nn.Parameter(torch.empty(2, 2)); nn.init.ones_(w) is w, w.requires_grad, w.grad_fn, w"),
    Row("w = nn.Parameter(torch.empty(2, 2)); nn.init.eye_(w) is w, w.requires_grad, w.is_leaf, w"),
    Row("nn.init._calculate_fan_in_and_fan_out(torch.empty(3, 4, 5, 6))"),
    Row("m = torch.empty(2, 2, device='meta'); [getattr(nn.init, f)(m) is m for f in ('trunc_normal_', 'kaiming_uniform_', 'eye_')]"),
)

test_errors = rows(
    Row("nn.init.calculate_gain('gelu')"),
    Row("nn.init.calculate_gain('leaky_relu', True)"),
    Row("nn.init.calculate_gain('leaky_relu', 'x')"),
    Row("nn.init.eye_(torch.empty(2))"),
    Row("nn.init.dirac_(torch.empty(2, 2))"),
    Row("nn.init.dirac_(torch.empty(3, 2, 3), groups=2)"),
    Row("nn.init.xavier_uniform_(torch.empty(3))"),
    Row("nn.init.kaiming_normal_(torch.empty(3))"),
    Row("nn.init.kaiming_normal_(torch.empty(3, 3), mode='fan')"),
    Row("nn.init.orthogonal_(torch.empty(3))"),
    Row("nn.init.sparse_(torch.empty(3), 0.1)"),
    Row("nn.init.kaiming_uniform_(torch.empty(0, 3))", warns=True),
    Row("nn.init.kaiming_normal_(torch.empty(0, 3))", warns=True),
    Row("nn.init.trunc_normal_(torch.empty(20), mean=5.0, a=-2, b=2.9)", warns=True, exact=True),
    Row("nn.init.xavier_uniform(torch.empty(3, 3)), nn.init.constant(torch.empty(2), 1.0)", warns=True, exact=True),
)


@parity
def test_names(torch):
    """The public names and their arguments."""
    names = torch.nn.init.__all__
    public = [name for name in names if name.endswith("_") or name == "calculate_gain"]
    return sorted(names), [list(inspect.signature(getattr(torch.nn.init, name)).parameters) for name in public]
