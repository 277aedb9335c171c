"""What is told to the tracking store, as plain records, and the outbox where they wait.

A record is named by the hash of its content, so that telling the same thing twice changes nothing.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from ctharmony.io.files import read_json, write_json
from ctharmony.io.points import curve_points, metric_points, summary_points
from ctharmony.io.tables import read_table

LONGEST_PARAMETER = 500  # characters that every MLflow store accepts
HARMONIZER = "harmonizer"  # folder of a run's model in MLflow's form
# where a study lies and how it is tracked says nothing of what came of it
UNTOLD = ("results", "tracking", "models", "model")


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        name: run name; content: sha256 of everything but the tags; parent: the parent's content.
        params: flat settings; tags: what may differ between runs of the same content.
        metrics: (key, step, value) triples, finite values only.
        artifacts: path in the store -> file on disk.
        datasets: sheet's name -> sha256 of its bytes; told as the run's inputs.
        registered: name in the model registry, or nothing.
    """

    name: str
    params: dict[str, str]
    metrics: list[tuple[str, int, float]]
    artifacts: dict[str, str]
    tags: dict[str, str] = field(default_factory=dict)
    parent: str | None = None
    content: str = ""
    datasets: dict[str, str] = field(default_factory=dict)
    registered: str = ""

    def sealed(self) -> "RunRecord":
        """The same record with its content's hash."""
        digests = {name: file_hash(path) for name, path in sorted(self.artifacts.items())}
        told = [self.name, self.params, self.metrics, digests]
        text = json.dumps(told, sort_keys=True, allow_nan=False)
        return replace(self, content=hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True)
class ModelFolders:
    """What the rules made of one model.

    Attributes:
        model, evaluation: folders of the rules `train` and `evaluate`.
        package: the model in MLflow's form, or None.
    """

    model: str
    evaluation: str
    package: str | None = None

    def metrics(self) -> pd.DataFrame:
        """metrics.tsv; empty where the model was not evaluated."""
        table = Path(self.evaluation) / "metrics.tsv"
        return read_table(table) if table.is_file() else pd.DataFrame()


def study_record(
    study: str, config: Mapping[str, Any], report: str, sheets: Iterable[str],
    demonstrations: Iterable[str] = (),
) -> RunRecord:  # fmt: skip
    """The parent run: the configuration but its models, hashes of the sheets, the report.

    Args:
        study: name of the study; config: the whole configuration.
        report: path of the report; sheets: paths of the sites sheet and manifests.
        demonstrations: folders of the divergence study, as far as it was run.
    """
    told = {key: value for key, value in config.items() if key not in UNTOLD}
    datasets = {Path(sheet).stem: file_hash(sheet) for sheet in sheets}
    hashes = {f"sheet.{name}.sha256": digest for name, digest in datasets.items()}
    artifacts, metrics = {"report.html": report}, []
    for path in (path for folder in demonstrations for path in _files(Path(folder))):
        artifacts[f"divergence_study/{path.parent.name}/{path.name}"] = str(path)
        metrics += summary_points(read_table(path)) if path.name == "summary.tsv" else []
    params = flat(told) | hashes
    return RunRecord(study, params, metrics, artifacts, datasets=datasets).sealed()


def site_record(model: str, site: str, adapted: str, metrics: pd.DataFrame) -> RunRecord:
    """A child run: the onboarding of a query site to a model.

    Args:
        model, site: their names; adapted: the folder that `adapt` left.
        metrics: the model's metrics.tsv; the rows of this site are told.
    """
    profile = Path(adapted) / "site.json"
    found = {f"site/{path.name}": str(path) for path in _files(Path(adapted))}
    points = metric_points(metrics[metrics["site"] == site]) if len(metrics) else []
    params = {"model": model, "site": site, "profile.sha256": file_hash(profile)}
    return RunRecord(f"{model} at {site}", params, points, found).sealed()


