"""Expected disk: near what finished studies took, for what is planned, and without what goes."""

import dataclasses

import pytest

from ctharmony.commands.disk import bytes_left, bytes_needed, removed, written
from ctharmony.commands.estimates import Size, size_of
from ctharmony.commands.study import open_study

ALL = {"simulate": 4, "ingest": 4, "baseline": 4, "register": 4, "harmonize": 4, "features": 8}
# MB that finished studies took (tests/benchmarks/disk.py): the demo of 48 virtual scans of 320 x
# 320 x 16, and five chest CT of 8 to 22 million voxels
DEMO = {"simulate": 218.7, "ingest": 96.8, "baseline": 274.0, "register": 35.7, "harmonize": 193.0}
REAL = {"ingest": 68.8, "baseline": 199.2, "register": 19.4, "harmonize": 150.8}


@pytest.fixture
def demo(root, monkeypatch):
    monkeypatch.chdir(root)
    return open_study(None)


def with_config(study, **changes):
    return dataclasses.replace(study, config={**study.config, **changes})


def test_the_demo_takes_what_was_measured(demo):
    found = written(demo, ALL, size_of(demo))
    assert {rule: found[rule] / 1e6 for rule in DEMO} == pytest.approx(DEMO, rel=0.1)


def test_real_scans_take_what_was_measured(demo):
    sites = {name: dataclasses.replace(s, scanner=None) for name, s in demo.cohort.sites.items()}
    real = dataclasses.replace(demo, cohort=dataclasses.replace(demo.cohort, sites=sites))
    found = written(real, ALL, Size(5, 64.75))
    assert {rule: found[rule] / 1e6 for rule in REAL} == pytest.approx(REAL, rel=0.1)


def test_only_planned_jobs_count(demo):
    size = size_of(demo)
    one = written(demo, {"ingest": 1}, size)
    assert one == {"ingest": pytest.approx(written(demo, ALL, size)["ingest"] / 4)}
    more = with_config(demo, models={"one": {}, "two": {}})
    both = written(more, {"harmonize": 8}, size)["harmonize"]
    assert both == pytest.approx(2 * written(demo, ALL, size)["harmonize"])
    assert written(more, {"harmonize": 4}, size)["harmonize"] == pytest.approx(both / 2)


def test_what_is_not_kept_does_not_stay(demo, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    size = size_of(demo)
    assert removed(demo, ALL, size) == {}
    assert bytes_left(demo, ALL, size) == pytest.approx(bytes_needed(demo, ALL, size))
    passing = with_config(demo, keep={"simulated": False, "baselines": False})
    gone = removed(passing, ALL, size)
    assert gone["baseline"] / 1e6 == pytest.approx(DEMO["baseline"], rel=0.1)
    assert gone["simulate"] / 1e6 == pytest.approx(158.6, rel=0.02)
    kept = bytes_needed(demo, ALL, size)
    assert bytes_left(passing, ALL, size) == pytest.approx(kept - sum(gone.values()))
    # a third of the DICOM is there at one time: a batch of 16 of the 48 scans
    assert bytes_needed(passing, ALL, size) == pytest.approx(kept - gone["simulate"] * 2 / 3)
