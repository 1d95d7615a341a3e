"""The core of unsupervised losses: cosines of features, and codes that should have the same cosines."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Divide a batch into its first n // 2 rows and the rest, which is one row longer if n is odd.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Features, codes or targets.

    Returns
    -------
    first, second : Tensor
        Views of the rows.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    half = len(x) // 2
    if half == 0:
        raise ValueError(f"A batch must have at least 2 rows to make a pair, got {len(x)}.")
    return x[:half], x[half:]


def half_cosines(x: Tensor) -> Tensor:
    """Compute the cosine of each row of the first half of a batch and the corresponding row of the second half.

    In a shuffled batch these are random pairs, and each sample is in one of them.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Features or codes. If n is odd, the last row has no partner and is left out, as in the authors' codes.
        ``Pairing("halves")`` compares all rows of one half with all of the other instead.

    Returns
    -------
    cosines : Tensor of shape (n // 2,)
        In [-1, 1]; 0 for a row of zeros.

    Raises
    ------
    ValueError
        If there are fewer than two rows.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import half_cosines
    >>> half_cosines(torch.tensor([[1.0, 1.0], [0.0, 2.0], [3.0, 3.0], [1.0, 0.0]]))
    tensor([1., 0.])
    """
    first, second = halves(x)
    return F.cosine_similarity(first, second[: len(first)])


def similarity_loss(codes: Tensor, reference: Tensor) -> Tensor:
    r"""Compute the mean squared difference of code and feature cosines over the pairs i, j of `half_cosines`.

    .. math:: \operatorname{mean}_{ij} \big( \cos(b_i, b_j) - \cos(x_i, x_j) \big)^2

    This is the loss of BiHalf, and the main term of GreedyHash without labels.

    Parameters
    ----------
    codes : Tensor of shape (n, bits)
        Codes b.
    reference : Tensor of shape (n, d)
        Features x of the same samples. They get no gradient.

    Returns
    -------
    loss : Tensor
        Scalar in [0, 4].

    Raises
    ------
    ValueError
        If the numbers of rows differ or are less than two.

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


def check_same_rows(codes: Tensor, reference: Tensor) -> None:
    """Check that there is one row of features for each code."""
    if len(codes) != len(reference):
        raise ValueError(f"reference must have one row per code, got {len(reference)} rows for {len(codes)} codes.")


class SimilarityLoss(nn.Module):
    """`similarity_loss` as a module without parameters.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import SimilarityLoss
    >>> SimilarityLoss()(torch.ones(2, 4), torch.eye(2))
    tensor(1.)
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, codes: Tensor, reference: Tensor) -> Tensor:
        """Compute the loss of codes (n, bits) for features (n, d) of the same samples."""
        return similarity_loss(codes, reference)
