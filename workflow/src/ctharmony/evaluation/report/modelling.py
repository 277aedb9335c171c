"""Section on the model: what it learned, what its latents carry, whether it collapsed."""

import numpy as np
import pandas as pd

from ctharmony.evaluation import figures
from ctharmony.evaluation.report import plots
from ctharmony.evaluation.report.blocks import Drawing, Section, Table, Text, drawing, table
from ctharmony.evaluation.report.record import OURS, ModelRecord, StudyRecord
from ctharmony.evaluation.report.words import Estimate, metric_label, unit_name, written

INFORMATION = (
    "rate_nats", "distortion_nats", "mutual_information_nats", "marginal_kl_nats",
    "total_correlation_nats", "active_units", "js_saturation", "mig", "sap",
    "dci_disentanglement", "dci_completeness", "dci_informativeness",
)  # fmt: skip
READING = {
    "rate_nats": "nats that the latent spends on a scan",
    "distortion_nats": "nats the decoder still misses",
    "mutual_information_nats": "nats the latent really tells of the scan; near 0 is collapse",
    "marginal_kl_nats": "how far the latents as a whole lie from the prior",
    "total_correlation_nats": "dependence among latent dimensions; 0 is independent",
    "active_units": "latent dimensions that carry information; 0 is collapse",
    "js_saturation": "share of site pairs whose JS is at log 2, where it has no gradient",
}


def model_section(study: StudyRecord, model: ModelRecord) -> Section:
    """Objective terms over the epochs, information in the latents, priors of the sites."""
    several = len(study.models) > 1
    title = f"Model: {model.name}" if several else "Model"
    section = Section(f"model-{model.name}", title,
        "How training went, what the latents carry, and whether they collapsed.")  # fmt: skip
    section.blocks.extend(_histories(model))
    section.blocks.append(_information(model))
    section.blocks.extend(_latents(study, model))
    section.blocks.extend(_priors(model))
    section.blocks.extend(_card(model))
    return section


def _histories(model: ModelRecord) -> list[Drawing | Text]:
    history = model.history
    if not {"epoch", "term", "split", "value"} <= set(history.columns) or history.empty:
        return [Text("No training history was kept.", "note")]
    found = []
    units = history["unit"].fillna("") if "unit" in history else pd.Series("", index=history.index)
    for unit in dict.fromkeys(units):
        rows = history[units == unit]
        panels = {}
        for (term, split), own in rows.groupby(["term", "split"], sort=False):
            panels.setdefault(str(term), {})[str(split)] = (
                own["epoch"].to_numpy(),
                own["value"].to_numpy(float),
            )
        figure = plots.histories(panels, unit_name(unit) or "value")
        caption = (
            f"Terms of the objective over the epochs, in {unit_name(unit) or 'their own unit'}. "
            "Training and validation should fall together; a gap that widens is overfitting, and a "
            "KL that stays at 0 is a latent that is not used."
        )
        terms = ", ".join(name.replace("_", " ") for name in panels)
        found.append(drawing(figure, f"Curves of {terms} over the epochs", caption, wide=True))
    return found


def _information(model: ModelRecord) -> Table | Text:
    metrics = model.metrics
    names = ("metric", "stage", "value", "ci_low", "ci_high", "unit")
    own = metrics[metrics["metric"].isin(INFORMATION)] if len(metrics) else metrics
    if own.empty:
        return Text("Rate, distortion and information in the latents were not measured.", "note")
    rows = [
        {
            "measure": metric_label(row.metric),
            "of": row.stage if row.site == "all" else f"{row.stage}, {row.site}",
            "value": written(Estimate(row.value, row.ci_low, row.ci_high, row.unit)),
            "reading": READING.get(row.metric, "1 is best") if row.metric in INFORMATION else "",
        }
        for row in own.itertuples()
        if row.method in (OURS, model.name)
    ]
    labels = {"measure": "measure", "of": "of", "value": "value", "reading": "how to read it"}
    caption = "Information in the latents, in nats where it is one; dimensionless else."
    full = own[[name for name in names if name in own]]
    return table("Information in the latents", caption, pd.DataFrame(rows), labels, full)


