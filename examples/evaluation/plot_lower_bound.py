"""
Can the lower-bound ratio also rank methods?
============================================

The *lower-bound ratio* yields a lower bound of average precision without a search. It is the smallest distance between
class centers, divided by the largest distance of a code from its own center. Its authors propose it to select the
settings of one model (:ref:`sphx_glr_auto_examples_evaluation_plot_model_selection.py`). Can it also compare different
methods?"""

# %%
# Each method
# -----------
# Four methods at four code lengths, on scikit-learn's digits. The ratio leaves out the largest tenth of the distances;
# otherwise single digits determine it.
#
# First, each method on its own: the numbers at the points are the bits, the rank correlation is Spearman's.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skhash import ITQHasher, LSHHasher, OrthoHasher, PCAHasher
from skhash.metrics import MapAgainstLowerBoundDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
lengths = (8, 16, 32, 48)
methods = {
    "LSH": [LSHHasher(bits=bits, random_state=0) for bits in lengths],
    "PCA": [PCAHasher(bits=bits) for bits in lengths],
    "ITQ": [ITQHasher(bits=bits, random_state=0) for bits in lengths],
    "OrthoHash": [OrthoHasher(bits=bits, max_epochs=10, random_state=0) for bits in lengths],
}

fitted = {
    method: {str(hasher.bits): hasher.fit(X_train, y_train) for hasher in hashers}
    for method, hashers in methods.items()
}
options = {"percentile": 90, "ties": "expected"}
figure, ax = plt.subplots(figsize=(7, 5.5), layout="constrained")
for method, hashers in fitted.items():
    MapAgainstLowerBoundDisplay.from_estimator(hashers, X_test, y_test, name=method, ax=ax, **options)

# %%
# Then all methods together. The ratio also separates good settings from bad ones across methods, but not every pair is
# ranked correctly: additional bits of :class:`skhash.PCAHasher`, which come from directions of decreasing variance,
# lower mAP and may still raise the ratio.
everything = [hasher for hashers in fitted.values() for hasher in hashers.values()]
MapAgainstLowerBoundDisplay.from_estimator(everything, X_test, y_test, name="all methods", **options)
plt.show()
