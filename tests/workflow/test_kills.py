"""SIGKILL at random moments: a rerun ends as if nothing had happened, byte for byte.

CTHARMONY_KILLS sets how many (`make torture`: 200, a third of them from nothing, from the training
and from harmonization on). A killed run goes on from where it was; one that got to its end is
compared and begun anew. The last run has one core where the undisturbed one had two, so the bytes
do not depend on that either.
"""

import os
import random
import re
import shutil
import signal
import time
from collections import Counter

import pandas as pd
import psutil
import pytest

from small_study import finished_small_study, small_study

pytestmark = pytest.mark.workflow
KILLS = int(os.environ.get("CTHARMONY_KILLS", "10"))
# in CI the first stages, with their many processes, and a killed job ends the run; in the long run
# all stages, and a killed job is tried again
SHORT = KILLS <= 10
OPTIONS = ("--until", "register") if SHORT else ("--retries", "20")
BELOW = ("simulated", "truth", "ingested", "template", "registered") if SHORT else ()
# what two of three long runs have still to make: from nothing few kills get past registration
LAST = ("adapted", "harmonized", "features/factorised", "evaluation", "traversals", "packages",
        "report.html", "mlflow")  # fmt: skip
LATER = ("survey", "models", "baselines", "features/none", *LAST)
ABOUT_THE_RUN = ("benchmarks/", "mlflow/")
SCRIPT = re.compile(r"/\.snakemake/scripts/\w+\.(\w+)\.py$")
# a job is hit anywhere in its time; some are left to end, or no run would ever get on
BEYOND_THE_END = 1.2
SECONDS_UNKNOWN = 5.0


def written(study) -> dict[str, str]:
    """Fingerprints of all files but those that tell of the run itself."""
    found = study.fingerprints(*BELOW)
    return {name: value for name, value in found.items() if not name.startswith(ABOUT_THE_RUN)}


def seconds_of_stages(study) -> dict[str, float]:
    """CPU seconds that a job of each rule took, of several the fewest."""
    found: dict[str, float] = {}
    for path in sorted((study.results / "benchmarks").rglob("*.tsv")):
        stage = path.relative_to(study.results / "benchmarks").parts[0]
        seconds = float(pd.read_csv(path, sep="\t").cpu_time.iloc[0])
        found[stage] = min(seconds, found.get(stage, seconds))
    return found


def jobs_of(process) -> dict[psutil.Process, str]:
    """The processes below a running Snakemake, each with the stage it works for."""
    found: dict[psutil.Process, str] = {}
    try:
        for child in psutil.Process(process.pid).children(recursive=True):
            named = SCRIPT.search(" ".join(child.cmdline()))
            stage = named[1] if named else found.get(child.parent(), "")
            if stage:
                found[child] = stage
    except psutil.NoSuchProcess:
        pass
    return found


def cpu_seconds(job: psutil.Process) -> float:
    """What a job took so far; no end where it is over."""
    try:
        return sum(job.cpu_times()[:2]) if job.status() != psutil.STATUS_ZOMBIE else float("inf")
    except psutil.NoSuchProcess:
        return float("inf")


def wait_for_a_moment(process, rng: random.Random, seconds: dict[str, float]) -> None:
    """Wait until jobs run, and then for one of them to do a random part of its work.

    Work is counted in CPU seconds: a busy machine moves no kill to the start of a job.
    """
    while process.poll() is None and not (jobs := jobs_of(process)):
        time.sleep(0.05)
    if process.poll() is None:
        job, stage = rng.choice(sorted(jobs.items(), key=lambda of: of[0].pid))
        moment = rng.uniform(0, BEYOND_THE_END * seconds.get(stage, SECONDS_UNKNOWN))
        while process.poll() is None and cpu_seconds(job) < moment:
            time.sleep(0.05)


def kill_something(process, rng: random.Random) -> tuple[str, str] | None:
    """SIGKILL all at once, Snakemake alone or one of its jobs; what was hit, and in which stage."""
    jobs = jobs_of(process)
    stage = rng.choice(sorted(jobs.values())) if jobs else "between jobs"
    kind = rng.choice(["all", "snakemake", "job", "job"])
    try:
        if kind == "job" and jobs:
            rng.choice([job for job, of in jobs.items() if of == stage]).kill()
        elif kind == "snakemake":
            process.kill()
        else:
            kind = "all"
            os.killpg(process.pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None
    return kind, stage


def disturb(study, kills: int, rng: random.Random, whole) -> tuple[Counter, list[dict]]:
    """Run again and again with kills at random moments: what was hit, and what each end lacks."""
    undisturbed, seconds = written(whole), seconds_of_stages(whole)
    hit: Counter = Counter()
    ends = []
    while hit.total() < kills:
        process = study.start(*OPTIONS)
        while process.poll() is None and hit.total() < kills:
            wait_for_a_moment(process, rng, seconds)
            if process.poll() is None and (what := kill_something(process, rng)):
                hit[what] += 1
                print(hit.total(), *what, flush=True)
        process.wait()
        # what `--unlock` does, without the seconds of another start
        shutil.rmtree(study.folder / ".snakemake" / "locks", ignore_errors=True)
        if process.returncode == 0:
            ends.append(differences(undisturbed, written(study)))
            print(hit.total(), "kills, at the end of a run:", ends[-1], flush=True)
            shutil.rmtree(study.results)
    study.options = ["--cores", "1"]
    study.finish(*OPTIONS)
    return hit, [*ends, differences(undisturbed, written(study))]


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    """Files that are lost, doubled or of other bytes."""
    both = before.keys() & after.keys()
    return {
        "lost": sorted(before.keys() - after.keys()),
        "doubled": sorted(after.keys() - before.keys()),
        "differing": sorted(name for name in both if before[name] != after[name]),
    }


def without(stages, folder, shared_folder):
    """A copy of the finished study that has still to make some stages."""
    study = finished_small_study(folder, shared_folder)
    for name in stages:
        place = study.results / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    return study


def told(hit: Counter, ends: list[dict], whole) -> None:
    """Print what was killed and what the ends lack."""
    kinds: Counter = Counter()
    for (kind, _), count in hit.items():
        kinds[kind] += count
    found = {name: sum(len(end[name]) for end in ends) for name in ends[0]}
    print({"files": len(written(whole)), "ends": len(ends), "kills": dict(kinds), **found})
    print({" ".join(what): count for what, count in sorted(hit.items())})


def test_killed_at_random_moments_ends_as_if_undisturbed(tmp_path, shared_folder):
    whole = finished_small_study(tmp_path / "whole", shared_folder)
    begun = [small_study(tmp_path / "killed")]
    if not SHORT:
        begun += [without(LATER, tmp_path / "later", shared_folder)]
        begun += [without(LAST, tmp_path / "last", shared_folder)]
    for study in begun:
        hit, ends = disturb(study, KILLS // len(begun), random.Random(20261122), whole)
        told(hit, ends, whole)
        assert all(end == {"lost": [], "doubled": [], "differing": []} for end in ends), ends
