"""LBHash: raise a lower bound of average precision, with a learned estimate of the probability of the right code.

Zhu, Song, Lei, Gao, Shen, "A lower bound of hash codes' performance", NeurIPS 2022.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, Unpack, cast

import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skhash.base import BaseHasher
from skhash.centers import CENTER_METHODS, make_hash_centers
from skhash.deep import DeepHasher, train
from skhash.losses import PosteriorSurrogate
from skhash.methods._centers import warn_of_equal_centers
from skhash.nn import build
from skhash.utils import Interval, StrOptions, fit_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from skhash.deep import FitWeights, TrainingContext
    from skhash.index import HammingIndex
    from skhash.training import Batch
    from skhash.utils import SamplesLike

# With five or ten samples a class, codes were below those of the estimator alone when the surrogate made 100 steps.
_SURROGATE_STEPS = 400  # in all, at least
_MOST_STEPS = 8  # for one batch


def _of_estimator(name: str) -> Any:
    return property(lambda self: getattr(self.estimator_, name))


class LowerBoundHasher(BaseHasher):
    r"""Meta-estimator that trains a supervised deep hasher to also gather the codes of a class around a center.

    Average precision is high if classes are far apart and the codes of one class are close to each other. A lower bound
    of it grows with the smallest distance between centers of classes divided by the largest distance of a code from its
    center. So every class gets a center before training, far from all others, and the hasher is trained to make the
    code of the center probable. A *surrogate* estimates this probability: small networks that learn the joint
    distribution of blocks of bits from the hasher's outputs, at the same time as the hasher.

    Parameters
    ----------
    estimator : DeepHasher
        A supervised deep hasher, such as ``HashNetHasher(bits=32)``. A clone of it is trained, with its own recipe,
        epochs, early stopping, callbacks, device and seed.
    surrogate_weight : float, default=1.0
        Weight of the surrogate's loss relative to the estimator's own loss: w in the equations. `CSQHasher`, whose own
        loss has the same purpose, is trained with the surrogate's loss alone, as the authors do; so the weight must not
        be 0 there.
    center_method : str, default="auto"
        Method that makes the centers, see `skhash.centers.make_hash_centers`. An estimator that has centers keeps them.
    block_bits : int, default=8
        Bits of a block, from 1 to 16; a block has `2**block_bits` joint probabilities. The last block may be shorter.
    surrogate_learning_rate : float, default=1e-3
        Largest learning rate of the surrogate's optimizer, Adam. It follows the estimator's schedule.
    surrogate_steps : int or "auto", default="auto"
        Steps of the surrogate for each batch, 1 in the paper. "auto" is 1, or as many, up to 8, as it takes the
        surrogate to make 400 steps in all: with few samples there are few batches.
    multilabel_sum : {"normalized", "raw"}, default="normalized"
        Reduction of the losses of a sample with several centers: their mean, or their sum as in the paper.

    Attributes
    ----------
    estimator_ : DeepHasher
        The trained hasher.
    surrogate_ : skhash.losses.PosteriorSurrogate
        The trained surrogate.
    centers_ : ndarray of int8 of shape (n_classes, bits)
        The hash centers, entries -1 or +1.
    history_ : list of dict
        That of the estimator; "loss" includes the surrogate's part.
    label_index_ : HammingIndex
        Training codes with their labels.
    classes_ : ndarray of shape (n_classes,)
        Class labels; column numbers for multi-hot labels.
    n_features_in_ : int
        Number of features seen during `fit`, if `fit` was given features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if they were all strings.

    See Also
    --------
    skhash.losses.PosteriorSurrogate : The surrogate and its two losses.
    skhash.centers.make_hash_centers : Makes the centers.

    Notes
    -----
    With continuous codes :math:`\ell = F_\theta(x)`, before any tanh, in blocks j; the surrogate's probability
    :math:`P_\pi(b \mid \ell_j)` of a block's bits; and the center c of the sample's class, every batch makes two steps,
    the first of them `surrogate_steps` times:

    .. math::
        L_\pi = -\operatorname{mean} \sum_j \log P_\pi(\operatorname{sgn} \ell_j \mid \ell_j), \qquad
        \pi \leftarrow \pi - \eta_1 \nabla_\pi L_\pi

    .. math::
        L_\theta = -\operatorname{mean} \sum_j \log P_\pi(c_j \mid \ell_j), \qquad
        \theta \leftarrow \theta - \eta_2 \nabla_\theta (L_X + w L_\theta)

    with :math:`L_X` the estimator's own loss. The surrogate gets no gradient of :math:`L_\theta`; otherwise it would
    learn to make centers probable for all samples. The paper does not state a weight; 1 is the simplest reading. The
    authors train all methods with ``recipe="lbhash"`` of the estimator. They predict by a vote of the 100 nearest
    training codes, or by the classifier of a method that has one: `predict` is that of the estimator.

    Short codes of a weak method gain most; codes that are already good, as those of `DCHHasher` on small data, can get
    worse.

    References
    ----------
    .. [1] X. Zhu, J. Song, Y. Lei, L. Gao, H. T. Shen. "A lower bound of hash codes' performance". NeurIPS 2022,
       algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, HashNetHasher, LowerBoundHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hashnet = HashNetHasher(bits=16, learning_rate=0.01, max_epochs=30, random_state=0)
    >>> hasher = LowerBoundHasher(hashnet).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.7
    True
    """

    _parameter_constraints: dict[str, Any] = {
        "estimator": [DeepHasher],
        "surrogate_weight": [Interval(Real, 0, None, closed="left")],
        "center_method": [StrOptions(set(CENTER_METHODS))],
        "block_bits": [Interval(Integral, 1, 16, closed="both")],
        "surrogate_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "surrogate_steps": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "multilabel_sum": [StrOptions({"normalized", "raw"})],
    }

    __metadata_request__fit: ClassVar[dict[str, None]] = {"sample_weight": None}

    def __init__(
        self,
        estimator: DeepHasher,
        *,
        surrogate_weight: float = 1.0,
        center_method: str = "auto",
        block_bits: int = 8,
        surrogate_learning_rate: float = 1e-3,
        surrogate_steps: int | Literal["auto"] = "auto",
        multilabel_sum: Literal["normalized", "raw"] = "normalized",
    ) -> None:
        self.estimator = estimator
        self.surrogate_weight = surrogate_weight
        self.center_method = center_method
        self.block_bits = block_bits
        self.surrogate_learning_rate = surrogate_learning_rate
        self.surrogate_steps: int | Literal["auto"] = surrogate_steps
        self.multilabel_sum: Literal["normalized", "raw"] = multilabel_sum

    # Attributes of the trained hasher are read from it, so that there is only one copy.
    history_: list[dict[str, Any]] = _of_estimator("history_")
    label_index_: HammingIndex | None = _of_estimator("label_index_")
    classes_: NDArray[Any] = _of_estimator("classes_")
    n_features_in_: int = _of_estimator("n_features_in_")
    feature_names_in_: NDArray[Any] = _of_estimator("feature_names_in_")
    _n_features_out = _of_estimator("_n_features_out")

    @property
    def surrogate_(self) -> PosteriorSurrogate:
        """The trained surrogate."""
        criterion: Any = self.estimator_.module_.criterion
        return criterion.surrogate

    @property
    def bits(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Code length of the estimator."""
        return self.estimator.bits

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: SamplesLike,
        y: ArrayLike | None = None,
        *,
        eval_set: tuple[SamplesLike, ArrayLike | None] | None = None,
        X_val: SamplesLike | None = None,
        y_val: ArrayLike | None = None,
        **weights: Unpack[FitWeights],
    ) -> Self:
        """Train a clone of the estimator together with the surrogate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            Samples as the estimator takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix. Optional for a Dataset that has labels.
        eval_set : tuple of (X_val, y_val), default=None
            As in `DeepHasher.fit`.
        X_val, y_val : array-like, default=None
            As in `DeepHasher.fit`.
        **weights
            As in `DeepHasher.fit`: `sample_weight`.

        Returns
        -------
        self : object
            The fitted hasher.

        Raises
        ------
        ValueError
            If the estimator is unsupervised or has `warm_start`, or if its loss would be zero.
        """
        if not (self.estimator._needs_labels or self.estimator._learns_labels):
            raise ValueError(f"estimator must be a supervised deep hasher, got {self.estimator!r}.")
        if self.estimator.warm_start:
            raise ValueError(
                "estimator must have warm_start=False, got warm_start=True: LowerBoundHasher trains a new clone of it "
                "in every fit."
            )
        if not self.estimator._keeps_own_loss and self.surrogate_weight == 0:
            raise ValueError(
                f"surrogate_weight must be positive for {type(self.estimator).__name__}, which is trained with the "
                "surrogate's loss alone, got 0."
            )
        self.estimator_: DeepHasher = train(
            cast("DeepHasher", clone(self.estimator)),
            X,
            y,
            eval_set=eval_set,
            X_val=X_val,
            y_val=y_val,
            wrap_criterion=self._wrap_criterion,
            wrapper={name: value for name, value in self.get_params(deep=False).items() if name != "estimator"},
            **weights,
        )
        criterion: Any = self.estimator_.module_.criterion
        self.centers_: NDArray[np.int8] = criterion.centers.detach().cpu().numpy().astype("int8")
        return self

    def _wrap_criterion(self, criterion: nn.Module, context: TrainingContext) -> nn.Module:
        """Return the criterion of a new network, from the criterion of the estimator."""
        if context.labels is None:
            raise ValueError("LowerBoundHasher requires y to be passed, but the target y is None.")
        if not hasattr(criterion, "centers"):
            centers = make_hash_centers(
                context.n_classes, self.bits, method=self.center_method, random_state=context.random_state
            )
            warn_of_equal_centers(centers, "center_method")
            criterion.register_buffer("centers", torch.as_tensor(centers, dtype=torch.float32))
        steps = self.surrogate_steps
        if steps == "auto":
            recipe = context.recipe
            batches = int(recipe.max_epochs) * math.ceil(len(context.samples) / recipe.batch_size)
            steps = min(math.ceil(_SURROGATE_STEPS / batches), _MOST_STEPS)
        return _LowerBoundLoss(
            criterion,
            build(PosteriorSurrogate, self.bits, self.block_bits, generator=context.generator),
            keeps_own_loss=self.estimator._keeps_own_loss,
            weight=self.surrogate_weight,
            multilabel=self.multilabel_sum,
            # Relative to the estimator's learning rate, which the schedule changes.
            relative_learning_rate=self.surrogate_learning_rate / context.recipe.learning_rate,
            steps=steps,
        )

    def _validate(self, X: SamplesLike) -> Any:
        return self.estimator_._validate(X)

    def _project(self, samples: Any) -> Iterator[NDArray[Any]]:
        return self.estimator_._project(samples)

    def predict(self, X: SamplesLike) -> NDArray[Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            Samples as the estimator takes them.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_classes)
            By the classifier of an estimator that has one, otherwise by a vote of the nearest training codes.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class _LowerBoundLoss(nn.Module):
    """A method's criterion with a surrogate, which makes its own steps before each step of the network.

    Other attributes that the method reads from its criterion, such as centers or a classifier, are those of its own
    criterion.
    """

    def __init__(
        self,
        criterion: nn.Module,
        surrogate: PosteriorSurrogate,
        *,
        keeps_own_loss: bool,
        weight: float,
        multilabel: Literal["normalized", "raw"],
        relative_learning_rate: float,
        steps: int = 1,
    ) -> None:
        super().__init__()
        self.criterion = criterion
        self.surrogate = surrogate
        self.keeps_own_loss = keeps_own_loss
        self.weight = weight
        self.multilabel: Literal["normalized", "raw"] = multilabel
        self.relative_learning_rate = relative_learning_rate
        self.steps = steps
        self._optimizer: torch.optim.Optimizer | None = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("criterion"), name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_optimizer": None}  # part of training, not of the model

    def training_state(self) -> dict[str, Any]:
        """Return the moments of the surrogate's optimizer, for a checkpoint."""
        return {} if self._optimizer is None else self._optimizer.state_dict()

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Set the moments of the surrogate's optimizer to those of a checkpoint."""
        if state:
            self._optimizer = torch.optim.Adam(self.surrogate.parameters())
            self._optimizer.load_state_dict(state)

    def forward(self, z: torch.Tensor, targets: torch.Tensor, *, batch: Batch, **own: Any) -> torch.Tensor:
        """Train the surrogate, then compute the loss of the network, without gradient for the surrogate."""
        if self.training:
            for _ in range(self.steps):
                self._step_surrogate(z.detach(), batch)
        loss = self.weight * self.surrogate.center_loss(
            z, targets, self.centers, multilabel=self.multilabel, generator=batch.generator, frozen=True
        )
        if self.keeps_own_loss:
            loss = loss + self.criterion(z, targets, **own, **batch.extra_arguments(self.criterion))
        return loss

    def _step_surrogate(self, z: torch.Tensor, batch: Batch) -> None:
        learning_rate = self.relative_learning_rate * batch.learning_rate
        if self._optimizer is None:
            self._optimizer = torch.optim.Adam(self.surrogate.parameters())
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self.surrogate.surrogate_loss(z, z, generator=batch.generator).backward()
        self._optimizer.step()
        # The network's optimizer also has these weights; it skips weights without a gradient.
        self._optimizer.zero_grad(set_to_none=True)
