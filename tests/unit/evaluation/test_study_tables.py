"""A whole evaluation of a small study whose scanner effects are put there on purpose."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ctharmony.evaluation.bound import PairedBound
from ctharmony.evaluation.cases import StudyTables, list_cases, methods_of
from ctharmony.evaluation.findings import Findings
from ctharmony.evaluation.gather import gather, study_input
from ctharmony.evaluation.metrics import COLUMNS, metric_row, unit_of
from ctharmony.evaluation.questions import ask_biology, ask_scanner, scanner_labels
from ctharmony.evaluation.settings import evaluation_settings, feature_settings
from ctharmony.evaluation.streaming import measure_case
from ctharmony.evaluation.study import evaluate_study
from ctharmony.evaluation.tables import feature_set
from ctharmony.settings import evaluation_block, features_block

SITES = {"near": (0.0, 15.0), "far": (25.0, 40.0), "strange": (-15.0, 25.0)}
OWN, TRAVELLING = 4, 2
SHAPE, SPACING = (3, 64, 72), (3.0, 2.0, 2.0)
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Picture:
    hu: np.ndarray
    spacing: tuple[float, float, float] = SPACING


def subjects_of(site: str) -> list[str]:
    return [f"{site}{index}" for index in range(OWN)] + [f"t{index}" for index in range(TRAVELLING)]


def patient(subject: str) -> tuple[np.ndarray, np.ndarray, float]:
    generator = np.random.default_rng(sum(map(ord, subject)))
    y, x = np.mgrid[-1 : 1 : SHAPE[1] * 1j, -1 : 1 : SHAPE[2] * 1j]
    fat = generator.uniform(0.05, 0.2)
    hu, labels = np.full(SHAPE, -1000, np.float32), np.zeros(SHAPE, np.uint8)
    body, inner = x**2 + y**2 < 0.9, x**2 + y**2 < 0.9 * (1 - fat) ** 2
    hu[:, body], labels[:, body] = -100, 1
    hu[:, inner] = 50
    lung = ((abs(x) - 0.4) / 0.25) ** 2 + (y / 0.4) ** 2 < 1
    hu[:, lung], labels[:, lung] = -850, 2
    return hu, labels, fat


def seen(subject: str, site: str, seed: int) -> np.ndarray:
    offset, sd = SITES[site]
    noise = np.random.default_rng(seed + sum(map(ord, subject))).normal(0, sd, SHAPE)
    return (patient(subject)[0] + offset + noise).astype(np.float32)


def reader(images: dict[str, np.ndarray]):
    return lambda path: Picture(images[path].astype(np.float32))


def features_of(scan: str, hu: np.ndarray) -> dict[str, object]:
    middle = hu[:, 30:34, 30:40]
    return {"scan": scan, "body_stat_mean": float(hu.mean()), "body_stat_sd": float(middle.std())}


@pytest.fixture(scope="module")
def study() -> tuple[dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """Tables by path and images by path; the method `ctharmony` here undoes the scanner."""
    tables, images = {}, {}
    for number, site in enumerate(SITES):
        rows = {"scans": [], "truth": [], "harmonized": [], "baselines": [], "latents": []}
        for subject in subjects_of(site):
            scan, (clean, labels, fat) = f"{site}-{subject}", patient(subject)
            who = {"scan": scan, "site": site, "subject": subject}
            rows["scans"].append(who | {"status": "ok"})
            rows["truth"].append(who | {"travelling": int(subject[0] == "t"), "body_fat": fat})
            rows["harmonized"].append({"scan": scan, "status": "ok"})
            rows["baselines"].append({"scan": scan, "method": "band_energy", "status": "ok"})
            rows["latents"].append({"scan": scan, "z_s_0": number, "z_s_1": 0.1, "z_b_0": fat})
            images |= {
                f"in/{site}/{scan}.nii.gz": seen(subject, site, number),
                f"in/{site}/{scan}_mask.nii.gz": labels,
                f"out/{site}/{scan}.nii.gz": seen(subject, "near", 50 + number),
                f"base/{site}/band_energy/{scan}.nii.gz": seen(subject, site, 70) / 2
                + seen(subject, "near", 90) / 2,
                f"sim/{site}/truth/{scan}_target.nii.gz": seen(subject, "near", 99),
                f"sim/{site}/truth/{scan}_clean.nii.gz": clean,
                f"sim/{site}/truth/{scan}_labels.nii.gz": 3 * (labels == 2),
            }
        # one scan that ingest refused
        rows["scans"].append({"scan": f"{site}-bad", "site": site, "status": "set_aside"})
        names = {"scans": "in", "truth": "sim", "harmonized": "out", "baselines": "base"}
        for name, folder in names.items():
            tables[f"{folder}/{site}/{name}.tsv"] = pd.DataFrame(rows[name])
        tables[f"out/{site}/latents.tsv"] = pd.DataFrame(rows["latents"])
        for stage in ("before", "after"):
            folder = {"before": "in", "after": "out"}[stage]
            found = [
                {
                    "scan": row["scan"],
                    "body_stat_mean": float(images[f"{folder}/{site}/{row['scan']}.nii.gz"].mean()),
                    "body_stat_sd": float(
                        images[f"{folder}/{site}/{row['scan']}.nii.gz"][:, 30:34, 30:40].std()
                    ),
                }
                for row in rows["harmonized"]
            ]
            tables[f"{stage}/{site}/features.tsv"] = pd.DataFrame(found)
    tables["model/history.tsv"] = pd.DataFrame(
        [(epoch, "reconstruction", "validation", 90.0 - epoch, "nats") for epoch in (1, 2)],
        columns=["epoch", "term", "split", "value", "unit"],
    )
    return tables, images


@pytest.fixture(scope="module")
def how():
    block = evaluation_block(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()))
    block["probes"] |= {
        "folds": 3,
        "forest_trees": 15,
        "bootstrap_repeats": 100,
        "permutations": 49,
    }
    block["cnn"] |= {"steps": 20, "folds": 2}
    block["cnn"]["patches"] |= {"pixel_mm": 2.0, "pixels": 10, "per_scan": 6}
    block |= {"distance_repeats": 20, "headline_features": ["body_stat_mean"]}
    return evaluation_settings(block, 0)


@pytest.fixture(scope="module")
def evaluated(study, how) -> dict[str, pd.DataFrame]:
    tables, images = study
    stages = {"ingested": "in", "harmonized": "out", "baselines": "base", "simulated": "sim"}
    stages |= {"features_before": "before", "features_after": "after"}
    folders = {stage: [Path(name) / site for site in SITES] for stage, name in stages.items()}
    files, numbers = gather(
        folders | {"model": [Path("model")]}, lambda path: tables[str(path)].copy(), {}
    )
    cases = list_cases(files)

    read = reader(images)

    def mean_shift(pairs):
        gap = float(np.mean([(target - source)[body].mean() for source, target, body, _ in pairs]))
        return lambda hu, spacing: hu + gap

    seen = (how.features, how.cnn.patches)
    bound = PairedBound(cases, read, mean_shift, 2, "near")
    measured = [measure_case(case, read, how.paired, seen, bound) for case in cases]
    return evaluate_study(study_input(files, numbers, "near"), measured, how)


def value(tables, metric, method, stage="image", site="all") -> float:
    table = tables["metrics"]
    row = table[
        (table["metric"] == metric)
        & (table["method"] == method)
        & (table["stage"] == stage)
        & (table["site"] == site)
    ]
    assert len(row) == 1, f"{metric}, {method}, {stage}, {site}: {len(row)} rows"
    return float(row["value"].iloc[0])


def test_columns_are_those_of_the_contract(evaluated):
    assert tuple(evaluated["metrics"].columns) == COLUMNS
    keys = evaluated["metrics"][["metric", "method", "stage", "site"]]
    assert not keys.duplicated().any()
    assert set(evaluated) >= {"paired", "probes", "notes", "site_divergence", "overlap"}


def test_errors_order_the_methods_as_they_were_made(evaluated):
    errors = [
        value(evaluated, "clean_mae_hu", name) for name in ("none", "band_energy", "ctharmony")
    ]
    assert errors[0] > errors[1] > errors[2]
    # what is left is the target's noise of SD 15: a mean absolute value of 15 sqrt(2 / pi)
    assert errors[2] == pytest.approx(15 * np.sqrt(2 / np.pi), rel=0.03)


def test_the_target_site_is_left_out_of_all(evaluated):
    sites = [value(evaluated, "paired_mae_hu", "none", site=site) for site in ("far", "strange")]
    assert value(evaluated, "paired_mae_hu", "none") == pytest.approx(np.mean(sites))
    assert value(evaluated, "paired_mae_hu", "none", site="near") < min(sites)


def test_the_paired_bound_removes_the_offset_that_other_patients_show(evaluated):
    assert value(evaluated, "tissue_shift_hu_soft_tissue", "none", site="far") == pytest.approx(
        25, abs=2
    )
    bound = value(evaluated, "tissue_shift_hu_soft_tissue", "paired_wiener", site="far")
    assert bound < 3
    methods = set(evaluated["paired"].query("site == 'near'")["method"])
    assert "paired_wiener" not in methods


def test_the_site_is_seen_before_and_not_after(evaluated):
    assert value(evaluated, "site_auc_linear", "none") > 0.95
    assert value(evaluated, "site_auc_linear", "ctharmony") < 0.75
    assert value(evaluated, "wasserstein_hu", "ctharmony") < 0.4 * value(
        evaluated, "wasserstein_hu", "none"
    )
    assert value(evaluated, "site_auc_linear", "ctharmony", "latent") < 0.75


def test_latent_parts_are_told_apart_in_probes(evaluated):
    table = evaluated["probes"].query("stage == 'latent' and question == 'site_auc_linear'")
    by_part = table.set_index("part")["value"]
    assert by_part["scanner"] > 0.95 > by_part["biology"]


def test_biology_and_agreement_of_features(evaluated):
    assert value(evaluated, "biology_r2_body_fat", "ctharmony", "features") > 0.7
    before = value(evaluated, "icc_body_stat_mean", "none", "features")
    assert value(evaluated, "icc_body_stat_mean", "ctharmony", "features") > before
    assert value(evaluated, "distortion_nats", "ctharmony", "latent") == 88


def test_evidence_gives_the_site_away_before_and_not_after(evaluated):
    gains = evaluated["evidence"].groupby(["method", "evidence"])["gain_nats"].mean()
    totals = gains.groupby("method").sum()
    assert totals["none"] > 0.25
    assert totals["ctharmony"] < 0.1


def test_a_scan_without_an_image_becomes_a_note(study, how):
    tables, images = study
    files = StudyTables(
        scans=tables["in/far/scans.tsv"].assign(folder="in/far"),
        harmonized=pd.DataFrame(),
        baselines=pd.DataFrame(),
        truth=pd.DataFrame(),
        pairs={"far-t0": "far-t1", "far-t1": "elsewhere"},
    )
    cases = {case.scan: case for case in list_cases(files)}
    assert "far-bad" not in cases and methods_of(list(cases.values())) == ["none"]
    assert cases["far-t0"].target == "in/far/far-t1.nii.gz" and not cases["far-t1"].has_truth

    def broken(path: str) -> Picture:
        raise ValueError(f"{path} cannot be read")

    found = measure_case(cases["far-t0"], broken, how.paired, (how.features, how.cnn.patches))
    assert found.faults == ["far, far-t0: in/far/far-t0.nii.gz cannot be read"]
    cropped = {name: array[:2] if "mask" in name else array for name, array in images.items()}
    found = measure_case(
        cases["far-t1"], reader(cropped), how.paired, (how.features, how.cnn.patches)
    )
    assert "shape" in found.faults[0] and not found.features


def test_a_study_of_one_scan_a_site_says_what_it_cannot_answer(study, how):
    tables, images = study
    scans = pd.concat(
        [tables[f"in/{site}/scans.tsv"].head(1).assign(folder=f"in/{site}") for site in SITES]
    )
    files = StudyTables(scans, pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), {})
    numbers = {
        "before": pd.concat([tables[f"before/{site}/features.tsv"] for site in SITES]),
        "after": pd.concat([tables[f"after/{site}/features.tsv"] for site in SITES]),
        "latents": pd.concat([tables[f"out/{site}/latents.tsv"] for site in SITES]),
        "history": pd.DataFrame(),
    }
    cases = list_cases(files)
    measured = [
        measure_case(case, reader(images), how.paired, (how.features, how.cnn.patches))
        for case in cases
    ]
    found = evaluate_study(study_input(files, numbers, "near"), measured, how)
    assert np.isnan(value(found, "site_auc_linear", "none"))
    notes = found["notes"].query("question == 'site_auc_linear'")["reason"]
    assert notes.str.contains("cannot be answered").all() and len(notes) > 0


def test_a_method_without_features_is_refused_in_words(study, how):
    tables, _ = study
    scans = pd.concat([tables[f"in/{site}/scans.tsv"] for site in SITES])
    usable = scans[scans["status"] == "ok"]
    findings = Findings()
    nothing = pd.DataFrame({"scan": usable["scan"], "body_stat_mean": np.nan})
    features = feature_set(nothing, usable, ("ctharmony", "features", "radiomics"), "body_")
    ask_scanner(findings, features, scanner_labels(usable), how.probes)
    ask_biology(findings, features, usable[["scan"]].assign(age=range(len(usable))), how.probes)
    questions = findings.notes_frame()["question"].tolist()
    assert questions == ["site_auc_linear", "site_auc_forest", "biology_r2_age"]
    assert findings.notes_frame()["reason"].str.contains("no scan has radiomics").all()
    assert findings.metrics_frame()["value"].isna().all()


def test_metric_words_have_units_and_stages():
    assert unit_of("biology_r2_age") == "R2" and unit_of("tissue_shift_hu_bone") == "HU"
    with pytest.raises(ValueError, match="not a metric"):
        unit_of("beauty")
    with pytest.raises(ValueError, match="not a stage"):
        metric_row("mig", "none", "moon", None)


def test_the_configuration_has_what_features_need():
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    settings = feature_settings(features_block(config))
    assert settings.radiomics.ranges_hu["lung"][0] == -1000
    own, base = config["features"]["noise"], config["ingest"]["quality"]["noise"]
    assert settings.image.noise.patch_mm == own["patch_mm"] != base["patch_mm"]
    assert settings.image.noise.block_mm == base["block_mm"]
    assert not set(own.items()) & {(k, v) for k, v in base.items() if not isinstance(v, list)}
