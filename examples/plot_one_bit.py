"""
How do codes come together when weights are single bits?
========================================================

Codes of a network with one-bit weights and activations come to the centers of their classes more slowly than those of a
network in full precision, and stay farther apart within a class. One-bit deep hashing
(:class:`skhash.OneBitDeepHasher`) lets the centers move: classes that are alike get centers that are, and centers come
to where codes can follow. Here is what that looks like, epoch after epoch, on the images of the digits.
"""

# %%
# Three trainings
# ---------------
# By one method, with one bit and in full precision, and with centers that stay where they start and that move. Rows of
# ``history_`` tell how far codes are from the center of their class and from each other within a class, and how far
# centers moved since the epoch before.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skhash import HammingIndex, OneBitDeepHasher
from skhash.metrics import TrainingHistoryDisplay

X, y = load_digits(return_X_y=True)
images = (X * 15).astype(np.uint8).reshape(-1, 8, 8)
X_train, X_test, y_train, y_test = train_test_split(images, y, test_size=300, stratify=y, random_state=0)
base = OneBitDeepHasher(bits=64, max_epochs=14, warm_up_epochs=5, random_state=0)
changes = {
    "32 bits, centers stay": {"backbone": "small_cnn", "adapt_centers": False},
    "1 bit, centers stay": {"adapt_centers": False},
    "1 bit, centers move": {},
}
hashers = {
    name: OneBitDeepHasher(**{**base.get_params(), **options}).fit(X_train, y_train)
    for name, options in changes.items()
}

# %%
# Distances over the epochs
# -------------------------
# Within a class distances grow at first, when codes leave the one code that a new network gives to everything, and
# shrink then: the two stages of the method follow these two. The vertical line is where the second one begins.
figure, axes = plt.subplots(1, 3, figsize=(13, 4), sharey=True, layout="constrained")
for (name, hasher), ax in zip(hashers.items(), axes, strict=True):
    TrainingHistoryDisplay.from_estimator(hasher, name="", ax=ax)
    ax.set_title(name)
    ax.label_outer()

# %%
# Does the search find the right images?
# --------------------------------------
# Single bits cost some of the mAP. What moving centers bring back is, on so few images, no more than two seeds differ
# by; on Fashion-MNIST it is two points (``examples/benchmarks/bench_one_bit.py``).
for name, hasher in hashers.items():
    index = HammingIndex().fit(hasher.transform(X_train), y_train)
    print(f"{name}: mAP {index.score(hasher.transform(X_test), y_test):.3f}")

# %%
# What the bits save
# ------------------
# By the rule of the papers, which is no measurement of time: :doc:`/user_guide/efficiency`.
print(hashers["1 bit, centers move"].efficiency_report("twin"))
plt.show()
