"""Requests and answers: who may ask, how much may be sent, and what a browser may do with the answer."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from skhash.demo._explaining import name_fields
from skhash.demo._gallery import Gallery, Progress
from skhash.demo._uploads import LARGEST_BODY, Refused, Thumbnails, read_upload

T = TypeVar("T")

MOST_NEIGHBORS = 100
MOST_WAITING = 2**28  # bytes of uploads that are in memory at a time
N_THREADS = 4
_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "app.js": ("app.js", "text/javascript; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "skhash",
}


class Shared:
    """The state that all requests share.

    Parameters
    ----------
    gallery : Gallery
        The pictures.
    hosts : collection of str
        Names by which the page may be asked for, besides "localhost" and addresses.
    """

    def __init__(self, gallery: Gallery, hosts: Collection[str]) -> None:
        self.gallery, self.hosts = gallery, {host.lower() for host in hosts}
        self.thumbnails = Thumbnails(gallery.pictures)
        self.pool = ThreadPoolExecutor(N_THREADS, thread_name_prefix="skhash-demo")
        self.version = secrets.token_hex(4)  # a later server on this port has other pictures
        self.waiting = 0  # bytes of uploads
        folder = files("skhash.demo") / "static"
        self.files = {path: (kind, (folder / name).read_bytes()) for path, (name, kind) in _FILES.items()}

    async def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, function, *arguments)


class Page(RequestHandler):
    """The part that all answers have in common."""

    shared: Shared

    def initialize(self, shared: Shared) -> None:
        """Take what all requests use."""
        self.shared = shared

    def set_default_headers(self) -> None:
        """Restrict what a browser does with the answer."""
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse requests by the pages of others."""
        check_host(self.request, self.shared.hosts)
        check_origin(self.request)

    def number(self, name: str, default: int | None, low: int, high: int) -> int | None:
        """Read an integer of the query string."""
        text = self.get_query_argument(name, "")
        if text == "":
            return default
        if text.isascii() and text.isdecimal() and len(text) < 16 and low <= int(text) <= high:
            return int(text)
        raise Refused(400, f"{name} must be an integer from {low} to {high}.")

    def answer(self, fields: Any, status: int = 200) -> None:
        """Send JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(fields))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send an error as JSON; those that are not expected are told to the log alone."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, Refused):
            return self.answer({"error": str(error)}, error.status)
        self.answer({"error": self._reason}, status_code)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Leave refusals out of the log."""
        if not isinstance(value, (Refused, HTTPError)):
            super().log_exception(typ, value, tb)


class Missing(Page):
    """All other addresses."""

    def prepare(self) -> None:
        """Refuse the request."""
        super().prepare()
        raise Refused(404, "There is no such page.")


class Static(Page):
    """The files of the page, which are in memory: no path is ever looked up."""

    def get(self, name: str) -> None:
        """Send a file."""
        kind, data = self.shared.files[name]
        self.set_header("Content-Type", kind)
        self.set_header("Cache-Control", "no-cache")
        self.finish(data)


class About(Page):
    """The facts that the page shows before a search."""

    def get(self) -> None:
        """Send it."""
        gallery = self.shared.gallery
        methods = [
            {
                "name": method.name,
                "title": method.title,
                "note": method.note,
                "bits": sorted({*method.bits, gallery.bits} if method.name == gallery.method else method.bits),
                "default_bits": gallery.bits if method.name == gallery.method else method.default_bits,
            }
            for method in gallery.methods.values()
        ]
        self.answer(
            {
                "title": gallery.pictures.title,
                "n_pictures": len(gallery.pictures),
                "has_labels": gallery.pictures.labels is not None,
                "method": gallery.method,
                "methods": methods,
                "most_neighbors": MOST_NEIGHBORS,
                "largest_upload": LARGEST_BODY,
                "version": self.shared.version,
            }
        )


class Sample(Page):
    """Pictures by chance, to begin with."""

    def get(self) -> None:
        """Send positions, names and labels."""
        gallery = self.shared.gallery
        n, seed = self.number("n", 24, 1, MOST_NEIGHBORS), self.number("seed", 0, 0, 10**9)
        state = gallery.ask()
        rows = np.arange(len(gallery.pictures)) if state.codes is None else state.codes.rows
        chosen = np.random.default_rng(seed).choice(rows, min(n or 0, len(rows)), replace=False)
        self.answer({"pictures": [name_fields(gallery.pictures, int(row)) for row in chosen]})


class Thumbnail(Page):
    """A picture of the gallery, made small."""

    async def get(self, row: str) -> None:
        """Send it."""
        kind, data = await self.shared.compute(self.shared.thumbnails.get, int(row))
        self.set_header("Content-Type", kind)
        if self.get_query_argument("v", "") == self.shared.version:
            self.set_header("Cache-Control", "private, max-age=86400, immutable")
        self.finish(data)


