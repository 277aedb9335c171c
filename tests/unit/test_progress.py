"""The progress display: found by Snakemake, with pace, time left and sites."""

import pytest
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from ctharmony.remaining import announce
from snakemake_logger_plugin_ctharmony import LeftColumn, PaceColumn, SitesColumn


class Task:
    """What rich tells a column of a stage."""

    def __init__(self, description, speed):
        self.description, self.speed, self.finished_speed = description, speed, None


def test_snakemake_finds_the_display():
    registry = LoggerPluginRegistry()
    registry.collect_plugins()
    assert registry.is_installed("ctharmony")


def test_pace_is_jobs_a_minute():
    assert PaceColumn().render(Task("ingest", 0.25)).plain == "15.0 jobs/min"
    assert PaceColumn().render(Task("ingest", None)).plain == ""


def test_pace_is_scans_a_minute_where_jobs_hold_scans():
    column = PaceColumn()
    for scans in (16, 16, 4):
        column.note("ingest", scans)
    assert column.render(Task("[dim]ingest[/]", 0.25)).plain == "180.0 scans/min"
    assert column.render(Task("train", 0.25)).plain == "15.0 jobs/min"


def test_the_latest_sites_stand_on_the_line_of_the_whole():
    column = SitesColumn()
    for site in ("a", "b", "a", "c", "d"):
        column.note(site)
    assert column.render(Task("Total Progress", 1.0)).plain == "d, c, a"
    assert column.render(Task("ingest", 1.0)).plain == ""
    column.note("ge-lightspeed-plus-standard-axial")
    assert (
        column.render(Task("Total Progress", 1.0)).plain == "ge-lightspeed-plus-standard-axi\u2026"
    )


@pytest.fixture
def expected():
    """Every training is expected to take 300 s and everything else 30 s."""
    announce(
        lambda jobs: {rule: n * (300.0 if rule == "train" else 30.0) for rule, n in jobs.items()}
    )
    yield
    announce(None)


def test_time_left_of_the_whole_and_epochs_of_a_training(expected, tmp_path):
    column, log = LeftColumn(), tmp_path / "train.log"
    column.lanes = 2
    column.expect({"ingest": 4, "train": 1})
    assert column.render(Task("Total Progress", None)).plain == "6:00 left"
    column.start(1, "train", [str(log)])
    assert column.render(Task("train", None)).plain == ""
    log.write_text("INFO epoch 3 of 7, 2:40 left: loss 2 nats\n")
    column.read = 0.0
    assert column.render(Task("train", None)).plain == "epoch 3/7"
    assert column.render(Task("ingest", None)).plain == ""
    assert column.render(Task("Total Progress", None)).plain == "3:40 left"
    column.end(1, well=False)
    assert column.render(Task("train", None)).plain == ""
    assert column.render(Task("Total Progress", None)).plain == "6:00 left"


def test_nothing_is_told_of_time_where_nothing_is_expected():
    column = LeftColumn()
    column.expect({"ingest": 4})
    column.start(1, "ingest", [])
    assert column.render(Task("Total Progress", None)).plain == ""
