"""Draw samples that may have several labels: a given number for each label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.datasets.splits._protocols import RetrievalProtocol
    from skhash.utils import Labels


def draw_per_label(
    labels: Labels,
    rows: NDArray[np.int64],
    counts: dict[str, int],
    plan: RetrievalProtocol,
    rng: np.random.RandomState,
) -> dict[str, NDArray[np.int64]]:
    """Draw `counts` samples for each label out of `rows`; return row numbers of each part, and of the "rest".

    The samples are visited in random order. Each is assigned to the first of its labels that still needs samples:
    there to the training set before the queries, and to the queries before the validation set. It counts for that
    label only. A sample that no label needs is part of the rest. The lists of DeepHash-pytorch were made in this way.
    """
    multi_hot = labels.multi_hot()
    order = [part for part in ("train", "query", "validation") if counts[part]]
    missing = {part: [counts[part]] * multi_hot.shape[1] for part in order}
    n_missing = multi_hot.shape[1] * sum(counts.values())
    parts: dict[str, list[int]] = {part: [] for part in (*counts, "rest")}
    for row in rng.permutation(rows).tolist():
        place = _find_place(np.flatnonzero(multi_hot[row]), missing, order) if n_missing else None
        if place is None:
            parts["rest"].append(row)
            continue
        part, label = place
        parts[part].append(row)
        missing[part][label] -= 1
        n_missing -= 1
    if n_missing:
        raise ValueError(_describe_shortage(labels, rows, multi_hot, missing, counts, plan))
    return {part: np.array(members, dtype=np.int64) for part, members in parts.items()}


def _find_place(
    sample_labels: NDArray[np.int64], missing: dict[str, list[int]], order: list[str]
) -> tuple[str, int] | None:
    """Return part and label to which a sample with these labels is assigned, or None."""
    for label in sample_labels.tolist():
        for part in order:
            if missing[part][label]:
                return part, label
    return None


def _describe_shortage(
    labels: Labels,
    rows: NDArray[np.int64],
    multi_hot: NDArray[Any],
    missing: dict[str, list[int]],
    counts: dict[str, int],
    plan: RetrievalProtocol,
) -> str:
    """Compose the error message that names the first label with too few samples."""
    part, label = next((part, missing[part].index(n)) for part in missing for n in missing[part] if n)
    return (
        f"Label {labels.classes.tolist()[label]!r} has {int(multi_hot[rows, label].sum())} samples, of which "
        f"{counts[part] - missing[part][label]} could be drawn for the part {part!r}, but protocol {plan.name!r} needs "
        f"{counts[part]} there. Each sample counts for one label only (n_query={plan.n_query!r}, "
        f"n_validation={plan.n_validation}, n_train={plan.n_train!r}). Pass smaller counts per label: "
        "n_query=..., n_train=..."
    )
