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
        labels: same shape, its tissues.
        affine: (4, 4) of their grid, mm.
    """

    scan: str
    datasets: list[Dataset]
    target: np.ndarray | None
    clean: np.ndarray | None
    labels: np.ndarray
    affine: np.ndarray


def write_simulated(folder: Path, scan: VirtualScan) -> None:
    """Write dicom/<scan>/0001.dcm ..., truth/<scan>_labels and, where known, _target and _clean."""
    series = folder / "dicom" / scan.scan
    series.mkdir(parents=True)
    for number, dataset in enumerate(scan.datasets, start=1):
        dataset.save_as(series / f"{number:04d}.dcm", enforce_file_format=True)
    start = folder / "truth" / scan.scan
    write_volume(f"{start}_labels.nii.gz", scan.labels, scan.affine, np.uint8)
    for name, volume in (("target", scan.target), ("clean", scan.clean)):
        if volume is not None:
            write_volume(f"{start}_{name}.nii.gz", volume, scan.affine)
