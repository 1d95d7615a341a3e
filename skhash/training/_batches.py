"""Which rows form a batch: each once in random order, or groups of one class."""

import math

import torch


class ShuffledBatches:
    """Every row once in an epoch, in random order.

    Parameters
    ----------
    batch_size : int
        Rows in a batch. A last batch of a single row is left out.

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

    def __init__(self, batch_size):
        self.batch_size = batch_size

    def steps(self, n_samples, epoch):
        """Count the batches of an epoch of `n_samples` rows, at least 1."""
        return steps_per_epoch(n_samples, self.batch_size)

    def draw(self, n_samples, targets, epoch, generator):
        """Draw the batches of an epoch.

        Parameters
        ----------
        n_samples : int
            Training samples.
        targets : Tensor or None
            Their labels, class indices or multi-hot.
        epoch : int
            Epochs finished before.
        generator : torch.Generator
            Of the CPU.

        Returns
        -------
        batches : list of Tensor of int64
            Rows of each batch.
        """
        order = torch.randperm(n_samples, generator=generator)
        # A last batch of one row has no batch statistics; over the epochs the order leaves out another row each time.
        return [rows for rows in order.split(self.batch_size) if len(rows) > 1]


class GroupedBatches(ShuffledBatches):
    """From some epoch on, groups of rows of one class: ODH's second stage.

    Every row is once the anchor of a group, which is drawn from the rows that share a label with it, with repetitions
    only where these are too few. An epoch so has `group_size` times as many rows.

    Parameters
    ----------
    batch_size : int
        Rows in a batch: as many groups as have room in it.
    group_size : int, default=2
        Rows of a group, of which a batch must hold two: at most half of `batch_size`.
    start : int, default=0
        Epochs before the first one with groups; until then rows come once each.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import GroupedBatches
    >>> y = torch.tensor([0, 0, 0, 1, 1, 1])
    >>> [y[rows].tolist()[::2] == y[rows].tolist()[1::2] for rows in GroupedBatches(4).draw(6, y, 0, torch.Generator())]
    [True, True, True]
    """

    def __init__(self, batch_size, group_size=2, *, start=0):
        super().__init__(batch_size)
        if 2 * group_size > batch_size:
            raise ValueError(
                f"group_size must be at most half of batch_size={batch_size}, so that a batch has samples of several "
                f"classes, got {group_size}."
            )
        self.group_size = group_size
        self.start = start

    def steps(self, n_samples, epoch):
        """Count the batches of an epoch of `n_samples` rows, at least 1."""
        if epoch < self.start:
            return super().steps(n_samples, epoch)
        return math.ceil(n_samples / self._groups())

    def draw(self, n_samples, targets, epoch, generator):
        """Draw the batches of an epoch; a group's rows stand together. See `ShuffledBatches.draw`."""
        if epoch < self.start:
            return super().draw(n_samples, targets, epoch, generator)
        targets = targets.cpu()
        anchors = torch.randperm(n_samples, generator=generator)
        if targets.ndim == 1:
            classes = torch.argsort(targets, stable=True).split(torch.bincount(targets).tolist())
            groups = [self._draw_group(classes[label], generator) for label in targets[anchors].tolist()]
        else:
            groups = []
            for row in anchors.tolist():
                related = targets @ targets[row] > 0
                related[row] = True  # even without any label
                groups.append(self._draw_group(related.nonzero()[:, 0], generator))
        return [torch.cat(groups[i : i + self._groups()]) for i in range(0, n_samples, self._groups())]

    def _draw_group(self, rows, generator):
        if len(rows) < self.group_size:
            return rows[torch.randint(len(rows), (self.group_size,), generator=generator)]
        return rows[torch.randperm(len(rows), generator=generator)[: self.group_size]]

    def _groups(self):
        return self.batch_size // self.group_size


def steps_per_epoch(n_samples, batch_size):
    """Count the batches of an epoch: all but a last one of a single row.

    Parameters
    ----------
    n_samples : int
        Training samples.
    batch_size : int
        Samples in a batch.

    Returns
    -------
    steps : int
        At least 1.
    """
    return max(math.ceil(n_samples / batch_size) - (n_samples % batch_size == 1), 1)
