"""Ingestion against plain dcm2niix on the same series, in alternating runs.

`python tests/benchmarks/ingest.py [--slices 300] [--repeats 3] [--real SERIES ...]`; the last line
is JSON. dcm2niix is called as a user calls it (`-z y`: compressed like ours, by pigz where that is
installed, else by its own code) and once without compression. `convert` is `read_source` and the
writing of the volume, `whole` is all that ingest does: masks, quality, physics, tables. A NIfTI is
held against dcm2niix on the DICOM series of the same scan. Ratios are of CPU seconds, those of
child processes included: on a shared machine the clock tells how busy the others are. Peak memory
is that of a process of its own that ingests one scan.
"""

import argparse
import json
import logging
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import dcm2niix
import numpy as np
import pydicom
import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from ctharmony.io.candidates import Taken
from ctharmony.io.ingest import ingest_batch, read_source
from ctharmony.io.volumes import write_volume
from ctharmony.jobs.ingest import make_intake

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["ingest"]
TAKEN = Taken.from_config(SETTINGS)
AFFINE = np.diag([0.7, 0.7, 1.0, 1.0])


def chest(slices: int, side: int = 512) -> np.ndarray:
    """(slices, side, side) int16 HU, rows from anterior: a body with fat, lungs, spine, noise."""
    random = np.random.default_rng(1)
    y, x = np.meshgrid(*[np.linspace(-1, 1, side, dtype=np.float32)] * 2, indexing="ij")
    still = np.full((side, side), -1000.0, dtype=np.float32)
    still[(x / 0.90) ** 2 + (y / 0.65) ** 2 < 1] = -100
    still[(x / 0.84) ** 2 + (y / 0.58) ** 2 < 1] = 40
    still[((np.abs(x) - 0.42) / 0.28) ** 2 + (y / 0.45) ** 2 < 1] = -850
    still[(x / 0.10) ** 2 + ((y - 0.45) / 0.1) ** 2 < 1] = 450
    volume = np.empty((slices, side, side), dtype=np.int16)
    for picture in volume:
        picture[:] = np.rint(still + 15 * random.standard_normal(still.shape, dtype=np.float32))
    return np.maximum(volume, -1024)


def write_series(folder: Path, hu: np.ndarray, slopes: tuple[float, ...] = (1.0,)) -> Path:
    """A single-frame series, 1 mm slices of 0.7 mm pixels; slices take the slopes in turn."""
    folder.mkdir()
    common = common_tags()
    for index, picture in enumerate(hu):
        slope = slopes[index % len(slopes)]
        item = Dataset()
        item.update(common)
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.file_meta.MediaStorageSOPClassUID = CTImageStorage
        item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        item.InstanceNumber = index + 1
        item.ImagePositionPatient = [-179.2, -179.2, float(index)]
        item.Rows, item.Columns = picture.shape
        item.RescaleSlope, item.RescaleIntercept = slope, -1024
        item.PixelData = np.rint((picture + 1024) / slope).astype(np.int16).tobytes()
        pydicom.dcmwrite(folder / f"{index:04d}.dcm", item, enforce_file_format=True)
    return folder


def common_tags() -> Dataset:
    """What all slices of a series share."""
    item = Dataset()
    item.SOPClassUID, item.Modality, item.Manufacturer = CTImageStorage, "CT", "SIEMENS"
    item.SeriesInstanceUID, item.StudyInstanceUID = generate_uid(), generate_uid()
    item.FrameOfReferenceUID, item.PatientID, item.StudyID = generate_uid(), "0", "1"
    item.ManufacturerModelName, item.ConvolutionKernel = "Sensation 16", "B30f"
    item.KVP, item.SliceThickness, item.SeriesNumber = 120, 1, 2
    item.ImageType, item.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS"
    item.ImageOrientationPatient, item.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.7, 0.7]
    item.PhotometricInterpretation, item.SamplesPerPixel = "MONOCHROME2", 1
    item.BitsAllocated, item.BitsStored, item.HighBit, item.PixelRepresentation = 16, 16, 15, 1
    return item


def plain(source: Path, out: Path, packed: str) -> None:
    """dcm2niix as a user calls it."""
    command = [dcm2niix.bin, "-z", packed, "-f", "plain", "-o", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)


