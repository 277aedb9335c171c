"""The report as one self-contained page."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.agreement import agreement_section
from ctharmony.evaluation.report.bars import bars_section
from ctharmony.evaluation.report.blocks import Drawing, Section, Text, data_uri, table
from ctharmony.evaluation.report.cohort import (
    cohort_section,
    quality_section,
    registration_section,
)
from ctharmony.evaluation.report.divergences import divergence_section
from ctharmony.evaluation.report.evidence import evidence_section
from ctharmony.evaluation.report.harmonized import harmonization_section
from ctharmony.evaluation.report.modelling import model_section
from ctharmony.evaluation.report.record import ModelRecord, ReportSettings, StudyRecord
from ctharmony.evaluation.report.scan_pages import scan_section
from ctharmony.evaluation.report.signal import distance_section, probes_section
from ctharmony.evaluation.report.site_quality import site_quality_section
from ctharmony.evaluation.report.sweep import sweep_section
from ctharmony.evaluation.report.verdict import (
    biology_card,
    cohort_card,
    scanner_card,
    sentence,
    truth_card,
)
from ctharmony.evaluation.report.warnings import unanswered, warnings

PACKAGE = "ctharmony.evaluation.report"


def render_report(study: StudyRecord, settings: ReportSettings) -> str:
    """The whole report as HTML that fetches nothing.

    Every word that comes from the study is escaped. Missing parts are said in words.

    Args:
        study: what was found; its first model is the one of the verdict.
        settings: limits, windows and picture sizes.

    Raises:
        ValueError: the study has no model.
    """
    if not study.models:
        raise ValueError(f"study {study.study} names no model to report; add one under models")
    study = _with_own_name(study)
    first = study.models[0]
    cards = [
        scanner_card(first, settings),
        biology_card(first, settings),
        truth_card(study, first),
        cohort_card(study),
    ]
    return _page(
        study=study,
        model=first,
        cards=cards,
        sentence=sentence(study, cards),
        warnings=warnings(study, first, settings),
        unanswered=unanswered(study, first),
        sections=_sections(study, settings),
    )


def _page(**content: Any) -> str:
    environment = Environment(
        loader=PackageLoader(PACKAGE, "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    folder = resources.files(PACKAGE)
    style = Markup((folder / "report.css").read_text(encoding="utf-8"))
    script = Markup((folder / "report.js").read_text(encoding="utf-8"))
    page = environment.get_template("report.html")
    return page.render(style=style, script=script, **content)


def _sections(study: StudyRecord, settings: ReportSettings) -> list[Section]:
    first = study.models[0]
    found = [
        bars_section(study, first),
        harmonization_section(study, settings),
        agreement_section(study, first, settings.ccc_threshold),
        probes_section(first),
        evidence_section(study, first, settings),
        distance_section(study, first),
        cohort_section(study),
        quality_section(study),
        site_quality_section(study, settings),
        registration_section(study, settings),
        scan_section(study, settings),
        *(model_section(study, model) for model in study.models),
        sweep_section(study),
        divergence_section(study),
        *(_others(model) for model in study.models),
    ]
    return [section for section in found if section is not None]


def _others(model: ModelRecord) -> Section:
    """Every figure and table of the evaluation that has no place of its own."""
    section = Section(f"tables-{model.name}", f"All tables of {model.name}",
        "Everything the evaluation wrote, to read on or to download.")  # fmt: skip
    for name, png in model.figures.items():
        words = name.removesuffix(".png").replace("_", " ")
        caption = f"{words.capitalize()}, as the evaluation drew it."
        section.blocks.append(Drawing(data_uri(png, "image/png"), words, caption))
    tables = {"metrics": model.metrics, **model.tables}
    if places := len(tables.pop("evidence_map", ())):
        told = f"The {places} places of the maps of evidence stand in evidence_map.tsv alone."
        section.blocks.append(Text(told, "note"))
    for name, frame in tables.items():
        if frame.empty:
            section.blocks.append(Text(f"The table {name} is empty.", "note"))
            continue
        labels = {column: str(column).replace("_", " ") for column in frame.columns}
        section.blocks.append(
            table(f"{name} of {model.name}", _shown(frame), frame.head(200), labels, frame)
        )
    return section


def _shown(frame: pd.DataFrame) -> str:
    extra = "; the first 200 are shown, the download holds all" if len(frame) > 200 else ""
    return f"{len(frame)} rows{extra}."


def _with_own_name(study: StudyRecord) -> StudyRecord:
    """Tables may call our method by the model's name; the report always calls it ctharmony."""
    models = tuple(
        ModelRecord(**{**vars(model), "metrics": _renamed(model.metrics, model.name),
                       "tables": _each(model.tables, model.name)})
        for model in study.models
    )  # fmt: skip
    return StudyRecord(**{**vars(study), "models": models})


def _each(tables: Mapping[str, pd.DataFrame], name: str) -> dict[str, pd.DataFrame]:
    return {key: _renamed(frame, name) for key, frame in tables.items()}


def _renamed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    if "method" not in frame or OURS in set(frame["method"]):
        return frame
    return frame.assign(method=frame["method"].replace({name: OURS}))
