"""What a trainer does to binary networks between its steps."""

import torch

from skhash.nn.binary._layers import BinaryConv2d, BinaryLinear


@torch.no_grad()
def clip_latent_weights_(module):
    """Bring latent weights back to [-1, 1] where they have no gradient outside; call it after each update.

    Parameters
    ----------
    module : nn.Module
        Whose binary layers to change, in place. Rules with a gradient everywhere are left alone, and layers that train
        with real weights, see `binarize_weights_`.

    Returns
    -------
    module : nn.Module
        The same object.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import BinaryLinear, clip_latent_weights_
    >>> layer = BinaryLinear(2, 1, weight_rule="bnn")
    >>> layer.weight.data = torch.tensor([[0.5, -3.0]])
    >>> clip_latent_weights_(layer).weight.tolist()
    [[0.5, -1.0]]
    """
    for layer in module.modules():
        if isinstance(layer, (BinaryConv2d, BinaryLinear)) and layer.binarize_weights and layer.rule.clips_latent:
            layer.weight.clamp_(-1, 1)
    return module


def binarize_weights_(module, binary=True):
    """Choose whether binary layers train with binary weights, or with their latent ones while inputs are binary.

    ReActNet was trained so in two steps, real weights first. In evaluation weights are binary, whatever is chosen.

    Parameters
    ----------
    module : nn.Module
        Whose binary layers to tell, in place.
    binary : bool, default=True
        Whether weights are binary.

    Returns
    -------
    module : nn.Module
        The same object.

    References
    ----------
    Liu et al., "ReActNet", ECCV 2020, section 5.1.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import BinaryLinear, binarize_weights_
    >>> layer = BinaryLinear(2, 1, weight_rule="bnn")
    >>> layer.weight.data = torch.tensor([[0.5, -0.25]])
    >>> x = torch.tensor([[1.0, 1.0]])
    >>> binarize_weights_(layer, False)(x).item(), layer.eval()(x).item()
    (0.25, 0.0)
    """
    for layer in module.modules():
        if isinstance(layer, (BinaryConv2d, BinaryLinear)):
            layer.binarize_weights = binary
    return module


def set_progress_(module, fraction):
    """Tell quantisers and weight rules that change during the training how much of it is over.

    Parameters
    ----------
    module : nn.Module
        Whose parts to tell, in place: those with a method `set_progress(fraction)`.
    fraction : float
        From 0, the beginning, to 1, the end.

    Returns
    -------
    module : nn.Module
        The same object.

    Raises
    ------
    ValueError
        If `fraction` is outside.

    Examples
    --------
    >>> from skhash.nn.binary import Sign, set_progress_
    >>> round(set_progress_(Sign("ede"), 0.5).t, 6)
    1.0
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be in [0, 1], got {fraction}.")
    for part in module.modules():
        if hasattr(part, "set_progress"):
            part.set_progress(fraction)
    return module
