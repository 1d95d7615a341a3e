"""The warning about queries whose labels no item of the database has."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from skhash.utils import Labels, read_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def warn_of_unknown_labels(y: ArrayLike, database: Labels) -> None:
    """Warn if no query has a label of the database: every score is 0 then, however good the codes are.

    Parameters
    ----------
    y : array-like of shape (n_queries,) or (n_queries, n_classes)
        Labels of the queries.
    database : Labels
        Labels of the database.
    """
    queries = read_labels(y)
    if queries.multilabel != database.multilabel:
        return  # the metric raises an error
    if database.multilabel:
        if queries.codes.shape[1:] != database.codes.shape[1:]:
            return
        known = (queries.codes.any(axis=0) & database.codes.any(axis=0)).any()
    else:
        known = np.isin(queries.decode(), database.classes[np.unique(database.codes)]).any()
    if not known:
        warnings.warn(
            "No query has a label that is in the database, so every score is 0. In cross-validation this happens if "
            "samples are sorted by class: use StratifiedKFold, or a splitter with shuffle=True.",
            UserWarning,
            stacklevel=3,
        )
