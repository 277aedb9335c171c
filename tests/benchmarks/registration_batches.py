"""Scans registered per second, one by one on the processor and several at once on a GPU.

    python tests/benchmarks/registration_batches.py --batches 1 8 32 --rounds 3

The scans are chests of analytic shapes in known poses and of different shapes, with body masks;
reading is excluded, pooling is not. Ways take turns, and medians over the rounds are shown. Without
a GPU only the processor is measured, and the last line says so. `--together` measures the GPU's way
on the processor too, which is only of interest to those who change it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

os.environ |= {"OMP_NUM_THREADS": "1"}

import numpy as np
import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]

from ctharmony.registration.batches import (  # noqa: E402
    find_device,
    register_batch,
    register_together,
)
from ctharmony.registration.engine import prepare_fixed  # noqa: E402
from ctharmony.registration.pyramid import Image, build_levels  # noqa: E402
from ctharmony.registration.settings import RegistrationSettings  # noqa: E402
from ctharmony.registration.transforms import about, distance, rotation  # noqa: E402
from ellipsoids import organs, scan  # noqa: E402

BLOCK = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["registration"]
DISTINCT = 8  # scans; larger batches hold them more than once
SPACING, SHAPE = (2.0, 2.0, 2.0), (150, 130, 180)  # z, y, x: mm and voxels


def make_scans(count: int) -> tuple[Image, list[Image], list[np.ndarray]]:
    """The fixed chest, `count` others in known poses, and these (4, 4)."""
    random = np.random.default_rng(0)
    poses = [
        about(rotation(random.normal(size=3), random.uniform(3, 15)), np.zeros(3), shift)
        for shift in random.uniform(-25, 25, (count, 3))
    ]
    movings = [
        scan(organs(1), SPACING, (SHAPE[0] - 4 * n, SHAPE[1], SHAPE[2]), pose, seed=10 + n)
        for n, pose in enumerate(poses)
    ]
    return scan(organs(1), SPACING, SHAPE), movings, poses


def main() -> None:
    """Measure, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of torch, and for pooling")
    parser.add_argument("--together", action="store_true")
    how = parser.parse_args()
    torch.set_num_threads(how.threads)
    settings = RegistrationSettings.from_config(BLOCK)
    image, movings, poses = make_scans(min(DISTINCT, max(how.batches)))
    fixed, ways = prepare_fixed(image, settings), ways_of(how.together)
    points, first = fixed.points[-1].world(), {}
    for name, way in ways.items():  # also warms up
        found = way(fixed, movings, settings)
        first[name] = [result.transform for result in found]
        error = [distance(r.transform, p, points).max() for r, p in zip(found, poses, strict=True)]
        print(f"{name}: largest TRE {max(error):.3f} mm, statuses {[r.status for r in found]}")
    pooling = [timed(build_levels, one, settings)[0] for one in movings]
    print(f"of which pooling, per scan: {median(pooling):.3f} s on the processor")
    table = {}
    for size in how.batches:
        batch = [movings[number % len(movings)] for number in range(size)]
        table[size] = speeds(ways, (fixed, batch, settings), how.rounds)
    report(table, list(ways), {name: apart(first, name, points) for name in ways})


def speeds(ways: dict, given: tuple, rounds: int) -> dict[str, tuple[float, float]]:
    """Scans per second and CPU s per scan of each way, medians over rounds in which all ran."""
    seconds = [{name: timed(way, *given) for name, way in ways.items()} for _ in range(rounds)]
    size, found = len(given[1]), {}
    for name in ways:
        wall, used = np.median([one[name] for one in seconds], axis=0)
        found[name] = float(size / wall), float(used / size)
    return found


def ways_of(together: bool) -> dict:
    """The ways that this machine has: name -> function of fixed, scans and settings."""
    ways = {"cpu": lambda *given: register_batch(*given, "cpu")}
    if together:
        ways["cpu, at once"] = lambda *given: register_together(*given, torch.device("cpu"))
    device = find_device("auto")
    if device.type != "cpu":
        ways[torch.cuda.get_device_name(device)] = lambda *given: register_batch(*given, device)
    return ways


def timed(work, *given) -> tuple[float, float]:
    """Wall and processor time of one call, s; it returns when all work is done, on a GPU too."""
    begun, used = time.perf_counter(), time.process_time()
    work(*given)
    return time.perf_counter() - begun, time.process_time() - used


def apart(first: dict[str, list[np.ndarray]], name: str, points: np.ndarray) -> float:
    """How far (mm) a way's maps lie from the processor's, at most."""
    pairs = zip(first["cpu"], first[name], strict=True)
    return max(float(distance(one, other, points).max()) for one, other in pairs)


def report(
    table: dict[int, dict[str, tuple[float, float]]], ways: list[str], differences: dict
) -> None:
    """Scans per second and CPU s per scan as markdown, then the line of JSON."""
    print("\n| batch | " + " | ".join(f"{name}: scans/s | CPU s per scan" for name in ways) + " |")
    print("|---:|" + "---:|---:|" * len(ways))
    for size, row in table.items():
        cells = (f"{row[name][0]:.2f} | {row[name][1]:.2f}" for name in ways)
        print(f"| {size} | " + " | ".join(cells) + " |")
    gpu = next((name for name in ways if not name.startswith("cpu")), None)
    if gpu is None:
        print("no GPU at hand: only the processor was measured")
    speed = {name: {size: row[name][0] for size, row in table.items()} for name in ways}
    answer = {
        "gpu": gpu,
        "cpu_scans_per_s": speed["cpu"],
        "cpu_s_per_scan": {size: row["cpu"][1] for size, row in table.items()},
        "gpu_scans_per_s": speed.get(gpu),
        "largest_difference_mm": max(differences.values()) if len(ways) > 1 else None,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
