"""Kernels compiled ahead: a later search of any kind compiles nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from skhash import warm_up

SEARCHES = """
import gc, sys, tempfile
import numpy as np
from numba.core.dispatcher import Dispatcher
import skhash
from skhash.index.scan import _scan

algorithm, bits = sys.argv[1], int(sys.argv[2])

def compiled():
    kernels = (kernel for kernel in gc.get_objects() if isinstance(kernel, Dispatcher))
    return {(kernel.py_func, signature) for kernel in kernels for signature in kernel.signatures}

_scan._MIN_WORK = 100
skhash.warm_up(bits, algorithm=algorithm, metrics=True)
before = compiled()
rng = np.random.default_rng(0)
X = rng.integers(0, 2, (3000, bits), dtype=np.uint8)
X[500:2000] = X[0]
for way in ("brute",) if algorithm == "brute" else ("brute", "mih", "auto"):
    index = skhash.HammingIndex(bits=bits, algorithm=way).fit(X, X[:, 0], ids=np.arange(len(X)) * 2)
    index.add(X[:3], X[:3, 0], ids=[1, 3, 5]).remove([0, 2])
    with tempfile.TemporaryDirectory() as folder:
        index.save(folder)
        for searched in (index, skhash.HammingIndex.open(folder)):
            for queries in (X[:1], X[:50]):
                for k in (1, 10, 1000):
                    searched.kneighbors(queries, k)
                    searched.kneighbors(queries, k, where=np.arange(len(searched)) % 2 == 0)
                    searched.kneighbors_asymmetric(queries - 0.5, k, query_bits=2)
                    searched.kneighbors_asymmetric(queries - 0.5, k, where=np.arange(len(searched)) % 2 == 0)
                searched.radius_neighbors(queries, 3)
                searched.radius_neighbors(queries, 3, where=[4, 6, 8])
                searched.radius_neighbors(queries, bits, max_neighbors=5)
                if way != "brute":
                    searched.kneighbors_limited(queries, 3, max_probes=10)
            searched.rerank(rng.normal(size=(50, bits)), searched.kneighbors(X[:50], 3)[1])
            searched.score(X[:20], X[:20, 0])
        del searched
    index.add(X[:3], X[:3, 0], ids=[7, 9, 11])  # beside the tables, where there are any
    for n_jobs in (1, 2):  # threads divide the codes among them
        index.set_params(n_jobs=n_jobs)
        for queries in (X[:1], X[:9]):
            for k in (1, 10, 2000):
                index.kneighbors(queries, k)
            index.radius_neighbors(queries, 3)
V = rng.normal(size=(3000, bits))
vectors = skhash.EmbeddingIndex(rescore="int8", bytes_per_vector=8 * (-(-bits // 20))).fit(V).remove([0, 2]).add(V[:3])
with tempfile.TemporaryDirectory() as folder:
    vectors.save(folder)
    for searched in (vectors, skhash.EmbeddingIndex.open(folder)):
        for k in (1, 10, 1000):
            searched.kneighbors(V[:50], k)
            searched.kneighbors(V[:1], k, where=np.arange(len(searched)) % 2 == 0)
    del searched
many = np.concatenate([X] * 6)
for labels in (many[:, 0], many[:, 0].astype(str), np.arange(len(many)) % 300):
    skhash.HammingIndex().fit(many, labels).score(many[:60], labels[:60])
print([(function.__name__, signature) for function, signature in compiled() - before])
"""


@pytest.mark.parametrize(("algorithm", "bits"), [("brute", 64), ("auto", 64), ("brute", 300)])
def test_nothing_is_compiled_after_it(algorithm, bits):
    found = subprocess.run(
        [sys.executable, "-c", SEARCHES, algorithm, str(bits)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(("arguments", "message"), [((0,), "bits == 0"), ((64, "fast"), "got 'fast'")])
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        warm_up(arguments[0], **({"algorithm": arguments[1]} if len(arguments) > 1 else {}))
