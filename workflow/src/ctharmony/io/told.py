"""Everything that is told of a study: the study, its models, their evaluations and query sites."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctharmony.io.records import (
    ModelFolders,
    RunRecord,
    evaluation_record,
    model_record,
    site_record,
    study_record,
)


def told_of_study(
    given: Any, params: Any, weights: bool, tags: Mapping[str, str]
) -> list[RunRecord]:
    """Records of a finished study, the parent first.

    Args:
        given: paths `report`, and folders `models`, `evaluation`, `packages` (in order)
            and `adapted` (ending in model and site).
        params: `study`, `models` (name -> settings), the whole `config`,
            `sheets`, and `demonstrations` (folders).
        weights: whether the models' weights are kept and registered.
        tags: what is the same for all of them.
    """
    parent = study_record(
        params.study, params.config, given.report, params.sheets, params.demonstrations
    )
    told = [replace(parent, tags=dict(tags))]
    folders = zip(given.models, given.evaluation, given.packages, strict=True)
    for (name, settings), places in zip(params.models.items(), folders, strict=True):
        own = ModelFolders(*places)
        metrics = own.metrics()
        child = model_record(name, own, metrics, settings, weights)
        registered = f"{params.study}-{name}" if weights else ""
        told.append(replace(child, parent=parent.content, tags=dict(tags), registered=registered))
        told.append(replace(evaluation_record(child, own, metrics), tags=dict(tags)))
        for folder in map(Path, given.get("adapted", [])):
            if folder.parent.name == name:
                onboarding = site_record(name, folder.name, str(folder), metrics)
                told.append(replace(onboarding, parent=parent.content, tags=dict(tags)))
    return told
