"""The loss behind the parameter `similarity_weight`: codes keep the neighborhoods of features."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skhash.losses import neighborhood_loss

if TYPE_CHECKING:
    from torch import Tensor

    from skhash.deep._context import TrainingContext
    from skhash.deep._hasher import DeepHasher
    from skhash.nn import HashNetwork
    from skhash.training import Batch

__all__ = ["choose_loss"]


def choose_loss(hasher: DeepHasher, context: TrainingContext) -> Callable[[HashNetwork, Batch], Tensor]:
    """Return the hasher's loss, with `neighborhood_loss` added if its parameter `similarity_weight` is positive.

    Parameters
    ----------
    hasher : DeepHasher
        The hasher.
    context : TrainingContext
        What the loop trains on: behind a frozen backbone, the features.

    Returns
    -------
    loss : callable
        `loss(network, batch)` returns a scalar.

    Raises
    ------
    ValueError
        If there are no features to keep the neighborhoods of.
    """
    weight = hasher.similarity_weight
    if weight == 0:
        return hasher._loss
    if len(context.sample_shape) != 1:
        raise ValueError(
            f"similarity_weight={weight!r} keeps cosines of features, but {type(hasher).__name__} trains on images of "
            f"shape {context.sample_shape}: pass features, such as those of FeatureExtractor, or use fit with a "
            "trained backbone, backbone_lr_ratio=0 and views=None."
        )

    def loss(network: HashNetwork, batch: Batch) -> Tensor:
        # A pass of its own, because a method's loss may take random views, or more than one.
        z = network(batch.inputs, batch.generator)
        return hasher._loss(network, batch) + weight * neighborhood_loss(z, batch.inputs)

    return loss
