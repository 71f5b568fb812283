"""Writes src/flambeau/kernels/special_tables.py: Chebyshev and Taylor coefficients of special functions.

    python tools/special_tables.py        needs mpmath, which computes the functions to 50 digits

Each Chebyshev table belongs to a smooth function on [-1, 1]; kernels/special.py says which, and how the special function
is made of it. The choice of functions and variables is the usual one (see M. M. Shepherd and J. G. Laframboise, Math.
Comp. 36 (1981), for erfc; C. W. Clenshaw, NPL Mathematical Tables 5 (1962), for Bessel functions; N. M. Temme, SIAM
J. Math. Anal. 10 (1979), for the incomplete gamma function).
"""

from pathlib import Path

import mpmath as mp

mp.mp.dps = 50
TARGET = Path(__file__).resolve().parent.parent / "src/flambeau/kernels/special_tables.py"


def chebyshev(function, terms=60, tiny=2e-18):
    """The Chebyshev coefficients of a function on [-1, 1], cut where they vanish in double precision."""
    nodes = [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / terms) for k in range(terms)]
    values = [function(t) for t in nodes]
    coefficients = []
    for j in range(terms):
        total = sum(v * mp.cos(mp.pi * j * (k + mp.mpf(1) / 2) / terms) for k, v in enumerate(values))
        coefficients.append(total * 2 / terms)
    coefficients[0] /= 2
    limit = max(abs(c) for c in coefficients) * tiny
    while abs(coefficients[-1]) < limit:
        coefficients.pop()
    return [float(c) for c in coefficients]


def from_t(low, high):
    """The variable in [low, high] that t in [-1, 1] stands for."""
    low, high = mp.mpf(low), mp.mpf(high)
    return lambda t: low + (high - low) * (t + 1) / 2


def erf_ratio(t):
    x = mp.sqrt(from_t(0, 1)(t))
    return mp.erf(x) / x


def erfcx_scaled(t):
    x = mp.mpf("3.75") * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def lgamma_ratio(t):
    return mp.loggamma(2 + t) / (t * (1 + t))


def i0e(t):
    x = from_t(0, 8)(t)
    return mp.exp(-x) * mp.besseli(0, x)


def i0e_tail(t):
    x = 16 / (t + 1)
    return mp.sqrt(x) * mp.exp(-x) * mp.besseli(0, x)


def i1e_ratio(t):
    x = from_t(0, 8)(t)
    return mp.exp(-x) * mp.besseli(1, x) / x


def i1e_tail(t):
    x = 16 / (t + 1)
    return mp.sqrt(x) * mp.exp(-x) * mp.besseli(1, x)


def k0_regular(t):
    x = mp.sqrt(from_t(0, 4)(t))
    return mp.besselk(0, x) + mp.log(x / 2) * mp.besseli(0, x)


def k0_tail(t):
    x = 4 / (t + 1)
    return mp.sqrt(x) * mp.exp(x) * mp.besselk(0, x)


def k1_regular(t):
    x = mp.sqrt(from_t(0, 4)(t))
    return x * (mp.besselk(1, x) - mp.log(x / 2) * mp.besseli(1, x))


def k1_tail(t):
    x = 4 / (t + 1)
    return mp.sqrt(x) * mp.exp(x) * mp.besselk(1, x)


def j_ratio(order):
    return lambda t: (lambda x: mp.besselj(order, x) / x**order)(mp.sqrt(from_t(0, 64)(t)))


def y0_regular(t):
    x = mp.sqrt(from_t(0, 64)(t))
    return mp.bessely(0, x) - 2 / mp.pi * mp.log(x) * mp.besselj(0, x)


def y1_regular(t):
    x = mp.sqrt(from_t(0, 64)(t))
    return (mp.bessely(1, x) - 2 / mp.pi * (mp.log(x) * mp.besselj(1, x) - 1 / x)) / x


def modulus(order, which):
    def function(t):
        x = 8 / mp.sqrt((t + 1) / 2)
        angle = x - mp.pi / 4 - order * mp.pi / 2
        j, y = mp.besselj(order, x), mp.bessely(order, x)
        if which == "p":
            return mp.sqrt(mp.pi * x / 2) * (j * mp.cos(angle) + y * mp.sin(angle))
        return x * mp.sqrt(mp.pi * x / 2) * (y * mp.cos(angle) - j * mp.sin(angle))

    return function


