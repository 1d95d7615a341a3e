"""What the parameter `views` of the deep hashers may be, and the two functions that it stands for."""

import inspect

import torch

from skhash.training.views._feature_views import FeatureViews
from skhash.training.views._image_views import ImageViews
from skhash.training.views._sample_views import SampleViews

_TAKEN = (
    'views must be "auto", None, a callable of a batch and a generator or of one sample, or a pair (weak, strong) of '
    "such callables"
)


def resolve_views(views, sample_shape, *, wanted):
    """Find the weak and the strong views that the parameter `views` stands for.

    Parameters
    ----------
    views : "auto", None, callable or tuple of (callable, callable)
        "auto" is `FeatureViews()` or `ImageViews()` where views are wanted, and nothing where not. A callable gives the
        strong views; its method `weaker()` makes the weak ones, which are the same if it has none. A pair is weak and
        strong. A callable gets a batch and a generator if it must have two arguments, or if its second one is called
        `generator`; any other gets one sample at a time (`SampleViews`). Of an `nn.Module`, `forward` is looked at.
    sample_shape : tuple of int
        (n_features,) of features, (channels, height, width) of images.
    wanted : bool
        Whether the method needs views.

    Returns
    -------
    weak, strong : callable or None
        `weak(batch, generator)` gives a new batch, and so does `strong`; both are None if there are no views.

    Raises
    ------
    ValueError
        If `views` is another string, or a tuple that is no pair.
    TypeError
        If it is neither callable nor one of the others, or if a callable takes neither a batch and a generator nor a
        sample.

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
            raise ValueError(f"{_TAKEN}, got {len(views)} values.")
        weak, strong = views
        return _of_batches(weak), _of_batches(strong)
    strong = _of_batches(views)
    weaker = getattr(views, "weaker", None)
    return (_of_batches(weaker()) if callable(weaker) else strong), strong


def _of_batches(views):
    """Make sure that a callable takes a batch and a generator."""
    if isinstance(views, str):
        raise ValueError(f"{_TAKEN}, got {views!r}.")
    if isinstance(views, type):
        raise TypeError(f"{_TAKEN}, got the class {views.__name__}: make an object of it.")
    if not callable(views):
        raise TypeError(f"{_TAKEN}, got {views!r}.")
    return views if _takes_generator(views) else SampleViews(views)


def _takes_generator(views):
    try:
        signature = inspect.signature(views.forward if isinstance(views, torch.nn.Module) else views)
    except ValueError:  # some functions written in C do not say what they take
        return False
    positional = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    takes_generator = len(required) == 2 or (len(positional) > 1 and positional[1].name == "generator")
    try:
        signature.bind(*[None] * (2 if takes_generator else 1))
    except TypeError:
        raise TypeError(f"{_TAKEN}, got {views!r}, which takes {signature}.") from None
    return takes_generator
