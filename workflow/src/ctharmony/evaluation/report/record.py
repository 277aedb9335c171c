"""What the report is told: tables and a few pictures, already read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

Demonstration = tuple[Mapping[str, pd.DataFrame], Mapping[str, bytes]]


@dataclass(frozen=True)
class ReportSettings:
    """The config block `report`.

    Attributes:
        example_scans: scans per site shown before and after; example_slices: slices of each.
        example_total: most scans shown before and after in the whole report, and most sites
            with small pictures.
        scan_pictures: most scans whose page shows a slice before, after and its change.
        thumbnails_per_site: small pictures per site; registration_pictures_per_site: QC pictures.
        picture_pixels: longest side of a picture, pixels; jpeg_quality: 1 to 95.
        windows: name -> {level, width}, HU.
        change_limit_hu: change at which the change map's colour is full, HU.
        auc_limit: probe AUC up to which the scanner counts as gone.
        biology_loss: loss of R2 or AUC up to which a factor counts as kept.
        coverage_limit: share of the template covered under which a registration is doubted.
        tissue_shift_limit_hu: shift of a tissue's mean that is warned of, HU.
        few: n under which an estimate is called weak.
        ccc_threshold: concordance from which a feature counts as reproducible.
    """

    example_scans: int
    example_slices: int
    example_total: int
    scan_pictures: int
    thumbnails_per_site: int
    registration_pictures_per_site: int
    picture_pixels: int
    jpeg_quality: int
    windows: Mapping[str, Mapping[str, float]]
    change_limit_hu: float
    auc_limit: float
    biology_loss: float
    coverage_limit: float
    tissue_shift_limit_hu: float
    few: int
    ccc_threshold: float


@dataclass(frozen=True)
class Example:
    """One slice of one scan before and after.

    Attributes:
        before, after: (rows, columns) HU on the scan's own grid (RAS: rows grow to anterior).
        mask: (rows, columns) 0 outside, 1 body, 2 lung.
        spacing: (dy, dx) mm; position: slice number counted from the feet, from 1, of `slices`.
    """

    site: str
    scan: str
    model: str
    before: np.ndarray
    after: np.ndarray
    mask: np.ndarray
    spacing: tuple[float, float]
    position: int
    slices: int


@dataclass(frozen=True)
class Picture:
    """A slice (rows, columns) in HU, or an encoded PNG, of one scan."""

    site: str
    scan: str
    hu: np.ndarray | None = None
    png: bytes | None = None


@dataclass(frozen=True)
class ModelRecord:
    """One model's tables; each may be empty.

    Attributes:
        metrics: metric, method, stage, site, value, ci_low, ci_high, unit, n.
        tables: every other table of the evaluation by name; figures: PNG bytes by name.
        history: epoch, term, split, value, unit; card: the model card; priors: site -> its file.
        harmonized, latents: one row per scan over all batches.
        traversals: PNG and WebP bytes by file name.
    """

    name: str
    metrics: pd.DataFrame = field(default_factory=pd.DataFrame)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, bytes] = field(default_factory=dict)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    card: Mapping[str, Any] = field(default_factory=dict)
    priors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    harmonized: pd.DataFrame = field(default_factory=pd.DataFrame)
    latents: pd.DataFrame = field(default_factory=pd.DataFrame)
    traversals: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyRecord:
    """A study's outcome. `models` is in config order; the first one is spoken of in the verdict.

    `aim`: what results look like, the target's scanner (target) or the reference sites' middle
    (barycentre); paired errors are against the target either way.

    `examples` are shown large, `page_examples` small on their scans' pages.
    `demonstrations`: name -> (tables, figures as PNG) of the divergence study, where it was run.
    """

    study: str
    target: str
    sites: tuple[Mapping[str, Any], ...]
    models: tuple[ModelRecord, ...]
    aim: str = "target"
    scans: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    outliers: pd.DataFrame = field(default_factory=pd.DataFrame)
    divergences: pd.DataFrame = field(default_factory=pd.DataFrame)
    registration: pd.DataFrame = field(default_factory=pd.DataFrame)
    baselines: pd.DataFrame = field(default_factory=pd.DataFrame)
    examples: tuple[Example, ...] = ()
    page_examples: tuple[Example, ...] = ()
    thumbnails: tuple[Picture, ...] = ()
    registration_pictures: tuple[Picture, ...] = ()
    demonstrations: Mapping[str, Demonstration] = field(default_factory=dict)

    @property
    def site_names(self) -> list[str]:
        """Sites in sheet order."""
        return [str(site["site"]) for site in self.sites]
