"""Pictures or vectors in, neighbors out: an HTTP service with many readers and one writer on one index.

    pip install fastapi uvicorn pillow
    python server.py read FOLDER --port 8000 --workers 2
    python server.py write FOLDER --port 8001

FOLDER contains `hasher.skh` (any file that `skhash.load` reads) and `index`, a saved `HammingIndex` with integers as
ids. Readers map the index into memory and look at its header before each request, so they find all that the writer has
acknowledged. The writer acknowledges a change when it is on the disk. All requests may be repeated: an item that is
there is not added again.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import time
from collections import Counter
from concurrent.futures import Future
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Annotated, Any

import anyio.to_thread
import numpy as np
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from PIL import Image
from pydantic import BaseModel, Field

import skhash

FOLDER = "SKHASH_SERVICE"  # environment variable, which worker processes inherit
LARGEST_BODY = 2**23
BODY_SECONDS = 10  # for a client to send one
LARGEST_PICTURE = 4 * 10**7  # pixels, however few bytes they take
PICTURES = ("JPEG", "PNG", "WEBP")
THREADS = 4  # requests that a process computes at a time

Id = Annotated[int, Field(ge=0, lt=2**62)]
Neighbors = Annotated[int, Query(ge=1, le=1000)]


class VectorQuery(BaseModel):
    vector: list[float]
    k: int = Field(10, ge=1, le=1000)


class Vectors(BaseModel):
    ids: list[Id] = Field(min_length=1)
    vectors: list[list[float]]


class Ids(BaseModel):
    ids: list[Id] = Field(min_length=1)


class Encoder:
    """The hasher, for rows of numbers and for pictures that may be hostile."""

    def __init__(self, path: Path) -> None:
        self.hasher = skhash.load(path)

    def vectors(self, rows: list[list[float]]) -> np.ndarray:
        return self.hasher.transform(np.array(rows, np.float64))

    def picture(self, data: bytes) -> np.ndarray:
        try:
            picture = Image.open(BytesIO(data), formats=PICTURES)
            if picture.width * picture.height > LARGEST_PICTURE:
                raise HTTPException(413, f"The picture has more than {LARGEST_PICTURE} pixels.")
            picture.load()
        except HTTPException:
            raise
        except Exception as error:  # Pillow raises many kinds for damaged files
            raise HTTPException(422, f"The body must be a picture ({', '.join(PICTURES)}): {error}") from None
        shape = getattr(self.hasher, "input_shape", None)
        if shape is None:
            return self.hasher.transform([picture])
        if len(shape) != 3:  # a packed network reads arrays of its own size
            raise ValueError(f"The hasher takes vectors of {shape[0]} numbers, got a picture.")
        height, width, channels = shape
        resized = picture.convert("L" if channels == 1 else "RGB").resize((width, height))
        return self.hasher.transform(np.asarray(resized, np.uint8).reshape(1, *shape))


class Reader:
    """The index as of the last commit."""

    def __init__(self, path: Path) -> None:
        self.path, self.refreshes = path, 0
        self._state: tuple[bytes, Any] = b"", None

    def index(self) -> skhash.HammingIndex:
        header = (self.path / "header.json").read_bytes()  # replacing it is the commit; it ends with its checksum
        known, index = self._state
        if header != known:
            index = skhash.HammingIndex.open(self.path)
            self._state = header, index
            self.refreshes += 1
        return index

    def search(self, code: np.ndarray, k: int) -> dict[str, list[int]]:
        index = self.index()
        k = min(k, len(index))
        if k == 0:
            return {"ids": [], "distances": []}
        distances, ids = index.kneighbors(code, n_neighbors=k)
        return {"ids": ids[0].tolist(), "distances": distances[0].tolist()}


class Writer(Reader):
    """The only process that changes the index. Additions that wait for one commit share the next."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._alone = open(path.parent / "writer.lock", "w")  # noqa: SIM115  # until the process ends, even if killed
        try:
            fcntl.flock(self._alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"Another writer has {path.parent}.") from None
        self._waiting: SimpleQueue[tuple[list[int], np.ndarray, Future[int]]] = SimpleQueue()
        self._lock = Lock()

    def add(self, ids: list[int], codes: np.ndarray) -> int:
        """Add codes and return how many are new, when they are on the disk."""
        if len(ids) != len(codes) or len(set(ids)) != len(ids):
            raise ValueError(f"ids must be unique, one for each item: got {len(ids)} ids for {len(codes)} items.")
        result: Future[int] = Future()
        self._waiting.put((ids, codes, result))
        with self._lock:
            if not result.done():  # else the request that had the lock has committed this one, too
                self._commit_waiting()
        return result.result()

    def remove(self, ids: list[int]) -> int:
        """Remove codes and return how many there were. The index is written anew: remove many at once."""
        with self._lock:
            index = skhash.HammingIndex.open(self.path)
            found = [number for number in dict.fromkeys(ids) if number in index]
            if found:
                index.remove(found).save(self.path)
            return len(found)

    def _commit_waiting(self) -> None:
        index, batch = self.index(), []
        new: dict[int, np.ndarray] = {}
        try:
            while True:
                ids, codes, result = self._waiting.get_nowait()
                batch.append((result, 0))
                try:
                    fresh = {n: code for n, code in zip(ids, codes, strict=True) if not _known(index, new, n, code)}
                except ValueError as error:
                    result.set_exception(error)
                    continue
                new.update(fresh)
                batch[-1] = result, len(fresh)
        except Empty:
            pass
        try:
            if new:
                rows = np.array(list(new.values()), np.uint8)
                skhash.HammingIndex.append_blocks(self.path, [(rows, None, list(new))])
        except Exception as error:  # a full disk, for example: nothing of the batch was added
            for result, _ in batch:
                if not result.done():
                    result.set_exception(HTTPException(503, f"Nothing was stored: {error}"))
        for result, n_fresh in batch:
            if not result.done():
                result.set_result(n_fresh)


