"""Stop when the validation score no longer rises, and give the best weights back."""

import copy


class EarlyStopping:
    """Watch a score that should rise.

    Parameters
    ----------
    patience : int
        Epochs without a better score after which to stop.

    Attributes
    ----------
    best_score : float
        Highest score so far.
    best_epoch : int
        Epochs that had been run when it was reached.
    """

    def __init__(self, patience):
        self.patience = patience
        self.best_score = float("-inf")
        self.best_epoch = 0
        self._best_state = None

    def update(self, score, epoch, network):
        """Take note of a score after `epoch` epochs.

        Returns
        -------
        stop : bool
            Whether patience is at an end.
        """
        if score > self.best_score:
            self.best_score, self.best_epoch = score, epoch
            self._best_state = copy.deepcopy(network.state_dict())
        return epoch - self.best_epoch >= self.patience

    def restore(self, network):
        """Give the network the weights of the best epoch."""
        if self._best_state is not None:
            network.load_state_dict(self._best_state)
