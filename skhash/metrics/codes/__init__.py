"""Statistics of hash codes that need no search: balance, correlation and entropy of bits, distances of classes.

One file per statistic. Codes are read and unpacked block by block in `_code_reading`; centers and distances of classes
are in `_class_codes` and `_mean_distances`. Of `ranking`, only the distance histograms use the counts per distance.
"""
