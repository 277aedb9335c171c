"""A job beyond its memory or time is retried with more; nothing here needs accounts."""

import subprocess
import sys
from pathlib import Path

import pytest

from study import ROOT, environment

pytestmark = pytest.mark.slurm
FAST = ("--latency-wait", "20")


def test_a_job_beyond_its_memory_or_time_is_retried_with_more(plain_cluster, tmp_path):
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(Path(__file__).parent / "growth.smk"),
        "--workflow-profile", str(ROOT / "workflow" / "profiles" / "slurm"), *FAST,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, env=environment() | plain_cluster.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert (tmp_path / "hungry.txt").read_text().strip() == "1400"
    assert (tmp_path / "slow.txt").read_text().strip() == "2"
    assert "Trying to restart job" in done.stdout
