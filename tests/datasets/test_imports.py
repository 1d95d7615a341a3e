import subprocess
import sys

CODE = """
import importlib, pkgutil, sys, skhash.datasets
for module in pkgutil.walk_packages(skhash.datasets.__path__, "skhash.datasets."):
    importlib.import_module(module.name)
print("torch" in sys.modules, "skhash.datasets.splits._split" in sys.modules)
"""


def test_no_module_imports_torch():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]
