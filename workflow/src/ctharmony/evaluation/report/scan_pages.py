"""A page for every scan: what was measured of it, how it was placed, changed and encoded.

The pages lie in the report as data and are built when they are opened, so that a thousand of them
cost a reader nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.evaluation.report.blocks import Section, Text, cell, data_uri
from ctharmony.evaluation.report.evidence import SIDES, maps_of
from ctharmony.evaluation.report.pictures import (
    body_box,
    change_colours,
    encode,
    radiological,
    window,
)
from ctharmony.evaluation.report.record import Example, ModelRecord, ReportSettings, StudyRecord
from ctharmony.evaluation.report.words import spoken

PAGE_PIXELS = 224  # longest side of a page's pictures
QUALITY = 75  # of their JPEG
KEYS = ("site", "batch", "scan")
FAR = 3.0  # RMS distance of z_s from its site's prior, SDs, beyond which a scan is strange


@dataclass(frozen=True)
class Pages:
    """All pages; `data` is one mapping per scan: name, status, parts, pictures."""

    data: list[dict[str, Any]]
    kind: str = "pages"


def scan_section(study: StudyRecord, settings: ReportSettings) -> Section | None:
    """Every scan by itself, and those unlike what the model has seen."""
    if study.scans.empty:
        return None
    section = Section("scans", "Every scan",
        "One page per scan: quality, transform, change, evidence, latents. Open a scan to see it.",
        short="Scans")  # fmt: skip
    section.blocks.append(_strange(study))
    first = study.models[0]
    pictures = {(e.site, e.scan): _strip(e, first, settings) for e in study.page_examples}
    tables = {"Quality": study.scans, "Transform": study.registration}
    for model in study.models:
        tables[f"Harmonization, {model.name}"] = model.harmonized
        tables[f"Latents, {model.name}"] = model.latents
    found = {title: _by_scan(table) for title, table in tables.items()}
    data = []
    for row in study.scans[["site", "scan"]].itertuples(index=False):
        parts = [
            {"title": title, "rows": _rows(own[tuple(row)])}
            for title, own in found.items()
            if tuple(row) in own
        ]
        status = found["Quality"][tuple(row)].get("status", "")
        name = f"{row.site} / {row.scan}"
        page = {"name": name, "status": str(status), "parts": parts}
        data.append(page | {"pictures": pictures.get(tuple(row), [])})
    section.blocks.append(Pages(data))
    return section


def _by_scan(table: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    if not {"site", "scan"} <= set(table.columns):
        return {}
    return {(row["site"], row["scan"]): row for row in table.to_dict("records")}


def _rows(row: dict[str, Any]) -> list[list[str]]:
    """Label and text of everything that is known of a scan."""
    known = {name: value for name, value in row.items() if name not in KEYS and value == value}
    return [
        [spoken(name), cell(value).text]
        for name, value in known.items()
        if value is not None and str(value) != ""
    ]


def _strip(example: Example, model: ModelRecord, settings: ReportSettings) -> list[list[str]]:
    """Before, after and change of one slice, and where site and trait are read in it, small."""
    rows, columns = body_box(example.mask)
    cut = (radiological(p[rows, columns]) for p in (example.before, example.after, example.mask))
    before, after, mask = cut
    preset = settings.windows.get("soft_tissue") or next(iter(settings.windows.values()))
    change = change_colours(np.where(mask > 0, after - before, 0), settings.change_limit_hu)
    shown = {
        "as scanned": window(before, preset["level"], preset["width"]),
        "harmonized": window(after, preset["level"], preset["width"]),
        f"change, full colour at {settings.change_limit_hu:g} HU": change,
    }
    maps = maps_of(model, example)
    for question, pair in (maps.pictures(example, preset) if maps else {}).items():
        full = f"orange tells it, blue misleads, full colour at {maps.limits[question]:.2f} nats"
        for side, picture in zip(SIDES.values(), pair, strict=True):
            shown[f"evidence of the {spoken(question)}, {side}, {full}"] = picture
    aspect = example.spacing[0] / example.spacing[1]
    return [
        [name, data_uri(encode(picture, PAGE_PIXELS, QUALITY, aspect), "image/jpeg")]
        for name, picture in shown.items()
    ]


def _strange(study: StudyRecord) -> Text:
    """Scans whose z_s lies far from its site's prior, and outliers of their site's quality."""
    told = [f"{name} (z_s {distance:.1f} SD from its site)" for name, distance in far_scans(study)]
    if "outlier" in study.outliers:
        marked = study.outliers[study.outliers["outlier"].astype(bool)]
        told += [f"{row.site} / {row.scan} ({row.reason})" for row in marked.itertuples()]
    total = len(study.scans)
    if not told:
        return Text(f"Out of distribution: none of {total} scans.", "note")
    listed = "; ".join(told)
    return Text(f"Out of distribution, {len(told)} findings in {total} scans: {listed}.", "warning")


def far_scans(study: StudyRecord) -> list[tuple[str, float]]:
    """(site / scan, RMS distance in SDs) of scans beyond FAR under the first model's priors."""
    model = study.models[0]
    columns = [name for name in model.latents.columns if str(name).startswith("z_s_")]
    found = []
    for row in model.latents.to_dict("records") if columns else ():
        prior = model.priors.get(row["site"], {})
        mean, spread = (np.asarray(prior.get(k, ()), float) for k in ("prior_mean", "prior_logvar"))
        values = np.array([row[name] for name in columns], dtype=float)
        if len(mean) != len(values) or len(spread) != len(values):
            continue
        distance = float(np.sqrt(np.mean((values - mean) ** 2 / np.exp(spread))))
        if distance > FAR:
            found.append((f"{row['site']} / {row['scan']}", distance))
    return found
