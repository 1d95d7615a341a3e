"""The base class of deep hashers without labels that have a recipe for instances: the same thing must come first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from skhash.methods._itq import ITQHasher
from skhash.methods._unsupervised import UnsupervisedHasher
from skhash.nn import HashHead
from skhash.training import FeatureViews, adapt_to_features, resolve_views

if TYPE_CHECKING:
    from skhash.deep import TrainingContext
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork

# Chosen by a measure without labels, see the user guide: a changed copy of a held-out picture must find the picture.
INSTANCE_RECIPE = adapt_to_features(max_epochs=20, batch_size=512, learning_rate=1e-4, standardize=False, dropout=0.0)
_START_ROWS = 20_000  # as `max_samples` of `ITQHasher`
_START_VALUES = 2**27  # of all rows: 1 GiB
_BLOCK_ROWS = 256


class InstanceRecipe(UnsupervisedHasher):
    """Base class of the methods that have ``recipe="instance"``.

    The recipe changes where training starts, what it sees and how long it lasts, not the loss. A subclass names the
    parameters whose None means another value in it (`_values`), and builds a linear head in it.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    # Values of the parameters that are None: of all other recipes, and of the recipe "instance".
    _values: ClassVar[Mapping[str, tuple[Any, Any]]] = {}

    # What "auto" stands for in it, of features.
    _instance_views: ClassVar[FeatureViews] = FeatureViews(dropout=0.2, noise=0.2)

    def _is_instance(self) -> bool:
        return isinstance(self.recipe, str) and self.recipe == "instance"

    def _value(self, name: str) -> Any:
        """Return a parameter, or the value of the recipe if it is None."""
        given = getattr(self, name)
        return self._values[name][self._is_instance()] if given is None else given

    @property
    def _centers_features(self) -> bool:
        return self._is_instance()

    def _network_parameters(self) -> dict[str, Any]:
        # The recipe decides on head and loss, so that a network cannot go on with another one.
        return {**super()._network_parameters(), 'recipe="instance"': self._is_instance()}

    def _choose_views(self, samples: Samples) -> tuple[Any, Any]:
        automatic = isinstance(self.views, str) and self.views == "auto" and len(samples.sample_shape) == 1
        if self._is_instance() and automatic:
            return resolve_views(self._instance_views, tuple(samples.sample_shape), wanted=True)
        return super()._choose_views(samples)

    def _reference(self, network: HashNetwork, inputs: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        if not self._is_instance():
            return super()._reference(network, inputs, features)
        if self._uses_library_backbone():
            with torch.no_grad():
                return network.preprocess(inputs).flatten(1)
        features = features.detach()
        return features - features.mean(dim=0)

    def _prepare(self, network: HashNetwork, context: TrainingContext) -> None:
        super()._prepare(network, context)
        # Features of a new network mean nothing yet.
        meaningful = isinstance(network.backbone, nn.Identity) or not self._uses_library_backbone()
        if self._is_instance() and meaningful:
            start_from_itq(network, context)


def start_from_itq(network: HashNetwork, context: TrainingContext) -> None:
    """Set the weights of a linear head to those of ITQ of the centered directions of the features.

    Parameters
    ----------
    network : HashNetwork
        New network. A head that is not linear stays as it is.
    context : TrainingContext
        Its training.
    """
    head = next((part for part in network.head.modules() if isinstance(part, HashHead)), None)
    if head is None:
        return
    device = next(network.parameters()).device
    n_rows = max(min(_START_ROWS, _START_VALUES // head.linear.in_features), 2)
    rows = torch.randperm(len(context.samples), generator=context.generator)[:n_rows]
    network.eval()
    with torch.no_grad():
        blocks = (context.samples.batch(some, network.input_dtype) for some in rows.split(_BLOCK_ROWS))
        features = torch.cat([network.features(block.to(device)).cpu() for block in blocks]).double()
    mean = features.mean(dim=0)
    features -= mean
    # Only the direction of a sample counts for its code, so that no sample should count more than another.
    lengths = features.norm(dim=1, keepdim=True)
    features /= lengths.clamp(min=1e-12)
    itq = ITQHasher(head.linear.out_features, random_state=int(context.random_state.randint(2**31 - 1)))
    components = torch.from_numpy(itq.fit(features.numpy()).components_)
    spread = (features @ components.T * lengths).square().mean().sqrt().item()
    # Values of a continuous code are about 1: where a sigmoid bends, and where batch normalization keeps them.
    components = components / (spread if spread > 0 else 1.0)
    with torch.no_grad():
        head.linear.weight.copy_(components)
        if head.linear.bias is not None:
            head.linear.bias.copy_(-(components @ mean))
        if isinstance(head.balance, nn.BatchNorm1d) and head.balance.running_mean is not None:
            head.balance.running_mean.copy_(components @ mean)
