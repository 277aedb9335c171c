"""Disk: bytes that each stage of a finished study left, per scan and per voxel of a scan.

Run: python tests/benchmarks/disk.py results/demo
The last line is JSON: stage -> bytes per scan and per voxel.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np

# kinds of a harmonized scan's files; the rest is the scan itself
BESIDE = ("change", "uncertainty", "template")


def voxels_of(results: Path) -> list[int]:
    """Voxels of every ingested scan."""
    paths = sorted(results.glob("ingested/*/*/*.nii.gz"))
    return [int(np.prod(nib.load(p).shape)) for p in paths if not p.name.endswith("_mask.nii.gz")]


def stage_of(path: Path, results: Path) -> str:
    """The stage's folder, with the method of a baseline and the kind of a harmonized file."""
    parts = path.relative_to(results).parts
    if parts[0] == "baselines" and path.suffix == ".gz":
        return f"baselines/{path.parent.name}"
    kind = path.name.removesuffix(".nii.gz").rpartition("_")[2]
    if parts[0] == "harmonized" and kind in BESIDE:
        return f"harmonized/{kind}"
    return parts[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    results = parser.parse_args().results
    voxels, found = voxels_of(results), Counter()
    for path in results.rglob("*"):
        if path.is_file():
            found[stage_of(path, results)] += path.stat().st_size
    scans, total = len(voxels), sum(voxels)
    rows = {stage: {"mb_per_scan": round(size / scans / 1e6, 3),
                    "bytes_per_voxel": round(size / total, 3)}
            for stage, size in sorted(found.items())}  # fmt: skip
    for stage, row in rows.items():
        print(f"{stage:32}", *(f"{value:9.3f} {name}" for name, value in row.items()))
    print(json.dumps({"scans": scans, "megavoxels": round(total / 1e6, 1), **rows}))


if __name__ == "__main__":
    main()
