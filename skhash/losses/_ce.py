"""Cross-entropy of a linear classifier on continuous codes: the baselines CE, CE+BN and CE+BiHalf of OrthoHash."""

from __future__ import annotations

from torch import Tensor, nn

from skhash.losses._classification import soft_cross_entropy


class CELoss(nn.Module):
    """Softmax cross-entropy with normalized labels of a linear classifier on continuous codes.

    Parameters
    ----------
    bits : int
        Code length.
    n_classes : int
        Number of classes.

    Attributes
    ----------
    classifier : nn.Linear
        From continuous codes to logits. `skhash.nn.build` draws its weights from a generator.

    References
    ----------
    .. [1] J. T. Hoe et al. "One loss for all". NeurIPS 2021, the baselines CE.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import CELoss
    >>> from skhash.nn import build
    >>> loss = build(CELoss, bits=16, n_classes=4, generator=torch.Generator().manual_seed(0))
    >>> bool(abs(loss(torch.zeros(2, 16), torch.tensor([0, 3])) - 1.3863) < 0.3)  # about log 4
    True
    """

    classifier: nn.Linear

    def __init__(self, bits: int, n_classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(bits, n_classes)

    def forward(self, z: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) for class indices or multi-hot `targets`."""
        return soft_cross_entropy(self.classifier(z), targets)

    def class_scores(self, z: Tensor) -> Tensor:
        """Compute the logits (n, n_classes) of continuous codes `z` (n, bits)."""
        return self.classifier(z)
