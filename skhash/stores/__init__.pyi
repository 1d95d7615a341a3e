from ._duckdb import DuckDBCodeStore as DuckDBCodeStore
from ._errors import StoreConnectionError as StoreConnectionError
from ._errors import StoreError as StoreError
from ._errors import StoreFullError as StoreFullError
from ._errors import StoreMissingError as StoreMissingError
from ._milvus import MilvusCodeStore as MilvusCodeStore
from ._postgres import PostgresCodeStore as PostgresCodeStore
from ._store import CodeStore as CodeStore

__all__ = [
    "CodeStore",
    "DuckDBCodeStore",
    "MilvusCodeStore",
    "PostgresCodeStore",
    "StoreConnectionError",
    "StoreError",
    "StoreFullError",
    "StoreMissingError",
]
