"""A kernel gives the same numbers in all its lowerings: each one of the library, compiled and in NumPy."""

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels.compiler import ChannelKernel, Kernel, compiled_for_columns, in_numpy, map_kernel, usable
from flambeau.kernels.compiler.expression import where
from flambeau.kernels.library import activation, attention, batch_norm, elementwise, loss, normalization, optimizer, reduction, special

MODULES = (activation, attention, batch_norm, elementwise, loss, normalization, optimizer, reduction, special)
HALVES = (np.float16, ml_dtypes.bfloat16)


def kernels():
    """Every kernel of the library, by its name."""
    found = {}
    for module in MODULES:
        for value in vars(module).values():
            for kernel in value if isinstance(value, tuple) else (value,):
                if isinstance(kernel, Kernel):
                    found[f"{module.__name__.rpartition('.')[2]}.{kernel.name}"] = kernel
    return found


KERNELS = kernels()
ROW_SHAPES = [(1, 8), (3, 7), (5, 33), (40, 1000)]
MAP_SHAPES = [(1,), (7,), (3, 5, 11), (41, 1013)]
CHANNEL_SHAPES = [(2, 3, 4), (5, 7), (3, 600), (2, 600, 1), (3, 2, 5, 33), (2, 2, 9001)]
NUMBERS = {  # one over columns, then eps, and the like: what the kernel divides by is not zero
    "batch_norm_training": lambda columns: (40.0, 1e-5),
    "cross_entropy": lambda columns: (2.0, columns),
    "cross_entropy_backward": lambda columns: (0.3, 2.0),
    "adam": lambda columns: (0.99, 0.01, 0.1, 0.9, 0.1, 0.7, 1e-8, -0.01, 1.0),
    "amsgrad": lambda columns: (1.0, 0.0, 0.1, 0.9, 0.1, 0.7, 1e-8, -0.01, -1.0),
    "nadam": lambda columns: (0.99, 0.0, 0.1, 0.9, 0.1, 0.7, 1e-3, -0.01, -0.1, 1.0),
    "radam": lambda columns: (1.0, 0.1, 0.6, 0.9, 0.1, 0.7, 0.01, 1e-3, 0.8, 0.9, -1.0),
    "softplus": lambda columns: (1.5, 2.0),
    "clamp": lambda columns: (-0.5, 0.75),
    "layer_norm": lambda columns: (1 / columns, 1e-5),
    "layer_norm_weight": lambda columns: (1 / columns, 1e-5),
    "layer_norm_plain": lambda columns: (1 / columns, 1e-5),
    "rms_norm": lambda columns: (1 / columns, 1e-5),
    "rms_norm_plain": lambda columns: (1 / columns, 1e-5),
}
POSITIVE = {"v", "largest", "rstd", "norm", "square", "total", "size"}


def arguments(kernel, shape, dtype):
    """Arrays for the kernel as it asks for them, and numbers."""
    random = np.random.RandomState(len(kernel.name) + shape[0])
    rows, columns = shape[0], shape[-1]
    wide = np.dtype(np.float32) if dtype.itemsize == 2 else dtype
    made = []
    for text in kernel.parameters:
        name, _, kind = text.partition(":")
        one = shape[1:2] if isinstance(kernel, ChannelKernel) else (rows, 1)
        extent = {"*": one, "+": (columns,), "~": (3, columns), "%": (min(rows, 2), columns)}.get(kind[-1], shape)
        kind = kind.rstrip("*+~%")
        if kind == "i64":
            made.append(random.randint(0, columns, extent))
        elif kind == "i1":
            made.append(random.rand(*extent) < 0.5)
        else:
            values = random.randn(*extent) * 2
            made.append((np.abs(values) if name in POSITIVE else values).astype(wide if kind == "c" else dtype))
    return made, list(NUMBERS.get(kernel.name, lambda columns: (0.25, 0.5, 0.75, 1.25, 1.5, 0.9, 0.1, 0.2, 1.0)[: kernel.numbers])(columns))


def compare(kernel, shape, dtype):
    arrays, numbers = arguments(kernel, shape, dtype)
    others = [a.copy() for a in arrays]
    compiled = kernel.compiled_for(arrays[0]) if isinstance(kernel, ChannelKernel) else kernel.version(dtype)
    compiled(*arrays, *map(float, numbers))
    in_numpy(kernel, dtype)(*others, *map(float, numbers))
    for found, wanted in zip(others, arrays):
        if wanted.dtype.kind in "bi":
            assert np.array_equal(found, wanted)
        else:
            found, wanted = found.astype(np.float64), wanted.astype(np.float64)
            finite = np.abs(wanted[np.isfinite(wanted)])  # what cancels in a sum is as exact as its largest terms
            bound = {2: 1e-2, 4: 1e-5, 8: 1e-12}[dtype.itemsize]
            np.testing.assert_allclose(found, wanted, bound, bound * max(1.0, finite.max(initial=0.0)))


