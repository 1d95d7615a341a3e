"""Measure the service on loopback, kill its processes while items are added, and look for what was lost.

    python load_test.py --codes 100000 --seconds 5 --kills 8

Prints requests a second and latencies. The exit status is 1 if an acknowledged change is missing or was made twice.
"""

import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import skhash

FEATURES = 64
SERVER = Path(__file__).with_name("server.py")


def vectors_of(ids):
    """Return the vector of each id, so that both sides of a comparison can make it."""
    return np.stack([np.random.default_rng([7, int(number)]).normal(size=FEATURES) for number in ids])


def picture_of(number):
    pixels = np.random.default_rng([8, number]).integers(0, 256, (9, 9, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).resize((256, 256), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def prepare(folder, kind, n):
    folder.mkdir()
    rng = np.random.default_rng(0)
    if kind == "picture":
        hasher = skhash.PerceptualHasher(kind="copynet").fit(rng.integers(0, 256, (2, 40, 40), np.uint8))
        codes = rng.integers(0, 2, (n, 64), np.uint8)
    else:
        hasher = skhash.ITQHasher(bits=64, random_state=0).fit(rng.normal(size=(5000, FEATURES)))
        codes = hasher.transform(rng.normal(size=(n, FEATURES)))
    hasher.save(folder / "hasher.skh")
    skhash.HammingIndex().fit(codes, ids=np.arange(n)).save(folder / "index")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask(port, method, path, data=None, connection=None, timeout=60):
    """Return the status and the answer; bytes are sent as they are, other data as JSON."""
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    raw = isinstance(data, bytes)
    connection.request(
        method, path, data if raw or data is None else json.dumps(data),
        {"Content-Type": "application/octet-stream" if raw else "application/json"},
    )  # fmt: skip
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


class Service:
    """A server in a process group of its own."""

    def __init__(self, folder, role, workers=1):
        self.folder, self.role, self.workers, self.port = folder, role, workers, free_port()
        self.start()

    def start(self):
        command = [sys.executable, SERVER, self.role, self.folder, "--port", self.port, "--workers", self.workers]
        self.process = subprocess.Popen(list(map(str, command)), start_new_session=True)
        end = time.monotonic() + 120
        while True:
            try:
                return ask(self.port, "GET", "/health")
            except (OSError, http.client.HTTPException):
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"The {self.role}r did not start.") from None
                time.sleep(0.1)

    def stop(self, number=signal.SIGTERM):
        if number == signal.SIGKILL:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.wait(60)


def measure(port, n_clients, seconds, requests):
    """Send requests from threads and return requests a second and the median and 99th percentile in milliseconds."""
    times, failed = [], []
    end = time.monotonic() + seconds

    def run(number):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        turn = number
        while time.monotonic() < end:
            start = time.perf_counter()
            status, answer = ask(port, *requests[turn % len(requests)], connection=connection)
            times.append(time.perf_counter() - start)
            if status != 200:
                failed.append(answer)
            turn += n_clients

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n_clients)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    return f"{len(times) / (time.monotonic() - start):7.0f} requests/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms", failed


class Adder(threading.Thread):
    """Add items, and remove some, until told to stop; each request is repeated until it is acknowledged."""

    def __init__(self, port, first):
        super().__init__()
        self.port, self.next, self.running = port, first, True
        self.added, self.removed, self.repeated, self.errors = [], [], 0, []

    def until_acknowledged(self, path, data):
        while True:
            try:
                status, answer = ask(self.port, "POST", path, data)
            except (OSError, http.client.HTTPException):
                self.repeated += 1
                time.sleep(0.05)
                continue
            if status == 200:
                return
            self.errors.append((path, status, answer))
            return

    def run(self):
        while self.running:
            ids = list(range(self.next, self.next + 3))
            self.next += 3
            self.until_acknowledged("/vectors", {"ids": ids, "vectors": vectors_of(ids).tolist()})
            self.added += ids
            if self.next % 60 == 0:
                self.until_acknowledged("/remove", {"ids": ids[:1]})
                self.removed += ids[:1]


