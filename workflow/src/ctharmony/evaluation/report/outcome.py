"""Sections on what harmonization did: images, agreement, site signal, biology, distances."""

import math

import numpy as np
import pandas as pd

from ctharmony.evaluation import figures
from ctharmony.evaluation.report.blocks import (
    Cell,
    Comparison,
    Drawing,
    Section,
    Table,
    Text,
    View,
    data_uri,
    download,
    drawing,
    file_name,
    table,
)
from ctharmony.evaluation.report.pictures import (
    body_box,
    change_colours,
    encode,
    radiological,
    window,
)
from ctharmony.evaluation.report.record import (
    OURS,
    Example,
    ModelRecord,
    ReportSettings,
    StudyRecord,
)
from ctharmony.evaluation.report.verdict import BIOLOGY, PROBES, changes
from ctharmony.evaluation.report.words import (
    BOUNDS,
    STAGES,
    Estimate,
    direction,
    estimate,
    method_label,
    metric_label,
    unit_name,
    written,
)

AGREEMENT = (
    "paired_mae_hu", "clean_mae_hu", "paired_rmse_hu", "paired_psnr_db", "paired_ssim",
    "tissue_shift_hu", "nps_distance", "laa950_bias_points", "perc15_bias_hu", "ccc_share_085",
)  # fmt: skip
DISTANCES = ("js_nats", "wasserstein_hu")


def harmonization_section(study: StudyRecord, settings: ReportSettings) -> Section:
    """What the images look like before and after, and by how much they changed."""
    section = Section("harmonization", "Before and after",
        "What harmonization did to the images, slice by slice.")  # fmt: skip
    for example in study.examples:
        section.blocks.append(_comparison(example, settings))
    if not study.examples:
        section.blocks.append(Text("No harmonized scan could be shown.", "note"))
    for model in study.models:
        if len(model.harmonized):
            labels = {
                name: name.replace("_hu", " (HU)").replace("_", " ") for name in model.harmonized
            }
            caption = (
                "Change of every scan inside the body; scans at the target should change least."
            )
            title = f"Change by scan ({model.name})"
            section.blocks.append(table(title, caption, model.harmonized, labels, model.harmonized))
    return section


def _comparison(example: Example, settings: ReportSettings) -> Comparison:
    rows, columns = body_box(example.mask)
    before, after = (radiological(p[rows, columns]) for p in (example.before, example.after))
    aspect = example.spacing[0] / example.spacing[1]

    def picture(hu: np.ndarray, preset: dict[str, float]) -> str:
        grey = window(hu, preset["level"], preset["width"])
        return data_uri(
            encode(grey, settings.picture_pixels, settings.jpeg_quality, aspect), "image/jpeg"
        )

    views = [
        View(name.replace("_", " "), picture(before, preset), picture(after, preset))
        for name, preset in settings.windows.items()
    ]
    inside = radiological(example.mask[rows, columns]) > 0
    colours = change_colours(np.where(inside, after - before, 0), settings.change_limit_hu)
    change = encode(colours, settings.picture_pixels, 0, aspect)
    title = f"{example.site}, {example.scan}, slice {example.position} of {example.slices}"
    moved = np.abs(after - before)[inside] if inside.any() else np.zeros(1)
    caption = (
        f"Left of the divider as scanned, right of it harmonized ({example.model}). In this slice "
        f"the body changed by {moved.mean():.1f} HU on average. In the change map red became "
        f"brighter, blue darker, full colour at {settings.change_limit_hu:g} HU."
    )
    return Comparison(title, views, data_uri(change, "image/png"), caption,
                      before.shape[1], round(before.shape[0] * aspect))  # fmt: skip


def agreement_section(model: ModelRecord) -> Section:
    """All methods in one table, and where a baseline does better than ours."""
    section = Section("agreement", "Agreement with the target scanner",
        "How near every method brings the images to the target scanner's, with 95% intervals.")  # fmt: skip
    metrics = model.metrics
    known = set(metrics["metric"]) if len(metrics) else set()
    names = [name for name in AGREEMENT if name in known]
    if not names:
        text = "No patient was scanned at two sites and no truth is known, so agreement cannot be answered."
        section.blocks.append(Text(text, "warning"))
        return section
    section.blocks.append(method_table(metrics, names, "image", "Agreement of all methods"))
    for name in [n for n in names if n in ("paired_mae_hu", "clean_mae_hu", "nps_distance")]:
        section.blocks.extend(_forest(metrics, name))
    section.blocks.extend(_by_site(metrics))
    return section


