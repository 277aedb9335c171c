"""Snakemake's rich progress with sites in work, pace and time left: `--logger ctharmony`.

Snakemake finds logger plugins by this package's name.
"""

from rich.progress import ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text
from snakemake_logger_plugin_rich import LogHandler as RichHandler
from snakemake_logger_plugin_rich.event_handler import prettyprint_rule

MOST_SITES = 3


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
        return Text(", ".join(self.sites) if "Total" in str(task.description) else "", style="dim")


class LogHandler(RichHandler):
    """The rich plugin's handler with three more columns."""

    def __post_init__(self) -> None:
        """Add the columns."""
        super().__post_init__()
        self.pace, self.sites = PaceColumn(), SitesColumn()
        more = (self.pace, TimeRemainingColumn(compact=True), self.sites)
        self.progress.columns = (*self.progress.columns, *more)

    def emit(self, record) -> None:
        """Note the site and the scans of a job, then show the record."""
        wildcards = getattr(record, "wildcards", None)
        if isinstance(wildcards, dict) and "site" in wildcards:
            self.sites.note(str(wildcards["site"]))
        scans = dict(getattr(record, "resources", None) or {}).get("scans")
        if isinstance(scans, int):
            self.pace.note(str(record.rule_name), scans)
        super().emit(record)
