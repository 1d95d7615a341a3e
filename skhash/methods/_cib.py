"""CIBHash: two views of a sample get like codes, other samples unlike ones.

Qiu, Su, Ou, Yu, Chen, "Unsupervised hashing with contrastive information bottleneck", IJCAI 2021.
"""

from numbers import Integral, Real

from skhash.losses import CIBLoss
from skhash.methods._unsupervised import UnsupervisedHasher
from skhash.nn import HiddenHead
from skhash.training import Recipe, adapt_to_features
from skhash.utils import Interval


class CIBHasher(UnsupervisedHasher):
    r"""Contrastive hashing with an information bottleneck: codes that survive a change of the sample.

    Of every sample two random views are made, such as crops of an image in changed colours. Their binary codes shall be
    more like each other than like those of any other sample's view, and the probabilities of their bits shall agree,
    which keeps out of the code what is true of one view only.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    kl_weight : float, default=0.001
        Weight of the divergence between the views' probabilities, :math:`\beta` in the equation.
    temperature : float, default=0.3
        Of the contrastive part, :math:`\tau` in the equation.
    hidden_features : int, default=1024
        Width of the head's hidden layer.
    random_codes : bool, default=False
        Whether the codes in training are drawn, as in the paper, or the most probable ones, as in the authors' code.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    SDCHasher : Keeps the order of the samples' similarities; may add the same contrastive part.
    skhash.losses.cib_loss : The loss alone.

    Notes
    -----
    With the continuous codes :math:`v_1 \dots v_{2N}` of two views each of N samples, where i' is the other view of i's
    sample,

    .. math::

        L = -\frac{1}{2N} \sum_i \log \frac{e^{\cos(b_i, b_{i'}) / \tau}}{\sum_{j \ne i} e^{\cos(b_i, b_j) / \tau}}
        + \frac{\beta}{2N} \sum_i \operatorname{KL}(p_i \,\|\, \bar p_{i'}), \qquad
        p = \sigma(v), \quad b = \operatorname{sgn}(p - \tfrac{1}{2})

    The gradient passes from b to p as if they were equal, and not at all into what has a bar. What the views change
    decides what the codes keep: see `views`.

    ``recipe="paper"`` is the authors' for images of CIFAR-10, whose backbone is VGG-16 with frozen weights.

    References
    ----------
    .. [1] Z. Qiu, Q. Su, Z. Ou, J. Yu, C. Chen. "Unsupervised hashing with contrastive information bottleneck".
       IJCAI 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import CIBHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = CIBHasher(bits=32, random_state=0).fit(X[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.6
    True
    """

    _compares_views = True

    _parameter_constraints: dict = {
        **UnsupervisedHasher._parameter_constraints,
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "hidden_features": [Interval(Integral, 1, None, closed="left")],
        "random_codes": ["boolean"],
    }

    _recipes = {
        "skhash": adapt_to_features(max_epochs=12, batch_size=64),
        "paper": Recipe(max_epochs=60, batch_size=64, backbone_lr_ratio=0.0, schedule="constant", weight_decay=0.0),
    }

    def __init__(
        self, bits=64, *, kl_weight=0.001, temperature=0.3, hidden_features=1024, random_codes=False, **training
    ):
        super().__init__(bits, **training)
        self.kl_weight = kl_weight
        self.temperature = temperature
        self.hidden_features = hidden_features
        self.random_codes = random_codes

    def _make_head(self, in_features):
        return HiddenHead(in_features, self.bits, hidden_features=self.hidden_features)

    def _make_criterion(self, labels, random_state):
        return CIBLoss(random=self.random_codes, kl_weight=self.kl_weight, temperature=self.temperature)

    def _loss(self, network, batch):
        z, others = (network(batch.view(), batch.generator) for _ in range(2))
        return network.criterion(z, others, **batch.extra_arguments(network.criterion))
