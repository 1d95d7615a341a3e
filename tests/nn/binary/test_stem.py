import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skhash.nn.binary import Int8Stem


def integer_weights(weight):
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    return np.round(weight / largest * np.float32(127)).astype(np.int64)


@pytest.mark.parametrize(("kernel_size", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (7, 2, 3)])
def test_sums_are_those_of_integers_in_any_order(kernel_size, stride, padding):
    stem = Int8Stem(3, 8, kernel_size, stride, padding)
    octets = torch.randint(0, 256, (2, 3, 20, 21), generator=torch.Generator().manual_seed(0))
    weight = integer_weights(stem.weight.detach().numpy())
    assert np.abs(weight).max(axis=(1, 2, 3)).tolist() == [127] * 8
    # The border is the pixel value 128, as a runtime with unsigned pixels stores it.
    padded = F.pad(octets, (padding,) * 4, value=128) - 128
    windows = padded.unfold(2, kernel_size, stride).unfold(3, kernel_size, stride).numpy()
    expected = np.einsum("nchwij,ocij->nohw", windows, weight)
    assert np.array_equal(stem(octets / 255).detach().numpy().astype(np.float64) * 2**14, expected)


def test_the_largest_sums_are_exact():
    stem = Int8Stem(21, 2, 7, padding=0)  # 1029 values of at most 1032
    stem.weight.data.fill_(1.0)
    black = stem(torch.zeros(1, 21, 7, 7)) * 2**14
    assert black.flatten().tolist() == [-128 * 127 * 1029] * 2
    with pytest.raises(ValueError, match=r"at most 1032 values, got in_channels \* kernel_size \*\* 2 = 1078"):
        Int8Stem(22, 2, 7)


def test_the_gradient_passes_the_rounding_as_if_weights_were_divided_by_the_largest():
    stem = Int8Stem(2, 3)
    pixels = torch.randint(0, 256, (2, 2, 5, 5), generator=torch.Generator().manual_seed(0)) / 255
    upstream = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    (stem(pixels) * upstream).sum().backward()
    weight = stem.weight.detach().clone().requires_grad_()
    largest = weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True)
    smooth = F.conv2d((pixels * 255).round() - 128, weight / largest * 127, padding=1) * 2**-14
    (smooth * upstream).sum().backward()
    torch.testing.assert_close(stem.weight.grad, weight.grad)


def test_a_filter_of_zeros_gives_zeros():
    stem = Int8Stem(1, 1)
    stem.weight.data.zero_()
    assert (stem(torch.rand(1, 1, 4, 4)) == 0).all()
