"""CIBHash: two views of a sample get similar codes, different samples get different codes.

Qiu, Su, Ou, Yu, Chen, "Unsupervised hashing with contrastive information bottleneck", IJCAI 2021.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Unpack

from skhash.losses import CIBLoss
from skhash.methods._instance import INSTANCE_RECIPE, InstanceRecipe
from skhash.nn import HashHead, HiddenHead
from skhash.training import Recipe, adapt_to_features
from skhash.utils import Interval

if TYPE_CHECKING:
    from torch import Tensor, nn

    from skhash.deep import TrainingContext
    from skhash.nn import HashNetwork
    from skhash.training import Batch, TrainingParameters


class CIBHasher(InstanceRecipe):
    r"""Contrastive hashing with an information bottleneck: codes that are robust to changes of the sample.

    Two random views (augmentations) of every sample are drawn, such as crops of an image in changed colors. The loss
    makes their binary codes more similar to each other than to the code of any other sample's view. It also makes the
    probabilities of their bits agree, which keeps information about only one of the views out of the code.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    kl_weight : float, default=0.001
        Weight of the divergence between the views' probabilities, :math:`\beta` in the equation.
    temperature : float, default=None
        Temperature of the contrastive part, :math:`\tau` in the equation. None is 0.3; 0.1 in the recipe "instance".
    hidden_features : int, default=None
        Width of the head's hidden layer. None is 1024, and no hidden layer in the recipe "instance".
    random_codes : bool, default=False
        Whether training draws the codes, as in the paper, or takes the most probable codes, as in the authors' code.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

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

    The gradient passes from b to p as if they were equal, and does not pass into terms with a bar. Codes ignore what
    the views change: see `views`.

    ``recipe="paper"`` is that of the authors for images of CIFAR-10; their backbone is VGG-16 with frozen weights.

    ``recipe="instance"`` is for features, where the same thing must come first and not others of its category. The loss
    remains. The head is linear and starts as `ITQHasher`, features are centered but not standardized, views are
    ``FeatureViews(0.2, 0.2)``, the temperature is 0.1, and 20 epochs of batches of 512 with a learning rate of 1e-4 and
    without dropout are enough. See :ref:`instances` for what it gains and costs.

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

    _parameter_constraints: dict[str, Any] = {
        **InstanceRecipe._parameter_constraints,
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither"), None],
        "hidden_features": [Interval(Integral, 1, None, closed="left"), None],
        "random_codes": ["boolean"],
    }

    _recipes = {
        "skhash": adapt_to_features(max_epochs=12, batch_size=64),
        "paper": Recipe(max_epochs=60, batch_size=64, backbone_lr_ratio=0.0, schedule="constant", weight_decay=0.0),
        "instance": INSTANCE_RECIPE,
    }

    _values = {"temperature": (0.3, 0.1), "hidden_features": (1024, None)}

    def __init__(
        self,
        bits: int = 64,
        *,
        kl_weight: float = 0.001,
        temperature: float | None = None,
        hidden_features: int | None = None,
        random_codes: bool = False,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.kl_weight = kl_weight
        self.temperature = temperature
        self.hidden_features = hidden_features
        self.random_codes = random_codes

    @property
    def _compares_views(self) -> bool:
        return True

    def _make_head(self, in_features: int) -> nn.Module:
        width = self._value("hidden_features")
        if width is None:
            return HashHead(in_features, self.bits, bias=True)
        return HiddenHead(in_features, self.bits, hidden_features=width)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return CIBLoss(random=self.random_codes, kl_weight=self.kl_weight, temperature=self._value("temperature"))

    def _loss(self, network: HashNetwork, batch: Batch) -> Tensor:
        z, others = (network(batch.view(), batch.generator) for _ in range(2))
        return network.criterion(z, others, **batch.extra_arguments(network.criterion))
