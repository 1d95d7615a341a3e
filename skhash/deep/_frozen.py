"""Training behind a frozen backbone: its features are computed once, not in every epoch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from skhash.inputs import Samples
from skhash.nn import HashNetwork, encode

if TYPE_CHECKING:
    from skhash.deep._context import TrainingContext

__all__ = ["behind_backbone"]


def behind_backbone(network: HashNetwork, context: TrainingContext) -> tuple[HashNetwork, TrainingContext]:
    """Return what is to be trained, with its samples: behind a frozen backbone, head and loss with its features.

    Parameters
    ----------
    network : HashNetwork
        The whole network.
    context : TrainingContext
        Its training.

    Returns
    -------
    network : HashNetwork
        The same, or one of the same head and criterion that takes features.
    context : TrainingContext
        The same, or with features as samples.
    """
    frozen = context.recipe.backbone_lr_ratio == 0 and any(True for _ in network.backbone.parameters())
    # A random view of an image has other features in each epoch.
    if not frozen or context.views != (None, None):
        return network, context
    blocks = list(encode(nn.Sequential(network.preprocess, network.backbone), context.samples))
    features = Samples(np.concatenate(blocks).astype(np.float32, copy=False))
    return HashNetwork(nn.Identity(), network.head, network.criterion), replace(context, samples=features)
