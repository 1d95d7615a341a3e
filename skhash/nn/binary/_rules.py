"""Binarization of weights and activations in published binary networks, by the name of the paper."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from skhash.nn.binary._activations import RPReLU, RSign, Sign
from skhash.nn.binary._bilinear import BilinearRule
from skhash.nn.binary._quantizers import Gradient
from skhash.nn.binary._standardized_rules import IRNetRule, ReCURule
from skhash.nn.binary._weight_rules import BiRealRule, WeightRule, XNORRule
from skhash.utils import check_option


class Rule(NamedTuple):
    """Three choices in which binary networks differ, each a function of a number of channels.

    Parameters
    ----------
    weights : callable
        Makes the `WeightRule` of a layer.
    sign : callable
        Makes the module that binarizes a layer's inputs.
    activation : callable
        Makes the activation after a block.
    """

    weights: Callable[[int], WeightRule]
    sign: Callable[[int], nn.Module]
    activation: Callable[[int], nn.Module]


def _sign(gradient: Gradient, **options: Any) -> Callable[[int], nn.Module]:
    return lambda channels: Sign(gradient, **options)


def _hardtanh(channels: int) -> nn.Module:
    return nn.Hardtanh()


def _identity(channels: int) -> nn.Module:
    return nn.Identity()


RULES: dict[str, Rule] = {
    "bnn": Rule(WeightRule, _sign("clip"), _hardtanh),
    "xnor": Rule(XNORRule, _sign("strict_clip"), _hardtanh),
    "bireal": Rule(BiRealRule, _sign("approx"), _identity),
    "reactnet": Rule(BiRealRule, RSign, RPReLU),
    "irnet": Rule(IRNetRule, _sign("ede"), _hardtanh),
    "recu": Rule(ReCURule, _sign("approx", normalize_gradient=True), _hardtanh),
    "rbonn": Rule(partial(BilinearRule, rho=1e-4), RSign, RPReLU),
    "rebnn": Rule(partial(BilinearRule, rho=2e-4), RSign, RPReLU),
}


def make_rule(rule: str | Rule) -> Rule:
    """Resolve a `rule` parameter.

    Parameters
    ----------
    rule : {"bnn", "xnor", "bireal", "reactnet", "irnet", "recu", "rbonn", "rebnn"} or Rule
        Name of a published combination, or one of your own.

    Returns
    -------
    rule : Rule
        The three choices.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if isinstance(rule, Rule):
        return rule
    check_option("rule", rule, RULES)
    return RULES[rule]
