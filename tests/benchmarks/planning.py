"""Planning: seconds, jobs and memory of `snakemake -n` against the number of scans.

A study of `--sites` sites (every tenth a query site) of `--scans` empty files each, batch 64:
planned from nothing, planned when all is done, and planned when a query site of 100 scans joins.
Run: python tests/benchmarks/planning.py --sites 10 --sites 100 --scans 1000
The last line is JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from study import Study, count_jobs, default_config, environment

OF_A_BATCH = ("ingested", "registered", "baselines", "harmonized/factorised",
              "features/none", "features/factorised")  # fmt: skip
ONCE = ("template", "models/factorised", "evaluation/factorised", "mlflow")


def make_study(folder: Path, sites: int, scans: int) -> Study:
    """A study whose scans are one empty file: enough for everything that is planned."""
    (folder / "scan.nii.gz").touch()
    config = default_config() | {"sites": "config/sites.tsv", "results": "results"}
    config |= {"target": "site000", "batch_size": 64}
    manifests = {}
    for site in range(sites):
        add_site(manifests, site, scans, "query" if site % 10 == 9 else "reference")
    return Study(folder, config, manifests)


def add_site(manifests: dict, number: int, scans: int, role: str) -> None:
    """One more site of `scans` scans."""
    name = f"site{number:03d}"
    rows = [
        {"scan": f"{name}-{k:05d}", "subject": f"{name}-{k // 2:05d}", "path": "scan.nii.gz",
         "age": str(20 + k % 70), "sex": "FM"[k % 2], "kernel": "B30f"}
        for k in range(scans)
    ]  # fmt: skip
    manifests[name] = (role, None, rows)


def plan(study: Study) -> dict:
    """Plan once: seconds, peak memory (MB) and jobs by rule."""
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        study.command("--dry-run", "--quiet", "rules"),
        cwd=study.folder, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_mb": round(after.ru_maxrss / 1024),
        "jobs": count_jobs(done.stdout + done.stderr),
    }


def pretend_done(study: Study) -> None:
    """Put every output there, empty, and have Snakemake record it as made by these rules."""
    for site, (role, _, rows) in study.manifests.items():
        for batch in range(-(-len(rows) // study.config["batch_size"])):
            for stage in OF_A_BATCH:
                (study.results / stage / site / f"b{batch:04d}").mkdir(parents=True)
        if role == "query":
            (study.results / "adapted" / "factorised" / site).mkdir(parents=True)
    for folder in ONCE:
        (study.results / folder).mkdir(parents=True)
    for file in ("report.html", "mlflow/tracked.json"):
        (study.results / file).touch()
    study.finish("--touch", "--quiet", "all")


def measure(sites: int, scans: int, grown: bool) -> dict:
    """Plan a study of so many sites; if `grown`, also when done and when one more site joins."""
    with tempfile.TemporaryDirectory() as name:
        study = make_study(Path(name), sites, scans)
        found = {"sites": sites, "scans": sites * scans, "new": plan(study)}
        if grown:
            pretend_done(study)
            found["done"] = plan(study)
            add_site(study.manifests, sites, 100, "query")
            study.write()
            found["one more site"] = plan(study)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, action="append")
    parser.add_argument("--scans", type=int, default=1000, help="scans of a site")
    parser.add_argument("--grown", action="store_true", help="also plan when all is done")
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = []
    for sites in chosen.sites or (10, 100):
        rows.append(measure(sites, chosen.scans, chosen.grown))
        for state in ("new", "done", "one more site"):
            print(rows[-1]["scans"], state, rows[-1].get(state, ""), flush=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
