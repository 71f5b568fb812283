"""Special functions over arrays: against the standard library, and by the identities that bind them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flambeau.kernels import bessel, special

POSITIVE = np.concatenate([np.linspace(0.01, 30, 3001), np.logspace(-8, 2, 300)])
REALS = np.concatenate([np.linspace(-6, 6, 4001), np.logspace(-300, 0, 50), -np.logspace(-300, 0, 50)])


def relative(ours, exact):
    exact = np.asarray(exact, np.float64)
    return np.max(np.abs(ours - exact) / np.maximum(np.abs(exact), 1e-300))


@pytest.mark.parametrize("name", ["erf", "erfc", "lgamma"])
def test_against_the_standard_library(name):
    x = POSITIVE if name == "lgamma" else REALS
    x = x[np.abs(x - np.rint(x)) > 1e-3] if name == "lgamma" else x
    exact = [getattr(math, name)(v) for v in x.tolist()]
    assert relative(getattr(special, name)(x), exact) < (1e-13 if name == "lgamma" else 2e-14)  # math.lgamma is not better near 2


def test_erf_of_float32_is_exact_to_two_units_in_the_last_place():
    x = np.concatenate([np.linspace(-5, 5, 200001), np.logspace(-37, 0, 2000)]).astype(np.float32)
    exact = np.array([math.erf(v) for v in x.tolist()])
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert np.max(np.abs(special.erf(x) - exact) / unit) < 2.2


def test_few_and_many_numbers_agree():
    x = np.random.RandomState(0).randn(3 * special.CHUNK // 2).astype(np.float32)
    np.testing.assert_allclose(special.erf(x)[:8], special.erf(x[:8]), rtol=3e-7)
    assert np.array_equal(special.erf(x)[-100:], special.erf(x[-100:]))
    out = np.empty_like(x)
    assert special.erf(x, out=out) is out and np.array_equal(out, special.erf(x))


def test_inverses():
    x = np.linspace(-3.5, 3.5, 701)
    np.testing.assert_allclose(special.erf(special.erfinv(np.linspace(-0.999, 0.999, 999))), np.linspace(-0.999, 0.999, 999), rtol=1e-14)
    np.testing.assert_allclose(special.ndtri(special.ndtr(x)), x, rtol=1e-11, atol=1e-13)
    p = np.logspace(-300, -1, 500)
    np.testing.assert_allclose(special.log_ndtr(special.ndtri(p)), np.log(p), rtol=1e-14)


def test_error_functions_far_out():
    x = np.linspace(1, 26, 500)
    np.testing.assert_allclose(special.erfcx(x) * np.exp(-x * x), special.erfc(x), rtol=1e-12)
    np.testing.assert_allclose(special.erfcx(np.array([1e10, 1e300])), 1 / (np.array([1e10, 1e300]) * math.sqrt(math.pi)), rtol=1e-14)


def test_digamma_is_the_slope_of_lgamma():
    x = np.linspace(0.5, 20, 200)
    h = 1e-5
    np.testing.assert_allclose((special.lgamma(x + h) - special.lgamma(x - h)) / (2 * h), special.digamma(x), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(special.digamma(x + 1), special.digamma(x) + 1 / x, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_polygamma_obeys_its_recurrence(n):
    x = np.linspace(0.2, 20, 300)
    step = (-1) ** n * math.factorial(n) * x ** -(n + 1.0)
    np.testing.assert_allclose(special.polygamma(x + 1, n=n), special.polygamma(x, n=n) + step, rtol=1e-9)


def test_zeta_at_even_integers():
    one = np.ones(3)
    exact = [math.pi**2 / 6, math.pi**4 / 90, math.pi**6 / 945]
    np.testing.assert_allclose(special.zeta(np.array([2.0, 4.0, 6.0]), one), exact, rtol=1e-15)


@given(st.floats(0.01, 1e5), st.floats(0.2, 5.0))
def test_the_incomplete_gamma_functions_add_up_to_one(a, ratio):
    x = np.array([a * ratio])
    lower, upper = special.igamma(np.array([a]), x), special.igammac(np.array([a]), x)
    assert abs(lower + upper - 1) < 1e-12
    assert 0 <= lower <= 1 and 0 <= upper <= 1


def test_the_incomplete_gamma_function_of_shape_one_is_exponential():
    x = np.linspace(0.01, 40, 400)
    np.testing.assert_allclose(special.igammac(np.ones_like(x), x), np.exp(-x), rtol=1e-13)
    # the uniform expansion meets the series and the fraction
    a = np.full(2, 200.0) * np.array([1 - 1e-13, 1 + 1e-13])
    for x in (150.0, 190.0, 200.0, 230.0):
        low, high = special.igamma(a, np.full(2, x))
        assert abs(low - high) < 1e-9 * low + 1e-13


def test_wronskians_of_bessel_functions():
    x = np.linspace(0.05, 60, 3000)
    np.testing.assert_allclose(bessel.j1(x) * bessel.y0(x) - bessel.j0(x) * bessel.y1(x), 2 / (math.pi * x), rtol=1e-12)
    np.testing.assert_allclose(bessel.i0e(x) * bessel.k1e(x) + bessel.i1e(x) * bessel.k0e(x), 1 / x, rtol=1e-13)


def test_the_airy_function_solves_its_equation():
    h = 1e-3
    for x in (np.linspace(-12, -3.1, 100), np.linspace(-2.9, 2.9, 100), np.linspace(3.1, 9, 100)):
        second = (bessel.airy_ai(x + h) - 2 * bessel.airy_ai(x) + bessel.airy_ai(x - h)) / h**2
        np.testing.assert_allclose(second, x * bessel.airy_ai(x), atol=2e-5)
    assert abs(bessel.airy_ai(np.zeros(1))[0] - 3 ** (-2 / 3) / math.gamma(2 / 3)) < 1e-16


def test_polynomials_by_their_definitions():
    angle = np.linspace(0.1, 3, 50)[:, None]
    n = np.arange(8.0)[None]
    x = np.cos(angle)
    np.testing.assert_allclose(bessel.chebyshev_t(x, n), np.cos(n * angle), atol=1e-13)
    np.testing.assert_allclose(bessel.chebyshev_u(x, n), np.sin((n + 1) * angle) / np.sin(angle), rtol=1e-11, atol=1e-12)
    for ours, basis in (
        (bessel.legendre_p, np.polynomial.Legendre),
        (bessel.hermite_h, np.polynomial.Hermite),
        (bessel.hermite_he, np.polynomial.HermiteE),
        (bessel.laguerre_l, np.polynomial.Laguerre),
    ):
        for degree in range(6):
            np.testing.assert_allclose(ours(x, float(degree)), basis.basis(degree)(x), rtol=1e-10, atol=1e-12)
