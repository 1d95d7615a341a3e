"""Resolution of the parameter `views` of the deep hashers to weak and strong views."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, cast

import torch
from torch import Tensor

from skhash.training.views._feature_views import FeatureViews
from skhash.training.views._image_views import ImageViews
from skhash.training.views._sample_views import SampleViews

_BatchViews: TypeAlias = "Callable[[Tensor, torch.Generator], Tensor]"

_ACCEPTED = (
    'views must be "auto", None, a callable of a batch and a generator or of one sample, or a pair (weak, strong) of '
    "such callables"
)


def resolve_views(
    views: Literal["auto"] | Callable[..., Any] | tuple[Callable[..., Any], Callable[..., Any]] | None,
    sample_shape: tuple[int, ...],
    *,
    wanted: bool,
) -> tuple[_BatchViews | None, _BatchViews | None]:
    """Resolve the parameter `views` to weak and strong views (augmentations).

    Parameters
    ----------
    views : "auto", None, callable or tuple of (callable, callable)
        "auto" is `FeatureViews()` or `ImageViews()` if views are wanted, otherwise None. A callable draws the strong
        views; its method `weaker()` makes the weak ones, which are the same if it has no such method. A pair is weak
        and strong. A callable is called with a batch and a generator if it requires two arguments, or if its second one
        is named `generator`; any other is called with one sample at a time (`SampleViews`). For an `nn.Module`, the
        signature is that of its `forward`.
    sample_shape : tuple of int
        (n_features,) of features, (channels, height, width) of images.
    wanted : bool
        Whether the method needs views.

    Returns
    -------
    weak, strong : callable or None
        `weak(batch, generator)` returns a new batch, and so does `strong`; both are None without views.

    Raises
    ------
    ValueError
        If `views` is another string, or a tuple that is not a pair.
    TypeError
        If `views` is of another type, or if a callable takes neither a batch and a generator nor a sample.

    Examples
    --------
    >>> from skhash.training import RandomCropFlip, resolve_views
    >>> resolve_views(RandomCropFlip(padding=4), (3, 32, 32), wanted=False)
    (RandomCropFlip(padding=2, flip=0.25), RandomCropFlip(padding=4, flip=0.5))
    >>> resolve_views("auto", (3, 32, 32), wanted=False)
    (None, None)
    """
    if isinstance(views, str) and views == "auto":
        views = (FeatureViews() if len(sample_shape) == 1 else ImageViews()) if wanted else None
    if views is None:
        return None, None
    if isinstance(views, tuple | list):
        if len(views) != 2:
            raise ValueError(f"{_ACCEPTED}, got {len(views)} values.")
        weak, strong = views
        return _of_batches(weak), _of_batches(strong)
    strong = _of_batches(views)
    weaker = getattr(views, "weaker", None)
    return (_of_batches(weaker()) if callable(weaker) else strong), strong


def _of_batches(views: Any) -> _BatchViews:
    """Return a callable of a batch and a generator."""
    if isinstance(views, str):
        raise ValueError(f"{_ACCEPTED}, got {views!r}.")
    if isinstance(views, type):
        raise TypeError(f"{_ACCEPTED}, got the class {views.__name__}: pass an instance of it.")
    if not callable(views):
        raise TypeError(f"{_ACCEPTED}, got {views!r}.")
    return cast(_BatchViews, views) if _takes_generator(views) else SampleViews(views)


def _takes_generator(views: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(views.forward if isinstance(views, torch.nn.Module) else views)
    except ValueError:  # some functions written in C have no signature
        return False
    positional = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    takes_generator = len(required) == 2 or (len(positional) > 1 and positional[1].name == "generator")
    try:
        signature.bind(*[None] * (2 if takes_generator else 1))
    except TypeError:
        raise TypeError(f"{_ACCEPTED}, got {views!r}, which takes {signature}.") from None
    return takes_generator
