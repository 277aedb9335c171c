"""Did the scanner go, did the patient stay: probes, agreement, report."""
