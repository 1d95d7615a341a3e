"""What a published binary network does to weights and activations, by the name of its paper."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import nn

from skhash.nn.binary._activations import RPReLU, RSign, Sign
from skhash.nn.binary._bilinear import BilinearRule
from skhash.nn.binary._standardized_rules import IRNetRule, ReCURule
from skhash.nn.binary._weight_rules import BiRealRule, WeightRule, XNORRule
from skhash.utils import check_option


class Rule(NamedTuple):
    """Three choices that tell binary networks apart, each a function of a number of channels.

    Parameters
    ----------
    weights : callable
        Makes the `WeightRule` of a layer.
    sign : callable
        Makes what binarises a layer's inputs.
    activation : callable
        Makes what follows behind a block.
    """

    weights: Callable
    sign: Callable
    activation: Callable


def _sign(gradient, **options):
    return lambda channels: Sign(gradient, **options)


def _hardtanh(channels):
    return nn.Hardtanh()


def _nothing(channels):
    return nn.Identity()


RULES = {
    "bnn": Rule(WeightRule, _sign("clip"), _hardtanh),
    "xnor": Rule(XNORRule, _sign("strict_clip"), _hardtanh),
    "bireal": Rule(BiRealRule, _sign("approx"), _nothing),
    "reactnet": Rule(BiRealRule, RSign, RPReLU),
    "irnet": Rule(IRNetRule, _sign("ede"), _hardtanh),
    "recu": Rule(ReCURule, _sign("approx", normalize_gradient=True), _hardtanh),
    "rbonn": Rule(partial(BilinearRule, rho=1e-4), RSign, RPReLU),
    "rebnn": Rule(partial(BilinearRule, rho=2e-4), RSign, RPReLU),
}


def make_rule(rule):
    """Resolve a `rule` parameter.

    Parameters
    ----------
    rule : {"bnn", "xnor", "bireal", "reactnet", "irnet", "recu", "rbonn", "rebnn"} or Rule
        Name of a published combination, or one of your own.

    Returns
    -------
    rule : Rule
        The three choices.
    """
    if isinstance(rule, Rule):
        return rule
    check_option("rule", rule, RULES)
    return RULES[rule]
