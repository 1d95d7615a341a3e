"""Checkpoints of a training: everything that its next epochs depend on, in a folder, after every epoch."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from skhash.training._checkpoint_file import copy_state, read_state, write_state

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from skhash.training._early_stopping import EarlyStopping
    from skhash.training._loop import TrainingLoop
    from skhash.training._ranks import Ranks

__all__ = ["Checkpoint"]

_KEPT = 2  # files of a stage: the last one, and the one before in case it is damaged


class Checkpoint:
    """Checkpoints of one training in a folder of their own.

    A training has stages, such as a classifier that is trained before the hasher. Each has files of its own, of which
    the last two are kept. A file is written in the background while the next epoch is trained.

    Parameters
    ----------
    folder : Path
        Where the files of this training are; made when the first one is written.
    random_state : RandomState instance
        Random state of the training.
    generator : torch.Generator
        Generator of the training.
    ambient : bool, default=False
        Whether the training draws from torch's global generators, too.
    ranks : Ranks, default=None
        Processes that train together: the first one reads and writes for all.

    Attributes
    ----------
    folder : Path
        The folder.
    pause : float
        Seconds from one file to the next: short epochs have no file of their own, except the last of a stage.
    """

    pause: ClassVar[float] = 1.0

    def __init__(
        self,
        folder: Path,
        random_state: np.random.RandomState,
        generator: torch.Generator,
        *,
        ambient: bool = False,
        ranks: Ranks | None = None,
    ) -> None:
        self.folder = folder
        self._random_state = random_state
        self._generator = generator
        self._ambient = ambient
        self._ranks = ranks
        self._start = self._draws()
        self._writer: ThreadPoolExecutor | None = None
        self._written: Future[None] | None = None
        self._next = time.monotonic() + self.pause
        self._damaged: set[Path] = set()
        # Without a seed, every start is another: the one of the files is taken.
        found = self._find("*")
        if found is not None:
            self._start = found["start"]
            self._set_draws(self._start)

    def restore(
        self, stage: str, loop: TrainingLoop, early_stopping: EarlyStopping | None = None
    ) -> tuple[list[dict[str, Any]], bool]:
        """Set a loop to the end of the last epoch that has a file.

        Parameters
        ----------
        stage : str
            Name of the stage.
        loop : TrainingLoop
            As it is before the first epoch. Network, optimizer and schedule are changed in place.
        early_stopping : EarlyStopping, default=None
            Gets back its best score and weights.

        Returns
        -------
        history : list of dict
            Rows of the epochs that are finished; empty if there is no file.
        stopped : bool
            Whether the training has ended before its last epoch.
        """
        state = self._find(stage, self._start)
        if state is None:
            return [], False
        loop.network.load_state_dict(state["network"])
        loop.optimizer.load_state_dict(state["optimizer"])
        vars(loop.schedule).update(state["schedule"])
        for name, keeper in _keepers(loop.network):
            keeper.load_training_state(_moved(state["memory"][name], loop.device))
        if early_stopping is not None:
            early_stopping.load_state(state["early_stopping"])
        self._set_draws(state["draws"])
        return state["history"], state["stopped"]

    def save(
        self,
        stage: str,
        loop: TrainingLoop,
        history: list[dict[str, Any]],
        *,
        final: bool,
        stopped: bool = False,
        early_stopping: EarlyStopping | None = None,
    ) -> None:
        """Write the state at the end of an epoch, if a file is due; one that cannot be written is a warning.

        Parameters
        ----------
        stage : str
            Name of the stage.
        loop : TrainingLoop
            At the end of the epoch.
        history : list of dict
            Rows of all finished epochs of the stage.
        final : bool
            Whether this is the last epoch of the stage.
        stopped : bool, default=False
            Whether the training ends after this epoch.
        early_stopping : EarlyStopping, default=None
            What it has kept.
        """
        if self._ranks is not None and not self._ranks.is_first:
            return
        if not final and time.monotonic() < self._next:
            return
        self.wait()
        self._next = time.monotonic() + self.pause
        schedule = loop.schedule
        state = {
            "start": self._start,
            "draws": self._draws(),
            "network": loop.network.state_dict(),
            "optimizer": loop.optimizer.state_dict(),
            # What differs between two steps of a schedule; the rest follows from the parameters.
            "schedule": {name: vars(schedule)[name] for name in ("last_epoch", "_step_count", "_last_lr")},
            "memory": {name: keeper.training_state() for name, keeper in _keepers(loop.network)},
            "early_stopping": None if early_stopping is None else early_stopping.state(),
            "history": history,
            "stopped": stopped,
        }
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, "skhash-checkpoint")
        self._written = self._writer.submit(self._write, f"{stage}-{len(history):06}", copy_state(state))

    def wait(self) -> None:
        """Wait until all files are written."""
        written, self._written = self._written, None
        if written is not None:
            try:
                written.result()
            except OSError as error:
                warnings.warn(
                    f"No checkpoint of this epoch could be written ({error}); training goes on.", stacklevel=3
                )

    def close(self) -> None:
        """Wait until all files are written, and end the thread that writes."""
        self.wait()
        if self._writer is not None:
            self._writer.shutdown()
            self._writer = None

    def _write(self, name: str, state: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_state(self.folder / f"{name}.safetensors", state)
        for old in list(self._files(name.split("-")[0]))[_KEPT:]:
            with suppress(FileNotFoundError):
                old.unlink()

    def _files(self, stage: str) -> Iterator[Path]:
        """Yield the files of a stage, the newest first; an earlier stage comes after a later one."""
        found = [path for path in self.folder.glob(f"{stage}-*.safetensors") if re.search(r"-\d{6,}$", path.stem)]
        yield from sorted(found, key=lambda path: int(path.stem.rsplit("-")[-1]), reverse=True)

    def _find(self, stage: str, start: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the newest state of a stage, if given one of a training that began with the draws `start`."""
        found = None
        if self._ranks is None or self._ranks.is_first:
            states = filter(None, map(self._read, self._files(stage)))
            found = next((state for state in states if start is None or _same(state["start"], start)), None)
        return found if self._ranks is None else self._ranks.share(found)

    def _read(self, path: Path) -> dict[str, Any] | None:
        if path in self._damaged:
            return None
        try:
            return read_state(path)
        except FileNotFoundError:  # removed by another process, which runs the same training
            return None
        except (OSError, ValueError) as error:
            self._damaged.add(path)
            warnings.warn(f"The checkpoint {path} is damaged and is left out: {error}.", stacklevel=4)
            return None

    def _draws(self) -> dict[str, Any]:
        """Return the states of all generators."""
        draws = {"numpy": self._random_state.get_state(), "generator": self._generator.get_state()}
        if self._ambient:
            draws["ambient"] = torch.get_rng_state()
            if torch.cuda.is_available():
                draws["cuda"] = torch.cuda.get_rng_state_all()
            if torch.backends.mps.is_available():
                draws["mps"] = torch.mps.get_rng_state()
        return copy_state(draws)

    def _set_draws(self, draws: dict[str, Any]) -> None:
        self._random_state.set_state(draws["numpy"])
        self._generator.set_state(draws["generator"])
        if "ambient" in draws:
            torch.set_rng_state(draws["ambient"])
        if "cuda" in draws and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(draws["cuda"])
        if "mps" in draws and torch.backends.mps.is_available():
            torch.mps.set_rng_state(draws["mps"])


def _same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Return whether two trainings have begun with the same random numbers."""
    return torch.equal(first["generator"], second["generator"])


def _moved(state: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {name: each.to(device) if isinstance(each, torch.Tensor) else each for name, each in state.items()}


def _keepers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield what has a state of training that is no part of the model: modules, and objects that modules hold."""
    for name, module in network.named_modules():
        if hasattr(type(module), "training_state"):
            yield name, module
        for key, value in vars(module).items():
            if hasattr(type(value), "training_state"):
                yield f"{name}.{key}", value
