"""The core of unsupervised losses: similarities of features, and codes that are to keep them."""

import torch.nn.functional as F
from torch import Tensor, nn


def half_cosines(x: Tensor) -> Tensor:
    """Compute the cosine of each row of the first half of a batch with that of the second half in the same place.

    In a shuffled batch these are random pairs, each sample in one of them.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Features or codes. The last row of an odd number has no partner.

    Returns
    -------
    cosines : Tensor of shape (n // 2,)
        In [-1, 1]; 0 for a row of zeros.

    Raises
    ------
    ValueError
        If there are less than two rows.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import half_cosines
    >>> half_cosines(torch.tensor([[1.0, 1.0], [0.0, 2.0], [3.0, 3.0], [1.0, 0.0]]))
    tensor([1., 0.])
    """
    half = len(x) // 2
    if half == 0:
        raise ValueError(f"A batch must have at least 2 rows to make a pair, got {len(x)}.")
    return F.cosine_similarity(x[:half], x[half : 2 * half])


def similarity_loss(codes: Tensor, reference: Tensor) -> Tensor:
    r"""Compute how far the cosines of codes are from those of features, over the pairs i, j of `half_cosines`.

    .. math:: \operatorname{mean}_{ij} \big( \cos(b_i, b_j) - \cos(x_i, x_j) \big)^2

    It is the loss of BiHalf, and the greater part of GreedyHash without labels.

    Parameters
    ----------
    codes : Tensor of shape (n, bits)
        Codes b.
    reference : Tensor of shape (n, d)
        Features x of the same samples. No gradient passes.

    Returns
    -------
    loss : Tensor
        Scalar in [0, 4].

    Raises
    ------
    ValueError
        If the numbers of rows differ, or are less than two.

    References
    ----------
    .. [1] S. Su, C. Zhang, K. Han, Y. Tian. "Greedy hash: towards fast optimization for accurate hash coding in CNN".
       NeurIPS 2018.
    .. [2] Y. Li, J. van Gemert. "Deep unsupervised image hashing by maximizing bit entropy". AAAI 2021.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import similarity_loss
    >>> similarity_loss(torch.eye(2), torch.ones(2, 1))
    tensor(1.)
    """
    check_same_rows(codes, reference)
    return (half_cosines(codes) - half_cosines(reference.detach())).square().mean()


def check_same_rows(codes, reference):
    """Refuse codes and features that are not of the same samples."""
    if len(codes) != len(reference):
        raise ValueError(f"reference must have a row for each code, got {len(reference)} rows for {len(codes)} codes.")


class SimilarityLoss(nn.Module):
    """`similarity_loss` as a module without parameters.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import SimilarityLoss
    >>> SimilarityLoss()(torch.ones(2, 4), torch.eye(2))
    tensor(1.)
    """

    def __init__(self):
        super().__init__()

    def forward(self, codes: Tensor, reference: Tensor) -> Tensor:
        """Compute the loss of codes (n, bits) with features (n, d) of the same samples."""
        return similarity_loss(codes, reference)
