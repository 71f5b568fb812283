"""The updates over arrays: blocks, memory orders, number types. Values are compared with PyTorch's in tests/optim."""

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels import optimizer as kernels
from flambeau.kernels.compiler import launch, numpy_lowering, usable
from flambeau.kernels.library import optimizer as library

SHAPE = (30, 40)


def arrays(dtype="float32", shape=SHAPE, order="C"):
    random = np.random.RandomState(0)

    def one():
        value = random.standard_normal(shape) + (1j * random.standard_normal(shape) if np.dtype(dtype).kind == "c" else 0)
        return np.asarray(value, dtype, order=order)

    return one


def zeros(like):
    return np.zeros_like(like)


def step_count():
    return np.zeros((), np.float32)


def run(name, p, g, times=3):
    """Some steps of one update on one parameter; its final arrays."""
    state = [zeros(p) for _ in range(3)]
    one, more, third = ([array] for array in state)
    steps, scalar, ones = [step_count()], [np.full((), 0.1, np.float32)], [np.ones((), np.float32)]
    for _ in range(times):
        if name == "sgd":
            kernels.sgd_step([p], [g], one, 0.1, 0.9, 0.1, 0.1, False, True)
        elif name == "nesterov":
            kernels.sgd_step([p], [g], one, 0.1, 0.9, 0.0, 0.0, True, False)
        elif name == "adam":
            kernels.adam_step([p], [g], one, more, third, steps, 0.1, 0.9, 0.99, 1e-8, 0.1, False, True)
        elif name == "adamw":
            kernels.adam_step([p], [g], one, more, (), steps, 0.1, 0.9, 0.99, 1e-8, 0.1, True, False)
        elif name == "adamax":
            kernels.adamax_step([p], [g], one, more, steps, 0.1, 0.9, 0.99, 1e-8, 0.1, False)
        elif name == "nadam":
            kernels.nadam_step([p], [g], one, more, ones, steps, 0.1, 0.9, 0.99, 1e-8, 0.1, 0.004, False, False)
        elif name == "radam":
            kernels.radam_step([p], [g], one, more, steps, 0.1, 0.9, 0.99, 1e-8, 0.1, False, False)
        elif name == "rmsprop":
            kernels.rmsprop_step([p], [g], one, more, third, steps, 0.1, 0.9, 1e-8, 0.1, 0.9, False)
        elif name == "adagrad":
            kernels.adagrad_step([p], [g], one, steps, 0.1, 0.1, 1e-8, 0.1, False)
        elif name == "adadelta":
            kernels.adadelta_step([p], [g], one, more, steps, 0.1, 0.9, 1e-6, 0.1, False)
        elif name == "asgd":
            kernels.asgd_step([p], [g], one, ones, scalar, steps, 0.1, 0.01, 0.75, 1.0, 0.1, False)
        elif name == "rprop":
            kernels.rprop_step([p], [g], one, more, steps, 0.5, 1.2, 1e-3, 1.0, False)
    return [p, *state]


UPDATES = [
    "sgd", "nesterov", "adam", "adamw", "adamax", "nadam", "radam", "rmsprop", "adagrad", "adadelta", "asgd", "rprop",
]  # fmt: skip


@pytest.fixture
def numpy_alone(monkeypatch):
    """The NumPy lowering also where there is a compiled kernel, which may round differently."""
    monkeypatch.setattr(launch, "compiled", False)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "complex64"])
@pytest.mark.parametrize("name", UPDATES)
def test_compiled_kernels_agree_with_numpy(name, dtype, monkeypatch):
    """But for the last digits: NumPy fuses no product with a sum, and takes the exact square root."""
    one = arrays(ml_dtypes.bfloat16) if dtype == "bfloat16" else arrays(dtype)
    p, g = one(), one()
    compiled = run(name, p.copy(), g)
    monkeypatch.setattr(launch, "compiled", False)
    for a, b in zip(compiled, run(name, p.copy(), g)):
        if p.dtype.itemsize == 2:
            np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-5 if p.dtype.char in "fF" else 1e-13, atol=3e-6 if p.dtype.char in "fF" else 1e-13)


