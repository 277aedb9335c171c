"""Transport of a scan to the reference scanner, and the baselines beside it."""
