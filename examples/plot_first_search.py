"""
A first image search
====================

From images to binary codes, and from a query to the nearest images: five queries with their ten nearest neighbors.

The images come from Fashion-MNIST, 28 x 28 pixels of ten kinds of clothes, or are scikit-learn's digits if
Fashion-MNIST is neither on the disk nor can be downloaded. :class:`skhash.OrthoHasher` trains a small convolutional
network on 5,000 of them, so that a code of 64 bits represents the content of an image. :class:`skhash.HammingIndex`
searches the codes of the database of 69,000 images.
"""

# %%
# Queries and their nearest images
# --------------------------------
# One hundred queries and five hundred training images of each class are drawn. All images except the queries are the
# database.
#
# A solid green frame marks a neighbor of the query's class, a dashed orange one any other; the number is the Hamming
# distance.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skhash import HammingIndex, OrthoHasher
from skhash.datasets import fetch_fashion_mnist, retrieval_split
from skhash.training import RandomCropFlip

try:
    data = fetch_fashion_mnist()
    images, labels, names = data.images, data.target, data.target_names
    split = retrieval_split(images, labels, protocol="cifar10-1", random_state=0)
    views = RandomCropFlip()
except OSError as error:
    print(f"Fashion-MNIST is not available, so scikit-learn's digits are used. ({error})")
    images, labels = load_digits().images, load_digits().target
    names = [str(digit) for digit in range(10)]
    split = retrieval_split(images, labels, n_query=20, n_train=60, random_state=0)
    views = None  # a mirrored digit is not the same digit
print(split)

hasher = OrthoHasher(
    bits=64,
    max_epochs=40,
    batch_size=64,
    learning_rate=5e-3,
    schedule="one_cycle",
    views=views,
    random_state=0,
    verbose=1,
)
hasher.fit(images[split.train], labels[split.train])

index = HammingIndex(n_neighbors=10).fit(hasher.transform(images[split.database]), labels[split.database])
query_codes = hasher.transform(images[split.query])
print(f"mAP@all: {index.score(query_codes, labels[split.query]):.4f}")

rows = np.random.default_rng(5).choice(len(split.query), size=5, replace=False)
distances, ids = index.kneighbors(query_codes[rows])

figure, axes = plt.subplots(5, 11, figsize=(11, 5.6), layout="constrained")
for line, row, distance, near in zip(axes, split.query[rows], distances, split.database[ids], strict=True):
    line[0].imshow(images[row], cmap="gray_r")
    line[0].set_title(names[labels[row]], fontsize=8)
    for ax, bits, other in zip(line[1:], distance, near, strict=True):
        ax.imshow(images[other], cmap="gray_r")
        ax.set_title(bits, fontsize=8)
        for side in ax.spines.values():
            same = labels[other] == labels[row]
            side.set(color="#009e73" if same else "#d55e00", linestyle="-" if same else "--", linewidth=2)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
figure.suptitle("Queries and their ten nearest images, by 64 bits")
figure.savefig("first_search.png", dpi=120)