def _latents(study: StudyRecord, model: ModelRecord) -> list[Drawing]:
    found = []
    kinds = {
        "z_s_": (
            "scanner latent z_s",
            "Sites should form separate groups: z_s is meant to hold the scanner.",
        ),
        "z_b_": (
            "biology latent z_b",
            "Sites should lie on top of one another: z_b is meant to be free of the scanner.",
        ),
    }
    for prefix, (name, reading) in kinds.items():
        columns = [c for c in model.latents.columns if c.startswith(prefix)]
        values = model.latents[columns].to_numpy(float) if columns else np.empty((0, 0))
        usable = np.isfinite(values).all(axis=1) if columns else np.empty(0, bool)
        if usable.sum() < 3:
            continue
        points, shares = principal(values[usable])
        sites = model.latents.loc[usable, "site"].to_numpy()
        groups = {s: (points[sites == s, 0], points[sites == s, 1]) for s in study.site_names}
        labels = [f"component {k + 1} ({share:.0%} of variance)" for k, share in enumerate(shares)]
        figure = figures.scatter({n: g for n, g in groups.items() if len(g[0])}, *labels)
        caption = f"Every scan's {name} on its first two principal components. {reading}"
        found.append(drawing(figure, f"Scatter of the {name} by site", caption))
    return found


def principal(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First two principal components and their shares of variance.

    Args:
        values: (scans, dimensions).

    Returns:
        (scans, 2) scores, signs fixed by the largest loading, and (2,) shares from 0 to 1.
    """
    centred = values - values.mean(axis=0)
    left, strength, right = np.linalg.svd(centred, full_matrices=False)
    scores, shares = np.zeros((len(values), 2)), np.zeros(2)
    for k in range(min(2, len(strength))):
        sign = np.sign(right[k, np.abs(right[k]).argmax()]) or 1.0
        scores[:, k] = left[:, k] * strength[k] * sign
        shares[k] = strength[k] ** 2 / max(float((strength**2).sum()), 1e-30)
    return scores, shares


def _priors(model: ModelRecord) -> list[Table]:
    rows = []
    for site, content in model.priors.items():
        for key, value in flat(content).items():
            rows.append({"site": site, "quantity": key, "value": value})
    if not rows:
        return []
    frame = pd.DataFrame(rows)
    wide = frame.pivot_table(
        index="quantity", columns="site", values="value", sort=False, aggfunc="first"
    )
    wide = wide.reset_index()
    caption = "What the model holds of each site: its scanner prior p(z_s | site) and its operator."
    return [table("Site priors and operators", caption, wide, {c: str(c) for c in wide}, wide)]


def flat(content: object, name: str = "") -> dict[str, object]:
    """Nested mappings as dotted names; numbers and words stay, long lists become their range."""
    if isinstance(content, dict):
        found = {}
        for key, value in content.items():
            found |= flat(value, f"{name}.{key}" if name else str(key))
        return found
    if isinstance(content, list | tuple):
        numbers = np.array([v for v in content if isinstance(v, int | float)], dtype=float)
        if len(content) <= 8 and len(numbers) == len(content):
            return {name: ", ".join(f"{v:.3g}" for v in numbers)}
        if len(numbers) and np.isfinite(numbers).any():
            return {
                name: f"{len(content)} values, {np.nanmin(numbers):.3g} to {np.nanmax(numbers):.3g}"
            }
        return {name: f"{len(content)} values"}
    return {name: content}


def _card(model: ModelRecord) -> list[Table]:
    rows = [{"key": key, "value": value} for key, value in flat(dict(model.card)).items()]
    if not rows:
        return []
    frame = pd.DataFrame(rows)
    labels = {"key": "entry", "value": "value"}
    return [
        table(
            f"Model card of {model.name}",
            "Everything the model says of itself.",
            frame,
            labels,
            frame,
        )
    ]


def rate_distortion_section(study: StudyRecord) -> Section | None:
    """Models of a sweep against one another; None for a single model."""
    if len(study.models) < 2:
        return None
    section = Section("models", "Models compared",
        "What each model of the sweep spends (rate) and misses (distortion).")  # fmt: skip
    points, rows = {}, []
    for model in study.models:
        own = (
            model.metrics[model.metrics["method"].isin([OURS, model.name])]
            if len(model.metrics)
            else model.metrics
        )
        value = dict(zip(own["metric"], own["value"], strict=True)) if len(own) else {}
        keys = ("rate_nats", "distortion_nats", "paired_mae_hu", "site_auc_forest", "active_units")
        rows.append({"model": model.name} | {key: value.get(key, np.nan) for key in keys})
        if np.isfinite([value.get(k, np.nan) for k in keys[:2]]).all():
            points[model.name] = ([value["rate_nats"]], [value["distortion_nats"]])
    if points:
        figure = figures.scatter(points, "rate (nats)", "distortion (nats)", labelled=True)
        caption = "Lower left is better; models along one curve trade detail for a simpler latent."
        section.blocks.append(drawing(figure, "Rate against distortion of each model", caption))
    frame = pd.DataFrame(rows)
    labels = {"model": "model"} | {k: f"{metric_label(k)}" for k in frame.columns if k != "model"}
    section.blocks.append(table("Models", "One row per model.", frame, labels, frame))
    return section
