"""
Does the lower-bound ratio rank methods, too?
=============================================

The *lower-bound ratio* bounds average precision from below, without a search: the least distance between class centers
over the largest distance of a code from its own center. Its authors propose it for the selection of one model's
settings (:ref:`sphx_glr_auto_examples_plot_model_selection.py`). Does it also compare different methods?
"""

# %%
# Settings
# --------
# Four methods at four code lengths, on scikit-learn's digits. The ratio leaves out the tenth of the distances that is
# worst; without that, single digits decide.
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

# %%
# All settings
# ------------
# Each method on its own first: the numbers beside the points are bits, the rank correlation is Spearman's.
fitted = {
    method: {str(hasher.bits): hasher.fit(X_train, y_train) for hasher in hashers}
    for method, hashers in methods.items()
}
options = {"percentile": 90, "ties": "expected"}
figure, ax = plt.subplots(figsize=(7, 5.5), layout="constrained")
for method, hashers in fitted.items():
    MapAgainstLowerBoundDisplay.from_estimator(hashers, X_test, y_test, name=method, ax=ax, **options)

# %%
# And all together. The ratio sorts good settings from bad ones across methods, too, but is no judge of every pair: more
# bits of :class:`skhash.PCAHasher`, which come from directions of ever less variance, lower mAP and yet may raise the
# ratio.
everything = [hasher for hashers in fitted.values() for hasher in hashers.values()]
MapAgainstLowerBoundDisplay.from_estimator(everything, X_test, y_test, name="all methods", **options)
plt.show()
