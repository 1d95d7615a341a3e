"""Near-duplicates in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skhash.duplicates._finder import DuplicateFinder

if TYPE_CHECKING:
    from collections.abc import Callable

    from skhash.duplicates._result import Duplicates


def find_duplicates(
    images: Any,
    hasher: Any = "phash+dhash",
    max_distance: int | None = None,
    *,
    against: Any = None,
    linkage: str = "connected",
    errors: str | Callable[[str | int, Exception], object] = "skip",
    n_jobs: int | None = None,
    progress: bool = False,
) -> Duplicates:
    """Find pictures that are nearly equal.

    Parameters
    ----------
    images : str, Path or sequence of images
        A folder, a pattern such as ``"photos/**/*.jpg"``, a list of paths, PIL images or arrays, or anything else that
        `PerceptualHasher` takes.
    hasher : str or estimator, default="phash+dhash"
        A kind of `PerceptualHasher`, with `draft` and 64 bits, or 128 for "phash+dhash"; or a hasher of images, which
        must be fitted if it learns.
    max_distance : int, default=None
        Number of bits in which the codes of two duplicates may differ; None means the default of `DuplicateFinder`.
    against : str, Path or sequence of images, default=None
        Other images, such as another folder. Only groups that have pictures of both are found then,
        also if one folder contains the other.
    linkage : {"connected", "complete"}, default="connected"
        Whether a chain of duplicates makes a group, or all pairs must be duplicates; see `DuplicateFinder`.
    errors : {"raise", "skip"} or callable, default="skip"
        What happens to a picture that cannot be read. A callable gets its name and the exception; the picture is
        skipped if it returns.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a `joblib.parallel_config` context; -1 means all cores.
    progress : bool, default=False
        Whether to show a progress bar on the standard error stream.

    Returns
    -------
    duplicates : Duplicates
        The groups, which picture of each to keep and why, and what was skipped.

    See Also
    --------
    DuplicateFinder : The class behind it, to which pictures can be added, and which finds those like one image.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from skhash import find_duplicates
    >>> china, flower = load_sample_images().images
    >>> duplicates = find_duplicates([china[::2, ::2], flower, china])
    >>> duplicates.groups, duplicates.keep, duplicates.reasons
    ([[2, 0]], [2], ['most pixels'])
    """
    finder = DuplicateFinder(
        hasher, max_distance=max_distance, linkage=linkage, errors=errors, n_jobs=n_jobs, progress=progress
    ).fit(images)
    if against is not None:
        finder.add(against)
    return finder.duplicates(across=against is not None)
