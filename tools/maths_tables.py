"""Writes src/flambeau/kernels/compiler/maths/tables.py: minimax polynomials for the mathematical functions of kernels.

    python tools/maths_tables.py        needs mpmath

Each is found by Remez' exchange in 50 digits: the polynomial p of a degree for which the largest |weight(x) (p(x) - f(x))| on an
interval is least. A weight that makes the error relative to the function that is built from p is given with each.
The names say what they are: `EXP_64` for float64 itself, `EXP_32` for float32, `EXP_WIDE` for float64 arithmetic whose
result is rounded to float32.
"""

import textwrap
from pathlib import Path

import mpmath as mp

mp.mp.dps = 50
TARGET = Path(__file__).resolve().parent.parent / "src/flambeau/kernels/compiler/maths/tables.py"


def minimax(function, low, high, degree, weight=lambda x: mp.mpf(1)):
    """Coefficients, the highest power first, and the largest weighted error."""
    low, high, n = mp.mpf(low), mp.mpf(high), degree + 2
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * k / (n - 1)) + (high - low) / 1000 for k in range(n)]
    nodes[-1] = high
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (k + mp.mpf(1) / 2) / (30 * n)) for k in range(30 * n)]
    values = [(x, function(x), weight(x)) for x in grid]
    for _ in range(12):
        matrix, right = mp.matrix(n, n), mp.matrix(n, 1)
        for i, x in enumerate(nodes):
            w = weight(x)
            for j in range(degree + 1):
                matrix[i, j] = w * x ** (degree - j)
            matrix[i, degree + 1] = (-1) ** i
            right[i] = w * function(x)
        solved = mp.lu_solve(matrix, right)
        coefficients = [solved[j] for j in range(degree + 1)]
        error = [w * (mp.polyval(coefficients, x) - f) for x, f, w in values]
        peaks = []  # the largest error of each stretch of one sign
        for k, e in enumerate(error):
            if peaks and (e > 0) == (error[peaks[-1]] > 0):
                if abs(e) > abs(error[peaks[-1]]):
                    peaks[-1] = k
            else:
                peaks.append(k)
        while len(peaks) > n:
            peaks.pop(0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1)
        largest = max(abs(e) for e in error)
        if len(peaks) < n or largest <= abs(solved[degree + 1]) * mp.mpf("1.001"):
            break
        nodes = [grid[k] for k in peaks]
    return [float(c) for c in coefficients], float(mp.log(largest, 2))


def smooth(function, radius="0.01", terms=24):
    """`function` of a removable singularity at 0: near it by interpolation on a circle (Cauchy's formula)."""
    r = mp.mpf(radius)
    points = [r * 2 * mp.expjpi(mp.mpf(2) * k / 64) for k in range(64)]
    values = [function(p) for p in points]
    taylor = [sum(v * p ** (-j) for v, p in zip(values, points)).real / 64 for j in range(terms)]

    def value(x):
        return function(x) if abs(x) > r else mp.polyval(taylor[::-1], x)

    return value


half_ln2 = mp.log(2) / 2 * mp.mpf("1.001")
exp_rest = smooth(lambda r: (mp.exp(r) - 1 - r) / r**2)
root = lambda f: lambda z: f(mp.sqrt(z))  # noqa: E731
log_rest = smooth(lambda z: (mp.log((1 + mp.sqrt(z)) / (1 - mp.sqrt(z))) / mp.sqrt(z) - 2) / z)
log_tail = smooth(lambda z: ((mp.log((1 + mp.sqrt(z)) / (1 - mp.sqrt(z))) / mp.sqrt(z) - 2) / z - mp.mpf(2) / 3) / z)
log_cubic = smooth(lambda f: (mp.log(1 + f) - f + f**2 / 2) / f**3)
s_max = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mp.mpf("1.001")
quarter = (mp.pi / 4 * mp.mpf("1.0005")) ** 2
sin_rest = smooth(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z)
cos_rest = smooth(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2)
atan_max = mp.mpf("0.4143") ** 2
atan_rest = smooth(lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z)
erf_rest = smooth(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1)
tanh_rest = smooth(lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z)


def erfcx_scaled(t):
    x = mp.mpf("3.75") * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


