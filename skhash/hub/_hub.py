"""Save estimators for, and load them from, repositories of models."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import skhash
from skhash.hub._card import make_card
from skhash.io import load, save
from skhash.utils import atomic_replace, import_optional

if TYPE_CHECKING:
    import os

__all__ = ["from_pretrained", "push_to_hub", "save_pretrained"]

_MODEL, _CARD = "model.skh", "README.md"


def save_pretrained(
    estimator: Any,
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    license: str | None = None,
    metrics: Mapping[str, float] | None = None,
    description: str = "",
) -> None:
    """Save an estimator and its card in a folder, as `push_to_hub` uploads them.

    Parameters
    ----------
    estimator : object
        What `skhash.save` accepts; nothing is pickled.
    folder : str or path-like
        The folder, which is made if it does not exist. Files of an earlier call are replaced.
    name : str, default=None
        Name of the model in the card; None takes the path.
    license, metrics, description : default=None
        See `make_card`.
    """
    card = make_card(estimator, name or str(folder), license=license, metrics=metrics, description=description)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save(estimator, folder / _MODEL)
    with atomic_replace(folder / _CARD) as file:
        file.write(card.encode())


def push_to_hub(
    estimator: Any,
    repo_id: str,
    *,
    license: str | None = None,
    metrics: Mapping[str, float] | None = None,
    description: str = "",
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
    token: str | None = None,
) -> str:
    """Upload an estimator and its card to a repository of models; it is made if it does not exist.

    Parameters
    ----------
    estimator : object
        What `skhash.save` accepts; nothing is pickled.
    repo_id : str
        The repository, "OWNER/NAME".
    license, metrics, description : default=None
        See `make_card`.
    private : bool, default=None
        Whether a new repository is private; None takes the default of its owner.
    revision : str, default=None
        The branch; None takes the main one.
    commit_message : str, default=None
        Message of the commit; None makes one.
    token : str, default=None
        Token for writing; None takes the one of your login.

    Returns
    -------
    url : str
        Address of the commit.

    Raises
    ------
    ImportError
        If the package of the extra "hub" is not installed.
    TypeError
        If the estimator cannot be saved without pickle, or `metrics` are not numbers. Then nothing is uploaded.

    See Also
    --------
    from_pretrained : Load it.
    """
    hub = import_optional("huggingface_hub", extra="hub", purpose="push_to_hub")
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(
            estimator, folder, name=repo_id, license=license, metrics=metrics, description=description
        )  # before the repository is made: it may raise
        api = hub.HfApi(token=token, library_name="scikit-hash", library_version=skhash.__version__)
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            commit_message=commit_message or f"Upload {type(estimator).__name__}",
            delete_patterns=[_MODEL, f"{_MODEL}/*"],  # files of an earlier model that this one lacks
        )
    return str(getattr(commit, "commit_url", commit))


def from_pretrained(
    source: str | os.PathLike[str],
    *,
    revision: str | None = None,
    trusted: Iterable[str] = (),
    allow: Mapping[str, Callable[..., Any]] | None = None,
    mmap: bool = False,
    local_dir: str | os.PathLike[str] | None = None,
    token: str | None = None,
) -> Any:
    """Load an estimator that `push_to_hub` or `save_pretrained` wrote.

    No code is run that the files bring or name, except what the caller trusts; see `skhash.load`.

    Parameters
    ----------
    source : str or path-like
        A folder, or the name of a repository, "OWNER/NAME". An existing folder counts first.
    revision : str, default=None
        Branch, tag or commit of the repository. Name a commit to always get the same model.
    trusted, allow : default=()
        Code of others that may be used, see `skhash.load`.
    mmap : bool, default=False
        Whether codes and vectors of indexes are mapped into memory; from a repository this needs `local_dir`.
    local_dir : str or path-like, default=None
        Folder into which the files of a repository are downloaded; None takes the common cache of downloads.
    token : str, default=None
        Token for reading private repositories; None takes the one of your login.

    Returns
    -------
    estimator : object
        As `skhash.load` returns it.

    Raises
    ------
    ImportError
        If `source` is no folder, and the package of the extra "hub" is not installed.
    ValueError
        If there is no model of this library, or it is damaged or needs code that is not trusted.

    Examples
    --------
    >>> import tempfile
    >>> from skhash import LSHHasher
    >>> from skhash.hub import from_pretrained, save_pretrained
    >>> hasher = LSHHasher(bits=8, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_pretrained(hasher, folder, license="bsd-3-clause")
    ...     from_pretrained(folder)
    LSHHasher(bits=8, random_state=0)
    """
    folder = Path(source)
    if not folder.is_dir():
        folder = _download(str(source), revision, local_dir, token)
    model = folder / _MODEL
    if not model.exists():
        raise ValueError(f"{source} has no {_MODEL}: it was not written by push_to_hub or save_pretrained.")
    if not model.is_dir() or not any(path.is_symlink() for path in model.rglob("*")):
        return load(model.resolve(), trusted=trusted, allow=allow, mmap=mmap)
    # The cache of downloads consists of links, which folders of indexes must not have.
    if mmap:
        raise ValueError(f"mmap=True needs local_dir, a folder of its own for the files of {source}.")
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(model, Path(copy) / _MODEL)
        return load(Path(copy) / _MODEL, trusted=trusted, allow=allow)


def _download(repo_id: str, revision: str | None, local_dir: Any, token: str | None) -> Path:
    """Return the folder with the files of a repository."""
    purpose = f"from_pretrained({repo_id!r}), which is no folder,"
    hub = import_optional("huggingface_hub", extra="hub", purpose=purpose)
    return Path(
        hub.snapshot_download(
            repo_id,
            revision=revision,
            local_dir=local_dir,
            token=token,
            allow_patterns=[_MODEL, f"{_MODEL}/*", _CARD],
            library_name="scikit-hash",
            library_version=skhash.__version__,
        )
    )
