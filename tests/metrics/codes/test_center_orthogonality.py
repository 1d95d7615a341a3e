import numpy as np
import pytest
from sklearn import config_context

from skhash.centers import hadamard_centers
from skhash.metrics import center_orthogonality


def test_both_forms_by_matrices():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (60, 70))
    multi_hot = (rng.random((60, 5)) < 0.3).astype(int)
    centers = np.array([np.where(2 * codes[own == 1].sum(axis=0) >= own.sum(), 1, -1) for own in multi_hot.T])
    gram = centers @ centers.T
    for memory in (1024, 1e-4):
        with config_context(working_memory=memory):
            score = center_orthogonality(codes, multi_hot)
            raw = center_orthogonality(codes, multi_hot, normalize=False)
    assert score == pytest.approx(np.linalg.norm(gram / 70 - np.eye(5)))
    assert raw == pytest.approx(np.linalg.norm(gram - np.eye(5)))


def test_orthogonal_classes_and_equal_classes():
    codes = np.repeat(hadamard_centers(8, 16), 3, axis=0)
    assert center_orthogonality(codes, np.repeat(np.arange(8), 3)) == 0
    assert center_orthogonality(np.ones((4, 16), dtype=int), [0, 0, 1, 1]) == pytest.approx(2**0.5)


def test_definitions():
    codes, y = [[0, 1], [1, 1]], [0, 1]
    normalized, raw = center_orthogonality(codes, y), center_orthogonality(codes, y, normalize=False)
    assert normalized.definition == "Frobenius norm of H H' / bits - I, H the -1/+1 class centers"
    assert raw.definition == "Frobenius norm of H H' - I, H the -1/+1 class centers"


def test_errors():
    with pytest.raises(ValueError, match="at least 2 classes with samples, got 1"):
        center_orthogonality([[0, 1], [1, 1]], ["a", "a"])
    with pytest.raises(ValueError, match="y must have one row per code, 2, got 3"):
        center_orthogonality([[0, 1], [1, 1]], ["a", "a", "b"])
    with pytest.raises(ValueError, match="'normalize' parameter of center_orthogonality"):
        center_orthogonality([[0, 1], [1, 1]], ["a", "b"], normalize="yes")
