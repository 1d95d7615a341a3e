import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from skhash.methods import _rotation
from skhash.methods._rotation import learn_rotation
from skhash.utils import random_rotation


@pytest.mark.parametrize("seed", range(3))
def test_each_round_is_a_procrustes_solution(seed, monkeypatch):
    monkeypatch.setattr(_rotation, "_BLOCK_ROWS", 17)
    rng = np.random.RandomState(seed)
    V = rng.normal(size=(200, 6)) * np.linspace(3, 0.2, 6)
    rotation = start = random_rotation(6, rng)
    expected = []
    for _ in range(10):
        projected = V @ rotation
        codes = np.where(projected >= 0, 1, -1)
        expected.append(((codes - projected) ** 2).sum() / 200)
        rotation, _ = orthogonal_procrustes(V, codes)
    learnt, errors = learn_rotation(V, start, 9)
    np.testing.assert_allclose(errors, expected[: len(errors)], rtol=1e-10)
    assert (np.diff(errors) <= 1e-12).all()
    np.testing.assert_allclose(learnt @ learnt.T, np.eye(6), atol=1e-12)


def test_a_change_in_any_block_goes_on(monkeypatch):
    # The blocks differ, so that the codes of one may stay while those of another change.
    rng = np.random.RandomState(0)
    V, start = rng.normal(size=(90, 4)) * np.repeat([9.0, 0.1, 1.0], 30)[:, None], random_rotation(4, rng)
    whole = learn_rotation(V, start, 100)
    monkeypatch.setattr(_rotation, "_BLOCK_ROWS", 30)
    blocks = learn_rotation(V, start, 100)
    assert 3 < len(blocks[1]) == len(whole[1]) < 101
    np.testing.assert_allclose(blocks[0], whole[0], atol=1e-10)
    codes = V @ blocks[0] >= 0
    rotation, _ = orthogonal_procrustes(V, np.where(codes, 1.0, -1.0))
    assert np.array_equal(V @ rotation >= 0, codes)  # a fixed point


def test_it_ends_when_codes_no_longer_change():
    V = np.array([[2.0, 2.0], [-2.0, -2.0], [1.0, -1.0], [-1.0, 1.0]])  # V' B has full rank, so R is unique
    rotation, errors = learn_rotation(V, np.eye(2), 50)
    assert len(errors) == 2
    np.testing.assert_allclose(rotation, np.eye(2), atol=1e-12)


def test_a_frame_is_a_rotation_of_projections_with_zeros():
    rng = np.random.RandomState(0)
    V, start = rng.normal(size=(300, 5)), random_rotation(12, rng)
    full, full_errors = learn_rotation(np.pad(V, ((0, 0), (0, 7))), start, 20)
    frame, errors = learn_rotation(V, start[:5], 20)
    np.testing.assert_allclose(frame, full[:5], atol=1e-9)
    np.testing.assert_allclose(errors, full_errors)
