"""Diagnostics of codes and hash centers during training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from skhash.codes import binarize
from skhash.inputs import SampleSubset
from skhash.nn import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.deep import TrainingContext
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork

_ROWS = 256


class CodeDiagnostics:
    """Mean distances of codes to the centers of their classes and within classes, measured after every epoch.

    Parameters
    ----------
    network : HashNetwork
        Network with a criterion that has `centers`.
    context : TrainingContext
        Its samples, of which up to 256 are drawn once and encoded at every call, its labels and its generator are used.
    transition : int, default=None
        Number of epochs before the second stage; given, the values include the "stage", 1 or 2.
    """

    def __init__(self, network: HashNetwork, context: TrainingContext, transition: int | None = None) -> None:
        assert context.labels is not None
        rows = torch.randperm(len(context.samples), generator=context.generator)[:_ROWS].numpy()
        self.network = network
        self.transition = transition
        self.epoch = 0
        self.samples = cast("Samples", SampleSubset(context.samples, rows))
        self.member = context.labels[rows].multi_hot() > 0
        self.centers = self._current_centers()

    def resume(self, epoch: int) -> None:
        """Go on after `epoch` epochs, with the centers that the network has now."""
        self.epoch, self.centers = epoch, self._current_centers()

    def __call__(self) -> dict[str, float]:
        """Return mean Hamming distances, NaN without any pair, and store the centers for the next call."""
        codes = 2.0 * np.concatenate([binarize(z) for z in encode(self.network.encoder, self.samples)]) - 1
        before, self.centers = self.centers, self._current_centers()
        same_class = self.member.astype(float) @ self.member.T > 0
        np.fill_diagonal(same_class, False)
        stage = {} if self.transition is None else {"stage": 1 + (self.epoch >= self.transition)}
        self.epoch += 1
        return {
            **stage,
            "center_distance": _mean_distance(codes, self.centers, self.member),
            "class_distance": _mean_distance(codes, codes, same_class),
            "center_movement": float((before != self.centers).sum(axis=1).mean()),
        }

    def _current_centers(self) -> NDArray[np.float32]:
        criterion: Any = self.network.criterion
        return criterion.centers.detach().cpu().numpy()


def _mean_distance(codes: NDArray[np.floating], others: NDArray[np.floating], pairs: NDArray[np.bool_]) -> float:
    """Return the mean Hamming distance of codes of -1 and +1 over the pairs in a mask of shape (n, m)."""
    distances = (codes.shape[1] - codes @ others.T) / 2
    return float(distances[pairs].mean()) if pairs.any() else float("nan")
