"""Expected disk of a study: what finished studies left for every voxel, by rule.

The figures are those of `tests/benchmarks/disk.py` (tests/benchmarks/README.md): int16 HU under
gzip, of the demo and of real chest CT, which differ by a tenth. Volumes on the template's grid do
not grow with the scans' own voxels.
"""

import os
from typing import Any

from ctharmony.commands.estimates import Size
from ctharmony.commands.study import StudyFiles

# bytes per voxel of the scans: DICOM is not compressed; a harmonized scan has its change and
# uncertainty beside it; baseline: of one method
PER_VOXEL = {"simulate": 2.02, "ingest": 1.14, "baseline": 1.1, "harmonize": 2.05, "export": 2.1}
TISSUES_PER_VOXEL = 0.06  # true tissues of every virtual scan
TRUTH_PER_VOXEL = 2.1  # of travelling patients, as the target scanner and noise-free
PER_TEMPLATE_VOXEL = {"register": 1.13, "harmonize": 1.1}
PER_SCAN = {"ingest": 16e3, "register": 0.1e6, "harmonize": 2e3, "features": 4e3}
CHEST_MM3 = 26e6  # grid of a template of real chest CT
SMALL = 60e6  # models, tables, figures, report, MLflow


def bytes_needed(study: StudyFiles, jobs: dict[str, int], size: Size) -> float:
    """Most bytes that the planned jobs take at one time.

    Baselines are removed at the end, so they count in full; of DICOM that `ingest` reads and that
    is not kept, a batch on every core.

    Args:
        study: the study; jobs: how many of each rule; size: of the study.
    """
    at_once = (os.cpu_count() or 1) * study.config["batch_size"] / max(size.scans, 1)
    early = removed(study, jobs, size).get("simulate", 0.0) * max(0.0, 1 - at_once)
    return SMALL + sum(written(study, jobs, size).values()) - early


def bytes_left(study: StudyFiles, jobs: dict[str, int], size: Size) -> float:
    """Bytes of the planned jobs' outputs that stay (config block `keep`)."""
    parts = [sum(found(study, jobs, size).values()) for found in (written, removed)]
    return SMALL + parts[0] - parts[1]


def written(study: StudyFiles, jobs: dict[str, int], size: Size) -> dict[str, float]:
    """Bytes that each rule's planned jobs write."""
    whole = _whole(study, size)
    return {rule: whole[rule] * _share(study, rule, jobs) for rule in whole if rule in jobs}


def removed(study: StudyFiles, jobs: dict[str, int], size: Size) -> dict[str, float]:
    """Bytes of them that are removed again, by rule."""
    keep, gone = study.config["keep"], {}
    if not keep["simulated"]:
        dicom = PER_VOXEL["simulate"] * size.megavoxels * 1e6
        gone["simulate"] = dicom * _share(study, "simulate", jobs)
    if not keep["baselines"]:
        gone["baseline"] = written(study, jobs, size).get("baseline", 0.0)
    return gone


def template_voxels(config: dict[str, Any], virtual: bool) -> float:
    """Voxels of the template's grid: those of a virtual scan's slab, or of a chest."""
    simulation = config.get("simulation", {})
    side, slab = simulation.get("field_of_view_mm", 0), simulation.get("slab_mm", 0)
    extent = side**2 * slab if virtual else CHEST_MM3
    return extent / config["registration"]["template_spacing_mm"] ** 3


def _whole(study: StudyFiles, size: Size) -> dict[str, float]:
    """Bytes that each rule writes for the whole study."""
    config, voxels = study.config, size.megavoxels * 1e6
    methods = len(config["harmonization"]["baselines"])
    target = study.cohort.sites.get(config["target"])
    grid = template_voxels(config, bool(target and target.scanner)) * size.scans
    population = config.get("simulation", {}).get("population", {})
    travelling = population.get("travelling_patients", 0)
    patients = travelling + sum(population.get("patients", {}).values())
    times = _jobs_of_a_batch(study) | {"baseline": methods}
    found = {
        rule: times.get(rule, 1) * (PER_VOXEL.get(rule, 0) * voxels
                                    + PER_TEMPLATE_VOXEL.get(rule, 0) * grid
                                    + PER_SCAN.get(rule, 0) * size.scans)
        for rule in dict.fromkeys((*PER_VOXEL, *PER_TEMPLATE_VOXEL, *PER_SCAN))
    }  # fmt: skip
    truth = TISSUES_PER_VOXEL + TRUTH_PER_VOXEL * travelling / max(patients, 1)
    found["simulate"] += truth * voxels
    return found


def _jobs_of_a_batch(study: StudyFiles) -> dict[str, int]:
    """How many jobs of a rule a batch has, where it is not one."""
    models = len(study.config["models"])
    return {"harmonize": models, "export": models, "features": models + 1}


def _share(study: StudyFiles, rule: str, jobs: dict[str, int]) -> float:
    """Share of the rule's jobs in the whole study that are planned."""
    every = len(study.cohort.places()) * _jobs_of_a_batch(study).get(rule, 1)
    return min(1.0, jobs.get(rule, 0) / max(every, 1))
