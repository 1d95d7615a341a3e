"""Ranking metrics, each for rankings in full and for rankings up to ties.

`_protocols` has the definitions, `_relevance` the relevant items, `_retrieval` both sides of a search. A ranking is
known in full (`_ranks`), up to ties (`_tied_groups`), or by its first items only (`_nearest`, a search); one file per
metric follows, and `_retrieval_scores` computes several by name. This package imports no other part of `skhash.metrics`
except `Score`.
"""
