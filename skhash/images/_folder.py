"""Pictures of a folder whose subfolders are classes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import Bunch

from skhash.images._checking import ImageList, check_images, find_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.images._checking import Color, ErrorRule


def load_image_folder(
    path: str | os.PathLike[str],
    *,
    errors: ErrorRule = "raise",
    decode: bool = True,
    background: Color = "white",
    n_jobs: int | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[ImageList, NDArray[np.int64]]:
    """List the pictures of a folder with the names of its subfolders as labels.

    Parameters
    ----------
    path : str or Path
        The folder. Each subfolder is a class, which includes the pictures of folders within it. Files, names and links
        are dealt with as in `find_images`.
    errors : {"raise", "skip"} or callable, default="raise"
        What happens to a file that cannot be read; see `check_images`. Labels are those of the files that are left.
    decode : bool, default=True
        Whether all pixels are decoded to check a file, or its header alone.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a `joblib.parallel_config` context; -1 means all cores.
    return_X_y : bool, default=False
        Whether to return paths and labels alone.

    Returns
    -------
    data : `~sklearn.utils.Bunch`, or (ImageList, ndarray of int64) if `return_X_y`
        With the keys

        - `data`: the paths, an `ImageList`;
        - `target`: class of each path, a row number of `target_names`;
        - `target_names`: names of the classes, sorted;
        - `skipped`: list of (path, reason) of the files that were left out.

    Raises
    ------
    ValueError
        If there are no picture files, `path` has pictures outside of its subfolders, or a file is damaged and `errors`
        is "raise".

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skhash.images import load_image_folder
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     Image.new("RGB", (8, 8)).save(folder / name)
    >>> photos = load_image_folder(folder)
    >>> photos.target, photos.target_names
    (array([0, 0, 1]), ['cat', 'dog'])
    """
    root = Path(path)
    if not root.is_dir():
        raise ValueError(f"path is {str(root)!r}; expected a folder whose subfolders are classes.")
    paths = find_images(root)
    outside = [each for each in paths if Path(each).parent == root]
    if outside:
        raise ValueError(
            f"path: {outside[0]!r} lies in no subfolder{f', like {len(outside) - 1} others' if outside[1:] else ''}; "
            "expected pictures in subfolders, whose names are the labels."
        )
    images: Any = check_images(paths, errors=errors, decode=decode, background=background, n_jobs=n_jobs)
    names = [Path(each).relative_to(root).parts[0] for each in images]
    target_names, target = np.unique(names, return_inverse=True)
    target = target.astype(np.int64)
    if return_X_y:
        return images, target
    return Bunch(data=images, target=target, target_names=target_names.tolist(), skipped=images.skipped)
