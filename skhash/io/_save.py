"""Save any estimator of the library, or a pipeline of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn

import skhash
from skhash.io._container import write
from skhash.io._encode import Encoder
from skhash.io._folder import write_folder
from skhash.io._tables import INDEXES
from skhash.runtime import PackedHasher
from skhash.utils import atomic_replace

if TYPE_CHECKING:
    import os

__all__ = ["save"]


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Save an estimator, fitted or not, or a pipeline of estimators.

    Nothing is pickled. A file has parameters, fitted attributes and versions in JSON and all numbers as safetensors,
    with a checksum. What is there already is replaced when the new file is complete, even after a crash.

    Parameters
    ----------
    estimator : object
        An estimator of the library; a scikit-learn `Pipeline` or `FeatureUnion` of these and of scikit-learn's common
        transformers (see the user guide, :doc:`/user_guide/saving`); or a `PackedHasher`, which has its own format.
    path : str or path-like
        A file; by convention its name ends in ".skh". For an estimator that holds a fitted index a folder: new, or
        one that was saved before. An index by itself is saved by its method `save`.

    Raises
    ------
    TypeError
        If the estimator, one of its steps or a value in it is not in the format; the message names it.
    ValueError
        If the folder has other files.
    FileNotFoundError, IsADirectoryError
        If the folder above does not exist, or the path of a file is a folder.

    See Also
    --------
    load : Load what was saved.

    Examples
    --------
    >>> import tempfile
    >>> import skhash
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_digits(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), skhash.ITQHasher(bits=16, random_state=0)).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skhash.save(pipeline, f"{folder}/pipeline.skh")
    ...     loaded = skhash.load(f"{folder}/pipeline.skh")
    >>> bool((loaded.transform(X) == pipeline.transform(X)).all())
    True
    """
    if isinstance(estimator, PackedHasher) or (type(estimator).__name__ in INDEXES and _is_fitted(estimator)):
        estimator.save(path)
        return
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: no such directory: {path.parent}.")
    encoder = Encoder()
    described = encoder.value(estimator, type(estimator).__name__)
    if not isinstance(described, dict) or described["type"] not in ("estimator", "sharded"):
        raise TypeError(f"estimator must be an estimator, got {type(estimator).__name__}.")
    state = {"library": _versions(encoder), "estimator": described}
    if not encoder.folders:
        with atomic_replace(path) as file:
            write(file, state, encoder.tensors)
        return
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; an estimator that holds an index is saved as a folder.")
    write_folder(path, encoder.folders, lambda file: write(file, state, encoder.tensors))


def _is_fitted(index: Any) -> bool:
    return hasattr(index, "n_samples_fit_")


def _versions(encoder: Encoder) -> dict[str, str]:
    """Return the versions of the packages that the numbers come from."""
    versions = {"skhash": skhash.__version__, "numpy": np.__version__, "scikit-learn": sklearn.__version__}
    return {**versions, "torch": str(sys.modules["torch"].__version__)} if encoder.has_modules else versions
