"""Hash codes in databases, with the searches of an index: DuckDB and Milvus in a file, PostgreSQL on a server."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
