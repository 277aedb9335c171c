"""Virtual patients and virtual CT scanners: the demo cohort and ground truth."""
