"""SDC: similarities of codes keep the order of the features' similarities and follow a chosen distribution.

Ng, Zhu, Hoe, Chan, Zhang, Song, Xiang, "Unsupervised hashing with similarity distribution calibration", BMVC 2023.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from skhash.losses._ntxent import nt_xent_loss
from skhash.losses._quantization import cosine_quantization_loss
from skhash.losses._similarity import check_same_rows, half_cosines
from skhash.utils import check_option

_GAUSSIAN = stats.norm(scale=0.3)  # truncated to [-1, 1] below

Distribution: TypeAlias = Any  # "beta", "gaussian" or a frozen distribution of scipy.stats, whose class is private


def sdc_targets(n: int, distribution: Distribution = "beta", *, alpha: float = 5.0, beta: float = 5.0) -> Tensor:
    r"""Compute the similarities that n pairs of codes should have, in ascending order.

    .. math:: C_p = 2 F^{-1} \left( \frac{2p - 1}{2n} \right) - 1, \qquad p = 1 \ldots n

    with the distribution function F of a distribution on [0, 1].

    Parameters
    ----------
    n : int
        Number of pairs.
    distribution : {"beta", "gaussian"} or frozen scipy.stats distribution, default="beta"
        "beta" is :math:`\operatorname{Beta}(\alpha, \beta)`, "gaussian" is :math:`N(0, 0.3^2)`. A distribution on a
        bounded interval is stretched to [-1, 1]; an unbounded one is truncated to [-1, 1].
    alpha, beta : float, default=5.0
        Shape of "beta", positive: large values concentrate similarities near 0, values below 1 near -1 and 1.

    Returns
    -------
    targets : Tensor of float64 of shape (n,)
        From -1 to 1.

    Raises
    ------
    ValueError
        If `n` or a shape is not positive, or the distribution has no probability within [-1, 1].
    TypeError
        If `distribution` is something else.

    References
    ----------
    .. [1] K. W. Ng et al. "Unsupervised hashing with similarity distribution calibration". BMVC 2023, algorithm 1,
       which omits the stretching; the authors' code and their Gaussian "bounded within [-1, 1]" include it.

    Examples
    --------
    >>> from scipy import stats
    >>> from skhash.losses import sdc_targets
    >>> sdc_targets(4, stats.uniform())
    tensor([-0.7500, -0.2500,  0.2500,  0.7500], dtype=torch.float64)
    """
    return _targets(n, distribution, alpha, beta).clone()


@lru_cache(maxsize=64)
def _targets(n: int, distribution: Distribution, alpha: float, beta: float) -> Tensor:
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    share = (2 * np.arange(n) + 1) / (2 * n)
    distribution = _as_frozen(distribution, alpha, beta)
    low, high = distribution.support()
    if np.isfinite([low, high]).all():
        return torch.from_numpy(2 * (distribution.ppf(share) - low) / (high - low) - 1)
    below, within = distribution.cdf(-1), distribution.cdf(1) - distribution.cdf(-1)
    if not within > 0:
        raise ValueError(f"distribution must have some probability within [-1, 1], got {_name(distribution)}.")
    # Quantiles of a truncated distribution: those of the whole one, between its probabilities at -1 and 1.
    return torch.from_numpy(distribution.ppf(below + share * within).clip(-1, 1))


def _as_frozen(distribution: Distribution, alpha: float, beta: float) -> Any:
    if isinstance(distribution, str):
        check_option("distribution", distribution, ("beta", "gaussian"))
        if distribution == "gaussian":
            return _GAUSSIAN
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}.")
        return stats.beta(alpha, beta)
    if not isinstance(distribution, stats.distributions.rv_frozen):
        raise TypeError(
            "distribution must be 'beta', 'gaussian' or a frozen scipy.stats distribution such as "
            f"scipy.stats.arcsine(), got {distribution!r}."
        )
    return distribution


def _name(distribution: Any) -> str:
    return f"{distribution.dist.name}{distribution.args or ''}"


def sdc_loss(
    z: Tensor,
    reference: Tensor,
    other: Tensor | None = None,
    other_reference: Tensor | None = None,
    *,
    distribution: Distribution = "beta",
    alpha: float = 5.0,
    beta: float = 5.0,
    clip_targets: bool = False,
    loss: Literal["l1", "l2", "one_sided"] = "l1",
) -> Tensor:
    r"""Compute the distance of code similarities from targets in the order of the features' similarities.

    .. math:: \operatorname{mean}_p \, | s_p - C_p |

    where the pairs p of `half_cosines` are sorted by the cosine of their features, s is the cosine of their continuous
    codes, and the targets C are those of `sdc_targets`.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes.
    reference : Tensor of shape (n, d)
        Features of the same samples; only the order of their cosines matters. They get no gradient.
    other, other_reference : Tensor, default=None
        Codes and features of another view (a random augmentation) of the samples. Pairs are formed within each view and
        ranked together.
    distribution, alpha, beta : str or frozen scipy.stats distribution, and two floats
        See `sdc_targets`.
    clip_targets : bool, default=False
        Whether negative targets become 0, so that dissimilar samples get orthogonal instead of opposite codes.
    loss : {"l1", "l2", "one_sided"}, default="l1"
        The mean of the absolute differences as above, of their squares, or of the excess :math:`\max(s - C, 0)`.

    Returns
    -------
    loss : Tensor
        Scalar.

    Raises
    ------
    ValueError
        If an option is unknown, or if the numbers of rows differ or are less than two.

    References
    ----------
    .. [1] K. W. Ng et al. "Unsupervised hashing with similarity distribution calibration". BMVC 2023, algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import sdc_loss
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])  # cosines 1 and -1
    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.9, 0.1], [0.1, 0.9]])
    >>> bool(sdc_loss(z, features) < sdc_loss(z, features[[1, 0, 3, 2]]))
    True
    """
    check_option("loss", loss, ("l1", "l2", "one_sided"))
    similarity, known = _pair_similarities(z, reference)
    if other is not None:
        assert other_reference is not None
        similarity, known = (
            torch.cat(both)
            for both in zip((similarity, known), _pair_similarities(other, other_reference), strict=True)
        )
    # A stable sort, because the order of equal similarities would otherwise be undefined.
    difference = similarity[known.argsort(stable=True)]
    targets = _targets(len(difference), distribution, alpha, beta).to(z)
    difference = difference - (targets.clamp(min=0) if clip_targets else targets)
    if loss == "l2":
        return difference.square().mean()
    return (difference.abs() if loss == "l1" else difference.relu()).mean()


def _pair_similarities(z: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    check_same_rows(z, reference)
    reference = reference.detach()
    # Cosines of features that are far from 0 are so near to 1 that single precision loses their order.
    return half_cosines(z), half_cosines(reference if reference.device.type == "mps" else reference.double())


class SDCLoss(nn.Module):
    r"""SDC's complete loss.

    .. math:: L_{sdc} + \lambda_q \operatorname{mean}_i (1 - \cos(v_i, \operatorname{sgn} v_i)) + \lambda_{cl} L_{cl}

    with `sdc_loss`, `cosine_quantization_loss` over the whole batch, and `nt_xent_loss` of two views (random
    augmentations of a sample).

    Parameters
    ----------
    quantization_weight : float, default=1.0
        The :math:`\lambda_q` above.
    contrastive_weight : float, default=0.0
        The :math:`\lambda_{cl}` above. Unless it is 0, two views of the samples are needed.
    temperature : float, default=0.3
        Temperature of `nt_xent_loss`.
    **options
        Keyword arguments of `sdc_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import SDCLoss
    >>> generator = torch.Generator().manual_seed(0)
    >>> z, features = torch.randn(8, 16, generator=generator), torch.randn(8, 4, generator=generator)
    >>> bool(SDCLoss()(z, features) > SDCLoss(quantization_weight=0.0)(z, features))
    True
    """

    quantization_weight: float
    contrastive_weight: float
    temperature: float
    options: dict[str, Any]

    def __init__(
        self,
        *,
        quantization_weight: float = 1.0,
        contrastive_weight: float = 0.0,
        temperature: float = 0.3,
        **options: Any,
    ) -> None:
        super().__init__()
        self.quantization_weight = quantization_weight
        self.contrastive_weight = contrastive_weight
        self.temperature = temperature
        self.options = options

    def forward(
        self, z: Tensor, reference: Tensor, other: Tensor | None = None, other_reference: Tensor | None = None
    ) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        reference : Tensor of shape (n, d)
            Features of the same samples.
        other, other_reference : Tensor, default=None
            Codes and features of another view of the samples.

        Returns
        -------
        loss : Tensor
            Scalar.

        Raises
        ------
        ValueError
            If there is a contrastive term but no other view.
        """
        if other is None and self.contrastive_weight:
            raise ValueError(
                f"contrastive_weight={self.contrastive_weight} needs another view of the samples, got None."
            )
        codes = z if other is None else torch.cat([z, other])
        loss = sdc_loss(z, reference, other, other_reference, **self.options)
        loss = loss + self.quantization_weight * cosine_quantization_loss(codes)
        if other is not None and self.contrastive_weight:
            loss = loss + self.contrastive_weight * nt_xent_loss(z, other, temperature=self.temperature)
        return loss
