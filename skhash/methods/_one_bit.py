"""ODH: a binary network, hash centers that adapt to it, and a second stage that pulls codes together.

He, Huang, Liu, Li, Wu, Liu, Chen, "One-bit deep hashing: towards resource-efficient hashing model with binary neural
network", ACM MM 2024.
"""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

import torch

from skhash.centers import CENTER_METHODS, make_hash_centers
from skhash.losses import CENTER_SAMPLING, ClassEmbeddings, OneBitLoss, SemanticCenters
from skhash.methods._centers import CenterHasher, warn_of_equal_centers
from skhash.methods._code_diagnostics import CodeDiagnostics
from skhash.methods._one_bit_defaults import binary_backbone, default_value, image_views
from skhash.methods._warm_up import MAX_GRAD_NORM, train_classifier
from skhash.nn import HashHead, efficiency_report
from skhash.nn.binary import binarize_weights_
from skhash.training import (
    GroupedBatches,
    Ranks,
    Recipe,
    ShuffledBatches,
    resolve_device,
    resolve_views,
)
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.inputs import Samples
    from skhash.nn import EfficiencyReport, HashNetwork
    from skhash.training import Batch, TrainingLoop, TrainingParameters


class OneBitDeepHasher(CenterHasher):
    r"""One-bit deep hashing: the network that computes the codes has weights and activations of one bit.

    A binary network cannot bring every sample to a fixed center. Here a small network with real weights first learns to
    classify. Hash centers are computed from its class embeddings, and change while the binary network is trained:
    similar classes get similar centers, and centers move to where codes can follow. A second stage pulls the codes of
    each class together. Codes need only the binary network (`to_packed`); the hasher keeps classifier and centers for
    `predict` and for further training.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    centers : str or array-like of shape (n_classes, bits), default=None
        Initial centers: codes far from each other, by a method of `skhash.centers.make_hash_centers`; the centers
        themselves, entries -1 or +1, in the order of `classes_`; or "embeddings", the outputs of an untrained network
        for the class embeddings, as in the paper. None is "auto", and "embeddings" in the recipe "paper".
    adapt_centers : bool, default=True
        Whether centers change in training. If not, they stay as they are initially, as in CSQ and OrthoHash.
    center_sampling : {"threshold", "bernoulli"}, default="threshold"
        How bits of centers are computed from probabilities, see `skhash.losses.SemanticCenters`.
    center_lr_ratio : float, default=None
        Learning rate of the centers' network divided by that of the head. None is 0.3, and 1 in the recipe "paper".
    temperature : float, default=0.2
        The :math:`\tau` of the hash-center loss.
    similarity : {"cosine", "inner"}, default="cosine"
        The :math:`\varphi` of the hash-center loss, see `skhash.losses.hash_center_loss`.
    multilabel : {"normalized", "raw"}, default="normalized"
        Weight of several labels of a sample in the hash-center loss, see `skhash.losses.hash_center_loss`.
    classifier_weight : float, default=None
        Weight of the classifier's own loss, :math:`\lambda_1`. None is 1e-4, and 0 in the recipe "fast".
    aggregation_weight : float, default=None
        Weight of the aggregation loss, :math:`\lambda_2`; 0 means no second stage. None is 0.03, and 1e-3 in the
        recipe "paper".
    group_size : int or "class", default=None
        Number of images of one class in a group of the second stage, at most half of the batch size. The stage uses two
        views of each, and every epoch has `group_size` times as many images. "class": all images of a class in an
        ordinary batch are a group, with one view each. None is "class", and 2 in the recipe "paper".
    transition : float, default=1/7
        Share of the epochs after which the second stage begins; unless it is 0, not before the second epoch.
        `partial_fit` counts its calls as epochs of `fit`.
    warm_up : "auto", str, nn.Module, callable or None, default="auto"
        Backbone of the classifier, with real weights: "auto" is "small_cnn" for images and "mlp" for features; None
        classifies the features themselves, with the class means as initial embeddings. A pretrained backbone is trained
        further. Other values as in the parameter `backbone`.
    warm_up_epochs : int, default=None
        Epochs of the warm-up. None is 30, 4 in the recipe "fast" and 100 in "paper", but at most ``max_epochs``.
    distillation_weight : float, default=None
        Share of the labels in the hash-center loss, from 0 to 1, that the classifier's probabilities replace in the
        first `fit` or call of `partial_fit`. None is 1, and 0 in the recipes "fast" and "paper". Continued training
        uses labels, because its samples and classes may be new to the classifier.
    two_step : float, default=0.0
        Share of the epochs of each `fit`, in [0, 1), in which the binary network first trains with real weights and
        binary activations, as ReActNet was trained.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    centers_, min_distance_, class_centers_, orthogonality_ : object
        The hash centers and where the codes of the classes are, see `CenterHasher`.
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    OrthoHasher : Has fixed centers; also takes binary backbones.
    skhash.metrics.TrainingHistoryDisplay : Plots how codes and centers approach each other.
    skhash.losses.SemanticCenters : The centers alone.

    Notes
    -----
    With continuous codes v, :math:`h = \tanh v`, centers c and labels y,

    .. math::

        L = -\frac{1}{N} \sum_i \log \frac{\exp(\varphi(h_i, c_{y_i}) / \tau)}{\sum_l \exp(\varphi(h_i, c_l) / \tau)}
        + \lambda_1 L_{cls} + [\text{stage 2}] \; \lambda_2 L_{asd}, \qquad
        c_l = \operatorname{sgn}\big(\sigma(\operatorname{MLP}(W_l)) - \tfrac12\big)

    with the class embeddings W of the classifier; for the aggregation loss see `skhash.losses.aggregation_loss`.

    After each epoch of `fit`, a row of `history_` has the "stage", 1 or 2, and mean Hamming distances for a part of the
    training samples: "center_distance" of codes to the centers of their classes, "class_distance" of codes of one class
    to each other, and "center_movement" of centers to those of the previous epoch.

    ``recipe="fast"``, for images, was chosen on Fashion-MNIST: 25 epochs of larger batches, smaller shifts, 4 epochs of
    warm-up, and neither distillation nor the classifier's own loss, so that the classifier does not run in training.
    mAP there: .826 in 97 s, against .820 in 238 s with distillation and 20 epochs of warm-up (64 bits, three seeds).

    ``recipe="paper"`` follows the authors' code, with 700 epochs after 100 epochs of warm-up, but with the networks
    here; their classifier is a pretrained ResNet-50, which `warm_up` takes. Centers of an untrained network are nearly
    equal at first, which costs most of the few epochs of the default. So the default starts with centers far apart (the
    last layer of their network is solved for), and the classifier's probabilities replace labels.
    Contribution of each part in points of mAP, in 25 epochs on Fashion-MNIST and 10 on CIFAR-10 (64 bits, three seeds,
    ``examples/benchmarks/bench_one_bit.py``): adapted centers 1.9 +- 0.3 and -0.3 +- 0.5, distillation -0.2 and
    3.4 +- 0.3, the second stage -0.1 and 0.3 +- 0.3. The second stage makes codes of a class more similar, which hardly
    changes mAP; its weight was chosen on held-out training data, where larger weights did not help, and groups of two
    views gained less than their additional epochs. More epochs gain most: 25 instead of 10 add 10 points on CIFAR-10.
    ``two_step`` does not help in few epochs: on MNIST (six epochs, two seeds), it cost 1 to 2 points.

    ``backbone="auto"`` is "bireal_tiny" for gray images of up to 32 pixels, "bireal_small" for other images of up to
    100 pixels, "bireal18" for larger images, and "binary_mlp" for features. ``views="auto"`` is `FeatureViews` for
    features. For images it is shifts, with flips for color images; in the recipe "paper" it is the authors'
    `ImageViews`. ``max_epochs`` is 30 for images.

    Differences from the authors' code that remain: groups have one class (theirs do not on CIFAR-100), the classifier's
    backbone is in evaluation mode, long gradients of classifier and centers are also scaled down in the first stage,
    the schedule counts the actual steps, and nothing is chosen by test queries.

    References
    ----------
    .. [1] L. He, Z. Huang, C. Liu, R. Li, R. Wu, Q. Liu, E. Chen. "One-bit deep hashing: towards resource-efficient
       hashing model with binary neural network". ACM MM 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, OneBitDeepHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = OneBitDeepHasher(bits=32, max_epochs=10, warm_up_epochs=5, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **CenterHasher._parameter_constraints,
        "centers": [StrOptions({*CENTER_METHODS, "embeddings"}), "array-like", None],
        "adapt_centers": ["boolean"],
        "center_sampling": [StrOptions(set(CENTER_SAMPLING))],
        "center_lr_ratio": [Interval(Real, 0, None, closed="neither"), None],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "similarity": [StrOptions({"cosine", "inner"})],
        "multilabel": [StrOptions({"normalized", "raw"})],
        "classifier_weight": [Interval(Real, 0, None, closed="left"), None],
        "aggregation_weight": [Interval(Real, 0, None, closed="left"), None],
        "group_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"class"}), None],
        "transition": [Interval(Real, 0, 1, closed="both")],
        "warm_up": [StrOptions({"auto", "mlp", "small_cnn"}), callable, None],
        "warm_up_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "distillation_weight": [Interval(Real, 0, 1, closed="both"), None],
        "two_step": [Interval(Real, 0, 1, closed="left")],
    }

    _recipes = {
        "skhash": (
            Recipe(max_epochs="auto", batch_size=64, learning_rate=1e-2, schedule="one_cycle", weight_decay=0.0,
                   standardize=True, dropout="auto"),
            Recipe(max_epochs=30, batch_size=64, learning_rate=1e-2, schedule="one_cycle", weight_decay=0.0),
        ),
        "fast": Recipe(max_epochs=25, learning_rate=1.5e-2, schedule="one_cycle", weight_decay=0.0),
        "paper": Recipe(max_epochs=700, batch_size=64, schedule="one_cycle", weight_decay=1e-5),
    }  # fmt: skip

    def __init__(
        self,
        bits: int = 64,
        *,
        centers: str | ArrayLike | None = None,
        adapt_centers: bool = True,
        center_sampling: Literal["threshold", "bernoulli"] = "threshold",
        center_lr_ratio: float | None = None,
        temperature: float = 0.2,
        similarity: Literal["cosine", "inner"] = "cosine",
        multilabel: Literal["normalized", "raw"] = "normalized",
        classifier_weight: float | None = None,
        aggregation_weight: float | None = None,
        group_size: int | Literal["class"] | None = None,
        transition: float = 1 / 7,
        warm_up: str | nn.Module | Callable[[], nn.Module] | None = "auto",
        warm_up_epochs: int | None = None,
        distillation_weight: float | None = None,
        two_step: float = 0.0,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.centers = centers
        self.adapt_centers = adapt_centers
        self.center_sampling = center_sampling
        self.center_lr_ratio = center_lr_ratio
        self.temperature = temperature
        self.similarity: Literal["cosine", "inner"] = similarity
        self.multilabel: Literal["normalized", "raw"] = multilabel
        self.classifier_weight = classifier_weight
        self.aggregation_weight = aggregation_weight
        self.group_size = group_size
        self.transition = transition
        self.warm_up = warm_up
        self.warm_up_epochs = warm_up_epochs
        self.distillation_weight = distillation_weight
        self.two_step = two_step

    def efficiency_report(self, reference: Any = "auto", **conventions: Any) -> EfficiencyReport:
        """Compare memory and multiplications of the fitted network with those of a network in full precision.

        Parameters
        ----------
        reference : {"auto", "twin"}, other str, nn.Module or hasher, default="auto"
            Network to compare with, such as "resnet50", which is "auto" for images.
        **conventions
            Counting conventions, see `skhash.nn.efficiency_report`, which takes any deep hasher.

        Returns
        -------
        report : skhash.nn.EfficiencyReport
            The report; printing it shows a table.
        """
        return efficiency_report(self, reference, **conventions)

    # Implementation ---------------------------------------------------------------------------------------------------

    def _is_paper(self) -> bool:
        return isinstance(self.recipe, str) and self.recipe == "paper"

    def _value(self, name: str) -> Any:
        """Return a parameter, or the value of the recipe if it is None."""
        given = getattr(self, name)
        return default_value(name, self.recipe) if given is None else given

    def _network_parameters(self) -> dict[str, Any]:
        return {**super()._network_parameters(), "recipe": "paper" if self._is_paper() else "skhash"}

    def _choose_backbone(self, sample_shape: tuple[int, ...]) -> Any:
        automatic = isinstance(self.backbone, str) and self.backbone == "auto"
        return binary_backbone(sample_shape) if automatic else self.backbone

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits, "batch_norm")

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        epochs = self._value("warm_up_epochs")
        if self.warm_up_epochs is None:
            epochs = min(epochs, context.max_epochs)
        how: dict[str, Any] = {"device": resolve_device(self.device), "ranks": Ranks.find(self.device)}
        how |= {"paper": self._is_paper(), "precision": self.precision, "compile": self.compile}
        classifier = train_classifier(self.warm_up, context, epochs=epochs, **how)
        fixed, semantic = _start_centers(self, context, cast("ClassEmbeddings", classifier.head).embeddings)
        return OneBitLoss(
            classifier,
            fixed,
            semantic,
            temperature=self.temperature,
            similarity=self.similarity,
            multilabel=self.multilabel,
            classifier_weight=self._value("classifier_weight"),
            aggregation_weight=self._value("aggregation_weight"),
            group_size=self._value("group_size"),
            distillation_weight=self._value("distillation_weight"),
            lr_ratio=self._value("center_lr_ratio"),
        )

    def _draw_centers(self, n_classes: int, random_state: np.random.RandomState) -> NDArray[np.int8]:
        return make_hash_centers(n_classes, self.bits, method=self._value("centers"), random_state=random_state)

    def _plan_transition(self, context: TrainingContext) -> int:
        """Return the number of epochs before the second stage."""
        epochs = context.max_epochs
        if not self._value("aggregation_weight"):
            return epochs
        return max(round(self.transition * epochs), int(self.transition > 0))

    def _make_batches(self, context: TrainingContext) -> ShuffledBatches:
        batch_size = context.recipe.batch_size
        group_size = self._value("group_size")
        if group_size == "class" or not self._value("aggregation_weight"):
            return ShuffledBatches(batch_size)
        return GroupedBatches(batch_size, group_size, start=self._plan_transition(context))

    def _make_loop(self, network: HashNetwork, context: TrainingContext) -> TrainingLoop:
        loop = super()._make_loop(network, context)
        loop.loss = partial(
            _staged_loss,
            binarization=int(self.two_step * context.max_epochs),  # less than `max_epochs`
            transition=self._plan_transition(context),
            aggregates=self._value("aggregation_weight") > 0,
            grouped=self._value("group_size") != "class",
        )
        if self._is_paper():
            loop.before_step = _limit_gradients
        return loop

    def _make_description(self, network: HashNetwork, context: TrainingContext) -> CodeDiagnostics:
        return CodeDiagnostics(network, context, self._plan_transition(context))

    def _choose_views(self, samples: Samples) -> tuple[Any, Any]:
        shape = tuple(samples.sample_shape)
        automatic = isinstance(self.views, str) and self.views == "auto" and len(shape) == 3
        views = image_views(shape, self.recipe) if automatic else cast("Any", self.views)
        return resolve_views(views, shape, wanted=True)

    def _draws_by_generator(self) -> bool:
        return super()._draws_by_generator() and (self.warm_up is None or isinstance(self.warm_up, str))

    def _finish(self, network: HashNetwork, context: TrainingContext) -> None:
        binarize_weights_(network.backbone)
        criterion: Any = network.criterion  # an `OneBitLoss`, or one inside the loss of `LowerBoundHasher`
        criterion.stop_distilling()
        super()._finish(network, context)


def _start_centers(
    hasher: OneBitDeepHasher, context: TrainingContext, embeddings: torch.Tensor
) -> tuple[torch.Tensor | None, SemanticCenters | None]:
    """Return fixed centers, or their start, and the network that makes centers of class embeddings."""
    start, width = hasher._value("centers"), embeddings.shape[1]
    build_centers = partial(context.build, SemanticCenters, width, hasher.bits, sampling=hasher.center_sampling)
    if isinstance(start, str) and start == "embeddings":
        fixed, semantic = None, build_centers(width, normalize=False)
        if not hasher.adapt_centers:
            fixed, semantic = semantic.threshold(embeddings).detach(), None
    else:
        fixed, semantic = torch.as_tensor(hasher._make_centers(context), dtype=torch.float32), None
        if hasher.adapt_centers:
            # As wide as the paper's, and wide enough for the unknowns that `start_at` solves for.
            hidden = max(width, 256, 2 * context.n_classes)
            semantic = build_centers(hidden, normalize=True)
            reached = semantic.start_at(embeddings.detach(), fixed).threshold(embeddings).detach()
            if not torch.equal(reached, fixed):
                warn_of_equal_centers(reached.numpy(), "warm_up")
    return fixed, semantic


def _staged_loss(
    network: HashNetwork, batch: Batch, *, binarization: int, transition: int, aggregates: bool, grouped: bool
) -> torch.Tensor:
    """Compute the loss; weights are binary from epoch `binarization` on, the second stage begins at `transition`."""
    if binarization:  # otherwise they always are
        binarize_weights_(network.backbone, batch.epoch >= binarization)
    inputs = batch.view("weak")
    z = network(inputs, batch.generator)
    own: dict[str, Any] = {"inputs": inputs, "aggregates": batch.epoch >= transition and aggregates}
    if own["aggregates"] and grouped:
        strong = batch.view("strong")
        own["strong"] = strong, network(strong, batch.generator)
    return network.criterion(z, batch.targets, **own, **batch.extra_arguments(network.criterion))


def _limit_gradients(network: HashNetwork) -> None:
    """Scale down long gradients of centers and classifier, but not those of the binary network."""
    torch.nn.utils.clip_grad_norm_(network.criterion.parameters(), MAX_GRAD_NORM)
