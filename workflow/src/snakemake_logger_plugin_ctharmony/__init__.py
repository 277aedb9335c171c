"""Snakemake's rich progress with sites in work, pace and time left: `--logger ctharmony`.

Snakemake finds logger plugins by this package's name.
"""

import os
import time
from pathlib import Path

from rich.progress import ProgressColumn, Task, TextColumn
from rich.text import Text
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_rich import LogHandler as RichHandler
from snakemake_logger_plugin_rich.event_handler import prettyprint_rule

from ctharmony.remaining import TRAINING, Epoch, Remaining, announced, clock, latest_epoch

MOST_SITES = 3
MOST_CHARACTERS = 32  # of their names together, so that the bar keeps its room
TOTAL = "Total"  # begins the description of the line of the whole
REREAD_SECONDS = 2.0
REDRAWN_PER_SECOND = 1


class PaceColumn(ProgressColumn):
    """Scans of a stage per minute, or its jobs where they hold no scans, once two are done."""

    def __init__(self) -> None:
        super().__init__()
        self.scans: dict[str, list[int]] = {}

    def note(self, rule: str, scans: int) -> None:
        """A job of a rule holds so many scans."""
        self.scans.setdefault(prettyprint_rule(rule), []).append(scans)

    def render(self, task: Task) -> Text:
        """The pace as text."""
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        held = self.scans.get(Text.from_markup(str(task.description)).plain)
        if held is None:
            return Text(f"{60 * speed:.1f} jobs/min", style="dim")
        return Text(f"{60 * speed * sum(held) / len(held):.1f} scans/min", style="dim")


class SitesColumn(TextColumn):
    """The sites that the latest jobs worked on."""

    def __init__(self) -> None:
        super().__init__("")
        self.sites: list[str] = []

    def note(self, site: str) -> None:
        """Put a site first in the list."""
        self.sites = [site, *(other for other in self.sites if other != site)][:MOST_SITES]

    def render(self, task: Task) -> Text:
        """The sites, on the line of the whole."""
        told = Text(", ".join(self.sites) if TOTAL in str(task.description) else "", style="dim")
        told.truncate(MOST_CHARACTERS, overflow="ellipsis")
        return told


class LeftColumn(ProgressColumn):
    """Time left of the whole; of a training, which epoch of how many it has done."""

    def __init__(self) -> None:
        super().__init__()
        self.remaining: Remaining | None = None
        self.logs: dict[int, tuple[str, Path]] = {}
        self.epochs: dict[int, tuple[Epoch, float]] = {}
        self.lanes, self.read = os.cpu_count() or 1, 0.0

    def expect(self, counts: dict[str, int]) -> None:
        """The run has so many jobs of each rule."""
        expected = announced(counts)
        if expected is not None and self.remaining is None:
            self.remaining = Remaining(counts, expected, self.lanes)

    def start(self, job: int, rule: str, logs: list[str]) -> None:
        """A job begins; a training tells its epochs in its log."""
        if self.remaining is not None:
            self.remaining.start(job, rule, time.monotonic())
        if rule in TRAINING and logs:
            self.logs[job] = (prettyprint_rule(rule), Path(logs[0]))

    def end(self, job: int, well: bool) -> None:
        """A job has ended."""
        self.logs.pop(job, None)
        self.epochs.pop(job, None)
        if self.remaining is not None and well:
            self.remaining.finish(job, time.monotonic())
        elif self.remaining is not None:
            self.remaining.fail(job)

    def render(self, task: Task) -> Text:
        """The time or the epoch as text."""
        self._read()
        rule = Text.from_markup(str(task.description)).plain
        if TOTAL in rule:
            return Text(self._left())
        told = [self.epochs[job][0] for job, (name, _) in list(self.logs.items())
                if name == rule and job in self.epochs]  # fmt: skip
        return Text(f"epoch {told[0].done}/{told[0].total}" if told else "", style="dim")

    def _left(self) -> str:
        if self.remaining is None:
            return ""
        now = time.monotonic()
        told = {job: max(0.0, epoch.left - (now - seen))
                for job, (epoch, seen) in list(self.epochs.items()) if epoch.left}  # fmt: skip
        return f"{clock(self.remaining.seconds(now, told))} left"

    def _read(self) -> None:
        now = time.monotonic()
        if now - self.read < REREAD_SECONDS:
            return
        self.read = now
        for job, (_, log) in list(self.logs.items()):
            epoch = latest_epoch(log)
            if epoch is not None and epoch != self.epochs.get(job, (None,))[0]:
                self.epochs[job] = (epoch, now)


class LogHandler(RichHandler):
    """The rich plugin's handler with three more columns."""

    def __post_init__(self) -> None:
        """Add the columns."""
        super().__post_init__()
        self.pace, self.left, self.sites = PaceColumn(), LeftColumn(), SitesColumn()
        self.counts: dict[str, int] = {}
        # drawn more often, the display would take a tenth of a core from the work that it shows
        self.live_display.refresh_per_second = REDRAWN_PER_SECOND
        self.progress.columns = (*self.progress.columns, self.pace, self.left, self.sites)

    def emit(self, record) -> None:
        """Note the site, the scans and the time of a job, then show the record."""
        wildcards = getattr(record, "wildcards", None)
        if isinstance(wildcards, dict) and "site" in wildcards:
            self.sites.note(str(wildcards["site"]))
        scans = dict(getattr(record, "resources", None) or {}).get("scans")
        if isinstance(scans, int):
            self.pace.note(str(record.rule_name), scans)
        try:
            self._note(getattr(record, "event", None), record)
        except Exception:  # a display must never end a run
            self.handleError(record)
        super().emit(record)
        if getattr(record, "event", None) is LogEvent.RUN_INFO:
            # the plugin counts a job in work before there is one
            for task in self.progress.tasks:
                self.progress.update(task.id, active=0)

    def _note(self, event: LogEvent | None, record) -> None:
        """Tell the column of the time left of what begins and ends."""
        if event is LogEvent.RESOURCES_INFO:
            self.left.lanes = (
                getattr(record, "cores", None) or getattr(record, "nodes", None) or self.left.lanes
            )
        elif event is LogEvent.RUN_INFO:
            self.counts = {rule: n for rule, n in record.stats.items() if rule != "total"}
        elif event is LogEvent.JOB_INFO:
            self.left.expect(self.counts)
            self.left.start(record.jobid, record.rule_name, list(record.log or []))
        elif event in (LogEvent.JOB_FINISHED, LogEvent.JOB_ERROR):
            job = record.job_id if event is LogEvent.JOB_FINISHED else record.jobid
            self.left.end(job, well=event is LogEvent.JOB_FINISHED)
