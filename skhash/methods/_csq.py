"""CSQ: pull every code to the fixed center of its class, bit by bit.

Yuan, Wang, Zhang, Tay, Jie, Liu, Feng, "Central similarity quantization for efficient image and video retrieval",
CVPR 2020.
"""

from numbers import Real

from skhash.centers import CENTER_METHODS, make_hash_centers
from skhash.losses import CSQLoss
from skhash.methods._centers import CenterHasher
from skhash.nn import DeepHead, HashHead
from skhash.training import Recipe, Steps
from skhash.utils import Interval, StrOptions


class CSQHasher(CenterHasher):
    r"""Central similarity quantisation: the bits of a sample's class are its labels.

    Every class gets a binary code, its center, before training, far from all others. The bits of the center are then
    learnt like so many binary labels. A sample of several classes gets the bitwise majority of their centers.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    centers : str or array-like of shape (n_classes, bits), default="auto"
        {centers}
        "paper" is "hadamard", and "bernoulli" where there are no Hadamard centers.
    quantization_weight : float, default=1e-4
        Weight of the quantisation term, :math:`\lambda` in the equation. The authors take 0.05 with ResNet-50 and 1e-3
        with AlexNet (1e-4 for 64 bits), DeepHash-pytorch takes 1e-4, OrthoHash's authors take 1e-3.
    head : {"linear", "csq"}, default="linear"
        A linear layer, as in most comparisons; or the authors' head, which has two hidden layers as wide as the
        feature and a dropout of one half behind the first.
    {training_parameters}

    Attributes
    ----------
    {center_attributes}
    {training_attributes}

    See Also
    --------
    DPNHasher : A hinge on every bit.
    OrthoHasher : The cosine to the center instead of its bits.
    skhash.losses.csq_loss : The loss alone.

    Notes
    -----
    With continuous codes v, :math:`h = \tanh v` and target codes c' of entries -1 or +1,

    .. math::

        L = \operatorname{mean}_{ik} \operatorname{BCE}\big(\tfrac{h_{ik} + 1}{2}, \tfrac{c'_{ik} + 1}{2}\big)
        + \lambda \operatorname{mean}_{ik} (|h_{ik}| - 1)^2, \qquad c'_i = \operatorname{sgn} \sum_l y_{il} c_l

    Where the sum is 0, the bit is that of one random vector, the same for all samples. The square is the authors' code;
    the paper has the logarithm of a hyperbolic cosine.

    To train as the authors did: ``recipe="paper", centers="paper", head="csq", quantization_weight=0.05``. They keep
    the best of many evaluations on the test queries; here the last epoch is what you get, or the best on held-out
    training data with `early_stopping`.

    References
    ----------
    .. [1] L. Yuan, T. Wang, X. Zhang, F. E. H. Tay, Z. Jie, W. Liu, J. Feng. "Central similarity quantization for
       efficient image and video retrieval". CVPR 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import CSQHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = CSQHasher(bits=32, max_epochs=50, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **CenterHasher._parameter_constraints,
        "centers": [StrOptions({*CENTER_METHODS, "paper"}), "array-like"],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
        "head": [StrOptions({"linear", "csq"})],
    }

    _recipes = {
        "paper": Recipe(
            max_epochs=90, batch_size=64, backbone_lr_ratio=0.01, schedule=Steps(0.7, every=10), weight_decay=0.0
        )
    }

    _keeps_own_loss = False

    def __init__(self, bits=64, *, centers="auto", quantization_weight=1e-4, head="linear", **training):
        super().__init__(bits, **training)
        self.centers = centers
        self.quantization_weight = quantization_weight
        self.head = head

    def _make_head(self, in_features):
        return DeepHead(in_features, self.bits) if self.head == "csq" else HashHead(in_features, self.bits, bias=True)

    def _make_criterion(self, labels, random_state):
        centers = self._make_centers(labels, random_state)
        return CSQLoss(centers, self._draw_ties(random_state), quantization_weight=self.quantization_weight)

    def _draw_centers(self, n_classes, random_state):
        if self.centers != "paper":
            return super()._draw_centers(n_classes, random_state)
        try:
            return make_hash_centers(n_classes, self.bits, method="hadamard", random_state=random_state)
        except ValueError:
            return make_hash_centers(n_classes, self.bits, method="bernoulli", random_state=random_state)
