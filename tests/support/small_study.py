"""The small simulated study of three sites that the workflow's tests run end to end."""

import copy
import fcntl
import shutil
from pathlib import Path

from ctharmony.settings import merge
from study import ROOT, Study, default_config, simulated_rows

SITES = {"alpine": "reference", "harbour": "reference", "summit": "query"}
SMALL = {
    "study": "small",
    "results": "results",
    "sites": "config/sites.tsv",
    "batch_size": 8,
    "simulation": {
        "scanners": str(ROOT / "config" / "demo" / "scanners.yaml"),
        "matrix": 128,
        "slices": 8,
        "views": 180,
        "object_pixel_mm": 1.0,
        "population": {
            "patients": {"train": 2, "validation": 0, "test": 1},
            "travelling_patients": 1,
        },
    },
    "model": {
        "threads": 1,
        "network": {"width": 8, "biology_channels": 4, "scanner_dimensions": 4, "grid_mm": 2.0},
        "adaptation": {"patches_per_scan": 8},
        "training": {"steps": 12, "steps_per_epoch": 6, "scans_per_step": 2},
    },
    "evaluation": {
        "probes": {"folds": 3, "bootstrap_repeats": 100, "permutations": 20, "forest_trees": 10},
        "cnn": {"steps": 4, "folds": 2, "patches": {"per_scan": 4}},
        "distance_repeats": 10,
    },
}


def small_config() -> dict:
    """The demo's configuration, cut down to seconds."""
    return merge(default_config(), SMALL)


def small_study(folder: Path, changes: dict | None = None) -> Study:
    """Write the study into a folder, with changes to its configuration; nothing is run."""
    config = merge(small_config(), changes or {})
    manifests = {
        site: (role, site, simulated_rows(site, role, config)) for site, role in SITES.items()
    }
    return Study(folder, copy.deepcopy(config), manifests)


def finished_small_study(folder: Path, shared: Path, changes: dict | None = None) -> Study:
    """A copy of the study after an undisturbed local run; `.said` is Snakemake's output.

    Args:
        folder: where the copy goes; it may exist, empty.
        shared: a folder that all workers of a test session share: the study runs there once.
        changes: what the copy's configuration differs in; it is written, not run.
    """
    original = shared / "small-study"
    with open(shared / "small-study.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = shared / "small-study.log"
        if not said.exists():
            text = small_study(original).finish()
            said.write_text(text)
    shutil.copytree(original, folder, dirs_exist_ok=True)
    study = small_study(folder, changes)
    study.said = said.read_text()
    return study
