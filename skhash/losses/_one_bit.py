"""ODH's whole loss: centers, the classifier that they come from, and what each of the two stages adds."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._classification import soft_cross_entropy
from skhash.losses._odh import aggregation_loss, class_aggregation_loss, hash_center_loss


class ClassEmbeddings(nn.Module):
    """Logits of feature vectors: their inner products with an embedding of each class, normalised over the batch.

    Parameters
    ----------
    in_features : int
        Length of feature vectors and embeddings.
    n_classes : int
        Number of classes.
    """

    def __init__(self, in_features, n_classes):
        super().__init__()
        self.embeddings = nn.Parameter(torch.empty(n_classes, in_features))
        self.norm = nn.BatchNorm1d(n_classes)

    def initialize(self, generator):
        """Draw the embeddings from the standard normal distribution."""
        nn.init.normal_(self.embeddings, generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        """Turn features (n, in_features) into logits (n, n_classes)."""
        return self.norm(features @ self.embeddings.T)


class OneBitLoss(nn.Module):
    r"""Loss of one-bit deep hashing.

    .. math::

        L = L_{hc}(v) + \lambda_1 L_{cls} + [\text{stage 2}] \; \lambda_2 L_{asd}

    with the hash-center loss of weak views, the cross-entropy of the classifier, which keeps the embeddings semantic,
    and the aggregation loss. With distillation, a share of the hash-center loss has what the classifier said after the
    warm-up in place of the label.

    Parameters
    ----------
    classifier : nn.Module
        Frozen network, with `features(x)` and a `head` of the kind of `ClassEmbeddings`.
    centers : Tensor of shape (n_classes, bits) or None
        Centers that stay as they are, entries -1 or +1; None for those of `semantic`.
    semantic : SemanticCenters, default=None
        What makes centers of the embeddings.
    temperature, similarity, multilabel
        As of `hash_center_loss`.
    classifier_weight : float, default=1e-4
        The :math:`\lambda_1` above.
    aggregation_weight : float, default=1e-3
        The :math:`\lambda_2` above.
    group_size : int or "class", default=2
        Images in a group, as of `aggregation_loss`; "class" is for `class_aggregation_loss` of the weak views.
    distillation_weight : float, default=0.0
        Share of the labels that the classifier's probabilities replace, from 0 to 1.
    lr_ratio : float, default=1.0
        Learning rate of all of this, as a share of the head's, see `make_optimizer`.

    References
    ----------
    .. [1] L. He et al. "One-bit deep hashing". ACM MM 2024.
    """

    def __init__(
        self,
        classifier,
        centers,
        semantic=None,
        *,
        temperature=0.2,
        similarity="cosine",
        multilabel="normalized",
        classifier_weight=1e-4,
        aggregation_weight=1e-3,
        group_size=2,
        distillation_weight=0.0,
        lr_ratio=1.0,
    ):
        super().__init__()
        self.classifier = classifier
        self.semantic = semantic
        self.register_buffer("fixed_centers", centers)
        # What the classifier knew after the warm-up: its embeddings go on learning.
        self.register_buffer("teacher_embeddings", classifier.head.embeddings.detach().clone())
        self.teacher_norm = nn.BatchNorm1d(len(classifier.head.embeddings))
        self.teacher_norm.load_state_dict(classifier.head.norm.state_dict())
        self.teacher_norm.requires_grad_(False)
        self.options = {"temperature": temperature, "similarity": similarity, "multilabel": multilabel}
        self.classifier_weight = classifier_weight
        self.aggregation_weight = aggregation_weight
        self.group_size = group_size
        self.distillation_weight = distillation_weight
        self.lr_ratio = lr_ratio

    def train(self, mode=True):
        """Switch between training and evaluation; what is distilled stays in the latter."""
        super().train(mode)
        self.teacher_norm.eval()
        return self

    def stop_distilling(self):
        """Learn from labels alone from now on: the classifier knows its own samples, not what comes later."""
        self.distillation_weight = 0.0

    @property
    def centers(self):
        """Centers (n_classes, bits) as they are now; by the threshold, whatever is drawn in training."""
        return self.fixed_centers if self.semantic is None else self.semantic.threshold(self.classifier.head.embeddings)

    def forward(self, z, targets, *, batch, inputs, aggregates=False, strong=None):
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes of weak views.
        targets : Tensor
            Class indices or multi-hot labels.
        batch : Batch
            Whose generator draws.
        inputs : Tensor
            The weak views.
        aggregates : bool, default=False
            Whether this is the second stage.
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
        centers = self.fixed_centers if self.semantic is None else self.semantic(head.embeddings, batch.generator)
        loss = self._hash_center_loss(z, targets, centers, features)
        if self.classifier_weight:
            seen = features if strong is None else self.classifier.features(strong[0])
            loss = loss + self.classifier_weight * soft_cross_entropy(head(seen), targets)
        if aggregates and strong is not None:
            aggregation = aggregation_loss(strong[1], z, self.group_size, generator=batch.generator)
            loss = loss + self.aggregation_weight * aggregation
        elif aggregates and self.aggregation_weight:
            aggregation = class_aggregation_loss(z, targets, generator=batch.generator)
            loss = loss + self.aggregation_weight * aggregation
        return loss

    def _hash_center_loss(self, z, targets, centers, features):
        share, loss = self.distillation_weight, 0.0
        if share < 1:
            loss = (1 - share) * hash_center_loss(z, targets, centers, **self.options)
        if share > 0:
            with torch.no_grad():
                believed = F.softmax(self.teacher_norm(features @ self.teacher_embeddings.T), dim=1)
            loss = loss + share * hash_center_loss(z, believed, centers, **self.options)
        return loss

    def class_scores(self, z: Tensor) -> Tensor:
        """Give the similarity of continuous codes (n, bits) to each center, (n, n_classes)."""
        return F.linear(F.normalize(torch.tanh(z)), F.normalize(self.centers.to(z.dtype)))
