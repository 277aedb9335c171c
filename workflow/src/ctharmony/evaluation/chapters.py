"""The chapters of an evaluation: each writes down what it finds and returns its tables."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from ctharmony.evaluation.agreement_rows import bland_altman_table, paired_rows, paired_table
from ctharmony.evaluation.bootstrap import exact
from ctharmony.evaluation.cases import OURS, UNTOUCHED, methods_of
from ctharmony.evaluation.disentanglement_rows import disentanglement_rows
from ctharmony.evaluation.distances import SiteDistances
from ctharmony.evaluation.explanation_rows import band_evidence_table, joined
from ctharmony.evaluation.feature_harmonizers import harmonizer
from ctharmony.evaluation.findings import Findings
from ctharmony.evaluation.given import StudyInput
from ctharmony.evaluation.learned import final_terms
from ctharmony.evaluation.metrics import metric_row
from ctharmony.evaluation.multiple_testing import differing_share, site_differences
from ctharmony.evaluation.overlap import overlap_table
from ctharmony.evaluation.place_rows import explain_places
from ctharmony.evaluation.questions import (
    agreement_metrics,
    ask_biology,
    ask_effects,
    ask_network,
    ask_scanner,
    feature_agreement,
    scanner_labels,
)
from ctharmony.evaluation.settings import EvaluationSettings
from ctharmony.evaluation.streaming import Measured
from ctharmony.evaluation.tables import (
    FeatureSet,
    aligned,
    feature_set,
    known_at_every_site,
)

RADIOMICS = ("body_", "lung_")
LATENT_PARTS = {"biology": "z_b_", "scanner": "z_s_"}


def images(
    given: StudyInput, measured: Sequence[Measured], how: EvaluationSettings, findings: Findings
) -> dict[str, pd.DataFrame]:
    """How near the scans came to the target scanner's, and the sites to one another."""
    repeats, seed = how.probes.bootstrap_repeats, how.probes.seed
    paired = paired_table(measured)
    findings.metrics += paired_rows(paired, given.target, repeats, seed)
    methods = methods_of([one.case for one in measured])
    distances = [SiteDistances(measured, method, how.distance_repeats, seed) for method in methods]
    for one in distances:
        findings.metrics += one.rows(given.target)
    return {
        "paired": paired,
        "bland_altman": bland_altman_table(paired, given.target),
        "site_divergence": pd.concat([one.table for one in distances], ignore_index=True),
    }


def probed(
    given: StudyInput,
    measured: Sequence[Measured],
    factors: pd.DataFrame,
    how: EvaluationSettings,
    findings: Findings,
) -> dict[str, pd.DataFrame]:
    """What probes read in the images of every method, and by what."""
    labels = scanner_labels(given.scans)
    seen = _image_table(measured)
    shared = _comparable(seen, given.scans, "image", how, findings)
    sets, evidence = [], []
    for method in methods_of([one.case for one in measured]):
        table = shared[shared["method"] == method]
        sets.append(feature_set(table, given.scans, (method, "image", "image"), "image_"))
        ask_scanner(findings, sets[-1], labels, how.probes)
        evidence.append(ask_network(findings, sets[-1], measured, how))
    places, maps = explain_places(findings, measured, sets, factors, how.explanation)
    bands = band_evidence_table(sets, labels["site"], how.probes)
    return {
        "evidence": joined([bands, *evidence, places]),
        "evidence_map": maps,
        "image_features": seen,
    }


def _comparable(
    table: pd.DataFrame,
    scans: pd.DataFrame,
    stage: str,
    how: EvaluationSettings,
    findings: Findings,
) -> pd.DataFrame:
    """The table without features that a site lacks, which are noted."""
    kept, lost = known_at_every_site(table, scans, how.known_share)
    for site in sorted(set(lost.values())):
        names = ", ".join(name for name in lost if lost[name] == site)
        reason = f"not compared, for {site} does not know them: {names}"
        findings.note("features", "", stage, reason, site)
    return kept


def _image_table(measured: Sequence[Measured]) -> pd.DataFrame:
    rows = [
        {"scan": one.case.scan, "method": method, **numbers}
        for one in measured
        for method, numbers in one.features.items()
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["scan", "method"])


