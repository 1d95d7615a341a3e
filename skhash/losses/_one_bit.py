"""ODH's complete loss: centers, the classifier whose embeddings they come from, and the terms of the two stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._classification import soft_cross_entropy
from skhash.losses._odh import aggregation_loss, class_aggregation_loss, hash_center_loss

if TYPE_CHECKING:
    from typing import Self

    from skhash.losses._semantic_centers import SemanticCenters
    from skhash.training import Batch


class ClassEmbeddings(nn.Module):
    """Logits of feature vectors: their inner products with an embedding of each class, normalized over the batch.

    Parameters
    ----------
    in_features : int
        Length of feature vectors and embeddings.
    n_classes : int
        Number of classes.
    """

    embeddings: nn.Parameter
    norm: nn.BatchNorm1d

    def __init__(self, in_features: int, n_classes: int) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(torch.empty(n_classes, in_features))
        self.norm = nn.BatchNorm1d(n_classes)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the embeddings from the standard normal distribution."""
        nn.init.normal_(self.embeddings, generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        """Compute the logits (n, n_classes) of features (n, in_features)."""
        return self.norm(features @ self.embeddings.T)


class OneBitLoss(nn.Module):
    r"""Loss of one-bit deep hashing.

    .. math::

        L = L_{hc}(v) + \lambda_1 L_{cls} + [\text{stage 2}] \; \lambda_2 L_{asd}

    with the hash-center loss of weak views (weakly augmented samples), the cross-entropy of the classifier, which keeps
    the embeddings semantic, and the aggregation loss. With distillation, a share of the hash-center loss takes the
    classifier's probabilities after the warm-up instead of the label.

    Parameters
    ----------
    classifier : nn.Module
        Frozen network, with `features(x)` and a `head` like `ClassEmbeddings`.
    centers : Tensor of shape (n_classes, bits) or None
        Fixed centers, entries -1 or +1; None for those of `semantic`.
    semantic : SemanticCenters, default=None
        Network that computes centers from the embeddings.
    temperature, similarity, multilabel : float, str and str
        See `hash_center_loss`.
    classifier_weight : float, default=1e-4
        The :math:`\lambda_1` above.
    aggregation_weight : float, default=1e-3
        The :math:`\lambda_2` above.
    group_size : int or "class", default=2
        Number of images in a group, see `aggregation_loss`; "class" uses `class_aggregation_loss` of the weak views.
    distillation_weight : float, default=0.0
        Share of the labels that the classifier's probabilities replace, from 0 to 1.
    lr_ratio : float, default=1.0
        Learning rate of the parameters of this loss, divided by that of the head, see `make_optimizer`.

    References
    ----------
    .. [1] L. He et al. "One-bit deep hashing". ACM MM 2024.
    """

    classifier: Any
    semantic: SemanticCenters | None
    fixed_centers: Tensor | None
    teacher_embeddings: Tensor
    teacher_norm: nn.BatchNorm1d
    options: dict[str, Any]
    classifier_weight: float
    aggregation_weight: float
    group_size: int | Literal["class"]
    distillation_weight: float
    lr_ratio: float

    def __init__(
        self,
        classifier: nn.Module,
        centers: Tensor | None,
        semantic: SemanticCenters | None = None,
        *,
        temperature: float = 0.2,
        similarity: Literal["cosine", "inner"] = "cosine",
        multilabel: Literal["normalized", "raw"] = "normalized",
        classifier_weight: float = 1e-4,
        aggregation_weight: float = 1e-3,
        group_size: int | Literal["class"] = 2,
        distillation_weight: float = 0.0,
        lr_ratio: float = 1.0,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.semantic = semantic
        self.register_buffer("fixed_centers", centers)
        # A copy of the embeddings and the norm after the warm-up, because the classifier's own continue to learn.
        head = self.classifier.head
        self.register_buffer("teacher_embeddings", head.embeddings.detach().clone())
        self.teacher_norm = nn.BatchNorm1d(len(head.embeddings))
        self.teacher_norm.load_state_dict(head.norm.state_dict())
        self.teacher_norm.requires_grad_(False)
        self.options = {"temperature": temperature, "similarity": similarity, "multilabel": multilabel}
        self.classifier_weight = classifier_weight
        self.aggregation_weight = aggregation_weight
        self.group_size = group_size
        self.distillation_weight = distillation_weight
        self.lr_ratio = lr_ratio

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; the teacher's norm always stays in evaluation mode."""
        super().train(mode)
        self.teacher_norm.eval()
        return self

    def stop_distilling(self) -> None:
        """Learn from labels only from now on: the classifier has seen its own training samples, not later ones."""
        self.distillation_weight = 0.0

    @property
    def centers(self) -> Tensor:
        """Current centers (n_classes, bits), by the threshold even if training draws them at random."""
        if self.semantic is not None:
            return self.semantic.threshold(self.classifier.head.embeddings)
        assert self.fixed_centers is not None
        return self.fixed_centers

    def forward(
        self,
        z: Tensor,
        targets: Tensor,
        *,
        batch: Batch,
        inputs: Tensor,
        aggregates: bool = False,
        strong: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes of weak views.
        targets : Tensor
            Class indices or multi-hot labels.
        batch : Batch
            The batch; its generator is the source of draws.
        inputs : Tensor
            The weak views.
        aggregates : bool, default=False
            Whether to add the aggregation loss, as in the second stage.
        strong : tuple of (Tensor, Tensor), default=None
            Strong views and their continuous codes, for groups in the second stage.

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        head, features = self.classifier.head, None
        if self.distillation_weight or (self.classifier_weight and strong is None):
            features = self.classifier.features(inputs)
        # Not `self.centers`: in training, semantic centers may be drawn.
        centers = self.centers if self.semantic is None else self.semantic(head.embeddings, batch.generator)
        loss = self._hash_center_loss(z, targets, centers, features)
        if self.classifier_weight:
            seen = features if strong is None else self.classifier.features(strong[0])
            loss = loss + self.classifier_weight * soft_cross_entropy(head(seen), targets)
        if aggregates and strong is not None:
            assert self.group_size != "class"  # for which there are no strong views
            aggregation = aggregation_loss(strong[1], z, self.group_size, generator=batch.generator)
            loss = loss + self.aggregation_weight * aggregation
        elif aggregates and self.aggregation_weight:
            aggregation = class_aggregation_loss(z, targets, generator=batch.generator)
            loss = loss + self.aggregation_weight * aggregation
        return loss

    def _hash_center_loss(self, z: Tensor, targets: Tensor, centers: Tensor, features: Any) -> Tensor:
        share, loss = self.distillation_weight, z.new_zeros(())
        if share < 1:
            loss = (1 - share) * hash_center_loss(z, targets, centers, **self.options)
        if share > 0:
            with torch.no_grad():
                taught = F.softmax(self.teacher_norm(features @ self.teacher_embeddings.T), dim=1)
            loss = loss + share * hash_center_loss(z, taught, centers, **self.options)
        return loss

    def class_scores(self, z: Tensor) -> Tensor:
        """Compute the cosines (n, n_classes) of continuous codes `z` (n, bits), after the tanh, to the centers."""
        return F.linear(F.normalize(torch.tanh(z)), F.normalize(self.centers.to(z.dtype)))
