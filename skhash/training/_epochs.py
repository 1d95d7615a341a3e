"""Run of several epochs: history, progress, early stopping, and the state after an interruption by the user."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from skhash.nn.binary import set_progress_

if TYPE_CHECKING:
    from torch import Tensor

    from skhash.inputs import Samples
    from skhash.training._callbacks import FitTask
    from skhash.training._checkpoint import Checkpoint
    from skhash.training._early_stopping import EarlyStopping
    from skhash.training._loop import TrainingLoop


def run_epochs(
    loop: TrainingLoop,
    samples: Samples,
    targets: Tensor | None,
    *,
    epochs: int,
    validate: Callable[[], float] | None = None,
    early_stopping: EarlyStopping | None = None,
    describe: Callable[[], dict[str, Any]] | None = None,
    task: FitTask,
    checkpoint: Checkpoint | None = None,
    verbose: int = 0,
) -> list[dict[str, Any]]:
    """Train for several epochs.

    Parameters
    ----------
    loop : TrainingLoop
        Trains the network for one epoch at a time.
    samples : Samples
        Training samples.
    targets : Tensor or None
        Their labels.
    epochs : int
        Largest number of epochs.
    validate : callable, default=None
        Called after every epoch; returns a score that should rise.
    early_stopping : EarlyStopping, default=None
        Monitors these scores; the network ends with the weights of the best epoch.
    describe : callable, default=None
        Called after every epoch; returns a dict of further values for the history.
    task : FitTask
        Is notified of every epoch and may request to stop.
    checkpoint : Checkpoint, default=None
        Where the state is kept after every epoch, and from which training goes on.
    verbose : int, default=0
        Positive for a progress bar.

    Returns
    -------
    history : list of dict
        Per epoch: "epoch" (from 1), "loss", "learning_rate" (of the head, at the end), "seconds", with `validate`
        "validation_map", and the values of `describe`.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts before the first epoch is finished. Later, the network is set back to the end of the last
        finished epoch, and a warning names that epoch. With several processes, it is always raised.
    """
    history: list[dict[str, Any]] = []
    finished: dict[str, Tensor] = {}
    stop = False
    if checkpoint is not None:
        history, stop = checkpoint.restore("epochs", loop, early_stopping)
        finished = copy.deepcopy(loop.network.state_dict())
        resume = getattr(describe, "resume", None)
        if history and resume is not None:
            resume(len(history))
    first = loop.ranks is None or loop.ranks.is_first
    progress = tqdm(initial=len(history), total=epochs, unit="epoch", disable=not verbose or not first)
    try:
        for epoch in range(len(history), 0 if stop else epochs):
            task.begin_epoch()
            start = time.perf_counter()
            set_progress_(loop.network, epoch / epochs)
            row = {"epoch": epoch + 1, "loss": loop.run_epoch(samples, targets, epoch)}
            row["learning_rate"] = loop.optimizer.param_groups[0]["lr"]
            if describe is not None:
                row.update(describe())
            stop = False
            if validate is not None:
                row["validation_map"] = validate()
                if early_stopping is not None:
                    stop = early_stopping.update(row["validation_map"], epoch + 1, loop.network)
            row["seconds"] = time.perf_counter() - start
            state = copy.deepcopy(loop.network.state_dict())
            # In one statement, since an interruption between two would leave weights and history of different epochs.
            finished, history = state, [*history, row]
            progress.update()
            progress.set_postfix({key: f"{row[key]:.4f}" for key in ("loss", "validation_map") if key in row})
            stop = task.end_epoch() or stop
            if loop.ranks is not None:  # a callback may have asked for it in the first process only
                stop = loop.ranks.share(stop)
            if checkpoint is not None:
                final = stop or len(history) == epochs
                checkpoint.save("epochs", loop, history, final=final, stopped=stop, early_stopping=early_stopping)
            if stop:
                break
    except KeyboardInterrupt:
        if not history or loop.ranks is not None:  # other processes may have finished another epoch
            raise
        loop.network.load_state_dict(finished)
        kept = len(history) if early_stopping is None else early_stopping.best_epoch
        warnings.warn(f"Training interrupted by the user: the model is that of epoch {kept}.", stacklevel=3)
    finally:
        progress.close()
    if early_stopping is not None:
        early_stopping.restore(loop.network)
    return history
