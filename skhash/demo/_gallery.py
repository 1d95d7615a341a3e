"""Pictures, their codes by any of the methods, and searches that say why a neighbor is one."""

from __future__ import annotations

import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from skhash.codes import pack_codes
from skhash.demo._explaining import count_distances, describe, explain
from skhash.demo._methods import Method, PictureCoder, PixelCoder, list_methods
from skhash.index import HammingIndex
from skhash.utils import check_option, count_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from skhash.demo._pictures import Pictures
    from skhash.duplicates import Encoded

_CHUNK = 256  # pictures between two reports of progress


@dataclass(eq=False)
class Codes:
    """The codes of all pictures by one method and of one length.

    Parameters
    ----------
    coder : PictureCoder or PixelCoder
        What makes the codes.
    rows : ndarray of int
        Positions of the pictures that could be read, ascending.
    packed : ndarray of uint64
        Their codes.
    index : HammingIndex
        The same, with positions as ids.
    """

    coder: PictureCoder | PixelCoder
    rows: NDArray[np.int64]
    packed: NDArray[np.uint64]
    index: HammingIndex

    def position(self, row: int) -> int | None:
        """Return where the code of a picture is; None if the picture could not be read."""
        found = int(np.searchsorted(self.rows, row))
        return found if found < len(self.rows) and self.rows[found] == row else None


@dataclass(eq=False)
class Progress:
    """How far the codes of one method are.

    Parameters
    ----------
    of : int
        Number of pictures.
    learns : bool
        Whether the method learns first.
    done : int, default=0
        Number of pictures that have codes; -1 while the method learns.
    codes : Codes or None, default=None
        The codes, at the end.
    error : str or None, default=None
        Why there are none.
    """

    of: int
    learns: bool
    done: int = 0
    codes: Codes | None = None
    error: str | None = None
    finished: threading.Event = field(default_factory=threading.Event)


