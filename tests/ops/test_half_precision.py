"""float16 and bfloat16 give PyTorch's very numbers: every operation computes in float32 and rounds where PyTorch's does.

Sizes are multiples of what PyTorch's vectors hold, since its scalar code rounds some functions once more.
"""

from harness import Row, rand, randn, rows

DTYPES = "float16 bfloat16"
SHAPE = (8, 64)


def row(expression, grad=True, name="", **samples):
    return Row(expression, dtypes=DTYPES, exact=True, grad=grad, name=name, grad_fn=False, **samples)


def backward(expression, **samples):
    """Its gradients by an ordinary backward alone: with a graph they come from other operators, which round elsewhere."""
    names = [n for n, s in samples.items() if s.grad]
    leaves = "".join(f"{n} = {n}.detach().requires_grad_(); " for n in names)
    grads = ", ".join(f"{n}.grad" for n in names)
    return row(f"{leaves}r = {expression}; r.backward(torch.randn(r.shape).to(r.dtype)); r, {grads}", False, expression, **samples)


test_numbers = rows(
    *[row(e, x=randn(*SHAPE)) for e in ("x + 0.1", "0.1 + x", "x - 0.1", "0.1 - x", "x * 0.1", "x / 0.3", "0.3 / x", "x + 3", "x * 3")],
    *[row(e, x=randn(*SHAPE)) for e in ("x.fmod(0.3)", "x % 0.3", "x.copysign(-0.1)", "x.clamp(-0.3, 0.7)", "x.clamp(min=0.1)")],
    *[row(e, False, x=randn(*SHAPE)) for e in ("x // 0.3", "x > 0.1", "x <= 0.1", "x == x[0, 0].item()", "0.1 < x")],
    *[row(e, x=randn(*SHAPE)) for e in ("x ** 2", "x ** 0", "x ** 1", "torch.where(x > 0, x, 0.1)", "x.masked_fill(x > 0, 0.1)")],
    *[row(f"x ** {n}", x=rand(*SHAPE, low=0.1, high=2.0)) for n in ("3", "-1", "0.5", "-0.5", "-2")],
    *[
        row(e, x=randn(*SHAPE))
        for e in ("x * torch.tensor(0.1)", "x + torch.tensor(0.1)", "torch.tensor(0.1) - x", "x / torch.tensor(0.3)")
    ],
    *[row(f"y = x.clone(); y.{e}; y", x=randn(*SHAPE)) for e in ("add_(0.1)", "mul_(0.1)", "div_(0.3)", "sub_(0.1)", "clamp_(-0.3, 0.7)")],
    *[row(f"y = x.clone(); y.{e}; y", x=randn(*SHAPE)) for e in ("add_(torch.tensor(0.1))", "mul_(torch.tensor(0.1))")],
)

test_operands = rows(
    *[row(f"torch.{n}(x, y)", x=randn(*SHAPE), y=randn(*SHAPE)) for n in "add sub mul div fmax fmin hypot copysign".split()],
    *[row(f"torch.{n}(x, y)", x=randn(*SHAPE), y=randn(*SHAPE)) for n in ("maximum", "minimum", "fmod", "remainder", "atan2")],
    *[row(f"torch.{n}(x, y)", x=randn(8, 64), y=randn(8, 1)) for n in ("add", "mul", "div")],
    *[row(f"torch.div(x, y, rounding_mode='{n}')", x=randn(*SHAPE), y=randn(*SHAPE)) for n in ("trunc", "floor")],
    row("torch.floor_divide(x, y)", False, x=randn(*SHAPE), y=randn(*SHAPE)),
    *[row(f"torch.{n}(x, y, alpha=0.1)", x=randn(*SHAPE), y=randn(*SHAPE)) for n in ("add", "sub", "rsub")],
    *[row(f"torch.lerp(x, y, {w})", x=randn(*SHAPE), y=randn(*SHAPE)) for w in (0.3, 0.7)],
    row("torch.addcmul(x, y, z, value=0.1)", x=randn(*SHAPE), y=randn(*SHAPE), z=randn(*SHAPE)),
    backward("torch.addcdiv(x, y, z, value=0.1)", x=randn(*SHAPE), y=randn(*SHAPE), z=rand(*SHAPE, low=0.5, high=2.0)),
    row("torch.clamp(x, y, z)", x=randn(*SHAPE), y=randn(*SHAPE), z=randn(*SHAPE)),
    *[row(f"torch.logical_{n}(x, y)", False, x=randn(*SHAPE), y=randn(*SHAPE)) for n in ("and", "or", "xor")],
    *[row(f"torch.{n}(x)", False, x=randn(*SHAPE)) for n in "isnan isinf isfinite signbit logical_not".split()],
    row("torch.isclose(x, x + 1e-3, 1e-2)", False, x=randn(*SHAPE)),
)

