"""ODH: a binary network, hash centers that move to where it can follow, and codes that are drawn together in the end.

He, Huang, Liu, Li, Wu, Liu, Chen, "One-bit deep hashing: towards resource-efficient hashing model with binary neural
network", ACM MM 2024.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

import torch

from skhash.centers import CENTER_METHODS, make_hash_centers
from skhash.losses import CENTER_SAMPLING, ClassEmbeddings, OneBitLoss, SemanticCenters
from skhash.methods._centers import CenterHasher, warn_of_equal_centers
from skhash.methods._code_diagnostics import CodeDiagnostics
from skhash.methods._warm_up import make_classifier, start_at_class_means, warm_up
from skhash.nn import HashHead, efficiency_report
from skhash.nn.binary import binarize_weights_
from skhash.training import (
    GroupedBatches,
    ImageViews,
    RandomCropFlip,
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

# What the parameters that are None stand for.
_PAPER = {
    "centers": "embeddings",
    "classifier_weight": 1e-4,
    "aggregation_weight": 1e-3,
    "group_size": 2,
    "distillation_weight": 0.0,
    "center_lr_ratio": 1.0,
    "warm_up_epochs": 100,
}
_OWN = {
    "centers": "auto",
    "classifier_weight": 1e-4,
    "aggregation_weight": 0.03,
    "group_size": "class",
    "distillation_weight": 1.0,
    "center_lr_ratio": 0.3,
    "warm_up_epochs": 30,
}
_WARM_UP = {"learning_rate": 1e-2, "schedule": "one_cycle", "weight_decay": 1e-4}
_PAPER_VIEWS = {"crop_scale": (0.08, 1.0), "jitter": 0.8, "jitter_strength": (0.4, 0.8, 0.8, 0.2)}
_MAX_GRAD_NORM = 5.0  # of centers and classifier
# The authors' one-cycle schedule was never stepped: rate and beta1 stayed where the cycle begins.
_PAPER_WARM_UP = {
    "learning_rate": 4e-5,
    "schedule": "constant",
    "weight_decay": 1e-5,
    "beta1": 0.95,
    "max_grad_norm": _MAX_GRAD_NORM,
}


class OneBitDeepHasher(CenterHasher):
    r"""One-bit deep hashing: the network that makes the codes has weights and activations of one bit.

    A binary network cannot bring every sample to a center that was fixed before. Here a small network of real weights
    learns to classify first; centers are made of its class embeddings and go on moving while the binary network is
    trained, so that classes which are alike get centers that are, and centers come to where codes can follow. In a
    second stage codes of one class are drawn together. Codes need the binary network alone (`to_packed`); classifier
    and centers stay with the hasher, to predict and to train on.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    centers : str or array-like of shape (n_classes, bits), default=None
        Where centers start: codes far from each other, by a method of `skhash.centers.make_hash_centers`, or given
        ones, entries -1 or +1, in the order of `classes_`; or "embeddings", what an untrained network makes of the
        class embeddings, as in the paper. None is "auto", and "embeddings" in the recipe "paper".
    adapt_centers : bool, default=True
        Whether centers move. If not, they stay where they start, as those of CSQ and OrthoHash.
    center_sampling : {"threshold", "bernoulli"}, default="threshold"
        How bits of centers come of their probabilities, see `skhash.losses.SemanticCenters`.
    center_lr_ratio : float, default=None
        Learning rate of what makes the centers, as a share of the head's. None is 0.3, and 1 in the recipe "paper".
    temperature : float, default=0.2
        The :math:`\tau` of the hash-center loss.
    similarity : {"cosine", "inner"}, default="cosine"
        The :math:`\varphi` of the hash-center loss, see `skhash.losses.hash_center_loss`.
    multilabel : {"normalized", "raw"}, default="normalized"
        What several labels of a sample weigh, see `skhash.losses.hash_center_loss`: those that distillation leaves.
    classifier_weight : float, default=None
        Weight of the classifier's own loss, :math:`\lambda_1`. None is 1e-4.
    aggregation_weight : float, default=None
        Weight of the aggregation loss, :math:`\lambda_2`; with 0 there is no second stage. None is 0.03,
        and 1e-3 in the recipe "paper".
    group_size : int or "class", default=None
        Images of one class in a group of the second stage, which shows two views of each, and each epoch as many times
        more images; at most half of the batch size. "class" takes all images of a class in an ordinary batch for a
        group, one view each. None is "class", and 2 in the recipe "paper".
    transition : float, default=1/7
        Share of the epochs after which the second stage begins, but for 0 not before the second epoch. `partial_fit`
        counts its calls as epochs of `fit`.
    warm_up : "auto", str, nn.Module, callable or None, default="auto"
        Backbone of the classifier, of real weights: "auto" is "small_cnn" for images and "mlp" for features; None
        classifies features as they are, with embeddings that start at the class means. It may be a pretrained one,
        which the warm-up trains on. Otherwise as the parameter `backbone` of `OrthoHasher`.
    warm_up_epochs : int, default=None
        Epochs of the warm-up. None is 30, and 100 in the recipe "paper".
    distillation_weight : float, default=None
        Share of the labels in the hash-center loss that the classifier's probabilities replace, from 0 to 1, in the
        first `fit` or call of `partial_fit`. None is 1, and 0 in the recipe "paper". Training that goes on, perhaps
        with samples and classes that the classifier has not seen, learns from labels.
    two_step : float, default=0.0
        Share of the epochs of each `fit`, in [0, 1), in which the binary network first trains with real weights, only
        its activations being binary, as ReActNet was trained.
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
    OrthoHasher : Centers that stay; takes binary backbones, too.
    skhash.metrics.TrainingHistoryDisplay : Draws how codes and centers came together.
    skhash.losses.SemanticCenters : The centers alone.

    Notes
    -----
    With continuous codes v, :math:`h = \tanh v`, centers c and labels y,

    .. math::

        L = -\frac{1}{N} \sum_i \log \frac{\exp(\varphi(h_i, c_{y_i}) / \tau)}{\sum_l \exp(\varphi(h_i, c_l) / \tau)}
        + \lambda_1 L_{cls} + [\text{stage 2}] \; \lambda_2 L_{asd}, \qquad
        c_l = \operatorname{sgn}\big(\sigma(\operatorname{MLP}(W_l)) - \tfrac12\big)

    with the class embeddings W of the classifier; for the aggregation loss see `skhash.losses.aggregation_loss`.

    After each epoch of `fit`, the rows of `history_` tell the "stage", 1 or 2, and of a part of the training samples
    "center_distance", mean Hamming distance of codes to the centers of their classes, "class_distance", of codes of one
    class to each other, and "center_movement", of centers to where they were one epoch before.

    ``recipe="paper"`` is what the authors' code does in 700 epochs after 100 of warm-up, though with the networks here;
    theirs classifies with a pretrained ResNet-50, which `warm_up` takes. In the few epochs of the default, centers of
    an untrained network, nearly equal at first, cost most of the time; so they start far apart, with the last layer of
    their network solved for it, and the classifier's probabilities replace labels.
    What each part adds to the rest, in points of mAP, in 25 epochs on Fashion-MNIST and 10 on CIFAR-10 (64 bits, three
    seeds, ``examples/benchmarks/bench_one_bit.py``): moving centers 1.9 +- 0.3 and -0.3 +- 0.5, distillation -0.2 and
    3.4 +- 0.3, the second stage -0.1 and 0.3 +- 0.3. It makes codes of a class more alike, which mAP hardly sees; its
    weight was chosen on held-out training data, where more gave no more, and groups of two views gave less than the
    epochs that they cost. Epochs give most: 25 in place of 10 another 10 points on CIFAR-10. ``two_step`` does not pay
    in few: on digits (MNIST, six epochs, two seeds) half of them with real weights cost 1 to 2 points.

    ``backbone="auto"`` is "bireal_tiny" for grey images of up to 32 pixels, "bireal_small" for other images of up to
    100 pixels, "bireal18" for larger ones, and "binary_mlp" for features. ``views="auto"`` is `FeatureViews` for
    features; for images shifts, with flips if they have colours, or in the recipe "paper" the authors' `ImageViews`.
    ``max_epochs`` is 30 for images.

    Differences to the authors' code even then: groups are of one class (theirs are not on CIFAR-100), the classifier's
    backbone is in evaluation mode, long gradients of classifier and centers are cut in the first stage, too, the
    schedule counts the steps there are, and nothing is chosen by test queries.

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
        """Compare memory and multiplications of the fitted network with those of one in full precision.

        Parameters
        ----------
        reference : {"auto", "twin"}, other str, nn.Module or hasher, default="auto"
            What to compare with, such as "resnet50", which "auto" is for images.
        **conventions
            What counts, see `skhash.nn.efficiency_report`, which takes any deep hasher.

        Returns
        -------
        report : skhash.nn.EfficiencyReport
            Print it for a table.
        """
        return efficiency_report(self, reference, **conventions)

    # What the recipe says of a parameter that is None ----------------------------------------------------------------

    def _is_paper(self) -> bool:
        return isinstance(self.recipe, str) and self.recipe == "paper"

    def _value(self, name: str) -> Any:
        """Return a parameter, or what the recipe says if it is None."""
        given = getattr(self, name)
        return (_PAPER if self._is_paper() else _OWN)[name] if given is None else given

    # Network and loss ------------------------------------------------------------------------------------------------

    def _network_parameters(self) -> dict[str, Any]:
        return {**super()._network_parameters(), "recipe": "paper" if self._is_paper() else "skhash"}

    def _choose_backbone(self, sample_shape: tuple[int, ...]) -> Any:
        if not (isinstance(self.backbone, str) and self.backbone == "auto"):
            return self.backbone
        if len(sample_shape) == 1:
            return "binary_mlp"
        channels, side = sample_shape[0], max(sample_shape[1:])
        if side > 100:
            return "bireal18"
        return "bireal_tiny" if channels == 1 and side <= 32 else "bireal_small"

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits, "batch_norm")

    def _warm_up(self, context: TrainingContext) -> HashNetwork:
        """Train the classifier."""
        device = resolve_device(self.device)
        classifier = make_classifier(self.warm_up, context.samples, context.n_classes, context.generator).to(device)
        targets = context.targets(device)
        assert targets is not None, "fit requires labels"
        if self.warm_up is None:
            start_at_class_means(classifier, context.samples, targets)
        warm_up(
            classifier,
            context.samples,
            targets,
            epochs=self._value("warm_up_epochs"),
            views=context.views,
            generator=context.generator,
            **(_PAPER_WARM_UP if self._is_paper() else _WARM_UP),
        )
        return classifier.cpu()

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        classifier = self._warm_up(context)
        head, n_classes = cast("ClassEmbeddings", classifier.head), context.n_classes
        start = self._value("centers")
        from_embeddings = isinstance(start, str) and start == "embeddings"
        fixed: torch.Tensor | None = None
        semantic: SemanticCenters | None = None
        if not from_embeddings:
            fixed = torch.as_tensor(self._make_centers(context), dtype=torch.float32)
        if self.adapt_centers or from_embeddings:
            in_features = head.embeddings.shape[1]
            # As wide as the paper's, but for the unknowns that `start_at` needs.
            hidden = in_features if from_embeddings else max(in_features, 256, 2 * n_classes)
            options = {"sampling": self.center_sampling, "normalize": not from_embeddings}
            semantic = context.build(SemanticCenters, in_features, self.bits, hidden, **options)
            if fixed is not None:
                reached = semantic.start_at(head.embeddings.detach(), fixed).threshold(head.embeddings).detach()
                if not torch.equal(reached, fixed):
                    warn_of_equal_centers(reached.numpy(), "warm_up")
        if not self.adapt_centers and semantic is not None:
            fixed, semantic = semantic.threshold(head.embeddings).detach(), None
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

    # Training --------------------------------------------------------------------------------------------------------

    def _plan_binarization(self, context: TrainingContext) -> int:
        """Return the number of epochs with real weights: never all of them."""
        return int(self.two_step * context.max_epochs)

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
        plan = {"transition": self._plan_transition(context), "binarization": self._plan_binarization(context)}
        loop.loss = partial(self._staged_loss, **plan)
        if self._is_paper():
            loop.before_step = _limit_gradients
        return loop

    def _staged_loss(self, network: HashNetwork, batch: Batch, transition: int, binarization: int) -> torch.Tensor:
        binarize_weights_(network.backbone, batch.epoch >= binarization)
        inputs = batch.view("weak")
        z = network(inputs, batch.generator)
        own = {"inputs": inputs, "aggregates": batch.epoch >= transition and self._value("aggregation_weight") > 0}
        if own["aggregates"] and self._value("group_size") != "class":
            strong = batch.view("strong")
            own["strong"] = strong, network(strong, batch.generator)
        return network.criterion(z, batch.targets, **own, **batch.extra_arguments(network.criterion))

    def _make_description(self, network: HashNetwork, context: TrainingContext) -> Callable[[], dict[str, Any]]:
        diagnostics = CodeDiagnostics(network, context)
        transition, epochs = self._plan_transition(context), count()
        return lambda: {"stage": 1 + (next(epochs) >= transition), **diagnostics()}

    def _choose_views(self, samples: Samples) -> tuple[Any, Any]:
        shape, views = tuple(samples.sample_shape), self.views
        if isinstance(views, str) and views == "auto" and len(shape) == 3:
            side = max(shape[1:])
            if self._is_paper():
                views = ImageViews(**_PAPER_VIEWS, blur_kernel=side // 10 | 1)  # 25 of the authors' 256 pixels
            else:
                # What changes more makes up for few images, but takes epochs that the default has not; and a mirrored
                # digit is another one, which coloured things are not.
                views = RandomCropFlip(max(side // 8, 1), flip=shape[0] > 1)
        return resolve_views(views, shape, wanted=True)

    def _draws_by_generator(self) -> bool:
        return super()._draws_by_generator() and (self.warm_up is None or isinstance(self.warm_up, str))

    def _finish(self, network: HashNetwork, context: TrainingContext) -> None:
        binarize_weights_(network.backbone)
        criterion: Any = network.criterion  # an `OneBitLoss`, or one inside the loss of `LowerBoundHasher`
        criterion.stop_distilling()
        super()._finish(network, context)


def _limit_gradients(network: HashNetwork) -> None:
    """Scale down long gradients of centers and classifier, not of the binary network."""
    torch.nn.utils.clip_grad_norm_(network.criterion.parameters(), _MAX_GRAD_NORM)
