"""Early stopping: stop when the validation score no longer rises, and restore the best weights."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn


class EarlyStopping:
    """Monitor of a score that should rise, with the weights of its best epoch.

    Parameters
    ----------
    patience : int
        Number of epochs without a better score after which to stop.

    Attributes
    ----------
    best_score : float
        Highest score so far.
    best_epoch : int
        Number of epochs after which it was reached.
    """

    best_score: float
    best_epoch: int

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best_score = float("-inf")
        self.best_epoch = 0
        self._best_state: dict[str, Tensor] | None = None

    def update(self, score: float, epoch: int, network: nn.Module) -> bool:
        """Record a score after `epoch` epochs, and the network's weights if it is the best so far.

        Returns
        -------
        stop : bool
            Whether `patience` epochs have passed without a better score.
        """
        if score > self.best_score:
            self.best_score, self.best_epoch = score, epoch
            self._best_state = copy.deepcopy(network.state_dict())
        return epoch - self.best_epoch >= self.patience

    def state(self) -> dict[str, Any]:
        """Return what has been recorded, for a checkpoint."""
        return {"best_score": self.best_score, "best_epoch": self.best_epoch, "best_state": self._best_state}

    def load_state(self, state: dict[str, Any]) -> None:
        """Set what has been recorded to that of a checkpoint."""
        self.best_score, self.best_epoch = state["best_score"], state["best_epoch"]
        self._best_state = state["best_state"]

    def restore(self, network: nn.Module) -> None:
        """Load the weights of the best epoch into the network."""
        if self._best_state is not None:
            network.load_state_dict(self._best_state)
