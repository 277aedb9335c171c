"""Section on agreement: every method in one table, and where a baseline does better than ours."""

from collections.abc import Mapping

import pandas as pd

from ctharmony.evaluation import figures
from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report import plots
from ctharmony.evaluation.report.blocks import (
    Cell,
    Drawing,
    Section,
    Table,
    Text,
    download,
    drawing,
    file_name,
    table,
)
from ctharmony.evaluation.report.record import ModelRecord, StudyRecord
from ctharmony.evaluation.report.words import (
    BOUNDS,
    Estimate,
    direction,
    estimate,
    method_label,
    metric_label,
    number,
    unit_name,
    written,
)

AGREEMENT = (
    "paired_mae_hu", "clean_mae_hu", "paired_rmse_hu", "paired_psnr_db", "paired_ssim",
    "tissue_shift_hu", "nps_distance", "noise_sd_ratio", "laa950_bias_points", "perc15_bias_hu",
    "lung_volume_bias_ml", "nodule_volume_bias_mm3",
)  # fmt: skip
DRAWN = ("paired_mae_hu", "clean_mae_hu", "nps_distance")
BIASES = {
    "laa950_bias_points": "percentage points", "perc15_bias_hu": "HU", "lung_volume_bias_ml": "ml",
    "nodule_volume_bias_mm3": "mm3",
}  # fmt: skip
STAGES = ("image", "features", "latent")


def agreement_section(study: StudyRecord, model: ModelRecord, good: float) -> Section:
    """All methods against the same patients' scans on the target scanner.

    Args:
        good: concordance from which a feature counts as reproducible.
    """
    section = Section("agreement", "Agreement with the target scanner",
        "How near every method brings the images to the target scanner's.",
        short="Agreement")  # fmt: skip
    known = set(model.metrics["metric"]) if len(model.metrics) else set()
    names = [name for name in AGREEMENT if name in known]
    if names:
        title = "Agreement of all methods"
        caption = (
            "Mean over all sites but the target, with its 95% confidence interval; biases and "
            "shifts are absolute."
        )
        section.blocks.append(method_table(model.metrics, names, title, caption))
        for name in [name for name in DRAWN if name in known]:
            section.blocks.extend(_forest(model.metrics, name))
        section.blocks.extend(_by_site(model.metrics))
        section.blocks.extend(_biases(model))
    else:
        text = (
            f"No patient of this study was scanned both elsewhere and at {study.target}, and no "
            "truth is known, so agreement cannot be answered."
        )
        section.blocks.append(Text(text, "warning"))
    section.blocks.extend(_concordance(model, good))
    return section


def method_table(metrics: pd.DataFrame, names: list[str], title: str, caption: str) -> Table:
    """Methods down, metrics across; the best is marked, and every baseline that beats ours."""
    own = metrics[metrics["metric"].isin(names)]
    methods = sorted(dict.fromkeys(own["method"]), key=lambda m: (m in BOUNDS, m == OURS))
    values = {(name, m): _anywhere(own, name, m) for name in names for m in methods}
    rows = []
    for method in methods:
        head = Cell(method_label(method), "ours" if method == OURS else "")
        rows.append([head, *(judged(values, name, method) for name in names)])
    headings = [f"{metric_label(name)}{_in_brackets(own, name)}" for name in names]
    marks = (
        " Star: best of its column. Triangle: better than ours. A bound that reads the truth does "
        "not compete."
    )
    columns = ["method", *headings]
    return Table(title, caption + marks, columns, rows, download(own), file_name(title))


def judged(values: Mapping[tuple[str, str], Estimate | None], name: str, method: str) -> Cell:
    """A method's cell with its mark: best of its column, or better than ours."""
    value, sign = values[name, method], direction(name)
    if value is None:
        return Cell("–")
    if not value.known:
        return Cell("not available")
    marks = []
    if sign and method not in BOUNDS:
        rivals = [
            v.value
            for (n, m), v in values.items()
            if n == name and m not in BOUNDS and v and v.known
        ]
        ours = values.get((name, OURS))
        if sign * value.value >= max(sign * rival for rival in rivals):
            marks.append("best")
        if ours and ours.known and sign * value.value > sign * ours.value:
            marks.append("beats")
    return Cell(written(value, with_unit=False), " ".join(marks), repr(value.value))


def _anywhere(own: pd.DataFrame, metric: str, method: str) -> Estimate | None:
    found = (estimate(own, metric, method, stage) for stage in STAGES)
    return next((value for value in found if value is not None), None)


