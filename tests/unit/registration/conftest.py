"""Registration settings, and the chest of ellipsoids as fixtures."""

from collections.abc import Callable

import pytest

from ctharmony.registration.pyramid import Image
from ctharmony.registration.settings import RegistrationSettings
from ellipsoids import organs, scan

BLOCK = {
    "measure": "mutual_information",
    "motion": "affine",
    "levels_mm": [8, 4, 2],
    "points": [20000, 80000, 40000],
    "bins": [16, 24, 96],
    "linear_share": 0.8,
    "iterations": [14, 20, 20],
    "rotation_degrees": 40,
    "shift_step_mm": 20,
    "kept_starts": 12,
    "detail_information": 0.15,
    "orientation_search": "doubtful",
    "doubtful_information": 0.15,
    "minimum_coverage": 0.3,
    "minimum_information": 0.03,
    "maximum_stretch": 1.6,
    "deformable": {
        "enabled": False,
        "levels_mm": [8, 4],
        "iterations": [20, 8],
        "step_voxels": 0.5,
        "window_mm": 16,
        "step_smoothing_mm": 12,
        "field_smoothing_mm": 4,
    },
}


@pytest.fixture(scope="session")
def settings() -> RegistrationSettings:
    return RegistrationSettings.from_config(BLOCK)


@pytest.fixture(scope="session")
def block() -> dict:
    return dict(BLOCK)


@pytest.fixture(scope="session")
def make_scan() -> Callable:
    return scan


@pytest.fixture(scope="session")
def make_organs() -> Callable:
    return organs


@pytest.fixture(scope="session")
def fixed_scan() -> Image:
    return scan(organs(1))
