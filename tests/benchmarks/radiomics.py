"""Our radiomics against mirp's on the same slices: the values of shared features, and the time.

    python tests/benchmarks/radiomics.py [--slices 12] [--repeats 5]

Needs mirp (`pip install mirp`). Both get a chest on the grid of 1 mm pixels that textures are
measured on and the same settings: bins of fixed width, re-segmentation by HU, IBSI's "2D, averaged"
aggregation. Prints a line per feature that differs by more than a ten-thousandth and, last, JSON.
"""

import argparse
import json
import logging
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from mirp import extract_features
from scipy.ndimage import gaussian_filter

from ctharmony.evaluation import radiomics as ours

ROOT = Path(__file__).resolve().parents[2]
METHODS = {
    "glcm_spatial_method": "2d_average",
    "glrlm_spatial_method": "2d_average",
    "ngtdm_spatial_method": "2d",
}
# what nyxus divides by or adds to differs in these; the rest is one formula
SAME = 1e-4


def chest(slices: int) -> tuple[np.ndarray, np.ndarray]:
    """HU and labels (slices, 300, 380) of a body with two lungs, both with texture."""
    random = np.random.default_rng(4)
    y, x = np.meshgrid(np.linspace(-1, 1, 300), np.linspace(-1, 1, 380), indexing="ij")
    labels = np.zeros((slices, *x.shape), np.uint8)
    labels[:, (x / 0.95) ** 2 + (y / 0.9) ** 2 < 1] = ours.BODY
    labels[:, ((np.abs(x) - 0.42) / 0.28) ** 2 + (y / 0.55) ** 2 < 1] = ours.LUNG
    texture = gaussian_filter(random.normal(0, 150, labels.shape), (0, 1, 1))
    hu = np.choose(labels, (-1000.0, 40.0, -850.0)) + texture
    return hu.astype(np.float32), labels


def settings(slices: int) -> ours.RadiomicsSettings:
    """Those of the shipped study, with every slice."""
    block = yaml.safe_load((ROOT / "config/config.yaml").read_text())["features"]["radiomics"]
    ranges = {name: tuple(map(float, pair)) for name, pair in block["ranges_hu"].items()}
    return ours.RadiomicsSettings(slices, 1.0, float(block["bin_width_hu"]), ranges)


def theirs(hu: np.ndarray, labels: np.ndarray, how: ours.RadiomicsSettings) -> dict[str, float]:
    """mirp's features under our names."""
    found = {}
    for region, limits in how.ranges_hu.items():
        table = extract_features(
            image=hu.astype(float),
            mask=(labels == ours.REGIONS[region]).astype(np.uint8),
            base_feature_families=["cm", "rlm", "ngtdm", "stat"],
            base_discretisation_method="fixed_bin_size",
            base_discretisation_bin_width=how.bin_width_hu,
            resegmentation_intensity_range=list(limits),
            export_features=True,
            **METHODS,
        )[0]
        for name, value in table.iloc[0].items():
            short = str(name).split("_d1_2d")[0].split("_2d_")[0]
            found[f"{region}_{short}"] = value
    return found


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one run."""
    start = time.process_time()
    work()
    return time.process_time() - start


def differences(mine: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Relative difference of every feature that both know."""
    shared = [name for name in mine if name in other]
    return {
        name: abs(mine[name] - float(other[name])) / max(abs(float(other[name])), 1e-9)
        for name in shared
    }


def main() -> None:
    """Compare values once, times `repeats` times in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    hu, labels = chest(given.slices)
    how = settings(given.slices)
    runs = (
        partial(ours.radiomics, hu, labels, (3.0, 1.0, 1.0), how),
        partial(theirs, hu, labels, how),
    )
    found = differences(*(run() for run in runs))
    for name, difference in found.items():
        if difference > SAME:
            print(f"{name}: {difference:.2%} apart")
    pairs = [tuple(map(seconds, runs)) for _ in range(given.repeats)]
    result = {
        "shared_features": len(found),
        "equal_within_1e-4": sum(value <= SAME for value in found.values()),
        "largest_difference": round(max(found.values()), 5),
        "seconds": round(statistics.median(own for own, _ in pairs), 3),
        "mirp_seconds": round(statistics.median(other for _, other in pairs), 3),
        "mirp_to_ours": round(statistics.median(other / own for own, other in pairs), 1),
        "n": given.repeats,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
