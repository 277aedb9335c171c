"""Section on where the site and a patient's trait are read: kinds of evidence, tissues, maps."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ctharmony.evaluation import figures
from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.blocks import Drawing, Gallery, Section, Text, data_uri, drawing
from ctharmony.evaluation.report.pictures import body_box, encode, radiological, toned, window
from ctharmony.evaluation.report.record import Example, ModelRecord, ReportSettings, StudyRecord
from ctharmony.evaluation.report.signal import change_drawing
from ctharmony.evaluation.report.verdict import changes
from ctharmony.evaluation.report.words import spoken

STRONGEST = 12  # kinds of evidence drawn
MOST_MAPS = 4  # scans shown large
GAP = 6  # white pixels between two pictures
ENDING = "_gain_nats"
KINDS = {
    "image_body": "grey values of the body", "image_lung": "grey values of the lung",
    "image_noise_sd": "noise SD", "image_nps": "noise power", "image_spectrum": "body's spectrum",
}  # fmt: skip
PROBES = {"linear": "features", "network": "network", "places": "patches"}
SIDES = {"none": "as scanned", OURS: "harmonized"}


@dataclass(frozen=True)
class EvidenceMaps:
    """The places of one scan's slice before and after, by question.

    Attributes:
        places: rows of evidence_map.tsv of this scan; limits: question -> nats of full colour.
    """

    places: pd.DataFrame
    limits: dict[str, float]

    def pictures(self, example: Example, preset: dict[str, float]) -> dict[str, list[np.ndarray]]:
        """Question -> the slice before and after (uint8 RGB) with its places coloured."""
        rows, columns = body_box(example.mask)
        found: dict[str, list[np.ndarray]] = {}
        for question, limit in self.limits.items():
            for method, hu in (("none", example.before), (OURS, example.after)):
                own = self.places[self.places["method"] == method]
                share = painted(own, question + ENDING, hu.shape) / limit
                grey = window(hu, preset["level"], preset["width"])
                found.setdefault(question, []).append(
                    radiological(toned(grey, share)[rows, columns])
                )
        return found


def evidence_section(
    study: StudyRecord, model: ModelRecord, settings: ReportSettings
) -> Section | None:
    """Where the scanner's signature sat and that it went; that a trait's evidence stayed."""
    section = Section("evidence", "Where the evidence sits",
        "What gives the site away and what tells of the patient: which grey values and "
        "frequencies, which tissue, which places; before and after.", short="Evidence")  # fmt: skip
    frame = model.tables.get("evidence", pd.DataFrame())
    if not {"question", "probe", "method", "evidence", "gain_nats"} <= set(frame) or frame.empty:
        return None
    for question in dict.fromkeys(frame["question"]):
        section.blocks.extend(_kinds(frame[frame["question"] == question], str(question)))
    found = changes(model.metrics, ("site_evidence_nats_", "trait_evidence_nats_"))
    traits = [spoken(name) for name in dict.fromkeys(frame["question"]) if name != "site"]
    section.blocks.extend(change_drawing(found, "mean gain (nats)", 0.0,
        "In which tissue? Mean nats by which a place raises the probability of the true answer, "
        "over all places of a slice. The site's should fall to 0 or below; the trait's "
        f"({', '.join(traits) or 'none could be read'}) should stay. Bars: 95% interval over "
        "subjects.", None))  # fmt: skip
    section.blocks.extend(_gallery(study, model, settings))
    return section


def maps_of(model: ModelRecord, example: Example) -> EvidenceMaps | None:
    """The maps of this slice, or None where there are none before and after."""
    frame = model.tables.get("evidence_map", pd.DataFrame())
    if not {"site", "scan", "method", "slice"} <= set(frame.columns):
        return None
    own = frame[(frame["scan"] == example.scan) & (frame["site"] == example.site)]
    own = own[own["slice"] == example.position]
    if set(own["method"]) < set(SIDES):
        return None
    asked = [str(name).removesuffix(ENDING) for name in own if str(name).endswith(ENDING)]
    known = [name for name in asked if own[name + ENDING].notna().any()]
    # from a blind guess among the classes to certainty
    classes = {name: frame["site"].nunique() if name == "site" else 2 for name in known}
    limits = {name: math.log(max(2, classes[name])) for name in sorted(known, key=asked.index)}
    return EvidenceMaps(own, dict(sorted(limits.items(), key=lambda item: item[0] != "site")))


def painted(places: pd.DataFrame, column: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values of places as squares that touch one another, (rows, columns), 0 elsewhere."""
    found = np.zeros(shape)
    half = [_step(places[name]) / 2 for name in ("row", "column")]
    for row, across, value in places[["row", "column", column]].dropna().to_numpy(float):
        low = [max(0, round(c - h)) for c, h in zip((row, across), half, strict=True)]
        high = [max(0, round(c + h)) for c, h in zip((row, across), half, strict=True)]
        found[low[0] : high[0], low[1] : high[1]] = value
    return found


