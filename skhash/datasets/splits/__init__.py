"""Retrieval splits: protocols, how samples are drawn, the leakage guard."""
