"""The head of pair methods for images that a new network learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from skhash.deep import DeepHasher

if TYPE_CHECKING:
    from skhash.deep import TrainingContext
    from skhash.nn import HashNetwork


class PairHasher(DeepHasher):
    """Base class of hashers by the plain likelihood of pairs, with batch normalization where they collapse without.

    The features of a new network of images are positive and alike, so all codes are. Most pairs are dissimilar: the
    likelihood first drives what is common to all codes to zero, and with a linear layer all else with it. Two or three
    different codes are left, and nothing leads away from there. Features that were standardized have nothing in common.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    def _prepare(self, network: HashNetwork, context: TrainingContext) -> None:
        if self.recipe == "skhash" and context.samples.kind == "images" and self._uses_library_backbone():
            weights = next(network.head.parameters())
            network.head.balance = nn.BatchNorm1d(self.bits, device=weights.device, dtype=weights.dtype)
