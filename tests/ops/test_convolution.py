"""Convolution against PyTorch: forward, gradients of both orders, errors; and against its definition."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.kernels import convolution as k
from harness import Row, rand, randn, rows

test_convolution = rows(
    Row("F.conv1d(x, w, z)", w=randn(4, 3, 3), x=randn(2, 3, 7), z=randn(4), grad=2),
    Row("F.conv1d(x, w, None, 2, 1, 2)", w=randn(4, 3, 3), x=randn(2, 3, 9), grad=True),
    Row("F.conv2d(x, w, z, padding=1)", w=randn(4, 3, 3, 3), x=randn(2, 3, 6, 5), z=randn(4), grad=2),
    Row("F.conv2d(x, w, stride=(2, 1), padding=(1, 0), dilation=(1, 2))", w=randn(4, 3, 3, 2), x=randn(2, 3, 7, 8), grad=2),
    Row("F.conv2d(x, w, z, groups=2)", w=randn(6, 2, 3, 3), x=randn(2, 4, 5, 5), z=randn(6), grad=2),
    Row("F.conv2d(x, w, groups=3, padding=1)", w=randn(3, 1, 3, 3), x=randn(2, 3, 5, 5), grad=True, name="depthwise"),
    Row("F.conv2d(x, w, z)", w=randn(4, 3, 1, 1), x=randn(2, 3, 5, 5), z=randn(4), grad=2, name="pointwise"),
    Row("F.conv2d(x, w)", w=randn(4, 3, 2, 2), x=randn(3, 5, 5), grad=True, name="unbatched"),
    Row("F.conv2d(x, w, padding='same')", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5), grad=True),
    Row("F.conv2d(x, w, padding='same', dilation=3)", w=randn(4, 3, 2, 2), x=randn(1, 3, 5, 5), grad=True),
    Row("F.conv2d(x, w, padding='valid')", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv3d(x, w, z, padding=1)", w=randn(3, 2, 3, 2, 2), x=randn(1, 2, 4, 5, 3), z=randn(3), grad=2),
    Row("F.conv2d(x, w)", w=randn(4, 3, 3, 3), x=randn(2, 3, 5, 5), dtypes="float64 float16 bfloat16 complex64"),
    Row("F.conv2d(x.to(memory_format=torch.channels_last), w)", w=randn(4, 3, 3, 3), x=randn(2, 3, 5, 5), strides=True),
    Row("F.conv_transpose1d(x, w, z, 2)", w=randn(3, 4, 3), x=randn(2, 3, 5), z=randn(4), grad=2),
    Row("F.conv_transpose2d(x, w, z, 2, 1, 1)", w=randn(3, 4, 3, 3), x=randn(2, 3, 4, 5), z=randn(4), grad=2),
    Row("F.conv_transpose2d(x, w, groups=2, dilation=2, output_padding=1)", w=randn(4, 2, 2, 2), x=randn(2, 4, 3, 3), grad=2),
    Row("F.conv_transpose3d(x, w, stride=2)", w=randn(2, 3, 2, 2, 2), x=randn(1, 2, 2, 3, 2), grad=True),
    Row("F.conv2d(x, w, z, (2, 1), 1, 1, 2)", w=randn(2, 2, 2, 3), x=randn(1, 4, 4, 3), z=randn(2), gradgrad=True, grad=True),
    Row(
        "F.conv_transpose2d(x, w, z, 2, 1, 1)",
        w=randn(2, 2, 3, 2),
        x=randn(1, 2, 3, 2),
        z=randn(2),
        gradgrad=True,
        grad=True,
        name="transposed twice",
    ),
    Row("F.conv_tbc(x, w, z, 1)", w=randn(3, 3, 4), x=randn(5, 2, 3), z=randn(4), grad=True),
    Row("torch.convolution(x, w, None, [1], [0], [1], False, [0], 1)", w=randn(4, 3, 2), x=randn(2, 3, 5), grad=True),
    Row("F.conv2d(x, w)", w=randn(4, 3, 3, 3), x=randn(0, 3, 5, 5), grad=True, name="no samples"),
)

test_errors = rows(
    Row("F.conv2d(x, w)", w=randn(4, 2, 3, 3), x=randn(1, 3, 5, 5), name="channels"),
    Row("F.conv2d(x, w)", w=randn(4, 3, 3, 3), x=randn(1, 3, 2, 2), name="too small"),
    Row("F.conv2d(x, w)", w=randn(4, 3, 3, 3), x=randn(3, 2), name="rank"),
    Row("F.conv2d(x, w, z)", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5), z=randn(3), name="bias"),
    Row("F.conv2d(x, w, stride=0)", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x, w, padding=-1)", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x, w, dilation=0)", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x, w, groups=2)", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x, w, groups=3)", w=randn(4, 1, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x, w, stride=(1, 1, 1))", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x, w, padding='foo')", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x, w, padding='same', stride=2)", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x.double(), w)", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv2d(x, w, z.double())", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5), z=randn(4)),
    Row("F.conv2d(x, [1])", x=randn(1, 3, 5, 5)),
    Row("F.conv_transpose2d(x, w, output_padding=1)", w=randn(3, 4, 3, 3), x=randn(1, 3, 5, 5)),
    Row("F.conv_transpose2d(x, w)", w=randn(4, 3, 3, 3), x=randn(1, 3, 5, 5), name="transposed channels"),
    Row("F.conv_transpose2d(x, w, padding=3)", w=randn(3, 4, 3, 3), x=randn(1, 3, 1, 1)),
)

test_blocks = rows(
    Row("F.unfold(x, 2)", x=randn(2, 3, 4, 5), grad=2),
    Row("F.unfold(x, (2, 3), 2, 1, (1, 2))", x=randn(2, 3, 6, 7), grad=True),
    Row("F.unfold(x, 2)", x=randn(3, 4, 5), name="unbatched"),
    Row("F.fold(x, (4, 5), 2)", x=randn(2, 8, 12), grad=2),
    Row("F.fold(x, (5, 6), (2, 3), 1, 1, 2)", x=randn(1, 12, 9), grad=True),
    Row("F.pixel_shuffle(x, 2)", x=randn(2, 8, 3, 2), grad=2),
    Row("F.pixel_unshuffle(x, 2)", x=randn(2, 2, 4, 6), grad=True),
    Row("F.channel_shuffle(x, 3)", x=randn(2, 6, 2, 2), grad=True),
    Row("F.unfold(x, 5)", x=randn(1, 2, 4, 4)),
    Row("F.fold(x, (4, 4), 2)", x=randn(1, 7, 9), name="fold channels"),
    Row("F.fold(x, (4, 4), 2)", x=randn(1, 8, 8), name="fold blocks"),
    Row("F.pixel_shuffle(x, 2)", x=randn(1, 3, 2, 2), name="shuffle channels"),
)

test_resampling = rows(
    *[
        Row(f"F.interpolate(x, scale_factor=2, mode='{mode}')", x=randn(1, 2, 4, 3), grad=2)
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic")
    ],
    *[
        Row(f"F.interpolate(x, (3, 7), mode='{mode}', align_corners=True)", x=randn(1, 2, 5, 4), grad=True)
        for mode in ("bilinear", "bicubic")
    ],
    *[Row(f"F.interpolate(x, (3, 7), mode='{mode}', antialias=True)", x=randn(1, 2, 9, 8), grad=True) for mode in ("bilinear", "bicubic")],
    Row("F.interpolate(x, 5, mode='linear')", x=randn(1, 2, 4), grad=True),
    Row("F.interpolate(x, scale_factor=1.5, mode='trilinear')", x=randn(1, 2, 4, 3, 2), grad=True),
    Row("F.interpolate(x, scale_factor=0.6, recompute_scale_factor=True)", x=randn(1, 2, 7)),
    Row("F.interpolate(x, (2, 3), mode='area')", x=randn(1, 2, 4, 5), grad=True),
    *[
        Row(f"F.grid_sample(x, g, '{mode}', '{padding}', {align})", g=rand(2, 3, 4, 2, low=-1.4, high=1.4), x=randn(2, 3, 4, 5), grad=True)
        for mode, padding, align in itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True))
    ],
    Row("F.grid_sample(x, g, align_corners=False)", g=rand(1, 2, 2, 2, 3, low=-1.2, high=1.2), x=randn(1, 2, 3, 4, 5), grad=2),
    Row("F.affine_grid(t, (2, 3, 4, 5), align_corners=False)", t=randn(2, 2, 3), grad=True),
    Row("F.affine_grid(t, (2, 3, 4, 5, 2), align_corners=True)", t=randn(2, 3, 4), grad=True),
    Row("F.interpolate(x)", x=randn(1, 2, 4, 4)),
    Row("F.interpolate(x, 3, mode='linear')", x=randn(1, 2, 4, 4)),
    Row("F.interpolate(x, 0)", x=randn(1, 2, 4, 4)),
    Row("F.interpolate(x, 3, align_corners=True)", x=randn(1, 2, 4, 4)),
)


def by_definition(x, w, stride, padding, dilation, groups):
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    out = [(s - d * (n - 1) - 1) // t + 1 for s, n, t, d in zip(x.shape[2:], w.shape[2:], stride, dilation)]
    y = np.zeros((x.shape[0], w.shape[0], *out))
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for place in np.ndindex(*out):
        for offset in np.ndindex(*w.shape[2:]):
            at = tuple(p * t + o * d for p, t, o, d in zip(place, stride, offset, dilation))
            for g in range(groups):
                part = x[(slice(None), slice(g * per_in, (g + 1) * per_in), *at)]
                y[(slice(None), slice(g * per_out, (g + 1) * per_out), *place)] += (
                    part @ w[(slice(g * per_out, (g + 1) * per_out), slice(None), *offset)].T
                )
    return y


@st.composite
def geometries(draw):
    dims, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.lists(st.integers(low, high), min_size=dims, max_size=dims)))
    kernel, stride, padding, dilation = each(1, 3), each(1, 3), each(0, 2), each(1, 2)
    spatial = tuple(d * (n - 1) + 1 + extra for d, n, extra in zip(dilation, kernel, each(0, 4)))
    shape = (draw(st.integers(1, 3)), groups * draw(st.integers(1, 2)), *spatial)
    weight = (groups * draw(st.integers(1, 2)), shape[1] // groups, *kernel)
    return shape, weight, stride, padding, dilation, groups


@settings(max_examples=60, deadline=None)
@given(geometries(), st.sampled_from([1, 40, 1 << 18]))
def test_kernels_follow_the_definition(geometry, budget):
    shape, weight_shape, stride, padding, dilation, groups = geometry
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(shape), rng.standard_normal(weight_shape)
    whole, k._BUDGET = k._BUDGET, budget  # small pieces, cut by samples and by rows
    k._plan.cache_clear()
    try:
        y = k.convolution(x, w, None, stride, padding, dilation, groups)
        g = rng.standard_normal(y.shape)
        gx, gw = k.convolution_backward(g, x, w, shape, weight_shape, stride, padding, dilation, groups)
    finally:
        k._BUDGET = whole
        k._plan.cache_clear()
    np.testing.assert_allclose(y, by_definition(x, w, stride, padding, dilation, groups), atol=1e-10)
    # The maps are bilinear, so that the gradients are their transposes.
    np.testing.assert_allclose((y * g).sum(), (gx * x).sum(), atol=1e-8)
    np.testing.assert_allclose((y * g).sum(), (gw * w).sum(), atol=1e-8)
