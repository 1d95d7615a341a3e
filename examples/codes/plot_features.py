"""
Codes from features of a trained network
========================================

What does a network that somebody else trained add to codes that are learned without labels? Here that network has
learned from the labels of 600 scanned digits. Its features of 1,197 other digits, of which no label is used, are
hashed by ITQ, and compared with codes of the pixels. For photos, ``FeatureExtractor("efficientnet_lite0")`` is such a
network, trained on a million images.
"""

# %%
# The digits of the network and those to search are different ones; 200 of the latter are the queries.
#
# One code length after the other, from pixels and from features. mAP is over the whole database, ties expected.
import tempfile
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from skhash import CEHasher, FeatureExtractor, ITQHasher
from skhash.metrics import mean_average_precision

digits = load_digits()
images = np.minimum(16 * digits.images, 255).astype(np.uint8)
order = np.random.default_rng(0).permutation(len(images))
theirs, queries, database = np.split(order, [600, 800])

trained = CEHasher(bits=32, max_epochs=15, random_state=0).fit(images[theirs], digits.target[theirs]).module_
network = nn.Sequential(trained.preprocess, trained.backbone)

features = FeatureExtractor(network).fit_transform(images)

bits = (8, 16, 32, 64)
inputs = {"pixels": images.reshape(len(images), -1), "features of the network": features}
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for (name, X), marker in zip(inputs.items(), "os", strict=True):
    scores = []
    for length in bits:
        hasher = ITQHasher(bits=length, random_state=0).fit(X[database])
        codes = hasher.transform(X[queries]), hasher.transform(X[database])
        labels = digits.target[queries], digits.target[database]
        scores.append(mean_average_precision(*codes, *labels, ties="expected"))
    print(name, dict(zip(bits, np.round(scores, 3).tolist(), strict=True)))
    ax.plot(bits, scores, marker=marker, label=name)
ax.set(
    xscale="log", xticks=bits, xticklabels=bits, xlabel="bits", ylabel="mAP", ylim=(0, 1), title="ITQ without labels"
)
ax.minorticks_off()
ax.legend(loc="lower right")
plt.show()

# %%
# The features of an image are computed once: the second time, they come from the cache.
other = FeatureExtractor(network, cache=tempfile.mkdtemp()).fit(images[database])
for run in ("computed", "from the cache"):
    start = time.perf_counter()
    other.transform(images)
    print(f"{len(features):,} images, {features.shape[1]} features each, {run}: {time.perf_counter() - start:.2f} s")
