import pytest
import torch

from skhash.losses import cosine_quantization_loss


def test_golden_value(golden):
    assert cosine_quantization_loss(golden.U8).item() == pytest.approx(0.094785, abs=1e-5)


def test_binary_codes_lose_nothing_and_zero_counts_as_plus_one():
    assert cosine_quantization_loss(torch.tensor([[2.0, -2.0, 2.0]])).item() == pytest.approx(0, abs=1e-6)
    assert cosine_quantization_loss(torch.tensor([[1.0, 0.0]])).item() == pytest.approx(1 - 0.5**0.5, abs=1e-6)


def test_gradient_by_finite_differences(golden):
    assert torch.autograd.gradcheck(cosine_quantization_loss, (golden.U8.clone().requires_grad_(),))
