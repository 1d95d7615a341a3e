"""From posteriors to signs: the coder of `PosteriorHasher`, trained for the expected average precision of its codes.

He, Cakir, Bargal, Sclaroff, "Hashing as tie-aware learning to rank", CVPR 2018 (average precision of ties).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_SLOPE = 4.0  # of the tanh that stands for the sign in the gradient
_POWERS = 4  # terms of the logarithm in `expected_relevance`


def expand(posteriors: Floats) -> Floats:
    """Return p, its square root and its fourth root side by side: roots tell small probabilities apart."""
    root = np.sqrt(posteriors)
    return np.concatenate([posteriors, root, np.sqrt(root)], axis=1)


def expected_relevance(posteriors: Floats, multilabel: bool) -> Floats:
    r"""Compute for every two rows the probability that they share a label.

    Of classes, that is the inner product of the posteriors. Of labels that are independent, it is
    :math:`1 - \prod_c (1 - p_c q_c)`, whose logarithm is summed up to the fourth power of :math:`p_c q_c`.
    """
    if not multilabel:
        return posteriors @ posteriors.T
    power, log = posteriors, posteriors @ posteriors.T
    for exponent in range(2, _POWERS + 1):
        power = power * posteriors
        log += power @ power.T / exponent
    return -np.expm1(-log)


def average_precision_gradient(signs: Floats, relevance: Floats) -> tuple[float, Floats]:
    """Compute the expected average precision of codes that rank one another, and its gradient in their entries.

    Parameters
    ----------
    signs : ndarray of shape (n, bits)
        Codes, entries -1 or +1.
    relevance : ndarray of shape (n, n)
        Probability that two rows are relevant to each other. The diagonal is 0: no row finds itself.

    Returns
    -------
    mean : float
        Mean over the rows of average precision, where rows at the same distance count with the precision in the middle
        of them.
    gradient : ndarray of shape (n, bits)
        Its gradient, if a distance between two integers counts in part for either.
    """
    n, bits = signs.shape
    distances = np.rint((bits - signs @ signs.T) / 2).astype(np.intp)
    cells = (distances + np.arange(n)[:, None] * (bits + 1)).ravel()
    counts = np.bincount(cells, minlength=n * (bits + 1)).reshape(n, -1).astype(np.float64)
    counts[:, 0] -= 1  # the row itself
    hits = np.bincount(cells, relevance.ravel(), n * (bits + 1)).reshape(n, -1)
    found = np.maximum(2 * np.cumsum(counts, axis=1) - counts, np.finfo(np.float32).tiny)
    precision = (2 * np.cumsum(hits, axis=1) - hits) / found
    total = np.maximum(hits.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    share = hits / found
    by_hit = (precision + _from_here(share)) / (total * n)
    by_count = -_from_here(share * precision) / (total * n)
    by_distance = relevance * _step(by_hit)[cells].reshape(n, n) + _step(by_count)[cells].reshape(n, n)
    np.fill_diagonal(by_distance, 0)
    gradient = -0.5 * (by_distance + by_distance.T) @ signs
    return float(np.mean((hits * precision).sum(axis=1) / total[:, 0])), gradient


def learn_coder(
    posteriors: Floats,
    centers: NDArray[np.int8],
    *,
    multilabel: bool,
    max_iter: int,
    batch_size: int,
    learning_rate: float,
    random_state: np.random.RandomState,
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[float]]:
    """Train an affine map from expanded posteriors to continuous codes; Adam ascends the expected average precision.

    Parameters
    ----------
    posteriors : ndarray of shape (n_samples, n_classes)
        Posteriors of samples that the classifier has not seen.
    centers : ndarray of shape (n_classes, bits)
        Hash centers, from which training starts: the most likely class has the most influence on the code.
    multilabel : bool
        Whether the posteriors are those of independent labels.
    max_iter, batch_size, learning_rate : int, int, float
        Number of steps, samples of each, and the step size, which falls to zero linearly.
    random_state : RandomState
        Draws the batches.

    Returns
    -------
    weights : ndarray of shape (bits, 3 * n_classes)
        The map.
    bias : ndarray of shape (bits,)
        Its constant part.
    scores : list of float
        Expected average precision of the batch of every step.
    """
    posteriors = posteriors.astype(np.float32)
    inputs = expand(posteriors)
    # The last row of the parameters is the bias, the last column of the inputs is 1.
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1), np.float32)], axis=1)
    parameters = np.concatenate([*[centers] * 3, np.zeros((1, centers.shape[1]))]).astype(np.float32)
    mean, square, scores = np.zeros_like(parameters), np.zeros_like(parameters), []
    for step in range(max_iter):
        rows = random_state.permutation(len(inputs))[:batch_size]
        z = inputs[rows] @ parameters
        relevance = expected_relevance(posteriors[rows], multilabel)
        np.fill_diagonal(relevance, 0)
        score, gradient = average_precision_gradient(np.where(z >= 0, np.float32(1), np.float32(-1)), relevance)
        slope = _SLOPE * (1 - np.tanh(_SLOPE * z) ** 2)
        gradient = inputs[rows].T @ (gradient * slope).astype(np.float32)
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient**2 - square)
        scale = np.sqrt(square / np.float32(1 - 0.999 ** (step + 1))) + np.float32(1e-12)
        rate = learning_rate * (1 - step / max_iter) / (1 - 0.9 ** (step + 1))
        parameters += np.float32(rate) * mean / scale
        scores.append(score)
    parameters = parameters.astype(np.float64)
    return np.ascontiguousarray(parameters[:-1].T), parameters[-1].copy(), scores


def _from_here(values: Floats) -> Floats:
    """Return, for each distance, its value and twice those of larger distances."""
    return 2 * np.cumsum(values[:, ::-1], axis=1)[:, ::-1] - values


def _step(values: Floats) -> Floats:
    """Return, for each distance, the change to the next larger one, flat and in single precision; the last repeats."""
    change = np.diff(values, axis=1)
    return np.concatenate([change, change[:, -1:]], axis=1).astype(np.float32).ravel()