lgamma_ratio_at = lambda t: mp.loggamma(2 + t) / (t * (1 + t))  # noqa: E731


def lgamma_ratio(t):
    if abs(t) < mp.mpf("1e-12"):
        return 1 - mp.euler
    if abs(1 + t) < mp.mpf("1e-12"):
        return mp.euler
    return lgamma_ratio_at(t)


def stirling(z):
    """lgamma's Stirling rest times x, as a function of z = 1 / x^2."""
    if z < mp.mpf("1e-12"):
        return mp.mpf(1) / 12 - z / 360
    x = 1 / mp.sqrt(z)
    with mp.workdps(80):
        return +((mp.loggamma(x) - (x - mp.mpf(1) / 2) * mp.log(x) + x - mp.log(2 * mp.pi) / 2) * x)


def digamma_rest(z):
    """ln x - 1/(2x) - digamma(x), times x^2, as a function of z = 1 / x^2."""
    if z < mp.mpf("1e-12"):
        return mp.mpf(1) / 12 - z / 120
    x = 1 / mp.sqrt(z)
    with mp.workdps(80):
        return +((mp.log(x) - 1 / (2 * x) - mp.digamma(x)) * x * x)


def chebyshev(function, terms=60, tiny=2e-18):
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
    return [float(c) for c in reversed(coefficients)]


def erfinv_center(w):
    """erfinv(x) / x, as a function of w = -log(1 - x^2)."""
    if w < mp.mpf("1e-14"):
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x


def erfinv_tail(s):
    """erfinv(x) / x, as a function of s = sqrt(-log(1 - x^2))."""
    x = mp.sqrt(1 - mp.exp(-s * s))
    return mp.erfinv(x) / x


def main():
    tables = {}

    def add(name, what, function, low, high, degree, weight=lambda x: mp.mpf(1)):
        coefficients, error = minimax(function, low, high, degree, weight)
        print(f"{name}: 2^{error:.1f}")
        tables[name] = (what, coefficients)

    text = "(exp(r) - 1 - r) / r^2"
    for kind, degree in (("64", 9), ("32", 4), ("WIDE", 5)):
        add(f"EXP_{kind}", text, exp_rest, -half_ln2, half_ln2, degree, lambda r: r * r / mp.exp(r))
    add(
        "LOG_TAIL", "((log((1 + s) / (1 - s)) / s - 2) / s^2 - 2/3) / s^2, as a function of s^2", log_tail, 0, s_max, 7, lambda z: z * z / 2
    )
    text = "(log((1 + s) / (1 - s)) / s - 2) / s^2, as a function of s^2"
    for kind, degree in (("64", 6), ("WIDE", 3)):
        add(f"LOG_{kind}", text, log_rest, 0, s_max, degree, lambda z: z / 2)
    add(
        "LOG_32",
        "(log(1 + f) - f + f^2/2) / f^3",
        log_cubic,
        mp.sqrt(0.5) - 1,
        mp.sqrt(2) - 1,
        8,
        lambda f: f**2 * f / mp.log(1 + f) if f else 0,
    )
    for kind, degree in (("64", 5), ("32", 2), ("WIDE", 3)):
        add(f"SIN_{kind}", "(sin(x) / x - 1) / x^2, as a function of x^2", sin_rest, 0, quarter, degree, lambda z: z)
    for kind, degree in (("64", 5), ("32", 2), ("WIDE", 3)):
        add(f"COS_{kind}", "(cos(x) - 1 + x^2/2) / x^4, as a function of x^2", cos_rest, 0, quarter, degree, lambda z: z * z)
    for kind, degree in (("64", 10), ("WIDE", 4)):
        add(f"ATAN_{kind}", "(atan(x) / x - 1) / x^2, as a function of x^2", atan_rest, 0, atan_max, degree, lambda z: z)
    add("ERF_32", "erf(x) / x - 1, as a function of x^2, to x = 1.25", erf_rest, 0, mp.mpf("1.5626"), 7)
    add("ERF_TAIL_32", "the fourth root of erfc(x), as a function of x - 2.5, from x = 1.25 to 3.94",
        lambda t: mp.erfc(t + mp.mpf("2.5")) ** mp.mpf("0.25"), "-1.25", "1.44", 8,
        lambda t: mp.erfc(t + mp.mpf("2.5")) ** mp.mpf("0.75"))  # fmt: skip
    add("ERF_64", "erf(x) / x - 1, as a function of x^2, to x = 1", erf_rest, 0, 1, 13)
    add("TANH_32", "(tanh(x) / x - 1) / x^2, as a function of x^2, to x = 0.625", tanh_rest, 0, mp.mpf("0.6251") ** 2, 5, lambda z: z)
    for kind, degree in (("64", 5), ("WIDE", 2)):
        add(f"STIRLING_{kind}", "(lgamma(x) - (x - 1/2) ln x + x - ln(2 pi) / 2) x, as a function of 1 / x^2, from x = 8",
            stirling, 0, mp.mpf(1) / 64, degree)  # fmt: skip
    add("DIGAMMA_64", "(ln x - 1 / (2x) - digamma(x)) x^2, as a function of 1 / x^2, from x = 8", digamma_rest, 0, mp.mpf(1) / 64, 6)
    add("ERFINV_CENTER", "erfinv(x) / x as a function of w - 2.5, w = -log(1 - x^2) to 5",
        lambda t: erfinv_center(t + mp.mpf("2.5")), "-2.5", "2.5", 11)  # fmt: skip
    add("ERFINV_TAIL_WIDE", "erfinv(x) / x as a function of sqrt(w) - 3, w from 5 to 16",
        lambda t: erfinv_tail(t + 3), mp.sqrt(5) - 3, 1, 10)  # fmt: skip
    add("ERFINV_TAIL", "erfinv(x) / x as a function of sqrt(w) - 4, w from 5 to 37",
        lambda t: erfinv_tail(t + 4), mp.sqrt(5) - 4, mp.sqrt(37) - 4, 11)  # fmt: skip
    add("ERFCX_WIDE", "(1 + 2x) exp(x^2) erfc(x), x = 3.75 (1 + t) / (1 - t), t in [-1, 0.78]", erfcx_scaled, -1, "0.78", 14)
    add("LGAMMA_WIDE", "lgamma(2 + t) / (t (1 + t)), t in [-1, 1]", lgamma_ratio, -1, 1, 16)
    tables["ERFCX"] = (
        "(1 + 2x) exp(x^2) erfc(x), x = 3.75 (1 + t) / (1 - t), t in [-1, 1]: Chebyshev, the last first",
        chebyshev(erfcx_scaled),
    )
    tables["LGAMMA"] = ("lgamma(2 + t) / (t (1 + t)), t in [-1, 1]: Chebyshev, the last first", chebyshev(lgamma_ratio))
    write(tables)


