"""Epoch after epoch: history, progress, early stopping, and what remains when the user interrupts."""

import copy
import time
import warnings

from tqdm.auto import tqdm

from skhash.nn.binary import set_progress_


def run_epochs(loop, samples, targets, *, epochs, validate=None, early_stopping=None, describe=None, task, verbose=0):
    """Train for some epochs.

    Parameters
    ----------
    loop : TrainingLoop
        Does the training.
    samples : Samples
        Training samples.
    targets : Tensor or None
        Their labels.
    epochs : int
        How many at most.
    validate : callable, default=None
        Gives a score that should rise, after every epoch.
    early_stopping : EarlyStopping, default=None
        Judges these scores; the network ends with the weights of the best epoch.
    describe : callable, default=None
        Gives a dict of whatever is to be known of the network after every epoch.
    task : FitTask
        Hears of every epoch and may ask to stop.
    verbose : int, default=0
        Positive for a progress bar.

    Returns
    -------
    history : list of dict
        Per epoch: "epoch" (from 1), "loss", "learning_rate" (of the head, at the end), "seconds", with `validate`
        "validation_map", and what `describe` gives.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts before the first epoch is finished. Later, the network is set back to the end of the
        last finished epoch and a warning says so.
    """
    history = []
    finished = None
    progress = tqdm(total=epochs, unit="epoch", disable=not verbose)
    try:
        for epoch in range(epochs):
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
                stop = early_stopping.update(row["validation_map"], epoch + 1, loop.network)
            row["seconds"] = time.perf_counter() - start
            state = copy.deepcopy(loop.network.state_dict())
            finished, history = state, [*history, row]  # together, or an interruption in between would part them
            progress.update()
            progress.set_postfix({key: f"{row[key]:.4f}" for key in ("loss", "validation_map") if key in row})
            if task.end_epoch() or stop:
                break
    except KeyboardInterrupt:
        if not history:
            raise
        loop.network.load_state_dict(finished)
        kept = len(history) if early_stopping is None else early_stopping.best_epoch
        warnings.warn(f"Training interrupted by the user: the model is that of epoch {kept}.", stacklevel=3)
    finally:
        progress.close()
    if early_stopping is not None:
        early_stopping.restore(loop.network)
    return history
