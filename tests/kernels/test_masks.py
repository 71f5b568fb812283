"""Random masks are made of the generator's words, wherever the stream stands, and leave it where NumPy would."""

import numpy as np
import pytest

from flambeau.kernels.compiler import usable
from flambeau.kernels.library import masks

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 300, 312, 313, 2495, 2496, 2497, 10_007])
@pytest.mark.parametrize("position", [1, 2, 301, 613, 622, 623, 624])
def test_masks_from_the_stream(position, count):
    numpy = np.random.RandomState(count)
    numpy.random_sample()  # a block is drawn
    key = numpy.get_state()[1]
    numpy.set_state(("MT19937", key, position))
    state = np.append(key, position).astype(np.uint32)
    limit = 0.7 * 2**53 // 1
    for _ in range(2):
        room = np.full(count + 6, 7, np.uint8)
        masks.below()(room[3 : 3 + count].view(np.bool_), state, limit, float(count))
        words = numpy.randint(0, 1 << 32, 2 * count, np.uint32).astype(np.uint64)
        number = (words[::2] << np.uint64(32) | words[1::2]) & np.uint64(2**53 - 1)
        assert (room[3 : 3 + count] == (number < limit)).all()
        assert (room[:3] == 7).all() and (room[3 + count :] == 7).all()
        _, key, position, *_ = numpy.get_state()
        assert state[624] == position and (state[:624] == key).all()
