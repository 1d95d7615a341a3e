"""Displays, which draw what `ranking` and `codes` compute; they encode with estimators as the scorers do.

`_base` has what all Displays share. matplotlib is imported when something is drawn.
"""
