"""The base class of deep hashers without labels, whose codes keep similarities that features already have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch

from skhash.deep import DeepHasher

if TYPE_CHECKING:
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork
    from skhash.training import Batch, Recipe
    from skhash.utils import Labels


class UnsupervisedHasher(DeepHasher):
    """Base class of deep hashers that learn from the samples alone.

    Codes keep the similarities of *reference features*. These are the features of a backbone of the user's, which is
    frozen unless `backbone_lr_ratio` says otherwise; with any other backbone they are the samples themselves,
    standardized (all pixels of an image), because a new backbone has no meaningful features yet.

    A subclass supplies `_make_criterion`, the loss of continuous codes and reference features. Labels do not take part
    in training, except in a subclass that sets `_learns_labels`.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    _needs_labels: ClassVar[bool] = False

    def _loss(self, network: HashNetwork, batch: Batch) -> torch.Tensor:
        z, reference = self._codes_and_reference(network, batch.view(), batch.generator)
        return network.criterion(z, reference, **batch.extra_arguments(network.criterion))

    def _codes_and_reference(
        self, network: HashNetwork, inputs: torch.Tensor, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute continuous codes and reference features of inputs, the latter without gradient."""
        features = network.features(inputs, generator)
        return network.hash(features, generator), self._reference(network, inputs, features)

    def _reference(self, network: HashNetwork, inputs: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return the reference features of inputs with the backbone's `features`."""
        if self._uses_library_backbone():
            if getattr(network.preprocess, "common_scale", False):  # features that are not standardized
                return inputs
            with torch.no_grad():
                return network.preprocess(inputs).flatten(1)
        return features.detach()

    def _choose_recipe(self, samples: Samples, labels: Labels | None) -> Recipe:
        recipe = super()._choose_recipe(samples, labels)
        if self.backbone_lr_ratio is None:
            recipe = replace(recipe, backbone_lr_ratio=float(self._uses_library_backbone()))
        return recipe