def model_record(
    name: str,
    folders: ModelFolders,
    metrics: pd.DataFrame,
    settings: Mapping[str, Any],
    weights: bool,
) -> RunRecord:
    """A child run: the model's settings, curves, metrics and weights.

    Args:
        name: the model's name; folders: what was made of it; metrics: its metrics.tsv.
        settings: its expanded settings; weights: whether the weights are kept as an artifact.
    """
    model, found = Path(folders.model), {}
    for path in _files(model):
        if weights or path.suffix != ".safetensors":
            found[f"model/{path.relative_to(model).as_posix()}"] = str(path)
    for path in _files(Path(folders.package)) if folders.package and weights else ():
        found[f"{HARMONIZER}/{path.relative_to(folders.package).as_posix()}"] = str(path)
    history = model / "history.tsv"
    points = curve_points(read_table(history)) if history.is_file() else []
    points += metric_points(metrics) if len(metrics) else []
    return RunRecord(name, flat(settings), points, found).sealed()


def evaluation_record(model: RunRecord, folders: ModelFolders, metrics: pd.DataFrame) -> RunRecord:
    """A child run of a model's: its evaluation with metrics, tables and figures.

    Args:
        model: the model's sealed record, which becomes the parent.
        folders: what was made of it; metrics: its metrics.tsv.
    """
    evaluation, found = Path(folders.evaluation), {}
    for path in _files(evaluation):
        kind = "figures" if path.suffix in (".png", ".svg") else "tables"
        inside = path.relative_to(evaluation).as_posix().removeprefix("figures/")
        found[f"{kind}/{inside}"] = str(path)
    points = metric_points(metrics) if len(metrics) else []
    params = {"model": model.name, "model.content": model.content}
    told = RunRecord(f"evaluation of {model.name}", params, points, found)
    return replace(told.sealed(), parent=model.content)


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted names and short texts, in order of the keys."""
    found: dict[str, str] = {}
    for key in sorted(content, key=str):
        value = content[key]
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = _short(value)
    return found


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    if len(text) <= LONGEST_PARAMETER:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{text[: LONGEST_PARAMETER - 30]}... (sha256 {digest})"


def file_hash(path: str | Path) -> str:
    """sha256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    """Files below `folder` in order; Snakemake's hidden time stamps are none of them."""
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]


def outcome(
    study: str, uri: str | None, records: Iterable[RunRecord], runs: Mapping[str, str], reason: str
) -> dict[str, Any]:
    """What tracking did, for tracked.json.

    Args:
        study: the experiment; uri: the server, or None for the embedded store.
        records: what was to be told; runs: content -> run id of what the store took.
        reason: why not all was delivered; empty where it was.
    """
    told = [{"name": r.name, "content": r.content, "run": runs.get(r.content)} for r in records]
    return {
        "experiment": study,
        "store": "embedded" if uri is None else without_secrets(uri),
        "delivered": not reason,
        "reason": reason,
        "runs": told,
        "waiting": sum(run["run"] is None for run in told),
    }


def without_secrets(uri: str) -> str:
    """An address without a user's name, a password or a query."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")


def put_in_outbox(outbox: Path, records: Iterable[RunRecord]) -> None:
    """Keep whole copies of the records, in order; one that waits already is not kept twice."""
    for record in records:
        waiting = [path.name.split("-") for path in _waiting(outbox)]
        if record.content in [content for _, content in waiting]:
            continue
        last = max((int(number) for number, _ in waiting), default=0)
        folder = outbox / f"{last + 1:06d}-{record.content}"
        for name, source in record.artifacts.items():
            (folder / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / "files" / name)
        # the record is written last: a folder without it was cut short and is not taken for whole
        told = asdict(record) | {"artifacts": sorted(record.artifacts)}
        write_json(folder / "record.json", told)


def outbox_records(outbox: Path) -> list[tuple[Path, RunRecord]]:
    """(folder, record) of everything that waits, oldest first."""
    found = []
    for folder in _waiting(outbox):
        told = read_json(folder / "record.json")
        files = {name: str(folder / "files" / name) for name in told.pop("artifacts")}
        points = [(key, step, value) for key, step, value in told.pop("metrics")]
        found.append((folder, RunRecord(artifacts=files, metrics=points, **told)))
    return found


def _waiting(outbox: Path) -> list[Path]:
    """Whole entries; one without its record was cut short and counts for nothing."""
    return sorted(path.parent for path in outbox.glob("*-*/record.json"))
