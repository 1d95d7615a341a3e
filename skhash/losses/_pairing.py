"""Choice of the pairs of a batch: all pairs, one half with the other, or all with the latest code of every sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from skhash.losses._similarity import halves
from skhash.nn import sign
from skhash.utils import check_option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    RowsLike: TypeAlias = Tensor | NDArray[np.integer[Any]] | Sequence[int]


class PairMemory:
    """The latest continuous code of each training sample seen so far, with its labels.

    The memory grows with the rows that are written. It belongs to a training run and not to a model: its copies and
    pickles are empty, and no `state_dict` contains it.

    Attributes
    ----------
    z : Tensor of shape (n_rows, bits)
        Continuous codes, without gradient; 0 where no sample was seen. This and the other attributes are None before
        the first update.
    codes : Tensor of shape (n_rows, bits)
        Binary codes, -1 or +1: the sign of the continuous code that was seen first, until a method sets others.
    targets : Tensor of shape (n_rows,) or (n_rows, n_classes)
        Labels.
    visited : Tensor of bool of shape (n_rows,)
        Mask of the rows that were seen.

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

    z: Tensor | None
    codes: Tensor | None
    targets: Tensor | None
    visited: Tensor | None

    def __init__(self) -> None:
        self.z = self.codes = self.targets = self.visited = None

    def __reduce__(self) -> tuple[type[PairMemory], tuple[()]]:
        return type(self), ()

    @property
    def n_seen(self) -> int:
        """Number of samples seen so far."""
        return 0 if self.visited is None else int(self.visited.sum())

    def training_state(self) -> dict[str, Tensor | None]:
        """Return the tables, for a checkpoint of a training."""
        return dict(vars(self))

    def load_training_state(self, state: dict[str, Tensor | None]) -> None:
        """Set the tables to those of a checkpoint.

        Parameters
        ----------
        state : dict
            What `training_state` has returned.
        """
        vars(self).update(state)

    def update(self, rows: RowsLike, z: Tensor, targets: Tensor) -> None:
        """Write continuous codes and labels.

        Parameters
        ----------
        rows : Tensor or ndarray of int of shape (n,)
            Positions of the samples in the training set. Of equal ones, the last counts.
        z : Tensor of shape (n, bits)
            Continuous codes. The memory passes no gradient back.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        """
        rows = torch.as_tensor(rows, device=z.device)
        distinct, last = np.unique(rows.cpu().numpy()[::-1], return_index=True)
        if len(distinct) < len(rows):  # torch writes one of them, not always the same
            kept = torch.as_tensor(len(rows) - 1 - last, device=z.device)
            rows, z, targets = rows[kept], z[kept], targets[kept]
        n_rows = int(rows.max()) + 1
        z = z.detach()
        self.z, self.codes = _grown(self.z, z, n_rows), _grown(self.codes, z, n_rows)
        self.targets = _grown(self.targets, targets, n_rows)
        self.visited = _grown(self.visited, torch.ones_like(rows, dtype=torch.bool), n_rows)
        self.codes[rows] = torch.where(self.visited[rows][:, None], self.codes[rows], sign(z))
        self.z[rows], self.targets[rows], self.visited[rows] = z, targets, True


def written_tensors(memory: PairMemory) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return `codes`, `z`, `targets` and `visited` of a memory that was updated before."""
    assert memory.codes is not None
    assert memory.z is not None
    assert memory.targets is not None
    assert memory.visited is not None
    return memory.codes, memory.z, memory.targets, memory.visited


def _grown(table: Tensor | None, like: Tensor, n_rows: int) -> Tensor:
    """Return a table of at least `n_rows` rows that begins with `table`; new rows are 0."""
    if table is not None and n_rows <= len(table):
        return table
    new = like.new_zeros(n_rows - (0 if table is None else len(table)), *like.shape[1:])
    return new if table is None else torch.cat([table, new])


class Pairing:
    """Choice of the pairs of a batch, as the first arguments of a pairwise loss.

    Parameters
    ----------
    pairs : {"batch", "halves", "memory"}, default="batch"
        "batch" compares all samples of a batch with each other and with themselves, "halves" all of the first half with
        all of the second, which is one sample longer if their number is odd, "memory" all with the latest code of each
        training sample seen so far; the codes of the memory carry no gradient.

    Attributes
    ----------
    memory : PairMemory
        Only used with "memory".

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import Pairing, dpsh_loss
    >>> pairing = Pairing("memory")
    >>> z, targets = torch.tensor([[1.0, -1.0], [2.0, 2.0]]), torch.tensor([0, 1])
    >>> first = dpsh_loss(*pairing(z, targets, rows=[0, 1]))  # (2, 2) pairs
    >>> second = dpsh_loss(*pairing(z, targets, rows=[2, 3]))  # (2, 4) pairs
    """

    pairs: Literal["batch", "halves", "memory"]
    memory: PairMemory

    def __init__(self, pairs: Literal["batch", "halves", "memory"] = "batch") -> None:
        check_option("pairs", pairs, ("batch", "halves", "memory"))
        self.pairs = pairs
        self.memory = PairMemory()

    def training_state(self) -> dict[str, Tensor | None]:
        """Return the memory, for a checkpoint of a training."""
        return self.memory.training_state()

    def load_training_state(self, state: dict[str, Tensor | None]) -> None:
        """Set the memory to that of a checkpoint.

        Parameters
        ----------
        state : dict
            What `training_state` has returned.
        """
        self.memory.load_training_state(state)

    def __call__(
        self, z: Tensor, targets: Tensor, rows: RowsLike | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]:
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
            The arguments z, targets, z2, targets2 and mask of a pairwise loss.

        Raises
        ------
        ValueError
            If `rows` is missing with "memory", or the batch has fewer than two rows with "halves".
        """
        if self.pairs == "batch":
            return z, targets, None, None, None
        if self.pairs == "halves":
            (z, z2), (targets, targets2) = halves(z), halves(targets)
            return z, targets, z2, targets2, None
        if rows is None:
            raise ValueError(
                "rows must be given with pairs='memory': the positions of the samples in the training set."
            )
        self.memory.update(rows, z, targets)
        return z, targets, self.memory.z, self.memory.targets, self.memory.visited
