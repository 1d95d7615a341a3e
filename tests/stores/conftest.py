"""The engines that the tests of stores run on. Each test gets an empty place of its own, and starts what it needs."""

import importlib.util
import itertools

import pytest

NUMBERS = itertools.count()


class DuckDBPlace:
    """A file of DuckDB."""

    packages = ("duckdb",)

    def __init__(self, request):
        self.path = request.getfixturevalue("tmp_path") / "codes.duckdb"

    def open(self, bits=None, **parameters):
        from skhash.stores import DuckDBCodeStore

        return DuckDBCodeStore(self.path, bits, **parameters)


class MilvusPlace:
    """A file of Milvus."""

    packages = ("pymilvus", "milvus_lite")
    is_isolated = False

    def __init__(self, request):
        self.path = request.getfixturevalue("tmp_path") / "codes.db"

    def open(self, bits=None, **parameters):
        from skhash.stores import MilvusCodeStore

        return MilvusCodeStore(self.path, bits, **parameters)


PLACES = {"duckdb": DuckDBPlace, "milvus": MilvusPlace}


@pytest.fixture(params=list(PLACES))
def place(request):
    """A place with `open(bits=None, **parameters)`, which returns a store; stores of one place share their tables."""
    kind = PLACES[request.param]
    for package in kind.packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return kind(request)