def _step(centres: pd.Series) -> float:
    """Distance of neighbouring places, pixels."""
    gaps = np.diff(np.unique(centres.to_numpy(float)))
    return float(gaps.min()) if len(gaps) else 1.0


def _kinds(frame: pd.DataFrame, question: str) -> list[Drawing]:
    """Mean gain of every kind of evidence before and after."""
    names = frame["probe"].map(PROBES) + ": " + frame["evidence"].map(_kind)
    wide = frame.assign(kind=names).pivot_table(index="kind", columns="method", values="gain_nats")
    if not set(SIDES) <= set(wide.columns):
        return []
    wide = wide.sort_values("none", ascending=False, kind="stable").head(STRONGEST)
    rows = [
        {"label": name, "before": row["none"], "after": row[OURS], "low": math.nan,
         "high": math.nan}
        for name, row in wide.iterrows()
    ]  # fmt: skip
    told = "site" if question == "site" else f"patient's {spoken(question)}, high or low"
    wish = "fall to 0 or below" if question == "site" else "stay where the circles are"
    caption = (
        f"By what is the {told}, told? Nats by which one kind of evidence raises the probability "
        "of the true answer, by probes that never saw the patient: the linear probe of image "
        "features, the network and the linear probe of body patches. Grey values, or the texture "
        f"between two frequencies (cycles/mm). Diamonds (after) should {wish}."
    ).replace("site, told", "site told")
    title = f"Evidence of the {told}"
    return [drawing(figures.dumbbells(rows, "mean gain (nats)", 0.0), title, caption)]


def _kind(name: str) -> str:
    """`image_nps_3` is noise power, band 3; bands are counted from 0, the lowest frequencies."""
    start, _, band = name.rpartition("_")
    if band.isdigit():
        return f"{KINDS.get(start, 'spectrum of the lung')}, band {band}"
    plain = name.removeprefix("image_").removeprefix("patch_").replace("_", " ")
    return KINDS.get(name, plain.replace(" per mm", "/mm"))


def _gallery(study: StudyRecord, model: ModelRecord, settings: ReportSettings) -> list:
    preset = settings.windows.get("lung") or next(iter(settings.windows.values()))
    items, limits = [], {}
    own = [e for e in study.examples if e.site != study.target and e.model == model.name]
    for example in own:
        maps = maps_of(model, example)
        if maps is None or len(items) >= MOST_MAPS * len(maps.limits):
            continue
        limits |= maps.limits
        for question, pair in maps.pictures(example, preset).items():
            gap = np.full((pair[0].shape[0], GAP, 3), 255, np.uint8)
            both = np.concatenate([pair[0], gap, pair[1]], axis=1)
            aspect = example.spacing[0] / example.spacing[1]
            jpeg = encode(both, 2 * settings.picture_pixels, settings.jpeg_quality, aspect)
            name = f"{example.site}: {example.scan}, {spoken(question)}; as scanned, harmonized"
            items.append((data_uri(jpeg, "image/jpeg"), name))
    if not items:
        return [Text("No map of the evidence could be drawn.", "note")]
    return [Gallery(reading(limits), items, paired=True)]


def reading(limits: dict[str, float]) -> str:
    """How to read maps, in words."""
    full = ", ".join(f"{nats:.2f} nats for the {spoken(name)}" for name, nats in limits.items())
    return (
        "Left as scanned, right harmonized. Each square tells of the patch centred on it: what a "
        "probe loses when that patch is taken out and other patients' patches of the same tissue "
        "are put in its place, from every site (both halves of the trait) equally. Orange: what "
        "stood there gives the true answer away; blue: it points to a "
        f"wrong one. Full colour at {full}: a blind guess made certain. No colour: it says "
        "nothing, or no whole patch fits inside the body there. The site's orange should go, the "
        "trait's should stay."
    )
