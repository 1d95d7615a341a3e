"""DPSH: the plain pair likelihood of inner products.

Li, Wang, Kang, "Feature learning based deep supervised hashing with pairwise labels", IJCAI 2016.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from skhash.losses._likelihood import likelihood_of_products


def dpsh_loss(
    z: Tensor,
    targets: Tensor,
    z2: Tensor | None = None,
    targets2: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    scale: float | Literal["2.5/bits"] = 0.5,
) -> Tensor:
    r"""Compute the pair likelihood of DPSH, the only term of DSDH with which DeepHash-pytorch trains.

    .. math::
        \operatorname{mean}_{ij} \; \log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij}, \qquad
        \theta_{ij} = c \, u_i \cdot u_j

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes, the u above.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels; s = 1 for pairs that share a label.
    z2 : Tensor of shape (m, bits), default=None
        Codes to compare `z` with; None compares `z` with itself, including pairs of a sample with itself.
    targets2 : Tensor of shape (m,) or (m, n_classes), default=None
        Labels of `z2`.
    mask : Tensor of bool of shape (m,), default=None
        Which rows of `z2` count.
    scale : float or {"2.5/bits"}, default=0.5
        The c above. 0.5 in the paper; then pairs of long codes are soon certain, and their gradients vanish.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] W.-J. Li, S. Wang, W.-C. Kang. "Feature learning based deep supervised hashing with pairwise labels".
       IJCAI 2016.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import dpsh_loss
    >>> dpsh_loss(torch.zeros(3, 16), torch.tensor([0, 0, 1]))
    tensor(0.6931)
    """
    return likelihood_of_products(z, targets, z2, targets2, mask, scale=scale)
