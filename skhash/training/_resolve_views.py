"""What the parameter `views` of the deep hashers may be, and the two functions that it stands for."""

import inspect

import torch

__all__ = ["SampleViews", "resolve_views"]

_TAKEN = (
    'views may be "auto", None, a callable (batch, generator) or a callable of one sample, or a pair of such '
    "callables (weak, strong)"
)


class SampleViews:
    """Views by a function of one sample, such as the transforms of torchvision.

    What the function draws comes from where it draws it, mostly the global states of torch, NumPy or Python.

    Parameters
    ----------
    transform : callable
        Takes a tensor of shape (c, h, w) or (d,) and gives one with as many channels or features.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import SampleViews
    >>> views = SampleViews(lambda image: image.flip(-1))
    >>> views(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.Generator())
    tensor([[1., 0.],
            [3., 2.]])
    """

    def __init__(self, transform):
        self.transform = transform

    def __repr__(self):
        return f"{type(self).__name__}({self.transform!r})"

    def __call__(self, batch, generator=None):
        """Give a view of every sample.

        Parameters
        ----------
        batch : Tensor of shape (n, c, h, w) or (n, d)
            Samples.
        generator : torch.Generator, default=None
            Not used.

        Returns
        -------
        views : Tensor of shape (n, c, h', w') or (n, d)
            New tensor.

        Raises
        ------
        ValueError
            If the results differ in shape, or have other channels or features than the samples.
        TypeError
            If they are no tensors.
        """
        views = [self.transform(sample) for sample in batch]
        for view in views:
            if not isinstance(view, torch.Tensor):
                raise TypeError(f"views: {self.transform!r} must give tensors, got {type(view).__name__}.")
        shapes = {tuple(view.shape) for view in views}
        sample_shape = tuple(batch.shape[1:])
        if len(shapes) > 1:
            raise ValueError(
                f"views: {self.transform!r} must give all samples of a batch the same shape, got {sorted(shapes)}."
            )
        (shape,) = shapes
        if len(shape) != len(sample_shape) or shape[0] != sample_shape[0]:
            raise ValueError(
                f"views: {self.transform!r} must keep the channels or features of a sample, got shape {shape} for "
                f"{sample_shape}."
            )
        return torch.stack(views)


def resolve_views(views, sample_shape, *, wanted):
    """Find the weak and the strong views that the parameter `views` stands for.

    Parameters
    ----------
    views : "auto", None, callable or (callable, callable)
        "auto" is `FeatureViews` or `ImageViews` where views are wanted, and nothing where not. A callable gives the
        strong views; weak ones are those of its method `weaker`, if it has one, or else the same. A pair is weak and
        strong. A callable takes a batch and a generator, or one sample (see `SampleViews`): the former if it must be
        given two arguments, or its second one is called `generator`; of an `nn.Module`, `forward` is looked at.
    sample_shape : tuple of int
        (d,) of features, (c, h, w) of images.
    wanted : bool
        Whether the method needs views.

    Returns
    -------
    weak, strong : callable or None
        `weak(batch, generator)` gives a new batch, and so does `strong`; both are None if there are no views.

    Raises
    ------
    ValueError
        If `views` is another string, or not a pair.
    TypeError
        If it is neither callable, or cannot be called with a batch and a generator or with a sample.

    Examples
    --------
    >>> from skhash.training import resolve_views
    >>> weak, strong = resolve_views("auto", (784,), wanted=True)
    >>> strong
    FeatureViews(dropout=0.2, noise=0.2)
    >>> weak
    FeatureViews(dropout=0.1, noise=0.1)
    """
    if isinstance(views, str) and views == "auto":
        views = _default(sample_shape) if wanted else None
    if views is None:
        return None, None
    if isinstance(views, tuple | list):
        if len(views) != 2:
            raise ValueError(f"{_TAKEN}; got {len(views)} values.")
        weak, strong = views
        return _of_batches(weak), _of_batches(strong)
    weaker = getattr(views, "weaker", None)
    strong = _of_batches(views)
    return (_of_batches(weaker()) if callable(weaker) else strong), strong


def _default(sample_shape):
    # Here, as these modules are not needed where views are not.
    if len(sample_shape) == 1:
        from skhash.training._feature_views import FeatureViews

        return FeatureViews()
    from skhash.training._image_views import ImageViews

    return ImageViews()


def _of_batches(views):
    """Make one callable of a batch and a generator."""
    if isinstance(views, str):
        raise ValueError(f"{_TAKEN}; got {views!r}.")
    if isinstance(views, type):
        raise TypeError(f"{_TAKEN}; got the class {views.__name__}: make one, as in {views.__name__}().")
    if not callable(views):
        raise TypeError(f"{_TAKEN}; got {type(views).__name__}.")
    return views if _takes_generator(views) else SampleViews(views)


def _takes_generator(views):
    try:
        signature = inspect.signature(views.forward if isinstance(views, torch.nn.Module) else views)
    except (TypeError, ValueError):  # some functions written in C do not say what they take
        return False
    positional = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    with_generator = len(required) == 2 or (len(positional) > 1 and positional[1].name == "generator")
    try:
        signature.bind(*(None,) * (1 + with_generator))
    except TypeError:
        raise TypeError(f"{_TAKEN}; got {views!r}, which takes {signature}.") from None
    return with_generator
