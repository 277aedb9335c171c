"""What every script does first: its log, its threads, its processes on other nodes."""

import ctypes
import errno
import logging
import os
import signal
import subprocess
import sys
import traceback
from typing import Any

MENDS = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EDQUOT: "the quota is used up; free some space and run the same command again",
    errno.EFBIG: "the file may not grow any further here; free some space or raise the limit",
    errno.EROFS: "the disk is read-only; write results elsewhere or mount it for writing",
    errno.EACCES: "writing is not allowed; correct the folder's owner or mode",
}
FOLLOWER = "CTHARMONY_STARTED_BY_SRUN"
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux' prctl
OF_THE_JOB = ("SLURM_JOB_ID", "SLURM_JOBID", "SLURM_CONF", "SLURM_CLUSTER_NAME")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def start_job(snakemake: Any) -> logging.Logger:
    """Send log lines, prints and tracebacks to the rule's log; bind threads to the rule's share.

    Call it before the first import of torch, numba or scikit-learn that should obey.
    """
    end_with_parent()
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(snakemake.threads)
    # threads that wait by spinning take the processor from those they wait for: on a busy machine
    # a training then takes several times as long
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if snakemake.log:
        # processes that the first one started add to its log
        mode = "a" if FOLLOWER in os.environ or "LOCAL_RANK" in os.environ else "w"
        stream = open(snakemake.log[0], mode, encoding="utf-8", buffering=1)  # noqa: SIM115
        sys.stdout = sys.stderr = stream
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s", force=True
    )
    sys.excepthook = tell_and_end
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(snakemake.threads)
    return logging.getLogger("ctharmony")


def end_with_parent() -> None:
    """Get SIGTERM when the process that started this one ends (Linux).

    A job whose Snakemake was killed would otherwise go on writing beside the rerun's job.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)


def tell_and_end(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Print the traceback and, last of all, what happened and the mend in one sentence."""
    traceback.print_exception(kind, error, trace)
    print(f"ERROR {explain(error)}", file=sys.stderr, flush=True)


def explain(error: BaseException) -> str:
    """One sentence on what ended a job; the library's own errors are one already."""
    number = getattr(error, "errno", None)
    place = getattr(error, "filename", None) or "the results folder"
    if number in MENDS:
        return f"{place}: {MENDS[number]}"
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return (
            "the job ran out of memory; give it more (--set-resources RULE:mem_mb=...), or "
            "lower batch_size, registration.device_batch or model.training.scans_per_step"
        )
    return " ".join(str(error).split()) or type(error).__name__


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
    # Snakemake's own step holds one node and says so in variables that srun would believe
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_") or k in OF_THE_JOB}
    tasks = subprocess.Popen([*command, sys.executable, *sys.argv], env={**kept, FOLLOWER: "1"})
    for name in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(name, lambda number, _: tasks.send_signal(number))
    sys.exit(tasks.wait())
