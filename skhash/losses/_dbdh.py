"""DBDH: pair likelihood on nearly discrete codes, and a penalty on codes that are not balanced.

Zheng, Zhang, Lu, "Deep balanced discrete hashing for image retrieval", Neurocomputing 403, 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from skhash.losses._likelihood import likelihood_of_products
from skhash.losses._pairing import Pairing
from skhash.nn import sign_ste
from skhash.utils import check_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from skhash.losses._pairing import RowsLike

_RELAX: dict[str, Callable[[Tensor], Tensor]] = {"clamp": lambda z: torch.clamp(z, -1, 1), "ste": sign_ste}


def dbdh_loss(
    z: Tensor,
    targets: Tensor,
    z2: Tensor | None = None,
    targets2: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    balance_weight: float = 0.1,
    p: float = 2.0,
    balance_axis: Literal["sample", "bit"] = "sample",
    relax: Literal["clamp", "ste"] = "clamp",
    scale: float | Literal["2.5/bits"] = 0.5,
) -> Tensor:
    r"""Compute the DBDH loss.

    .. math::
        \operatorname{mean}_{ij} (\log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij})
        + \alpha \operatorname{mean}_i |\operatorname{mean}_k u_{ik}|^p, \qquad \theta_{ij} = c \, u_i \cdot u_j

    with u the relaxed codes and s = 1 for pairs that share a label.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    z2 : Tensor of shape (m, bits), default=None
        Codes to compare `z` with; None compares `z` with itself, including pairs of a sample with itself.
    targets2 : Tensor of shape (m,) or (m, n_classes), default=None
        Labels of `z2`.
    mask : Tensor of bool of shape (m,), default=None
        Which rows of `z2` count.
    balance_weight : float, default=0.1
        The :math:`\alpha` above.
    p : float, default=2.0
        Exponent of the penalty.
    balance_axis : {"sample", "bit"}, default="sample"
        "sample" penalizes a code whose numbers of +1 and -1 differ, as in the equation and in the published results;
        "bit" penalizes a bit for which they differ over the batch, the usual meaning of balance.
    relax : {"clamp", "ste"}, default="clamp"
        How z becomes u: clamped to [-1, 1], where values outside get no gradient, or replaced by its sign with the
        identity as gradient, as the paper describes it.
    scale : float or {"2.5/bits"}, default=0.5
        The c above, see `dpsh_loss`.

    Returns
    -------
    loss : Tensor
        Scalar.

    Notes
    -----
    The paper was not available; formula and constants are those of DeepHash-pytorch, which published the results.

    References
    ----------
    .. [1] X. Zheng, Y. Zhang, X. Lu. "Deep balanced discrete hashing for image retrieval". Neurocomputing 403, 2020.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import dbdh_loss
    >>> dbdh_loss(torch.zeros(3, 16), torch.tensor([0, 0, 1]))
    tensor(0.6931)
    """
    check_option("relax", relax, tuple(_RELAX))
    check_option("balance_axis", balance_axis, ("sample", "bit"))
    codes = _RELAX[relax](z)
    codes2 = None if z2 is None else _RELAX[relax](z2)
    likelihood = likelihood_of_products(codes, targets, codes2, targets2, mask, scale=scale)
    balance = codes.mean(dim=1 if balance_axis == "sample" else 0).abs().pow(p).mean()
    return likelihood + balance_weight * balance


class DBDHLoss(nn.Module):
    """`dbdh_loss` with a choice of pairs.

    Parameters
    ----------
    pairs : {"batch", "halves", "memory"}, default="batch"
        See `Pairing`. The published results were obtained with "memory".
    **options
        Keyword arguments of `dbdh_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import DBDHLoss
    >>> DBDHLoss(relax="ste")(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]), torch.tensor([0, 1]))
    tensor(0.3133)
    """

    pairing: Pairing
    options: dict[str, Any]

    def __init__(self, pairs: Literal["batch", "halves", "memory"] = "batch", **options: Any) -> None:
        super().__init__()
        self.pairing = Pairing(pairs)
        self.options = options

    def forward(self, z: Tensor, targets: Tensor, *, rows: RowsLike | None = None) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        rows : Tensor or ndarray of int of shape (n,), default=None
            Positions of the samples in the training set; needed for pairs="memory".

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        return dbdh_loss(*self.pairing(z, targets, rows), **self.options)