def test_half_precision_rounds_after_every_operator_unless_fused():
    half = np.float16
    p, g = (np.random.RandomState(seed).standard_normal(50).astype(half) for seed in range(2))
    one, other = p.copy(), p.copy()
    kernels.sgd_step([one], [g], (), 0.1, 0.0, 0.0, 0.1, False, False)
    kernels.sgd_step([other], [g], (), 0.1, 0.0, 0.0, 0.1, False, False, fused=True)
    decay, rate, wide = np.float32(half(0.1)), np.float32(half(-0.1)), np.float32
    gradient = (wide(g) + wide(p) * decay).astype(half)
    np.testing.assert_array_equal(one, (wide(p) + wide(gradient) * rate).astype(half))
    np.testing.assert_array_equal(other, (wide(p) + (wide(g) + wide(p) * wide(0.1)) * wide(-0.1)).astype(half))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_one_launch_for_many_arrays(weight_decay, maximize, dtype, monkeypatch):
    shapes = [(3,), (200, 300), (1,), (0, 4), (70, 5, 3), (40000,), (2, 2)]

    def result():
        random = np.random.default_rng(0)
        lists = [[random.standard_normal(shape).astype(dtype) for shape in shapes] for _ in range(5)]
        params, grads, first, second, largest = lists
        second[:] = [abs(x) for x in second]
        largest[:] = [abs(x) for x in largest]
        kept = [g.copy() for g in grads]
        for decoupled in (False, True):
            for most in ((), largest):
                steps = [step_count() for _ in shapes]
                kernels.adam_step(params, grads, first, second, most, steps, 0.1, 0.9, 0.99, 1e-8, weight_decay, decoupled, maximize)
        for nesterov in (False, True):
            kernels.sgd_step(params, grads, first, 0.1, 0.9, 0.1, weight_decay, nesterov, maximize)
        kernels.sgd_step(params, grads, (), 0.1, 0.0, 0.0, weight_decay, False, maximize)
        for g, before in zip(grads, kept):
            np.testing.assert_array_equal(g, before)
        return [x for arrays in lists for x in arrays]

    compiled = result()
    monkeypatch.setattr(launch, "compiled", False)
    for a, b in zip(compiled, result()):
        np.testing.assert_allclose(a, b, rtol=2e-5 if dtype == np.float32 else 1e-12, atol=2e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.skipif(not usable(), reason="kernels are not compiled here")
def test_lists_are_refused_as_a_whole():
    good, single = np.ones((3, 4), np.float32), np.ones(5, np.float32)
    locked = np.ones(5, np.float32)
    locked.flags.writeable = False
    for bad in (np.asfortranarray(good), np.ones(3), np.ones(3, np.float32)[::2], locked, 3.0, None, np.ones(3, ">f4")):
        assert not library.scale.over_lists(([single, bad],), 2.0)
    assert not library.descent.over_lists(([single], [good]), 1.0, 0.0, 1.0)
    assert not library.descent.over_lists(([single], [single, single]), 1.0, 0.0, 1.0)
    assert not library.scale.over_lists(([],), 2.0)
    assert (single == 1).all() and (good == 1).all()
    assert library.scale.over_lists(([single, good],), 2.0) and (single == 2).all() and (good == 2).all()


def test_one_launch_whatever_the_memory_order(monkeypatch):
    launches = []
    launch_lists = kernels.Kernel.over_lists

    def counted(kernel, lists, *numbers):
        done = launch_lists(kernel, lists, *numbers)
        if kernel is library.adam:
            launches.append(done)
        return done

    monkeypatch.setattr(kernels.Kernel, "over_lists", counted)
    arrays = [np.ones((3, 4), np.float32), np.ones((2, 3, 4, 5), np.float32).transpose(0, 2, 3, 1), np.ones(2, np.complex64)]
    steps = [step_count() for _ in arrays]
    state = [[zeros(a) for a in arrays] for _ in range(2)]
    kernels.adam_step(arrays, [a.copy() for a in arrays], *state, (), steps, 0.1, 0.9, 0.99, 1e-8, 0.0, False, False)
    for a in arrays:
        np.testing.assert_allclose(a.real, 0.9, rtol=1e-6)
    assert launches == ([False, True] if usable() else [])


def test_scaling_and_limiting():
    def made():
        dense = np.arange(12, dtype=np.float32).reshape(3, 4)
        return [
            dense,
            np.asfortranarray(dense),
            np.arange(24, dtype=np.float32)[::2],
            np.full((), 7, np.float32),
            np.full(2, np.nan, np.float32),
        ]

    scaled, limited = made(), made()
    kernels.scale_all(scaled, 0.5)
    kernels.limit_all(limited, 5.0)
    for given, half, clipped in zip(made(), scaled, limited):
        np.testing.assert_array_equal(half, given * 0.5)
        np.testing.assert_array_equal(clipped, np.clip(given, -5, 5))


@pytest.mark.parametrize("name", UPDATES)
def test_blocks_give_what_the_whole_gives(name, monkeypatch, numpy_alone):
    one = arrays()
    p, g = one(), one()
    whole = run(name, p.copy(), g)
    monkeypatch.setattr(numpy_lowering, "CACHE", 1024)
    monkeypatch.setattr(numpy_lowering, "_lowered", {})
    for a, b in zip(whole, run(name, p.copy(), g)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cache", [1024, 1 << 20])
@pytest.mark.parametrize("name", UPDATES)
def test_memory_order_does_not_matter(name, cache, monkeypatch, numpy_alone):
    monkeypatch.setattr(numpy_lowering, "CACHE", cache)
    monkeypatch.setattr(numpy_lowering, "_lowered", {})
    one = arrays()
    p, g = one(), one()
    expected = run(name, p.copy(), g)
    strided = np.zeros((SHAPE[0], 2 * SHAPE[1]), np.float32)[:, ::2]
    strided[...] = p
    for own in (np.asfortranarray(p), strided):
        for gradient in (g, np.asfortranarray(g)):
            for a, b in zip(expected, run(name, own.copy("K") if own is not strided else own, gradient)):
                np.testing.assert_array_equal(a, b)
            strided[...] = p


@pytest.mark.parametrize("maximize", [False, True])
def test_a_gradient_is_never_changed(maximize):
    one = arrays()
    for weight_decay in (0.0, 0.1):
        p, g, m, v = one(), one(), one(), abs(one())
        before = g.copy()
        kernels.adam_step([p], [g], [m], [v], (), [step_count()], 0.1, 0.9, 0.99, 1e-8, weight_decay, False, maximize)
        kernels.sgd_step([p], [g], [m], 0.1, 0.9, 0.0, weight_decay, True, maximize)
        kernels.sgd_step([p], [g], (), 0.1, 0.0, 0.0, weight_decay, False, maximize)
        kernels.adagrad_step([p], [g], [v], [step_count()], 0.1, 0.0, 1e-8, weight_decay, maximize)
        np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize("name", UPDATES)
def test_complex_numbers_are_pairs_of_real_ones(name, numpy_alone):
    one = arrays("complex64")
    p, g = one(), one()
    as_pairs = run(name, p.view(np.float32).copy(), g.view(np.float32))
    for a, b in zip(run(name, p.copy(), g), as_pairs):
        np.testing.assert_array_equal(a.view(np.float32), b)


@pytest.mark.parametrize("shape", [(), (0, 3), (1,)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("name", UPDATES)
def test_small_shapes(name, dtype, shape):
    one = arrays(dtype, shape)
    p, g = one(), one()
    long = run(name, np.broadcast_to(p, (4, *shape)).copy(), np.broadcast_to(g, (4, *shape)))
    for a, b in zip(run(name, p, g), long):
        assert a.shape == shape
        np.testing.assert_allclose(a, b[0], rtol=1e-3 if dtype == "float16" else 1e-6)


def test_division_by_zero_passes_in_silence(recwarn):
    p, g = np.ones(3, np.float32), np.zeros(3, np.float32)
    kernels.adam_step([p], [g], [zeros(p)], [zeros(p)], (), [step_count()], 0.1, 0.9, 0.99, 0.0, 0.0, False, False)
    assert np.isnan(p).all()
    assert not recwarn.list


def test_each_parameter_has_its_own_step_count():
    one = arrays()
    p, g = one(), one()
    together, alone = [p.copy(), p.copy()], p.copy()
    steps = [step_count(), np.full((), 7, np.float32)]
    kernels.adam_step(together, [g, g], [zeros(p), zeros(p)], [zeros(p), zeros(p)], (), steps, 0.1, 0.9, 0.99, 1e-8, 0.0, False, False)
    count = np.full((), 7, np.float32)
    kernels.adam_step([alone], [g], [zeros(p)], [zeros(p)], (), [count], 0.1, 0.9, 0.99, 1e-8, 0.0, False, False)
    assert [step.item() for step in steps] == [1.0, 8.0]
    np.testing.assert_array_equal(together[1], alone)
    assert not np.array_equal(together[0], alone)


def test_averages_move_in_one_launch():
    random = np.random.RandomState(0)
    shapes = [(3, 4), (), (0,), (200, 300)]
    for dtype in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.complex64):
        averages, values = ([np.asarray(random.standard_normal(shape)).astype(dtype) for shape in shapes] for _ in range(2))
        averages[0] = np.asfortranarray(averages[0])
        before = [a.copy() for a in averages]
        kernels.lerp_all(averages, values, 0.25)
        for a, b, v in zip(averages, before, values):
            wide = np.result_type(dtype, np.float32) if a.dtype.itemsize > 2 else np.float32
            expected = b.astype(wide) + (v.astype(wide) - b.astype(wide)) * np.float32(0.25)
            np.testing.assert_array_equal(a, expected.astype(dtype))
