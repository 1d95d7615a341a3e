"""The server: until it is interrupted, on this machine unless told otherwise."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import warnings
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from skhash.utils import import_optional

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer
    from tornado.web import Application

    from skhash.demo._gallery import Gallery

_BODY_SECONDS, _IDLE_SECONDS = 60, 120  # to send an upload, and between two requests
_CLOSING_SECONDS = 3


def make_app(gallery: Gallery, *, hosts: Collection[str] = ()) -> Application:
    """Make the application that serves a gallery, for a server of tornado.

    Parameters
    ----------
    gallery : Gallery
        The pictures.
    hosts : collection of str, default=()
        Names by which the page may be asked for, besides "localhost" and addresses.

    Returns
    -------
    app : tornado.web.Application
        The application.

    Raises
    ------
    ImportError
        If tornado is not installed.
    """
    import_optional("tornado.web", extra="demo", purpose="Serving pictures")
    from skhash.demo._app import build

    return build(gallery, hosts)


def serve(
    gallery: Gallery,
    *,
    host: str = "127.0.0.1",
    port: int = 8077,
    hosts: Collection[str] = (),
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve a gallery until the process is interrupted (Ctrl-C) or terminated.

    Parameters
    ----------
    gallery : Gallery
        The pictures.
    host : str, default="127.0.0.1"
        Address to listen at. With another than this machine's own, whoever reaches it sees the pictures.
    port : int, default=8077
        Port; 0 is any that is free.
    hosts : collection of str, default=()
        Names by which the page may be asked for, besides "localhost" and addresses.
    ready : callable, default=None
        Called with the address of the page when it can be opened.

    Returns
    -------
    nothing : None
        When the process is interrupted.

    Raises
    ------
    ImportError
        If tornado is not installed.
    OSError
        If the port is taken.

    Warns
    -----
    UserWarning
        If other machines may reach the page.
    """
    import_optional("tornado.httpserver", extra="demo", purpose="Serving pictures")
    if not _is_loopback(host):
        warnings.warn(f"Whoever reaches {host} can see the pictures: there are no users and no encryption.")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(gallery, host, port, hosts, ready))


def _is_loopback(host: str) -> bool:
    """Check whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _serve(
    gallery: Gallery, host: str, port: int, hosts: Collection[str], ready: Callable[[str], object] | None
) -> None:
    server, port = listen(make_app(gallery, hosts=hosts), host, port)
    stop = asyncio.Event()
    with suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if ready is not None:
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{port}/")
    await stop.wait()
    await close(server)


def listen(app: Application, host: str, port: int) -> tuple[HTTPServer, int]:
    """Start a server in the running event loop.

    Parameters
    ----------
    app : tornado.web.Application
        What answers.
    host : str
        Address to listen at.
    port : int
        Port; 0 is any that is free.

    Returns
    -------
    server : tornado.httpserver.HTTPServer
        The server.
    port : int
        The port.
    """
    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets

    from skhash.demo._uploads import LARGEST_BODY

    sockets = bind_sockets(port, host)
    server = HTTPServer(
        app,
        max_body_size=2 * LARGEST_BODY,  # larger ones are refused with a reason
        max_header_size=2**14,
        idle_connection_timeout=_IDLE_SECONDS,
        body_timeout=_BODY_SECONDS,
    )
    server.add_sockets(sockets)
    return server, sockets[0].getsockname()[1]


async def close(server: HTTPServer) -> None:
    """Stop a server, whatever its clients do.

    Parameters
    ----------
    server : tornado.httpserver.HTTPServer
        The server.
    """
    server.stop()
    with suppress(TimeoutError):
        await asyncio.wait_for(server.close_all_connections(), _CLOSING_SECONDS)
