"""What the rule report shows, gathered from what the other rules left."""

from typing import Any

import pandas as pd

from ctharmony.evaluation.report import (
    Example,
    ModelRecord,
    Picture,
    ReportSettings,
    StudyRecord,
)
from ctharmony.io import pictures, results


def study_record(given: Any, params: Any, settings: ReportSettings) -> StudyRecord:
    """Tables, figures and pictures of a whole study.

    Args:
        given: batch folders `ingested`, `registered` and `harmonized`, the folder `survey`, and
            a folder of every model in `models`, `evaluation`, `adapted` and `traversals`.
        params: `study`, `target`, `aim`, `models` (names), `sites` (rows) and `demonstrations`.
        settings: the config block `report`.
    """
    folders = zip(params.models, given.evaluation, given.models, given.traversals, strict=True)
    adapted, first = given.get("adapted", []), params.models[0]
    models = [results.read_model(*own, given.harmonized, adapted) for own in folders]
    # they fared alike for every model, so one table is enough
    baselines = [found["tables"].pop("baselines", pd.DataFrame()) for found in models]
    scans = results.stacked(given.ingested, "scans.tsv")
    examples = pictures.examples(scans, given, settings, first, params.target)
    pages = pictures.page_examples(scans, given, settings, first)
    small = pictures.thumbnails(scans, given, settings)
    lined_up = pictures.registration_pictures(scans, given, settings)
    return StudyRecord(
        study=params.study,
        target=params.target,
        aim=params.aim,
        sites=tuple(params.sites),
        models=tuple(ModelRecord(**found) for found in models),
        scans=scans,
        curves=results.stacked(given.ingested, "curves.tsv"),
        outliers=results.read_table(f"{given.survey}/outliers.tsv"),
        divergences=results.read_table(f"{given.survey}/divergences.tsv", ("site_a", "site_b")),
        registration=results.stacked(given.registered, "registration.tsv"),
        baselines=baselines[0],
        examples=tuple(Example(**found) for found in examples),
        page_examples=tuple(Example(**found) for found in pages),
        thumbnails=tuple(Picture(**found) for found in small),
        registration_pictures=tuple(Picture(**found) for found in lined_up),
        demonstrations=results.demonstrations(params.demonstrations),
    )
