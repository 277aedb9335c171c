"""Deformable registration against its peers on the same warps: error, processor time, folding.

    python tests/benchmarks/deformation.py --cases 5

A case is a chest at 2 mm, drawn or (where CTHARMONY_REAL_DATA is set) real, seen through a smooth
warp of up to 8 mm; both scans have fresh noise. The tools take turns, a different one first each
time. The last line is JSON.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import numpy as np
import SimpleITK as sitk  # noqa: N813
import yaml
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests" / "support")]

from deformation_peers import PEERS, ours  # noqa: E402
from registration import cpu_seconds  # noqa: E402
from registration_cases import NOISE_HU, body_points, chests  # noqa: E402
from registration_peers import as_itk  # noqa: E402

from ctharmony.registration.displacement import Displacement  # noqa: E402
from ctharmony.registration.resampling import Grid, resample_at  # noqa: E402
from ctharmony.registration.transforms import LPS_FROM_RAS, apply  # noqa: E402

STEP_MM, WARP_MM, SMOOTH_MM = 2.0, 8.0, 30.0
BLOCK = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["registration"]
Case = tuple[sitk.Image, sitk.Image, np.ndarray, np.ndarray]


def make_case(number: int) -> Case:
    """Fixed and moving image, points (n, 3) in the fixed body and where they lie in the moving."""
    random = np.random.default_rng(3000 + number)
    volumes = chests(STEP_MM)
    hu, affine = volumes[number % len(volumes)]
    parts = np.stack(
        [ndimage.gaussian_filter(random.normal(size=hu.shape), SMOOTH_MM / STEP_MM) for _ in "xyz"]
    )
    parts *= WARP_MM / np.sqrt((parts**2).sum(axis=0)).max()
    truth = Displacement(parts.astype(np.float32), Grid(hu.shape, affine))
    seen = resample_at(hu, affine, truth.places(np.eye(4)), 3, -1000.0)
    points = body_points(seen, affine)
    noisy = [v + random.normal(0, NOISE_HU, hu.shape).astype(np.float32) for v in (seen, hu)]
    fixed, moving = (as_itk(volume, affine) for volume in noisy)
    return fixed, moving, points, truth.at(points)


def measured(tool, case: Case) -> dict[str, float]:
    """Processor time, error at the points (mm) and the smallest Jacobian determinant."""
    fixed, moving, points, truth = case
    before, wall = cpu_seconds(), time.perf_counter()
    field = tool(fixed, moving)
    figures = {"cpu_s": cpu_seconds() - before, "wall_s": time.perf_counter() - wall}
    jacobian = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
    figures["smallest_jacobian"] = float(jacobian[2:-2, 2:-2, 2:-2].min())
    transform = sitk.DisplacementFieldTransform(sitk.Image(field))
    lps = apply(LPS_FROM_RAS, points)
    found = apply(LPS_FROM_RAS, np.array([transform.TransformPoint(point) for point in lps]))
    error = np.linalg.norm(found - truth, axis=1)
    names = ("tre_median_mm", "tre_p90_mm", "tre_max_mm")
    return figures | dict(zip(names, map(float, np.percentile(error, [50, 90, 100])), strict=True))


def main() -> None:
    """Run the cases, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    how = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    tools = {"ctharmony": ours(BLOCK)} | {name: PEERS[name]() for name in how.peers}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in tools}
    for number in range(how.first, how.first + how.cases):
        case = make_case(number)
        start = np.linalg.norm(case[2] - case[3], axis=1)
        print(f"case {number}: {np.median(start):.2f} mm before", file=sys.stderr)
        names = list(tools)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            rows[name].append(measured(tools[name], case))
            print(number, name, rows[name][-1], file=sys.stderr, flush=True)
    print_results(rows)


def print_results(rows: dict[str, list[dict[str, float]]]) -> None:
    """Medians over the cases; of the Jacobian the smallest, of the largest error the largest."""
    ends = {"smallest_jacobian": min, "tre_max_mm": max}
    keys = list(rows["ctharmony"][0])
    table = {
        name: {key: float(ends.get(key, np.median)([row[key] for row in own])) for key in keys}
        for name, own in rows.items()
    }
    print("| tool | n | " + " | ".join(keys) + " |\n|---|---|" + "---|" * len(keys))
    for name, middle in table.items():
        cells = " | ".join(f"{middle[key]:.3g}" for key in keys)
        print(f"| {name} | {len(rows[name])} | {cells} |")
    peers = {name: row["tre_median_mm"] for name, row in table.items() if name != "ctharmony"}
    best = min(peers, key=peers.get) if peers else None
    print(json.dumps(table["ctharmony"] | {"best_peer": best, "best_peer_mm": peers.get(best)}))


if __name__ == "__main__":
    main()
