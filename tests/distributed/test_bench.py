import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2]


def test_workers_with_addresses_of_their_own():
    """The benchmark in small: workers in namespaces of the network, of which one is killed, and one is added."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("namespaces of the network need root and ip")
    script = ROOT / "examples" / "benchmarks" / "bench_dask.py"
    command = [sys.executable, str(script), "--tiny", "--only", "equal,kills,added"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert run.returncode == 0, run.stderr
    results = [json.loads(line) for line in run.stdout.splitlines()]
    found = {name: value for result in results for name, value in result.items()}
    if not found["namespaces"]:
        pytest.skip(f"no namespaces: {run.stderr}")
    assert len({address.rpartition(":")[0] for address in found["workers"]}) == len(found["workers"]) == 2
    assert found["equal"]["queries"] == 300
    assert found["added"]["shards_after"] == [4, 4]
    kills = [result["kills"] for result in results if isinstance(result.get("kills"), dict)]
    assert [kill["replicas"] for kill in kills] == [2, 1]
    for kill in kills:
        assert (kill["wrong"], kill["queries"], kill["kills"]) == (0, 60, 1)
        assert kill["replicas_lost"] > 0