def convert(source: Path, out: Path) -> None:
    """What ingest does to get a volume in RAS and HU onto the disk."""
    scan = read_source(source, "", TAKEN.rule, TAKEN.limits)
    write_volume(out / "ours.nii.gz", scan.hu, scan.affine)


def whole(source: Path, out: Path) -> None:
    """The whole of ingest: conversion, masks, quality and physics, tables."""
    names = ("north", "b0000", "reference")
    intake = make_intake(SETTINGS, names, out, logging.getLogger("ctharmony"))
    ingest_batch([{"scan": "s", "subject": "p", "path": str(source)}], intake)


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def alternating(tasks: dict, repeats: int) -> dict[str, list[tuple[float, float]]]:
    """(CPU, wall) seconds of each task, all in turn, after one turn that does not count."""
    found = {name: [] for name in tasks}
    for turn in range(repeats + 1):
        for name, task in tasks.items():
            with tempfile.TemporaryDirectory() as folder:
                began = cpu_seconds(), time.perf_counter()
                task(Path(folder))
                spent = cpu_seconds() - began[0], time.perf_counter() - began[1]
            print(f"turn {turn}: {name} {spent[0]:.2f} s CPU, {spent[1]:.2f} s", file=sys.stderr)
            if turn:
                found[name].append(spent)
    return found


def own_peak_mb() -> float:
    """Peak memory of this process, MB; `ru_maxrss` would begin with its parent's."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def peak_mb(source: Path) -> int:
    """Peak memory of a process that ingests one scan and nothing else, MB."""
    command = [sys.executable, __file__, "--one", str(source)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return round(float(done.stdout.strip().splitlines()[-1]))


def compared(name: str, source: Path, series: Path, repeats: int) -> dict:
    """One row: times, rates, and CPU ratios to dcm2niix on `series` in the same turn."""
    tasks = {"dcm2niix": partial(plain, series, packed="y")}
    tasks |= {"uncompressed": partial(plain, series, packed="n")}
    tasks |= {"convert": partial(convert, source), "whole": partial(whole, source)}
    found = alternating(tasks, repeats)
    files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    row = {"source": name, "mb": round(megabytes, 1), "n": repeats}
    for index, unit in enumerate(("cpu_s", "wall_s")):
        row |= {
            f"{key}_{unit}": round(statistics.median(pair[index] for pair in pairs), 2)
            for key, pairs in found.items()
        }
    row["scans_per_min"] = round(60 / row["whole_cpu_s"], 1)
    row["mb_per_s"] = round(megabytes / row["whole_cpu_s"], 1)
    turns = [{key: found[key][turn][0] for key in found} for turn in range(repeats)]
    ratios = {
        "convert_ratio": [turn["convert"] / turn["dcm2niix"] for turn in turns],
        "quality_ratio": [(turn["whole"] - turn["convert"]) / turn["dcm2niix"] for turn in turns],
        "whole_ratio": [turn["whole"] / turn["dcm2niix"] for turn in turns],
    }
    row |= {key: round(statistics.median(values), 2) for key, values in ratios.items()}
    return row | {"peak_mb": peak_mb(source)}


def hard_to_hold(folder: Path, hu: np.ndarray) -> dict[str, int]:
    """Peak MB of the same scan where it takes most: float64, a rescale that varies by slice."""
    write_volume(folder / "float64.nii.gz", hu[:, ::-1], AFFINE, np.float64)
    write_series(folder / "rescale", hu, slopes=(1.0, 0.5))
    return {name: peak_mb(folder / name) for name in ("float64.nii.gz", "rescale")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--real", type=Path, nargs="*", default=[], help="DICOM series, one more row each"
    )
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.one:
            whole(given.one, folder)
            print(own_peak_mb())
            return
        hu = chest(given.slices)
        series = write_series(folder / "series", hu)
        write_volume(folder / "volume.nii.gz", hu[:, ::-1], AFFINE)
        peaks = hard_to_hold(folder, hu)
        print(peaks, file=sys.stderr)
        del hu
        rows = [compared("DICOM", series, series, given.repeats)]
        rows += [compared("NIfTI", folder / "volume.nii.gz", series, given.repeats)]
    for path in given.real:
        rows.append(compared(path.name, path, path, given.repeats))
    print(json.dumps({"rows": rows, "peak_mb": peaks}))


if __name__ == "__main__":
    main()
