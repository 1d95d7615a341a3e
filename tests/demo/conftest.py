"""Twelve photos in two folders, and a server on a port of its own."""

import asyncio
import http.client
import json
import threading
from contextlib import closing

import numpy as np
import pytest


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Pictures of two folders; `cats/0.png` has a smaller copy, `broken.jpg` is none."""
    Image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("demo") / "photos"
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 256, (6, 8, 3), np.uint8)
            image = Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC)
            image.save(folder / name / f"{number}.png")
            if (name, number) == ("cats", 0):
                image.resize((200, 150)).save(folder / "copy of 0.jpg")
    (folder / "broken.jpg").write_bytes(b"<html><script>alert(1)</script></html>")
    return folder


class Client:
    """Requests to a server in a thread."""

    def __init__(self, app):
        self.app, self.port, started = app, 0, threading.Event()

        async def run():
            from skhash.demo._server import close, listen

            self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
            server, self.port = listen(app, "127.0.0.1", 0)
            started.set()
            await self.stop.wait()
            await close(server)

        self.thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        self.thread.start()
        started.wait(30)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, path, body=None, headers=None, method=None):
        """Return the status, the headers and the body, read as JSON if it is."""
        kind = {} if body is None else {"Content-Type": "application/octet-stream"}
        with closing(self.connect()) as connection:
            connection.request(method or ("GET" if body is None else "POST"), path, body, kind | (headers or {}))
            with connection.getresponse() as answer:
                data = answer.read()
        if "json" in (answer.getheader("Content-Type") or ""):
            data = json.loads(data)
        return answer.status, dict(answer.getheaders()), data

    def close(self):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(30)


@pytest.fixture(scope="session")
def serve():
    """Return a function that serves a gallery and returns a client."""
    pytest.importorskip("tornado")
    from skhash.demo import make_app

    clients = []

    def serve(gallery, **options):
        clients.append(Client(make_app(gallery, **options)))
        return clients[-1]

    yield serve
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def client(photos, serve):
    """A client of a server of the photos, whose codes are there."""
    from skhash.demo import Gallery, Pictures

    gallery = Gallery(Pictures.from_folder(photos), method="dhash", n_jobs=1)
    gallery.prepare()
    return serve(gallery)
