"""Count the parameters and multiplications of a network, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from skhash.nn.binary import Int8Stem, RPReLU, RSign, WeightRule

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, Int8Stem)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_SLOPES = (nn.PReLU, RPReLU)
_THRESHOLDS = (RSign,)  # parameters, but no multiplications
_SHORTCUT_NAMES = ("downsample", "shortcut")
_NOT_REAL = ("binary_parameters", "binary_macs", "scales", "scaled_elements", "int8_parameters")


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer for one sample, before a convention chooses what counts.

    Parameters
    ----------
    name : str
        Name of the submodule.
    kind : str
        Name of its class.
    real_parameters : int, default=0
        Parameters that are not binary, without those of batch normalization and the scales of binary filters.
    binary_parameters : int, default=0
        Weights of one bit.
    real_macs : int, default=0
        Multiplications of real numbers (multiply-accumulates of convolutions and linear layers).
    binary_macs : int, default=0
        Multiplications of one bit by one bit.
    norm_channels : int, default=0
        Channels of a batch normalization.
    norm_elements : int, default=0
        Values that it normalizes.
    scales : int, default=0
        Scales of binary filters, one per output channel; 0 for a rule without scales.
    scaled_elements : int, default=0
        Values that are multiplied by them.
    int8_parameters : int, default=0
        Number of the real parameters that are stored in eight bits.
    counted : bool, default=True
        Whether the multiplications of a layer with parameters were counted: False for a kind of layer that is not known
        here, and for a layer that the forward pass did not call.
    """

    name: str
    kind: str
    real_parameters: int = 0
    binary_parameters: int = 0
    real_macs: int = 0
    binary_macs: int = 0
    norm_channels: int = 0
    norm_elements: int = 0
    scales: int = 0
    scaled_elements: int = 0
    int8_parameters: int = 0
    counted: bool = True

    def in_full_precision(self) -> LayerCost:
        """Return the cost of the same layer with real weights and inputs.

        Returns
        -------
        cost : LayerCost
            Cost without binary parameters, binary multiplications and scales.
        """
        return replace(
            self,
            real_parameters=self.real_parameters + self.binary_parameters,
            real_macs=self.real_macs + self.binary_macs,
            **dict.fromkeys(_NOT_REAL, 0),
        )


def count_layers(
    network: nn.Module,
    input_shape: tuple[int, ...],
    *,
    real_downsample: bool | None = None,
    real_head: bool | None = None,
) -> list[LayerCost]:
    """Run a network on one sample of noise and count the cost of each layer.

    Parameters
    ----------
    network : nn.Module
        Any module. It is run once in evaluation mode, on the device of its parameters, and left as it was. Without
        binary layers it may be on the device "meta".
    input_shape : tuple of int
        (channels, height, width) of an image or (n_features,).
    real_downsample : bool, default=None
        Whether convolutions with "downsample" or "shortcut" in their name count as real (True) or as binary (False).
        None counts them by their own kind.
    real_head : bool, default=None
        Whether the linear layer or convolution that is called last counts as real (True) or as binary (False). None
        counts it by its own kind.

    Returns
    -------
    layers : list of LayerCost
        One per layer that has parameters, in the order of `network.named_modules()`. A parameter that several layers
        share counts for the first.

    Raises
    ------
    ValueError
        If the network does not take such inputs or does not return one vector per sample, or if there is no layer to
        which `real_downsample` or `real_head` applies.

    Examples
    --------
    >>> from torch import nn
    >>> from skhash.nn import count_layers
    >>> layers = count_layers(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten()), (3, 10, 10))
    >>> [(layer.kind, layer.real_parameters, layer.real_macs, layer.norm_elements) for layer in layers]
    [('Conv2d', 224, 13824, 0), ('BatchNorm2d', 0, 0, 512)]
    """
    return measure(network, input_shape, real_downsample=real_downsample, real_head=real_head)[0]


def measure(
    network: nn.Module,
    input_shape: tuple[int, ...],
    *,
    real_downsample: bool | None = None,
    real_head: bool | None = None,
) -> tuple[list[LayerCost], int]:
    """Return the result of `count_layers` and the length of the network's output."""
    calls = _Calls(network, input_shape)
    forced = _forced_kinds(network, calls, real_downsample, real_head)
    seen: set[int] = set()
    costs: list[LayerCost] = []
    for name, layer in network.named_modules():
        own = {id(p): p.numel() for p in layer.parameters(recurse=False) if id(p) not in seen}
        seen.update(own)
        # The scales that a rule learns are counted with the layer that it belongs to.
        if isinstance(layer, WeightRule) or not (own or layer in calls.elements):
            continue
        elements = calls.elements.get(layer, 0)
        cost = LayerCost(name, type(layer).__name__, sum(own.values()), counted=layer in calls.elements)
        if isinstance(layer, _NORMS):
            cost = replace(cost, real_parameters=0, norm_channels=layer.num_features, norm_elements=elements)
        elif isinstance(layer, _SLOPES):
            cost = replace(cost, real_macs=elements)
        elif isinstance(layer, _THRESHOLDS):
            cost = replace(cost, counted=True)
        elif _is_weighted(layer):
            weights, kind = own.get(id(layer.weight), 0), forced.get(layer, calls.kind(layer))
            cost = _weighted(cost, layer, weights, elements, *kind)
        costs.append(cost)
    return costs, calls.width


