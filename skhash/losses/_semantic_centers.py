"""ODH's adaptive hash centers, which a small network computes from embeddings of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.nn import sign_ste
from skhash.utils import check_option

if TYPE_CHECKING:
    from typing import Self

CENTER_SAMPLING: tuple[str, ...] = ("threshold", "bernoulli")


class SemanticCenters(nn.Module):
    r"""Network from class embeddings to binary hash centers, which are semantic and adaptive.

    For the embedding :math:`W_l` of class l,

    .. math:: p_l = \sigma(\operatorname{MLP}(W_l)), \qquad c_l = \operatorname{sgn}(p_l - \tfrac12)

    with one hidden layer. The gradient passes the sign as if it were the identity, and reaches network and embeddings:
    similar classes may get similar centers, and centers move to where codes can follow.

    Parameters
    ----------
    in_features : int
        Length of an embedding.
    bits : int
        Code length.
    hidden : int, default=None
        Number of units of the hidden layer; None means `in_features`.
    sampling : {"threshold", "bernoulli"}, default="threshold"
        How bits are chosen from probabilities: "threshold" is the equation, as in the authors' code; "bernoulli" draws
        them in training, as in the paper's framework figure, and applies the threshold in evaluation.
    normalize : bool, default=False
        Whether to subtract the mean of the embeddings and to scale all to the same length, so that classes differ in
        direction.

    References
    ----------
    .. [1] L. He et al. "One-bit deep hashing". ACM MM 2024, framework figure and the authors' code.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import SemanticCenters
    >>> from skhash.nn import build
    >>> generator = torch.Generator().manual_seed(0)
    >>> module = build(SemanticCenters, 8, 4, generator=generator)
    >>> embeddings = torch.randn(3, 8, generator=generator)
    >>> wanted = torch.tensor([[1, 1, -1, -1], [1, -1, 1, -1], [-1, 1, 1, -1]])
    >>> bool((module.start_at(embeddings, wanted)(embeddings) == wanted).all())
    True
    """

    sampling: Literal["threshold", "bernoulli"]
    normalize: bool
    hidden: nn.Linear
    out: nn.Linear

    def __init__(
        self,
        in_features: int,
        bits: int,
        hidden: int | None = None,
        *,
        sampling: Literal["threshold", "bernoulli"] = "threshold",
        normalize: bool = False,
    ) -> None:
        super().__init__()
        check_option("sampling", sampling, CENTER_SAMPLING)
        self.sampling = sampling
        self.normalize = normalize
        self.hidden = nn.Linear(in_features, in_features if hidden is None else hidden)
        self.out = nn.Linear(self.hidden.out_features, bits)

    def probabilities(self, embeddings: Tensor) -> Tensor:
        """Compute the probabilities (n_classes, bits) that bits are +1."""
        return torch.sigmoid(self.out(self._hidden(embeddings)))

    def _hidden(self, embeddings: Tensor) -> Tensor:
        if self.normalize:
            length = embeddings.shape[1] ** 0.5  # that of a vector of ones, so that values keep a scale of about 1
            embeddings = F.normalize(embeddings - embeddings.mean(dim=0)) * length
        return self.hidden(embeddings).relu()

    def threshold(self, embeddings: Tensor) -> Tensor:
        """Compute the centers (n_classes, bits) whose bits are the more probable ones."""
        return sign_ste(self.probabilities(embeddings) - 0.5)

    def forward(self, embeddings: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Compute centers (n_classes, bits) of -1 and +1 from embeddings (n_classes, in_features)."""
        if self.sampling == "threshold" or not self.training:
            return self.threshold(embeddings)
        p = self.probabilities(embeddings)
        return sign_ste(p - torch.rand(p.shape, generator=generator).to(p))

    @torch.no_grad()
    def start_at(self, embeddings: Tensor, centers: Tensor, scale: float = 1.0) -> Self:
        """Set the last layer so that given embeddings have given centers.

        It is the least-squares solution of minimum norm for which the values before the sigmoid are `scale` times the
        centers. The solution is exact if the hidden layer's outputs for the embeddings are linearly independent, which
        needs at least as many units as classes.

        Parameters
        ----------
        embeddings : Tensor of shape (n_classes, in_features)
            Embeddings.
        centers : Tensor of shape (n_classes, bits)
            Entries -1 or +1.
        scale : float, default=1.0
            Distance of each bit from a change of its sign: with larger values, centers move more slowly.

        Returns
        -------
        self : SemanticCenters
            The module itself.
        """
        hidden = self._hidden(embeddings).double()
        units = F.pad(hidden, (0, 1), value=1.0)  # a unit that is always 1, whose weights are the bias
        # gelsd, because the default driver requires full rank.
        solved = torch.linalg.lstsq(units, scale * centers.to(units), driver="gelsd").solution
        self.out.weight.copy_(solved[:-1].T)
        self.out.bias.copy_(solved[-1])
        return self
