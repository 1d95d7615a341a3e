"""Draw samples that may have several labels, so many for each label."""

import numpy as np


def draw_per_label(labels, rows, counts, plan, rng):
    """Draw `counts` samples for each label out of `rows`: row numbers of each part, and of the "rest".

    The samples are gone through in random order. Each goes to the first of its labels that still needs some, there to
    the training set before the queries and the queries before the validation set, and counts for that label only; a
    sample that no label needs is part of the rest. This is how the lists of DeepHash-pytorch were made.
    """
    multi_hot = labels.multi_hot()
    order = [part for part in ("train", "query", "validation") if counts[part]]
    missing = {part: [counts[part]] * multi_hot.shape[1] for part in order}
    n_missing = multi_hot.shape[1] * sum(counts.values())
    parts = {part: [] for part in (*counts, "rest")}
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


def _find_place(its_labels, missing, order):
    """Part and label that a sample with these labels is drawn for, or None."""
    for label in its_labels.tolist():
        for part in order:
            if missing[part][label]:
                return part, label
    return None


def _describe_shortage(labels, rows, multi_hot, missing, counts, plan):
    """Name the first label that could not be served."""
    part, label = next((part, missing[part].index(n)) for part in missing for n in missing[part] if n)
    return (
        f"Label {labels.classes.tolist()[label]!r} has {int(multi_hot[rows, label].sum())} samples, of which "
        f"{counts[part] - missing[part][label]} could be drawn for the part {part!r}, but protocol {plan.name!r} needs "
        f"{counts[part]} there. Each sample counts for one label only (n_query={plan.n_query!r}, "
        f"n_validation={plan.n_validation}, n_train={plan.n_train!r}). Give your own counts per label: "
        "n_query=..., n_train=..."
    )