def method_table(metrics: pd.DataFrame, names: list[str], stage: str, title: str) -> Table:
    """Methods down, metrics across; the best is marked, and every baseline that beats ours."""
    own = metrics[metrics["metric"].isin(names)]
    methods = sorted(dict.fromkeys(own["method"]), key=lambda m: (m in BOUNDS, m == OURS))
    values = {(n, m): _anywhere(own, n, m, stage) for n in names for m in methods}
    rows = []
    for method in methods:
        head = Cell(method_label(method), "ours" if method == OURS else "")
        rows.append([head, *(_judged(values, name, method) for name in names)])
    headings = [f"{metric_label(n)}{_in_brackets(own, n)}" for n in names]
    caption = (
        "Mean with its 95% confidence interval. Bold with a star: best of its column. Triangle: a "
        "baseline that does better than ours. An upper bound that reads the truth does not compete."
    )
    return Table(title, caption, ["method", *headings], rows, download(own), file_name(title))


def _anywhere(own: pd.DataFrame, metric: str, method: str, stage: str) -> Estimate | None:
    for place in (stage, "features", "image", "latent"):
        found = estimate(own, metric, method, place)
        if found is not None:
            return found
    return None


def _judged(values: dict, name: str, method: str) -> Cell:
    value, sign = values[name, method], direction(name)
    if value is None:
        return Cell("–")
    if not value.known:
        return Cell("not available")

    def score(estimate: Estimate) -> float:
        return sign * estimate.value if sign else -abs(estimate.value)

    rivals = [v for (n, m), v in values.items() if n == name and m not in BOUNDS and v and v.known]
    ours = values.get((name, OURS))
    best = method not in BOUNDS and score(value) >= max(score(v) for v in rivals)
    beats = method not in (OURS, *BOUNDS) and ours and ours.known and score(value) > score(ours)
    mark = "best" if best else "beats" if beats else ""
    if best and beats:
        mark = "best beats"
    return Cell(written(value, with_unit=False), mark, repr(value.value))


def _in_brackets(own: pd.DataFrame, name: str) -> str:
    units = own.loc[own["metric"] == name, "unit"].dropna()
    unit = unit_name(units.iloc[0]) if len(units) else ""
    return f" ({unit})" if unit else ""


def _forest(metrics: pd.DataFrame, name: str) -> list[Drawing]:
    own = metrics[metrics["metric"] == name]
    rows = []
    for method in dict.fromkeys(own["method"]):
        value = _anywhere(own, name, method, "image")
        if value is not None and value.known:
            rows.append({"label": method_label(method), "value": value.value, "low": value.low,
                         "high": value.high, "ours": method == OURS})  # fmt: skip
    if len(rows) < 2:
        return []
    rows.sort(key=lambda row: -direction(name) * row["value"])
    label = metric_label(name) + _in_brackets(own, name)
    better = "left" if direction(name) < 0 else "right"
    figure = figures.intervals(rows, label)
    caption = (
        f"{label}: mean and 95% interval of every method; further {better} is better. Ours in blue."
    )
    return [drawing(figure, f"{label} of every method", caption)]


def _by_site(metrics: pd.DataFrame) -> list[Table]:
    own = metrics[(metrics["metric"] == "paired_mae_hu") & (metrics["site"] != "all")]
    if own.empty:
        return []
    rows = []
    for site in dict.fromkeys(own["site"]):
        row = {"site": site}
        for method in dict.fromkeys(own["method"]):
            row[method] = written(estimate(own, "paired_mae_hu", method, "image", site), False)
        rows.append(row)
    frame = pd.DataFrame(rows)
    labels = {c: "site" if c == "site" else method_label(c) for c in frame.columns}
    caption = (
        "Mean absolute error in HU to the target scanner's scans of the same patients, by site."
    )
    return [table("Error by site (HU)", caption, frame, labels, own)]


