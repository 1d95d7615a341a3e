"""Load damaged and crafted files, and report what happened: `python tests/io/damage.py N SEED`.

A damaged file must be equal to what was saved, or refused by a ValueError. So must a crafted file, whose checksums are
right, unless what it describes can be made: then it must not run code, and using it must not crash. Nothing may take
more than `SECONDS` or another `MEMORY` bytes. It runs in a process of its own, so that a crash is seen.
"""

import collections
import copy
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import warnings

import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhash
from skhash import EmbeddingIndex, HammingIndex, ITQHasher, LowerBoundHasher, LSHHasher, OneBitDeepHasher, OrthoHasher
from skhash.io import _container

SECONDS, MEMORY = 20, 2**30
RNG = np.random.default_rng(0)
X, IMAGES = RNG.normal(size=(24, 6)), RNG.integers(0, 256, (24, 8, 8), dtype=np.uint8)
LABELS = np.repeat(["ant", "bee", "cat"], 8)
CODE = {"exec", "compile", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "os.fork"}
events = []
watched = False


def watch(event, arguments):
    """Note code that is run, and files that are written or lie elsewhere."""
    if not watched:
        return
    if event in CODE and not (event in ("exec", "compile") and is_installed(arguments)):
        events.append((event, repr(arguments)[:200]))
    if event == "open" and isinstance(arguments[0], str):
        writes = any(letter in str(arguments[1]) for letter in "wax+")
        secret = os.path.realpath(arguments[0]).endswith("secret.bin")
        if writes or secret:
            events.append((event, arguments[0]))
    if event == "import" and str(arguments[0]).partition(".")[0] in ("antigravity", "this", "turtle"):
        events.append((event, arguments[0]))


def is_installed(arguments):
    """Return whether code is that of an installed package, imported late."""
    code = arguments[0]
    name = getattr(code, "co_filename", arguments[-1] if len(arguments) > 1 else "")
    return "site-packages" in str(name) or "skhash" in str(name) or "/lib/python" in str(name)


def make_bases(folder):
    """Save one of each kind, and return their paths with samples and codes."""
    linear = LSHHasher(16, random_state=np.random.RandomState(0)).partial_fit(X, LABELS)
    rotated = LSHHasher(300, directions="hadamard").fit(np.tile(X, 100), np.arange(24) % 2)
    deep = OrthoHasher(8, max_epochs=1, random_state=0).fit(IMAGES, LABELS)
    binary = OneBitDeepHasher(8, max_epochs=1, warm_up_epochs=1, random_state=0).fit(X, LABELS)
    bound = LowerBoundHasher(skhash.DSDHHasher(8, max_epochs=1, backbone="mlp")).fit(X, LABELS)
    scaled = make_pipeline(StandardScaler(), ITQHasher(8, random_state=0)).fit(X, LABELS)
    indexed = make_pipeline(ITQHasher(8, random_state=0), HammingIndex()).fit(X, LABELS)
    vectors = make_pipeline(StandardScaler(), EmbeddingIndex(rescore="int8")).fit(X, LABELS)
    found = {}
    for name, estimator, samples in [
        ("linear", linear, X), ("rotated", rotated, np.tile(X, 100)), ("deep", deep, IMAGES), ("binary", binary, X),
        ("bound", bound, X), ("scaled", scaled, X), ("indexed", indexed, X), ("vectors", vectors, X),
    ]:  # fmt: skip
        skhash.save(estimator, folder / name)
        found[name] = folder / name, samples, use(skhash.load(folder / name), samples)
    return found


def use(estimator, samples):
    """Return codes or, of a pipeline with an index, predictions."""
    return estimator.predict(samples) if hasattr(estimator, "predict") else estimator.transform(samples)


def places(entry, place=()):
    """Yield the path of every entry within an entry."""
    for key, child in entry.items() if isinstance(entry, dict) else enumerate(entry) if isinstance(entry, list) else ():
        yield (*place, key)
        yield from places(child, (*place, key))


def get(entry, place):
    for key in place:
        entry = entry[key]
    return entry


def rewrite(path, state, tensors):
    """Write a file with right checksums."""
    with open(path, "wb") as file:
        _container.write(file, state, tensors)


# Damage: of the bytes of a file. -------------------------------------------------------------------------------------


def flip(path, drawn):
    raw = bytearray(path.read_bytes())
    for _ in range(drawn.choice([1, 1, 2, 8])):
        raw[drawn.randrange(min(len(raw), drawn.choice([40, 4000, 10**9])))] ^= 1 << drawn.randrange(8)
    path.write_bytes(raw)


