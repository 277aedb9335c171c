"""Mutual-information registration."""
