"""What deep hashers without labels share: codes that keep what is known of the samples' likeness from elsewhere."""

from dataclasses import replace

import torch

from skhash.deep import DeepHasher


class UnsupervisedHasher(DeepHasher):
    """Base class of deep hashers that learn from the samples alone.

    What likeness a code shall keep is that of *reference features*: those that a backbone of the user's gives, which
    stays frozen unless `backbone_lr_ratio` says otherwise; or else the samples themselves, standardised, of images all
    pixels. (A new backbone of the library's own knows nothing yet that could be kept.)

    A subclass supplies `_make_criterion`, the loss of continuous codes and reference features. Labels do not take part
    in training unless a subclass says so.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    _needs_labels = False

    # Whether labels take part after all if there are any.
    _learns_labels = False

    def _loss(self, network, batch):
        z, reference = self._codes_and_reference(network, batch.view(), batch.generator)
        return network.criterion(z, reference, **batch.extra_arguments(network.criterion))

    def _codes_and_reference(self, network, inputs, generator=None):
        """Compute continuous codes and reference features of inputs, the latter without gradient."""
        features = network.features(inputs, generator)
        return network.hash(features, generator), self._reference(network, inputs, features)

    def _reference(self, network, inputs, features):
        """Give the reference features of inputs, for which the backbone gave `features`."""
        if self._has_own_backbone():
            with torch.no_grad():
                return network.preprocess(inputs).flatten(1)
        return features.detach()

    def _choose_recipe(self, samples):
        recipe = super()._choose_recipe(samples)
        if self.backbone_lr_ratio is None:
            recipe = replace(recipe, backbone_lr_ratio=float(self._has_own_backbone()))
        return recipe