class Gallery:
    """Pictures that can be searched by several methods.

    Codes of a method and a length are computed when they are first asked for, in the background, one after the other.

    Parameters
    ----------
    pictures : Pictures
        The pictures.
    method : str, default=None
        The method that the page begins with: a kind of `PerceptualHasher`, "posterior" or "itq" for data sets, "model".
        None is "model" if there is one, "posterior" for data sets, and else "dhash".
    bits : int, default=None
        The code length that the page begins with; a perceptual hash may have another than those that the page offers.
        None is that of the method.
    model : estimator, default=None
        A fitted hasher of images, or a pipeline that ends in one.
    n_jobs : int, default=None
        Number of threads that read pictures. None means 1 unless in a `joblib.parallel_config` context; -1 means all
        cores.

    Raises
    ------
    ValueError
        If the method or the length is not one of those to choose from, or `model` is no hasher.

    Examples
    --------
    >>> from skhash.demo import Gallery, load_data_set
    >>> gallery = Gallery(load_data_set("digits"), method="dhash", bits=64)
    >>> found = gallery.search(0, n_neighbors=2)
    >>> [(one["name"], one["distance"]) for one in found["neighbors"]]
    [('1 #86', 6), ('1 #560', 8)]
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        method: str | None = None,
        bits: int | None = None,
        model: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.pictures, self.n_jobs = pictures, n_jobs
        self.methods: dict[str, Method] = list_methods(pictures, model)
        if method is None:
            method = next(name for name in ("model", "posterior", "dhash") if name in self.methods)
        check_option("method", method, tuple(self.methods))
        self.method, self.bits = method, self.methods[method].default_bits if bits is None else bits
        self._known: dict[tuple[str, int], Progress] = {}
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[tuple[str, int], Progress]] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        if not self.methods[method].any_length:
            check_option("bits", self.bits, self.methods[method].bits)

    def use(self, encoded: Encoded) -> None:
        """Take codes of the method that the page begins with, of pictures in the order of the gallery.

        Parameters
        ----------
        encoded : Encoded
            The codes.
        """
        coder = self.methods[self.method].make(self.bits)
        progress = Progress(len(self.pictures), learns=False, done=len(encoded.rows))
        progress.codes = _index(coder, np.array(encoded.rows, np.int64), encoded.codes)
        progress.finished.set()
        self._known[self.method, self.bits] = progress

    def prepare(self, method: str | None = None, bits: int | None = None, *, progress: bool = False) -> Codes:
        """Compute codes and wait for them.

        Parameters
        ----------
        method : str, default=None
            The method; None is the one that the page begins with.
        bits : int, default=None
            The code length; None is the one that the page begins with, or that of another method.
        progress : bool, default=False
            Whether to show a progress bar on the standard error stream.

        Returns
        -------
        codes : Codes
            The codes.

        Raises
        ------
        ValueError
            If there is no such method or length, or it does not suit the pictures.
        """
        state = self.ask(method, bits)
        with tqdm(total=state.of, unit="picture", disable=not progress, file=sys.stderr) as bar:
            while not state.finished.wait(0.1):
                bar.update(max(0, state.done) - bar.n)
            bar.update(max(0, state.done) - bar.n)
        if state.codes is None:
            raise ValueError(f"method {method or self.method!r}: {state.error}")
        return state.codes

    def ask(self, method: str | None = None, bits: int | None = None) -> Progress:
        """Start to compute codes, if nobody has, and return how far they are.

        Parameters
        ----------
        method : str, default=None
            The method; None is the one that the page begins with.
        bits : int, default=None
            The code length; None is the one that the page begins with, or that of another method.

        Returns
        -------
        progress : Progress
            How far they are.

        Raises
        ------
        ValueError
            If there is no such method or length.
        """
        key = self._check(method, bits)
        with self._lock:
            if key not in self._known:
                self._known[key] = Progress(len(self.pictures), self.methods[key[0]].learns)
                self._jobs.put((key, self._known[key]))
                if self._worker is None:  # a daemon: the process may end while it reads thousands of files
                    self._worker = threading.Thread(target=self._work, name="skhash-demo", daemon=True)
                    self._worker.start()
            return self._known[key]

    def search(
        self,
        query: int | Image,
        *,
        method: str | None = None,
        bits: int | None = None,
        n_neighbors: int = 12,
        radius: int | None = None,
    ) -> dict[str, Any]:
        """Find the pictures whose codes are nearest to that of a query, and say why they are.

        Parameters
        ----------
        query : int or PIL.Image.Image
            Position of a picture, which is then not its own neighbor, or another picture.
        method : str, default=None
            The method; None is the one that the page begins with.
        bits : int, default=None
            The code length; None is the one that the page begins with, or that of another method.
        n_neighbors : int, default=12
            Number of neighbors, at most.
        radius : int, default=None
            Largest distance of a neighbor; None is no limit.

        Returns
        -------
        found : dict
            The query, its neighbors by (distance, position), how many pictures are within the radius, and how many at
            each distance. All values are those of JSON.

        Raises
        ------
        ValueError
            If the query is no picture of the gallery or could not be read, or by `ask`.
        """
        method, bits = self._check(method, bits)
        codes = self.prepare(method, bits)
        start = time.perf_counter()
        row = None
        if isinstance(query, (int, np.integer)):
            row, position = int(query), codes.position(int(query))
            if position is None:
                raise ValueError(f"query: picture {row} is not there or cannot be read.")
            code = codes.packed[position : position + 1]
        else:
            code = pack_codes(codes.coder.encode_image(query))
        radius = bits if radius is None else min(radius, bits)
        encoded = time.perf_counter()
        distances, rows = codes.index.radius_neighbors(code, radius, max_neighbors=n_neighbors + 1)
        near = [(int(d), int(r)) for d, r in zip(distances[0], rows[0], strict=True) if r != row][:n_neighbors]
        searched = time.perf_counter()
        counts = count_distances(codes.packed, code, bits, without_query=row is not None)
        positions = np.searchsorted(codes.rows, [r for _, r in near])
        neighbors = [
            describe(self.pictures, r, codes.packed[place], bits)
            | {"distance": d, "why": explain(self.pictures, row, r, d, counts, codes.coder.copy_distance)}
            for (d, r), place in zip(near, positions, strict=True)
        ]
        return {
            "query": describe(self.pictures, row, code[0], bits),
            "neighbors": neighbors,
            "method": method,
            "bits": bits,
            "radius": radius,
            "within": int(counts[: radius + 1].sum()),
            "counts": counts.tolist(),
            "n_pictures": int(counts.sum()),
            "encode_ms": round(1e3 * (encoded - start), 3),
            "search_ms": round(1e3 * (searched - encoded), 3),
        }

    def _check(self, method: str | None, bits: int | None) -> tuple[str, int]:
        name = self.method if method is None else method
        check_option("method", name, tuple(self.methods))
        if bits is None:
            bits = self.bits if name == self.method else self.methods[name].default_bits
        lengths = self.methods[name].bits
        if bits not in lengths and (name, bits) != (self.method, self.bits):
            raise ValueError(f"bits must be one of {list(lengths)} for {name!r}, got {bits}.")
        return name, bits

    def _work(self) -> None:
        while True:
            key, progress = self._jobs.get()
            try:
                progress.codes = self._compute(*key, progress)
            except Exception as error:  # told to all who wait
                progress.error = str(error).removeprefix("X: ")
            finally:
                progress.finished.set()

    def _compute(self, method: str, bits: int, progress: Progress) -> Codes:
        progress.done = -1 if progress.learns else 0
        coder = self.methods[method].make(bits)
        progress.done, kept, parts = 0, [], []
        step = max(_CHUNK, 32 * count_threads(self.n_jobs))
        for start in range(0, len(self.pictures), step):
            rows = range(start, min(start + step, len(self.pictures)))
            read, codes = coder.encode(self.pictures, rows, self.n_jobs)
            kept += read
            parts += [codes] if len(codes) else []
            progress.done = rows.stop
        if not kept:
            raise ValueError("none of the pictures can be read")
        return _index(coder, np.array(kept, np.int64), np.concatenate(parts))


def _index(coder: PictureCoder | PixelCoder, rows: NDArray[np.int64], codes: NDArray[np.uint8]) -> Codes:
    packed = pack_codes(codes)
    index = HammingIndex().fit(codes, ids=rows)
    index.radius_neighbors(codes[:1], 0, max_neighbors=1)  # compiles the search before somebody waits for it
    return Codes(coder, rows, packed, index)
