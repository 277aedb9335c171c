"""What every script does first: its log, its threads, its processes on other nodes."""

import logging
import os
import signal
import subprocess
import sys
from typing import Any

FOLLOWER = "CTHARMONY_STARTED_BY_SRUN"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def start_job(snakemake: Any) -> logging.Logger:
    """Send log lines, prints and tracebacks to the rule's log; bind threads to the rule's share.

    Call it before the first import of torch, numba or scikit-learn that should obey.
    """
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(snakemake.threads)
    if snakemake.log:
        # processes that the first one started add to its log
        mode = "a" if FOLLOWER in os.environ or "LOCAL_RANK" in os.environ else "w"
        stream = open(snakemake.log[0], mode, encoding="utf-8", buffering=1)  # noqa: SIM115
        sys.stdout = sys.stderr = stream
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s", force=True
    )
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(snakemake.threads)
    return logging.getLogger("ctharmony")


def spread_over_nodes(nodes: int, tasks_per_node: int) -> None:
    """Run this script again as `tasks_per_node` tasks on each of `nodes` nodes of the allocation.

    Ends the process with their exit status; returns at once in a task, and with one node. Signals
    that ask a job to stop are passed on, so that a preempted training saves itself.
    """
    if nodes == 1 or FOLLOWER in os.environ:
        return
    command = [
        "srun", f"--nodes={nodes}", f"--ntasks-per-node={tasks_per_node}",
        f"--ntasks={nodes * tasks_per_node}", "--overlap", "--kill-on-bad-exit=1",
    ]  # fmt: skip
    tasks = subprocess.Popen(
        [*command, sys.executable, *sys.argv], env={**os.environ, FOLLOWER: "1"}
    )
    for name in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(name, lambda number, _: tasks.send_signal(number))
    sys.exit(tasks.wait())
