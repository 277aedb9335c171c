"""Where in the image, and in which bands, a site and a patient's trait are read: rows and maps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ctharmony.evaluation.bootstrap import bootstrap_mean
from ctharmony.evaluation.cases import UNTOUCHED
from ctharmony.evaluation.descriptors import DescriptorSettings
from ctharmony.evaluation.explanation import gain
from ctharmony.evaluation.explanation_rows import evidence_frames, joined, mean_by_site
from ctharmony.evaluation.findings import Findings
from ctharmony.evaluation.metrics import metric_row
from ctharmony.evaluation.place_probe import (
    HALVES,
    Described,
    PlaceProbe,
    Question,
    describe_scans,
    fit_places,
    judged,
    site_question,
    why_not,
)
from ctharmony.evaluation.probes import ProbeSettings
from ctharmony.evaluation.streaming import Measured
from ctharmony.evaluation.tables import FeatureSet, aligned
from ctharmony.quality.shown import choose_scans

PLACES = [
    "site", "scan", "subject", "method", "question", "slice", "row", "column", "tissue",
    "gain_nats",
]  # fmt: skip
DECIMALS = {"row": 1, "column": 1, "gain_nats": 4}


@dataclass(frozen=True)
class ExplanationSettings:
    """What is explained, and how.

    Attributes:
        descriptors: what the probe is shown of a patch.
        step_mm: distance of neighbouring places of a map, mm.
        traits: names of factors or covariates; the first that can be read is explained.
        least_auc: AUC from which a trait counts as readable in the untouched images.
        maps: most scans with a map.
        probes: how the probe is trained and judged.
    """

    descriptors: DescriptorSettings
    step_mm: float
    traits: tuple[str, ...]
    least_auc: float
    maps: int
    probes: ProbeSettings


def explain_places(
    findings: Findings,
    measured: Sequence[Measured],
    sets: Sequence[FeatureSet],
    factors: pd.DataFrame,
    how: ExplanationSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of evidence.tsv and of evidence_map.tsv; metrics, probes and notes go to `findings`.

    Args:
        measured: scans with their patches and, under methods that get maps, their windows.
        sets: name the methods whose images are explained, the untouched first.
        factors: of `factor_table`.
    """
    rows, maps, trait = [], [], None
    for words in (replace(one, part="places", main=False) for one in sets):
        seen = describe_scans(measured, words.method, how.descriptors)
        if words.method == UNTOUCHED:
            trait = _readable(findings, seen, factors, how)
        for name in ("site", *([trait] if trait else [])):
            own, asked = _asked(seen, name, factors)
            probes = _probes(findings, words, (own, asked), how.probes)
            if probes:
                parts = [part for probe in probes for part in _bands(own, probe, how.descriptors)]
                rows.append(mean_by_site(parts, words.method, name, "places"))
                maps.append(_places(own, (words.method, name), probes, measured))
    places = joined(maps, PLACES)
    findings.metrics += _by_tissue(places, how)
    return joined(rows), _shown(places, how.maps)


def _asked(seen: Described, name: str, factors: pd.DataFrame) -> tuple[Described, Question]:
    """The scans that know an answer, and the question."""
    if name == "site":
        return seen, site_question(seen)
    values = aligned(factors, list(seen.scans))[name].to_numpy(dtype=float)
    known = np.isfinite(values)
    return seen.only(known), Question(name, HALVES, values[known], halved=True)


def _readable(
    findings: Findings, seen: Described, factors: pd.DataFrame, how: ExplanationSettings
) -> str | None:
    """The first trait whose halves the probe tells apart in untouched images."""
    tried = []
    for name in [name for name in how.traits if name in factors]:
        own, asked = _asked(seen, name, factors)
        if why_not(own, asked, how.probes):
            continue
        quick = replace(how.probes, bootstrap_repeats=2, permutations=1)
        found = judged(own, asked, fit_places(own, asked, how.probes), quick).auc.value
        if found >= how.least_auc:
            return name
        tried.append(f"{name} (AUC {found:.2f})")
    reason = f"too weak to be read: {', '.join(tried)}" if tried else "none is known"
    told = f"cannot be answered: where a trait is read in the images; of those named, {reason}"
    findings.note("trait_evidence", "", "image", told)
    return None


