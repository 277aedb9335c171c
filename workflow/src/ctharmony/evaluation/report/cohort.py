"""Sections on what came in: the cohort, the scans' quality, the registration."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctharmony.evaluation.report import plots
from ctharmony.evaluation.report.blocks import (
    Drawing,
    Gallery,
    Section,
    Table,
    Text,
    data_uri,
    drawing,
    finite,
    table,
)
from ctharmony.evaluation.report.pictures import reduced
from ctharmony.evaluation.report.record import Picture, ReportSettings, StudyRecord
from ctharmony.evaluation.report.site_quality import divergence_blocks
from ctharmony.evaluation.report.words import spoken

MANY_SITES = 12  # more lines than this in one figure cannot be told apart
CURVES = {
    "histogram": ("HU", "probability per 10 HU", "log", "HU histogram inside the body",
        "Peaks are air in the lungs, fat and soft tissue. Peaks at different HU, or of different "
        "width, are the scanner's doing as much as the patients'."),
    "nps": ("spatial frequency (cycles/mm)", "noise power (HU\u00b2 mm\u00b2)", "log",
        "Noise power spectrum in soft tissue",
        "Height is the amount of noise, position its grain: a curve that reaches further to the "
        "right is finer grained (a sharp kernel)."),
    "mtf": ("spatial frequency (cycles/mm)", "modulation transfer", "",
        "Modulation transfer function at the body's edges",
        "How much contrast of fine detail survives: 1 is all, 0 none. A curve that falls later "
        "is a sharper image."),
    "spectrum": ("spatial frequency (cycles/mm)", "power (HU\u00b2 mm\u00b2)", "log",
        "Power spectrum of the body, edges included",
        "Anatomy and noise together; what harmonization brings to the target's curve."),
    "lung": ("spatial frequency (cycles/mm)", "power (HU\u00b2 mm\u00b2)", "log",
        "Power spectrum of calm lung, without larger vessels",
        "On the right it is noise alone: how much of it the lung has beside soft tissue differs "
        "from scanner to scanner."),
}  # fmt: skip
NOT_IN_ALL = ("spectrum", "lung")  # missing where a scan shows no body or no lung, unremarked
SCAN_COLUMNS = {
    "site": "site", "scan": "scan", "subject": "subject", "split": "split", "status": "status",
    "reason": "reason", "manufacturer": "maker", "kernel": "kernel", "kvp": "kVp",
    "slice_thickness_mm": "slice (mm)", "slices": "slices", "noise_sd_hu": "noise SD (HU)",
    "mtf50_per_mm": "MTF 50% (/mm)", "contrast_nats": "contrast (nats)",
    "lung_volume_ml": "lungs (ml)", "laa950_percent": "LAA-950 (%)",
}  # fmt: skip


def cohort_section(study: StudyRecord) -> Section:
    """Sites, roles, scans and what was set aside."""
    section = Section("cohort", "Cohort", "Which scans came in, and which could not be used.")
    section.blocks.append(_sites_table(study))
    section.blocks.extend(_set_aside(study))
    if len(study.scans):
        caption = "One row per scan as ingested. Search or sort; the download holds every column."
        section.blocks.append(table("Scans", caption, study.scans, SCAN_COLUMNS, study.scans))
    return section


def _sites_table(study: StudyRecord) -> Table:
    rows = []
    for site in study.sites:
        own = study.scans[study.scans["site"] == site["site"]] if len(study.scans) else study.scans
        count = own["status"].value_counts() if "status" in own else {}
        rows.append({
            "site": site["site"], "role": site.get("role", ""), "scans": len(own),
            "subjects": own["subject"].nunique() if len(own) else 0, "ok": count.get("ok", 0),
            "warned": count.get("warned", 0), "set_aside": count.get("set_aside", 0),
            "kernel": _several(own, "kernel"), "kvp": _several(own, "kvp"),
            "target": "target" if site["site"] == study.target else "",
        })  # fmt: skip
    frame = pd.DataFrame(rows)
    labels = {name: name.replace("_", " ") for name in frame.columns} | {"kvp": "kVp", "target": ""}
    caption = "Reference sites train the model; query sites joined it without retraining."
    return table("Sites", caption, frame, labels, frame)


def _several(frame: pd.DataFrame, column: str) -> str:
    if column not in frame:
        return "unknown"
    seen = [f"{v:g}" if isinstance(v, float) else str(v) for v in frame[column].dropna().unique()]
    return ", ".join(sorted(seen)[:4]) + (" and more" if len(seen) > 4 else "") or "unknown"


def _set_aside(study: StudyRecord) -> list[Table | Text]:
    found = []
    tables = {"ingest": study.scans, "register": study.registration, "baseline": study.baselines}
    tables |= {f"harmonize ({model.name})": model.harmonized for model in study.models}
    for stage, frame in tables.items():
        if "status" in frame:
            rows = frame[frame["status"].isin(["set_aside", "failed", "warned"])].assign(
                stage=stage
            )
            found.append(rows)
    rows = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    if rows.empty:
        return [Text("Every scan passed every stage; none was set aside or warned of.", "note")]
    names = ("stage", "site", "scan", "method", "status", "reason")
    labels = {name: name for name in names if name in rows and rows[name].notna().any()}
    caption = "Scans set aside take no part from that stage on; warned ones do."
    return [table("Set aside and warned", caption, rows, labels, rows[list(labels)])]


def quality_section(study: StudyRecord) -> Section:
    """What the scanners did to the images before anything was mended."""
    section = Section("quality", "Image quality by site",
        "How the scanners differ before harmonization: brightness, noise, sharpness.",
        short="Quality")  # fmt: skip
    for curve, (x, y, log, title, reading) in CURVES.items():
        lines = _site_curves(study, curve)
        if lines:
            figure = plots.curves(lines, x, y, log[:1] and "y")
            caption = f"{title}: median of each site, band from the 10th to the 90th percentile "
            section.blocks.append(drawing(figure, title, f"{caption}of its scans. {reading}"))
        elif curve not in NOT_IN_ALL:
            section.blocks.append(Text(f"{title}: not measured in any scan.", "note"))
    section.blocks.extend(_strip(study, "contrast_nats", "D(histogram || uniform) (nats)",
        "Contrast of each scan: divergence of its HU histogram from a flat one. "
        "Bars are medians; sites at one height use the grey scale alike."))  # fmt: skip
    section.blocks.extend(_strip(study, "noise_sd_hu", "noise SD (HU)",
        "Noise of each scan in soft tissue. Bars are medians."))  # fmt: skip
    section.blocks.extend(divergence_blocks(study))
    return section


def _groups(study: StudyRecord) -> dict[str, list[str]]:
    """Site by site, or by role where there are too many sites for one figure."""
    if len(study.sites) <= MANY_SITES:
        return {name: [name] for name in study.site_names}
    roles: dict[str, list[str]] = {}
    for site in study.sites:
        roles.setdefault(f"{site.get('role', 'all')} sites", []).append(str(site["site"]))
    return roles


def _site_curves(study: StudyRecord, curve: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if "curve" not in study.curves:
        return {}
    rows = study.curves[(study.curves["curve"] == curve) & study.curves["y"].notna()]
    found = {}
    for name, sites in _groups(study).items():
        wide = rows[rows["site"].isin(sites)].pivot_table(
            index=["site", "scan"], columns="x", values="y"
        )
        if curve != "mtf":
            wide = wide.where(wide > 0)
        if wide.size and np.isfinite(wide.to_numpy()).any():
            found[name] = (wide.columns.to_numpy(float), wide.to_numpy(float))
    return found


def _strip(study: StudyRecord, column: str, label: str, caption: str) -> list[Drawing | Text]:
    if column not in study.scans or not finite(study.scans[column].tolist()):
        return [Text(f"{label}: not measured in any scan.", "note")]
    groups = {
        name: study.scans.loc[study.scans["site"].isin(sites), column].to_numpy(float)
        for name, sites in _groups(study).items()
    }
    figure: Figure = plots.strips(groups, label)
    return [drawing(figure, f"{label} of every scan by site", caption)]


def _picture(jpeg: bytes) -> str:
    return data_uri(jpeg, "image/jpeg")


def registration_section(study: StudyRecord, settings: ReportSettings) -> Section:
    """Did every scan come to lie on the template?"""
    section = Section("registration", "Registration",
        "Whether every scan was brought into line with the template.")  # fmt: skip
    frame = study.registration
    if {"mi_before_nats", "mi_after_nats"} <= set(frame.columns):
        pairs = frame[["mi_before_nats", "mi_after_nats"]].to_numpy(float)
        groups = {n: pairs[frame["site"].isin(s)] for n, s in _groups(study).items()}
        caption = (
            "Mutual information I(X;Y) of scan and template before (left) and after (right). Every "
            "line should rise; one that does not is a failed registration."
        )
        figure = plots.slopes(groups, "mutual information (nats)")
        section.blocks.append(drawing(figure, "Mutual information before and after", caption))
    else:
        section.blocks.append(Text("No scan was registered.", "note"))
    if "coverage" in frame and finite(frame["coverage"].tolist()):
        groups = {
            n: frame.loc[frame["site"].isin(s), "coverage"] for n, s in _groups(study).items()
        }
        figure = plots.strips(groups, "share of the template covered", settings.coverage_limit)
        caption = "Share of the template that the scan covers; under the dashed line it is doubted."
        section.blocks.append(drawing(figure, "Coverage of the template by site", caption))
    section.blocks.extend(_registration_pictures(study.registration_pictures, settings))
    if len(frame):
        labels = {name: spoken(name) for name in frame.columns}
        section.blocks.append(
            table("Registration by scan", "One row per scan.", frame, labels, frame)
        )
    return section


def _registration_pictures(
    pictures: tuple[Picture, ...], settings: ReportSettings
) -> list[Gallery]:
    items = [
        (
            _picture(reduced(p.png, settings.picture_pixels, settings.jpeg_quality)),
            f"{p.site}: {p.scan}",
        )
        for p in pictures
        if p.png
    ]
    caption = (
        "Template and scan after registration, and one over the other: outlines should follow one "
        "another."
    )
    return [Gallery(caption, items, large=True)] if items else []
