"""Classes in a packed hasher: votes and scores against explicit loops, and damaged files."""

import json
import pickle
import random

import numpy as np
import pytest

from skhash.runtime import BinaryConv, ClassScores, ClassVotes, Network, PackedHasher, Sign, load_packed
from skhash.runtime import _file as files

RNG = np.random.default_rng(0)
WEIGHT = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
NETWORK = Network((8,), (Sign(0), BinaryConv.from_signs(1, WEIGHT), Sign(2)))
NAMES = np.array(["ant", "bee", "été"])
VOTES = ClassVotes(RNG.integers(0, 256, (30, 1)).astype(np.uint64), RNG.integers(0, 3, 30), NAMES, 8, 5)
MULTI_HOT = ClassVotes(VOTES.codes, RNG.integers(0, 2, (30, 3)).astype(np.uint8), np.arange(3), 8, 4)
SCORES = ClassScores(np.array([-5, 2, 9]), RNG.normal(size=(3, 8)), RNG.normal(size=3), "tanh", True)
RULES = {"votes": VOTES, "multi-hot": MULTI_HOT, "scores": SCORES}


def test_votes_are_those_of_a_loop():
    z = RNG.normal(size=(50, 8))
    for rule in (VOTES, MULTI_HOT):
        found = rule.predict(z)
        for row, label in zip(z, found, strict=True):
            code = sum(int(value >= 0) << k for k, value in enumerate(row))
            nearest = sorted(range(30), key=lambda i: ((code ^ int(rule.codes[i, 0])).bit_count(), i))
            votes = [rule.labels[i] for i in nearest[: rule.n_neighbors]]
            if rule is MULTI_HOT:
                assert label.tolist() == [int(2 * sum(column) >= 4) for column in zip(*votes, strict=True)]
            else:
                assert label == NAMES[max(votes, key=votes.count)]


@pytest.mark.parametrize("kind", ["real", "tanh", "sign", "bit"])
@pytest.mark.parametrize("cosine", [False, True])
def test_scores_are_those_of_a_loop(kind, cosine):
    z = np.append(RNG.normal(size=(40, 8)), np.zeros((1, 8)), axis=0).astype(np.float32)
    rule = ClassScores(NAMES, SCORES.weight * [[9], [1], [3]], SCORES.bias, kind, cosine)
    read = {"real": float, "tanh": np.tanh, "sign": lambda v: 1 if v >= 0 else -1, "bit": lambda v: int(v >= 0)}[kind]
    for row, label in zip(z, rule.predict(z), strict=True):
        x = [read(np.float64(value)) for value in row]
        scores = []
        for weights, bias in zip(rule.weight, rule.bias, strict=True):
            norm = np.linalg.norm(weights) if cosine else 1
            scores.append(sum(a * b for a, b in zip(x, weights, strict=True)) / norm + bias)
        assert label == NAMES[int(np.argmax(scores))]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_files_and_pickles_keep_the_classes(rule, tmp_path):
    X = RNG.normal(size=(60, 8)).astype(np.float32)
    hasher = PackedHasher(NETWORK, classes=rule)
    hasher.save(tmp_path / "x")
    expected = rule.predict(hasher.decision_function(X))
    for each in (hasher, load_packed(tmp_path / "x"), pickle.loads(pickle.dumps(hasher))):
        np.testing.assert_array_equal(each.predict(X), expected, strict=True)
    load_packed(tmp_path / "x").save(tmp_path / "y")
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_files_without_classes_have_version_1(tmp_path):
    PackedHasher(NETWORK).save(tmp_path / "x")
    raw = (tmp_path / "x").read_bytes()
    assert b'"version":"1"' in raw
    assert b"classes" not in raw
    with pytest.raises(AttributeError, match="classes=True"):
        load_packed(tmp_path / "x").predict(np.zeros((1, 8)))


def test_arguments():
    with pytest.raises(TypeError, match="ClassScores, ClassVotes or None, got dict"):
        PackedHasher(NETWORK, classes={})
    with pytest.raises(ValueError, match="codes of 9 bits, the network has 8"):
        PackedHasher(NETWORK, classes=ClassScores(NAMES, np.ones((3, 9)), np.zeros(3)))
    objects = ClassScores(np.array([None, "x"], object), np.ones((2, 8)), np.zeros(2))
    with pytest.raises(TypeError, match="strings or numbers"):
        files.encode_classes(objects)


def craft(path, section):
    """Write a file with these bytes as its classes, and with the right checksum."""
    raw = path.read_bytes()
    metadata, tensors = files._read_container(path)
    tensors["classes"] = np.frombuffer(section, np.uint8)
    metadata["crc32"] = files._checksum(metadata["network"], metadata["probe"], tensors)
    path.write_bytes(files._container(metadata, tensors))
    return raw


VALUES = [-1, 0, 1, 2**31, 2**70, 1.5, float("nan"), "x", None, True, [], {}, "<U999999", "<U1", "|O", "<i1", "vote"]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_damages(rule, tmp_path):
    """With a wrong checksum and with a right one: refused with ValueError, or something valid."""
    path, drawn = tmp_path / "x", random.Random(0)
    PackedHasher(NETWORK, classes=rule).save(path)
    good, section = path.read_bytes(), bytearray(files.encode_classes(rule).tobytes())
    size = 8 + int.from_bytes(section[:8], "little")
    description, n_refused = json.loads(section[8:size]), 0
    for trial in range(300):
        path.write_bytes(good)
        if trial % 3 == 0:
            entry = dict(description)
            key = drawn.choice([*entry])
            entry[key] = drawn.choice(VALUES)
            if drawn.random() < 0.2:
                del entry[key]
            text = json.dumps(entry).encode()
            craft(path, len(text).to_bytes(8, "little") + text + bytes(section[size:]))
        elif trial % 3 == 1:
            changed = section[: drawn.randrange(len(section))] if drawn.random() < 0.3 else section[:]
            if changed:
                changed[drawn.randrange(len(changed))] ^= 1 << drawn.randrange(8)
            craft(path, bytes(changed))
        else:
            changed = bytearray(good)
            changed[drawn.randrange(len(good))] ^= 1 << drawn.randrange(8)
            path.write_bytes(changed)
        try:
            load_packed(path).predict(np.zeros((3, 8)))
        except ValueError:
            n_refused += 1
    assert n_refused > 180