def check(folder, reader, adders, n):
    """Return what is wrong with the index after all changes."""
    added = {number for adder in adders for number in adder.added}
    removed = {number for adder in adders for number in adder.removed}
    left = sorted(added - removed)
    wrong = [str(error) for adder in adders for error in adder.errors]
    if (found := ask(reader.port, "GET", "/health")[1]["codes"]) != n + len(left):
        wrong.append(f"{found} codes, expected {n + len(left)}")
    for number in sorted(added):
        if ask(reader.port, "GET", f"/items/{number}")[1]["found"] != (number not in removed):
            wrong.append(f"item {number} is {'there' if number in removed else 'missing'}")
    for number in random.Random(0).sample(left, min(100, len(left))):
        answer = ask(reader.port, "POST", "/search/vector", {"vector": vectors_of([number])[0].tolist(), "k": 50})[1]
        nearest = [i for i, distance in zip(answer["ids"], answer["distances"], strict=True) if distance == 0]
        if nearest.count(number) != 1:
            wrong.append(f"item {number} is found {nearest.count(number)} times")
    skhash.HammingIndex.verify(folder / "index")
    return wrong


def main():
    parser = argparse.ArgumentParser(description="Load-test the service.")
    parser.add_argument("--codes", type=int, default=100_000)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--kills", type=int, default=8)
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        for kind in ("picture", "vector"):
            folder = Path(root) / kind
            prepare(folder, kind, options.codes)
            services = [Service(folder, "read", options.readers), Service(folder, "write")]
            reader, writer = services
            try:
                if kind == "picture":
                    requests = [("POST", "/search/picture?k=10", picture_of(number)) for number in range(50)]
                else:
                    rows = vectors_of(range(10**6, 10**6 + 200)).tolist()
                    requests = [("POST", "/search/vector", {"vector": row, "k": 10}) for row in rows]
                bad = b"no picture" if kind == "picture" else {"vector": [1.0, 2.0]}
                for data, status in ((bad, 422), (bytes(9 * 2**20), 413)):
                    found, answer = ask(reader.port, "POST", f"/search/{kind}", data)
                    if found != status:
                        wrong.append(f"/search/{kind} answers {found} {answer}, expected {status}")
                text, failed = measure(reader.port, options.clients, options.seconds, requests)
                print(f"{kind}: {text}", flush=True)
                wrong += failed
                if kind == "vector":
                    wrong += attack(folder, reader, writer, requests, options)
            finally:
                for service in services:
                    service.stop()
    print("\n".join(map(str, wrong[:20])) if wrong else "Nothing was lost or doubled.")
    return 1 if wrong else 0


def attack(folder, reader, writer, requests, options):
    """Search while items are added, then kill processes at random moments; return what is wrong."""
    adders = [Adder(writer.port, options.codes + 10**7 * turn) for turn in range(2)]
    for adder in adders:
        adder.start()
    start = time.monotonic()
    text, failed = measure(reader.port, options.clients, options.seconds, requests)
    rate = sum(len(adder.added) for adder in adders) / (time.monotonic() - start)
    print(f"vector, {rate:.0f} items/s added meanwhile: {text}", flush=True)
    moments = random.Random(1)
    for turn in range(options.kills):
        time.sleep(moments.uniform(0.1, 0.6))
        victim = reader if turn % 4 == 3 else writer
        victim.stop(signal.SIGKILL if turn % 2 == 0 or victim is reader else signal.SIGTERM)
        victim.start()
    for adder in adders:
        adder.running = False
    for adder in adders:
        adder.join()
    wrong = check(folder, reader, adders, options.codes)
    n, repeated = sum(len(adder.added) for adder in adders), sum(adder.repeated for adder in adders)
    print(f"{options.kills} restarts, {n} items acknowledged, {repeated} requests repeated", flush=True)
    return failed + wrong


if __name__ == "__main__":
    sys.exit(main())
