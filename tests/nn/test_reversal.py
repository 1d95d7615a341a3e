import torch

from skhash.nn import reverse_gradient


def test_values_stay_and_gradients_turn_round():
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.arange(12.0).view(3, 4)
    y = reverse_gradient(x)
    assert torch.equal(y, x)
    (weights * y).sum().backward()
    assert torch.equal(x.grad, -weights)


def test_twice_is_nothing():
    x = torch.tensor([2.0], requires_grad=True)
    reverse_gradient(reverse_gradient(x)).backward()
    assert x.grad.item() == 1.0
