"""Registration against its peers on the same cases: error, processor time, memory, failures.

    python tests/benchmarks/registration.py --cases 10 --peers elastix greedy

Every case is a scan and the same scan carried off by a known map (rigid up to 20 mm and 15 degrees,
every second one affine within 10 %), interpolated by a cubic spline, with fresh noise; the suite
`multimodal` also bends its intensities non-monotonely. Each tool lives in its own process, warmed
up by a small case; the tools take turns, a different one first each time.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import numpy as np
import SimpleITK as sitk  # noqa: N813
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests" / "support")]

from registration_peers import PEERS, ours  # noqa: E402

from ctharmony.io.volumes import read_volume  # noqa: E402
from ctharmony.registration.resampling import Grid, isotropic_grid, resample  # noqa: E402
from ctharmony.registration.settings import RegistrationSettings  # noqa: E402
from ctharmony.registration.transforms import about, distance, rotation  # noqa: E402
from ellipsoids import organs, scan  # noqa: E402

NOISE_HU = 20.0
FAILED_MM = 5.0
SHOWN = ("cpu_s", "wall_s", "rss_mb", "tre_median_mm", "tre_p90_mm", "tre_max_mm")


def base_volumes(spacing: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """(HU, affine) on cubic voxels, centred on the origin: real chests, or a virtual one."""
    folder = os.environ.get("CTHARMONY_REAL_DATA")
    paths = sorted(Path(folder).glob("nifti/*_*[!r].nii.gz")) if folder else []
    found = [(v.hu, v.affine) for v in map(read_volume, paths)]
    if not found:
        drawn = [scan(organs(seed)) for seed in (1, 2)]
        found = [(image.hu, image.affine) for image in drawn]
    volumes = []
    for hu, affine in found:
        grid = isotropic_grid(hu.shape, affine, spacing)
        volume = resample(hu, affine, np.eye(4), grid, 1)
        centred = grid.affine.copy()
        centred[:3, 3] = -centred[:3, :3] @ (np.array(grid.shape[::-1]) - 1) / 2
        volumes.append((volume, centred))
    return volumes


def known_map(number: int) -> np.ndarray:
    """The truth of a case: rigid, every second one stretched as well."""
    random = np.random.default_rng(number)
    linear = rotation(random.normal(size=3), random.uniform(3, 15))
    if number % 2:
        linear = linear @ np.diag(random.uniform(0.9, 1.1, 3))
    return about(linear, np.zeros(3), random.uniform(-1, 1, 3) * 20 / np.sqrt(3))


def make_case(number: int, suite: str, volumes: list) -> tuple:
    """(fixed, moving, truth, points): two SimpleITK images, the map, body points (n, 3) mm."""
    hu, affine = volumes[number % len(volumes)]
    truth, random = known_map(number), np.random.default_rng(1000 + number)
    moved = resample(hu, affine, np.linalg.inv(truth), Grid(hu.shape, affine), 3, -1000.0)
    moved += random.normal(0, NOISE_HU, moved.shape).astype(np.float32)
    if suite == "multimodal":
        moved = 600 * np.cos(moved / 300) + 0.2 * moved
    voxels = np.argwhere(hu > -300)[::997, ::-1]
    points = voxels @ affine[:3, :3].T + affine[:3, 3]
    return as_itk(hu, affine), as_itk(moved, affine), truth, points


def as_itk(hu: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """A scan in RAS as SimpleITK sees it (LPS, axes along the patient's)."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(hu[:, ::-1, ::-1], dtype=np.float32))
    last = affine[:3, :3] @ (np.array(hu.shape[::-1]) - 1) + affine[:3, 3]
    image.SetSpacing([float(step) for step in np.diag(affine)[:3]])
    image.SetOrigin([-float(last[0]), -float(last[1]), float(affine[2, 3])])
    return image


def work(name: str, pipe) -> None:
    """A tool's process: warm up, then answer every case with its figures."""
    import torch

    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    block = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["registration"]
    tool = ours(RegistrationSettings.from_config(block)) if name == "ctharmony" else PEERS[name]()
    small = scan(organs(1), (8.0, 6.0, 6.0), (30, 42, 58))
    tool(as_itk(small.hu, small.affine), as_itk(small.hu + 1, small.affine))
    volumes = base_volumes(pipe.recv())
    pipe.send("ready")
    for number, suite in iter(pipe.recv, None):
        fixed, moving, truth, points = make_case(number, suite, volumes)
        before, wall = cpu_seconds(), time.perf_counter()
        try:
            found = tool(fixed, moving)
        except RuntimeError:
            found = np.full((4, 4), np.inf)
        used = cpu_seconds() - before, time.perf_counter() - wall
        error = distance(found, truth, points) if np.isfinite(found).all() else points[:, 0] + 1e3
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        spread = np.percentile(error, [50, 90, 100])
        pipe.send(dict(zip(SHOWN, [*used, memory, *map(float, spread)], strict=True)))


def cpu_seconds() -> float:
    """Processor time of this process and its children."""
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def start(name: str, spacing: float):
    """A tool's end of the pipe, or None where it is not installed."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=work, args=(name, there), daemon=True).start()
    there.close()
    here.send(spacing)
    try:
        return here if here.recv() == "ready" else None
    except EOFError:
        print(f"{name} is not installed or did not start; left out")
        return None


def main() -> None:
    """Run the suites and print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    parser.add_argument("--suites", nargs="*", default=["ct", "multimodal"])
    parser.add_argument("--spacing", type=float, default=2.0, help="voxel of the cases, mm")
    how = parser.parse_args()
    pipes = {name: start(name, how.spacing) for name in ["ctharmony", *how.peers]}
    pipes = {name: pipe for name, pipe in pipes.items() if pipe}
    rows = {}
    for suite in how.suites:
        for number in range(how.cases):
            names = list(pipes)[number % len(pipes) :] + list(pipes)[: number % len(pipes)]
            for name in names:
                pipes[name].send((number, suite))
                rows.setdefault((suite, name), []).append(pipes[name].recv())
    for pipe in pipes.values():
        pipe.send(None)
    print_results(rows, how.suites)


def print_results(rows: dict, suites: list[str]) -> None:
    """The table as markdown, then the summary over the first suite."""
    print("| suite | tool | n | " + " | ".join(SHOWN) + " | failures |")
    print("|---|---|---|" + "---|" * (len(SHOWN) + 1))
    table = {}
    for (suite, name), found in rows.items():
        middle = {key: float(np.median([row[key] for row in found])) for key in SHOWN}
        middle["tre_max_mm"] = max(row["tre_max_mm"] for row in found)
        middle["failures"] = sum(row["tre_median_mm"] > FAILED_MM for row in found)
        table[suite, name] = middle
        cells = " | ".join(f"{middle[key]:.3g}" for key in SHOWN)
        print(f"| {suite} | {name} | {len(found)} | {cells} | {middle['failures']} |")
    own = table[suites[0], "ctharmony"]
    good = {
        name: figures
        for (suite, name), figures in table.items()
        if suite == suites[0]
        and name != "ctharmony"
        and figures["tre_median_mm"] <= own["tre_median_mm"]
    }
    best = min(good, key=lambda name: good[name]["cpu_s"]) if good else None
    ratio = good[best]["cpu_s"] / own["cpu_s"] if best else None
    keys = ("tre_median_mm", "tre_max_mm", "failures")
    print(json.dumps({"cpu_ratio_best_peer": ratio, "best_peer": best} | {k: own[k] for k in keys}))


if __name__ == "__main__":
    main()
