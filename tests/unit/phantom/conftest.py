"""Physics phantoms and a reference scanner for the checks against published measurements."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from ctharmony.phantom.scanner import Sampling, Scanner
from virtual_study import make_study, scan_row

REFERENCE = Scanner(
    manufacturer="ctharmony",
    model_name="virtual reference",
    kernel_label="STANDARD",
    kernel="standard",
    kvp=120,
    mas=300.0,
    filters_mm={"aluminium": 5.0},
    slice_thickness_mm=5.0,
    focal_blur_mm=0.7,
    electronic_noise=20.0,
    bowtie=0.7,
    bowtie_radius_mm=130.0,
    scatter=0.02,
    scatter_correction=0.98,
    bone_correction=0.9,
    current_modulation=0.0,
    hu_offset=0.0,
    hu_drift=0.0,
    ctdi_per_mas=0.067,
    shift_mm=0.0,
    rotation_degrees=0.0,
    table=False,
    tilt_degrees=0.0,
)
SAMPLING = Sampling(
    matrix=256,
    field_of_view_mm=230.0,
    slices=1,
    slab_mm=5.0,
    views=360,
    detector_pitch_mm=0.6,
    object_pixel_mm=0.5,
    object_slice_mm=1.0,
)


@pytest.fixture(scope="session")
def reference() -> Callable[..., Scanner]:
    """The reference scanner with changes."""
    return lambda **changes: replace(REFERENCE, **changes)


@pytest.fixture(scope="session")
def grids() -> Callable[..., Sampling]:
    """Grids for a 20 cm phantom with changes."""
    return lambda **changes: replace(SAMPLING, **changes)


@pytest.fixture(scope="session")
def disks() -> Callable[..., np.ndarray]:
    """Material maps (materials, 1, n, n) of disks (x, y, radius, mixture), later over earlier."""

    def make(sampling: Sampling, rows: list[tuple], materials: int = 2) -> np.ndarray:
        size, pixel = sampling.object_size, sampling.object_pixel_mm
        places = (np.arange(size) - (size - 1) / 2) * pixel
        maps = np.zeros((materials, 1, size, size), np.float32)
        for x, y, radius, mixture in rows:
            distance = np.hypot(places[None] - x, places[:, None] - y) - radius
            cover = np.clip(0.5 - distance / pixel, 0.0, 1.0)
            for material in range(materials):
                layer = maps[material, 0]
                layer += (cover * (mixture[material] - layer)).astype(np.float32)
        return maps

    return make


@pytest.fixture(scope="session")
def region() -> Callable[..., float]:
    """Mean of an image (n, n) within a radius of a point, mm."""

    def mean(image: np.ndarray, pixel_mm: float, place: tuple, radius: float) -> float:
        offsets = (np.arange(image.shape[0]) - (image.shape[0] - 1) / 2) * pixel_mm
        inside = np.hypot(offsets[None] - place[0], offsets[:, None] - place[1]) < radius
        return float(image[inside].mean())

    return mean


@pytest.fixture(scope="session")
def scanners(root: Path) -> dict:
    """The demo's scanners."""
    return yaml.safe_load((root / "config/demo/scanners.yaml").read_text())["scanners"]


@pytest.fixture(scope="session")
def travelled(scanners: dict):
    """One travelling patient at the query site."""
    return make_study(scanners, "summit").scan(scan_row("summit", "travel-01"))