def _probes(
    findings: Findings, words: FeatureSet, given: tuple[Described, Question], how: ProbeSettings
) -> list[PlaceProbe]:
    """The probes of one question under one method; their AUC goes to probes.tsv."""
    seen, asked = given
    if why_not(seen, asked, how):
        return []
    probes = fit_places(seen, asked, how)
    result = judged(seen, asked, probes, how)
    name = "site_auc_linear" if asked.name == "site" else f"biology_auc_{asked.name}"
    findings.answer(name, words, "linear", result.auc, result.p_value)
    return probes


def _bands(seen: Described, probe: PlaceProbe, how: DescriptorSettings) -> Iterator[pd.DataFrame]:
    """Evidence of grey values and of every band, in patches of scans that the probe never saw."""
    inside = probe.held[seen.owner]
    features, owner = seen.descriptors[inside], seen.owner[inside]
    whole, truth = probe(features), probe.codes[owner]
    removed = probe.without_each(features, seen.tissue[inside], how)
    places = {"scan": owner, "site": seen.sites[owner]}
    return evidence_frames(whole, removed, truth, places)


def _places(
    seen: Described,
    words: tuple[str, str],
    probes: Sequence[PlaceProbe],
    measured: Sequence[Measured],
) -> pd.DataFrame:
    """Gain in nats of every place of every scan with windows, by the probe that never saw it."""
    method, question = words
    index = {scan: number for number, scan in enumerate(seen.scans)}
    frames = []
    for one in measured:
        windows = one.windows.get(method)
        number = index.get(one.case.scan)
        if windows is None or number is None or not len(windows.centres):
            continue
        probe = next(probe for probe in probes if probe.held[number])
        # tissue by the untouched image, so that a place is the same before and after
        tissue = one.windows[UNTOUCHED].tissue
        truth = np.full(len(tissue), probe.codes[number])
        gained = gain(probe(windows.descriptors), probe.without_place(tissue), truth)
        row, column = windows.centres.T
        who = (one.case.site, one.case.scan, one.case.subject, method, question)
        content = dict(zip(PLACES[:5], who, strict=True))
        content |= {"slice": windows.position + 1, "row": row, "column": column}
        frames.append(pd.DataFrame(content | {"tissue": tissue, "gain_nats": gained}))
    return joined(frames, PLACES)


def _by_tissue(places: pd.DataFrame, how: ExplanationSettings) -> list[dict[str, object]]:
    """Mean gain by tissue: over a scan's places, then over scans, with intervals over subjects."""
    kinds = ["question", "method", "tissue"]
    by_scan = places.groupby([*kinds, "scan", "subject"], sort=False, as_index=False)["gain_nats"]
    rows = []
    for (question, method, tissue), own in by_scan.mean().groupby(kinds, sort=False):
        if tissue not in how.descriptors.tissues_hu:
            continue
        asked = "site" if question == "site" else "trait"
        numbers = (how.probes.bootstrap_repeats, how.probes.seed)
        found = bootstrap_mean(own["gain_nats"].to_numpy(), own["subject"].tolist(), *numbers)
        rows.append(metric_row(f"{asked}_evidence_nats_{tissue}", str(method), "image", found))
    return rows


def _shown(places: pd.DataFrame, most: int) -> pd.DataFrame:
    """evidence_map.tsv: places of at most that many scans, those that the report shows first.

    One row per place and method, one column `<question>_gain_nats` per question.
    """
    scans = places[["site", "scan", "subject"]].drop_duplicates()
    every = set(zip(scans["site"], scans["scan"], strict=True))
    chosen = {scan for _, scan in choose_scans(scans, every, most, most)}
    kept = places[places["scan"].isin(chosen)].round(DECIMALS)
    keys = [name for name in PLACES if name not in ("subject", "question", "gain_nats")]
    wide = kept.pivot(index=keys, columns="question", values="gain_nats")
    return wide.add_suffix("_gain_nats").rename_axis(columns=None).reset_index()
