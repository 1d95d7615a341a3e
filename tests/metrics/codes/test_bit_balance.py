import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context

from skhash.codes import pack_codes
from skhash.metrics import bit_balance


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([1, 5, 64, 65]), st.booleans())
def test_balance_by_loops(seed, n, bits, tight):
    signed = 2 * np.random.default_rng(seed).integers(0, 2, (n, bits)) - 1
    expected = sum(abs(sum(int(code[k]) for code in signed) / n) for k in range(bits)) / bits
    with config_context(working_memory=1e-4 if tight else 1024):
        assert bit_balance(signed) == pytest.approx(expected)
        assert bit_balance(pack_codes(signed), bits=bits) == bit_balance(signed)


def test_closed_cases():
    assert bit_balance([[0, 1], [1, 0]]) == 0
    assert bit_balance([[0, 1], [0, 1]]) == 1
    assert bit_balance([[0, 1]]) == 1
    assert bit_balance([[0, 1]]).definition == "mean over bits of |mean of the bit as -1/+1|"


def test_errors():
    with pytest.raises(ValueError, match="codes are continuous"):
        bit_balance([[0.2, -0.7]])
    with pytest.raises(ValueError, match=r"a 0 among -1/\+1"):
        bit_balance([[-1, 0, 1]])
    with pytest.raises(ValueError, match="at least 1 row, got 0"):
        bit_balance(np.empty((0, 3), dtype=int))
    with pytest.raises(ValueError, match="bits=9 needs 9 columns"):
        bit_balance([[0, 1]], bits=9)
