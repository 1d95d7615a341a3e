"""CopyHasher: codes that find an image again after it was cropped, compressed, written on or otherwise changed.

Pizzi, Roy, Ravindra, Goyal, Douze, "A self-supervised descriptor for image copy detection", CVPR 2022 (SSCD).
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Unpack

from skhash.deep import DeepHasher
from skhash.losses import CopyLoss
from skhash.nn import HashHead
from skhash.training import CopyViews, Recipe, adapt_to_features, resolve_views
from skhash.utils import Interval

if TYPE_CHECKING:
    from torch import Tensor, nn

    from skhash.deep import TrainingContext
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork
    from skhash.training import Batch, TrainingParameters


class CopyHasher(DeepHasher):
    r"""Detection of copies: an image and its changed copies get nearly the same code, all other images get others.

    Training needs no labels. Two random views of every image are drawn, changed as copies are on the way: cropped,
    mirrored, rotated, framed, overlaid by text, stickers or bars, in other colors, blurred or compressed. Their codes
    are made more similar to each other than to the code of any other image, before and after the sign. An estimate of
    the codes' entropy is maximized, so that few different images get similar codes by chance.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    temperature : float, default=0.1
        Temperature of the contrastive part, :math:`\tau` in the equation. The lower, the more the nearest other images
        count.
    binary_weight : float, default=0.5
        Share of the contrastive part that compares binary codes, :math:`\beta` in the equation, from 0 to 1.
    entropy_weight : float, default=0.1
        Weight of the entropy, :math:`\lambda` in the equation.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    CIBHasher : Compares views to find images of the same kind.
    skhash.training.CopyViews : The views.
    skhash.losses.copy_loss : The loss alone.

    Notes
    -----
    With the continuous codes :math:`v_1 \dots v_{2N}` of two views each of N images, where i' is the other view of i's
    image,

    .. math::

        L = (1 - \beta) \operatorname{C}(v) + \beta \operatorname{C}(\operatorname{sgn} v)
        - \frac{\lambda}{2N} \sum_i \log \min_{j \ne i, i'} \|\hat v_i - \hat v_j\|, \qquad
        \operatorname{C}(v) = -\frac{1}{2N} \sum_i \log \frac{e^{\cos(v_i, v_{i'}) / \tau}}
        {\sum_{j \ne i} e^{\cos(v_i, v_j) / \tau}}

    where :math:`\hat v` has length 1, and the minimum is over the same one of the two views. SSCD has no binary codes,
    and whitens its features after training. Here batch normalization balances the bits.

    ``backbone="auto"`` is "layout_cnn" for images, which standardizes each image by itself and keeps the places of what
    it sees. ``views="auto"`` is `CopyViews` for images, and `FeatureViews` for features, whose changes are unknown:
    the method is meant for images.

    References
    ----------
    .. [1] E. Pizzi, S. D. Roy, S. N. Ravindra, P. Goyal, M. Douze. "A self-supervised descriptor for image copy
       detection". CVPR 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import CopyHasher, HammingIndex
    >>> images = load_digits().images[:300]
    >>> hasher = CopyHasher(bits=32, max_epochs=20, random_state=0).fit(images)
    >>> index = HammingIndex().fit(hasher.transform(images))
    >>> darker = 0.8 * images
    >>> _, found = index.kneighbors(hasher.transform(darker), n_neighbors=1)
    >>> bool((found[:, 0] == range(300)).mean() > 0.6)
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **DeepHasher._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "binary_weight": [Interval(Real, 0, 1, closed="both")],
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
    }

    _needs_labels = False

    _recipes = {
        "skhash": (
            adapt_to_features(max_epochs=30)[0],
            Recipe(max_epochs=60, batch_size=256, learning_rate=2e-3, schedule="one_cycle", weight_decay=1e-4),
        ),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        temperature: float = 0.1,
        binary_weight: float = 0.5,
        entropy_weight: float = 0.1,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.temperature = temperature
        self.binary_weight = binary_weight
        self.entropy_weight = entropy_weight

    @property
    def _compares_views(self) -> bool:
        return True

    def _choose_backbone(self, sample_shape: tuple[int, ...]) -> Any:
        automatic = isinstance(self.backbone, str) and self.backbone == "auto" and len(sample_shape) == 3
        return "layout_cnn" if automatic else self.backbone

    def _choose_views(self, samples: Samples) -> tuple[Any, Any]:
        if isinstance(self.views, str) and self.views == "auto" and len(samples.sample_shape) == 3:
            return resolve_views(CopyViews(), tuple(samples.sample_shape), wanted=True)
        return super()._choose_views(samples)

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits, "batch_norm")

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return CopyLoss(
            temperature=self.temperature, binary_weight=self.binary_weight, entropy_weight=self.entropy_weight
        )

    def _loss(self, network: HashNetwork, batch: Batch) -> Tensor:
        z, others = (network(batch.view(), batch.generator) for _ in range(2))
        return network.criterion(z, others, **batch.extra_arguments(network.criterion))
