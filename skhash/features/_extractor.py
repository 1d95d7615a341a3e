"""The estimator that maps images to features by a trained network."""

from __future__ import annotations

import copy
import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from tqdm.auto import tqdm

from skhash.features._backbone import BackboneFunction, count_features, make_backbone
from skhash.features._cache import FeatureCache
from skhash.inputs import ImageFiles, Samples, read_images
from skhash.nn import Inference, digest_network, prepare_inference
from skhash.training import resolve_device
from skhash.utils import Interval, fit_context, unwrap, unwrap_features

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import SamplesLike

__all__ = ["FeatureExtractor"]

_BLOCK = 64  # samples that are decoded, encoded and stored together
_AHEAD = 2  # blocks that are decoded while the network works


class FeatureExtractor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Map images to feature vectors by a trained network, in one pass, with threads and a cache.

    The features are what linear hashers, `EmbeddingIndex` and the heads of deep hashers learn from. The network is not
    trained, so features of an image are the same alone and in a batch, and are computed once if there is a `cache`.

    Parameters
    ----------
    backbone : str, nn.Module or callable, default="efficientnet_lite0"
        The network: "efficientnet_lite0" (1,280 features; needs the extra "efficientnet"), "torchvision:NAME",
        "timm:NAME", or the path of a TorchScript or ONNX file, see `skhash.nn.load_pretrained`. Or a module, which is
        copied; a class of modules; a method of a module; or a function of a batch. These get a tensor of images
        (n, channels, height, width) with integer pixels divided by 255, or of features (n, n_features), and return one
        array or tensor (n, d).
    image_size : int or tuple of (int, int), default=None
        Height and width to which files and PIL images are resized. None takes their own size if it is the same for all,
        otherwise 224 x 224 with a warning.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.
    draft : bool, default=False
        Whether JPEG files are decoded at a half, a quarter or an eighth of their size where that leaves at least twice
        the size to which they are resized. Photos are read several times faster, with slightly different pixels.
    device : str or torch.device, default="auto"
        Where the network runs; "auto" takes an accelerator if there is one.
    cache : str or Path, default=None
        Folder in which features are kept. They are found by the content of the image (of a file, its bytes, wherever it
        lies) and of the network: its classes and their code, attributes, and weights. None keeps none.
    cache_limit : int, default=2**33
        Most bytes of features in the folder, 8 GiB by default; the oldest ones are removed.
    cache_key : str, default=None
        Name of the network for the cache, needed if `backbone` is a function, whose content is unknown. A new name for
        a changed function keeps old features from being taken for new ones.
    n_jobs : int, default=None
        Number of threads that read and decode images while the network works. None means 1 unless in a
        `joblib.parallel_config` context, -1 means all processors.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    module_ : nn.Module
        The network, in evaluation mode.
    input_shape_ : tuple of int
        Shape of a sample: (channels, height, width) or (n_features,).
    n_features_in_ : int
        Number of features, if samples are features.
    feature_names_in_ : ndarray of str of shape (`n_features_in_`,)
        Their names, if `X` was a data frame with names.

    Raises
    ------
    ValueError
        If the samples do not suit the network, or its outputs are not one vector per sample.
    ImportError
        If the package of the backbone is not installed.

    See Also
    --------
    skhash.OrthoHasher : Learns codes from the features and labels.
    skhash.ITQHasher : Learns codes from the features alone.

    Notes
    -----
    Passes have a fixed shape, so that the features of an image do not depend on the others. Features of images are in
    single precision; features of feature vectors in double precision where the network can compute in it.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skhash import ITQHasher
    >>> from skhash.features import FeatureExtractor
    >>> from sklearn.pipeline import make_pipeline
    >>> images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    >>> backbone = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten())
    >>> hasher = make_pipeline(FeatureExtractor(backbone), ITQHasher(bits=16, random_state=0))
    >>> hasher.fit_transform(images).shape
    (40, 16)
    """

    _parameter_constraints: dict[str, Any] = {
        "backbone": [str, callable],
        "image_size": [Interval(Integral, 1, None, closed="left"), tuple, None],
        "background": [str, tuple],
        "draft": ["boolean"],
        "device": [str, torch.device],
        "cache": [str, os.PathLike, None],
        "cache_limit": [Interval(Integral, 0, None, closed="left")],
        "cache_key": [str, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    module_: nn.Module
    input_shape_: tuple[int, ...]
    n_features_in_: int
    _n_features_out: int
    _integer: bool
    _inference: tuple[list[tuple[int, int | None]], Inference]  # made from these tensors

    def __init__(
        self,
        backbone: str | nn.Module | Callable[..., Any] = "efficientnet_lite0",
        *,
        image_size: int | tuple[int, int] | None = None,
        background: str | tuple[int, int, int] = "white",
        draft: bool = False,
        device: str | torch.device = "auto",
        cache: str | os.PathLike[str] | None = None,
        cache_limit: int = 2**33,
        cache_key: str | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.image_size = image_size
        self.background = background
        self.draft = draft
        self.device = device
        self.cache = cache
        self.cache_limit = cache_limit
        self.cache_key = cache_key
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: SamplesLike, y: ArrayLike | None = None) -> Self:
        """Load the network, and find out the shape of the samples and the number of features.

        Parameters
        ----------
        X : images or array-like of shape (n_samples, n_features)
            Samples: an array of images, a list of paths or PIL images, a torch Dataset, or features.
        y : ignored
            Not used, present for pipelines.

        Returns
        -------
        self : object
            The same object.
        """
        samples = self._read(X, reset=True)
        module = make_backbone(self.backbone)
        if self.cache is not None and isinstance(module, BackboneFunction) and self.cache_key is None:
            raise ValueError(
                "cache needs a cache_key if backbone is a function, whose content is unknown: pass a name for it."
            )
        module = module.to(resolve_device(self.device))
        shape = tuple(samples.sample_shape)
        inference = prepare_inference(module, samples)
        self._n_features_out = count_features(inference, samples)
        self.module_, self.input_shape_, self._integer = module, shape, samples.integer
        self._inference = _changes_of(module), inference
        return self

    def transform(self, X: SamplesLike) -> NDArray[np.floating]:
        """Compute features.

        Parameters
        ----------
        X : images or array-like of shape (n_samples, n_features)
            Samples of the kind and shape that `fit` has seen.

        Returns
        -------
        features : ndarray of float32 or float64 of shape (n_samples, n_features_out)
            One row per sample.
        """
        check_is_fitted(self)
        samples = self._read(X, reset=False)
        cache = None if self.cache is None else FeatureCache(self.cache, self.cache_limit)
        network_key = b"" if cache is None else self._network_key()
        features: NDArray[np.floating] | None = None
        with tqdm(total=len(samples), unit="sample", disable=not self.verbose) as progress:
            for rows, block in self._blocks(samples, cache, network_key):
                if features is None:
                    features = np.empty((len(samples), block.shape[1]), block.dtype)
                features[rows] = block
                progress.update(len(rows))
        return cast("NDArray[np.floating]", features)

    def _blocks(
        self, samples: Samples, cache: FeatureCache | None, network_key: bytes
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
        """Yield row numbers and features; the next blocks are read in threads meanwhile."""
        n_threads = joblib.effective_n_jobs(cast("int", self.n_jobs))
        inference = self._current_inference(samples)
        parts = (np.arange(start, min(start + _BLOCK, len(samples))) for start in range(0, len(samples), _BLOCK))
        reader = _Reader(samples, inference.dtype, cache, network_key)
        waiting: deque[_Block] = deque()
        with ThreadPoolExecutor(n_threads) if n_threads > 1 else nullcontext() as threads:
            try:
                for part in parts:
                    waiting.append(reader.start(part, threads))
                    if len(waiting) > _AHEAD:
                        yield waiting.popleft().finish(inference, reader)
                while waiting:
                    yield waiting.popleft().finish(inference, reader)
            except BaseException:  # nobody waits for what has not been read
                if threads is not None:
                    threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _current_inference(self, samples: Samples) -> Inference:
        """Return the network as it computes features; prepare it again if its tensors have changed."""
        made_of = _changes_of(self.module_)
        if "_inference" not in vars(self) or self._inference[0] != made_of:
            self._inference = made_of, prepare_inference(self.module_, samples)
        return self._inference[1]

    def _network_key(self) -> bytes:
        """Return a digest of everything but the samples that features depend on."""
        key = hashlib.blake2b(digest_size=16)
        settings = self.input_shape_, self._integer, self.background, self.draft, self.cache_key
        key.update(repr(settings).encode())
        key.update(digest_network(self.module_, named=self.cache_key is not None))
        return key.digest()

    def _read(self, X: Any, *, reset: bool) -> Samples:
        """Read samples; with `reset` as those of `fit`, otherwise compared with these."""
        shape = None if reset else self.input_shape_
        images = read_images(X, shape, size=self.image_size, background=self.background, draft=self.draft)
        if images is None:
            if not reset and len(self.input_shape_) == 3:
                raise ValueError(
                    f"X is not an image input: got {type(X).__name__} of shape {np.shape(X)}, expected images of shape "
                    f"{self.input_shape_}. Pass a single image as a list or array of one image."
                )
            features = validate_data(self, unwrap_features(unwrap(X, "X")), dtype=[np.float64, np.float32], reset=reset)
            return Samples(cast("NDArray[Any]", features))
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                vars(self).pop(name, None)
        elif images.integer != self._integer:
            kinds = ("floating-point", "integer")
            raise ValueError(
                f"X has {kinds[images.integer]} pixels; fit has seen {kinds[self._integer]} pixels, and integers are "
                "divided by 255."
            )
        return cast("Samples", images)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __getstate__(self) -> dict[str, Any]:
        # A copy: since Python 3.11, `object.__getstate__` may return `__dict__` itself.
        state = dict(cast("dict[str, Any]", super().__getstate__()))
        state.pop("_inference", None)
        if "module_" in state:  # a network on an accelerator must load where there is none
            state["module_"] = copy.deepcopy(self.module_).cpu()
        return state


def _changes_of(module: nn.Module) -> list[tuple[int, int | None]]:
    """Return the tensors of a network and how often each has changed."""
    tensors = [*module.parameters(), *module.buffers()]
    return [(id(tensor), None if tensor.is_inference() else tensor._version) for tensor in tensors]


class _Reader:
    """Reads blocks of samples, or their features where the cache has them."""

    def __init__(self, samples: Samples, dtype: torch.dtype, cache: FeatureCache | None, network_key: bytes) -> None:
        self._samples, self._dtype, self._cache, self._network_key = samples, dtype, cache, network_key
        self._stores = True

    def start(self, rows: NDArray[np.int64], threads: ThreadPoolExecutor | None) -> _Block:
        """Begin to read a block, in threads if there are some."""
        # Without a cache, keys are empty, and threads would give them only after all that they have to read.
        hashing = None if self._cache is None else threads
        keys = [self._key(row) for row in rows] if hashing is None else list(hashing.map(self._key, rows))
        found = {} if self._cache is None else self._cache.load(keys)
        missing = [place for place, key in enumerate(keys) if key not in found]
        if threads is None:
            return _Block(rows, keys, found, missing, lambda: self._batch(rows[missing]))
        futures = [threads.submit(self._batch, rows[place : place + 1]) for place in missing]
        return _Block(rows, keys, found, missing, lambda: torch.cat([future.result() for future in futures]))

    def keep(self, keys: list[bytes], vectors: NDArray[np.floating]) -> None:
        """Store features, until that fails: they are worth more than the cache."""
        if self._cache is None or not self._stores:
            return
        try:
            self._cache.store(keys, vectors)
        except OSError as error:
            self._stores = False
            warnings.warn(f"From here on, features are not kept. {error}", UserWarning, stacklevel=2)

    def _batch(self, rows: NDArray[np.int64]) -> Tensor:
        return self._samples.batch(rows, self._dtype)

    def _key(self, row: int) -> bytes:
        """Return a digest of the content of a sample; empty without a cache."""
        if self._cache is None:
            return b""
        key = hashlib.blake2b(self._network_key, digest_size=16)
        samples: Any = self._samples
        item = samples.items[row] if isinstance(samples, ImageFiles) else None
        if isinstance(item, (str, os.PathLike)):
            key.update(b"file")
            key.update(Path(item).read_bytes())
        else:
            key.update(b"values")
            key.update(self._batch(np.array([row])).contiguous().numpy().tobytes())
        return key.digest()


class _Block:
    """Some samples on their way to features."""

    def __init__(
        self,
        rows: NDArray[np.int64],
        keys: list[bytes],
        found: dict[bytes, NDArray[np.floating]],
        missing: list[int],
        read: Callable[[], Tensor],
    ) -> None:
        self._rows, self._keys, self._found, self._missing, self._read = rows, keys, found, missing, read

    def finish(self, inference: Inference, reader: _Reader) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
        """Compute what the cache does not have, store it, and return rows and features."""
        computed: dict[int, NDArray[np.floating]] = {}
        if self._missing:
            outputs = inference.run(self._read()).cpu()
            # NumPy has no bfloat16; half precision and integers are not features that all estimators take.
            vectors = (outputs if outputs.dtype in (torch.float32, torch.float64) else outputs.float()).numpy()
            computed = dict(zip(self._missing, vectors, strict=True))
            reader.keep([self._keys[place] for place in self._missing], vectors)
        places = range(len(self._rows))
        return self._rows, np.stack([computed[i] if i in computed else self._found[self._keys[i]] for i in places])