def _in_brackets(own: pd.DataFrame, name: str) -> str:
    units = own.loc[own["metric"] == name, "unit"].dropna()
    unit = unit_name(units.iloc[0]) if len(units) else ""
    return f" ({unit})" if unit else ""


def _forest(metrics: pd.DataFrame, name: str) -> list[Drawing]:
    own, rows = metrics[metrics["metric"] == name], []
    for method in dict.fromkeys(own["method"]):
        value = _anywhere(own, name, method)
        if value is not None and value.known:
            bounds = {"low": value.low, "high": value.high, "ours": method == OURS}
            rows.append({"label": method_label(method), "value": value.value, **bounds})
    if len(rows) < 2:
        return []
    rows.sort(key=lambda row: -direction(name) * row["value"])
    label = metric_label(name) + _in_brackets(own, name)
    better = "left" if direction(name) < 0 else "right"
    caption = (
        f"{label}: mean and 95% interval of every method, best first; further {better} is better."
    )
    return [drawing(figures.intervals(rows, label), f"{label} of every method", caption)]


def _by_site(metrics: pd.DataFrame) -> list[Table]:
    own = metrics[(metrics["metric"] == "paired_mae_hu") & (metrics["site"] != "all")]
    if own.empty:
        return []
    methods, rows = list(dict.fromkeys(own["method"])), []
    for site in dict.fromkeys(own["site"]):
        found = {m: estimate(own, "paired_mae_hu", m, "image", site) for m in methods}
        rows.append({"site": site} | {m: written(value, False) for m, value in found.items()})
    labels = {"site": "site"} | {m: method_label(m) for m in methods}
    caption = (
        "Mean absolute error in HU to the same patients on the target scanner. At the target "
        "itself it is the error between two scans of one patient, the least that noise allows."
    )
    return [table("Error by site (HU)", caption, pd.DataFrame(rows), labels, own)]


def _biases(model: ModelRecord) -> list[Drawing]:
    """Bland-Altman (Lancet 1986) against the truth: each scan's difference, by method."""
    paired, found = model.tables.get("paired", pd.DataFrame()), []
    limits = model.tables.get("bland_altman", pd.DataFrame())
    if not {"metric", "method", "value"} <= set(paired.columns):
        return []
    for name, unit in BIASES.items():
        rows = paired[(paired["metric"] == name) & paired["value"].notna()]
        if rows.empty:
            continue
        groups = {method_label(m): own["value"] for m, own in rows.groupby("method", sort=False)}
        label = f"{metric_label(name)} ({unit})"
        caption = (
            f"Difference of every scan to the truth; bars are medians, the dashed line is no bias. "
            f"{_limits(limits, name, unit)}"
        )
        found.append(drawing(plots.strips(groups, label, 0.0), f"{label} of every scan", caption))
    return found


def _limits(limits: pd.DataFrame, name: str, unit: str) -> str:
    if not {"metric", "method", "site", "bias", "lower", "upper"} <= set(limits.columns):
        return ""
    rows = limits[(limits["metric"] == name) & (limits["site"] == "all")]
    told = [
        f"{method_label(row.method)} {number(row.bias)} [{number(row.lower)}, {number(row.upper)}]"
        for row in rows.itertuples()
        if row.method in ("none", OURS)
    ]
    return f"Bias with its limits of agreement in {unit}: {'; '.join(told)}." if told else ""


def _concordance(model: ModelRecord, good: float) -> list[Drawing | Table | Text]:
    frame = model.tables.get("feature_agreement", pd.DataFrame())
    if not {"feature", "method", "ccc"} <= set(frame.columns) or frame["ccc"].dropna().empty:
        text = "Reproducibility of radiomic features: not known without patients seen twice."
        return [Text(text, "note")]
    groups = {
        method_label(m): own["ccc"].dropna() for m, own in frame.groupby("method", sort=False)
    }
    caption = (
        "Concordance correlation coefficient (CCC) of every radiomic feature between the target's "
        "scan and another site's scan of the same patient; 1 is equal, features at the dashed "
        f"line ({good:g}) or above count as reproducible. Bars are medians."
    )
    figure = plots.strips(groups, "CCC", good)
    labels = {"feature": "feature", "method": "method", "ccc": "CCC", "icc": "ICC", "n": "pairs"}
    listed = table("Agreement of features", "One row per feature and method.", frame, labels, frame)
    return [drawing(figure, "CCC of every radiomic feature", caption), listed]
