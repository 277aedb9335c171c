"""Trivial cues give a site away until the pipeline takes them: what reaches the probes has none.

Two sites with the same scanner scan different patients of one population. The west stores its
scans with another pixel size, matrix, slice count and slice distance, with a table in view and
another value outside its circle, each of which names the site on its own. Probes see images on the
template's grid inside the mask (`register`), where none of this is left; or features measured in
mm inside the masks of values clipped as `ingest` clips them (`evaluation.image_features`), to which
matrix, slice count, table and corners must not shine through. (A coarser pixel does: it truly
takes away the highest frequencies.)
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from ctharmony.evaluation.feature_row import FeatureSettings
from ctharmony.evaluation.image_features import image_features
from ctharmony.evaluation.probes import ProbeSettings, Sample, probe
from ctharmony.phantom.cohort import Study
from ctharmony.quality.masks import MaskSettings, segment
from ctharmony.registration.resampling import OUTSIDE_HU, Grid, resample
from ctharmony.settings import features_block
from virtual_study import SMALL, pixels, scan_row

PATIENTS = 9
GRID = {"matrix": 256, "field_of_view_mm": 320.0, "slices": 4, "slab_mm": 24.0}
RAYS = {"views": 160, "detector_pitch_mm": 1.0, "object_pixel_mm": 1.2, "object_slice_mm": 2.5}
PADDING_HU, TABLE_HU, TABLE_MM, GAP_MM = -2000.0, -250.0, 4.0, 6.0
PROBE = ProbeSettings(
    folds=3, minimum_subjects=3, linear_c=1.0, forest_trees=40, bootstrap_repeats=100,
    permutations=60, seed=1,
)  # fmt: skip
TEMPLATE = Grid((4, 100, 130), np.array([[2.0, 0, 0, -129], [0, 2.0, 0, -99], [0, 0, 4.0, -6],
                                         [0, 0, 0, 1]]))  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """A stored scan: HU (slices, rows, columns) from back to front, its affine, its site."""

    hu: np.ndarray
    affine: np.ndarray
    site: str
    subject: str

    @property
    def spacing(self) -> tuple[float, float, float]:
        return tuple(np.diag(self.affine)[[2, 1, 0]].tolist())


@pytest.fixture(scope="module")
def plain(scanners: dict) -> list[Scan]:
    """PATIENTS of each site as the one scanner that both have shows them."""
    quiet = {**scanners["alpine"], "mas": 200.0}
    found = []
    for site in ("east", "west"):
        study = Study({"site": site, "scanner": "alpine"}, quiet, quiet,
                      {**SMALL, **GRID, **RAYS}, 9)  # fmt: skip
        for number in range(1, PATIENTS + 1):
            subject = f"{site}-{number:02d}"
            shown = study.scan(scan_row(site, subject))
            hu = (pixels(shown)[:, ::-1, ::-1] - 1024.0).astype(np.float32)
            found.append(Scan(hu, shown.affine, site, subject))
    return found


def dressed(scan: Scan, pixel_mm: float = 1.25, distance_mm: float = 6.0) -> Scan:
    """The scan as the west stores it: a slice fewer or more, a wider picture, table, padding."""
    slices = 3 if distance_mm == 6.0 else 5
    affine = np.diag([pixel_mm, pixel_mm, distance_mm, 1.0])
    size = round(360.0 / pixel_mm)
    affine[:3, 3] = [-pixel_mm * (size - 1) / 2, -pixel_mm * (size - 1) / 2, scan.affine[2, 3]]
    hu = resample(scan.hu, scan.affine, np.eye(4), Grid((slices, size, size), affine), 1, -1000.0)
    back = int(np.flatnonzero((hu > -300).sum(axis=(0, 2)) > 20)[0])
    top, bottom = (back - round(depth / pixel_mm) for depth in (GAP_MM, GAP_MM + TABLE_MM))
    hu[:, bottom:top, size // 4 : -size // 4] = TABLE_HU
    offset = np.arange(size) - (size - 1) / 2
    hu[:, np.hypot(offset[:, None], offset[None]) > size / 2] = PADDING_HU
    return Scan(hu, affine, scan.site, scan.subject)


@pytest.fixture(scope="module")
def regridded(plain: list[Scan]) -> list[Scan]:
    """The west with all its cues."""
    return [dressed(scan, 1.1, 5.0) if scan.site == "west" else scan for scan in plain]


@pytest.fixture(scope="module")
def same_pixel(plain: list[Scan]) -> list[Scan]:
    """The west with all its cues but those that change what can be resolved."""
    return [dressed(scan) if scan.site == "west" else scan for scan in plain]


@pytest.fixture(scope="module")
def config(root: Path) -> dict:
    return yaml.safe_load((root / "config" / "config.yaml").read_text())


def ingest(scan: Scan, config: dict) -> tuple[Scan, np.ndarray]:
    """A scan clipped as `ingest` clips it, and the labels of its masks."""
    limits = config["ingest"]["input"]
    hu = np.clip(scan.hu, limits["floor_hu"], limits["ceiling_hu"]).astype(np.float32)
    how = MaskSettings(**config["ingest"]["quality"]["masks"])
    return replace(scan, hu=hu), segment(hu, scan.spacing, how)


def cues(hu: np.ndarray, spacing: tuple[float, float, float], body: np.ndarray) -> dict:
    """What can be told of an image without looking at the patient."""
    rows = np.flatnonzero(body.any(axis=(0, 2)))
    behind = hu[:, max(rows[0] - int(12 / spacing[1]), 0) : rows[0]]
    middle = behind[..., behind.shape[-1] // 3 : -(behind.shape[-1] // 3)]
    return {
        "pixel_mm": spacing[1],
        "matrix": hu.shape[1],
        "slices": hu.shape[0],
        "distance_mm": spacing[0],
        "corner_hu": float(hu[:, :6, :6].mean()),
        "table_hu": float(middle.max(axis=1).mean()) if middle.size else OUTSIDE_HU,
    }


def scores(rows: list[dict], scans: list[Scan]) -> dict[str, float]:
    """Out-of-fold AUC of the linear and the forest probe for the site."""
    features = np.array([list(row.values()) for row in rows], float)
    subjects, sites = (np.array([getattr(s, name) for s in scans]) for name in ("subject", "site"))
    sample = Sample(features, subjects, sites)
    return {kind: probe(sample, sites, kind, PROBE).auc.value for kind in ("linear", "forest")}


def test_every_cue_names_the_site_before(regridded, config) -> None:
    rows = []
    for scan in regridded:
        body = ingest(scan, config)[1] > 0
        rows.append(cues(scan.hu, scan.spacing, body))
    for cue in rows[0]:
        found = scores([{cue: row[cue]} for row in rows], regridded)
        assert min(found.values()) > 0.95, (cue, found)


def test_none_is_left_on_the_template_grid(regridded, config) -> None:
    rows = []
    for scan, labels in (ingest(scan, config) for scan in regridded):
        hu = resample(scan.hu, scan.affine, np.eye(4), TEMPLATE, 1)
        body = resample(labels, scan.affine, np.eye(4), TEMPLATE, 0, 0.0) > 0
        seen = np.where(body, hu, OUTSIDE_HU)
        rows.append(cues(seen, (4.0, 2.0, 2.0), body))
    assert scores(rows, regridded) == {"linear": 0.5, "forest": 0.5}


def test_what_the_image_probe_sees_is_at_chance(same_pixel, plain, config) -> None:
    """Features of the evaluation from native grids: chance, and hardly moved by the cues."""
    how = FeatureSettings.from_dict(features_block(config)).image
    rows, bare = (
        [image_features(scan.hu, labels, scan.spacing, how) for scan, labels in given]
        for given in (
            [ingest(scan, config) for scan in same_pixel],
            [ingest(replace(s, hu=s.hu[:3]), config) for s in plain if s.site == "west"],
        )
    )
    found = scores(rows, same_pixel)
    west = [row for row, scan in zip(rows, same_pixel, strict=True) if scan.site == "west"]
    moved = {}
    for name in bare[0]:
        values, others = (np.array([row[name] for row in part]) for part in (west, bare))
        if np.isfinite(others).all():
            moved[name] = float(np.abs(values - others).mean() / others.std())
    # the noise SD is the mode over few blocks, which begin elsewhere in a wider picture
    del moved["image_noise_sd"]
    assert max(moved.values()) < 0.02, moved
    assert max(found.values()) < 0.75, found
