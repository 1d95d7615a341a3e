"""DSDH: pair likelihood of continuous codes, and a linear classifier on binary codes, both solved for between epochs.

Li, Sun, He, Tan, "Deep supervised discrete hashing", NeurIPS 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from skhash.losses._classification import to_multi_hot
from skhash.losses._dpsh import dpsh_loss
from skhash.losses._pairing import Pairing, written_tensors
from skhash.nn import sign
from skhash.utils import check_option

if TYPE_CHECKING:
    from skhash.losses._pairing import RowsLike


# Bits that are updated one by one between two matrix products.
_BLOCK_BITS = 16


def dsdh_loss(
    z: Tensor,
    targets: Tensor,
    codes: Tensor,
    classifier: Tensor,
    z2: Tensor | None = None,
    targets2: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    classification_weight: float = 0.01,
    ridge_weight: float = 1.0,
    quantization_weight: float = 0.01,
    scale: float | Literal["2.5/bits"] = 0.5,
) -> Tensor:
    r"""Compute the objective of DSDH, every term a mean.

    .. math::
        L_{\text{DPSH}} + \mu \operatorname{mean}_{il} (y_{il} - W_l^\top b_i)^2 + \nu \operatorname{mean} W^2
        + \eta \operatorname{mean}_{ik} (b_{ik} - u_{ik})^2

    The network's gradient comes from the first and the last term; `codes` b and `classifier` W are solved for, see
    `dsdh_codes` and `dsdh_classifier`.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes, the u above.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels y.
    codes : Tensor of shape (n, bits)
        Binary codes, -1 or +1.
    classifier : Tensor of shape (bits, n_classes)
        Weights of the linear classifier.
    z2 : Tensor of shape (m, bits), default=None
        See `dpsh_loss`.
    targets2 : Tensor of shape (m,) or (m, n_classes), default=None
        See `dpsh_loss`.
    mask : Tensor of bool of shape (m,), default=None
        See `dpsh_loss`.
    classification_weight : float, default=0.01
        The :math:`\mu` above.
    ridge_weight : float, default=1.0
        The :math:`\nu` above.
    quantization_weight : float, default=0.01
        The :math:`\eta` above. 0 trains as DPSH.
    scale : float or {"2.5/bits"}, default=0.5
        See `dpsh_loss`.

    Returns
    -------
    loss : Tensor
        Scalar.

    Notes
    -----
    The paper sums where this function averages. The default weights are those of a port that averages, too; its
    ImageNet experiments used 5, 5 and 2.

    References
    ----------
    .. [1] Q. Li, Z. Sun, R. He, T. Tan. "Deep supervised discrete hashing". NeurIPS 2017.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import dsdh_classifier, dsdh_loss
    >>> z, targets = torch.tensor([[0.9, -1.2], [-1.1, 1.0]]), torch.tensor([0, 1])
    >>> codes = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> classifier = dsdh_classifier(codes, torch.eye(2), ridge=1.0)
    >>> bool(dsdh_loss(z, targets, codes, classifier) > 0)
    True
    """
    multi_hot = to_multi_hot(targets, classifier.shape[1]).to(z.dtype)
    return (
        dpsh_loss(z, targets, z2, targets2, mask, scale=scale)
        + classification_weight * (multi_hot - codes @ classifier).square().mean()
        + ridge_weight * classifier.square().mean()
        + quantization_weight * (codes - z).square().mean()
    )


def dsdh_classifier(codes: Tensor, multi_hot: Tensor, ridge: float) -> Tensor:
    r"""Solve for the classifier of DSDH, :math:`W = (B^\top B + \rho I)^{-1} B^\top Y`.

    Parameters
    ----------
    codes : Tensor of shape (n, bits)
        Binary codes B, -1 or +1.
    multi_hot : Tensor of shape (n, n_classes)
        Labels Y as a 0/1 matrix.
    ridge : float
        The :math:`\rho` above, positive: :math:`\nu / \mu` of the objective.

    Returns
    -------
    classifier : Tensor of shape (bits, n_classes)
        The W that minimizes :math:`\lVert Y - B W \rVert^2 + \rho \lVert W \rVert^2`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import dsdh_classifier
    >>> dsdh_classifier(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]), torch.eye(2), ridge=1.0)
    tensor([[ 0.2000, -0.2000],
            [-0.2000,  0.2000]])
    """
    gram = codes.T @ codes
    gram.diagonal().add_(ridge)
    return torch.linalg.solve(gram, codes.T @ multi_hot.to(codes.dtype))


def dsdh_codes(
    codes: Tensor, z: Tensor, multi_hot: Tensor, classifier: Tensor, *, pull: float, sweeps: int = 1
) -> Tensor:
    r"""Improve the binary codes of DSDH by discrete cyclic coordinate descent.

    With the rest fixed, column k has a closed form. For labels Y and classifier W with rows :math:`w_k`,

    .. math::
        b_k \leftarrow \operatorname{sgn}((Y - B_{\setminus k} W_{\setminus k}) w_k + \rho \, u_k)

    Parameters
    ----------
    codes : Tensor of shape (n, bits)
        Start values: binary codes B, -1 or +1, or zeros.
    z : Tensor of shape (n, bits)
        Continuous codes U.
    multi_hot : Tensor of shape (n, n_classes)
        Labels Y as a 0/1 matrix.
    classifier : Tensor of shape (bits, n_classes)
        The W above.
    pull : float
        Weight of the continuous codes, the :math:`\rho` above: :math:`\eta / \mu` of the objective.
    sweeps : int, default=1
        Number of passes over the bits.

    Returns
    -------
    codes : Tensor of shape (n, bits)
        New codes. If it starts from binary codes, no step raises
        :math:`\lVert Y - B W \rVert^2 + \rho \lVert B - U \rVert^2`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import dsdh_codes
    >>> z = torch.tensor([[0.1, 0.1], [-0.1, -0.1]])
    >>> classifier = torch.tensor([[-0.5, 0.5], [0.5, -0.5]])
    >>> dsdh_codes(torch.zeros(2, 2), z, torch.eye(2), classifier, pull=1.0)
    tensor([[-1.,  1.],
            [ 1., -1.]])
    """
    # (Y - sum of the other b_j w_j) w_k = Y w_k - sum of b_j (w_j w_k): a Gram matrix replaces sums over classes, and
    # one product the sums over bits outside of a block. Bits are rows, so that each is contiguous.
    weights = classifier.to(codes.dtype)
    fixed = (multi_hot.to(codes.dtype) @ weights.T + pull * z).T.contiguous()
    gram = (weights @ weights.T).fill_diagonal_(0)
    bits = codes.T.clone(memory_format=torch.contiguous_format)
    for _ in range(sweeps):
        for start in range(0, len(bits), _BLOCK_BITS):
            block = slice(start, start + _BLOCK_BITS)
            within, old = gram[block, block], bits[block].clone()
            fields = torch.addmm(fixed[block], gram[block], bits, alpha=-1)
            changes = torch.empty_like(old)
            for i, field in enumerate(fields):
                # The earlier bits of the block have changed since the product.
                new = sign(torch.addmv(field, changes[:i].T, within[i, :i], alpha=-1))
                bits[start + i] = new
                torch.sub(new, old[i], out=changes[i])
    return bits.T


class DSDHLoss(nn.Module):
    """`dsdh_loss` with its classifier and binary codes.

    Parameters
    ----------
    bits : int
        Code length.
    n_classes : int
        Number of classes.
    pairs : {"memory", "batch"}, default="memory"
        "memory" compares a batch with the latest code of each training sample seen so far, and solves for all these
        codes and the classifier at the start of each epoch except the first, as in the paper. "batch" does both within
        each batch, as in the authors' code; the classifier is then that of the last batch.
    classification_weight : float, default=0.01
        See `dsdh_loss`.
    ridge_weight : float, default=1.0
        See `dsdh_loss`.
    quantization_weight : float, default=0.01
        See `dsdh_loss`.
    scale : float or {"2.5/bits"}, default=0.5
        See `dsdh_loss`.
    rounds : int, default=10
        Number of alternations between solving for the classifier and one sweep over the codes.

    Attributes
    ----------
    classifier : Tensor of shape (bits, n_classes)
        Weights W of the classifier, a buffer; 0 before the first batch.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import DSDHLoss
    >>> loss = DSDHLoss(bits=2, n_classes=2)
    >>> z, targets = torch.tensor([[0.9, -1.2], [-1.1, 1.0]]), torch.tensor([0, 1])
    >>> bool(loss(z, targets, epoch=0, rows=[0, 1]) > 0)
    True
    >>> loss.class_scores(z).argmax(dim=1)
    tensor([0, 1])
    """

    classifier: Tensor
    pairing: Pairing
    classification_weight: float
    ridge_weight: float
    quantization_weight: float
    rounds: int
    _epoch: int | None

    def __init__(
        self,
        bits: int,
        n_classes: int,
        pairs: Literal["memory", "batch"] = "memory",
        *,
        classification_weight: float = 0.01,
        ridge_weight: float = 1.0,
        quantization_weight: float = 0.01,
        scale: float | Literal["2.5/bits"] = 0.5,
        rounds: int = 10,
    ) -> None:
        super().__init__()
        check_option("pairs", pairs, ("memory", "batch"))
        if not classification_weight > 0:
            raise ValueError(f"classification_weight must be positive, got {classification_weight}.")
        self.register_buffer("classifier", torch.zeros(bits, n_classes))
        self.pairing = Pairing(pairs)
        self.classification_weight = classification_weight
        self.ridge_weight = ridge_weight
        self.quantization_weight = quantization_weight
        self.scale: float | Literal["2.5/bits"] = scale
        self.rounds = rounds
        self._epoch = None

    def forward(self, z: Tensor, targets: Tensor, *, epoch: int = 0, rows: RowsLike | None = None) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        epoch : int, default=0
            Number of finished epochs. Codes and classifier are solved for when it changes.
        rows : Tensor or ndarray of int of shape (n,), default=None
            Positions of the samples in the training set; needed for pairs="memory".

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        if self.pairing.pairs == "batch":
            arguments = self.pairing(z, targets)
            codes = self._solve(sign(z), z.detach(), targets, self.rounds)
        else:
            memory = self.pairing.memory
            n_seen = memory.n_seen
            if n_seen and epoch != self._epoch:
                self._solve_memory(self.rounds)
            self._epoch = epoch
            arguments = self.pairing(z, targets, rows)
            if memory.n_seen > n_seen:  # new codes, which the classifier was not solved for
                self._solve_memory(rounds=0)
            codes = written_tensors(memory)[0][torch.as_tensor(rows, device=z.device)]
        return dsdh_loss(
            *arguments[:2],
            codes,
            self.classifier.to(z.dtype),
            *arguments[2:],
            classification_weight=self.classification_weight,
            ridge_weight=self.ridge_weight,
            quantization_weight=self.quantization_weight,
            scale=self.scale,
        )

    def _solve_memory(self, rounds: int) -> None:
        codes, z, targets, seen = written_tensors(self.pairing.memory)
        codes[seen] = self._solve(codes[seen], z[seen], targets[seen], rounds)

    def _solve(self, codes: Tensor, z: Tensor, targets: Tensor, rounds: int) -> Tensor:
        """Solve for classifier and codes `rounds` times, then for the classifier once more; return the codes."""
        multi_hot = to_multi_hot(targets, self.classifier.shape[1])
        ridge = self.ridge_weight / self.classification_weight
        pull = self.quantization_weight / self.classification_weight
        for _ in range(rounds):
            previous = codes
            codes = dsdh_codes(codes, z, multi_hot, dsdh_classifier(codes, multi_hot, ridge), pull=pull)
            if torch.equal(codes, previous):
                break  # the next classifier, and with it the next codes, would be the same
        self.classifier.copy_(dsdh_classifier(codes, multi_hot, ridge))
        return codes

    def class_scores(self, z: Tensor) -> Tensor:
        """Compute the classifier's outputs (n, n_classes) for the signs of continuous codes `z` (n, bits)."""
        return sign(z) @ self.classifier.to(z.dtype)
