"""Reads slices and pictures of scans to be shown, and chooses which."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.io.volumes import read_volume
from ctharmony.quality.shown import Place, choose_scans, chosen_slices

LOGGER = logging.getLogger("ctharmony")


def places(directories: Iterable[str], ending: str) -> dict[Place, Path]:
    """(site, scan) -> file `{scan}{ending}` of every scan in the batch folders."""
    found = {}
    for directory in map(Path, directories):
        for path in sorted(directory.glob(f"*{ending}")):
            found[directory.parent.name, path.name.removesuffix(ending)] = path
    return found


def example_slices(before: Path, after: Path, count: int) -> list[dict[str, Any]]:
    """Slices of a scan before and after, spread over the lungs (or the body without lungs).

    Args:
        before: the ingested scan; its mask lies beside it as `{scan}_mask.nii.gz`.
        after: the harmonized scan on the same grid.
        count: how many slices.

    Returns:
        Dicts with before, after, mask (rows, columns), spacing (dy, dx) mm, position, slices.
    """
    first, second = read_volume(before), read_volume(after)
    mask = _mask(before, first.hu.shape)
    return [
        {
            "before": first.hu[index].copy(),
            "after": second.hu[index].copy(),
            "mask": mask[index].copy(),
            "spacing": first.spacing[1:],
            "position": index + 1,
            "slices": len(mask),
        }
        for index in chosen_slices(mask, count)
    ]


def middle_slice(path: Path) -> np.ndarray:
    """(rows, columns) HU of the slice in the middle of the lungs, or of the body."""
    volume = read_volume(path)
    return volume.hu[chosen_slices(_mask(path, volume.hu.shape), 1)[0]].copy()


def _mask(scan: Path, shape: tuple[int, ...]) -> np.ndarray:
    path = scan.with_name(scan.name.replace(".nii.gz", "_mask.nii.gz"))
    if not path.is_file():
        return np.ones(shape, dtype=np.uint8)
    return read_volume(path).hu.astype(np.uint8)


def examples(
    scans: pd.DataFrame, given: Any, settings: Any, model: str, target: str
) -> list[dict[str, Any]]:
    """Slices before and after; a scan that cannot be read is left out and logged.

    Args:
        scans: rows with site, scan, subject.
        given: lists of batch folders `ingested` and `harmonized`.
        settings: example_scans, example_total, example_slices.
        model: whose harmonized scans are shown; target: site that comes last.
    """
    per_site, total = settings.example_scans, settings.example_total
    found = _both(given, model)
    chosen = choose_scans(scans, found, per_site, total, target)
    return _shown(found, chosen, model, settings.example_slices)


def page_examples(
    scans: pd.DataFrame, given: Any, settings: Any, model: str
) -> list[dict[str, Any]]:
    """One slice before and after of up to `scan_pictures` scans; arguments as for `examples`."""
    found, count = _both(given, model), settings.scan_pictures
    return _shown(found, choose_scans(scans, found, count, count), model, 1)


def _both(given: Any, model: str) -> dict[Place, tuple[Path, Path]]:
    """(site, scan) -> files before and after harmonization by `model`."""
    before = _scans(given.ingested)
    own = [folder for folder in given.harmonized if Path(folder).parts[-3] == model]
    after = places(own, ".nii.gz")
    return {place: (before[place], path) for place, path in after.items() if place in before}


def _shown(
    found: Mapping[Place, tuple[Path, Path]], chosen: Iterable[Place], model: str, count: int
) -> list[dict[str, Any]]:
    return [
        {"site": site, "scan": scan, "model": model, **content}
        for site, scan in chosen
        for content in _tried(example_slices, *found[site, scan], count)
    ]


def thumbnails(scans: pd.DataFrame, given: Any, settings: Any) -> list[dict[str, Any]]:
    """A slice in HU of some scans of every site; arguments as for `examples`."""
    found = _scans(given.ingested)
    count = settings.thumbnails_per_site
    return [
        {"site": place[0], "scan": place[1], "hu": hu}
        for place in sorted(choose_scans(scans, found, count, count * settings.example_total))
        for hu in _tried(middle_slice, found[place])
    ]


def registration_pictures(scans: pd.DataFrame, given: Any, settings: Any) -> list[dict[str, Any]]:
    """The PNG pictures that `register` drew of some scans; arguments as for `examples`."""
    found = places(given.registered, ".png")
    count = settings.registration_pictures_per_site
    return [
        {"site": place[0], "scan": place[1], "png": found[place].read_bytes()}
        for place in sorted(choose_scans(scans, found, count, count * settings.example_total))
    ]


def _scans(directories: Iterable[str]) -> dict[Place, Path]:
    found = places(directories, ".nii.gz")
    return {place: path for place, path in found.items() if not place[1].endswith("_mask")}


def _tried(read: Any, *arguments: Any) -> list[Any]:
    try:
        found = read(*arguments)
    except ValueError as error:
        LOGGER.warning("no picture: %s", error)
        return []
    return found if isinstance(found, list) else [found]
