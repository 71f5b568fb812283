"""Writes tests/kernels/expected/maths.json.gz: values of the mathematical functions to 100 bits, at float64 arguments.

    python tools/maths_expectations.py        needs mpmath and NumPy

For each function a list of arguments (two for functions of two), and each value as a float64 and the rest.
"""

import gzip
import json
from pathlib import Path

import mpmath as mp
import numpy as np

TARGET = Path(__file__).resolve().parent.parent / "tests/kernels/expected/maths.json.gz"

FUNCTIONS = {
    "exp": (mp.exp, (-745, 709)), "exp2": (lambda x: mp.mpf(2) ** x, (-1074, 1023)), "expm1": (mp.expm1, (-40, 700)),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-x)), (-700, 40)), "log_sigmoid": (lambda x: -mp.log1p(mp.exp(-x)), (-700, 700)),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), (-700, 700)),
    "log": (mp.log, (0, 1e6)), "log1p": (mp.log1p, (-1, 1e6)), "log2": (lambda x: mp.log(x) / mp.log(2), (0, 1e6)),
    "log10": (mp.log10, (0, 1e6)),
    "rsqrt": (lambda x: 1 / mp.sqrt(x), (0, 1e6)),
    "sin": (mp.sin, (-1e9, 1e9)), "cos": (mp.cos, (-1e9, 1e9)), "tan": (mp.tan, (-1e9, 1e9)),
    "asin": (mp.asin, (-1, 1)), "acos": (mp.acos, (-1, 1)), "atan": (mp.atan, (-100, 100)),
    "sinh": (mp.sinh, (-710, 710)), "cosh": (mp.cosh, (-710, 710)), "tanh": (mp.tanh, (-20, 20)),
    "asinh": (mp.asinh, (-1e3, 1e3)), "acosh": (mp.acosh, (1, 1e3)), "atanh": (mp.atanh, (-1, 1)),
    "erf": (mp.erf, (-6, 6)), "erfc": (mp.erfc, (-3, 26.5)), "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), (-26, 1e3)),
    "ndtr": (lambda x: mp.erfc(-x * mp.sqrt(0.5)) / 2, (-5, 8)),
    "log_ndtr": (lambda x: mp.log(mp.erfc(-x * mp.sqrt(0.5)) / 2), (-30, 8)),
    "erfinv": (mp.erfinv, (-1, 1)), "lgamma": (mp.loggamma, (0, 30)),
    "digamma": (mp.digamma, (0, 30)),
    "pow": (mp.power, (0, 10)), "atan2": (mp.atan2, (-10, 10)),
}  # fmt: skip
WILD = {"sin", "cos", "tan", "log", "log2", "log10", "asinh", "atan", "rsqrt", "log1p"}
"""Functions that are asked for numbers of any size."""


def arguments(name, low, high, random):
    """Some from the whole interval, some near 0 and 1, some of any size."""
    numbers = [random.uniform(low, high, 60), random.uniform(max(low, -2), min(high, 2), 60)]
    numbers.append(1 + random.standard_normal(20) * 2.0 ** random.uniform(-50, 0, 20))
    numbers.append(random.standard_normal(20) * 2.0 ** random.uniform(-60, 0, 20))
    if name in WILD:
        numbers.append(random.standard_normal(20) * 2.0 ** random.uniform(-900, 900, 20))
    if name == "erfinv":
        numbers.append(1 - 2.0 ** -random.uniform(2, 52, 40))
    x = np.concatenate(numbers)
    return x[(x >= low) & (x <= high) | ((name in WILD) & (x > max(low, -np.inf)))]


def value(function, *x):
    with mp.workdps(350 if function in (mp.sin, mp.cos, mp.tan) and abs(x[0]) > 1e15 else 50):
        exact = function(*[mp.mpf(float(v)) for v in x])
        if isinstance(exact, mp.mpc) or not mp.isfinite(exact):
            return None
        high = float(exact)
        return [high.hex(), float(exact - mp.mpf(high)).hex()] if np.isfinite(high) else None


def main():
    random = np.random.default_rng(2024)
    result = {}
    for name, (function, (low, high)) in FUNCTIONS.items():
        x = [arguments(name, low, high, random)]
        if name in ("pow", "atan2"):
            x = [random.uniform(low, high, 150), random.uniform(-100 if name == "pow" else low, 100 if name == "pow" else high, 150)]
        rows = [([float(v).hex() for v in row], value(function, *row)) for row in zip(*x)]
        result[name] = [[*given, *found] for given, found in rows if found is not None]
        print(name, len(result[name]))
    TARGET.write_bytes(gzip.compress(json.dumps(result).encode(), mtime=0))


if __name__ == "__main__":
    main()
