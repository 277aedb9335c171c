"""Models that differ in their seed alone: which they are, and the spread of their measures."""

import base64
import io

import pandas as pd
import pytest

from ctharmony.evaluation.report import ModelRecord, disentangled, render_report, seeds, sweep
from fabricated_evaluation import metrics
from report_page import HOW, record, text_of

SETTINGS = {"objective": {"beta_biology": 1.0}, "training": {"steps": 350}}
STRONG = {"objective": {"beta_biology": 4.0}, "training": {"steps": 350}}
SCORES = {"mig": "latent", "sap": "latent", "dci_informativeness": "latent",
          "site_auc_forest": "image", "mutual_information_nats_scanner": "latent"}  # fmt: skip

KEPT = {"paired_mae_hu", "rate_nats", "distortion_nats"}


def card(seed: int, settings: dict = SETTINGS, scans: int = 12) -> dict:
    sites = {"alpine": {"scans": 6}, "harbour": {"scans": 6}}
    return {"settings": settings, "seed": seed, "sites": sites, "scans": {"train": scans},
            "subjects": 6}  # fmt: skip


def trained(name: str, told: dict, value: float = 0.0) -> ModelRecord:
    """A model whose scores are all `value`, and whose paired error is 14 + `value` HU."""
    fabricated = metrics()
    ours = fabricated["metric"].isin(KEPT) & (fabricated["method"] == "ctharmony")
    known = fabricated[ours]
    rows = [known.assign(value=known["value"] + value)]
    rows += [known.assign(metric=metric, stage=stage, value=value, unit="1")
             for metric, stage in SCORES.items()]  # fmt: skip
    return ModelRecord(name, metrics=pd.concat(rows, ignore_index=True), card=told)


@pytest.fixture
def sweeping():
    """Three seeds of one training, another training twice under one seed, a third of more scans."""
    return (
        trained("first", card(1), 0.1), trained("strong", card(1, STRONG), 0.9),
        trained("second", card(2), 0.2), trained("again", card(2), 0.7),
        trained("third", card(3), 0.6), trained("more", card(4, scans=13), 0.8),
        trained("strong_again", card(1, STRONG), 0.9), ModelRecord("unknown"),
    )  # fmt: skip


def test_models_are_grouped_by_all_but_their_seed(sweeping):
    (group,) = seeds.seed_groups(sweeping)
    assert [model.name for model in group.models] == ["first", "second", "third"]
    assert group.name == "first (3 seeds)"
    assert seeds.group_of(sweeping[0], sweeping) is not None
    assert seeds.group_of(sweeping[3], sweeping) is None  # the seed of `second` once more
    assert seeds.seed_groups(sweeping[:2]) == []


def test_spread_over_seeds_has_mean_sd_range_and_n(sweeping):
    (group,) = seeds.seed_groups(sweeping)
    found = seeds.spread(group, "mig", "latent")
    assert found.n == 3 and found.mean == pytest.approx(0.3)
    assert found.sd == pytest.approx((((0.2**2) + (0.1**2) + (0.3**2)) / 2) ** 0.5)
    assert (found.low, found.high) == (0.1, 0.6)
    assert seeds.spread(group, "active_units", "latent") is None


def test_a_seed_without_a_number_does_not_count(sweeping):
    lost = trained("second", card(2), float("nan"))
    (group,) = seeds.seed_groups([sweeping[0], lost, sweeping[4]])
    assert seeds.spread(group, "mig", "latent").n == 2
    (alone,) = seeds.seed_groups([sweeping[0], lost])
    assert seeds.spread(alone, "mig", "latent") is None


def test_the_sweep_tells_the_headline_figures_over_seeds(sweeping):
    blocks = sweep.sweep_section(record(models=sweeping)).blocks
    table = next(b for b in blocks if getattr(b, "title", "") == "Spread over seeds, first")
    assert "first, second, third" in table.caption
    text = base64.b64decode(table.download.partition(",")[2]).decode()
    rows = pd.read_csv(io.StringIO(text), sep="\t").set_index(["metric", "of"])
    error = rows.loc[("paired_mae_hu", "images")]
    assert (error["mean"], error["low"], error["high"]) == pytest.approx((14.3, 14.1, 14.6))
    assert error["n"] == 3 and error["unit"] == "HU"
    measures = set(rows.index.get_level_values("metric"))
    assert measures == SCORES.keys() | KEPT


def test_disentanglement_stands_with_its_spread_over_seeds(sweeping):
    study = record(models=sweeping)
    (table,) = disentangled.disentanglement(study, sweeping[0])
    assert "SD over seeds" in table.columns and "first, second, third" in table.caption
    (alone,) = disentangled.disentanglement(study, sweeping[1])
    assert "SD over seeds" not in alone.columns and "is not known" in alone.caption


def test_the_page_holds_it(sweeping, unpainted):
    page = text_of(render_report(record(models=sweeping), HOW))
    assert "Spread over seeds, first" in page
    assert "Points of one mark differ in their seed alone" in page
