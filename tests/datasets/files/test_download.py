import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from skhash.datasets.files._download import download

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    """Address of a web server that holds `data.bin`."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "data.bin").write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=tmp_path / "site"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_file_arrives_with_a_progress_bar(server, tmp_path, capsys):
    path = tmp_path / "deep" / "er" / "data.bin"
    download(f"{server}/data.bin", path, SHA256)
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["data.bin"]
    assert "data.bin: 100%" in capsys.readouterr().err


def test_an_old_file_is_replaced(tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    (tmp_path / "copy.bin").write_bytes(b"old")
    download((tmp_path / "data.bin").as_uri(), tmp_path / "copy.bin", SHA256)
    assert (tmp_path / "copy.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(OSError, match=f"data.bin has sha256 {SHA256}, expected {'0' * 64}"):
        download(f"{server}/data.bin", tmp_path / "cache" / "data.bin", "0" * 64)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_file_leaves_nothing(server, tmp_path):
    with pytest.raises(OSError, match="404"):
        download(f"{server}/nothing.bin", tmp_path / "cache" / "nothing.bin", SHA256)
    assert list((tmp_path / "cache").iterdir()) == []


class BreakingHandler(QuietHandler):
    def do_GET(self):
        """Send a chunk that is shorter than it says, and hang up."""
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"ff\r\nshort")
        self.close_connection = True


def test_a_broken_connection_leaves_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr(QuietHandler, "do_GET", BreakingHandler.do_GET)
    with pytest.raises(OSError, match=r"data.bin was interrupted: IncompleteRead"):
        download(f"{server}/data.bin", tmp_path / "cache" / "data.bin", SHA256)
    assert list((tmp_path / "cache").iterdir()) == []
