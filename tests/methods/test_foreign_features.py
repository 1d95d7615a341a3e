"""Features in tensors of every kind, and masked arrays, for hashers of features."""

import numpy as np
import pytest
import torch

from skhash import ITQHasher, LSHHasher, OrthoHasher, PCAHasher, SpectralHasher

HASHERS = [LSHHasher(4, random_state=0), PCAHasher(4), ITQHasher(4, random_state=0), SpectralHasher(4)]
DEEP = OrthoHasher(8, max_epochs=1, random_state=0)


@pytest.mark.parametrize("hasher", [*HASHERS, DEEP], ids=lambda hasher: type(hasher).__name__)
def test_tensors_with_gradients_and_bfloat16(hasher):
    X = torch.randn(60, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    y = np.arange(60) % 3
    expected = hasher.fit(X.float().numpy(), y).transform(X.float().numpy())
    for tensor in (X, X.float().requires_grad_()):
        np.testing.assert_array_equal(hasher.fit(tensor, y).transform(tensor), expected)


@pytest.mark.parametrize("hasher", [*HASHERS, DEEP], ids=lambda hasher: type(hasher).__name__)
def test_masked_values_are_refused(hasher):
    X = np.ma.masked_array(np.random.default_rng(0).normal(size=(20, 8)), mask=np.eye(20, 8, dtype=bool))
    with pytest.raises(ValueError, match="X is a masked array with 8 masked values"):
        hasher.fit(X, np.arange(20) % 2)
