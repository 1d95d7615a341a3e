"""
Tasks of bench_choose.py
========================

seen
    CIFAR-10 as 1,280 features of a frozen network (`cifar10_features.py`), protocol "cifar10-1": 1,000 queries, 5,000
    training samples, 59,000 in the database.
noise
    The same; 20 % of the training labels, drawn at random, are replaced by one of the ten classes that is drawn at
    random.
imbalance
    The same; class c keeps 500 * 100 ** (-c / 9) of its 500 training samples, from 500 down to 5.
few
    The same; ten training samples of each class.
unseen
    The same; three classes, drawn at random, are not in the training samples, and all queries are of these classes.
known
    The same training samples; all queries are of their seven classes.
labels
    The same images with several labels: animal, land vehicle, has four legs, flies, pet, and each of the ten classes.
    Relevant are those that share at least one.
composites
    Two images of CIFAR-10 on one canvas (`cifar10_composites.py`), so that both labels are to be seen: 1,000 queries,
    4,000 training samples, 11,000 in the database.
instances
    Without labels: changed images of CIFAR-10 (`cifar10_instances.py`) must find the images that they were made of.
"""

from typing import Any, NamedTuple

import numpy as np
from cifar10_composites import load_cifar10_composites, split_composites
from cifar10_features import load_cifar10_features
from cifar10_instances import load_cifar10_instances, split_instances

from skhash.datasets import retrieval_split


class Task(NamedTuple):
    """Features and labels of three parts; training labels are None if there are none."""

    train: np.ndarray
    train_labels: Any
    query: np.ndarray
    query_labels: np.ndarray
    database: np.ndarray
    database_labels: np.ndarray


# airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck
ATTRIBUTES = np.array(
    [[0, 0, 1, 1, 1, 1, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 1, 1, 1, 0, 0],
     [1, 0, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1, 0, 0, 0, 0]]
).T  # fmt: skip


def seen(split, y, random_state):
    """Return training rows, their labels, the labels of all rows, and the rows of the queries."""
    return split.train, y[split.train], y, split.query


def noise(split, y, random_state):
    """Return the same, with wrong labels."""
    wrong = y[split.train].copy()
    rows = random_state.permutation(len(wrong))[: len(wrong) // 5]
    wrong[rows] = random_state.randint(10, size=len(rows))
    return split.train, wrong, y, split.query


def imbalance(split, y, random_state):
    """Return the same, with few samples of some classes."""
    kept = [split.train[y[split.train] == c][: round(500 * 100 ** (-c / 9))] for c in range(10)]
    rows = random_state.permutation(np.concatenate(kept))
    return rows, y[rows], y, split.query


def few(split, y, random_state):
    """Return the same, with ten samples of each class."""
    rows = np.concatenate([split.train[y[split.train] == c][:10] for c in range(10)])
    return rows, y[rows], y, split.query


def unseen(split, y, random_state):
    """Return samples of seven classes, and queries of the other three."""
    others = random_state.permutation(10)[:3]
    rows = split.train[~np.isin(y[split.train], others)]
    return rows, y[rows], y, split.query[np.isin(y[split.query], others)]


def known(split, y, random_state):
    """Return the same samples as `unseen`, and queries of their seven classes."""
    others = random_state.permutation(10)[:3]
    rows = split.train[~np.isin(y[split.train], others)]
    return rows, y[rows], y, split.query[~np.isin(y[split.query], others)]


def labels(split, y, random_state):
    """Return the same, with several labels."""
    several = np.concatenate([ATTRIBUTES, np.eye(10, dtype=int)], axis=1)[y]
    return split.train, several[split.train], several, split.query


LABELED = {task.__name__: task for task in (seen, noise, imbalance, few, unseen, known, labels)}
TASKS = [*LABELED, "composites", "instances"]


def load_task(name, seed):
    """Return the data of a task for one seed."""
    X, y = load_cifar10_features()
    if name == "instances":
        query, changed = load_cifar10_instances()
        rows, database = split_instances(changed, seed)
        return Task(X[rows], None, query, np.arange(len(query)), X[database], np.arange(len(database)))
    if name == "composites":
        X, relevant = load_cifar10_composites()
        query, rows, database = split_composites(seed)
        train_labels = relevant[rows]
    else:
        split = retrieval_split(y[:, None], y, protocol="cifar10-1", duplicates="ignore", random_state=seed)
        rows, train_labels, relevant, query = LABELED[name](split, y, np.random.RandomState(seed))
        database = split.database
    return Task(X[rows], train_labels, X[query], relevant[query], X[database], relevant[database])
