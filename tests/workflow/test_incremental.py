"""What every kind of change plans anew: a table of job counts, read off dry runs."""

import copy
import shutil
from contextlib import contextmanager

import pytest

from changes import (
    append_scan,
    bump,
    change_setting,
    join_query_site,
    promote,
    reorder_keys,
    reorder_sites,
    train_with_another_seed,
    withdraw,
)
from ctharmony.cohort import load_cohort
from ctharmony.commands import main
from small_study import finished_small_study

pytestmark = pytest.mark.workflow
AGGREGATES = {"evaluate": 1, "report": 1, "track": 1, "study": 1}
OF_A_SITE = {"simulate": 1, "ingest": 1, "register": 1, "baseline": 1, "harmonize": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shared_folder):
    """The small study (two reference sites, one query site, a batch each), run to its end."""
    return finished_small_study(tmp_path_factory.mktemp("finished"), shared_folder)


@contextmanager
def unchanged(study):
    """The study; config and sheets are as before afterwards."""
    kept = copy.deepcopy((study.config, study.manifests))
    yield study
    study.config, study.manifests = kept
    study.environment, study.withdrawn = {}, set()
    study.write()


@pytest.fixture
def study(finished):
    with unchanged(finished):
        yield finished


@pytest.fixture(scope="module")
def cleared_study(tmp_path_factory, shared_folder):
    """The finished study, then told to keep nothing that can be made again, and cleared of it."""
    not_kept = {"keep": {"simulated": False, "baselines": False}}
    study = finished_small_study(tmp_path_factory.mktemp("cleared"), shared_folder, not_kept)
    study.finish("--until", "track")
    study.finish("--delete-temp-output")
    return study


@pytest.fixture
def cleared(cleared_study):
    with unchanged(cleared_study):
        yield cleared_study


MODEL_AND_BELOW = {
    "template": 1, "train": 1, "traverse": 1, "package": 1, "survey": 1, **AGGREGATES,
}  # fmt: skip
TABLE = {
    "nothing": (lambda study: None, {}),
    "sites in another order": (reorder_sites, {}),
    "keys in another order": (reorder_keys, {}),
    "registration on another device": (
        change_setting("registration", "device", "cpu"), {"track": 1, "study": 1},
    ),
    "one simple method less": (
        change_setting("harmonization", "baselines", ["band_energy", "physics_control"]),
        {"baseline": 3, **AGGREGATES},
    ),
    "query site joins": (
        join_query_site, {**OF_A_SITE, "adapt": 1, "package": 1, "features": 2, "survey": 1,
         **AGGREGATES},
    ),
    "scan appended to the query site": (
        append_scan("summit"), {**OF_A_SITE, "adapt": 1, "package": 1, "features": 2, "survey": 1,
         **AGGREGATES},
    ),
    "scan appended to a reference site": (
        append_scan("harbour"),
        {**OF_A_SITE, **MODEL_AND_BELOW, "register": 3, "adapt": 1, "harmonize": 3, "features": 4},
    ),
    "query site withdrawn": (withdraw("summit"), {"package": 1, "survey": 1, **AGGREGATES}),
    "reference site withdrawn": (
        withdraw("harbour"),
        {**MODEL_AND_BELOW, "register": 2, "adapt": 1, "harmonize": 2, "features": 2},
    ),
    "query site becomes reference": (
        promote, {**OF_A_SITE, **MODEL_AND_BELOW, "register": 3, "harmonize": 3, "features": 4},
    ),
    "new version of ingest": (
        bump("ingest"),
        {"ingest": 3, "register": 3, "baseline": 3, "features": 6, "adapt": 1, "harmonize": 3,
         **MODEL_AND_BELOW},
    ),
    "new version of harmonize": (
        bump("harmonize"), {"harmonize": 3, "features": 3, "traverse": 1, **AGGREGATES},
    ),
    "model of another seed": (
        train_with_another_seed,
        {"train": 1, "adapt": 1, "harmonize": 3, "features": 3, "traverse": 1, "package": 1,
         **AGGREGATES},
    ),
    "new version of traverse": (
        bump("traverse"), {"traverse": 1, "report": 1, "track": 1, "study": 1},
    ),
    "new version of report": (bump("report"), {"report": 1, "track": 1, "study": 1}),
    "setting of the report": (
        change_setting("report", "few", 11), {"report": 1, "track": 1, "study": 1},
    ),
    "setting of the tracking": (change_setting("tracking", "retries", 2), {"track": 1, "study": 1}),
}  # fmt: skip


