"""Resampling, windows given by their elements and sampling at places of a grid: compiled kernels against what stands beside them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau as torch
from flambeau.kernels import pooling, resampling
from flambeau.kernels.compiler import usable

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from(["linear", "cubic", "nearest"])


@settings(max_examples=60, deadline=None)
@given(MODES, st.integers(1, 12), st.integers(1, 12), st.integers(0, 2), st.booleans(), SEEDS)
def test_resample(mode, size, out, axis, align_corners, seed):
    shape = [3, 2, 5]
    shape[axis] = size
    x = np.random.default_rng(seed).standard_normal(shape)
    for table in (
        resampling.interpolation_table(mode, size, out, None, align_corners and mode != "nearest", False),
        resampling.interpolation_table_back(mode, out, size, None, align_corners and mode != "nearest", False),
        resampling.adaptive_table(size, out),
    ):
        indices, weights = table
        wanted = sum(np.moveaxis(np.moveaxis(x, axis, -1)[..., i] * w, -1, axis) for i, w in zip(indices, weights))
        np.testing.assert_allclose(resampling.resample(x, axis, table), wanted, rtol=1e-12, atol=1e-12)


def test_a_tap_without_weight_hands_on_no_infinity():
    x = np.array([[1.0, np.inf, 3.0]])
    table = np.array([[0, 2], [1, 1]]), np.array([[1.0, 0.5], [0.0, 0.0]])
    assert resampling.resample(x, 1, table).tolist() == [[1.0, 1.5]]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 5), st.booleans(), SEEDS)
def test_max_of_windows(planes, spatial, out, with_nan, seed):
    random = np.random.default_rng(seed)
    x = random.integers(0, 4, (planes, *spatial)).astype(np.float32)
    if with_nan:
        x.flat[random.integers(x.size)] = np.nan
    windows = [pooling.adaptive_windows(n, out) for n in spatial]
    values, places = pooling.max_of_windows(x, windows)
    for at in np.ndindex(values.shape):
        grids = np.ix_(*[np.unique(w[:, i]) for w, i in zip(windows, at[1:])])
        numbers = np.arange(x[0].size).reshape(spatial)[grids].reshape(-1)
        part = x[at[0]][grids].reshape(-1)
        lost = np.flatnonzero(np.isnan(part))
        assert places[at] == numbers[lost[-1] if lost.size else part.argmax()]
        np.testing.assert_equal(values[at], x[at[0]].reshape(-1)[places[at]])


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["bilinear", "nearest"]),
    st.sampled_from(["zeros", "border", "reflection"]),
    st.booleans(),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    SEEDS,
)
def test_grid_sample(mode, padding, align_corners, size, out, seed):
    random = np.random.default_rng(seed)
    image, places = random.standard_normal((2, 3, *size)), random.random((2, *out, 2)) * 3 - 1.5
    grad = torch.tensor(random.standard_normal((2, 3, *out)))
    found = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as m:
            if not compiled:
                m.setattr(resampling, "_grid_table", lambda *arguments: None)
            x, grid = torch.tensor(image, requires_grad=True), torch.tensor(places, requires_grad=True)
            y = torch.nn.functional.grid_sample(x, grid, mode, padding, align_corners)
            y.backward(grad)
            found.append([t.detach().numpy() for t in (y, x.grad, grid.grad)])
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "mode, padding, wanted",
    [
        ("bilinear", "zeros", [np.nan, np.nan, 0.0]),
        ("bilinear", "border", [4.0, 6.0, 6.0]),
        ("bilinear", "reflection", [4.0, 4.0, 4.0]),
        ("nearest", "zeros", [0.0, 0.0, 0.0]),
        ("nearest", "border", [4.0, 6.0, 6.0]),
    ],
)
def test_places_far_away(mode, padding, wanted):
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    grid = torch.tensor([[[[float("nan"), 0.0], [float("inf"), 0.0], [1e30, 0.0]]]])
    result = torch.nn.functional.grid_sample(x, grid, mode, padding, align_corners=True)
    np.testing.assert_array_equal(result.numpy().reshape(-1), wanted)