def _known(index: skhash.HammingIndex, new: dict[int, np.ndarray], number: int, code: np.ndarray) -> bool:
    """Check whether an item is there with the same code; raise ValueError if it has another one."""
    if number not in new and number not in index:
        return False
    if number in new:
        same = bool((new[number] == code).all())
    else:
        same = index.kneighbors(code[None], n_neighbors=1, where=[number])[0][0, 0] == 0
    if not same:
        raise ValueError(f"Item {number} is there with another code; remove it first.")
    return True


class Guard:
    """Limit the size of bodies and the time to send them, and count answers."""

    def __init__(self, app: Any, counts: Counter[str]) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size, start, deadline = 0, time.perf_counter(), time.monotonic() + BODY_SECONDS
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def limited() -> Any:
            nonlocal size
            try:
                message = await asyncio.wait_for(receive(), max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                raise HTTPException(408, f"The body took more than {BODY_SECONDS} s.") from None
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                raise HTTPException(413, f"The body has more than {LARGEST_BODY} bytes.")
            return message

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.counts[f'requests_total{{status="{message["status"]}"}}'] += 1
                self.counts["request_seconds_total"] += time.perf_counter() - start  # type: ignore[assignment]
            await send(message)

        await self.app(scope, limited, counted)


async def body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(body)]


def make_app(kind: type[Reader]) -> FastAPI:
    """Make the application of a reader or of the writer."""
    folder = Path(os.environ[FOLDER])
    counts: Counter[str] = Counter()
    store, encoder = kind(folder / "index"), Encoder(folder / "hasher.skh")
    store.index()  # an error now rather than at the first request

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield

    app = FastAPI(title="skhash", lifespan=lifespan)
    app.add_middleware(Guard, counts=counts)

    @app.exception_handler(RequestValidationError)
    def refuse_request(request: Request, error: RequestValidationError) -> JSONResponse:
        found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return JSONResponse({"detail": "; ".join(found[:5])}, 422)  # without the input, which may be large or NaN

    @app.exception_handler(TypeError)
    @app.exception_handler(ValueError)
    def refuse_data(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)  # the library's message

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"role": kind.__name__.lower(), "codes": len(store.index()), "pid": os.getpid()}

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> str:
        own = {
            "codes": len(store.index()),
            "refreshes_total": store.refreshes,
            "cpu_seconds_total": time.process_time(),
        }
        return "".join(f"skhash_{name} {value}\n" for name, value in {**counts, **own}.items())

    @app.get("/items/{number}")
    def contains(number: Id) -> dict[str, bool]:
        return {"found": number in store.index()}

    @app.post("/search/vector")
    def search_vector(query: VectorQuery) -> dict[str, list[int]]:
        return store.search(encoder.vectors([query.vector]), query.k)

    @app.post("/search/picture")
    def search_picture(data: Body, k: Neighbors = 10) -> dict[str, list[int]]:
        return store.search(encoder.picture(data), k)

    if isinstance(store, Writer):

        @app.post("/vectors")
        def add_vectors(items: Vectors) -> dict[str, int]:
            return {"added": store.add(items.ids, encoder.vectors(items.vectors))}

        @app.put("/pictures/{number}")
        def add_picture(number: Id, data: Body) -> dict[str, int]:
            return {"added": store.add([number], encoder.picture(data))}

        @app.post("/remove")
        def remove(items: Ids) -> dict[str, int]:
            return {"removed": store.remove(items.ids)}

    return app


def read() -> FastAPI:
    return make_app(Reader)


def write() -> FastAPI:
    return make_app(Writer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve an index: see the first lines of this file.")
    parser.add_argument("role", choices=["read", "write"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes of a reader")
    options = parser.parse_args()
    if options.role == "write" and options.workers != 1:
        parser.error("there is one writer")
    os.environ[FOLDER] = str(options.folder.resolve())
    uvicorn.run(
        f"server:{options.role}", factory=True, app_dir=str(Path(__file__).parent), host=options.host,
        port=options.port, workers=options.workers, log_level="warning", access_log=False, limit_concurrency=256,
        timeout_graceful_shutdown=30,  # SIGTERM: running requests are answered
    )  # fmt: skip
