"""A small virtual study: its settings, its rows and what is read of a scan."""

import numpy as np

from ctharmony.phantom.cohort import SimulatedScan, Study

SMALL = {
    "scanners": "config/demo/scanners.yaml",
    "matrix": 96,
    "field_of_view_mm": 320.0,
    "slices": 4,
    "slab_mm": 20.0,
    "views": 120,
    "detector_pitch_mm": 1.6,
    "object_pixel_mm": 1.6,
    "object_slice_mm": 2.5,
    "contrast_mg_ml": 0.0,
    "population": {
        "seed": 5,
        "patients": {"train": 2, "validation": 1, "test": 1},
        "travelling_patients": 2,
        "age_mean": 60,
        "age_deviation": 10,
        "share_of_women": 0.5,
        "hole_mm": 2.5,
        "nodules": 1.5,
        "confounding": 0.5,
        "segments": {"alpine": [0.0, 0.5], "summit": [0.5, 1.0]},
    },
}


def make_study(scanners: dict, site: str, settings: dict = SMALL, seed: int = 9) -> Study:
    described = {"site": site, "role": "reference", "scanner": site}
    return Study(described, scanners[site], scanners["alpine"], settings, seed)


def scan_row(site: str, subject: str) -> dict:
    return {"scan": f"{site}-{subject}", "subject": subject, "path": None, "split": "test"}


def pixels(scan: SimulatedScan) -> np.ndarray:
    return np.stack([data.pixel_array for data in scan.datasets])
