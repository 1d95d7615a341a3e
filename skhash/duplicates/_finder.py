"""The class behind `find_duplicates`: pictures are added, searched and grouped."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from skhash.duplicates._assembly import group_rows, list_pairs, make_group
from skhash.duplicates._distinct import DistinctCodes
from skhash.duplicates._encoding import Encoded, Picture, encode_pictures, make_hasher, name_items
from skhash.duplicates._grouping import rank_pictures
from skhash.duplicates._result import Duplicates
from skhash.methods import PerceptualHasher
from skhash.perceptual import read_items
from skhash.utils import Interval, StrOptions, fit_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from skhash.perceptual import ImageItems

# Numbers of bits and distances. Those with nearly the largest F1 for copies of 200 of some 3,450 drawings and photos by
# 15 mild transformations; doc/user_guide/photos.rst has recall and precision. That of "copynet" has the precision of
# "phash+dhash" on pictures of its benchmark; doc/user_guide/copynet.rst has the others.
_RADII = {
    "phash+dhash": (128, 16),
    "phash": (64, 6),
    "dhash": (64, 4),
    "whash": (64, 1),
    "average": (64, 1),
    "block": (64, 2),
    "copynet": (64, 7),
}

_FITTED, _ADDED = 1, 2  # where a picture came from; the sum is both


class DuplicateFinder(BaseEstimator):
    """Find pictures that are nearly equal.

    Parameters
    ----------
    hasher : str or estimator, default="phash+dhash"
        A kind of `PerceptualHasher`, with `draft` and 64 bits, or 128 for "phash+dhash"; or a hasher of images, which
        must be fitted if it learns.
    max_distance : int, default=None
        Number of bits in which the codes of two duplicates may differ. None is 16 of 128 bits for "phash+dhash", 6 of
        64 for "phash", 7 for "copynet", 4 for "dhash", 2 for "block", 1 for "average" and "whash", and in proportion
        for other lengths; other hashers need a number.
    linkage : {"connected", "complete"}, default="connected"
        With "connected", pictures are in one group if a chain of duplicates connects them. With "complete", every two
        pictures of a group are duplicates: the best picture that is in no group begins one, and its duplicates that are
        in no group join by (distance, rank) if they are duplicates of all members so far.
    errors : {"raise", "skip"} or callable, default="skip"
        What happens to a picture that cannot be read. A callable gets its name and the exception; the picture is
        skipped if it returns.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a `joblib.parallel_config` context; -1 means all cores.
    progress : bool, default=False
        Whether to show a progress bar on the standard error stream.

    Attributes
    ----------
    pictures_ : list of Picture
        The pictures that could be read.
    skipped_ : list of (str or int, str)
        Names of the others, and why they were skipped.

    See Also
    --------
    find_duplicates : The same as one call.

    Notes
    -----
    The pictures of a group are ordered by which of them to keep: more pixels, then a larger file, then an older one,
    then the earlier position.

    Equal codes are searched once. Memory is that of the pairs of distinct codes within `max_distance`.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from skhash.duplicates import DuplicateFinder
    >>> china, flower = load_sample_images().images
    >>> finder = DuplicateFinder().fit([china[::2, ::2], flower])
    >>> finder.duplicates().groups
    []
    >>> finder.add([china]).duplicates().groups  # the larger one first
    [[2, 0]]
    >>> finder.query([flower[::3, ::3]])
    [[(1, 1)]]
    """

    _parameter_constraints: dict[str, Any] = {
        "hasher": "no_validation",
        "max_distance": [Interval(Integral, 0, None, closed="left"), None],
        "linkage": [StrOptions({"connected", "complete"})],
        "errors": [StrOptions({"raise", "skip"}), callable],
        "n_jobs": [Integral, None],
        "progress": ["boolean"],
    }

    pictures_: list[Picture]
    skipped_: list[tuple[str | int, str]]

    def __init__(
        self,
        hasher: Any = "phash+dhash",
        *,
        max_distance: int | None = None,
        linkage: str = "connected",
        errors: str | Callable[[str | int, Exception], object] = "skip",
        n_jobs: int | None = None,
        progress: bool = False,
    ) -> None:
        self.hasher = hasher
        self.max_distance = max_distance
        self.linkage = linkage
        self.errors = errors
        self.n_jobs = n_jobs
        self.progress = progress

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: None = None) -> Self:
        """Read pictures, and forget those of before.

        Parameters
        ----------
        X : str, Path or sequence of images
            A folder, a pattern such as ``"photos/**/*.jpg"``, a list of paths, PIL images or arrays, or anything else
            that `PerceptualHasher` takes.
        y : None
            Ignored.

        Returns
        -------
        self : DuplicateFinder
            The finder.
        """
        hasher = make_hasher(self.hasher)
        _choose_radius(hasher, self.max_distance)  # raises before anything is decoded
        known: set[str | int] = set()
        encoded, sources, _ = self._encode(X, hasher, 0, known)
        self._begin(hasher, encoded, sources, known)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_encoded(self, encoded: Encoded, items: ImageItems) -> Self:
        """Group pictures whose codes are known, and forget those of before.

        Parameters
        ----------
        encoded : Encoded
            The pictures and their codes, by the hasher of this object.
        items : ImageItems
            Where to read the pictures again: `encoded.rows` are positions in it.

        Returns
        -------
        self : DuplicateFinder
            The finder.
        """
        known = {os.path.realpath(name) if isinstance(name, str) else name for name in name_items(items)}
        self._begin(make_hasher(self.hasher), encoded, [(items, row) for row in encoded.rows], known)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def add(self, X: Any) -> Self:
        """Read more pictures, and search for them among all.

        Parameters
        ----------
        X : str, Path or sequence of images
            As in `fit`. Files that were read before are not read again. Images that are not files are numbered on.

        Returns
        -------
        self : DuplicateFinder
            The finder.
        """
        if "pictures_" not in vars(self):
            return self.fit(X)
        # A path that came twice is known once, so there may be fewer names than positions.
        start = max(len(self._known), *(name + 1 for name in self._known if isinstance(name, int)), 0)
        earlier = len(self.pictures_)
        encoded, sources, again = self._encode(X, self._hasher, start, self._known)
        self._extend(encoded, sources, _ADDED)
        if again:  # a picture that both `fit` and `add` got is in a group across with those of either
            for row, picture in enumerate(self.pictures_[:earlier]):
                if isinstance(picture.name, str) and os.path.realpath(picture.name) in again:
                    self._sides[row] |= _ADDED
        return self

    def query(self, X: Any) -> list[list[tuple[str | int, int]]]:
        """Find the pictures that are nearly equal to other images, which are not added.

        Parameters
        ----------
        X : str, Path or sequence of images
            As in `fit`. All of them must be readable.

        Returns
        -------
        matches : list of list of (str or int, int)
            For every image, names and distances of the pictures within `max_distance`, ordered by (distance, rank),
            where the rank is the order in which pictures are kept. An image that is among them finds itself.
        """
        self._check_fitted()
        items = _read_images(X)
        names = name_items(items)
        found = encode_pictures(items, names, range(len(items)), self._hasher, errors="raise", n_jobs=self.n_jobs)
        if len(self._codes) == 0:
            return [[] for _ in names]
        ranks, members = rank_pictures(self.pictures_), self._codes.members()
        distances, codes = self._codes.index.radius_neighbors(found.codes, self._codes.radius)
        matches = []
        for each, numbers in zip(distances, codes, strict=True):
            near = [(int(d), row) for d, number in zip(each, numbers, strict=True) for row in members[number]]
            near.sort(key=lambda pair: (pair[0], ranks[pair[1]]))
            matches.append([(self.pictures_[row].name, distance) for distance, row in near])
        return matches

    def duplicates(self, *, across: bool = False) -> Duplicates:
        """Group the pictures.

        Parameters
        ----------
        across : bool, default=False
            Whether only groups and pairs count that have a picture of `fit` and one of a later `add`. If both got a
            picture, it counts as either; two such pictures are not compared.

        Returns
        -------
        duplicates : Duplicates
            The groups of two or more pictures, in the order of their first pictures.
        """
        self._check_fitted()
        ranks = rank_pictures(self.pictures_)
        groups = [
            make_group([self.pictures_[row] for row in rows], [self._sources[row] for row in rows], distances)
            for rows, distances in group_rows(self._codes, ranks, self.linkage)
            if not across or len({self._sides[row] for row in rows}) > 1
        ]
        hasher = self._hasher
        return Duplicates(
            groups,
            list(self.skipped_),
            len(self.pictures_),
            self._codes.radius,
            self._codes.index.bits_ if len(self._codes) else getattr(hasher, "bits", 0),
            hasher.kind if isinstance(hasher, PerceptualHasher) else type(hasher).__name__,
            list_pairs(self._codes, [picture.name for picture in self.pictures_], list(self._sides), across),
        )

    def _check_fitted(self) -> None:
        if "pictures_" not in vars(self):
            raise NotFittedError("This DuplicateFinder has no pictures yet; call fit.")

    def _encode(
        self, X: Any, hasher: Any, start: int, known: set[str | int]
    ) -> tuple[Encoded, list[tuple[ImageItems, int]], set[str | int]]:
        """Read the pictures that are not known, and add them to those that are; return also which were known."""
        items = _read_images(X)
        names = [name if isinstance(name, str) else name + start for name in name_items(items)]
        rows, new, again = [], set(), set()
        for row, name in enumerate(names):
            key = os.path.realpath(name) if isinstance(name, str) else name
            if key in known:
                again.add(key)
            elif key not in new:
                new.add(key)
                rows.append(row)
        encoded = encode_pictures(
            items, names, rows, hasher, errors=self.errors, n_jobs=self.n_jobs, progress=self.progress
        )
        known |= new
        return encoded, [(items, row) for row in encoded.rows], again

    def _begin(
        self, hasher: Any, encoded: Encoded, sources: list[tuple[ImageItems, int]], known: set[str | int]
    ) -> None:
        """Forget the pictures of before."""
        codes = DistinctCodes(_choose_radius(hasher, self.max_distance), self.n_jobs)
        self.pictures_, self.skipped_, self._sources = [], [], []
        self._sides: list[int] = []
        self._hasher, self._codes, self._known = hasher, codes, known
        self._extend(encoded, sources, _FITTED)

    def _extend(self, encoded: Encoded, sources: list[tuple[ImageItems, int]], side: int) -> None:
        self.pictures_.extend(encoded.pictures)
        self.skipped_.extend(encoded.skipped)
        self._sources.extend(sources)
        self._sides.extend([side] * len(sources))
        self._codes.extend(encoded.codes)


def _read_images(X: Any) -> ImageItems:
    """Recognize images in any form."""
    items = read_items(X)
    if items is None:
        what = "empty" if hasattr(X, "__len__") and len(X) == 0 else "a matrix of numbers"
        raise ValueError(f"X is {what}; expected images: a folder, paths, PIL images or arrays.")
    return items


def _choose_radius(hasher: Any, max_distance: int | None) -> int:
    """Return the largest distance of two duplicates."""
    if max_distance is not None:
        bits = getattr(hasher, "bits", None)
        if isinstance(bits, Integral) and max_distance >= bits:
            raise ValueError(
                f"max_distance is {max_distance}; expected fewer than the {bits} bits of a code, which all pairs of "
                "pictures are within."
            )
        return int(max_distance)
    known = duplicate_distance(hasher)
    if known is None:
        raise ValueError(
            f"max_distance is None; expected a number of bits for {type(hasher).__name__}: only the kinds of "
            "PerceptualHasher have a default."
        )
    return known


def duplicate_distance(hasher: Any) -> int | None:
    """Return the number of bits in which the codes of two duplicates may differ, if it is known.

    Parameters
    ----------
    hasher : estimator
        A hasher of images.

    Returns
    -------
    distance : int or None
        The default of `max_distance` for a `PerceptualHasher`; None for other hashers.

    Examples
    --------
    >>> from skhash import PerceptualHasher
    >>> from skhash.duplicates import duplicate_distance
    >>> duplicate_distance(PerceptualHasher("dhash", bits=128))
    8
    """
    if not isinstance(hasher, PerceptualHasher):
        return None
    bits, radius = _RADII[hasher.kind]
    return radius * hasher.bits // bits
