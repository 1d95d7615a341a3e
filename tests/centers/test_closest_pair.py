import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.centers._closest_pair import closest_distance
from skhash.codes import pack_codes


def by_pairs(words):
    return min(int(np.bitwise_count(words[i] ^ words[i + 1 :]).sum(axis=1).min()) for i in range(len(words) - 1))


def draw(n, bits, seed):
    return pack_codes(np.random.RandomState(seed).randint(0, 2, size=(n, bits)) == 1)


@settings(deadline=None)  # kernels compile
@given(st.integers(2, 200), st.integers(1, 150), st.integers(0, 99))
def test_random_codes(n, bits, seed):
    words = draw(n, bits, seed)
    assert closest_distance(words, bits) == by_pairs(words)


@pytest.mark.parametrize("bits", [64, 100, 128, 576, 700])  # one word to eleven
def test_a_pair_that_is_close(bits):
    words = draw(3000, bits, 0)
    words[2500] = words[7]
    words[2500, 0] ^= np.uint64(0b1011)
    assert closest_distance(words, bits) == 3


def test_codes_that_are_all_far_apart_are_compared_in_pairs():
    from skhash.centers import bch_centers

    words = pack_codes(bch_centers(2048, 64, random_state=0) > 0)
    assert closest_distance(words, 64) == by_pairs(words) >= 24


def test_a_pair_that_only_a_later_part_can_find():
    words = draw(1024, 64, 0)  # 10 parts
    words[1] = words[0] ^ np.uint64(1 << 63 | 1 << 62)  # differs by 2 bits of the last part: found by the first one
    words[3] = words[2] ^ np.uint64(1)  # differs by 1 bit of the first part, so that the first one cannot find it
    assert closest_distance(words, 64) == by_pairs(words) == 1
