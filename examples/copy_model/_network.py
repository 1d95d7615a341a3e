"""The network in floats, for training, and its export to the integers of `skhash.perceptual`."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

SIDE, TOP, LEVELS = 40, 3.0, 127  # pixels, the largest activation, steps of activations
LARGEST_SUM = 2**24  # integers up to this one are exact in single precision
CONVOLUTIONS = "conv1", "conv2", "conv3", "conv4", "conv5"


class CopyNetwork(nn.Module):
    """Five convolutions with bounded activations, which keep places, a hidden layer, and one output per bit.

    A sticker or text changes a bounded activation by no more than anything else does.
    """

    def __init__(self, bits=24, hidden=384):
        super().__init__()
        self.conv1 = convolution(2, 32, 5, 2)
        self.conv2 = convolution(32, 64, 3, 2)
        self.conv3 = convolution(64, 64)
        self.conv4 = convolution(64, 96, 3, 2)
        self.conv5 = convolution(96, 96)
        self.hidden = nn.Sequential(nn.Linear(96 * 25, hidden, bias=False), nn.BatchNorm1d(hidden))
        self.output = nn.Linear(hidden, bits, bias=False)
        self.norm = nn.BatchNorm1d(bits, affine=False)

    def forward(self, maps):
        x = activate(self.conv2(activate(self.conv1(maps))))
        x = activate(x + self.conv3(x))
        x = activate(self.conv4(x))
        x = activate(x + self.conv5(x))
        return self.norm(self.output(activate(self.hidden(x.flatten(1)))))


def convolution(in_channels, out_channels, kernel=3, stride=1):
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels))


def activate(x):
    return x.clamp(0, TOP)


def prepare(images):
    """Turn gray values from 0 to 1 into maps: relative to the picture's, and details relative to those around."""
    x = F.interpolate(images, (SIDE, SIDE), mode="area") if images.shape[2] != SIDE else images
    x = x - x.mean((2, 3), keepdim=True)
    x = x / x.abs().mean((2, 3), keepdim=True).clamp(min=0.01)
    details = x - around(x)
    details = details / (around(details.abs()) + 0.15)
    return torch.cat([x.clamp(-TOP, TOP), details.clamp(-TOP, TOP)], 1).contiguous(memory_format=torch.channels_last)


def around(x):
    x = F.avg_pool2d(x, (9, 1), 1, (4, 0), count_include_pad=False)
    return F.avg_pool2d(x, (1, 9), 1, (0, 4), count_include_pad=False)


def make_filters(n_cells=10):
    """Return Lanczos filters (cells, 40) that reduce the pictures, rounded to integers with the same sum."""
    width = SIDE / n_cells
    away = (torch.arange(SIDE) + 0.5 - (torch.arange(n_cells)[:, None] + 0.5) * width) / width
    filters = torch.where(away.abs() < 3, torch.sinc(away) * torch.sinc(away / 3), 0.0)
    filters = (filters / filters.sum(1, keepdim=True) * 1024).round()
    filters[torch.arange(n_cells), filters.argmax(1)] += 1024 - filters.sum(1)
    half = filters[: n_cells // 2]
    return torch.cat([half, half.flip(0, 1)])


@torch.no_grad()
def export(network, medians):
    """Return the weights as integers of 8 bits with their factors and offsets.

    Parameters
    ----------
    network : CopyNetwork
        The trained network.
    medians : ndarray of shape (bits,)
        Medians of the sums of the outputs for a picture and its mirror image: thresholds of the bits.
    """
    weights, step = {"filters": make_filters().numpy().astype(np.int16)}, TOP / LEVELS
    for name in (*CONVOLUTIONS, "hidden"):
        layer, norm = getattr(network, name)
        matrix = layer.weight.double().numpy()
        if name == "hidden":  # channels of a place are neighbors in the runtime
            matrix = matrix.reshape(len(matrix), -1, 5, 5)
        integers, scale = to_integers(matrix.transpose(0, 2, 3, 1).reshape(len(matrix), -1), LEVELS)
        mean, variance, factor, offset = (
            values.double().numpy() for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        factor = factor / np.sqrt(variance + norm.eps)
        weights[name] = integers.T.copy()
        weights[f"{name}_factor"] = (scale * factor).astype(np.float32)
        weights[f"{name}_offset"] = ((offset - mean * factor) / step).astype(np.float32)
    integers, scale = to_integers(network.output.weight.double().numpy(), 2 * LEVELS)  # both mirror images in one sum
    mean, deviation = network.norm.running_mean.double().numpy(), (network.norm.running_var + network.norm.eps).sqrt()
    threshold = 2 * mean + medians * deviation.double().numpy()
    weights["output"] = integers.T.copy()
    weights["output_bias"] = np.rint(-threshold / (scale * step)).astype(np.int32)
    return weights


def to_integers(matrix, largest_input):
    """Round the rows of a matrix to 8 bits, or fewer where a sum of products could not be exact otherwise."""
    size, total = np.abs(matrix).max(axis=1), np.abs(matrix).sum(axis=1)
    scale = np.maximum(size / 127, 1.03 * total * largest_input / LARGEST_SUM)
    integers = np.rint(matrix / scale[:, None]).astype(np.int8)
    if (np.abs(integers.astype(int)).sum(axis=1) * largest_input).max() >= LARGEST_SUM:
        raise ValueError("A sum of products may not be exact in single precision.")
    return integers, scale
