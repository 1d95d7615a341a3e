"""The base class of methods whose classes have binary centers: it makes the centers and measures the classes' codes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from skhash.centers import CENTER_METHODS, class_centers, make_hash_centers, min_distance, orthogonality
from skhash.codes import unpack_codes
from skhash.deep import DeepHasher
from skhash.training import document_parameters
from skhash.utils import StrOptions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.deep import TrainingContext
    from skhash.nn import HashNetwork


class CenterHasher(DeepHasher):
    """Base class of the deep hashers with a parameter `centers`.

    A subclass passes the result of `_make_centers` to its criterion, which keeps it as `centers`.

    Attributes
    ----------
    centers_ : ndarray of int8 of shape (n_classes, bits)
        The hash centers, entries -1 or +1.
    min_distance_ : int
        Smallest Hamming distance between two hash centers.
    class_centers_ : ndarray of int8 of shape (n_classes, bits)
        Centers of the trained codes: the bitwise majority of each class's training codes, entries -1 or +1.
    orthogonality_ : float
        Distance of `class_centers_` from orthogonal ones, see `skhash.centers.orthogonality`; 0 is best.
    """

    centers: str | ArrayLike | None

    centers_: NDArray[np.int8]
    min_distance_: int
    class_centers_: NDArray[np.int8]
    orthogonality_: float

    _parameter_constraints: dict[str, Any] = {
        **DeepHasher._parameter_constraints,
        "centers": [StrOptions(set(CENTER_METHODS)), "array-like"],
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        attributes = (CenterHasher.__doc__ or "").partition("----------\n")[2].strip()
        cls.__doc__ = document_parameters(cls.__doc__, {"centers_, ": attributes})

    def _make_centers(self, context: TrainingContext) -> NDArray[np.int8]:
        """Return one center per class, made or checked, and warn if two are equal."""
        if self.centers is None or isinstance(self.centers, str):
            centers = self._draw_centers(context.n_classes, context.random_state)
        else:
            centers = _check_centers(np.asarray(self.centers), context.n_classes, self.bits)
        warn_of_equal_centers(centers, "centers")
        return centers

    def _draw_centers(self, n_classes: int, random_state: np.random.RandomState) -> NDArray[np.int8]:
        """Return centers made by the method that `centers` names."""
        method = cast("str", self.centers)
        return make_hash_centers(n_classes, self.bits, method=method, random_state=random_state)

    def _draw_ties(self, random_state: np.random.RandomState) -> NDArray[np.int64]:
        """Draw the bits that a sample of several classes gets where their centers cancel out."""
        return 2 * random_state.randint(2, size=self.bits) - 1

    def _finish(self, network: HashNetwork, context: TrainingContext) -> None:
        super()._finish(network, context)
        assert context.labels is not None
        assert self.label_index_ is not None
        criterion: Any = self.module_.criterion
        self.centers_ = criterion.centers.detach().cpu().numpy().astype(np.int8)
        self.min_distance_ = min_distance(self.centers_)
        codes = unpack_codes(self.label_index_.codes_, self.bits)
        self.class_centers_ = class_centers(codes, context.labels.codes, context.n_classes)
        self.orthogonality_ = orthogonality(self.class_centers_)


def warn_of_equal_centers(centers: NDArray[Any], parameter: str) -> None:
    """Warn if two classes have the same center; `parameter` names what the user may change."""
    n_classes, bits = centers.shape
    if min_distance(centers) == 0:
        warnings.warn(
            f"Two of the {n_classes} classes got the same center of {bits} bits and will share their codes: use more "
            f"bits or {parameter}='auto'.",
            stacklevel=3,
        )


def _check_centers(centers: NDArray[Any], n_classes: int, bits: int) -> NDArray[Any]:
    """Refuse centers that are not one -1/+1 code per class."""
    if centers.shape != (n_classes, bits):
        raise ValueError(f"centers must have shape (n_classes, bits) = {(n_classes, bits)}, got {centers.shape}.")
    if not np.isin(centers, (-1, 1)).all():
        raise ValueError("centers must have entries -1 or +1 only.")
    return centers
