"""Classes of a deep hasher by the scores of its criterion, and all that predicts them, as numpy arrays."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from skhash.losses import CELoss, DSDHLoss, GreedyHashLoss, JMLHLoss, OneBitLoss, OrthoLoss, SDHCLoss
from skhash.runtime import ClassScores, ClassVotes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import SamplesLike

__all__ = ["find_classes", "predict_by_scores"]

# What the scores multiply, and whether they are cosines. Exact types: a subclass may score otherwise.
_RULES: dict[type, tuple[str, bool]] = {
    CELoss: ("real", False),
    SDHCLoss: ("tanh", False),
    GreedyHashLoss: ("sign", False),
    JMLHLoss: ("bit", False),
    DSDHLoss: ("sign", False),
    OrthoLoss: ("real", True),
    OneBitLoss: ("tanh", True),
}


def predict_by_scores(hasher: Any, X: SamplesLike) -> NDArray[Any]:
    """Predict the classes with the highest scores; a packed hasher computes the same scores without torch."""
    criterion = hasher.module_.criterion
    z = hasher.decision_function(X)
    if hasher.inference_ == "packed" and type(criterion) in _RULES:
        return find_classes(hasher).predict(z)
    z = torch.from_numpy(z).to(hasher._device())
    if z.dtype == torch.float64:  # codes of features are; a learned classifier must have the same type
        criterion = copy.deepcopy(criterion).double()
    return hasher.classes_[criterion.class_scores(z).argmax(dim=1).cpu().numpy()]


def find_classes(hasher: Any) -> ClassScores | ClassVotes:
    """Return what predicts the classes of a fitted hasher.

    Raises
    ------
    TypeError
        If the criterion has scores of a kind that `ClassScores` does not know, or the hasher has no labels.
    """
    criterion, name = hasher.module_.criterion, type(hasher).__name__
    if hasher.label_index_ is None:
        raise TypeError(f"{name} was fitted without class labels, so to_packed(classes=True) has none to pack.")
    if hasher.multilabel_ or not hasattr(criterion, "class_scores"):
        return _votes(hasher)
    if type(criterion) not in _RULES:
        raise TypeError(
            f"to_packed(classes=True) cannot represent the class scores of {type(criterion).__name__}; it knows those "
            f"of {', '.join(sorted(known.__name__ for known in _RULES))}."
        )
    kind, cosine = _RULES[type(criterion)]
    bias = None
    if cosine:
        weight = _to_numpy(criterion.centers)
    elif isinstance(criterion, DSDHLoss):
        weight = _to_numpy(criterion.classifier).T
    else:
        weight, bias = _to_numpy(criterion.classifier.weight), criterion.classifier.bias
    return ClassScores(
        np.asarray(hasher.classes_),
        np.ascontiguousarray(weight),
        np.zeros(len(weight)) if bias is None else _to_numpy(bias),
        kind,
        cosine,
    )


def _votes(hasher: Any) -> ClassVotes:
    index = hasher.label_index_
    labels = index._collection.labels[index._collection.live_rows()]
    return ClassVotes(np.array(index.codes_), labels.codes, labels.classes, index.bits_, index.n_neighbors)


def _to_numpy(tensor: Any) -> NDArray[np.float64]:
    return tensor.detach().cpu().numpy().astype(np.float64)