@stream_request_body
class Search(Page):
    """Neighbors of a picture of the gallery (GET) or of an upload (POST)."""

    reserved = 0

    def prepare(self) -> None:
        """Refuse uploads that are too large before they are sent."""
        self.body = bytearray()
        super().prepare()
        if self.request.method != "POST":
            return
        if self.request.headers.get("Content-Type") != "application/octet-stream":
            raise Refused(415, "Content-Type must be application/octet-stream.")  # which other sites may not send
        length = self.request.headers.get("Content-Length", "")
        announced = int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else LARGEST_BODY
        if announced > LARGEST_BODY:
            raise Refused(413, f"The upload has more than {LARGEST_BODY // 2**20} MiB.")
        if self.shared.waiting + announced > MOST_WAITING:
            raise Refused(503, "Too many uploads at a time; try again.")
        self.reserved = announced
        self.shared.waiting += announced

    def data_received(self, chunk: bytes) -> None:
        """Collect the upload."""
        if self._finished or self.request.method != "POST":
            return
        self.body += chunk
        if len(self.body) > LARGEST_BODY:  # sent in chunks, without a length
            self.body = bytearray()
            self.answer({"error": f"The upload has more than {LARGEST_BODY // 2**20} MiB."}, 413)

    def on_finish(self) -> None:
        """Forget the upload."""
        self.shared.waiting -= self.reserved
        self.reserved = 0

    def on_connection_close(self) -> None:
        """Forget an upload that was not sent to its end."""
        self.on_finish()

    async def get(self) -> None:
        """Search with a picture of the gallery."""
        row = self.number("id", None, 0, len(self.shared.gallery.pictures) - 1)
        if row is None:
            raise Refused(400, "id is missing.")
        await self.respond(row)

    async def post(self) -> None:
        """Search with an upload."""
        if not self._finished:
            await self.respond(None)

    async def respond(self, row: int | None) -> None:
        """Search, or say how far the codes are."""
        gallery = self.shared.gallery
        method = self.get_query_argument("method", gallery.method)
        if method not in gallery.methods:
            raise Refused(400, f"method must be one of {', '.join(gallery.methods)}.")
        bits = self.number("bits", None, 1, 4096)
        k, radius = self.number("k", 12, 1, MOST_NEIGHBORS), self.number("radius", None, 0, 4096)
        try:
            state = gallery.ask(method, bits)
        except ValueError as error:
            raise Refused(400, str(error)) from None
        if not state.finished.is_set():
            return self.answer(_report(state), 202)
        if state.codes is None:
            raise Refused(422, f"{method}: {state.error}")
        codes = state.codes

        def search() -> dict[str, Any]:
            query = read_upload(bytes(self.body), draft=codes.coder.draft) if row is None else row
            try:
                return gallery.search(query, method=method, bits=bits, n_neighbors=k or 1, radius=radius)
            except ValueError as error:
                raise Refused(422, str(error)) from None

        self.answer(await self.shared.compute(search))


def _report(state: Progress) -> dict[str, Any]:
    return {"learning": state.done < 0, "done": max(0, state.done), "of": state.of}


def check_host(request: HTTPServerRequest, hosts: Collection[str]) -> None:
    """Refuse requests by another name than this machine's: a page of others may have pointed its own name here.

    Parameters
    ----------
    request : HTTPServerRequest
        The request.
    hosts : collection of str
        Names that are allowed, besides "localhost" and addresses, which nobody can point anywhere.

    Raises
    ------
    Refused
        If the name is none of these.
    """
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        name = ""
    if name == "localhost" or name in hosts:
        return
    try:
        ipaddress.ip_address(name)
    except ValueError:
        raise Refused(421, "The page is not served under this name.") from None


def check_origin(request: HTTPServerRequest) -> None:
    """Refuse requests that a page of another site makes.

    Parameters
    ----------
    request : HTTPServerRequest
        The request.

    Raises
    ------
    Refused
        If the browser says that it comes from another site.
    """
    headers = request.headers
    origin = headers.get("Origin")
    foreign = origin not in (None, f"http://{request.host}", f"https://{request.host}")
    # A link to the page. Other addresses may start work on all pictures, which a hidden frame should not.
    is_visit = headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET" and request.path == "/"
    if foreign or (headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not is_visit):
        raise Refused(403, "Requests by other sites are refused.")


def build(gallery: Gallery, hosts: Collection[str]) -> Application:
    """Make the application; see `make_app`."""
    shared = {"shared": Shared(gallery, hosts)}
    return Application(
        [
            (r"/(|app\.js|style\.css|icon\.svg)", Static, shared),
            (r"/api/about", About, shared),
            (r"/api/sample", Sample, shared),
            (r"/api/search", Search, shared),
            (r"/pictures/([0-9]{1,12})", Thumbnail, shared),
        ],
        default_handler_class=Missing,
        default_handler_args=shared,
        log_function=lambda handler: None,
    )
