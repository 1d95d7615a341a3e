"""Labels of queries and database in one form that a kernel compares word by word."""

import numpy as np

from skhash.codes import pack_codes
from skhash.utils import read_labels


def label_words(query_labels, database_labels, n_queries, n_items):
    """Read both sides' labels as rows of uint64 words, and tell whether they are multi-hot.

    Single labels become one word, a class number that both sides agree on; an item is relevant if it is equal.
    Multi-hot labels are packed; an item is relevant if any bit is set on both sides.
    """
    query = _read(query_labels, "query", n_queries)
    database = _read(database_labels, "database", n_items)
    if query.multilabel != database.multilabel:
        kinds = {True: "a multi-hot matrix", False: "one class label per row"}
        raise ValueError(
            f"query_labels is {kinds[query.multilabel]} but database_labels is {kinds[database.multilabel]}; "
            "both must be of one kind."
        )
    if query.multilabel:
        if len(query.classes) != len(database.classes):
            raise ValueError(
                f"query_labels has {len(query.classes)} label columns, database_labels has {len(database.classes)}."
            )
        return pack_codes(query.codes), pack_codes(database.codes), True
    if (query.classes.dtype.kind in "OU") != (database.classes.dtype.kind in "OU"):
        raise ValueError(
            f"query_labels has dtype {query.classes.dtype} but database_labels has {database.classes.dtype}: "
            "strings and numbers are never equal."
        )
    classes = np.unique(np.concatenate([query.classes, database.classes]))
    return *(
        np.searchsorted(classes, side.classes)[side.codes, None].astype(np.uint64) for side in (query, database)
    ), False


def _read(labels, side, n_rows):
    """Read the labels of one side; a wrong number of rows is told in this function's own words."""
    labels = read_labels(labels, name=f"{side}_labels")
    if len(labels) != n_rows:
        raise ValueError(f"{side}_codes has {n_rows} rows, but {side}_labels has {len(labels)}.")
    return labels
