"""Quality control: how far the sites lie apart, and every site's scans by themselves."""

import numpy as np
import pandas as pd

from ctharmony.evaluation.report import plots
from ctharmony.evaluation.report.blocks import (
    Drawing,
    Gallery,
    Section,
    Table,
    Text,
    data_uri,
    drawing,
    table,
)
from ctharmony.evaluation.report.pictures import encode, radiological, window
from ctharmony.evaluation.report.record import ReportSettings, StudyRecord

THUMBNAIL_PIXELS = 160
DISTANCES = {
    "js_nats": ("js_p", "Jensen-Shannon divergence of the sites' histograms (nats)",
        "0 is alike, 0.693 (log 2) is nothing in common."),
    "wasserstein_hu": ("wasserstein_p", "Wasserstein distance of the sites' histograms (HU)",
        "How many HU the grey values of one site must be moved, on average, to become the "
        "other's."),
}  # fmt: skip
PANELS = {
    "histogram": ("HU", "probability per 10 HU", True),
    "nps": ("cycles/mm", "NPS (HU² mm²)", True),
    "mtf": ("cycles/mm", "MTF", False),
}


def divergence_blocks(study: StudyRecord) -> list[Table]:
    """A matrix of all pairs of sites for each distance, with p-values; empty for one site."""
    return [
        _matrix(study.divergences, column, p, title, reading)
        for column, (p, title, reading) in DISTANCES.items()
        if len(study.divergences)
    ]


def _matrix(frame: pd.DataFrame, column: str, p: str, title: str, reading: str) -> Table:
    names = list(dict.fromkeys([*frame["site_a"], *frame["site_b"]]))
    found = {(row["site_a"], row["site_b"]): row for _, row in frame.iterrows()}
    rows = []
    for first in names:
        cells = {"site": first}
        for second in names:
            row = found.get((first, second), found.get((second, first)))
            cells[second] = "" if row is None else _with_p(row[column], row[p])
        rows.append(cells)
    caption = (
        f"{reading} In brackets the p-value: how often sites dealt anew, by subject, lie as far "
        "apart. Before harmonization; patients differ, too, so a small p alone does not blame "
        "the scanner."
    )
    labels = {name: name for name in ("site", *names)}
    return table(title, caption, pd.DataFrame(rows), labels, frame)


def _with_p(value: float, p: float) -> str:
    return f"{value:.3g}" if not np.isfinite(p) else f"{value:.3g} (p {p:.3f})"


def site_quality_section(study: StudyRecord, settings: ReportSettings) -> Section:
    """Every site by itself: what needs a look, curves of each scan, small pictures."""
    section = Section("site-quality", "Quality control of each site",
        "What came in from every site, scan by scan, before anything was mended.",
        short="Site QC")  # fmt: skip
    for site in study.site_names:
        section.blocks.append(_to_look_at(study, site))
        section.blocks.extend(_curves(study, site))
        section.blocks.extend(_thumbnails(study, site, settings))
    return section


def _to_look_at(study: StudyRecord, site: str) -> Table | Text:
    """The site's scans that were set aside, warned of, or stand out."""
    rows = pd.DataFrame(columns=["scan", "status", "reason"])
    if {"status", "reason"} <= set(study.scans.columns):
        own = study.scans[study.scans["site"] == site]
        rows = own.loc[own["status"].isin(["set_aside", "warned"]), ["scan", "status", "reason"]]
    if "outlier" in study.outliers:
        out = study.outliers[(study.outliers["site"] == site) & study.outliers["outlier"]]
        rows = pd.concat([rows, out.assign(status="outlier")[["scan", "status", "reason"]]])
    if rows.empty:
        return Text(f"{site}: every scan came in, and none stands out.", "note")
    caption = "Set aside: not used. Warned: used, mended on the way. Outlier: unlike its site."
    labels = {name: name for name in rows.columns}
    return table(f"{site}: scans to look at", caption, rows, labels, rows)


def _curves(study: StudyRecord, site: str) -> list[Drawing]:
    if "curve" not in study.curves:
        return []
    own = study.curves[(study.curves["site"] == site) & study.curves["y"].notna()]
    marked = set()
    if "outlier" in study.outliers:
        marked = set(study.outliers.loc[study.outliers["outlier"], "scan"])
    panels = {}
    for name, (x, y, log) in PANELS.items():
        part = own[own["curve"] == name]
        if len(part):
            wide = part.pivot(index="scan", columns="x", values="y")
            panels[name] = (wide, (x, y, log))
    if not panels:
        return []
    caption = (
        f"{site}: HU histogram inside the body, noise power spectrum in soft tissue and "
        "modulation transfer at the skin, one line per scan. Dashed lines are outliers."
    )
    figure = plots.of_each_scan(panels, marked)
    return [drawing(figure, f"Histogram, NPS and MTF of each scan of {site}", caption, wide=True)]


def _thumbnails(study: StudyRecord, site: str, settings: ReportSettings) -> list[Gallery]:
    pictures = [picture for picture in study.thumbnails if picture.site == site]
    if not pictures:
        return []
    preset = settings.windows.get("soft_tissue") or next(iter(settings.windows.values()))
    items = []
    for picture in pictures:
        grey = window(radiological(picture.hu), preset["level"], preset["width"])
        jpeg = encode(grey, THUMBNAIL_PIXELS, settings.jpeg_quality)
        items.append((data_uri(jpeg, "image/jpeg"), f"{picture.site}: {picture.scan}"))
    caption = (
        f"A slice of some scans of {site}, window level {preset['level']:g} HU, width "
        f"{preset['width']:g} HU; the patient's right is at the left."
    )
    return [Gallery(caption, items)]
