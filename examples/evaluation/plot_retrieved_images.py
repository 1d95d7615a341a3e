"""
Which errors does a search make?
================================

A score measures how often a search fails; pictures show in which cases. Digits are searched with two kinds of 16-bit
codes.
"""

# %%
# Random projections
# ------------------
# The queries are five of the 300 digits that are held out, each of another class; all other digits are the database. A
# solid green frame and a check mark indicate images with the query's label, a dashed red frame and a cross all others.
# The numbers are Hamming distances.
#
# :class:`skhash.LSHHasher` is not trained: digits with ink in the same places have the same bits. Such codes of 16 bits
# collide: for four of the five queries, all ten results have exactly the query's code, although some are other digits.
# At equal distances, results are in the order of the database.
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

hasher = LSHHasher(bits=16, random_state=0).fit(X)
RetrievedImagesDisplay.from_estimator(hasher, X_query, y_query, X, y, **pictures)

# %%
# A trained network
# -----------------
# :class:`skhash.OrthoHasher` uses the same 16 bits to separate the classes: digits of one class differ by one or two
# bits, independently of the handwriting, and the errors are plausible.
hasher = OrthoHasher(bits=16, max_epochs=30, random_state=0).fit(X, y)
RetrievedImagesDisplay.from_estimator(hasher, X_query, y_query, X, y, **pictures)
plt.show()
