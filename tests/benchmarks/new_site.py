"""Cost of a new site against how many sites are there already.

A small virtual study is run once. Copies of it are filled up to `--sites` sites that count as done,
a site of four scans joins, and everything of its own is made: planning and nine jobs. The
aggregates (survey, evaluate, report, track) look at the whole study and are not counted here.
Run: python tests/benchmarks/new_site.py --sites 3 --sites 8 --sites 32
The last line is JSON.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from small_study import SITES, finished_small_study
from study import Study, count_jobs, simulated_rows

NEW = "meadow"
OF_A_BATCH = ("ingested", "registered", "baselines", "harmonized/factorised",
              "features/none", "features/factorised")  # fmt: skip


def fill(study: Study, sites: int) -> None:
    """Add sites whose outputs are there, empty, and recorded as made by the workflow."""
    (study.folder / "scan.nii.gz").touch()
    for number in range(sites - len(SITES)):
        name = f"site{number:03d}"
        rows = [{"scan": f"{name}-{k}", "subject": f"{name}-{k}", "path": "scan.nii.gz"}
                for k in range(4)]  # fmt: skip
        study.manifests[name] = ("query", None, rows)
        for stage in OF_A_BATCH:
            (study.results / stage / name / "b0000").mkdir(parents=True)
        (study.results / "adapted" / "factorised" / name).mkdir(parents=True)
    study.write()
    study.finish("--touch", "--quiet", "all")


def join(study: Study) -> dict:
    """Add the new site and make all that is its own: seconds, CPU seconds, jobs."""
    rows = simulated_rows(NEW, "query", study.config)
    study.manifests[NEW] = ("query", NEW, rows)
    study.write()
    own = [f"results/{stage}/{NEW}/b0000" for stage in OF_A_BATCH]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    said = study.finish(*own)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # the job table stands twice: before the first job and after the last
    jobs = count_jobs(said)
    return {
        "scans": len(rows),
        "jobs": sum(jobs.values()),
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(cpu, 1),
        "cpu_seconds_per_scan": round(cpu / len(rows), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=1, help="repeats, the sizes alternating")
    parser.add_argument("--shared", type=Path, help="folder that keeps the small study")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        shared = chosen.shared or Path(name)
        for turn in range(chosen.rounds):
            for sites in chosen.sites or (3, 8, 32):
                study = finished_small_study(Path(name) / f"{turn}-{sites}", shared)
                fill(study, sites)
                rows.append({"sites": sites, "round": turn, **join(study)})
                print(rows[-1], flush=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
