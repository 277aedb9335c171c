"""Snakemake asks Slurm after its jobs every second, where it would wait longer and longer.

Python imports this file by itself from a folder of PYTHONPATH.
"""

import sys

if "snakemake" in sys.orig_argv:
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    RemoteExecutor.next_seconds_between_status_checks = property(
        lambda executor: 1, lambda executor, seconds: None
    )