def cut(path, drawn):
    raw = path.read_bytes()
    path.write_bytes(raw[: drawn.randrange(len(raw))] if drawn.random() < 0.7 else raw + drawn.randbytes(8))


def swap(path, drawn):
    """Exchange two pieces of a file."""
    raw = bytearray(path.read_bytes())
    n = drawn.choice([1, 8, 64])
    i, k = (drawn.randrange(max(len(raw) - n, 1)) for _ in range(2))
    raw[i : i + n], raw[k : k + n] = raw[k : k + n], raw[i : i + n]
    path.write_bytes(raw)


def edit_header(path, drawn):
    """Change the container's header: sizes, types, places, keys that occur twice, depth."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    kind = drawn.randrange(6)
    if kind == 0:
        place = drawn.choice([place for place in places(header) if place[-1] != "state"])
        get(header, place[:-1])[place[-1]] = drawn.choice(VALUES)
    text = json.dumps(header).encode()
    if kind == 1:
        text = text[:-1] + b"," + text[1:]
    if kind == 2:
        text = b'{"__metadata__":' + b"[" * 10**6
    if kind == 3:
        text = text.replace(b'"shape": [', b'"shape": [1099511627775, ', 1)
    if kind == 4:
        path.write_bytes(drawn.choice([2**63, 2**40, size + 1, size - 1]).to_bytes(8, "little") + raw[8:])
        return
    if kind == 5:
        name = drawn.choice(sorted(set(header) - {"__metadata__"}))
        text = text.replace(f'"{name}":'.encode(), drawn.choice([b'"../x":', b'"0":', b'"":', b'"-1":', b'"/etc":']), 1)
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])


# Crafted files: with right checksums. ---------------------------------------------------------------------------------

VALUES = [
    -1, 0, 1, 3, 255, 2**24, 2**31, 2**40, 2**70, 1.5, float("nan"), float("inf"), "x", "", None, True, [], {}, [1],
    [2**20, 2**20], [[1]], {"type": "same", "number": 0}, {"type": "named", "name": "os:system"},
    {"type": "named", "name": "antigravity:x"}, {"type": "tuple", "items": [1, 2]}, "os.system", "../../etc/passwd",
    {"type": "own module", "source": "import", "name": "turtle:Turtle", "training": True, "tensors": {}, "frozen": []},
    {"type": "own module", "source": "pretrained", "name": "/tmp/x.pt", "training": True, "tensors": {}, "frozen": []},
    {"type": "path", "path": "/etc/passwd"}, {"type": "dtype", "name": "O"}, {"type": "device", "name": "cuda"},
    {"type": "texts", "shape": [2], "items": ["a" * 10**5, "b"]}, {"type": "slice", "items": [1, 2, 3]},
    {"type": "texts", "shape": [10**4], "items": ["a" * 10**5, *[""] * (10**4 - 1)]},
    {"type": "objects", "shape": [2**20, 2**20], "items": []},
    {"type": "folder", "class": "HammingIndex", "folder": "../indexed", "parameters": {}},
    {"type": "module", "class": "torch.Linear", "training": True,
     "settings": {"in_features": 2**23, "out_features": 2**23, "bias": True}, "attributes": {}, "parameters": {},
     "buffers": {}, "transient": [], "children": {}},
    {"type": "estimator", "class": "sklearn.Memory", "parameters": {}, "state": {}},
    {"type": "estimator", "class": "skhash.cli", "parameters": {}, "state": {}},
]  # fmt: skip


def edit_state(path, drawn):
    """Replace, remove, add, repeat or nest entries of the description."""
    state, tensors = _container.parse(path, path.read_bytes())
    for _ in range(drawn.choice([1, 1, 1, 3])):
        every = list(places(state["estimator"], ("estimator",)))
        place = drawn.choice(every)
        parent, kind = get(state, place[:-1]), drawn.random()
        if kind < 0.4:
            parent[place[-1]] = copy.deepcopy(drawn.choice(VALUES))
        elif kind < 0.5:
            del parent[place[-1]]
        elif kind < 0.7:
            parent[place[-1]] = copy.deepcopy(get(state, drawn.choice(every)))
        elif kind < 0.85 and isinstance(parent, dict):
            name = drawn.choice(
                ["forward", "__class__", "_modules", "fit", "transform", "x", "../x", "module_", "type"]
            )
            parent[name] = copy.deepcopy(drawn.choice([parent[place[-1]], drawn.choice(VALUES)]))
        elif kind < 0.9:
            node = parent[place[-1]]
            for _ in range(drawn.choice([90, 120, 300])):
                node = [node]
            parent[place[-1]] = node
        else:
            parent[place[-1]] = {"type": "dict", "items": [["x", parent[place[-1]]]] * 2}
    rewrite(path, state, tensors)


def edit_tensors(path, drawn):
    """Give tensors other shapes, types or values, take some away, add some."""
    state, tensors = _container.parse(path, path.read_bytes())
    if not tensors:
        return
    name = drawn.choice(sorted(tensors))
    tensor = tensors[name]
    changed = [
        tensor.reshape(-1), tensor[None], tensor.reshape(-1)[:0], tensor.astype("f2"), tensor.astype("i8"),
        np.zeros((2**30, 0)),
        np.full_like(tensor, 1), -tensor.astype("f8"), np.full(tensor.shape, np.nan), np.zeros(()), tensor.T.copy(),
        np.repeat(tensor.reshape(-1), 2), np.full(tensor.shape, 2**62), np.full(tensor.shape, -(2**62)),
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        tensors[name] = np.ascontiguousarray(drawn.choice(changed))
    if drawn.random() < 0.1:
        tensors[str(len(tensors))] = np.zeros(3)
    if drawn.random() < 0.1:
        del tensors[name]
    rewrite(path, state, tensors)


def link(path, drawn):
    """Put links and other things in place of the folder's entries."""
    (path.parent / "secret.bin").write_bytes(b"secret" * 100)
    entries = sorted(path.iterdir())
    chosen = drawn.choice(entries)
    inside = drawn.choice(sorted(chosen.iterdir())) if chosen.is_dir() and drawn.random() < 0.7 else chosen
    moved = path.parent / "moved"
    shutil.move(inside, moved)
    kind = drawn.randrange(4)
    if kind == 0:
        inside.symlink_to(moved)
    elif kind == 1:
        inside.symlink_to(path.parent / "secret.bin")
    elif kind == 2:
        os.mkfifo(inside)
    else:
        inside.mkdir()


