"""The module for ann-benchmarks works through that project's interface and finds the true neighbors."""

import importlib
import inspect
import itertools
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "ann_benchmarks"
ALGORITHMS = "ann_benchmarks.algorithms"
yaml = pytest.importorskip("yaml")


class BaseANN:
    """The methods that the project's base class has, as its runner calls them."""

    def done(self):
        pass

    def get_memory_usage(self):
        return 0.0

    def fit(self, X):
        raise NotImplementedError

    def query(self, q, n):
        raise NotImplementedError

    def batch_query(self, X, n):
        self.res = [self.query(q, n) for q in X]

    def get_batch_results(self):
        return self.res

    def get_additional(self):
        return {}

    def __str__(self):
        return self.name


@pytest.fixture
def module(monkeypatch):
    """Import module.py where the project imports it from, beside a package with the base class."""
    for name in ("ann_benchmarks", ALGORITHMS, f"{ALGORITHMS}.base"):
        package = types.ModuleType(name)
        package.__path__ = []
        monkeypatch.setitem(sys.modules, name, package)
    base = types.ModuleType(f"{ALGORITHMS}.base.module")
    base.BaseANN = BaseANN
    monkeypatch.setitem(sys.modules, base.__name__, base)
    package = types.ModuleType(f"{ALGORITHMS}.skhash")
    package.__path__ = [str(FOLDER)]
    monkeypatch.setitem(sys.modules, package.__name__, package)
    yield importlib.import_module(f"{ALGORITHMS}.skhash.module")
    sys.modules.pop(f"{ALGORITHMS}.skhash.module", None)


@pytest.fixture(scope="module")
def data():
    """Return codes and queries as the project's random bit strings are: matrices of bool around some centers."""
    rng = np.random.default_rng(0)
    centers = rng.random((50, 128)) < 0.5
    points = centers[rng.integers(0, 50, 30100)] ^ (rng.random((30100, 128)) < 0.05)
    return points[:30000], points[30000:]


def true_distances(X, queries, n):
    return np.stack([np.sort((query != X).sum(axis=1))[:n] for query in queries])


def definitions():
    """Return name, constructor, arguments and groups of query arguments of each run of config.yml."""
    config = yaml.safe_load((FOLDER / "config.yml").read_text())
    for entry in config["bit"]["hamming"]:
        for group in entry["run_groups"].values():
            arguments = ["hamming" if argument == "@metric" else argument for argument in entry["base_args"]]
            query_arguments = list(itertools.product(*group["query_args"])) if "query_args" in group else [()]
            yield entry, arguments, query_arguments


def run(module, entry, arguments, query_arguments, X, queries, n, batch):
    """Do what the project's runner does, and yield the recall by distances of each group of query arguments."""
    algorithm = getattr(module, entry["constructor"])(*arguments)
    try:
        before = algorithm.get_memory_usage()
        algorithm.fit(X)
        assert algorithm.get_memory_usage() >= before
        for group in query_arguments:
            if group:
                algorithm.set_query_arguments(*group)
            if batch:
                algorithm.batch_query(queries, n)
                found = algorithm.get_batch_results()
            else:
                found = [algorithm.query(query, n) for query in queries]
            bounds = true_distances(X, queries, n)[:, -1]
            hits = 0
            for query, rows, bound in zip(queries, found, bounds, strict=True):
                assert len(rows) == len({int(row) for row in rows}) <= n
                hits += int(((X[np.asarray(rows, int)] != query).sum(axis=1) <= bound).sum())
            additional = algorithm.get_additional()
            assert all(isinstance(value, (int, float, str)) for value in additional.values())
            yield str(algorithm), hits / (n * len(queries)), additional
    finally:
        algorithm.done()


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("definition", list(definitions()), ids=lambda definition: definition[0]["name"])
def test_runs_of_the_configuration(module, data, definition, batch):
    entry, arguments, query_arguments = definition
    results = list(run(module, entry, arguments, query_arguments, *data, n=10, batch=batch))
    recalls = [recall for _, recall, _ in results]
    assert len({name for name, _, _ in results}) == len(query_arguments)
    if entry["constructor"] == "HammingLimited":
        assert recalls == sorted(recalls)
        assert recalls[0] < recalls[-1]
        assert recalls[-1] > 0.99
        certain = [additional["mean_certain"] for _, _, additional in results]
        assert certain == sorted(certain)
    else:
        assert recalls == [1.0]
        assert results[0][2]["last_algorithm"] == ("brute" if entry["constructor"] == "HammingScan" else "mih")


def test_the_rows_are_those_of_a_stable_sort(module, data):
    X, queries = data
    scan = module.HammingScan("hamming")
    scan.fit(X)
    expected = np.stack([np.argsort((query != X).sum(axis=1), kind="stable")[:20] for query in queries])
    np.testing.assert_array_equal([scan.query(query, 20) for query in queries], expected)
    assert len(scan.query(queries[0], 50_000)) == len(X)


def test_other_distances_and_other_data_are_refused(module, data):
    with pytest.raises(NotImplementedError, match="metric must be 'hamming', got 'euclidean'"):
        module.HammingScan("euclidean")
    with pytest.raises(TypeError, match=r"X must be a matrix of bool, got uint8 of shape \(30000, 16\)"):
        module.HammingScan("hamming").fit(np.packbits(data[0], axis=1))


def test_the_files_agree(module):
    names = [entry["name"] for entry, _, _ in definitions()]
    assert len(set(names)) == len(names) == len(module.__all__)
    readme, dockerfile = (FOLDER / "README.md").read_text(), (FOLDER / "Dockerfile").read_text()
    assert set(re.findall(r"--algorithm (skhash-\w+)", readme)) <= set(names)
    for entry, arguments, query_arguments in definitions():
        constructor = getattr(module, entry["constructor"])
        inspect.signature(constructor).bind(*arguments)
        for group in query_arguments:
            if group:
                inspect.signature(constructor.set_query_arguments).bind(None, *group)
        assert entry["module"] == f"{ALGORITHMS}.skhash"
    source = re.search(r"COPY (\S+)/source source", dockerfile)[1]
    parts = re.search(r"archive --prefix=source/ HEAD (.+) \|", readme)[1].split()
    assert all((FOLDER.parents[1] / part).exists() for part in parts)
    assert f"tar -x -C {source}\n" in readme
    listed = re.search(r"-r source/(\S+)", dockerfile)[1]
    assert (FOLDER.parents[1] / listed).exists()
    assert listed.partition("/")[0] in parts
