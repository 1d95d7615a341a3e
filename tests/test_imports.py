"""What importing costs: nothing heavy before it is used."""

import subprocess
import sys
import time

import pytest


def modules_after(statement):
    code = f"import sys; {statement}; print(' '.join({{m.partition('.')[0] for m in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_package_loads_nothing_heavy():
    assert not modules_after("import skhash, skhash.utils") & {"torch", "numba", "sklearn", "scipy", "numpy"}


@pytest.mark.parametrize(
    "statement",
    [
        "from skhash import HammingIndex",
        "from skhash import LSHHasher, PCAHasher, ITQHasher",
        "import skhash.metrics; [getattr(skhash.metrics, name) for name in skhash.metrics.__all__]",
        "from skhash.datasets import retrieval_split, fetch_fashion_mnist, fetch_cifar10, fetch_cifar100",
        "from skhash.datasets import load_imagenet100, load_nuswide21, load_mscoco, load_gldv2, load_revisited",
        "import skhash.codes, skhash.centers",
        "import skhash.runtime; [getattr(skhash.runtime, name) for name in skhash.runtime.__all__]",
    ],
)
def test_search_and_shallow_hashing_do_without_torch(statement):
    assert "torch" not in modules_after(statement)


def test_importing_takes_less_than_a_third_of_a_second():
    def seconds(code):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    # Over the bare interpreter, best of three: machines are noisy.
    assert min(seconds("import skhash") - seconds("pass") for _ in range(3)) < 0.3


def test_public_names_resolve_and_are_listed():
    import skhash

    for name in skhash.__all__:
        assert getattr(skhash, name).__name__ == name
    assert set(skhash.__all__) <= set(dir(skhash))
    with pytest.raises(AttributeError, match="module 'skhash' has no attribute 'Rhubarb'"):
        skhash.Rhubarb  # noqa: B018
