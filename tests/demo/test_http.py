"""The HTTP layer: answers, and what is refused."""

import io
import os
import re
import socket
import struct
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from skhash import PerceptualHasher
from skhash.demo import Gallery, Pictures

pytest.importorskip("tornado")
Image = pytest.importorskip("PIL.Image")
ROOT = Path(__file__).parents[2]


def encode(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width, height, data=b"", text=b""):
    """Return a PNG file of a size, however little data it has, with a compressed text."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + (chunk(b"zTXt", b"a\0\0" + text) if text else b"")
    return start + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_every_answer_restricts_the_browser(client):
    for path in ("/", "/app.js", "/style.css", "/icon.svg", "/api/about", "/pictures/1", "/nothing", "/pictures/999"):
        _, headers, _ = client.ask(path)
        policy = dict(each.strip().split(" ", 1) for each in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not [name for name in headers if name.startswith("Access-Control")]
        assert "ornado" not in headers["Server"]


def test_the_page_needs_nothing_from_elsewhere(client):
    total = 0
    for path in ("/", "/app.js", "/style.css", "/icon.svg"):
        status, _, data = client.ask(path)
        assert status == 200
        total += len(data)
        text = data.decode().replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        assert not re.search(r"//[a-z]+\.|https?:|innerHTML|insertAdjacentHTML|document\.write|@import", text)
        assert not re.search(r"<[^>]+ (style|on[a-z]+)=|<style|<script>", text)  # which the policy forbids
    assert total < 40_000


def test_a_search_is_that_of_the_gallery(client, photos):
    gallery = Gallery(Pictures.from_folder(photos), method="phash")
    status, _, found = client.ask("/api/search?id=3&method=phash&bits=64&k=5&radius=40")
    while status == 202:
        time.sleep(0.02)
        status, _, found = client.ask("/api/search?id=3&method=phash&bits=64&k=5&radius=40")
    expected = gallery.search(3, n_neighbors=5, radius=40)
    assert status == 200
    for name in ("query", "neighbors", "within", "counts", "method", "bits", "radius"):
        assert found[name] == expected[name]


def test_about_and_sample(client):
    about = client.ask("/api/about")[2]
    assert (about["title"], about["n_pictures"], about["method"], about["has_labels"]) == ("photos", 14, "dhash", False)
    assert {"dhash", "phash", "copynet"} <= {method["name"] for method in about["methods"]}
    first, again, other = (client.ask(f"/api/sample?n=5&seed={seed}")[2]["pictures"] for seed in (1, 1, 2))
    assert first == again != other
    names = {one["name"] for one in client.ask("/api/sample?n=100")[2]["pictures"]}
    assert len(names) == 13
    assert "broken.jpg" not in names


def test_thumbnails_are_encoded_anew(tmp_path, serve):
    image = Image.new("RGB", (900, 300), "red")
    image.save(tmp_path / "a.jpg", comment=b"<script>alert(1)</script>")
    with open(tmp_path / "a.jpg", "ab") as file:
        file.write(b"<html>secret</html>")
    client = serve(Gallery(Pictures.from_folder(tmp_path), method="dhash"))
    status, headers, data = client.ask("/pictures/0")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/jpeg", "no-store")
    assert Image.open(io.BytesIO(data)).size == (256, 85)
    assert b"script" not in data
    assert b"secret" not in data
    version = client.ask("/api/about")[2]["version"]
    assert "immutable" in client.ask(f"/pictures/0?v={version}")[1]["Cache-Control"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_an_upload_is_found(client, photos, kind):
    image = Image.open(photos / "dogs" / "2.png")
    status, _, found = client.ask("/api/search?k=1", encode(image, kind))
    assert status == 200
    assert found["neighbors"][0]["name"] == "dogs/2.png"
    assert found["query"]["id"] is None


def test_an_uploaded_file_has_the_code_of_the_same_file_in_the_folder(tmp_path, serve):
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (2100, 2600), np.uint8))
    image.save(tmp_path / "large.jpg")  # which is decoded at a smaller size
    bits = 256
    full, draft = (
        PerceptualHasher(bits=bits, draft=draft).transform([str(tmp_path / "large.jpg")]) for draft in (False, True)
    )
    assert (full != draft).any()
    client = serve(Gallery(Pictures.from_folder(tmp_path), method="dhash", bits=bits))
    for _ in range(200):
        status, _, found = client.ask("/api/search", (tmp_path / "large.jpg").read_bytes())
        if status == 200:
            break
        time.sleep(0.02)
    assert found["neighbors"][0]["distance"] == 0


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"<!doctype html><script>alert(1)</script>", 415, "not a picture that is read here"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 415, "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "not a picture"),
        (b"", 415, "not a picture"),
        (png(50_000, 50_000), 413, "more than 40 million pixels"),
        (png(9_000, 9_000, zlib.compress(bytes(9_000 * 1_126))), 413, "more than 40 million pixels"),
        (png(300, 300, zlib.compress(bytes(100))), 422, "The upload is damaged"),
        (png(9, 9, zlib.compress(bytes(27)), zlib.compress(bytes(10**8))), 422, "Decompressed data too large"),
        (b"\xff\xd8\xff\xe0" + bytes(100), 415, "not a picture"),
    ],
    ids=["html", "svg", "eps", "empty", "bomb", "bomb with pixels", "truncated", "bomb in a text", "jpeg of zeros"],
)
def test_hostile_uploads_are_refused(client, data, status, message):
    found, headers, answer = client.ask("/api/search", data)
    assert (found, headers["Content-Type"]) == (status, "application/json; charset=utf-8")
    assert message in answer["error"]
    assert client.ask("/api/search?id=1")[0] == 200  # and the server goes on


def test_a_hundred_megabytes_are_refused_before_they_are_sent(client):
    connection = client.connect()
    connection.putrequest("POST", "/api/search")
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Content-Length", str(100 * 2**20))
    connection.endheaders()  # and not a byte of the body
    start = time.monotonic()
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"more than 16 MiB" in answer.read()
    assert time.monotonic() - start < 5
    connection.close()


@pytest.mark.parametrize("n_blocks", [20, 100])
def test_a_body_without_a_length_is_cut_off(client, n_blocks):
    sent, answer = 0, b""
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
        try:
            connection.sendall(
                b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            for _ in range(n_blocks):
                connection.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
                sent += 1
            connection.sendall(b"0\r\n\r\n")
            answer = connection.recv(2000)
        except OSError:  # the server closed the connection
            pass
    assert sent < 60
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    assert client.ask("/api/search?id=1")[0] == 200


def test_uploads_that_wait_are_limited_together(client, monkeypatch):
    from skhash.demo import _app

    shared = client.app.settings["default_handler_args"]["shared"]

    def announce(length):
        """Send the header of an upload and too little of it, and wait until it counts."""
        connection = client.connect()
        connection.putrequest("POST", "/api/search")
        connection.putheader("Content-Type", "application/octet-stream")
        connection.putheader("Content-Length", str(length))
        connection.endheaders(data[:10])
        wait_for(length)
        return connection

    def wait_for(waiting):
        for _ in range(3000):
            if shared.waiting == waiting:
                return
            time.sleep(0.01)
        raise AssertionError(f"{shared.waiting} bytes wait, not {waiting}")

    monkeypatch.setattr(_app, "MOST_WAITING", 3000)
    data = encode(Image.new("L", (40, 40), 9), "BMP")
    assert 1500 < len(data) < 3000
    first = announce(len(data))
    assert client.ask("/api/search", data)[0] == 503
    first.send(data[10:])
    with first.getresponse() as answer:
        assert answer.status == 200
    first.close()
    wait_for(0)
    assert client.ask("/api/search", data)[0] == 200
    announce(2900).close()  # what was announced no longer counts
    wait_for(0)
    assert client.ask("/api/search", data)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/../broken.jpg", "/pictures/..%2f..%2f..%2fetc%2fpasswd", "/../../etc/passwd", "/static/app.js",
        "//etc/passwd", "/pictures/cats/0.png", "/pictures/-1", "/pictures/99", "/pictures/0x1", "/pictures/broken.jpg",
        "/%2e%2e/%2e%2e/etc/passwd", "/app.js/../../_app.py", "/pictures/1%00.png",
    ],
)  # fmt: skip
def test_only_numbers_lead_to_pictures(client, path):
    status, _, answer = client.ask(path)
    assert status == 404
    assert set(answer) == {"error"}
    assert "root:" not in answer["error"]


def test_errors_do_not_tell_where_the_folder_lies(client, photos):
    number = Pictures.from_folder(photos).names.index("broken.jpg")
    for path in (f"/pictures/{number}", f"/api/search?id={number}"):
        status, _, answer = client.ask(path)
        assert status in (404, 422)
        assert str(photos) not in answer["error"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "id is missing"),
        ("?id=-1", "id must be an integer from 0 to 13"),
        ("?id=14", "id must be an integer from 0 to 13"),
        ("?id=1&k=101", "k must be an integer from 1 to 100"),
        ("?id=1&k=1e2", "k must be an integer"),
        ("?id=1&k=%D9%A3", "k must be an integer"),
        ("?id=1&radius=x", "radius must be an integer"),
        ("?id=1&method=../dhash", "method must be one of dhash"),
        ("?id=1&bits=3", "bits must be one of"),
        ("?id=1&bits=99999999999999999999", "bits must be an integer"),
    ],
)
def test_wrong_arguments_are_named(client, query, message):
    status, _, answer = client.ask(f"/api/search{query}")
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:80", "127.0.0.1.evil.example", "["]
)
def test_other_names_of_this_machine_are_refused(client, host):
    for path in ("/", "/api/about", "/pictures/1", "/nothing"):
        assert client.ask(path, headers={"Host": host})[0] in (400, 421)
    assert client.ask("/api/search", b"x", headers={"Host": host})[0] in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:8077", "192.168.1.7:8077"])
def test_addresses_and_localhost_are_accepted(client, host):
    assert client.ask("/", headers={"Host": host})[0] == 200


def test_names_that_were_given_are_accepted(photos, serve):
    client = serve(Gallery(Pictures.from_folder(photos), method="dhash"), hosts=["My-Machine"])
    assert client.ask("/", headers={"Host": "my-machine:8077"})[0] == 200
    assert client.ask("/", headers={"Host": "other-machine"})[0] == 421


def test_pages_of_others_may_not_ask(client):
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.ask("/pictures/1", headers=foreign)[0] == 403
    assert client.ask("/api/search", b"x", headers={"Origin": "http://evil.example"})[0] == 403
    for origin in (
        "null",
        "http://[",
        f"http://127.0.0.1:{client.port + 1}",
        f"http://127.0.0.1:{client.port}.evil.example",
    ):
        assert client.ask("/api/search", b"x", headers={"Origin": origin})[0] == 403
    simple = client.ask("/api/search", b"x", headers={"Content-Type": "text/plain"})  # forms may send this anywhere
    assert (simple[0], simple[2]["error"]) == (415, "Content-Type must be application/octet-stream.")
    assert client.ask("/", headers=foreign | {"Sec-Fetch-Mode": "navigate"})[0] == 200  # a link
    for path in ("/api/search?id=1&method=phash", "/pictures/1"):
        assert client.ask(path, headers=foreign | {"Sec-Fetch-Mode": "navigate"})[0] == 403  # a hidden frame
    assert client.ask("/", b"x", headers=foreign | {"Sec-Fetch-Mode": "navigate"})[0] == 403  # a form
    own = {"Origin": f"http://127.0.0.1:{client.port}", "Sec-Fetch-Site": "same-origin"}
    assert client.ask("/api/search?id=1", headers=own)[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(client, method):
    for path in ("/", "/api/search", "/pictures/1"):
        assert client.ask(path, headers={}, method=method)[0] in (404, 405, 415)


def test_names_are_data(tmp_path, serve):
    name = '<img src=x onerror="alert(1)">.png'
    if sys.platform == "win32":
        pytest.skip("such names are not possible")
    Image.new("L", (20, 20), 5).save(tmp_path / name)
    Image.new("L", (20, 20), 6).save(os.fsencode(tmp_path) + b"/\xff.png", "PNG")
    client = serve(Gallery(Pictures.from_folder(tmp_path), method="dhash"))
    status, headers, answer = client.ask("/api/sample")
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert {one["name"] for one in answer["pictures"]} == {name, r"\xff.png"}


def test_many_at_a_time(client):
    statuses = []

    def run():
        connection = client.connect()
        for number in range(8):
            connection.request("GET", f"/api/search?id={1 + number % 12}&k=5")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 400


def test_codes_are_computed_in_the_background(photos, serve):
    client = serve(Gallery(Pictures.from_folder(photos), method="dhash"))
    path = "/api/search?id=1&method=whash&bits=256"
    status, _, answer = client.ask(path)
    if status == 202:
        assert answer.keys() == {"learning", "done", "of"}
        assert answer["of"] == 14
    for _ in range(500):
        status, _, answer = client.ask(path)
        if status == 200:
            break
        time.sleep(0.02)
    assert len(answer["query"]["code"]) == 256
