"""What the methods share that learn a classifier of codes and forget it afterwards."""

import torch

from skhash.nn import build


def make_classifying(loss, bits, labels, random_state, **options):
    """Make a criterion with a classifier, whose weights `random_state` draws.

    Parameters
    ----------
    loss : type
        A criterion `loss(bits, n_classes, **options)`.
    bits : int
        Code length.
    labels : Labels
        Of the training data.
    random_state : RandomState instance
        Seeds the weights.
    **options
        Keyword arguments of `loss`.

    Returns
    -------
    criterion : nn.Module
        On the CPU.
    """
    generator = torch.Generator().manual_seed(int(random_state.randint(2**31 - 1)))
    return build(loss, bits, len(labels.classes), generator=generator, **options)