def probes_section(model: ModelRecord) -> Section:
    """Site probes and biology probes, before and after."""
    section = Section("probes", "Scanner gone, patient kept",
        "What a classifier can still read: the site (should fall) and the patient (should stay).")  # fmt: skip
    metrics = model.metrics
    site = changes(metrics, (*PROBES, "maker_auc_", "kernel_auc_"))
    biology = changes(metrics, BIOLOGY)
    section.blocks.extend(_dumbbells(site, "area under the ROC curve", 0.5,
        "Can the site be told? Hollow circle before, diamond after with its 95% interval; the "
        "dashed line is a guess. Diamonds should move left to it.", "site probe"))  # fmt: skip
    section.blocks.extend(_dumbbells(biology, "R2 or area under the ROC curve", None,
        "Can the patient's traits be read? Diamonds should stay where the circles are; left of "
        "them biology was lost.", "biology probe"))  # fmt: skip
    names = [n for n in dict.fromkeys(metrics.get("metric", []))
             if n.startswith((*PROBES, *BIOLOGY, "maker_auc_", "kernel_auc_", "effect_bias_"))]  # fmt: skip
    for stage in [s for s in STAGES if len(metrics) and names]:
        rows = metrics[(metrics["stage"] == stage) & metrics["metric"].isin(names)]
        if len(rows):
            section.blocks.append(_probe_table(rows, stage))
    return section


def _dumbbells(found: list, x: str, reference: float | None, caption: str, what: str) -> list:
    if not found:
        return [Text(f"No {what} is known both before and after.", "note")]
    rows = [
        {"label": f"{metric_label(c.metric)}, {c.stage}", "before": c.before.value,
         "after": c.after.value, "low": c.after.low, "high": c.after.high}
        for c in found
    ]  # fmt: skip
    return [
        drawing(figures.dumbbells(rows, x, reference), f"Every {what} before and after", caption)
    ]


def _probe_table(rows: pd.DataFrame, stage: str) -> Table:
    methods = list(dict.fromkeys(rows["method"]))
    body = []
    for name in dict.fromkeys(rows["metric"]):
        values = [estimate(rows, name, method, stage) for method in methods]
        size = next((v.n for v in values if v and math.isfinite(v.n)), math.nan)
        cells = [
            Cell(written(v, False) if v else "–", "ours" if m == OURS else "")
            for m, v in zip(methods, values, strict=True)
        ]
        body.append(
            [Cell(metric_label(name)), *cells, Cell(f"{size:.0f}" if size == size else "–")]
        )
    title = f"Probes on {STAGES.get(stage, stage)}"
    caption = "Out of fold, split by subject, with 95% bootstrap intervals; n is the number of scans or subjects."
    return Table(
        title,
        caption,
        ["probe", *(method_label(m) for m in methods), "n"],
        body,
        download(rows),
        file_name(title),
    )


def distance_section(study: StudyRecord, model: ModelRecord) -> Section:
    """Distances between the sites' distributions as matrices, before and after."""
    section = Section("distances", "Distance between sites",
        "How far apart the sites' grey values lie, before and after.")  # fmt: skip
    frame = next(
        (t for n, t in model.tables.items() if {"site_a", "site_b"} <= set(t.columns)), None
    )
    if frame is None:
        section.blocks.append(
            Text("Distances between sites were not measured pair by pair.", "note")
        )
    else:
        section.blocks.extend(_matrices(study, frame))
    names = [n for n in DISTANCES if len(model.metrics) and n in set(model.metrics["metric"])]
    if names:
        section.blocks.append(
            method_table(model.metrics, names, "image", "Distance of all methods")
        )
    return section


def _matrices(study: StudyRecord, frame: pd.DataFrame) -> list[Drawing]:
    """One drawing per measure; the frame has site_a, site_b, measure, method, value, unit."""
    found = []
    for (metric, unit), own in frame.groupby(["metric", "unit"], sort=False):
        tables = {}
        for method in [m for m in ("none", OURS) if m in set(own["method"])]:
            rows = own[own["method"] == method]
            wide = rows.pivot_table(index="site_a", columns="site_b", values="value")
            wide = wide.reindex(index=study.site_names, columns=study.site_names).to_numpy()
            tables["before" if method == "none" else "after"] = np.where(
                np.isnan(wide), wide.T, wide
            )
        label = f"{metric_label(metric)} ({unit_name(unit)})"
        caption = f"{label} for every pair of sites; darker is further apart, and after should be lighter."
        found.append(
            drawing(figures.matrices(tables, study.site_names, label), label, caption, True)
        )
    return found
