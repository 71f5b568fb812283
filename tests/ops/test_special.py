"""Special functions, compared with PyTorch."""

from harness import Row, distinct, rand, randint, randn, rows, value

INF, NAN = float("inf"), float("nan")
EDGES = value([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 30.0, -30.0])
UNARY = "erf erfc erfcx ndtr log_ndtr gammaln digamma i0 i0e i1 i1e".split()
PLAIN = (
    "bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 "
    "scaled_modified_bessel_k0 scaled_modified_bessel_k1 airy_ai spherical_bessel_j0"
).split()
POLYNOMIALS = (
    "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w hermite_polynomial_h "
    "hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t "
    "shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w"
).split()

test_one_operand = rows(
    *(Row(f"torch.special.{name}(x)", x=rand(9, low=0.1, high=3.0), grad=2) for name in (*UNARY, "entr")),
    *(Row(f"torch.special.{name}(x)", x=rand(9, low=0.05, high=0.95), grad=2) for name in ("erfinv", "ndtri", "logit")),
    *(Row(f"torch.special.{name}(x)", x=EDGES) for name in (*UNARY, *PLAIN, "entr", "erfinv", "ndtri", "psi")),
    *(Row(f"torch.special.{name}(x)", x=randn(9, dtype="float64")) for name in (*UNARY, "spherical_bessel_j0")),
    *(Row(f"torch.special.{name}(x)", x=rand(9, low=0.1, high=12.0)) for name in PLAIN),
    *(Row(f"torch.special.{name}(x)", x=value([1, 2]), dtypes="uint8 int64") for name in (*UNARY, *PLAIN)),
    *(Row(f"torch.{name}(x)", x=rand(4), dtypes="float16 bfloat16") for name in "erf erfc erfinv lgamma digamma i0".split()),
    *(Row(f"torch.special.{name}(x)", x=rand(4, dtype="bfloat16")) for name in ("erfcx", "ndtri", "bessel_j0")),
    Row("torch.erf(x)", x=randn(2, dtype="complex64")),
    Row("torch.erf(x)", x=randn(40000), dtypes="float32 float64 bfloat16", name="more than a chunk"),
    Row("torch.erf(x)", x=randn(20, 30).T, strides=True),
    Row("x.clone().erf_(), x.clone().lgamma_(), x.clone().digamma_()", x=rand(3, low=0.5), grad=True),
)

test_gamma = rows(
    *(Row(f"torch.polygamma({n}, x)", x=rand(5, low=0.3, high=4.0), grad=2) for n in range(4)),
    Row("x.polygamma(1), x.clone().polygamma_(2)", x=value([-1.5, -0.5, 0.5])),
    Row("torch.polygamma(-1, x)", x=randn(2)),
    Row("torch.mvlgamma(x, 3), torch.special.multigammaln(x, 1)", x=rand(4, low=2.0, high=5.0), grad=2),
    Row("torch.mvlgamma(x, 0)", x=randn(2)),
    Row("torch.lgamma(x)", x=value([-2.5, -1.5, -0.5, -2.0, 1e10, 1.0, 2.0, 0.9999, 2.0001])),
    Row("torch.igamma(a, x), torch.igammac(a, x)", a=rand(8, low=0.1, high=8.0).nograd, x=rand(8, low=0.1, high=8.0), grad=2),
    Row(
        "torch.special.gammainc(a, x)",
        a=value([0.0, 0.0, 1.0, 1.0, -1.0, INF, 1.0, INF]),
        x=value([0.0, 1.0, 0.0, -1.0, 1.0, 1.0, INF, INF]),
    ),
    Row("torch.igamma(a, x).sum().backward()", a=rand(2), x=rand(2), grad=True),
    Row("torch.igamma(a, a)", a=value([1])),
    Row("torch.special.zeta(a, x)", a=value([1.5, 2.0, 3.0, 1.0, 0.5]).nograd, x=value([0.5, 2.0, 7.0, 1.0, 1.0]), grad=True),
    Row("torch.special.zeta(2, x), torch.special.zeta(x + 2, 1.5)", x=rand(3)),
)

test_two_operands = rows(
    Row("torch.xlogy(a, b)", a=value([0.0, 0.0, 1.0, 2.0, 0.0]), b=value([0.0, NAN, 2.0, 3.0, -1.0]), grad=True),
    Row("torch.xlogy(a, 2), torch.xlogy(2, a)", a=rand(4, low=0.1), grad=2),
    Row("torch.xlogy(a, 2)", a=rand(4, low=0.1), grad=2),
    Row("torch.xlogy(2, a)", a=rand(4, low=0.1), grad=2),
    Row("torch.special.xlog1py(a, b)", a=distinct(4), b=rand(4), grad=2),
    Row("torch.special.xlog1py(a, 2), torch.special.xlog1py(2, a)", a=value([1, 2])),
    Row("torch.xlogy(a, a)", a=randn(2, dtype="complex64")),
)

test_polynomials = rows(
    *(Row(f"torch.special.{name}(x, n)", x=randn(6, 1), n=randint(-1, 6, (5,)), dtypes="float32 float64") for name in POLYNOMIALS),
    Row("torch.special.chebyshev_polynomial_t(2.0, n), torch.special.hermite_polynomial_h(n, 2)", n=value([3.0, 2.5])),
)