DAMAGES = [flip, flip, flip, cut, cut, swap, edit_header]
CRAFTS = [edit_state, edit_state, edit_state, edit_tensors, edit_tensors]


def main(n, seed):
    """Run `n` trials and print their numbers."""
    global watched
    warnings.simplefilter("ignore")
    drawn, counts = random.Random(seed), collections.Counter()
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "bases").mkdir()
    bases = make_bases(folder / "bases")
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    sys.addaudithook(watch)

    def late(*_):
        raise TimeoutError("took too long")

    signal.signal(signal.SIGALRM, late)
    for number in range(n):
        name = drawn.choice(sorted(bases))
        source, samples, expected = bases[name]
        trial = folder / "trial"
        shutil.rmtree(trial, ignore_errors=True)
        trial.mkdir()
        path = trial / name
        if source.is_dir():
            shutil.copytree(source, path)
            files = [each for each in path.rglob("*") if each.is_file()]
            change = drawn.choice([link, *DAMAGES, *CRAFTS])
            target = path if change is link else path / "estimator.skh"
            target = drawn.choice(files) if change in (flip, cut, swap) else target
        else:
            shutil.copy(source, path)
            change, target = drawn.choice(DAMAGES + CRAFTS), path
        change(target, drawn)
        watched = True
        signal.alarm(SECONDS)
        try:
            loaded = skhash.load(path)
            outcome = "loaded"
        except ValueError as error:
            outcome = "ValueError"
            if "MemoryError" in str(error) or "allocate" in str(error):
                outcome = "over-allocation"
            if not str(error).startswith((str(trial), "The ")) and str(trial) not in str(error):
                outcome = "ValueError without the file's name"
                print(number, name, change.__name__, error, file=sys.stderr)
        except Exception as error:
            outcome = type(error).__name__
            print(number, name, change.__name__, repr(error), file=sys.stderr)
        if outcome == "loaded":
            try:
                outcome = "equal" if np.array_equal(use(loaded, samples), expected) else "other codes"
            except TimeoutError:
                outcome = "use took too long"
            except Exception as error:
                outcome = "refused in use"
                print(number, name, change.__name__, "in use", repr(error)[:150], file=sys.stderr)
        signal.alarm(0)
        watched = False
        counts[f"{'crafted' if change in CRAFTS else 'damaged'}: {outcome}"] += 1
    shutil.rmtree(folder)
    print(json.dumps({"counts": dict(sorted(counts.items())), "events": events[:10]}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), int(sys.argv[2]))
