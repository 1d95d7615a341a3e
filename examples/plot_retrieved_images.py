"""
What does a search get wrong?
=============================

A figure says how often a search errs; pictures say when. Digits are searched with two kinds of codes of 16 bits.
"""

# %%
# Search
# ------
# One query of each class; all other digits but the 300 held out are searched. A solid green frame and a tick mark what
# has the query's label, a dashed red frame and a cross what has not; the numbers are Hamming distances.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skhash import LSHHasher, OrthoHasher
from skhash.metrics import RetrievedImagesDisplay

digits = load_digits()
database, query = train_test_split(range(len(digits.data)), test_size=300, stratify=digits.target, random_state=0)
X, y, images = digits.data[database], digits.target[database], digits.images[database]
X_query, y_query = digits.data[query], digits.target[query]
rows = [list(y_query).index(digit) for digit in (1, 3, 5, 8, 9)]
pictures = {"images": digits.images[query], "database_images": images, "rows": rows, "cmap": "gray_r"}

# %%
# Random projections
# ------------------
# :class:`skhash.LSHHasher` knows nothing of digits: what has the same ink in the same places has the same bits. And 16
# bits of that kind collide: for four of the five queries all ten found have the query's very code, whatever digit they
# are. At one distance, the order of the database decides.
hasher = LSHHasher(bits=16, random_state=0).fit(X)
RetrievedImagesDisplay.from_estimator(hasher, X_query, y_query, X, y, **pictures)

# %%
# A trained network
# -----------------
# :class:`skhash.OrthoHasher` spends the same 16 bits on what tells digits apart: those of one class are within a bit or
# two, whatever their handwriting, and a mistake can be understood.
hasher = OrthoHasher(bits=16, max_epochs=30, random_state=0).fit(X, y)
RetrievedImagesDisplay.from_estimator(hasher, X_query, y_query, X, y, **pictures)
plt.show()
