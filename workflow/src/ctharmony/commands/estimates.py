"""Expected time of a study: its own benchmarks where it has some, else typical figures.

Typical seconds are CPU seconds of one run on real chest CT (six scans of 9 to 27 million voxels,
two shared x86 cores, no GPU); a busy machine needs several times as long, so they tell minutes
from hours and no more.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ctharmony.commands.study import StudyFiles
from ctharmony.settings import expand_models

SCAN_MEGAVOXELS = 512 * 512 * 120 / 1e6  # where nothing tells the size
# seconds of a job: so many to begin with, and so many per million voxels of its scans
SECONDS = {
    "simulate": (4.0, 5.0),
    "ingest": (3.0, 0.1),
    "survey": (4.0, 0.0),
    "template": (8.0, 0.15),
    "register": (4.0, 0.1),
    "adapt": (6.0, 0.1),
    "baseline": (3.0, 0.2),
    "harmonize": (5.0, 1.0),
    "features": (3.5, 0.1),
    "evaluate": (30.0, 0.85),
    "report": (35.0, 0.08),
    "track": (5.0, 0.0),
    "fetch": (5.0, 0.0),
    "package": (10.0, 0.0),
    "export": (4.0, 0.15),
}
TRAINING_STEP_SECONDS = 0.8


@dataclass(frozen=True)
class Size:
    """A study's size: scans, and their voxels in millions."""

    scans: int
    megavoxels: float


def size_of(study: StudyFiles) -> Size:
    """Scans and voxels, from the manifests' column `slices` or, for virtual scans, the config."""
    rows = [(site, row) for site in study.cohort.sites.values() for row in site.rows]
    simulation = study.config.get("simulation", {})
    virtual = simulation.get("matrix", 0) ** 2 * simulation.get("slices", 0) / 1e6
    voxels = [virtual if site.scanner else _megavoxels(row) for site, row in rows]
    return Size(len(rows), sum(voxels))


def seconds_of(study: StudyFiles, jobs: dict[str, int], size: Size) -> dict[str, float]:
    """Expected seconds per rule on one core (what trains: on its own threads).

    Args:
        study: the study; jobs: how many of each rule; size: of the study.
    """
    measured = measured_seconds(study.results / "benchmarks")
    steps = training_steps(study)
    share = {"features": 2.0, "evaluate": 1.0}
    expected = {}
    for rule, number in jobs.items():
        if rule in measured:
            expected[rule] = measured[rule] * number
        elif rule in steps:
            expected[rule] = number * (20.0 + TRAINING_STEP_SECONDS * steps[rule])
        else:
            start, each = SECONDS.get(rule, (5.0, 0.1))
            expected[rule] = start * number + each * size.megavoxels * share.get(rule, 1.0)
    return expected


def training_steps(study: StudyFiles) -> dict[str, float]:
    """Optimiser steps of a job that trains, by rule; the mean of the models that are trained."""
    own = [model["training"]["steps"] for model in expand_models(study.config).values()
           if not model["source"]]  # fmt: skip
    peer = float(study.config["harmonization"]["peers"]["steps"])
    return {"train": sum(own) / max(len(own), 1), "train_peer": peer}


def measured_seconds(folder: Path) -> dict[str, float]:
    """Mean wall seconds of a job per rule, from Snakemake's benchmark files below `folder`."""
    means = {}
    for rule in sorted(path for path in folder.glob("*") if path.is_dir()):
        tables = [pd.read_csv(path, sep="\t") for path in sorted(rule.rglob("*.tsv"))]
        if tables:
            means[rule.name] = float(pd.concat(tables)["s"].mean())
    return means


def _megavoxels(row: dict[str, Any]) -> float:
    try:
        return 512 * 512 * int(str(row.get("slices"))) / 1e6
    except ValueError:
        return SCAN_MEGAVOXELS
