"""ODH's hash centers, which move: a small network makes them from embeddings of the classes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.nn import sign_ste
from skhash.utils import check_option

CENTER_SAMPLING = ("threshold", "bernoulli")


class SemanticCenters(nn.Module):
    r"""Binary hash centers of class embeddings, semantic and adaptive.

    For the embedding :math:`W_l` of class l

    .. math:: p_l = \sigma(\operatorname{MLP}(W_l)), \qquad c_l = \operatorname{sgn}(p_l - \tfrac12)

    with one hidden layer. Gradients pass the sign as if it were the identity, and reach network and embeddings: classes
    that are alike may get centers that are, and centers move to where codes can follow.

    Parameters
    ----------
    in_features : int
        Length of an embedding.
    bits : int
        Code length.
    hidden : int, default=None
        Units of the hidden layer; None is `in_features`.
    sampling : {"threshold", "bernoulli"}, default="threshold"
        How bits come of probabilities: "threshold" is the equation, as in the authors' code; "bernoulli" draws them in
        training, as in their figure, and takes the threshold in evaluation.
    normalize : bool, default=False
        Whether the network sees embeddings less their mean, all of one length, so that classes differ in direction.

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

    def __init__(self, in_features, bits, hidden=None, *, sampling="threshold", normalize=False):
        super().__init__()
        check_option("sampling", sampling, CENTER_SAMPLING)
        self.sampling = sampling
        self.normalize = normalize
        self.hidden = nn.Linear(in_features, in_features if hidden is None else hidden)
        self.out = nn.Linear(self.hidden.out_features, bits)

    def probabilities(self, embeddings: Tensor) -> Tensor:
        """Compute the probability of each bit (n_classes, bits) of being +1."""
        return torch.sigmoid(self.out(self._hidden(embeddings)))

    def _hidden(self, embeddings):
        if self.normalize:
            length = embeddings.shape[1] ** 0.5  # that of a vector of ones
            embeddings = F.normalize(embeddings - embeddings.mean(dim=0)) * length
        return self.hidden(embeddings).relu()

    def threshold(self, embeddings: Tensor) -> Tensor:
        """Make the centers (n_classes, bits) whose bits are the likelier ones."""
        return sign_ste(self.probabilities(embeddings) - 0.5)

    def forward(self, embeddings: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Make centers (n_classes, bits) of -1 and +1 from embeddings (n_classes, in_features)."""
        if self.sampling == "threshold" or not self.training:
            return self.threshold(embeddings)
        p = self.probabilities(embeddings)
        return sign_ste(p - torch.rand(p.shape, generator=generator).to(p))

    @torch.no_grad()
    def start_at(self, embeddings, centers, scale=1.0):
        """Choose the last layer so that given embeddings have given centers.

        It is the smallest one that gives `scale` times the centers before the sigmoid: exactly if what the hidden layer
        makes of the embeddings is linearly independent, for which it needs as many units as there are classes, and as
        closely as it can otherwise.

        Parameters
        ----------
        embeddings : Tensor of shape (n_classes, in_features)
            Embeddings.
        centers : Tensor of shape (n_classes, bits)
            Entries -1 or +1.
        scale : float, default=1.0
            How far from changing its sign each bit is: more is slower to move.

        Returns
        -------
        module : SemanticCenters
            The same.
        """
        hidden = self._hidden(embeddings).double()
        units = F.pad(hidden, (0, 1), value=1.0)  # and the bias
        solved = torch.linalg.lstsq(units, scale * centers.to(units), driver="gelsd").solution
        self.out.weight.copy_(solved[:-1].T)
        self.out.bias.copy_(solved[-1])
        return self
