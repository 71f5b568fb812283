"""What large arrays take another way for than small ones: both ways give the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau as torch
from flambeau.kernels import elementwise, pair_loss, placing, reduction, scattering, sorting

RANDOM = np.random.default_rng(0)
LARGE = RANDOM.standard_normal((401, 503)).astype(np.float32)
SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([(300,), (20, 30), (7, 11, 13)]), st.sampled_from(["floats", "ties", "ints", "nan"]), st.integers(0, 2), SEEDS)
def test_one_element_of_a_sort(shape, kind, axis, seed):
    random = np.random.default_rng(seed)
    x = random.standard_normal(shape).astype(np.float32)
    if kind != "floats":
        x = np.round(x)
    if kind == "ints":
        x = x.astype(np.int64)
    if kind == "nan":
        x.flat[:: random.integers(2, 40)] = np.nan
    axis %= len(shape)
    values, indices = sorting.sort(x, axis, False)
    for place in (0, shape[axis] // 2, shape[axis] - 1):
        value, index = sorting.nth(x, axis, place)
        np.testing.assert_array_equal(value, np.take(values, [place], axis))
        np.testing.assert_array_equal(index, np.take(indices, [place], axis))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("pads", [[(0, 0), (3, 2), (1, 4)], [(0, 0), (0, 0), (4, 4)], [(1, 0), (2, 0), (0, 3)]])
def test_padding_by_slices(mode, pads):
    x = RANDOM.standard_normal((2, 5, 6))
    wanted = x
    for d, (before, behind) in enumerate(pads):
        wanted = wanted.take(placing._pad_places(x.shape[d], before, behind, mode), d)
    np.testing.assert_array_equal(placing.pad_from_inside(x, pads, mode), wanted)


@pytest.mark.parametrize("axis", [0, 1])
def test_sums_from_the_end(axis):
    wanted = np.flip(np.add.accumulate(np.flip(LARGE, axis), axis, np.float64), axis).astype(np.float32)
    np.testing.assert_array_equal(sorting.reverse_cumsum(LARGE, axis), wanted)


@pytest.mark.parametrize("mask", [RANDOM.random((401, 503)) > 0.5, RANDOM.random(503) > 0.5, RANDOM.random((401, 1)) > 0.5])
@pytest.mark.parametrize("value", [0.0, -np.inf, 2.5])
def test_filling_by_a_mask(mask, value):
    target = LARGE.copy()
    scattering.masked_fill(target, mask, value)
    np.testing.assert_array_equal(target, np.where(mask, np.float32(value), LARGE))
    tensor = torch.tensor(LARGE)
    full = np.broadcast_to(mask, LARGE.shape).copy()
    tensor[torch.tensor(full)] = value
    np.testing.assert_array_equal(tensor.numpy(), target)


@pytest.mark.parametrize("dim", [0, 1])
def test_copies_to_indices(dim):
    index = RANDOM.permutation(LARGE.shape[dim])[:300]
    source = np.take(LARGE * 2, index[::-1], dim)
    wanted, target = LARGE.copy(), LARGE.copy()
    wanted.swapaxes(0, dim)[index] = source.swapaxes(0, dim)
    scattering.index_copy(target, dim, index, source)
    np.testing.assert_array_equal(target, wanted)
    wanted.swapaxes(0, dim)[index] = 0
    scattering.index_copy(target, dim, index - LARGE.shape[dim], np.float32(0).reshape(()), True)
    np.testing.assert_array_equal(target, wanted)


def test_element_by_element():
    x, y = LARGE, LARGE[::-1].copy()
    odd = x.copy()
    odd.flat[:4] = np.nan, np.inf, -np.inf, -0.0
    np.testing.assert_array_equal(elementwise.copysign(x, y), np.copysign(x, y))
    np.testing.assert_array_equal(elementwise.logical_not(odd), np.logical_not(odd))
    np.testing.assert_array_equal(elementwise.nan_to_num(odd, None, 5.0, None), np.nan_to_num(odd, posinf=5.0))
    np.testing.assert_array_equal(elementwise.clamp(x, y, None), np.maximum(x, y))
    np.testing.assert_array_equal(elementwise.outer(x[:, 0], x[0]), np.multiply.outer(x[:, 0], x[0]))
    np.testing.assert_allclose(reduction.nansum(odd[1:], (0,), False, odd.dtype), np.nansum(odd[1:], 0), rtol=1e-3, atol=1e-4)
    near_one = np.exp2(x / 512)
    np.testing.assert_allclose(reduction.prod(near_one), np.prod(near_one, dtype=np.float64), rtol=1e-3)


@pytest.mark.parametrize("reduction_", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["smooth_l1", "huber"])
def test_losses(name, reduction_):
    x, target = LARGE, LARGE[::-1].copy()
    value, slope = getattr(pair_loss, name), getattr(pair_loss, f"{name}_slope")
    d = np.abs(x - target).astype(np.float64)
    beta = 0.7
    below, above = 0.5 * d * d, beta * (d - 0.5 * beta)
    wanted = np.where(d < beta, below, above) / (beta if name == "smooth_l1" else 1)
    total = {"none": wanted, "mean": wanted.mean(), "sum": wanted.sum()}[reduction_]
    np.testing.assert_allclose(pair_loss.reduced(value, x, target, reduction_, beta), total, rtol=1e-4, atol=1e-6)
    grad = np.full(x.shape if reduction_ == "none" else (), 3.0, np.float32)
    bent = np.clip(x - target, -beta, beta) / (beta if name == "smooth_l1" else 1) * 3 / (x.size if reduction_ == "mean" else 1)
    np.testing.assert_allclose(pair_loss.scaled(slope, grad, x, target, reduction_, beta), bent, rtol=1e-4, atol=1e-9)