ZETA = 2 * mp.mpf(3) ** mp.mpf("1.5") / 3  # the variable of Airy functions at |x| = 3


def airy_middle(t):
    return mp.airyai(3 * t)


def airy_right(t):
    zeta = 2 * ZETA / (t + 1)
    x = (mp.mpf(3) / 2 * zeta) ** (mp.mpf(2) / 3)
    return 2 * mp.sqrt(mp.pi) * mp.root(x, 4) * mp.exp(zeta) * mp.airyai(x)


def airy_left(which):
    def function(t):
        zeta = ZETA / mp.sqrt((t + 1) / 2)
        x = (mp.mpf(3) / 2 * zeta) ** (mp.mpf(2) / 3)
        scale = mp.sqrt(mp.pi) * mp.root(x, 4)
        a, b = scale * mp.airyai(-x), scale * mp.airybi(-x)
        s, c = mp.sin(zeta + mp.pi / 4), mp.cos(zeta + mp.pi / 4)
        return a * s + b * c if which == "p" else zeta * (b * s - a * c)

    return function


def temme(orders=8, terms=16):
    """The Taylor coefficients, in eta, of the functions c_k of Temme's expansion (DLMF 8.12.7 to 8.12.12)."""
    n = terms + 2 * orders + 2
    # mu(eta) = lambda - 1 with mu - log(1 + mu) = eta^2 / 2, as a series: compare coefficients in eta (1 + mu) = mu mu'
    mu = [mp.mpf(0), mp.mpf(1)]
    for k in range(2, n + 1):
        known = sum(mu[j] * (k + 1 - j) * mu[k + 1 - j] for j in range(2, k))
        mu.append((mu[k - 1] - known) / (k + 1))
    inverse = [mp.mpf(1)]  # eta / mu
    for k in range(1, n):
        inverse.append(-sum(mu[j + 1] * inverse[k - j] for j in range(1, k + 1)))
    logs = {2 * j - 1: -mp.bernoulli(2 * j) / (2 * j * (2 * j - 1)) for j in range(1, orders + 1)}
    stirling = [mp.mpf(1)]  # the reciprocal of Stirling's series
    for k in range(1, orders):
        stirling.append(sum(j * logs.get(j, 0) * stirling[k - j] for j in range(1, k + 1)) / k)
    rows = [inverse[1:]]
    for k in range(1, orders):
        slope = [rows[-1][j] * j for j in range(1, len(rows[-1]))]
        rows.append([slope[j + 1] + stirling[k] * inverse[j + 1] for j in range(len(slope) - 1)])
    return [[float(v) for v in row[:terms]] for row in rows]


TABLES = {
    "ERF": erf_ratio,
    "ERFCX": erfcx_scaled,
    "LGAMMA": lgamma_ratio,
    "I0E": i0e,
    "I0E_TAIL": i0e_tail,
    "I1E": i1e_ratio,
    "I1E_TAIL": i1e_tail,
    "K0": k0_regular,
    "K0E_TAIL": k0_tail,
    "K1": k1_regular,
    "K1E_TAIL": k1_tail,
    "J0": j_ratio(0),
    "J1": j_ratio(1),
    "Y0": y0_regular,
    "Y1": y1_regular,
    "P0": modulus(0, "p"),
    "Q0": modulus(0, "q"),
    "P1": modulus(1, "p"),
    "Q1": modulus(1, "q"),
    "AIRY": airy_middle,
    "AIRY_RIGHT": airy_right,
    "AIRY_LEFT_P": airy_left("p"),
    "AIRY_LEFT_Q": airy_left("q"),
}


def lines(values):
    """The numbers, four to a line."""
    texts = [repr(v) for v in values]
    return "".join("    " + ", ".join(texts[i : i + 4]) + ",\n" for i in range(0, len(texts), 4))


def main():
    parts = ['"""Coefficients of special functions, written by tools/special_tables.py."""\n\n# fmt: off\n']
    for name, function in TABLES.items():
        parts.append(f"{name} = (\n{lines(chebyshev(function))})\n")
    parts.append("TEMME = (\n" + "".join(f"    (\n{lines(row)}    ),\n" for row in temme()) + ")\n")
    TARGET.write_text("".join(parts))


if __name__ == "__main__":
    main()
