"""What the samples of a batch are compared with: each other, halves, or the latest code of every training sample."""

import torch
from torch import Tensor

from skhash.nn import sign
from skhash.utils import check_option


class PairMemory:
    """The latest continuous code of every training sample that was seen, with its labels.

    It grows with the rows that are written. It belongs to a training and not to a model: copies and pickles of it are
    empty, and it is in no `state_dict`.

    Attributes
    ----------
    z : Tensor of shape (n_rows, bits)
        Continuous codes, without gradient; 0 where no sample was seen.
    codes : Tensor of shape (n_rows, bits)
        Binary codes, -1 or +1: the sign of the continuous code that was seen first, until a method sets others.
    targets : Tensor of shape (n_rows,) or (n_rows, n_classes)
        Labels.
    visited : Tensor of bool of shape (n_rows,)
        Which rows were seen.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import PairMemory
    >>> memory = PairMemory()
    >>> memory.update(torch.tensor([2, 0]), torch.tensor([[0.5, -2.0], [1.0, 1.0]]), torch.tensor([7, 3]))
    >>> memory.visited
    tensor([ True, False,  True])
    >>> memory.codes[2]
    tensor([ 1., -1.])
    """

    def __init__(self):
        self.z = self.codes = self.targets = self.visited = None

    def __reduce__(self):
        return type(self), ()

    @property
    def n_seen(self):
        """How many samples were seen."""
        return 0 if self.visited is None else int(self.visited.sum())

    def update(self, rows, z: Tensor, targets: Tensor):
        """Write continuous codes and labels.

        Parameters
        ----------
        rows : Tensor or ndarray of int of shape (n,)
            Positions of the samples in the training set, all different.
        z : Tensor of shape (n, bits)
            Continuous codes. No gradient goes back through the memory.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        """
        rows = torch.as_tensor(rows, device=z.device)
        n_rows = int(rows.max()) + 1
        z = z.detach()
        self.z, self.codes = _grown(self.z, z, n_rows), _grown(self.codes, z, n_rows)
        self.targets = _grown(self.targets, targets, n_rows)
        self.visited = _grown(self.visited, torch.ones_like(rows, dtype=torch.bool), n_rows)
        self.codes[rows] = torch.where(self.visited[rows][:, None], self.codes[rows], sign(z))
        self.z[rows], self.targets[rows], self.visited[rows] = z, targets, True


def _grown(table, like, n_rows):
    """Give a table of at least `n_rows` rows that begins with `table`; new rows are 0."""
    old = 0 if table is None else len(table)
    if n_rows <= old:
        return table
    new = like.new_zeros(n_rows - old, *like.shape[1:])
    return new if table is None else torch.cat([table, new])


class Pairing:
    """Choose the pairs of a batch, as the first arguments of a pairwise loss.

    Parameters
    ----------
    pairs : {"batch", "halves", "memory"}, default="batch"
        "batch" compares all samples of a batch with each other and themselves, "halves" the first half with the
        second, "memory" all with the latest code of every training sample seen, in which case only the batch's own
        side carries gradient.

    Attributes
    ----------
    memory : PairMemory
        Used with "memory" only.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import Pairing, dpsh_loss
    >>> pairing = Pairing("memory")
    >>> z, targets = torch.tensor([[1.0, -1.0], [2.0, 2.0]]), torch.tensor([0, 1])
    >>> first = dpsh_loss(*pairing(z, targets, rows=[0, 1]))  # (2, 2) pairs
    >>> second = dpsh_loss(*pairing(z, targets, rows=[2, 3]))  # (2, 4) pairs
    """

    def __init__(self, pairs="batch"):
        check_option("pairs", pairs, ("batch", "halves", "memory"))
        self.pairs = pairs
        self.memory = PairMemory()

    def __call__(self, z: Tensor, targets: Tensor, rows=None):
        """Choose pairs.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes of a batch.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        rows : Tensor or ndarray of int of shape (n,), default=None
            Positions of the samples in the training set; needed for "memory".

        Returns
        -------
        arguments : tuple
            z, targets, z2, targets2 and mask of a pairwise loss.

        Raises
        ------
        ValueError
            If "memory" gets no rows.
        """
        if self.pairs == "batch":
            return z, targets, None, None, None
        if self.pairs == "halves":
            half = len(z) // 2
            return z[:half], targets[:half], z[half:], targets[half:], None
        if rows is None:
            raise ValueError("rows must be given with pairs='memory': the samples' positions in the training set.")
        self.memory.update(rows, z, targets)
        return z, targets, self.memory.z, self.memory.targets, self.memory.visited
