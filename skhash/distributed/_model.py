"""An estimator as one node of a graph: sent to each worker once, and loaded once in each process."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Any

from skhash.utils import import_optional

__all__ = ["Model"]

_KEPT = 8  # models in each process
_loaded: OrderedDict[str, Any] = OrderedDict()
_lock = Lock()


class Model:
    """A pickled estimator, which a process loads at first use and keeps by its digest.

    A worker gets the bytes once for each graph, and loads the estimator once, however many graphs and threads use it.

    Parameters
    ----------
    estimator : estimator
        The estimator, in its state at this moment.
    """

    digest: str
    data: bytes

    def __init__(self, estimator: Any) -> None:
        # Pickles by reference what can be imported, and by value classes of a notebook.
        pickle = import_optional("cloudpickle", extra="dask", purpose="Encoding Dask collections")
        self.data = pickle.dumps(estimator)
        self.digest = hashlib.blake2b(self.data, digest_size=16).hexdigest()

    def delayed(self) -> Any:
        """Return the node of a graph that holds this model."""
        dask = import_optional("dask", extra="dask", purpose="Encoding Dask collections")
        return dask.delayed(self, name=f"skhash-model-{self.digest}", traverse=False)

    def load(self) -> Any:
        """Return the estimator."""
        with _lock:
            if self.digest not in _loaded:
                pickle = import_optional("cloudpickle", extra="dask", purpose="Encoding Dask collections")
                _loaded[self.digest] = pickle.loads(self.data)
                if len(_loaded) > _KEPT:
                    _loaded.popitem(last=False)
            _loaded.move_to_end(self.digest)
            return _loaded[self.digest]

    def __dask_tokenize__(self) -> tuple[str, str]:
        return type(self).__name__, self.digest
