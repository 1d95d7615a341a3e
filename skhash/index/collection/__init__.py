"""Codes with ids and labels that are added and removed; this package knows no search."""
