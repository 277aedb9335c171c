"""What Snakemake would do, read from its dry run."""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

from ctharmony.cohort import StudyError
from ctharmony.commands.study import ROOT, StudyFiles

FOLLOWS, MISSING = "an earlier stage runs again", "Missing output files"
NOT_JOBS = ("study", "all")
FAULT = re.compile(r"^(?:WorkflowError|.*Exception|.*Error).*", re.M)


@dataclass(frozen=True)
class Job:
    """One job of a dry run.

    Attributes:
        rule: its stage; wildcards: `site=a, batch=b0000`; reason: why it would run.
    """

    rule: str
    wildcards: str
    reason: str


def start_dry_run(study: StudyFiles, *options: str) -> subprocess.Popen:
    """Start a dry run of the study; `planned_jobs` reads what it says."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "workflow" / "profiles" / "default")]
    command += ["--dry-run", "--cores", "1", *study.options(), *options]
    # a Python session starts where no terminal asks for colours
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip


def planned_jobs(process: subprocess.Popen) -> list[Job]:
    """The jobs of a dry run, in its order.

    Raises:
        StudyError: Snakemake refuses; the message is its sentence.
    """
    said, _ = process.communicate()
    if process.returncode:
        raise StudyError(_fault(said))
    blocks = re.split(r"^(?:local)?rule (\w+):\n", said, flags=re.M)[1:]
    jobs = [
        Job(rule, _field(text, "wildcards"), short_reason(_field(text, "reason")))
        for rule, text in zip(blocks[::2], blocks[1::2], strict=True)
    ]
    return [job for job in jobs if job.rule not in NOT_JOBS]


def count(jobs: list[Job]) -> dict[str, int]:
    """Jobs per rule, in the order of their first."""
    return dict(Counter(job.rule for job in jobs))


def short_reason(reason: str) -> str:
    """The causes without the lists of files: what was changed comes before what follows from it."""
    parts = [part.split(":")[0].strip() for part in reason.split(";")]
    causes = [part for part in parts if part and not part.startswith("Input files updated by")]
    return "; ".join(causes) or FOLLOWS


def _field(text: str, name: str) -> str:
    found = re.search(rf"^    {name}: (.*)$", text, re.M)
    return found[1] if found else ""


def _fault(said: str) -> str:
    """The sentence of an error: what stands from the line that names it on."""
    found = FAULT.search(said)
    lines = said[found.start() :].splitlines() if found else said.splitlines()[-3:]
    told = [line for line in lines if line and not line.startswith(("  File ", "Traceback"))]
    return " ".join(told[:6]).strip() or "Snakemake refuses the study"
