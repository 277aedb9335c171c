"""Seconds and memory to harmonize one chest of 512 x 512 x 300 voxels, network included.

    python tests/benchmarks/harmonization.py [--slices 300] [--threads 1]

Each part runs in a process of its own, so that its peak memory is its own. Last line: JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPACING = (1.0, 0.7, 0.7)
SIDE = 512


def measure(part: str, slices: int, threads: int) -> dict[str, float]:
    """Run one part: `physics` (no network) or `network` (the decoder tells mean from residual)."""
    sys.path[:0] = [str(ROOT / "tests" / "support")]
    import numpy as np
    import torch
    import yaml

    from ctharmony.harmonization.settings import TransportSettings
    from ctharmony.harmonization.transport import Decoded, transport
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
    loaded = peak_mb()
    wall, processor = time.perf_counter(), time.process_time()
    decoded = None
    if part == "network":
        prior = np.zeros(model_settings.network.scanner_dimensions)
        target = prior if settings.decoder_trust else None
        decoded = Decoded(*model.decode(hu, SPACING, prior, target))
    transport(hu, SPACING, pair, settings, decoded)
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
    """Measure both parts and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--part", choices=["physics", "network"])
    given = parser.parse_args()
    if given.part:
        print(json.dumps(measure(given.part, given.slices, given.threads)))
        return
    found = {}
    for part in ("physics", "network"):
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
