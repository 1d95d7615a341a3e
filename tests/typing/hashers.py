"""Statements for `tests/test_typing.py`: a type checker must report what the comments announce, and nothing else."""

from __future__ import annotations

from typing import reveal_type

import numpy as np

from skhash import CEHasher, HammingIndex, LowerBoundHasher, OneBitDeepHasher, OrthoHasher, PCAHasher
from skhash.deep import DeepHasher, train

X, y = np.zeros((10, 4)), np.arange(10) % 2

OrthoHasher(bits=8, learning_rate=0.1)
OrthoHasher(bits=8, margin=0.2, centers=np.ones((2, 8)), views=None, random_state=0)
OrthoHasher(bitz=3)  # error: No parameter named "bitz"
OrthoHasher(learning_rate="x")  # error: "learning_rate"
OrthoHasher(margin_type="sin")  # error: "margin_type"
CEHasher(recipe="paper", centers="auto")  # error: No parameter named "centers"
OneBitDeepHasher(8, two_step=0.5, max_epochs="many")  # error: "max_epochs"
LowerBoundHasher(PCAHasher(8))  # error: "estimator"
LowerBoundHasher(OrthoHasher(bits=8), block_bits=4)

reveal_type(OrthoHasher(bits=8).fit(X, y))  # type: OrthoHasher
reveal_type(OrthoHasher(bits=8).partial_fit(X, y, classes=[0, 1]))  # type: OrthoHasher
reveal_type(PCAHasher(bits=4).fit(X))  # type: PCAHasher
reveal_type(PCAHasher(bits=4).partial_fit(X))  # type: PCAHasher
reveal_type(LowerBoundHasher(OrthoHasher()).fit(X, y))  # type: LowerBoundHasher
reveal_type(train(OrthoHasher(), X, y))  # type: OrthoHasher
reveal_type(OrthoHasher().fit(X, y).recipe_)  # type: Recipe
reveal_type(OrthoHasher().fit(X, y).predict(X))  # type: ndarray[tuple[Any, ...], dtype[Any]]
reveal_type(OrthoHasher().fit_transform(X, y))  # type: ndarray[tuple[Any, ...], dtype[unsignedinteger[_8Bit]]]
reveal_type(HammingIndex().fit(X, y).predict(X))  # type: ndarray[tuple[Any, ...], dtype[Any]]
OrthoHasher().fit(X, y).predict(X, foo=1)  # error: No parameter named "foo"
OrthoHasher().fit_transform(X, y, foo=1)  # error: No parameter named "foo"
reveal_type(HammingIndex().fit(X, y).score(X, y))  # type: float
OrthoHasher(bits=8).fit(X, y, eval_set=(X, y), sample_weight=y)
LowerBoundHasher(OrthoHasher()).fit(X, y, X_val=X, y_val=y, sample_weight=y)
OrthoHasher(bits=8, class_weight="equal")  # error: "class_weight"
OrthoHasher(bits=8).fit(X, y, epochs=3)  # error: No parameter named "epochs"


def bits_of(hasher: DeepHasher) -> int:
    """Return a declared attribute."""
    return hasher.bits
