"""LSTM, GRU and RNN layers and batch normalisation: the compiled kernels against the NumPy lowering."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.kernels import activation, batch_norm, recurrent
from flambeau.kernels.compiler import ChannelKernel, threads, usable

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

DTYPES = st.sampled_from([np.dtype(np.float32), np.dtype(np.float64)])
SEEDS = st.integers(0, 2**32 - 1)


def by_numpy(module, function, *args):
    """What the NumPy lowering makes of it."""
    with pytest.MonkeyPatch.context() as m:
        if hasattr(module, "usable"):
            m.setattr(module, "usable", lambda: False)
        m.setattr(ChannelKernel, "compiled_for", lambda *_: None)
        return function(*args)


def assert_close(found, expected, dtype):
    close = dict(rtol=2e-4, atol=2e-4) if dtype == np.float32 else dict(rtol=1e-10, atol=1e-10)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, **close)


def sizes_of(lengths):
    """How many sequences there are at each step."""
    return [sum(n > step for n in lengths) for step in range(max(lengths))]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["lstm", "gru", "tanh", "relu"]),
    st.lists(st.integers(1, 6), min_size=1, max_size=20),
    st.integers(1, 6),
    st.sampled_from([1, 3, 16, 17, 33]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    DTYPES,
    SEEDS,
)
def test_layers(kind, lengths, features, width, reverse, bias, with_grad, with_last, dtype, seed):
    random = np.random.default_rng(seed)

    def normal(*shape):
        return (random.standard_normal(shape) * 0.5).astype(dtype)

    sizes = sizes_of(lengths)
    rows, batch, gates = sum(sizes), len(lengths), {"lstm": 4, "gru": 3}.get(kind, 1)
    x, h0, c0 = normal(rows, features), normal(batch, width), normal(batch, width)
    weights = [normal(gates * width, features), normal(gates * width, width)]
    biases = [normal(gates * width), normal(gates * width)] if bias else [None, None]
    grad, last = (normal(rows, width) if with_grad else None), (normal(batch, width) if with_last else None)
    if kind == "lstm":
        args = (x, h0, c0, *weights, *biases, None, sizes, reverse)
        found = recurrent.lstm(*args)
        assert_close(found, by_numpy(recurrent, recurrent.lstm, *args), dtype)
        outputs, _, _, states, cells = found
        back = (grad, last, c0, x, h0, c0, *weights, None, outputs, states, cells, sizes, reverse, (True,) * 7 + (False,))
        assert_close(recurrent.lstm_backward(*back), by_numpy(recurrent, recurrent.lstm_backward, *back), dtype)
    elif kind == "gru":
        args = (x, h0, *weights, *biases, sizes, reverse)
        found = recurrent.gru(*args)
        assert_close(found, by_numpy(recurrent, recurrent.gru, *args), dtype)
        outputs, _, states, parts = found
        back = (grad, last, x, h0, *weights, outputs, states, parts, sizes, reverse, (True,) * 6)
        assert_close(recurrent.gru_backward(*back), by_numpy(recurrent, recurrent.gru_backward, *back), dtype)
    else:
        relu = kind == "relu"
        args = (x, h0, *weights, *biases, relu, sizes, reverse)
        found = recurrent.rnn(*args)
        assert_close(found, by_numpy(recurrent, recurrent.rnn, *args), dtype)
        back = (grad, last, x, h0, *weights, found[0], relu, sizes, reverse, (True,) * 6)
        assert_close(recurrent.rnn_backward(*back), by_numpy(recurrent, recurrent.rnn_backward, *back), dtype)


def test_lstm_is_the_same_for_every_number_of_threads():
    random = np.random.default_rng(0)
    sizes = sizes_of(list(range(1, 38)))
    x, h0, c0 = (random.standard_normal(s).astype(np.float32) for s in ((sum(sizes), 20), (37, 48), (37, 48)))
    weights = [random.standard_normal((192, n)).astype(np.float32) * 0.2 for n in (20, 48)]
    results = []
    before = threads.count()
    try:
        for n in (1, 2, 4):
            threads.set_count(n)
            results.append(recurrent.lstm(x, h0, c0, *weights, None, None, None, sizes, False))
    finally:
        threads.set_count(before)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 40),
    st.lists(st.integers(1, 12), max_size=3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    DTYPES,
    SEEDS,
)
def test_batch_norm(samples, channels, sizes, training, affine, tracked, dtype, seed):
    random = np.random.default_rng(seed)
    x = random.standard_normal((samples, channels, *sizes)).astype(dtype) + 1
    if x.size == channels and training:
        return  # one value per channel: the caller refuses
    grad = random.standard_normal(x.shape).astype(dtype)
    weight, bias = (random.standard_normal((2, channels)).astype(dtype)) if affine else (None, None)
    tracked = tracked or not training
    running = [np.zeros(channels, dtype), np.ones(channels, dtype)] if tracked else [None, None]
    theirs = [None if r is None else r.copy() for r in running]
    found = batch_norm.batch_norm(x, weight, bias, *running, training, 0.1, 1e-3)
    expected = by_numpy(batch_norm, batch_norm.batch_norm, x, weight, bias, *theirs, training, 0.1, 1e-3)
    assert_close(found, expected, dtype)
    assert_close(running, theirs, dtype)
    args = (grad, x, weight, found[1], found[2], training, (True, affine, affine))
    assert_close(batch_norm.batch_norm_backward(*args), by_numpy(batch_norm, batch_norm.batch_norm_backward, *args), dtype)
    sums = batch_norm.channel_sums(x)
    np.testing.assert_allclose(sums, x.astype(np.float64).sum((0, *range(2, x.ndim))), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", ((64, 300), (3000, 70), (16, 33, 500), (4, 1000, 9)), ids=str)
def test_channels_and_the_threads(shape):
    """Sums of planes do not depend on the number of threads; those of (N, C) are added up in as many parts, as PyTorch does it."""
    random = np.random.default_rng(0)
    x, grad = random.standard_normal((2, *shape)).astype(np.float32)
    weight = random.standard_normal(shape[1]).astype(np.float32)
    before, results, others = threads.count(), [], []
    try:
        for count in (1, 3):
            threads.set_count(count)
            found = batch_norm.batch_norm(x, weight, weight, None, None, True, 0.1, 1e-5)
            slopes = batch_norm.batch_norm_backward(grad, x, weight, found[1], found[2], True, (True, True, True))
            results.append([*found, *slopes])
            others.append([batch_norm.channel_sums(x), activation.softmax(x, 0), activation.log_softmax(x, 1)])
    finally:
        threads.set_count(before)
    for one, other in zip(*others):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(*results):
        if len(shape) > 2:
            np.testing.assert_array_equal(one, other)
        else:
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)