def features(
    given: StudyInput, factors: pd.DataFrame, how: EvaluationSettings, findings: Findings
) -> dict[str, pd.DataFrame]:
    """Scanner and patient in the radiomics before, after and by the feature-level methods."""
    labels = scanner_labels(given.scans)
    stage, part = "features", "radiomics"
    both = pd.concat([given.before, given.after], keys=["before", "after"])
    both = _comparable(both, given.scans, stage, how, findings)
    before = feature_set(both.loc["before"], given.scans, (UNTOUCHED, stage, part), RADIOMICS)
    after = feature_set(both.loc["after"], given.scans, (OURS, stage, part), RADIOMICS)
    harmonized = [
        feature_set(
            both.loc["before"], given.scans, (name, stage, part), RADIOMICS, harmonizer(name)
        )
        for name in how.feature_harmonizers
    ]
    for found in (before, after, *harmonized):
        ask_scanner(findings, found, labels, how.probes)
        ask_biology(findings, found, factors, how.probes)
    for found in (before, after):
        ask_effects(findings, before, found, factors, how.strongest_features)
    pair = [feature_agreement(before, found, given.target) for found in (before, after)]
    agreement = pd.concat(pair, ignore_index=True)
    subjects = given.scans.groupby("subject")["site"].nunique()
    findings.metrics += agreement_metrics(agreement, int((subjects > 1).sum()), how)
    return {
        "feature_agreement": agreement,
        "feature_differences": _differences((before, after), findings),
    }


def _differences(sets: Sequence[FeatureSet], findings: Findings) -> pd.DataFrame:
    """Which features differ between sites, and their share as a metric."""
    tables = [site_differences(found) for found in sets]
    for found, table in zip(sets, tables, strict=True):
        share = exact(differing_share(table), int(table["n"].max()) if len(table) else 0)
        findings.metrics.append(
            metric_row("feature_difference_share", found.method, found.stage, share)
        )
    return pd.concat(tables, ignore_index=True)


def latents(
    given: StudyInput, factors: pd.DataFrame, how: EvaluationSettings, findings: Findings
) -> dict[str, pd.DataFrame]:
    """What the latents hold, and the terms that training ended with; no table of its own."""
    if not given.latents.empty:
        _probe_latents(given, factors, how, findings)
    if len(given.history):
        findings.metrics += final_terms(given.history, OURS)
    return {}


def _probe_latents(
    given: StudyInput, factors: pd.DataFrame, how: EvaluationSettings, findings: Findings
) -> None:
    labels = scanner_labels(given.scans)
    for part, prefix in LATENT_PARTS.items():
        found = feature_set(given.latents, given.scans, (OURS, "latent", part), prefix)
        found = replace(found, main=part == "biology")
        ask_scanner(findings, found, labels, how.probes)
        ask_biology(findings, found, factors, how.probes)
    both = feature_set(given.latents, given.scans, (OURS, "latent", "all"), ("z_s_", "z_b_"))
    findings.metrics += disentanglement_rows(both, factors, how.probes)


def overlap(
    given: StudyInput, factors: pd.DataFrame, how: EvaluationSettings, findings: Findings
) -> dict[str, pd.DataFrame]:
    """Between which sites a question about patients can be answered at all."""
    scans = given.scans
    known = aligned(factors, scans["scan"].tolist())
    table = overlap_table(
        {name: known[name].tolist() for name in known},
        scans["site"].tolist(),
        scans["subject"].tolist(),
        how.overlap_minimum,
    )
    for row in table[~table["answerable"].astype(bool)].itertuples():
        findings.note(
            f"biology_{row.factor}",
            "",
            "features",
            f"cannot be answered between {row.first_site} and {row.second_site}: their patients "
            f"overlap by {row.overlap:.2f} in {row.factor} (n = {row.n_first}, {row.n_second}), "
            "so scanner and patient cannot be told apart",
            row.first_site,
        )
    return {"overlap": table}


def faults(measured: Sequence[Measured], findings: Findings) -> dict[str, pd.DataFrame]:
    """What of the images could not be measured; no table of its own."""
    for one in measured:
        for fault in one.faults:
            findings.note("image", "", "image", fault, one.case.site)
    return {}