test_functions = rows(
    *[row(f"torch.{n}(x)", x=randn(*SHAPE)) for n in "floor ceil round trunc frac square abs neg sign angle deg2rad rad2deg".split()],
    *[row(f"torch.{n}(x)", x=rand(*SHAPE, low=0.1, high=0.9)) for n in "sqrt rsqrt reciprocal log2 log10 log1p exp2 expm1".split()],
    *[row(f"torch.{n}(x)", x=rand(*SHAPE, low=0.1, high=0.9)) for n in ("logit", "special.entr")],
    row("torch.logit(x, 0.1)", x=rand(*SHAPE)),
    row("torch.logit(x, 0.2)", x=rand()),
    row("1.5 - x.clamp(0.2, 0.8)", x=rand()),
    row("torch.xlogy(x, y)", x=randn(*SHAPE), y=rand(*SHAPE, low=0.1, high=0.9)),
    row("torch.special.xlog1py(x, y)", x=randn(*SHAPE), y=rand(*SHAPE, low=0.1, high=0.9)),
    *[backward(f"F.{n}(x)", x=randn(*SHAPE)) for n in "softshrink hardshrink hardtanh relu6 leaky_relu logsigmoid glu".split()],
    row("F.softshrink(x, 0.3)", x=randn(*SHAPE)),
)

test_reductions = rows(
    *[row(f"x.{n}", x=randn(16, 64)) for n in ("var(1)", "std(0)", "amax(1)", "logsumexp(1)", "nansum(0)")],
    *[row(f"x.{n}", x=randn(16, 64)) for n in ("cumsum(0)", "cumprod(1)")],
    *[backward(f"x.{n}", x=randn(16, 64)) for n in ("cummax(1).values", "cummin(0).values", "gather(0, (x > 0).long())")],
    row("torch.var_mean(x, 1)", x=randn(16, 64)),
    row("torch.linalg.vector_norm(x, dim=1)", x=randn(16, 64)),
    row("x.any(1), x.all(0), x.count_nonzero()", False, x=randn(16, 64)),
    row("x.cummax(0).indices, x.cummin(1).indices", False, x=randn(16, 64)),
    backward("torch.outer(x, y)", x=randn(32), y=randn(64)),
)

test_losses = rows(
    *[
        backward(f"F.{name}(x, y, reduction='{reduction}'{options})", x=randn(*SHAPE), y=randn(*SHAPE))
        for name, options in (
            ("mse_loss", ""), ("l1_loss", ""), ("smooth_l1_loss", ", beta=0.7"), ("smooth_l1_loss", ""), ("huber_loss", ", delta=0.7"),
        )
        for reduction in ("none", "sum", "mean")
    ],
    *[
        backward(f"F.{name}(x, y, reduction='{reduction}')", x=rand(*SHAPE, low=0.1, high=0.9), y=rand(*SHAPE).nograd)
        for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div", "soft_margin_loss")
        for reduction in ("none", "sum")
    ],
    backward("F.binary_cross_entropy_with_logits(x, y, pos_weight=z)", x=randn(*SHAPE), y=rand(*SHAPE).nograd, z=rand(64).nograd),
)  # fmt: skip

test_scaled_products = rows(
    row("torch.addmm(x, y, z, beta=0.3, alpha=0.7)", x=randn(16, 16), y=randn(16, 8), z=randn(8, 16)),
    Row("torch.addmm(x, y, z, beta=0.3)", dtypes="bfloat16", exact=True, x=randn(16, 16), y=randn(16, 8), z=randn(8, 16)),
    row("torch.baddbmm(x, y, z, beta=0.3, alpha=0.7)", x=randn(2, 16, 16), y=randn(2, 16, 8), z=randn(2, 8, 16)),
    row("torch.addmv(x, y, z, beta=0.3, alpha=0.7)", False, x=randn(16), y=randn(16, 8), z=randn(8)),
    row("torch.addr(x, y, z, beta=0.3, alpha=0.7)", False, x=randn(16, 32), y=randn(16), z=randn(32)),
)
