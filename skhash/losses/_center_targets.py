"""Target codes of samples, from the hash centers of their classes."""

from __future__ import annotations

import torch
from torch import Tensor

from skhash.nn import sign


def center_targets(targets: Tensor, centers: Tensor, ties: Tensor | None = None) -> Tensor:
    r"""Return for each sample the center of its class, or the bitwise majority of the centers of its classes.

    Parameters
    ----------
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels y.
    centers : Tensor of shape (n_classes, bits)
        Hash centers c, entries -1 or +1.
    ties : Tensor of shape (bits,), default=None
        Value of a bit where :math:`\sum_l y_l c_l` is 0: -1 or +1, the same for all samples. A random vector keeps such
        bits balanced; None means +1.

    Returns
    -------
    codes : Tensor of shape (n, bits)
        Entries -1 or +1. A sample without labels gets `ties`.

    References
    ----------
    .. [1] L. Yuan et al. "Central similarity quantization for efficient image and video retrieval". CVPR 2020.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import center_targets
    >>> centers = torch.tensor([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]])
    >>> center_targets(torch.tensor([[1, 1]]), centers, ties=torch.tensor([-1.0, -1.0, 1.0]))
    tensor([[ 1., -1., -1.]])
    """
    if targets.ndim == 1:
        return centers[targets]
    sums = targets.to(centers.dtype) @ centers
    return sign(sums) if ties is None else torch.where(sums == 0, ties.to(sums.dtype), sign(sums))
