import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context

from skhash.metrics import quantization_error


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 70), st.booleans())
def test_error_by_loops(seed, n, bits, tight):
    z = np.random.default_rng(seed).standard_normal((n, bits))
    errors = []
    for v in z:
        s = np.where(v >= 0, 1.0, -1.0)
        errors.append(1 - v @ s / (np.linalg.norm(v) * np.linalg.norm(s)))
    with config_context(working_memory=1e-4 if tight else 1024):
        assert quantization_error(z) == pytest.approx(np.mean(errors))


def test_same_as_the_loss():
    torch = pytest.importorskip("torch")
    from skhash.losses import cosine_quantization_loss

    z = torch.randn((50, 24), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert quantization_error(z) == pytest.approx(cosine_quantization_loss(z).item())
    z.requires_grad_()
    assert quantization_error(z) > 0


@pytest.mark.parametrize("codes", [[[1.0, -1.0, 1.0]] * 2, [[1, -1, 1]], [[0, 1, 1]], [[True, False, True]]])
def test_binary_codes_lose_nothing(codes):
    assert quantization_error(codes) == 0


def test_scale_does_not_matter_even_at_the_ends_of_the_range():
    z = np.array([[3.0, -4.0], [1.0, 2.0]])
    for scale in (1e-300, 1e300):
        assert quantization_error(scale * z) == pytest.approx(quantization_error(z))


def test_a_code_of_zeros_has_no_direction():
    assert quantization_error([[0.0, 0.0], [1.0, -1.0]]) == 0.5


def test_errors():
    with pytest.raises(ValueError, match="z contains NaN"):
        quantization_error([[0.1, np.nan]])
    with pytest.raises(ValueError, match="Expected 2D array"):
        quantization_error([0.1, 0.2])
    with pytest.raises(TypeError, match="got packed words"):
        quantization_error(np.ones((3, 1), dtype=np.uint64))
