"""A newcomer's archive: folders of small scans as a hospital might hand them over."""

import shutil
from pathlib import Path

import numpy as np

from ctharmony.io.files import write_json
from ctharmony.io.volumes import write_volume
from study import ROOT
from synthetic import SCANNERS, scan

TAGS = {
    "north": {"Manufacturer": "SIEMENS", "ConvolutionKernel": "B30f", "KVP": 120},
    "south": {"Manufacturer": "GE MEDICAL SYSTEMS", "ConvolutionKernel": "BONE", "KVP": 120},
    "west": {"Manufacturer": "Philips", "ConvolutionKernel": "B", "KVP": 100},
}


def write_archive(folder: Path, sites: tuple[str, ...], patients: int = 2) -> Path:
    """`folder/<site>/sub-<k>/scan.nii.gz` with sidecars; north also holds a broken file."""
    for site in sites:
        for number in range(patients):
            found = scan(site, 10 * len(site) + number, field_mm=192.0, slices=5)
            place = folder / site / f"sub-{number:02d}" / f"sub-{number:02d}_ct"
            affine = np.diag([SCANNERS[site].pixel_mm, SCANNERS[site].pixel_mm, 5.0, 1.0])
            write_volume(f"{place}.nii.gz", found.hu, affine)
            write_json(f"{place}.json", TAGS[site])
    if "north" in sites:
        (folder / "north" / "broken.nii.gz").write_bytes(b"nothing")
    return folder


def working_folder(folder: Path) -> Path:
    """A folder with the clone's config/, where commands can be run as in the clone."""
    shutil.copytree(ROOT / "config", folder / "config")
    return folder
