"""
How do codes converge when weights are single bits?
===================================================

Codes of a network with one-bit weights and activations converge to the centers of their classes more slowly than those
of a network in full precision, and stay farther apart within a class. One-bit deep hashing
(:class:`skhash.OneBitDeepHasher`) lets the centers move: similar classes get similar centers, and centers move to
positions that the codes can reach. This example shows the process, epoch by epoch, on the images of the digits.
"""

# %%
# Distances over the epochs
# -------------------------
# Three runs of the same method: in full precision and with one bit, and with fixed and with moving centers. Rows of
# ``history_`` contain the distance of codes from the center of their class, their distance from each other within a
# class, and how far the centers moved since the previous epoch.
#
# A new network maps all images to nearly the same code. Distances within a class therefore grow at first, and shrink
# afterwards. The two stages of the method correspond to these two phases. The vertical line marks the start of the
# second stage.
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

figure, axes = plt.subplots(1, 3, figsize=(13, 4), sharey=True, layout="constrained")
for (name, hasher), ax in zip(hashers.items(), axes, strict=True):
    TrainingHistoryDisplay.from_estimator(hasher, name="", ax=ax)
    ax.set_title(name)
    ax.label_outer()

# %%
# Does the search find the right images?
# --------------------------------------
# One-bit weights lower the mAP. With so few images, the gain from moving centers is not larger than the difference
# between two seeds; on Fashion-MNIST it is two points (``examples/benchmarks/bench_one_bit.py``).
for name, hasher in hashers.items():
    index = HammingIndex().fit(hasher.transform(X_train), y_train)
    print(f"{name}: mAP {index.score(hasher.transform(X_test), y_test):.3f}")

# %%
# Savings in memory and operations
# --------------------------------
# They are computed by the rule of the papers and are not measured times: :doc:`/user_guide/efficiency`.
print(hashers["1 bit, centers move"].efficiency_report("twin"))
plt.show()
