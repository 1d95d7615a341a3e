"""What a trainer does to binary networks between its steps."""

import torch

from skhash.nn.binary._layers import BinaryConv2d, BinaryLinear


@torch.no_grad()
def clip_latent_weights_(module):
    """Bring latent weights back to [-1, 1] where they have no gradient outside; call it after each update.

    Parameters
    ----------
    module : nn.Module
        Whose binary layers to change, in place. Rules that standardise their weights are left alone.

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
        if isinstance(layer, (BinaryConv2d, BinaryLinear)) and layer.rule.clips_latent:
            layer.weight.clamp_(-1, 1)
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
