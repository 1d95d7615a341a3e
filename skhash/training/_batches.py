"""Choice of the rows of each batch: every row once in random order, or groups of one class."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class ShuffledBatches:
    """Batches that contain every row once in an epoch, in random order.

    Parameters
    ----------
    batch_size : int
        Rows in a batch. A last batch of a single row is dropped.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import ShuffledBatches
    >>> batches = ShuffledBatches(4)
    >>> [len(rows) for rows in batches.draw(10, None, 0, torch.Generator())]
    [4, 4, 2]
    >>> batches.steps(10, epoch=0)
    3
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def steps(self, n_samples: int, epoch: int) -> int:
        """Count the batches of an epoch of `n_samples` rows, at least 1."""
        return steps_per_epoch(n_samples, self.batch_size)

    def draw(self, n_samples: int, targets: Tensor | None, epoch: int, generator: torch.Generator) -> list[Tensor]:
        """Draw the batches of an epoch.

        Parameters
        ----------
        n_samples : int
            Number of training samples.
        targets : Tensor or None
            Their labels, class indices or multi-hot.
        epoch : int
            Number of epochs finished before.
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        batches : list of Tensor of int64
            Rows of each batch.
        """
        order = torch.randperm(n_samples, generator=generator)
        # A batch of one row has no batch statistics. As the order is random, each epoch drops another row.
        return [rows for rows in order.split(self.batch_size) if len(rows) > 1]


class GroupedBatches(ShuffledBatches):
    """Batches that, from a given epoch on, consist of groups of rows of one class: ODH's second stage.

    Every row is the anchor of one group, which is drawn from the rows that share a label with it, with repetitions only
    where there are too few. An epoch therefore has `group_size` times as many rows.

    Parameters
    ----------
    batch_size : int
        Rows in a batch, rounded down to whole groups.
    group_size : int, default=2
        Rows of a group, at most half of `batch_size`, so that a batch has two groups or more.
    start : int, default=0
        Number of epochs before the first one with groups; until then every row comes once.

    Raises
    ------
    ValueError
        If `group_size` is more than half of `batch_size`.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import GroupedBatches
    >>> y = torch.tensor([0, 0, 0, 1, 1, 1])
    >>> [y[rows].tolist()[::2] == y[rows].tolist()[1::2] for rows in GroupedBatches(4).draw(6, y, 0, torch.Generator())]
    [True, True, True]
    """

    def __init__(self, batch_size: int, group_size: int = 2, *, start: int = 0) -> None:
        super().__init__(batch_size)
        if 2 * group_size > batch_size:
            raise ValueError(
                f"group_size must be at most half of batch_size={batch_size}, so that a batch has samples of several "
                f"classes, got {group_size}."
            )
        self.group_size = group_size
        self.start = start

    def steps(self, n_samples: int, epoch: int) -> int:
        """Count the batches of an epoch of `n_samples` rows, at least 1."""
        if epoch < self.start:
            return super().steps(n_samples, epoch)
        return math.ceil(n_samples / self._groups())

    def draw(self, n_samples: int, targets: Tensor | None, epoch: int, generator: torch.Generator) -> list[Tensor]:
        """Draw the batches of an epoch; the rows of a group are adjacent. See `ShuffledBatches.draw`."""
        if epoch < self.start:
            return super().draw(n_samples, targets, epoch, generator)
        assert targets is not None, "groups need labels"
        targets = targets.cpu()
        anchors = torch.randperm(n_samples, generator=generator)
        if targets.ndim == 1:
            classes = torch.argsort(targets, stable=True).split(torch.bincount(targets).tolist())
            groups = [self._draw_group(classes[label], generator) for label in targets[anchors].tolist()]
        else:
            groups = []
            for row in anchors.tolist():
                related = targets @ targets[row] > 0
                related[row] = True  # a row without any label shares none, not even with itself
                groups.append(self._draw_group(related.nonzero()[:, 0], generator))
        return [torch.cat(groups[i : i + self._groups()]) for i in range(0, n_samples, self._groups())]

    def _draw_group(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        if len(rows) < self.group_size:
            return rows[torch.randint(len(rows), (self.group_size,), generator=generator)]
        return rows[torch.randperm(len(rows), generator=generator)[: self.group_size]]

    def _groups(self) -> int:
        return self.batch_size // self.group_size


def draw_weighted_rows(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Draw as many rows as there are weights, each in proportion to its weight.

    This is systematic sampling of the rows in random order: rows have stretches of a line, as long as their weights,
    and those at which evenly spaced points lie are drawn. So a row comes `n * weight / sum(weights)` times, rounded
    down or up at random, and this is its number on average.

    Parameters
    ----------
    weights : Tensor of float64 of shape (n,)
        Weights, at least 0 and not all 0.
    generator : torch.Generator
        Generator on the CPU.

    Returns
    -------
    rows : Tensor of int64 of shape (n,)
        Row numbers, those of a row side by side.
    """
    n_rows = len(weights)
    order = torch.randperm(n_rows, generator=generator)
    first = torch.rand((), dtype=torch.float64, generator=generator)
    ends = weights[order].cumsum(dim=0)
    ends = (ends * (n_rows / ends[-1])).clamp(max=n_rows)
    ends[-1] = n_rows  # whatever was rounded
    # Points are at `first`, `first + 1` and so on: so many are before each end.
    before = torch.ceil(ends - first).long()
    return order.repeat_interleave(torch.diff(before, prepend=torch.zeros(1, dtype=torch.int64)))


def steps_per_epoch(n_samples: int, batch_size: int) -> int:
    """Count the batches of an epoch: all except a last one of a single row.

    Parameters
    ----------
    n_samples : int
        Number of training samples.
    batch_size : int
        Samples in a batch.

    Returns
    -------
    steps : int
        At least 1.
    """
    return max(math.ceil(n_samples / batch_size) - (n_samples % batch_size == 1), 1)
