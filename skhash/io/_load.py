"""Load what the library has saved: estimators, pipelines, packed networks and indexes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from skhash.index import EmbeddingIndex, HammingIndex
from skhash.io._container import parse, read_bytes, read_format
from skhash.io._decode import Decoder
from skhash.io._folder import FILE, index_folder
from skhash.io._trust import Trust, find_names
from skhash.runtime import load_packed

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["load"]

_PACKED = "skhash packed network"
_INDEXES: dict[str, Any] = {"skhash.HammingIndex": HammingIndex, "skhash.EmbeddingIndex": EmbeddingIndex}


def load(
    path: str | os.PathLike[str],
    *,
    trusted: Iterable[str] = (),
    allow: Mapping[str, Callable[..., Any]] | None = None,
    mmap: bool = False,
) -> Any:
    """Load an estimator, a pipeline, a packed network or an index that the library has saved.

    No code is run that the file brings or names, except what the caller trusts. Sizes, checksums, types and names are
    checked first.

    Parameters
    ----------
    path : str or path-like
        A file or folder that `save`, `PackedHasher.save`, `HammingIndex.save` or `EmbeddingIndex.save` wrote.
    trusted : list of str, default=()
        Names of code that is not part of the library and that may be imported and called, as
        ``"package.module:Name"``, or of a trained network, such as ``"torchvision:resnet18"``. A file that needs some
        says so in an error, which lists them.
    allow : dict of str to callable, default=None
        The same names with what they stand for: a function or class that the estimator had as a parameter, or for a
        torch module a function without arguments that makes it. Its tensors are then those of the file.
    mmap : bool, default=False
        Whether codes and vectors of indexes are mapped into memory, which takes milliseconds. With False they are read
        and compared with their checksums.

    Returns
    -------
    estimator : object
        What was saved, with the same parameters and fitted attributes, on the CPU. Callbacks and the
        `memory` of a pipeline are not saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If it is damaged, of another kind or of a newer version, or needs code that is neither allowed nor trusted.

    Warns
    -----
    InconsistentVersionWarning
        If it has estimators of scikit-learn and was saved with another release of it.

    See Also
    --------
    save : Save an estimator or pipeline.

    Examples
    --------
    >>> import tempfile
    >>> import skhash
    >>> X = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    >>> hasher = skhash.LSHHasher(bits=8, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hasher.save(f"{folder}/hasher.skh")
    ...     skhash.load(f"{folder}/hasher.skh")
    LSHHasher(bits=8, random_state=0)
    """
    path, trust = Path(path), Trust(allow, trusted)
    if not path.exists():
        raise FileNotFoundError(f"No such file or directory: {path}.")
    if path.is_dir():
        return _load_folder(path, trust, mmap)
    if read_format(path) == _PACKED:
        return load_packed(path)
    return _make(path, read_bytes(path), trust, None)


def _load_folder(folder: Path, trust: Trust, mmap: bool) -> Any:
    """Load a saved pipeline with indexes, or an index."""
    file = folder / FILE
    if not file.exists():
        return _index_type(folder).open(folder, mmap=mmap)

    def open_index(index_type: Any, name: str) -> Any:
        return index_type.open(index_folder(folder, name), mmap=mmap)

    if file.is_symlink():
        raise ValueError(f"{file} is a link, expected a file.")
    raw = read_bytes(file)
    while True:
        try:
            return _make(file, raw, trust, open_index)
        except FileNotFoundError as error:  # a save may have replaced the folders of the indexes in between
            before, raw = raw, read_bytes(file)
            if raw == before:
                raise ValueError(f"{file} is damaged: {error}") from None


def _index_type(folder: Path) -> Any:
    """Return the class of the index that is saved in a folder."""
    header = folder / "header.json"
    if not header.is_file():
        raise ValueError(f"{folder} is neither a saved estimator nor a saved index: no {FILE} and no {header.name}.")
    try:
        found = json.loads(read_bytes(header))
        return _INDEXES[found["format"]]
    except (RecursionError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{header} is damaged or not the header of a saved index ({error!r}).") from None


def _make(path: Path, raw: bytes, trust: Trust, open_index: Callable[[Any, str], Any] | None) -> Any:
    """Make the estimator of a file."""
    state, tensors = parse(path, raw)
    try:
        if set(state) != {"library", "estimator"}:
            raise ValueError(f"its description has the keys {sorted(state)}")
        if state["estimator"]["type"] not in ("estimator", "sharded"):
            raise ValueError(f"it describes a {state['estimator']['type']!r}, expected an estimator")
        trust.check(path, find_names(state["estimator"]))
        decoder = Decoder(tensors, trust, open_index)
        estimator = decoder.value(state["estimator"])
        decoder.check_complete()
        _warn_of_version(path, state["library"], json.dumps(state["estimator"]))
    except FileNotFoundError:
        raise
    except InconsistentVersionWarning:  # where warnings are errors
        raise
    except Exception as error:
        text = str(error) if isinstance(error, ValueError) else repr(error)
        if text.startswith(str(path)):
            raise
        raise ValueError(f"{path} cannot be loaded: {text.rstrip('.')}.") from error
    return estimator


def _warn_of_version(path: Path, library: dict[str, str], description: str) -> None:
    """Warn of estimators of scikit-learn whose attributes may have changed their meaning."""
    if '"sklearn.' in description and library["scikit-learn"] != sklearn.__version__:
        warnings.warn(
            InconsistentVersionWarning(
                estimator_name=str(path),
                current_sklearn_version=sklearn.__version__,
                original_sklearn_version=library["scikit-learn"],
            ),
            stacklevel=4,
        )
