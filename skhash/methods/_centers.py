"""What the methods share whose classes have fixed binary centers: to make them, and to tell where the codes went."""

import warnings

import numpy as np

from skhash.centers import CENTER_METHODS, class_centers, make_hash_centers, min_distance, orthogonality
from skhash.codes import unpack_codes
from skhash.deep import DeepHasher
from skhash.utils import StrOptions

_DOC = {
    "{centers}": """How to make the centers, a method of `skhash.centers.make_hash_centers`; or the centers themselves,
        entries -1 or +1, in the order of `classes_`.""",
    "{center_attributes}": """centers_ : ndarray of int8 of shape (n_classes, bits)
        The hash centers, entries -1 or +1.
    min_distance_ : int
        Smallest Hamming distance between two of them.
    class_centers_ : ndarray of int8 of shape (n_classes, bits)
        Where the classes really are: the bitwise majority of their training codes, entries -1 or +1.
    orthogonality_ : float
        How far these are from orthogonal, see `skhash.centers.orthogonality`; 0 is best.""",
}


class CenterHasher(DeepHasher):
    """Base class of the deep hashers with a parameter `centers`.

    The criterion of a subclass keeps what `_make_centers` gives as its `centers`.
    """

    _parameter_constraints: dict = {
        **DeepHasher._parameter_constraints,
        "centers": [StrOptions(set(CENTER_METHODS)), "array-like"],
    }

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for mark, text in _DOC.items():
            cls.__doc__ = cls.__doc__ and cls.__doc__.replace(mark, text)

    def _make_centers(self, labels, random_state):
        """Make or check one center per class, and warn if two are the same."""
        n_classes = len(labels.classes)
        if self.centers is None or isinstance(self.centers, str):
            centers = self._draw_centers(n_classes, random_state)
        else:
            centers = _check_centers(np.asarray(self.centers), n_classes, self.bits)
        warn_of_equal_centers(centers, "centers")
        return centers

    def _draw_centers(self, n_classes, random_state):
        """Make centers by the method that `centers` names."""
        return make_hash_centers(n_classes, self.bits, method=self.centers, random_state=random_state)

    def _draw_ties(self, random_state):
        """Draw the bits that a sample of several labels gets where the centers of its classes cancel out."""
        return 2 * random_state.randint(2, size=self.bits) - 1

    def _finish(self, network, samples, labels):
        super()._finish(network, samples, labels)
        self.centers_ = self.module_.criterion.centers.detach().cpu().numpy().astype(np.int8)
        self.min_distance_ = min_distance(self.centers_)
        codes = unpack_codes(self.label_index_.codes_, self.bits)
        self.class_centers_ = class_centers(codes, labels.codes, len(labels.classes))
        self.orthogonality_ = orthogonality(self.class_centers_)


def warn_of_equal_centers(centers, parameter):
    """Warn if two classes have the same center; `parameter` is what the user may change."""
    n_classes, bits = centers.shape
    if min_distance(centers) == 0:
        warnings.warn(
            f"Two of the {n_classes} classes got the same center of {bits} bits and will share their codes: use more "
            f"bits or {parameter}='auto'.",
            stacklevel=3,
        )


def _check_centers(centers, n_classes, bits):
    """Refuse centers that are not one -1/+1 code per class."""
    if centers.shape != (n_classes, bits):
        raise ValueError(f"centers must have shape (n_classes, bits) = {(n_classes, bits)}, got {centers.shape}.")
    if not np.isin(centers, (-1, 1)).all():
        raise ValueError("centers must have entries -1 or +1 only.")
    return centers
