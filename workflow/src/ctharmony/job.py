"""What every script does first: its log, its threads."""

import logging
import os
import sys
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def start_job(snakemake: Any) -> logging.Logger:
    """Send log lines, prints and tracebacks to the rule's log; bind threads to the rule's share.

    Call it before the first import of torch, numba or scikit-learn that should obey.
    """
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(snakemake.threads)
    if snakemake.log:
        stream = open(snakemake.log[0], "w", encoding="utf-8", buffering=1)  # noqa: SIM115
        sys.stdout = sys.stderr = stream
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s", force=True
    )
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(snakemake.threads)
    return logging.getLogger("ctharmony")
