"""What is asked of every set of features: which site, which maker, which patient."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ctharmony.evaluation.agreement import concordance, intraclass_correlation
from ctharmony.evaluation.biology import effect_bias, factor_kind, probe_factor
from ctharmony.evaluation.bootstrap import exact, unanswered
from ctharmony.evaluation.cnn_probe import cnn_probe, patch_sample, train_probes
from ctharmony.evaluation.findings import Findings
from ctharmony.evaluation.metrics import metric_row
from ctharmony.evaluation.patch_evidence import patch_evidence_table
from ctharmony.evaluation.probes import PROBES, ProbeSettings, probe, refusal
from ctharmony.evaluation.settings import EvaluationSettings
from ctharmony.evaluation.streaming import Measured
from ctharmony.evaluation.tables import FeatureSet, aligned

SCANNER_COLUMNS = {"maker": "manufacturer", "kernel": "kernel"}


def scanner_labels(scans: pd.DataFrame) -> dict[str, pd.Series]:
    """Question -> label by scan: always the site; maker and kernel where they divide differently.

    Args:
        scans: scan, site and, where ingest knew them, manufacturer and kernel.
    """
    table = scans.set_index("scan")
    found = {"site": table["site"].astype(str)}
    for question, column in SCANNER_COLUMNS.items():
        if column in table and table[column].nunique() > 1:
            labels = table[column].dropna().astype(str)
            same = (pd.crosstab(labels, table["site"].loc[labels.index]) > 0).to_numpy()
            if not (same.sum(0).max() == 1 and same.sum(1).max() == 1):
                found[question] = labels
    return found


def ask_scanner(
    findings: Findings, features: FeatureSet, labels: dict[str, pd.Series], how: ProbeSettings
) -> None:
    """Probe every question with every probe and write the answers or the refusals."""
    for question, by_scan in labels.items():
        values = by_scan.reindex(list(features.scans))
        sample = features.sample.only(values.notna().to_numpy())
        known = values.dropna().to_numpy(dtype=str)
        reason = _empty(features) or refusal(known, sample.subjects, how)
        for kind in PROBES:
            name = f"{question}_auc_{kind}"
            if reason:
                nothing = unanswered(len(set(sample.subjects)))
                findings.refuse(name, features, nothing, reason)
            else:
                result = probe(sample, known, kind, how)
                findings.answer(name, features, kind, result.auc, result.p_value)


def ask_network(
    findings: Findings, seen: FeatureSet, measured: Sequence[Measured], how: EvaluationSettings
) -> pd.DataFrame:
    """Probe the site with a network on the patches of one method's images.

    Args:
        findings: takes the answer; seen: names method and stage.
        measured: scans with their patches; how: settings.

    Returns:
        What the network went by, as `patch_evidence_table`; empty where it was refused.
    """
    own = [one for one in measured if seen.method in one.patches]
    sample = patch_sample(
        [one.patches[seen.method] for one in own],
        [one.case.subject for one in own],
        [one.case.site for one in own],
    )
    words = replace(seen, part="patches")
    if reason := refusal(sample.labels, sample.subjects, how.probes):
        nothing = unanswered(len(set(sample.subjects)))
        findings.refuse("site_auc_cnn", words, nothing, reason)
        return pd.DataFrame()
    probes = train_probes(sample, how.cnn, how.probes)
    result = cnn_probe(sample, probes, how.probes)
    findings.answer("site_auc_cnn", words, "cnn", result.auc, result.p_value)
    return patch_evidence_table(seen.method, sample, probes, how.cnn)


def ask_biology(
    findings: Findings, features: FeatureSet, factors: pd.DataFrame, how: ProbeSettings
) -> None:
    """Predict every factor out of fold."""
    table = aligned(factors, features.scans)
    for factor in table.columns:
        kind = factor_kind(table[factor])
        name = f"biology_{'auc' if kind == 'auc' else 'r2'}_{factor}"
        if reason := _empty(features):
            findings.refuse(name, features, unanswered(0), reason)
            continue
        found = probe_factor(features.sample, table[factor].tolist(), how)
        if np.isfinite(found.value):
            findings.answer(name, features, "linear", found, float("nan"))
        else:
            reason = f"cannot be answered: {found.n} subjects know {factor}, too few for a probe"
            findings.refuse(name, features, found, reason)


def ask_effects(
    findings: Findings,
    before: FeatureSet,
    after: FeatureSet,
    factors: pd.DataFrame,
    strongest: int,
) -> None:
    """effect_bias of every factor for the scans and features that both sets know."""
    scans = [scan for scan in before.scans if scan in set(after.scans)]
    names = [name for name in before.names if name in set(after.names)]
    first, second = (_matrix(part, scans, names) for part in (before, after))
    sites = pd.Series(before.sample.sites, before.scans).reindex(scans).to_numpy(dtype=str)
    subjects = pd.Series(before.sample.subjects, before.scans).reindex(scans)
    table = aligned(factors, scans)
    for factor in table.columns:
        values = table[factor].to_numpy(dtype=float)
        value = effect_bias(first, second, values, sites, strongest)
        estimate = exact(value, subjects[np.isfinite(values)].nunique())
        findings.metrics.append(
            metric_row(f"effect_bias_{factor}", after.method, after.stage, estimate)
        )


def feature_agreement(before: FeatureSet, after: FeatureSet, target: str) -> pd.DataFrame:
    """CCC and ICC of every feature on subjects seen at the target and elsewhere.

    The reference is the untouched scan at the target site; `after` gives the other sites' scans.

    Returns:
        Table (feature, method, ccc, icc, n), n pairs; empty without travelling subjects.
    """
    names = [name for name in before.names if name in set(after.names)]
    reference = _long(before, names)
    reference = reference[reference["site"] == target].drop_duplicates("subject")
    others = _long(after, names)
    others = others[others["site"] != target]
    pairs = others.merge(reference, on="subject", suffixes=("", "_reference"))
    rated = pairs.groupby(["subject", "site"])[names].mean().unstack("site")
    fixed = pairs.drop_duplicates("subject").set_index("subject")
    rows = []
    for name in names if len(pairs) else ():
        first, second = pairs[name].to_numpy(), pairs[f"{name}_reference"].to_numpy()
        wide = rated[name].dropna(axis=1, how="all")
        wide[target] = fixed[f"{name}_reference"]
        icc = intraclass_correlation(wide.to_numpy(dtype=float))
        rows.append((name, after.method, concordance(first, second), icc, len(pairs)))
    return pd.DataFrame(rows, columns=["feature", "method", "ccc", "icc", "n"])


def agreement_metrics(
    table: pd.DataFrame, subjects: int, how: EvaluationSettings
) -> list[dict[str, object]]:
    """Share of reproducible features, and the ICC of the headline ones."""
    rows = []
    for method, group in table.groupby("method", sort=False):
        known = group["ccc"].dropna()
        share = float((known >= how.ccc_threshold).mean()) if len(known) else float("nan")
        rows.append(metric_row("ccc_share_085", str(method), "features", exact(share, subjects)))
        for row in group[group["feature"].isin(how.headline_features)].itertuples():
            estimate = exact(row.icc, subjects)
            rows.append(metric_row(f"icc_{row.feature}", str(method), "features", estimate))
    return rows


def _empty(features: FeatureSet) -> str | None:
    if features.names:
        return None
    return f"cannot be answered: no scan has {features.part} of the method {features.method}"


def _matrix(features: FeatureSet, scans: Sequence[str], names: Sequence[str]) -> np.ndarray:
    frame = pd.DataFrame(features.sample.features, index=features.scans, columns=features.names)
    return frame.loc[list(scans), list(names)].to_numpy(dtype=float)


def _long(features: FeatureSet, names: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(features.sample.features, columns=features.names)[list(names)]
    return frame.assign(site=features.sample.sites, subject=features.sample.subjects)
