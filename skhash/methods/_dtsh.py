"""DTSH: the likelihood of triplets, an anchor nearer to a similar sample than to a dissimilar one.

Wang, Shi, Kitani, "Deep supervised hashing with triplet labels", ACCV 2016.
"""

from numbers import Real

from skhash.deep import DeepHasher
from skhash.losses import DTSHLoss
from skhash.training import Recipe, Steps
from skhash.utils import Interval, StrOptions


class DTSHHasher(DeepHasher):
    r"""Hashing of triplets: what counts is which of two samples is nearer, not how near.

    Every sample of a batch is an anchor, with the samples that share a label with it on one side and all others on the
    other. The inner product with each of the former should exceed that with each of the latter by a margin. A second
    term pulls codes to their signs.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    margin : float or {"bits/2"}, default=5.0
        By how much: :math:`\alpha` in the equations. "bits/2" in the paper, 5 in ports.
    scale : float, default=1.0
        Factor of the inner products: c in the equations. 0.5 in the paper, 1 in ports.
    self_positives : bool, default=True
        Whether an anchor is among the samples similar to it, as in ports. Not so in the paper.
    quantization_weight : float, default=1.0
        Weight of the second term: :math:`\lambda`. 1 in ports; the authors' 100 stands beside sums and is 0.0044 times
        the bits here.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    HashNetHasher : Compares pairs.
    skhash.losses.dtsh_loss : The loss alone.

    Notes
    -----
    For anchors q with similar samples p and dissimilar samples n of the batch, and continuous codes u,

    .. math::
        L = \operatorname{mean}_q \operatorname{mean}_{p,n} \log(1 + e^{-T_{qpn}})
        + \lambda \operatorname{mean}_{ik} (u_{ik} - \operatorname{sgn} u_{ik})^2, \qquad
        T_{qpn} = \theta_{qp} - \theta_{qn} - \alpha, \quad \theta_{ij} = c \, u_i \cdot u_j

    The authors draw triplets from the codes of all training samples, and their gradient is a sum over those of an
    anchor, of which only the anchor gets one. ``recipe="paper"`` is how they trained, with a learning rate for such
    sums: the means here learn more slowly with it.

    References
    ----------
    .. [1] X. Wang, Y. Shi, K. M. Kitani. "Deep supervised hashing with triplet labels". ACCV 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import DTSHHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DTSHHasher(bits=32, learning_rate=0.01, max_epochs=20, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **DeepHasher._parameter_constraints,
        "margin": [StrOptions({"bits/2"}), Interval(Real, 0, None, closed="left")],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "self_positives": ["boolean"],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
    }

    _recipes = {"paper": Recipe(optimizer="sgd", learning_rate=5e-4, schedule=Steps(factor=2 / 3, every=20))}

    def __init__(self, bits=64, *, margin=5.0, scale=1.0, self_positives=True, quantization_weight=1.0, **training):
        super().__init__(bits, **training)
        self.margin = margin
        self.scale = scale
        self.self_positives = self_positives
        self.quantization_weight = quantization_weight

    def _make_criterion(self, labels, random_state):
        return DTSHLoss(
            margin=self.margin,
            scale=self.scale,
            self_positives=self.self_positives,
            quantization_weight=self.quantization_weight,
        )
