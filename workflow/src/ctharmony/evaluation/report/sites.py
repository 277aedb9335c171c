"""What a model holds of each site: its scanner prior and its physical operator."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.evaluation.report import plots
from ctharmony.evaluation.report.blocks import Drawing, Table, drawing, table
from ctharmony.evaluation.report.record import ModelRecord, StudyRecord

CURVES = {
    "mtf": ("modulation transfer", "", "How much contrast of fine detail each scanner keeps."),
    "nps": ("noise power (HU² mm²)", "y", "The noise that each scanner adds, by its grain."),
}
MANY = 12  # sites in one figure


def site_blocks(study: StudyRecord, model: ModelRecord) -> list[Drawing | Table]:
    """Priors p(z_s | site), operators and whether a site was refused; empty where none is known."""
    profiles = {s: model.priors[s] for s in study.site_names if s in model.priors}
    if not profiles:
        return []
    shown = dict(list(profiles.items())[:MANY])
    found: list[Drawing | Table] = [_table(profiles, model.name), *_priors(shown)]
    for name, (label, log, reading) in CURVES.items():
        lines = {site: _curve(profile, name) for site, profile in shown.items()}
        lines = {site: line for site, line in lines.items() if np.isfinite(line[1]).any()}
        if lines:
            figure = plots.curves(lines, "spatial frequency (cycles/mm)", label, log)
            caption = f"{reading} One curve per site, as the model's operator holds it."
            found.append(drawing(figure, f"{label} of every site's operator", caption))
    return found


def _table(profiles: Mapping[str, Mapping[str, Any]], model: str) -> Table:
    rows = []
    for site, profile in profiles.items():
        operator = profile.get("operator") or {}
        anchors = operator.get("hu_anchors") or {}
        rows.append(
            {
                "site": site,
                "scans": profile.get("n_scans"),
                "out of distribution (SD)": profile.get("out_of_distribution"),
                "noise SD (HU)": operator.get("noise_sd"),
                **{f"{name.replace('_', ' ')} (HU)": value for name, value in anchors.items()},
                "refused because": profile.get("reason") or "",
            }
        )
    frame = pd.DataFrame(rows)
    caption = (
        "Scans behind each site's profile, how far they lie from the training scans (1 is "
        "typical; reference sites are 0), and the HU at which its tissues appear."
    )
    title = f"Sites as {model} knows them"
    return table(title, caption, frame, {name: name for name in frame}, frame)


def _priors(profiles: Mapping[str, Mapping[str, Any]]) -> list[Drawing]:
    groups = {}
    for site, profile in profiles.items():
        mean = np.array(profile.get("prior_mean") or [], dtype=float)
        logvar = np.array(profile.get("prior_logvar") or [], dtype=float)
        if len(mean) and len(mean) == len(logvar):
            groups[site] = (mean, np.exp(0.5 * logvar))
    if not groups:
        return []
    caption = (
        "Scanner prior p(z_s | site): mean and SD of every dimension of z_s. Sites that differ "
        "in a dimension differ in what it holds of the scanner."
    )
    return [drawing(plots.spreads(groups, "dimension of z_s", "prior"), "Site priors", caption)]


def _curve(profile: Mapping[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    operator = profile.get("operator") or {}
    frequencies = np.array(operator.get("frequencies") or [np.nan], dtype=float)
    values = np.array(operator.get(name) or [np.nan] * len(frequencies), dtype=float)
    return frequencies, values