# where nothing is kept: what the aggregates read is made again for every site
CLEARED = {
    "nothing": (lambda study: None, {}),
    "query site joins": (
        join_query_site, {**OF_A_SITE, "baseline": 4, "adapt": 1, "package": 1, "features": 2,
         "survey": 1, **AGGREGATES},
    ),
    "new version of harmonize": (
        bump("harmonize"),
        {"baseline": 3, "harmonize": 3, "features": 3, "traverse": 1, **AGGREGATES},
    ),
    "new version of ingest": (
        bump("ingest"),
        {"simulate": 3, "ingest": 3, "register": 3, "baseline": 3, "features": 6, "adapt": 1,
         "harmonize": 3, **MODEL_AND_BELOW},
    ),
    "setting of the report": (
        change_setting("report", "few", 11), {"report": 1, "track": 1, "study": 1},
    ),
}  # fmt: skip


def test_withdrawn_outputs_are_kept_aside(file_study, monkeypatch, capsys):
    monkeypatch.chdir(file_study.folder)
    for stage in ("ingested", "harmonized/factorised", "features/none"):
        for site in ("alpha", "beta"):
            (file_study.results / stage / site / "b0000").mkdir(parents=True)
    assert main(["withdraw", "config/config.yaml", "alpha"]) == 1
    assert "'alpha' is the target; name another" in capsys.readouterr().err
    assert main(["withdraw", "config/config.yaml", "beta", "--why", "2026-11"]) == 0
    kept = file_study.results / "withdrawn" / "beta"
    assert (kept / "harmonized" / "factorised" / "beta" / "b0000").is_dir()
    assert not list(file_study.results.glob("ingested/beta"))
    cohort = load_cohort("config/sites.tsv", 8, file_study.config["split"])
    assert list(cohort.sites) == ["alpha"] and cohort.withdrawn == {"beta": "query"}


@pytest.mark.parametrize("kind", TABLE)
def test_a_change_plans_what_it_must(study, kind):
    change, expected = TABLE[kind]
    change(study)
    study.write()
    assert study.planned() == expected


def left(study, stage):
    """Batch folders of a stage."""
    return [path.parent.name for path in sorted((study.results / stage).glob("*/b*"))]


@pytest.mark.parametrize("kind", CLEARED)
def test_a_change_plans_what_was_not_kept(cleared, kind):
    change, expected = CLEARED[kind]
    change(cleared)
    cleared.write()
    assert left(cleared, "baselines") == left(cleared, "simulated") == []
    assert left(cleared, "truth") == ["alpine", "harbour", "summit"]
    assert cleared.planned() == expected


def test_what_is_not_kept_goes_when_its_readers_are_done(cleared):
    before = cleared.fingerprints("evaluation")
    shutil.rmtree(cleared.results / "evaluation")
    join_query_site(cleared)
    del cleared.manifests["meadow"][2][1:]
    cleared.write()
    cleared.finish("results/ingested/meadow/b0000")
    assert left(cleared, "simulated") == [] and "meadow" in left(cleared, "truth")
    del cleared.manifests["meadow"]
    cleared.write()
    cleared.finish("results/evaluation/factorised")
    assert cleared.fingerprints("evaluation") == before
    assert left(cleared, "baselines") == []
