"""GreedyHash: classification from the sign of continuous codes, with a straight-through gradient.

Su, Zhang, Han, Tian, "Greedy hash: towards fast optimization for accurate hash coding in CNN", NeurIPS 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from skhash.losses._classification import soft_cross_entropy
from skhash.losses._similarity import similarity_loss
from skhash.nn import sign, sign_ste

if TYPE_CHECKING:
    from collections.abc import Callable


def greedy_penalty(z: Tensor, p: float = 3.0) -> Tensor:
    r"""Compute a penalty that keeps continuous codes near -1 and +1: :math:`\operatorname{mean} \big| |z| - 1 \big|^p`.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes.
    p : float, default=3.0
        Exponent.

    Returns
    -------
    penalty : Tensor
        Scalar.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import greedy_penalty
    >>> greedy_penalty(torch.tensor([[3.0, -1.0]]))
    tensor(4.)
    """
    return (z.abs() - 1).abs().pow(p).mean()


def greedy_hash_loss(
    z: Tensor,
    targets: Tensor,
    classifier: Callable[[Tensor], Tensor],
    *,
    penalty_weight: float = 0.1,
    p: float = 3.0,
) -> Tensor:
    r"""Compute the GreedyHash loss.

    .. math::
        \operatorname{CE}(\text{classifier}(\operatorname{sgn} z), y) + \alpha \operatorname{mean} \big||z| - 1\big|^p

    The gradient passes the sign as if it were the identity. The labels of a sample share its weight, see
    `soft_cross_entropy`.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    classifier : callable
        From binary codes (n, bits) to logits (n, n_classes).
    penalty_weight : float, default=0.1
        The :math:`\alpha` above: 0.1 on CIFAR-10, 1 on ImageNet and in OrthoHash's baselines.
    p : float, default=3.0
        Exponent of the penalty.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] S. Su, C. Zhang, K. Han, Y. Tian. "Greedy hash". NeurIPS 2018.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import greedy_hash_loss
    >>> z = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> greedy_hash_loss(z, torch.tensor([0, 1]), lambda codes: 5 * codes)
    tensor(4.5418e-05)
    """
    return soft_cross_entropy(classifier(sign_ste(z)), targets) + penalty_weight * greedy_penalty(z, p)


class GreedyHashLoss(nn.Module):
    """`greedy_hash_loss` with its linear classifier.

    Parameters
    ----------
    bits : int
        Code length.
    n_classes : int
        Number of classes.
    bias : bool, default=False
        Whether the classifier has a bias.
    train_classifier : bool, default=True
        Whether the classifier learns; ports before August 2022 published results with a random, fixed one.
    **options
        Keyword arguments of `greedy_hash_loss`.

    Attributes
    ----------
    classifier : nn.Linear
        From binary codes to logits. `skhash.nn.build` draws its weights from a generator.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import GreedyHashLoss
    >>> from skhash.nn import build
    >>> loss = build(GreedyHashLoss, bits=16, n_classes=4, generator=torch.Generator().manual_seed(0))
    >>> bool(loss(torch.ones(2, 16), torch.tensor([0, 3])) > 0)
    True
    """

    classifier: nn.Linear
    options: dict[str, Any]

    def __init__(
        self, bits: int, n_classes: int, *, bias: bool = False, train_classifier: bool = True, **options: Any
    ) -> None:
        super().__init__()
        self.classifier = nn.Linear(bits, n_classes, bias=bias).requires_grad_(train_classifier)
        self.options = options

    def forward(self, z: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) for class indices or multi-hot `targets`."""
        return greedy_hash_loss(z, targets, self.classifier, **self.options)

    def class_scores(self, z: Tensor) -> Tensor:
        """Compute the logits (n, n_classes) of the signs of continuous codes `z` (n, bits)."""
        return self.classifier(sign(z))


def greedy_similarity_loss(z: Tensor, reference: Tensor, *, penalty_weight: float = 0.1, p: float = 3.0) -> Tensor:
    r"""Compute the GreedyHash loss without labels.

    .. math::
        \operatorname{mean}_{ij} \big( \cos(b_i, b_j) - \cos(x_i, x_j) \big)^2
        + \alpha \operatorname{mean} \big||z| - 1\big|^p, \qquad b = \operatorname{sgn} z

    over the pairs i, j of `half_cosines`, see `similarity_loss`. The gradient passes the sign as if it were the
    identity.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes.
    reference : Tensor of shape (n, d)
        Features x of the same samples. They get no gradient.
    penalty_weight : float, default=0.1
        The :math:`\alpha` above.
    p : float, default=3.0
        Exponent of the penalty.

    Returns
    -------
    loss : Tensor
        Scalar.

    Raises
    ------
    ValueError
        If the numbers of rows differ or are less than two.

    References
    ----------
    .. [1] S. Su, C. Zhang, K. Han, Y. Tian. "Greedy hash". NeurIPS 2018, section 3.3.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import greedy_similarity_loss
    >>> z, features = torch.tensor([[1.0, -1.0], [-1.0, -1.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> greedy_similarity_loss(z, features)
    tensor(0.)
    """
    return similarity_loss(sign_ste(z), reference) + penalty_weight * greedy_penalty(z, p)


class GreedySimilarityLoss(nn.Module):
    """`greedy_similarity_loss` as a module without parameters.

    Parameters
    ----------
    **options
        Keyword arguments of `greedy_similarity_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import GreedySimilarityLoss
    >>> GreedySimilarityLoss()(torch.ones(2, 4), torch.eye(2))
    tensor(1.)
    """

    options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, z: Tensor, reference: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) for features (n, d) of the same samples."""
        return greedy_similarity_loss(z, reference, **self.options)
