"""The progress display: found by Snakemake, with pace, time left and sites."""

from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from snakemake_logger_plugin_ctharmony import PaceColumn, SitesColumn


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
