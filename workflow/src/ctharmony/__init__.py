"""ctharmony: makes CT scans from many hospitals comparable."""
