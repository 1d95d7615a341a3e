"""JMLH: classification from random binary codes whose distribution is kept close to that of fair coins.

Shen et al., "Embarrassingly simple binary representation learning", ICCV workshops 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._classification import soft_cross_entropy
from skhash.utils import check_option

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALLEST = 1e-7  # smallest probability whose logarithm is taken, which bounds the gradient


def bernoulli_codes(probabilities: Tensor, thresholds: Tensor | float = 0.5) -> Tensor:
    r"""Compare probabilities with thresholds: 1 where the probability is at least its threshold, 0 elsewhere.

    With thresholds drawn from U(0, 1), the results are Bernoulli variables. The gradient passes as if the output were
    the probability (the distributional straight-through estimator), so with :math:`p = \sigma(v)` it reaches v
    multiplied by :math:`p (1 - p)`.

    Parameters
    ----------
    probabilities : Tensor of shape (n, bits)
        Probability that each bit is 1.
    thresholds : Tensor of shape (n, bits) or float, default=0.5
        Thresholds; the default yields the most probable code.

    Returns
    -------
    codes : Tensor of shape (n, bits)
        Entries 0 or 1.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import bernoulli_codes
    >>> bernoulli_codes(torch.tensor([[0.2, 0.5, 0.9]]))
    tensor([[0., 1., 1.]])
    """
    return _Threshold.apply(probabilities, thresholds)


class _Threshold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, probabilities: Tensor, thresholds: Tensor | float) -> Tensor:
        return (probabilities >= thresholds).to(probabilities.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return grad_outputs[0], None


def jmlh_loss(
    z: Tensor,
    targets: Tensor,
    classifier: Callable[[Tensor], Tensor],
    thresholds: Tensor | float = 0.5,
    *,
    kl_weight: float = 0.1,
    multilabel_loss: Literal["softmax", "sigmoid"] = "softmax",
) -> Tensor:
    r"""Compute the JMLH loss.

    .. math::
        \operatorname{CE}(\text{classifier}(b), y) + \lambda \operatorname{mean}_i \sum_k \left(
        p \log\frac{p}{1/2} + (1 - p) \log\frac{1 - p}{1/2} \right)_{ik}, \qquad p = \sigma(v), \quad
        b \sim \operatorname{Bernoulli}(p)

    with continuous codes v.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    classifier : callable
        From codes of 0 and 1 (n, bits) to logits (n, n_classes).
    thresholds : Tensor of shape (n, bits) or float, default=0.5
        See `bernoulli_codes`: drawn from U(0, 1) in the paper, 0.5 in the authors' code.
    kl_weight : float, default=0.1
        The :math:`\lambda` above: 0.1 in OrthoHash's baselines, 0.2 in the authors' code.
    multilabel_loss : {"softmax", "sigmoid"}, default="softmax"
        For multi-hot targets: softmax cross-entropy with normalized labels, or the mean of binary cross-entropies per
        class, the paper's likelihood, which OrthoHash's authors found to perform badly.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] Y. Shen et al. "Embarrassingly simple binary representation learning".
       ICCV workshops 2019.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import jmlh_loss
    >>> jmlh_loss(torch.zeros(2, 4), torch.tensor([0, 1]), lambda codes: 0 * codes)
    tensor(1.3863)
    """
    check_option("multilabel_loss", multilabel_loss, ("softmax", "sigmoid"))
    p = torch.sigmoid(z)
    logits = classifier(bernoulli_codes(p, thresholds))
    if targets.ndim == 2 and multilabel_loss == "sigmoid":
        likelihood = F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))
    else:
        likelihood = soft_cross_entropy(logits, targets)
    p = p.clamp(_SMALLEST, 1 - _SMALLEST)
    divergence = (p * (2 * p).log() + (1 - p) * (2 * (1 - p)).log()).sum(dim=1).mean()
    return likelihood + kl_weight * divergence


class JMLHLoss(nn.Module):
    """`jmlh_loss` with its linear classifier.

    Parameters
    ----------
    bits : int
        Code length.
    n_classes : int
        Number of classes.
    random : bool, default=True
        Whether codes are drawn at random, as in the paper, or are the most probable ones, as in the authors' code.
    **options
        Keyword arguments of `jmlh_loss`.

    Attributes
    ----------
    classifier : nn.Linear
        From codes of 0 and 1 to logits. `skhash.nn.build` draws its weights from a generator.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import JMLHLoss
    >>> from skhash.nn import build
    >>> generator = torch.Generator().manual_seed(0)
    >>> loss = build(JMLHLoss, bits=16, n_classes=4, generator=generator)
    >>> bool(loss(torch.zeros(2, 16), torch.tensor([0, 3]), generator=generator) > 0)
    True
    """

    classifier: nn.Linear
    random: bool
    options: dict[str, Any]

    def __init__(self, bits: int, n_classes: int, *, random: bool = True, **options: Any) -> None:
        super().__init__()
        self.classifier = nn.Linear(bits, n_classes)
        self.random = random
        self.options = options

    def forward(self, z: Tensor, targets: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        generator : torch.Generator, default=None
            Source of the draws of codes; None draws from torch's global state.

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        thresholds = torch.rand(z.shape, generator=generator).to(z) if self.random else 0.5
        return jmlh_loss(z, targets, self.classifier, thresholds, **self.options)

    def class_scores(self, z: Tensor) -> Tensor:
        """Compute the logits (n, n_classes) of the most probable codes of continuous codes `z` (n, bits)."""
        return self.classifier((z >= 0).to(z.dtype))
