"""Virtual scans on disk: a DICOM series each, and NIfTI of their truth."""

from pathlib import Path
from typing import Protocol

import numpy as np
from pydicom.dataset import Dataset

from ctharmony.io.volumes import write_volume


class VirtualScan(Protocol):
    """What is written of a virtual scan.

    Attributes:
        scan: id; datasets: its DICOM slices.
        target, clean: (slices, rows, columns) HU of its truth, None without.
        affine: (4, 4) of their grid, mm.
    """

    scan: str
    datasets: list[Dataset]
    target: np.ndarray | None
    clean: np.ndarray | None
    affine: np.ndarray


def write_simulated(folder: Path, scan: VirtualScan) -> None:
    """Write dicom/<scan>/0001.dcm ... and, where known, truth/<scan>_target and _clean."""
    series = folder / "dicom" / scan.scan
    series.mkdir(parents=True)
    for number, dataset in enumerate(scan.datasets, start=1):
        dataset.save_as(series / f"{number:04d}.dcm", enforce_file_format=True)
    for name, volume in (("target", scan.target), ("clean", scan.clean)):
        if volume is not None:
            write_volume(folder / "truth" / f"{scan.scan}_{name}.nii.gz", volume, scan.affine)
