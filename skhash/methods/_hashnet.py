"""HashNet: the likelihood of pairs of tanh codes, sharpened during training until they are signs.

Cao, Long, Wang, Yu, "HashNet: deep learning to hash by continuation", ICCV 2017.
"""

from numbers import Integral, Real

from skhash.deep import DeepHasher
from skhash.losses import HashNetLoss
from skhash.training import Recipe, Steps
from skhash.utils import Interval, StrOptions


class HashNetHasher(DeepHasher):
    r"""Hashing by continuation: a smooth problem that becomes the binary one while it is being solved.

    Two samples are similar if they share a label. The inner product of their codes says how probable that is, and
    training makes the labels probable. Codes pass through a tanh, which is made steeper over the epochs, so that the
    loss sees values ever nearer to the signs that will be used. Similar pairs are few among all pairs, so both kinds
    are weighted.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    pairs : {"batch", "halves", "memory"}, default="batch"
        What is compared: all samples of a batch; its first half with its second, as in the authors' code; or a batch
        with the latest code of every training sample, as in the figures that were published for DeepHash-pytorch.
    alpha : {"10/bits"} or float, default=0.1
        Scale of the inner product. "10/bits" is the authors', DeepHash-pytorch has 0.1, OrthoHash's baselines 1.
    class_weight : {"balanced"}, float or None, default="balanced"
        Weight of similar against dissimilar pairs: the same for both kinds together, as in ports; a number to multiply
        each similar pair by, which the authors set per data set; or none.
    beta_every : int, default=20
        Epochs until the tanh becomes steeper.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    LowerBoundHasher : Brings the codes of a class together.
    skhash.losses.hashnet_loss : The loss alone.

    Notes
    -----
    With continuous codes v, and s = 1 for pairs that share a label, a weighted mean over pairs

    .. math::
        L = \operatorname{wmean}_{ij} \; \log(1 + e^{d_{ij}}) - s_{ij} d_{ij}, \qquad
        d_{ij} = \alpha \tanh(\beta v_i) \cdot \tanh(\beta v_j), \qquad
        \beta = \sqrt{1 + \lfloor \text{epoch} / 20 \rfloor}

    The authors count batches in place of epochs, 200 of theirs. Their 10,000 batches are 72 epochs of the 10,000
    training images of MS-COCO in ``recipe="paper"``, to which belong ``pairs="halves"`` and ``alpha="10/bits"``.

    References
    ----------
    .. [1] Z. Cao, M. Long, J. Wang, P. S. Yu. "HashNet: deep learning to hash by continuation". ICCV 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, HashNetHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = HashNetHasher(bits=32, learning_rate=0.01, max_epochs=20, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **DeepHasher._parameter_constraints,
        "pairs": [StrOptions({"batch", "halves", "memory"})],
        "alpha": [StrOptions({"10/bits"}), Interval(Real, 0, None, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), Interval(Real, 0, None, closed="neither"), None],
        "beta_every": [Interval(Integral, 1, None, closed="left")],
    }

    _recipes = {
        "paper": Recipe(
            max_epochs=72,
            batch_size=72,
            optimizer="sgd",
            learning_rate=3e-3,
            backbone_lr_ratio=0.1,
            schedule=Steps(factor=0.5, at=(0.2, 0.4, 0.6, 0.8)),
        )
    }

    def __init__(self, bits=64, *, pairs="batch", alpha=0.1, class_weight="balanced", beta_every=20, **training):
        super().__init__(bits, **training)
        self.pairs = pairs
        self.alpha = alpha
        self.class_weight = class_weight
        self.beta_every = beta_every

    def _make_criterion(self, labels, random_state):
        return HashNetLoss(self.pairs, beta_every=self.beta_every, alpha=self.alpha, class_weight=self.class_weight)