def write(tables):
    lines = ['"""Coefficients, the highest power first; written by tools/maths_tables.py."""', ""]
    for name, (what, coefficients) in tables.items():
        lines.append(f"# {what}")
        numbers = ", ".join(repr(c) for c in coefficients)
        lines.append(f"{name} = (")
        lines += textwrap.wrap(numbers, 130, initial_indent="    ", subsequent_indent="    ")
        lines[-1] += ","
        lines.append(")  # fmt: skip")
    lines += two_over_pi()
    TARGET.write_text("\n".join(lines) + "\n")


def two_over_pi():
    """(2/pi 2^(16 k)) mod 4, for k = 0, 1, ...: three doubles, whose sum it nearly is."""
    rows = []
    with mp.workdps(400):
        for k in range(64):
            rest = mp.fmod(2 / mp.pi * mp.mpf(2) ** (16 * k), 4)
            parts = []
            for j in range(3):
                unit = mp.mpf(2) ** (53 * j + 51)
                part = mp.floor(rest * unit) / unit
                parts.append(float(part))
                assert mp.mpf(parts[-1]) == part
                rest -= part
            rows.append(parts)
    lines = ["# (2/pi * 2^(16 k)) mod 4 for k = 0 to 63 in three parts of 53 bits: column j holds the bits down to 2^-(51 + 53 j)."]
    for j in range(3):
        lines.append(f"TWO_OVER_PI_{j} = (")
        lines += textwrap.wrap(", ".join(repr(row[j]) for row in rows), 130, initial_indent="    ", subsequent_indent="    ")
        lines[-1] += ","
        lines.append(")  # fmt: skip")
    return lines


if __name__ == "__main__":
    main()
