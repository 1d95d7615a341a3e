"""State of a deep hasher: what a fitted one holds, how it is pickled, and how training continues from it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

import torch

from skhash.base import BaseHasher
from skhash.nn import is_pretrained_name
from skhash.training import FabricLike
from skhash.utils import check_unchanged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index import HammingIndex
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork
    from skhash.training import Recipe, TrainingLoop
    from skhash.utils import Labels

# Parameters that may change between two calls that train one network. All others determine the network.
TRAINING_PARAMETERS = frozenset({
    "recipe", "max_epochs", "batch_size", "optimizer", "learning_rate", "backbone_lr_ratio", "schedule", "weight_decay",
    "dropout", "resizing", "max_grad_norm", "views", "early_stopping", "validation_fraction", "n_iter_no_change",
    "class_weight", "similarity_weight", "checkpoint", "warm_start", "device", "precision", "compile", "inference",
    "random_state", "verbose",
})  # fmt: skip

_GLOBAL_STATE = threading.RLock()


class DeepState(BaseHasher):
    """Base class that declares the attributes of a fitted deep hasher and pickles them."""

    bits: int
    backbone: Any
    views: Any
    inference: Literal["auto", "torch"]

    module_: HashNetwork
    inference_: Literal["packed", "torch"]
    recipe_: Recipe
    history_: list[dict[str, Any]]
    n_iter_: int
    input_shape_: tuple[int, ...]
    label_index_: HammingIndex | None
    classes_: NDArray[Any]
    multilabel_: bool

    _integer_pixels: bool
    # Parameters that the network was made with.
    _made_with: dict[str, Any]
    # Of the last `partial_fit`: the loop with its optimizer, and the training parameters that it was made with.
    _loop: tuple[TrainingLoop, dict[str, Any]] | None

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __getstate__(self) -> dict[str, Any]:
        # A copy: since Python 3.11, `object.__getstate__` may return `__dict__` itself.
        state = dict(cast("dict[str, Any]", super().__getstate__()))
        state.pop("_loop", None)
        if isinstance(state.get("device"), FabricLike):  # it belongs to these processes
            state["device"] = "auto"
        # A model trained on an accelerator must load where there is none.
        if "module_" in state and self._device().type != "cpu":
            state["module_"] = copy.deepcopy(self.module_).cpu()
        return state

    def _device(self) -> torch.device:
        return next(self.module_.parameters()).device

    def _uses_library_backbone(self) -> bool:
        """Return whether the backbone is one of the library's, or none."""
        return self.backbone is None or (isinstance(self.backbone, str) and not is_pretrained_name(self.backbone))

    def _draws_by_generator(self) -> bool:
        """Return whether only the library's code draws random numbers; a user's module may use torch's global state."""
        return self._uses_library_backbone() and (self.views is None or isinstance(self.views, str))

    def _network_parameters(self) -> dict[str, Any]:
        """Return the parameters that determine the network, with their values."""
        return {name: value for name, value in self.get_params(deep=False).items() if name not in TRAINING_PARAMETERS}


def network_to_continue(hasher: DeepState, labels: Labels | None) -> HashNetwork:
    """Return the trained network, after a check that parameters and labels still fit it."""
    check_unchanged(
        hasher._made_with,
        hasher._network_parameters(),
        when="when the network was made",
        advice="training cannot continue with it. Set warm_start=False to train a new network.",
    )
    if labels is not None and labels.multilabel != hasher.multilabel_:
        kinds = ("class labels", "multi-hot labels")
        raise ValueError(f"y holds {kinds[labels.multilabel]}; training began with {kinds[hasher.multilabel_]}.")
    return hasher.module_


def fitted_state(hasher: DeepState, network: HashNetwork, samples: Samples, labels: Labels | None) -> dict[str, Any]:
    """Return the attributes that make a hasher with this network a fitted one."""
    state: dict[str, Any] = {
        "module_": network,
        "input_shape_": tuple(samples.sample_shape),
        "_n_features_out": hasher.bits,
        "_integer_pixels": samples.integer,
    }
    return state if labels is None else {**state, "classes_": labels.classes, "multilabel_": labels.multilabel}


@contextmanager
def training_generator(
    hasher: DeepState, random_state: Any, generator: torch.Generator | None = None
) -> Iterator[torch.Generator]:
    """Yield the generator that draws everything in training: `generator`, or a new one if it is None."""
    seed = int(random_state.randint(2**31 - 1))
    if generator is None:
        generator = torch.Generator().manual_seed(seed)
    else:
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
    if hasher._draws_by_generator():
        yield generator
        return
    # A user's backbone may draw weights and dropout, and a user's views anything, from torch's global state. They find
    # it seeded; the user finds it unchanged afterwards; and such fits in other threads wait for each other.
    with _GLOBAL_STATE, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield generator
