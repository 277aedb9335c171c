"""Section on the model: what it learned, what its latents carry, whether it collapsed."""

import re

import numpy as np
import pandas as pd

from ctharmony.evaluation import figures
from ctharmony.evaluation.report import plots
from ctharmony.evaluation.report.blocks import Drawing, Section, Table, Text, cell, drawing, table
from ctharmony.evaluation.report.disentangled import disentanglement
from ctharmony.evaluation.report.honesty import honesty_blocks, told
from ctharmony.evaluation.report.record import ModelRecord, StudyRecord
from ctharmony.evaluation.report.sites import site_blocks
from ctharmony.evaluation.report.traversed import traversal_blocks

# the parts of Hoffman and Johnson's surgery of the ELBO (2016), as history.tsv names them
SURGERY = {
    "rate": "rate, KL(q(z|x) || p(z))",
    "mutual_information": "I_q(X;Z)",
    "marginal_kl": "KL(q(z) || p(z))",
    "total_correlation": "total correlation",
}
LATENTS = {
    "scanner": "scanner latent z_s",
    "biology": "biology latent z_b",
}
READING = {
    "rate": "what the latent spends; the sum of the lines below and of the dimensions' own KL",
    "mutual_information": "what it really tells of the scan; near 0 is collapse",
    "marginal_kl": "how far all latents together lie from the prior",
    "total_correlation": "dependence among the dimensions; 0 is independent",
}
HEALTH = {
    "active_scanner": "active units of z_s",
    "active_biology": "active units of z_b",
    "loss_without_scanner": "nats per patch lost with another scan's z_s",
    "loss_without_biology": "nats per patch lost with another patch's z_b",
}


def model_section(study: StudyRecord, model: ModelRecord) -> Section:
    """Objective terms over the epochs, information in the latents, priors of the sites."""
    title = f"Model {model.name}"
    section = Section(
        f"model-{model.name}",
        title,
        "How training went, what the latents carry, and whether they collapsed.",
        short=title if len(study.models) > 1 else "Model",
    )
    section.blocks.append(_health(model))
    section.blocks.extend(_histories(model))
    section.blocks.extend(_information(model))
    section.blocks.extend(disentanglement(study, model))
    section.blocks.extend(honesty_blocks(model))
    section.blocks.extend(_latents(study, model))
    section.blocks.extend(traversal_blocks(model))
    section.blocks.extend(site_blocks(study, model))
    section.blocks.extend(_card(model))
    return section


def _health(model: ModelRecord) -> Text:
    """The collapse monitor's finding in words."""
    status = model.card.get("status")
    if status is None:
        return Text("Whether a latent collapsed was not recorded.", "note")
    health = model.card.get("health") or {}
    told = [
        f"{label} {cell(health[key]).text}"
        for key, label in HEALTH.items()
        if isinstance(health.get(key), int | float)
    ]
    judged = f", judged on {model.card['judged_on']}" if "judged_on" in model.card else ""
    text = f"Health monitors: {status}{judged}. {'; '.join(told)}."
    return Text(text.replace(" .", ""), "note" if status == "healthy" else "warning")


def _histories(model: ModelRecord) -> list[Drawing | Text]:
    history = model.history
    if not {"epoch", "term", "split", "value"} <= set(history.columns) or history.empty:
        return [Text("No training history was kept.", "note")]
    own = history[~history["term"].map(lambda term: bool(_surgery(term)))]
    own = own[~own["term"].str.endswith("_free") & own["term"].map(lambda t: told(t) is None)]
    panels: dict[str, dict[str, tuple]] = {}
    for (term, split), rows in own.groupby(["term", "split"], sort=False):
        line = (rows["epoch"].to_numpy(), rows["value"].to_numpy(float))
        panels.setdefault(str(term), {})[str(split)] = line
    if not panels:
        return []
    caption = (
        "Terms of the objective over the epochs, in nats (a Wasserstein distance "
        "in its samples' SD) before their weights. Training and "
        "validation should fall together; a gap that widens is overfitting, and a rate that stays "
        "at 0 is a latent that is not used."
    )
    names = ", ".join(name.replace("_", " ") for name in panels)
    figure = plots.histories(panels, "nats")
    return [drawing(figure, f"Curves of {names} over the epochs", caption, wide=True)]


def _surgery(term: str) -> tuple[str, str] | None:
    """(latent, part) of a term such as scanner_mutual_information, or None."""
    match = re.fullmatch(rf"({'|'.join(LATENTS)})(?:_standard)?_(\w+)", str(term))
    return (match[1], match[2]) if match else None


def _information(model: ModelRecord) -> list[Drawing | Table | Text]:
    """I_q(X;Z), KL(q(z)||p(z)) and their kin of both latents: the curves and the last values."""
    history = model.history
    if not {"epoch", "term", "value"} <= set(history.columns):
        return []
    panels: dict[str, dict[str, tuple]] = {}
    rows = []
    for latent, title in LATENTS.items():
        for part, label in SURGERY.items():
            own = history[history["term"] == f"{latent}_{part}"].sort_values("epoch")
            if len(own):
                line = (own["epoch"].to_numpy(), own["value"].to_numpy(float))
                panels.setdefault(title, {})[label] = line
                last = {"latent": title, "measure": label, "nats": float(line[1][-1])}
                rows.append(last | {"reading": READING[part]})
    if not rows:
        return [Text("Information in the latents was not measured during training.", "note")]
    caption = (
        "Where each latent's nats go, on validation scans. The rate splits into what the latent "
        "tells of the scan, I_q(X;Z), and how far the latents together lie from the prior; total "
        "correlation is their dependence on one another."
    )
    labels = {"latent": "latent", "measure": "measure", "nats": "nats", "reading": "how to read it"}
    frame = pd.DataFrame(rows)
    title = f"Information in the latents, {model.name}"
    figure = plots.histories(panels, "nats")
    return [
        drawing(figure, "Information in the latents over the epochs", caption, wide=True),
        table(title, "At the last epoch.", frame, labels, frame),
    ]


def _latents(study: StudyRecord, model: ModelRecord) -> list[Drawing]:
    found = []
    kinds = {
        "z_s_": ("scanner latent z_s", "Sites should form separate groups: it is to hold them."),
        "z_b_": ("biology latent z_b", "Sites should lie on top of one another: it is to be free "
                 "of the scanner."),
    }  # fmt: skip
    for prefix, (name, reading) in kinds.items():
        columns = [c for c in model.latents.columns if str(c).startswith(prefix)]
        values = model.latents[columns].to_numpy(float) if columns else np.empty((0, 1))
        usable = np.isfinite(values).all(axis=1)
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
            ends = f"{np.nanmin(numbers):.3g} to {np.nanmax(numbers):.3g}"
            return {name: f"{len(content)} values, {ends}"}
        return {name: ", ".join(map(str, content))}
    return {name: content}


def _card(model: ModelRecord) -> list[Table]:
    rows = [{"entry": key, "value": value} for key, value in flat(dict(model.card)).items()]
    if not rows:
        return []
    frame = pd.DataFrame(rows)
    labels = {"entry": "entry", "value": "value"}
    title = f"Model card of {model.name}"
    return [table(title, "Everything the model says of itself.", frame, labels, frame)]
