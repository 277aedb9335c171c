"""Seconds per virtual CT slice and cohort, and how much slower scikit-image is for a slice.

    python tests/benchmarks/phantom.py

Prints a line per case and, last, JSON. For the cost of compilation point NUMBA_CACHE_DIR to an
empty folder.
"""

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from skimage.transform import iradon, radon

from ctharmony.phantom.cohort import Study
from ctharmony.phantom.kernels import UPSAMPLING, filter_sinograms, get_kernel
from ctharmony.phantom.projection import backproject, project, view_angles
from ctharmony.phantom.sheets import make_sheet

ROOT = Path(__file__).resolve().parents[2]
SLICES = 24


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Least processor seconds of several runs, after one that compiles."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def disk(size: int) -> np.ndarray:
    """A disk that fills most of the image."""
    place = np.arange(size) - (size - 1) / 2
    return (np.hypot(place[None], place[:, None]) < 0.4 * size).astype(np.float32)


def ours(size: int, views: int) -> float:
    """Projection and filtered back-projection of one slice, in a batch of SLICES."""
    maps, angles = np.repeat(disk(size)[None], SLICES, axis=0), view_angles(views)
    kernel = get_kernel("standard")

    def work() -> None:
        sinograms = project(maps, 1.0, angles, size + 1, 1.0)
        filtered = filter_sinograms(sinograms, 1.0, kernel, 0)
        backproject(filtered, angles, 1.0 / UPSAMPLING, size, 1.0)

    return seconds(work) / SLICES


def theirs(size: int, views: int) -> float:
    """The same by scikit-image, one slice at a time."""
    image, degrees = disk(size), np.degrees(view_angles(views))
    return seconds(lambda: iradon(radon(image, degrees, circle=True), degrees), repeats=1)


def whole(settings: dict[str, object], scanners: dict[str, dict]) -> float:
    """One scan of the demo with its two truth renderings: patient, physics, DICOM."""
    site = {"site": "summit", "role": "query", "scanner": "summit"}
    study = Study(site, scanners["summit"], scanners["alpine"], settings, 1)
    row = {"scan": "summit-travel-01", "subject": "travel-01"}
    return seconds(lambda: study.scan(row), repeats=2)


def cohort(settings: dict[str, object], scanners: dict[str, dict], sites: list[str]) -> float:
    """Processor seconds of all scans of a cohort, DICOM and truth in memory, no warm-up."""
    start = time.process_time()
    for site in sites:
        described = {"site": site, "role": "reference", "scanner": site}
        study = Study(described, scanners[site], scanners["alpine"], settings, 1)
        rows = make_sheet(site, "reference", settings["population"]).to_dict("records")
        for row in rows:
            study.scan(row)
    return time.process_time() - start


def small_cohort(settings: dict[str, object], scanners: dict[str, dict]) -> float:
    """3 sites x 4 patients x 8 slices x 128 x 128, as the tests simulate them."""
    patients = {"train": 2, "validation": 0, "test": 1}
    population = settings["population"] | {"patients": patients, "travelling_patients": 1}
    grids = {"matrix": 128, "slices": 8, "views": 180, "object_pixel_mm": 1.0}
    sites = ["alpine", "harbour", "summit"]
    return cohort({**settings, **grids, "population": population}, scanners, sites)


def main() -> None:
    """Run every case."""
    result: dict[str, float] = {}
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())["simulation"]
    scanners = yaml.safe_load((ROOT / settings["scanners"]).read_text())["scanners"]
    # first, so that loading or making the compiled code counts
    result["seconds_small_cohort"] = round(small_cohort(settings, scanners), 1)
    demo = [name for name in scanners if name in settings["population"]["segments"]]
    result["seconds_demo_cohort"] = round(cohort(settings, scanners, demo), 1)
    for size, views in ((256, 360), (512, 720)):
        mine, other = ours(size, views), theirs(size, views)
        result[f"seconds_per_slice_{size}"] = round(mine, 4)
        result[f"scikit_image_ratio_{size}"] = round(other / mine, 1)
        print(f"{size} x {size}, {views} views: {mine:.3f} s a slice, scikit-image {other:.2f} s")
    result["seconds_per_travelling_scan"] = round(whole(settings, scanners), 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result["peak_memory_mb"] = round(peak)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
