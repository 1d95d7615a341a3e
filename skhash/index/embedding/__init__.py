"""Float vectors in records of a few bits per element: the estimator `EmbeddingIndex`."""
