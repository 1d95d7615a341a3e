"""How codes and centers come together during a training."""

import numpy as np
import torch

from skhash.codes import binarize
from skhash.inputs import SampleSubset
from skhash.nn import encode

_ROWS = 256


class CodeDiary:
    """Measure, after every epoch, distances of codes to the centers of their classes and within classes.

    Parameters
    ----------
    network : HashNetwork
        With a criterion that has `centers`.
    samples : Samples
        Training samples, of which some hundred are looked at, always the same.
    labels : Labels
        Their labels.
    generator : torch.Generator
        Draws the samples.
    """

    def __init__(self, network, samples, labels, generator):
        rows = torch.randperm(len(samples), generator=generator)[:_ROWS].numpy()
        self.network = network
        self.samples = SampleSubset(samples, rows)
        multi_hot = labels[rows].codes
        self.member = multi_hot > 0 if labels.multilabel else multi_hot[:, None] == np.arange(len(labels.classes))
        self.centers = self._current_centers()

    def __call__(self):
        """Give mean Hamming distances, NaN where there is nothing to take a mean of, and remember the centers."""
        codes = 2.0 * np.concatenate([binarize(z) for z in encode(self.network.encoder, self.samples)]) - 1
        before, self.centers = self.centers, self._current_centers()
        alike = self.member.astype(float) @ self.member.T > 0
        np.fill_diagonal(alike, False)
        return {
            "center_distance": _mean_distance(codes, self.centers, self.member),
            "class_distance": _mean_distance(codes, codes, alike),
            "center_movement": float((before != self.centers).sum(axis=1).mean()),
        }

    def _current_centers(self):
        return self.network.criterion.centers.detach().cpu().numpy()


def _mean_distance(codes, others, pairs):
    """Average Hamming distances of codes of -1 and +1 over the pairs that a mask (n, m) names."""
    distances = (codes.shape[1] - codes @ others.T) / 2
    return float(distances[pairs].mean()) if pairs.any() else float("nan")
