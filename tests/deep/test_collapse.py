"""Tests of the warning about codes that are nearly all equal."""

import numpy as np
import pytest

from skhash import CSQHasher, DCHHasher, OrthoHasher
from skhash.deep._collapse import _describe


@pytest.mark.parametrize("kind", [OrthoHasher, DCHHasher, CSQHasher])
def test_equal_codes_are_reported_with_a_cure(kind, digits):
    trouble = f"training codes are equal, so {kind.__name__} .*: set standardize=True"
    with pytest.warns(UserWarning, match=trouble) as caught:
        kind(bits=16, recipe="paper", max_epochs=5, random_state=0).fit(digits.X[:300] + 1e4, digits.y[:300])
    assert len(caught) == 1
    kind(bits=16, max_epochs=5, random_state=0).fit(digits.X[:300], digits.y[:300])  # warns of nothing


def test_how_many_codes_and_bits_must_differ_depends_on_the_classes():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 10
    codes = rng.integers(0, 2, (200, 32), dtype=np.uint8)
    assert _describe(codes, y) is None
    constant = codes.copy()
    constant[:, :17] = 1
    assert "17 of 32 bits" in _describe(constant, y)
    assert _describe(constant, y % 2) is None  # two centers agree in half of the bits
    assert _describe(constant, None) is None
    assert "200 of 200 training codes are equal" in _describe(np.zeros_like(codes), y)
    rare = (np.arange(200) < 4).astype(int)
    assert _describe(np.repeat(rare[:, None], 32, axis=1).astype(np.uint8), rare) is None
