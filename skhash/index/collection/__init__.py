"""Codes, ids and labels that come and go; no search."""