@pytest.mark.skipif(not usable(), reason="kernels are not compiled here")
@pytest.mark.parametrize("dtype", (np.float32, np.float64), ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", KERNELS)
def test_both_lowerings_agree(name, dtype):
    kernel = KERNELS[name]
    for shape in CHANNEL_SHAPES if isinstance(kernel, ChannelKernel) else ROW_SHAPES if kernel.rows else MAP_SHAPES:
        if name == "attention.masked_softmax":  # rows of the mask come again and again
            shape = (shape[0] * 3, shape[1])
        compare(kernel, shape, np.dtype(dtype))


@pytest.mark.skipif(not usable(), reason="kernels are not compiled here")
@pytest.mark.parametrize("name", [n for n, k in KERNELS.items() if k.halves and "number" not in n])
def test_both_lowerings_agree_in_half_precision(name):
    kernel = KERNELS[name]
    for dtype in map(np.dtype, HALVES):
        if kernel.takes(dtype):
            compare(kernel, (5, 33), dtype)
            if isinstance(kernel, ChannelKernel):
                compare(kernel, (5, 3, 11), dtype)


@pytest.mark.parametrize("name", [n for n, k in KERNELS.items() if isinstance(k, ChannelKernel)])
def test_blocks_of_channels_do_not_matter(name, monkeypatch):
    kernel = KERNELS[name]
    shape, dtype = (4, 70, 20), np.dtype(np.float32)
    arrays, numbers = arguments(kernel, shape, dtype)
    others = [a.copy() for a in arrays]
    in_numpy(kernel, dtype)(*arrays, *map(float, numbers))
    monkeypatch.setattr(in_numpy(kernel, dtype), "block", 1)
    in_numpy(kernel, dtype)(*others, *map(float, numbers))
    for found, wanted in zip(others, arrays):
        assert np.array_equal(found, wanted)


def test_conditions_on_numbers_are_decided_once():
    @map_kernel("out:f x:f", numbers=2)
    def scaled(row, out, x, factor, shift):
        def body(i):
            out[i] = where(factor.equals(0.0), x[i] - shift, x[i] * factor)

        row.each(body)

    x = np.array([1.0, -2.0, 0.0], np.float32)
    found = in_numpy(scaled, x.dtype)
    for _ in range(2):
        for factor, shift in ((0.0, 0.5), (2.0, 0.5), (-0.0, 0.25), (float("nan"), 0.0), (1e-60, 0.0), (2.0, 1.0)):
            single = np.float32(factor)  # what the condition is about: 1e-60 is 0
            expected = x - np.float32(shift) if single == 0 else x * single
            np.testing.assert_array_equal(found(np.empty_like(x), x, factor, shift), expected)
    assert len(found.functions) == 2
    for i in range(200):  # what is kept of numbers is bounded
        found(np.empty_like(x), x, float(i), 0.0)
    assert len(found.functions) == 2 and len(found.ready) <= 64


@pytest.mark.skipif(not usable(), reason="kernels are not compiled here")
@pytest.mark.parametrize("dtype", (np.float32, np.float64, *HALVES), ids=lambda d: d.__name__)
@pytest.mark.parametrize(
    "name",
    (
        "activation.softmax",
        "activation.log_softmax",
        "activation.softmax_backward",
        "activation.log_softmax_backward",
        "normalization.layer_norm_plain",
    ),
)
def test_columns_are_rows_along_another_dimension(name, dtype):
    kernel, dtype = KERNELS[name], np.dtype(dtype)
    for outer, n, inner in ((1, 3, 8), (2, 5, 1), (3, 7, 600), (2, 40, 33)):
        if kernel.takes(dtype):
            arrays, numbers = arguments(kernel, (outer * inner, n), dtype)
            columns = [a.reshape(outer, inner, -1).swapaxes(1, 2).copy() for a in arrays]
            compiled_for_columns(kernel, *[a for a in columns if a.dtype == dtype])(*columns, *numbers)
            in_numpy(kernel, dtype)(*arrays, *numbers)
            for found, wanted in zip(columns, arrays):
                found = found.swapaxes(1, 2).reshape(wanted.shape).astype(np.float64)
                bound = {2: 1e-2, 4: 1e-5, 8: 1e-12}[dtype.itemsize]
                np.testing.assert_allclose(found, wanted.astype(np.float64), bound, 10 * bound)


@pytest.mark.skipif(not usable(), reason="kernels are not compiled here")
def test_columns_cannot_share_a_row():
    x = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(NotImplementedError, match="share"):
        compiled_for_columns(KERNELS["normalization.layer_norm"], x)
