"""A report as a page to be looked at, and the record of a small study."""

from dataclasses import replace
from html.parser import HTMLParser

from ctharmony.evaluation.report import (
    ModelRecord,
    ReportSettings,
    StudyRecord,
)
from fabricated_evaluation import evaluation_tables, metrics
from fabricated_study import SETTINGS, SITES
from rule_script import run_script

HOW = ReportSettings(**SETTINGS)
EMPTY = StudyRecord("empty", "alpine", (), (ModelRecord("plain"),))


def report_of(given: dict, output) -> str:
    """The report that the rule's script writes."""
    run_script("report", given, output)
    return output.read_text()


def record(**changes) -> StudyRecord:
    """A study of one model, with changes."""
    model = ModelRecord("plain", metrics=metrics(), tables=evaluation_tables())
    study = StudyRecord("study", "alpine", tuple(dict(site) for site in SITES), (model,))
    return replace(study, **changes)


class Page(HTMLParser):
    """Every tag with its attributes, and every text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def text_of(page: str) -> str:
    """All words of a page."""
    return " ".join(" ".join(Page(page).texts).split())
