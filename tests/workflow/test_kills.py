"""SIGKILL at random moments: a rerun ends as if nothing had happened, byte for byte.

CTHARMONY_KILLS sets how many (`make torture`: 200). The rerun has one core where the undisturbed
run had two, so the bytes do not depend on that either.
"""

import os
import random
import shutil
import signal
import time

import psutil
import pytest

from small_study import finished_small_study, small_study

pytestmark = pytest.mark.workflow
KILLS = int(os.environ.get("CTHARMONY_KILLS", "10"))
LONGEST_SECONDS = 6.0
# in CI the first stages, with their many processes; all of them in the long run
STAGES = ("--until", "register") if KILLS <= 10 else ()
BELOW = ("simulated", "truth", "ingested", "template", "registered") if STAGES else ()
ABOUT_THE_RUN = ("benchmarks/", "mlflow/")


def written(study) -> dict[str, str]:
    """Fingerprints of all files but those that tell of the run itself."""
    found = study.fingerprints(*BELOW)
    return {name: value for name, value in found.items() if not name.startswith(ABOUT_THE_RUN)}


def kill_something(process, rng: random.Random) -> str:
    """SIGKILL the whole run, or one of its jobs; `missed` where it had just ended."""
    try:
        jobs = psutil.Process(process.pid).children(recursive=True)
        if jobs and rng.random() < 0.5:
            rng.choice(jobs).kill()
            return "job"
        os.killpg(process.pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return "missed"
    return "run"


def disturb(study, kills: int, rng: random.Random) -> dict[str, int]:
    """Run again and again with kills at random moments; counts of what was hit."""
    hit = {"run": 0, "job": 0, "missed": 0, "rounds": 0}
    while hit["run"] + hit["job"] < kills:
        hit["rounds"] += 1
        process = study.start(*STAGES)
        locks = study.folder / ".snakemake" / "locks"
        # it locks its folder when planning is over; a kill before that would disturb nothing
        while process.poll() is None and not any(locks.glob("*")):
            time.sleep(0.05)
        while process.poll() is None and hit["run"] + hit["job"] < kills:
            time.sleep(rng.uniform(0.2, LONGEST_SECONDS))
            if process.poll() is None:
                hit[kill_something(process, rng)] += 1
        process.wait()
        # what `--unlock` does, without the seconds of another start
        shutil.rmtree(locks, ignore_errors=True)
        if process.returncode == 0:
            shutil.rmtree(study.results)
    return hit


def test_killed_at_random_moments_ends_as_if_undisturbed(tmp_path, shared_folder):
    undisturbed = written(finished_small_study(tmp_path / "whole", shared_folder))
    study = small_study(tmp_path / "killed")
    hit = disturb(study, KILLS, random.Random(20261122))
    study.options = ["--cores", "1"]
    study.finish(*STAGES)
    after = written(study)
    names = undisturbed.keys() | after.keys()
    lost, doubled = undisturbed.keys() - after.keys(), after.keys() - undisturbed.keys()
    differing = [name for name in names if undisturbed.get(name) != after.get(name)]
    print({**hit, "files": len(undisturbed), "lost": len(lost), "doubled": len(doubled),
           "differing": len(differing)})  # fmt: skip
    assert differing == []
