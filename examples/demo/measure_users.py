"""Measure `skhash serve` on loopback with a folder of generated photos and many users at a time.

    python measure_users.py --pictures 10000 --users 50 --seconds 60

One user alone first: how long it takes from a query to its pictures. Then all users at a time: each chooses one of the
neighbors that it sees, changes method and radius, or uploads a picture, waits for all pictures of the answer, and looks
at them for up to a second. The exit status is 1 if a request failed.
"""

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

METHODS = {"dhash": 64, "phash": 64, "average": 64}


def photo(number, side=512):
    """Return a JPEG file with blurs at two scales, so that files have the size of photos."""
    rng = np.random.default_rng([5, number])
    image = Image.fromarray(rng.integers(0, 256, (7, 9, 3), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    file = BytesIO()
    Image.blend(image, fine, 0.25).save(file, "JPEG", quality=85)
    return file.getvalue()


def make_folder(folder, n):
    for number in range(n):
        path = folder / f"album {number // 500:02}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(number))


def start(folder, method):
    """Start the command and return the process and its port."""
    command = [sys.executable, "-m", "skhash.demo", str(folder), "--method", method, "--port", "0", "--no-progress"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if "http://" not in line:
        raise RuntimeError("The server did not start.")
    print(line.strip(), flush=True)
    return process, int(line.split(":")[-1].split("/")[0])


class User(threading.Thread):
    """Somebody at a browser, with a connection that is kept and thumbnails that are not asked for twice."""

    def __init__(self, port, number, end, pause, uploads):
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.random, self.end, self.pause, self.uploads = random.Random(number), end, pause, uploads
        self.seconds, self.failed, self.cache, self.version = defaultdict(list), [], set(), None

    def ask(self, path, body=None):
        headers = {} if body is None else {"Content-Type": "application/octet-stream"}
        self.connection.request("GET" if body is None else "POST", path, body, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {data[:200]!r}")
        return data

    def query(self, path, body=None):
        """Search, and wait for the first and for all pictures of the answer."""
        kind = "click" if body is None else "upload"
        start = time.perf_counter()
        found = json.loads(self.ask(path, body))
        self.seconds[f"{kind}: answer"].append(time.perf_counter() - start)
        for place, one in enumerate(found["neighbors"]):
            if one["id"] not in self.cache:
                self.ask(f"/pictures/{one['id']}?v={self.version}")
                self.cache.add(one["id"])
            if place == 0:
                self.seconds[f"{kind}: first picture"].append(time.perf_counter() - start)
        self.seconds[f"{kind}: all 12 pictures"].append(time.perf_counter() - start)
        return [one["id"] for one in found["neighbors"]]

    def visit(self):
        for path in ("/", "/style.css", "/app.js"):
            self.ask(path)
        self.version = json.loads(self.ask("/api/about"))["version"]
        seen = json.loads(self.ask(f"/api/sample?n=24&seed={self.random.randrange(10**6)}"))["pictures"]
        return [one["id"] for one in seen]

    def run(self):
        try:
            ids = self.visit()
            while time.monotonic() < self.end:
                method = self.random.choice(list(METHODS))
                path = f"/api/search?method={method}&bits={METHODS[method]}&k=12"
                if self.random.random() < 0.2:
                    ids = self.query(path, self.random.choice(self.uploads))
                else:
                    ids = (
                        self.query(f"{path}&id={self.random.choice(ids)}&radius={self.random.choice((64, 40))}") or ids
                    )
                time.sleep(self.random.uniform(0, self.pause))
        except Exception as error:
            self.failed.append(repr(error))
        self.connection.close()


def report(users):
    for kind in sorted({kind for user in users for kind in user.seconds}):
        times = np.concatenate([user.seconds[kind] for user in users if user.seconds[kind]]) * 1e3
        p50, p99 = np.percentile(times, [50, 99])
        print(f"  {kind:24} {len(times):6} times, median {p50:7.1f} ms, p99 {p99:7.1f} ms, most {times.max():7.1f} ms")


def main():
    parser = argparse.ArgumentParser(description="Load-test the page.")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--alone", type=float, default=10, help="seconds of one user")
    parser.add_argument(
        "--pause", type=float, default=1, help="longest time between two searches of a user, in seconds"
    )
    parser.add_argument("--folder", type=Path, help="keep the generated photos here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "photos"
        if not folder.exists():
            make_folder(folder, options.pictures)
        process, port = start(folder, "dhash")
        try:
            preparing = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            for method, bits in METHODS.items():
                status = 202
                while status == 202:
                    preparing.request("GET", f"/api/search?id=0&method={method}&bits={bits}")
                    answer = preparing.getresponse()
                    answer.read()
                    status = answer.status
                    time.sleep(0.2)
            preparing.close()
            uploads = [photo(10**6 + number, 1024) for number in range(20)]
            print("one user:", flush=True)
            one = User(port, -1, time.monotonic() + options.alone, 0, uploads)
            one.run()
            report([one])
            print(f"{options.users} users, {options.seconds:.0f} s:", flush=True)
            end = time.monotonic() + options.seconds
            users = [User(port, number, end, options.pause, uploads) for number in range(options.users)]
            for user in users:
                user.start()
            for user in users:
                user.join()
            report(users)
        finally:
            process.terminate()
            process.wait(60)
    failed = [text for user in [one, *users] for text in user.failed]
    print("\n".join(failed[:20]) if failed else "No request failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
