"""Seconds and memory to harmonize one chest of 512 x 512 x 300 voxels, network included.

    python tests/benchmarks/harmonization.py [--slices 300] [--threads 1]

Each part runs in a process of its own, so that its peak memory is its own. Last line: JSON.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPACING = (1.0, 0.7, 0.7)
SIDE = 512
PARTS = ("physics", "network", "files")


def measure(part: str, slices: int, threads: int) -> dict[str, float]:
    """Run one part.

    `physics` has no network; in `network` the decoder tells mean from residual; `files` is the same
    with its scan and mask read from .nii.gz and its three volumes written.
    """
    sys.path[:0] = [str(ROOT / "tests" / "support")]
    import numpy as np
    import torch
    import yaml

    from ctharmony.harmonization.settings import TransportSettings
    from ctharmony.harmonization.transport import Decoded, transport
    from ctharmony.io.registered import read_masked
    from ctharmony.io.volumes import write_volume
    from ctharmony.model.inference import TrainedModel
    from ctharmony.model.settings import Settings
    from ctharmony.model.vae import FactorisedVAE
    from scanners import scanner

    torch.set_num_threads(threads)
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    settings = TransportSettings.from_dict(config["harmonization"]["transport"])
    model_settings = Settings.from_dict(config["model"])
    network = FactorisedVAE(model_settings, 2)
    model = TrainedModel.from_parts(model_settings, ["a", "b"], network.state_dict())
    hu = np.random.default_rng(0).normal(0, 30, (slices, SIDE, SIDE)).astype(np.float32)
    pair = scanner(0.3, 3000.0), scanner(0.6, 2000.0)
    folder = Path(tempfile.mkdtemp())
    affine = np.diag([*SPACING[::-1], 1.0])
    write_volume(folder / "scan.nii.gz", hu, affine)
    write_volume(folder / "scan_mask.nii.gz", hu > 0, affine, np.uint8)
    loaded = peak_mb()
    wall, processor = time.perf_counter(), time.process_time()
    if part == "files":
        hu = read_masked(folder, "scan")[0].hu
    decoded = None
    if part != "physics":
        prior = np.zeros(model_settings.network.scanner_dimensions)
        target = prior if settings.decoder_trust else None
        decoded = Decoded(*model.decode(hu, SPACING, prior, target))
    result = transport(hu, SPACING, pair, settings, decoded)
    if part == "files":
        for name in ("hu", "change", "uncertainty"):
            write_volume(folder / f"{name}.nii.gz", getattr(result, name), affine)
    shutil.rmtree(folder)
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - processor,
        "peak_mb": peak_mb(),
        "before_mb": loaded,
    }


def peak_mb() -> float:
    """Peak resident memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main() -> None:
    """Measure every part and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--part", choices=PARTS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(measure(given.part, given.slices, given.threads)))
        return
    found = {}
    for part in PARTS:
        command = [sys.executable, __file__, "--part", part, "--slices", str(given.slices)]
        threads = {"OMP_NUM_THREADS": str(given.threads)}
        done = subprocess.run(
            [*command, "--threads", str(given.threads)], check=True, capture_output=True,
            text=True, env={**os.environ, **threads},
        )  # fmt: skip
        found[part] = json.loads(done.stdout.splitlines()[-1])
        numbers = ", ".join(f"{name} {value:.1f}" for name, value in found[part].items())
        print(f"{part:8} {given.slices} slices, {given.threads} thread: {numbers}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
