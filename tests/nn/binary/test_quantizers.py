import math

import pytest
import torch

from skhash.nn import sign
from skhash.nn.binary import binary_sign

GRADIENTS = ["clip", "strict_clip", "approx", "ede", "identity"]

# The smoother function whose derivative each gradient is.
STAND_INS = {
    "clip": lambda x: max(-1.0, min(1.0, x)),
    "strict_clip": lambda x: max(-1.0, min(1.0, x)),
    "approx": lambda x: math.copysign(1.0 if abs(x) >= 1 else 2 * abs(x) - x * x, x),
    "ede": lambda x: max(1 / 0.3, 1) * math.tanh(0.3 * x),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_signs_are_those_of_the_library(gradient, dtype):
    x = torch.tensor([-2.0, -1e-30, -0.0, 0.0, 1e-30, 3.0], dtype=dtype)
    signs = binary_sign(x, gradient)
    assert torch.equal(signs, sign(x))
    assert signs.dtype == dtype


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_the_gradient_is_the_derivative_of_the_stand_in(gradient):
    points = [-2.3, -1.01, -0.99, -0.5, -0.01, 0.01, 0.3, 0.99, 1.01, 5.0]
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    upstream = torch.linspace(-1, 2, len(points), dtype=torch.float64)
    (binary_sign(x, gradient, t=0.3) * upstream).sum().backward()
    f, h = STAND_INS[gradient], 1e-5
    slopes = [(f(p + h) - f(p - h)) / (2 * h) for p in points]
    torch.testing.assert_close(x.grad, upstream * torch.tensor(slopes, dtype=torch.float64), atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [
        ("clip", [0, 1, 1, 1, 1, 1, 0]),
        ("strict_clip", [0, 0, 1, 1, 1, 0, 0]),
        ("approx", [0, 0, 1, 2, 0.5, 0, 0]),
        ("identity", [1, 1, 1, 1, 1, 1, 1]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_golden_gradients_with_their_borders(gradient, expected, dtype):
    x = torch.tensor([-1.5, -1.0, -0.5, 0.0, 0.75, 1.0, 1.25], dtype=dtype, requires_grad=True)
    binary_sign(x, gradient).sum().backward()
    assert x.grad.tolist() == expected


@pytest.mark.parametrize(("t", "k"), [(0.1, 10.0), (1.0, 1.0), (10.0, 1.0)])
def test_ede_is_as_high_as_its_sharpness_says(t, k):
    x = torch.zeros(1, requires_grad=True)
    binary_sign(x, "ede", t=t).sum().backward()
    assert x.grad.item() == pytest.approx(k * t)


def test_channels_last_stays():
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert binary_sign(x).is_contiguous(memory_format=torch.channels_last)


def test_unknown_gradient():
    with pytest.raises(ValueError, match=r"gradient must be one of .* got 'swish'"):
        binary_sign(torch.zeros(1), "swish")
