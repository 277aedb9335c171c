"""One self-contained HTML page that says what harmonization did."""

from ctharmony.evaluation.report.record import (
    Example,
    ModelRecord,
    Picture,
    ReportSettings,
    StudyRecord,
)
from ctharmony.evaluation.report.render import render_report

__all__ = [
    "Example",
    "ModelRecord",
    "Picture",
    "ReportSettings",
    "StudyRecord",
    "render_report",
]
