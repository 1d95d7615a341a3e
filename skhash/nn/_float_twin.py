"""The float twin of a binary network, against which it is timed: the same layers in single precision, merged."""

from __future__ import annotations

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from skhash.nn.binary import BinaryConv2d, BinaryLinear, Int8Stem, RPReLU, RSign, Sign


def float_twin(module: nn.Module) -> nn.Module:
    """Return a network in single precision with the same layers as a binary one.

    Convolutions and linear layers of the same shapes, with new random weights, replace the binary ones. A ReLU replaces
    each sign, and the identity replaces the activations after the blocks, which would cost time.

    Parameters
    ----------
    module : nn.Module
        The binary network.

    Returns
    -------
    twin : nn.Module
        Copy in evaluation mode.

    Examples
    --------
    >>> from skhash.nn import float_twin
    >>> from skhash.nn.binary import BinaryConv2d, Sign
    >>> float_twin(Sign()), float_twin(BinaryConv2d(4, 8, 3))
    (ReLU(), Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1), bias=False))
    """
    return _twin(copy.deepcopy(module)).eval()


def _twin(module: nn.Module) -> nn.Module:
    if isinstance(module, (BinaryConv2d, Int8Stem)):
        geometry = (module.kernel_size, module.stride, module.padding)
        return nn.Conv2d(module.in_channels, module.out_channels, *geometry, bias=False)
    if isinstance(module, BinaryLinear):
        return nn.Linear(module.in_features, module.out_features, bias=False)
    if isinstance(module, (Sign, RSign)):
        return nn.ReLU()
    if isinstance(module, (RPReLU, nn.Hardtanh)):
        return nn.Identity()
    for name, child in module.named_children():
        setattr(module, name, _twin(child))
    return module


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Merge each batch normalization into the convolution or linear layer before it, so that it costs no time.

    Parameters
    ----------
    module : nn.Module
        The network. Two layers are merged if they follow each other in an `nn.Sequential`, or if they are named `conv1`
        and `bn1` and so on, as in `ResNet`.

    Returns
    -------
    folded : nn.Module
        Copy in evaluation mode without gradients.

    Examples
    --------
    >>> from torch import nn
    >>> from skhash.nn import fold_batch_norm
    >>> fold_batch_norm(nn.Sequential(nn.Linear(4, 2, bias=False), nn.BatchNorm1d(2)))
    Sequential(
      (0): Linear(in_features=4, out_features=2, bias=True)
      (1): Identity()
    )
    """
    folded = copy.deepcopy(module).eval().requires_grad_(False)
    for parent in list(folded.modules()):
        children = [(name, child) for name, child in parent.named_children() if not isinstance(child, nn.Identity)]
        for (name, layer), (norm_name, norm) in pairwise(children):
            # Elsewhere the order of the submodules need not be the order in which `forward` calls them.
            if not isinstance(parent, nn.Sequential) and name.replace("conv", "bn") != norm_name:
                continue
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(layer, norm))
            elif isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
                setattr(parent, name, fuse_linear_bn_eval(layer, norm))
            else:
                continue
            setattr(parent, norm_name, nn.Identity())
    return folded.requires_grad_(False)