def _weighted(
    cost: LayerCost, layer: nn.Module, weights: int, elements: int, binary_weights: bool, binary_inputs: bool
) -> LayerCost:
    """Add the cost of a convolution or linear layer."""
    weight = cast(Tensor, layer.weight)
    macs = {"binary_macs" if binary_weights and binary_inputs else "real_macs": elements * weight[0].numel()}
    if not binary_weights:
        return replace(cost, **macs, int8_parameters=weights if isinstance(layer, Int8Stem) else 0)
    rule = _rule(layer)
    # The base class has signs only; a real layer that is counted as binary is given scales, as most rules have them.
    has_scales = rule is None or type(rule).parts is not WeightRule.parts
    return replace(
        cost,
        **macs,
        real_parameters=cost.real_parameters - weights,
        binary_parameters=weights,
        scales=len(weight) if has_scales else 0,
        scaled_elements=elements if has_scales else 0,
    )


class _Calls:
    """Record of a network's run on one sample of noise.

    `elements` maps each known layer to the number of its output elements, in the order of the last calls; `width` is
    the length of the network's output.
    """

    def __init__(self, network: nn.Module, input_shape: tuple[int, ...]) -> None:
        self.elements: dict[nn.Module, int] = {}
        self._binary_inputs: dict[nn.Module, bool] = {}
        known = [m for m in network.modules() if isinstance(m, (*_NORMS, *_SLOPES)) or _is_weighted(m)]
        hooks = [layer.register_forward_hook(self._note) for layer in known]
        modes = [(module, module.training) for module in network.modules()]
        parameter = next(network.parameters(), torch.empty(0))
        # Noise, since a layer may turn zeros into values that look like signs.
        sample = torch.rand((1, *input_shape), generator=torch.Generator().manual_seed(0)).to(parameter)
        try:
            with torch.no_grad():
                output = network.eval()(sample)
        except Exception as error:
            raise ValueError(f"The network does not take inputs of shape {tuple(input_shape)}: {error}") from error
        finally:
            for hook in hooks:
                hook.remove()
            for module, mode in modes:
                module.training = mode
        if not isinstance(output, torch.Tensor) or output.ndim != 2:
            got = f"shape {tuple(output.shape)}" if isinstance(output, torch.Tensor) else type(output).__name__
            raise ValueError(
                f"The network must return one vector per sample, of shape (n, d), got {got} for one sample."
            )
        self.width: int = output.shape[1]

    def _note(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        # Popped and inserted again, so that the layer that is called last comes last.
        self.elements[layer] = self.elements.pop(layer, 0) + output.numel()
        if _rule(layer) is not None:
            signs = bool((inputs[0].abs() == 1).all())
            self._binary_inputs[layer] = signs and self._binary_inputs.get(layer, True)

    def kind(self, layer: nn.Module) -> tuple[bool, bool]:
        """Return whether a layer's weights are binary, and whether its inputs are."""
        return _rule(layer) is not None, self._binary_inputs.get(layer, False)


def _rule(layer: nn.Module) -> WeightRule | None:
    return next((child for child in layer.children() if isinstance(child, WeightRule)), None)


def _is_weighted(layer: nn.Module) -> bool:
    return isinstance(layer, _WEIGHTED) or _rule(layer) is not None


def _forced_kinds(
    network: nn.Module, calls: _Calls, real_downsample: bool | None, real_head: bool | None
) -> dict[nn.Module, tuple[bool, bool]]:
    """Return the layers whose kind is prescribed: whether their weights and their inputs count as binary."""
    forced: dict[nn.Module, tuple[bool, bool]] = {}
    if real_downsample is not None:
        for name, layer in network.named_modules():
            if _is_weighted(layer) and any(word in name for word in _SHORTCUT_NAMES):
                forced[layer] = (not real_downsample, not real_downsample)
        if not forced:
            words = " or ".join(map(repr, _SHORTCUT_NAMES))
            raise ValueError(
                f"real_downsample must be None for a network without convolutions that have {words} in their name, got "
                f"{real_downsample}."
            )
    if real_head is not None:
        heads = [layer for layer in calls.elements if _is_weighted(layer)]
        if not heads:
            raise ValueError(
                f"real_head must be None for a network without convolutions and linear layers, got {real_head}."
            )
        forced[heads[-1]] = (not real_head, not real_head)
    return forced
