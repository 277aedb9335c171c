"""What ended a job is told in one sentence with the mend; a job ends with its Snakemake."""

import errno
import os
import subprocess
import sys

import psutil
import pytest

from ctharmony.job import explain

# what a script does first, and what OpenMP then says of itself as torch loads it
BEGUN = """
from types import SimpleNamespace
from ctharmony.job import start_job
start_job(SimpleNamespace(threads=2, log=[]))
import torch
"""
JOB = "from ctharmony.job import end_with_parent as e; e(); print(1, flush=True); input()"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space", "results/a.nii.gz"),
            "results/a.nii.gz: the disk is full",
        ),
        (OSError(errno.EROFS, "ro", "results"), "results: the disk is read-only"),
        (PermissionError(errno.EACCES, "no", "results/x"), "results/x: writing is not allowed"),
        (MemoryError(), "the job ran out of memory; give it more"),
        (RuntimeError("CUDA error: out of memory"), "the job ran out of memory"),
        (ValueError("a.tsv is no table;\n mend it"), "a.tsv is no table; mend it"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_errors_become_sentences(error, words):
    said = explain(error)
    assert said.startswith(words) and "\n" not in said


@pytest.mark.parametrize(("own", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_leave_the_processor_unless_the_user_says_otherwise(own, policy):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    given = {**clean, "OMP_DISPLAY_ENV": "true", **({"OMP_WAIT_POLICY": own} if own else {})}
    code = [sys.executable, "-c", BEGUN]
    done = subprocess.run(code, env=given, capture_output=True, text=True, check=True)
    assert f"OMP_WAIT_POLICY = '{policy}'" in done.stderr


def test_a_job_ends_when_its_snakemake_is_killed():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PARENT, JOB], **pipes) as parent:
        assert parent.stdout.read(1) == b"1"
        (job,) = psutil.Process(parent.pid).children()
        parent.kill()
        gone, _ = psutil.wait_procs([job], timeout=30)
        assert gone == [job]
