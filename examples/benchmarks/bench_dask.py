"""Shards in workers of a Dask cluster: equal answers, killed workers, an added worker, throughput of one and two.

Each worker is a process of its own with one thread. As root, with `ip` (package iproute2), each has a network
namespace and an address of its own on a bridge, as machines have; otherwise all share the loopback address.

    OMP_NUM_THREADS=1 nice -n 10 python examples/benchmarks/bench_dask.py --folder /tmp/bench_dask
    python examples/benchmarks/bench_dask.py --tiny  # seconds, which the tests run
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from skhash import HammingIndex
from skhash.distributed import DistributedHammingIndex, build_index

BITS = 64


def sh(*command):
    subprocess.run(command, check=True, capture_output=True)


class Machines:
    """A scheduler, and workers in namespaces of the network or, without root, in this one."""

    def __init__(self, n, subnet, log):
        self.isolated = os.geteuid() == 0 and shutil.which("ip") is not None
        number = os.getpid() % 10_000  # names and addresses that no other run uses at the same time
        self.tag, self.subnet = f"skh{number}{subnet}", f"10.{number % 64 + 64 * subnet}.{number // 64}"
        self.n, self.log = n, log
        self.processes, self.workers = [], {}
        if self.isolated:
            try:
                self._connect()
            except subprocess.CalledProcessError as error:  # a container may forbid it
                print("no namespaces:", error.stderr.decode().strip(), file=sys.stderr)
                self._disconnect()
                self.isolated = False
        host = f"{self.subnet}.254" if self.isolated else "127.0.0.1"
        file = tempfile.mktemp(suffix=".json")
        self._start(["distributed.cli.dask_scheduler", "--host", host, "--port", "0", "--no-dashboard"], None, file)
        deadline = time.monotonic() + 60
        while not Path(file).exists() or not Path(file).read_text().endswith("}"):
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)
        self.address = json.loads(Path(file).read_text())["address"]
        Path(file).unlink()

    def _connect(self):
        bridge = f"{self.tag}b"
        sh("ip", "link", "add", bridge, "type", "bridge")
        sh("ip", "addr", "add", f"{self.subnet}.254/24", "dev", bridge)
        sh("ip", "link", "set", bridge, "up")
        for i in range(self.n):
            space, outer, inner = f"{self.tag}n{i}", f"{self.tag}o{i}", f"{self.tag}i{i}"
            sh("ip", "netns", "add", space)
            sh("ip", "link", "add", outer, "type", "veth", "peer", "name", inner)
            sh("ip", "link", "set", inner, "netns", space)
            sh("ip", "link", "set", outer, "master", bridge)
            sh("ip", "link", "set", outer, "up")
            sh("ip", "-n", space, "addr", "add", f"{self.subnet}.{i + 1}/24", "dev", inner)
            sh("ip", "-n", space, "link", "set", inner, "up")
            sh("ip", "-n", space, "link", "set", "lo", "up")

    def _disconnect(self):
        for i in range(self.n):
            subprocess.run(["ip", "netns", "del", f"{self.tag}n{i}"], capture_output=True)
            subprocess.run(["ip", "link", "del", f"{self.tag}o{i}"], capture_output=True)
        subprocess.run(["ip", "link", "del", f"{self.tag}b"], capture_output=True)

    def _start(self, arguments, space, scheduler_file=None):
        command = [sys.executable, "-m", *arguments]
        if scheduler_file is not None:
            command += ["--scheduler-file", scheduler_file]
        if space is not None:
            command = ["ip", "netns", "exec", space, *command]  # which becomes the command: its pid is the worker's
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with open(self.log, "a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        self.processes.append(process)
        return process

    def start_worker(self, i):
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
        if self.isolated:
            options += ["--host", f"{self.subnet}.{i + 1}"]
        name = ["--name", f"w{i}-{time.monotonic_ns()}"]
        space = f"{self.tag}n{i}" if self.isolated else None
        self.workers[i] = self._start(["distributed.cli.dask_worker", self.address, *options, *name], space)

    def kill_worker(self, i):
        self.workers[i].send_signal(signal.SIGKILL)
        self.workers[i].wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if self.isolated:
            self._disconnect()


def check_equal(ours, index, queries, k=10):
    found, expected = ours.kneighbors(queries, k), index.kneighbors(queries, k)
    assert all((a == b).all() for a, b in zip(found, expected, strict=True))
    few = queries[:200]
    found, expected = ours.radius_neighbors(few, 14), index.radius_neighbors(few, 14)
    assert all((a == b).all() for pair in zip(found, expected, strict=True) for a, b in zip(*pair, strict=True))
    z = np.random.default_rng(3).standard_normal((len(few), BITS))
    found, expected = ours.kneighbors_asymmetric(z, k), index.kneighbors_asymmetric(z, k)
    assert all((a == b).all() for a, b in zip(found, expected, strict=True))
    where = np.random.default_rng(4).integers(0, 2, len(index)).astype(bool)
    found, expected = ours.kneighbors(few, k, where=where), index.kneighbors(few, k, where=where)
    assert all((a == b).all() for a, b in zip(found, expected, strict=True))


def stream_with_kills(machines, client, folder, index, queries, replicas, n_kills):
    """Search one query at a time; kill a worker in the middle of a search, n_kills times, and start another one."""
    from threading import Timer

    n_workers = len(machines.workers)
    ours = DistributedHammingIndex(folder, client=client, replicas=replicas)
    expected = index.kneighbors(queries, 10)
    every, wrong, seconds, pauses = len(queries) // n_kills, 0, [], []
    killer = None
    for row in range(len(queries)):
        if row % every == every // 2:
            client.wait_for_workers(n_workers, timeout=120)  # those that were started after the last kill
            ours.rebalance()
            victim = (row // every) % n_workers
            killer = Timer(0.0, machines.kill_worker, (victim,))
            killed_at = len(seconds)
            killer.start()
        start = time.perf_counter()
        found = ours.kneighbors(queries[row : row + 1], 10)
        seconds.append(time.perf_counter() - start)
        wrong += int(not all((a == b[row : row + 1]).all() for a, b in zip(found, expected, strict=True)))
        if killer is not None and row % every == (every // 2 + every // 4):
            killer.join()
            pauses.append(max(seconds[killed_at:]))
            machines.start_worker(victim)
            killer = None
    calm = np.median(seconds) * 1e3
    result = {
        "replicas": replicas,
        "queries": len(seconds),
        "kills": len(pauses),
        "replicas_lost": ours.n_lost_,
        "wrong": wrong,
        "pause_ms_median": round(float(np.median(pauses)) * 1e3, 1),
        "pause_ms_max": round(max(pauses) * 1e3, 1),
        "query_ms_median": round(calm, 2),
    }
    client.wait_for_workers(n_workers, timeout=120)
    ours.close()
    return result


def main():
    import dask
    import dask.array as da
    from distributed import Client

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", default=None, help="where to build the indexes; default: a temporary folder")
    parser.add_argument("--codes", type=int, default=1_000_000)
    parser.add_argument("--throughput-codes", type=int, default=4_000_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--stream", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="equal,kills,added,throughput")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.codes, arguments.throughput_codes, arguments.queries, arguments.workers = 20_000, 20_000, 300, 2
        arguments.stream, arguments.kills, arguments.rounds = 60, 1, 1
    steps = arguments.only.split(",")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    dask.config.set({"distributed.comm.timeouts.connect": "5s"})
    rng = np.random.default_rng(0)
    with ExitStack() as stack:
        folder = Path(arguments.folder or stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "workers.log"
        n = arguments.workers
        if {"equal", "kills", "added"} & set(steps):
            codes = rng.integers(0, 2**63, (arguments.codes, 1), np.uint64)
            queries = rng.integers(0, 2**63, (max(arguments.queries, arguments.stream), 1), np.uint64)
            index = HammingIndex(algorithm="brute").fit(codes)
            machines = stack.enter_context(Machines(n, 0, log))
            client = stack.enter_context(Client(machines.address))
            start = 0 if n < 3 else 1  # the last one is added later
            for i in range(n - start):
                machines.start_worker(i)
            client.wait_for_workers(n - start, timeout=120)
            addresses = sorted(client.nthreads())
            print(json.dumps({"namespaces": machines.isolated, "workers": addresses, "codes": len(codes)}), flush=True)
            lazy = da.from_array(codes, chunks=(-(-len(codes) // 8), 1))
            began = time.perf_counter()
            build_index(folder / "index", lazy, algorithm="brute")
            print(json.dumps({"built_s": round(time.perf_counter() - began, 2), "parts": 8}), flush=True)
        if "added" in steps:
            ours = DistributedHammingIndex(folder / "index", client=client)
            before = [len(shards) for shards in ours.placement_.values()]
            last = n - 1 if n >= 3 else n
            if n < 3:  # there is no namespace for one more: take one away first
                machines.kill_worker(n - 1)
                last = n - 1
            machines.start_worker(last)
            client.wait_for_workers(n, timeout=120)
            began = time.perf_counter()
            some = index.kneighbors(queries[:50], 10)
            while min(len(shards) for shards in ours.placement_.values()) < 8 // n or len(ours.placement_) < n:
                found = ours.kneighbors(queries[:50], 10)
                assert all((a == b).all() for a, b in zip(found, some, strict=True))
            taken = round(time.perf_counter() - began, 2)
            after = [len(shards) for shards in ours.placement_.values()]
            print(json.dumps({"added": {"shards_before": before, "shards_after": after, "s": taken}}), flush=True)
            ours.close()
        elif "equal" in steps or "kills" in steps:
            for i in range(n - start, n):
                machines.start_worker(i)
            client.wait_for_workers(n, timeout=120)
        if "equal" in steps:
            ours = DistributedHammingIndex(folder / "index", client=client, replicas=2)
            began = time.perf_counter()
            check_equal(ours, index, queries[: arguments.queries])
            passed = {"queries": arguments.queries, "s": round(time.perf_counter() - began, 2)}
            print(json.dumps({"equal": passed, "placement": list(ours.placement_.values())}), flush=True)
            ours.close()
        if "kills" in steps:
            for replicas in (2, 1):
                some = queries[: arguments.stream]
                result = stream_with_kills(machines, client, folder / "index", index, some, replicas, arguments.kills)
                print(json.dumps({"kills": result}), flush=True)
                assert result["wrong"] == 0
    if "throughput" in steps:
        with ExitStack() as stack:
            throughput(stack, arguments, da, Client)


def throughput(stack, arguments, da, Client):
    """Time the same batches on one worker and on two, by turns."""
    folder = Path(arguments.folder or stack.enter_context(tempfile.TemporaryDirectory()))
    log, rng = folder / "workers.log", np.random.default_rng(1)
    codes = rng.integers(0, 2**63, (arguments.throughput_codes, 1), np.uint64)
    queries = rng.integers(0, 2**63, (500, 1), np.uint64)
    indexes = {}
    for n in (1, 2):
        machines = stack.enter_context(Machines(n, n, log))
        client = stack.enter_context(Client(machines.address, set_as_default=False))
        for i in range(n):
            machines.start_worker(i)
        client.wait_for_workers(n, timeout=120)
        if n == 1:
            lazy = da.from_array(codes, chunks=(-(-len(codes) // 4), 1))
            import dask

            with dask.config.set(scheduler="threads", num_workers=1):
                build_index(folder / "throughput", lazy, algorithm="brute")
        indexes[n] = DistributedHammingIndex(folder / "throughput", client=client)
    seconds = {n: [] for n in indexes}
    answers = [indexes[n].kneighbors(queries, 10) for n in indexes]  # warm
    assert all((a == b).all() for a, b in zip(*answers, strict=True))
    loads = []
    for _ in range(arguments.rounds):
        for n, index in indexes.items():
            start = time.perf_counter()
            index.kneighbors(queries, 10)
            seconds[n].append(time.perf_counter() - start)
        loads.append(os.getloadavg()[0])
    rates = {n: len(queries) / np.median(some) for n, some in seconds.items()}
    ratios = sorted(one / two for one, two in zip(seconds[1], seconds[2], strict=True))
    print(
        json.dumps(
            {
                "throughput": {
                    "codes": len(codes),
                    "queries_per_s": {n: round(rate, 1) for n, rate in rates.items()},
                    "ratio_of_medians": round(rates[2] / rates[1], 2),
                    "ratios": [round(ratio, 2) for ratio in ratios],
                    "ratio_of_best": round(min(seconds[1]) / min(seconds[2]), 2),
                    "load": [round(min(loads), 1), round(max(loads), 1)],
                }
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
