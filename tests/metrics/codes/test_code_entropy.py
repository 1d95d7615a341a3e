import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.metrics import bit_entropy, code_entropy


def entropy(symbols):
    return -sum(m / len(symbols) * math.log2(m / len(symbols)) for m in Counter(symbols).values())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([1, 3, 64, 67]))
def test_entropies_by_counting(seed, n, bits):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, (max(n // 2, 1), bits))[rng.integers(0, max(n // 2, 1), n)]  # with repetitions
    assert code_entropy(codes) == pytest.approx(entropy([tuple(code) for code in codes.tolist()]))
    assert bit_entropy(codes) == pytest.approx(np.mean([entropy(bit) for bit in codes.T.tolist()]))
    assert code_entropy(pack_codes(codes), bits=bits) == code_entropy(codes)


def test_closed_cases():
    every = np.array([[k >> b & 1 for b in range(4)] for k in range(16)])
    assert code_entropy(every) == pytest.approx(4)
    assert bit_entropy(every) == pytest.approx(1)
    assert code_entropy(np.ones((5, 80), dtype=int)) == 0
    assert bit_entropy(np.ones((5, 80), dtype=int)) == 0
    # A copy of a bit adds nothing to the whole, though each is balanced.
    assert code_entropy(np.hstack([every, every])) == pytest.approx(4)
    assert bit_entropy(np.hstack([every, every])) == pytest.approx(1)


def test_definitions_and_errors():
    assert code_entropy([[0, 1]]).definition == "entropy of whole codes, in bits"
    assert bit_entropy([[0, 1]]).definition == "mean entropy of a bit, in bits"
    for function in (code_entropy, bit_entropy):
        with pytest.raises(ValueError, match="codes are continuous"):
            function([[0.2, -0.7]])
        with pytest.raises(ValueError, match="at least 1 row, got 0"):
            function(np.empty((0, 3), dtype=int))
