"""TBH: an autoencoder whose binary bottleneck determines how samples of a batch share their continuous bottleneck.

Shen, Qin, Chen, Yu, Liu, Zhu, Shen, Shao, "Auto-encoding twin-bottleneck hashing", CVPR 2020.
"""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

import torch
from torch import nn

from skhash.losses import TBHLoss
from skhash.methods._unsupervised import UnsupervisedHasher
from skhash.nn import HiddenHead, build, dropout
from skhash.training import Recipe, adapt_to_features
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import Tensor

    from skhash.deep import TrainingContext
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork
    from skhash.training import Batch, TrainingParameters
    from skhash.utils import Labels

# Of training on features. After 20 batches of 50 samples, codes said nothing.
_FEWEST_BATCHES = 1000
_MOST_EPOCHS = 200


class _Head(HiddenHead):
    """Head whose initial weights keep the scale of the signal, as those of `TBHLoss` do, for the same reason."""

    def initialize(self, generator: torch.Generator) -> None:
        for layer in (self.hidden[0], self.linear):
            assert isinstance(layer, nn.Linear)
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)


class TBHHasher(UnsupervisedHasher):
    r"""Twin-bottleneck hashing: features are reconstructed with the help of distances of codes.

    An autoencoder has a binary and a continuous bottleneck. Before decoding, the continuous bottleneck is averaged over
    the batch, with higher weights for neighbors with nearer codes: so codes must be near if features are near. Two
    critics push the bits toward fair coins, and the continuous values toward a uniform distribution.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    hidden_features : int, default=1024
        Width of the hidden layers of the head and of the decoder.
    continuous_features : int, default=512
        Length of the continuous bottleneck.
    random_codes : bool, default=False
        Whether training draws the codes, as in the paper, or takes the most probable codes, as in the authors' code.
    squash : bool, default=False
        Whether the continuous bottleneck goes through a sigmoid, as in the authors' code; in the paper it is linear.
    reconstruction : {"mean", "sum"}, default="mean"
        Whether squared errors are averaged or, as in the authors' code, summed over the batch.
    output : {"identity", "relu"}, default="identity"
        Activation after the decoder. The ReLU of the authors' code is for features that are never negative, unlike
        standardized features.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    CIBHasher : Learns from views of a sample.
    skhash.losses.TBHLoss : The loss, with the layers that only training needs.

    Notes
    -----
    With reference features x, a hidden layer h, continuous codes v and bits b of it, :math:`c = W_c h`, and the Hamming
    distances D of the codes in a batch,

    .. math::

        L = \tfrac{1}{2} \operatorname{mean}_i \lVert x_i - \operatorname{dec}(\sigma(
        G^{-1/2} A G^{-1/2} \, W_g c))_i \rVert^2 - L_b - L_c,
        \qquad A_{ij} = (1 - D_{ij} / K)^{1.4}, \quad G_{ii} = \sum_j A_{ij}

    where :math:`L_b` and :math:`L_c` are the cross-entropies of the critics, which minimize them at the same time. A
    single Adam does both by a reversed gradient (`skhash.nn.reverse_gradient`); as Adam keeps a separate state for each
    parameter, its steps are those of the two optimizers in the paper. The loss in `history_` is that of the autoencoder
    plus that of the critics.

    In a larger batch, a smaller part of each sample is left in the average: small batches make training much shorter.
    Only training needs the batch; `transform` computes v of each sample.

    ``recipe="paper"`` has the authors' optimizer, learning rate and batch size. They train for 100,000 batches; the
    recipe has 100 epochs. The other settings of their code are ``squash=True, reconstruction="sum", output="relu"``.

    On features, the library's recipe has 5 epochs, or up to 200 until there are 1,000 batches, if `max_epochs` is None.

    References
    ----------
    .. [1] Y. Shen et al. "Auto-encoding twin-bottleneck hashing". CVPR 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, TBHHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = TBHHasher(bits=32, max_epochs=12, random_state=0).fit(X[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.6
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **UnsupervisedHasher._parameter_constraints,
        "hidden_features": [Interval(Integral, 1, None, closed="left")],
        "continuous_features": [Interval(Integral, 1, None, closed="left")],
        "random_codes": ["boolean"],
        "squash": ["boolean"],
        "reconstruction": [StrOptions({"mean", "sum"})],
        "output": [StrOptions({"identity", "relu"})],
    }

    _recipes = {
        # With a higher learning rate, training against the critics oscillates until all codes are equal.
        "skhash": (
            adapt_to_features(max_epochs=5, batch_size=16, learning_rate=3e-4, dropout=0.0)[0],
            Recipe(max_epochs=30, batch_size=16, learning_rate=1e-4),
        ),
        "paper": Recipe(
            batch_size=400, learning_rate=1e-4, backbone_lr_ratio=0.0, schedule="constant", weight_decay=0.0
        ),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        hidden_features: int = 1024,
        continuous_features: int = 512,
        random_codes: bool = False,
        squash: bool = False,
        reconstruction: Literal["mean", "sum"] = "mean",
        output: Literal["identity", "relu"] = "identity",
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.hidden_features = hidden_features
        self.continuous_features = continuous_features
        self.random_codes = random_codes
        self.squash = squash
        self.reconstruction = reconstruction
        self.output = output

    def _make_head(self, in_features: int) -> nn.Module:
        return _Head(in_features, self.bits, hidden_features=self.hidden_features)

    def _choose_recipe(self, samples: Samples, labels: Labels | None) -> Recipe:
        recipe = super()._choose_recipe(samples, labels)
        if samples.kind != "images" and self.recipe == "skhash" and self.max_epochs is None:
            enough = math.ceil(_FEWEST_BATCHES * recipe.batch_size / len(samples))
            recipe = replace(recipe, max_epochs=max(recipe.max_epochs, min(enough, _MOST_EPOCHS)))
        return recipe

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return nn.Identity()  # replaced in `_prepare`: the loss must know the length of the features

    def _prepare(self, network: HashNetwork, context: TrainingContext) -> None:
        linear = cast("_Head", network.head).hidden[0]
        assert isinstance(linear, nn.Linear)
        own = self._uses_library_backbone()
        criterion = build(
            TBHLoss,
            self.bits,
            self.hidden_features,
            math.prod(context.sample_shape) if own else linear.in_features,
            self.continuous_features,
            random=self.random_codes,
            squash=self.squash,
            reconstruction=self.reconstruction,
            output=self.output,
            generator=context.generator,
        )
        network.criterion = criterion.to(linear.weight.device)

    def _loss(self, network: HashNetwork, batch: Batch) -> Tensor:
        inputs, generator = batch.view(), batch.generator
        features = network.features(inputs, generator)
        head = cast("_Head", network.head)
        hidden = head.hidden(dropout(features, network.dropout, generator))
        reference = self._reference(network, inputs, features)
        more = batch.extra_arguments(network.criterion)
        return network.criterion(head.linear(hidden), reference, hidden=hidden, **more)
