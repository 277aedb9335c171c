"""MLflow: one experiment per study, a parent run per state of it, a child per model and query site.

The results folder is the truth and MLflow is fed from it, by one writer. Runs carry the hash of
their content, so the same content updates a run and never makes another. The embedded store keeps
no absolute path: artifacts have proxied addresses that `python -m ctharmony.tracking ui` serves.
"""

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ctharmony.io.records import (
    RunRecord,
    outbox_records,
    outcome,
    put_in_outbox,
    without_secrets,
)
from ctharmony.mlflow_ui import main
from ctharmony.tracking_registry import log_datasets, register

NO_TELEMETRY = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
LOGGER = logging.getLogger("ctharmony")
CONTENT, CURRENT, COMPLETE = "ctharmony.content", "ctharmony.current", "ctharmony.complete"
METRICS_PER_CALL, PARAMS_PER_CALL = 1000, 100


@dataclass(frozen=True)
class TrackingSettings:
    """The config block `tracking`.

    Attributes:
        enabled: whether anything is tracked at all.
        uri: address of an MLflow server, or None for the embedded store in the results folder.
        timeout_seconds: longest wait for one answer of a server; retries: repeats of a call.
        weights: whether the models' weights are kept as artifacts.
    """

    enabled: bool
    uri: str | None
    timeout_seconds: int
    retries: int
    weights: bool


@dataclass(frozen=True)
class Store:
    """An open store: MLflow's client, the experiment, and the folder of artifacts if embedded."""

    client: Any
    experiment: str
    artifacts: Path | None


def track(
    study: str, records: Sequence[RunRecord], folder: Path, settings: TrackingSettings
) -> dict[str, Any]:
    """Tell the store all records, parents first; what a dead server cannot take waits.

    Args:
        study: name of the experiment.
        records: sealed records; a child's `parent` is its parent's content.
        folder: where the embedded store and the outbox lie.
        settings: which store, and how patiently.

    Returns:
        The outcome: experiment, store, delivered, reason, runs (name, content, run), waiting.
    """
    if not settings.enabled:
        return outcome(study, settings.uri, records, {}, "tracking is switched off")
    outbox = folder / "outbox"
    if settings.uri is not None:
        put_in_outbox(outbox, records)
    runs: dict[str, str] = {}
    try:
        store = open_store(study, folder, settings)
        for waiting, record in outbox_records(outbox):
            runs[record.content] = deliver(store, record, runs)
            shutil.rmtree(waiting)
        for record in records if settings.uri is None else ():
            runs[record.content] = deliver(store, record, runs)
    except _failures() as error:
        if settings.uri is None:
            raise
        reason = (
            f"the server did not take the records ({type(error).__name__}); they wait in the outbox"
        )
        LOGGER.warning("%s: %s", without_secrets(settings.uri), reason)
        return outcome(study, settings.uri, records, runs, reason)
    return outcome(study, settings.uri, records, runs, "")


def open_store(study: str, folder: Path, settings: TrackingSettings) -> Store:
    """Open the store and create what it lacks: database and experiment before anything is written.

    Raises:
        MlflowException: the server does not answer or refuses.
    """
    _quiet(settings)
    from mlflow import MlflowClient

    if settings.uri is not None:
        client, artifacts, location = MlflowClient(settings.uri), None, None
    else:
        client = MlflowClient(_embedded(folder))
        # served by the UI from the folder that it is told of, so the store can be moved
        artifacts, location = folder / "artifacts", f"mlflow-artifacts:/{study}"
    found = client.get_experiment_by_name(study)
    # the kind makes the UI open on runs and curves
    kind = {"mlflow.experimentKind": "custom_model_development"}
    experiment = found.experiment_id if found else client.create_experiment(study, location, kind)
    return Store(client, experiment, artifacts)


def _embedded(folder: Path) -> str:
    """Address of the embedded store; made beside its place and renamed: whole or absent."""
    database = folder.resolve() / "mlflow.db"
    if not database.is_file():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        folder.mkdir(parents=True, exist_ok=True)
        fresh = database.with_name(".mlflow.db~")
        fresh.unlink(missing_ok=True)
        # MLflow's own default experiment would otherwise bear the working directory's path
        store = SqlAlchemyStore(f"sqlite:///{fresh}", "mlflow-artifacts:/")
        store.delete_experiment("0")
        store.engine.dispose()
        os.replace(fresh, database)
    return f"sqlite:///{database}"


def deliver(store: Store, record: RunRecord, runs: dict[str, str]) -> str:
    """Make or complete the run of a record and return its id.

    Args:
        store: an open store.
        record: sealed; its parent, if any, is in `runs` or in the store.
        runs: content -> run id of what was delivered before.
    """
    client = store.client
    run = _only_run(store, record)
    tags = {"mlflow.source.name": "ctharmony", CONTENT: record.content, **record.tags}
    parent = _parent(store, record, runs)
    if parent:
        tags["mlflow.parentRunId"] = parent
    if run is None:
        run = client.create_run(store.experiment, tags=tags, run_name=record.name)
    identity = run.info.run_id
    if run.data.tags.get(COMPLETE) != "yes":
        _fill(store, record, run)
        log_datasets(client, identity, record)
    register(client, run, record)
    _log_tags(client, identity, tags | {COMPLETE: "yes", CURRENT: "yes"})
    client.set_terminated(identity, "FINISHED", run.info.end_time)
    _retire(store, record, identity)
    return identity


def _parent(store: Store, record: RunRecord, runs: dict[str, str]) -> str | None:
    """Run id of the parent; None for a parent, and where somebody removed it from the store."""
    if record.parent is None or record.parent in runs:
        return runs.get(record.parent or "")
    found = _find(store, record.parent)
    return found[0].info.run_id if found else None


def _fill(store: Store, record: RunRecord, run: Any) -> None:
    """Log everything; each call is safe to repeat, so a run cut short is completed later."""
    from mlflow.entities import Metric, Param

    identity, moment = run.info.run_id, run.info.start_time
    params = [Param(key, value) for key, value in record.params.items()]
    for some in _batches(params, PARAMS_PER_CALL):
        store.client.log_batch(identity, params=some)
    # one moment for all points: MLflow then knows a repeated point from a new one
    metrics = [Metric(key, value, moment, step) for key, step, value in record.metrics]
    for some in _batches(metrics, METRICS_PER_CALL):
        store.client.log_batch(identity, metrics=some)
    for name, source in record.artifacts.items():
        if store.artifacts is None:
            store.client.log_artifact(identity, source, str(Path(name).parent).removeprefix("."))
        else:
            place = store.artifacts / urlsplit(run.info.artifact_uri).path.lstrip("/") / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _log_tags(client: Any, identity: str, tags: dict[str, str]) -> None:
    from mlflow.entities import RunTag

    client.log_batch(identity, tags=[RunTag(key, value) for key, value in tags.items()])


def _only_run(store: Store, record: RunRecord) -> Any | None:
    """The run of this content; doubles, left when an answer was lost on its way, are removed."""
    found = _find(store, record.content)
    for double in found[1:]:
        store.client.delete_run(double.info.run_id)
    return found[0] if found else None


def _find(store: Store, content: str) -> list[Any]:
    return list(
        store.client.search_runs(
            [store.experiment], f"tags.`{CONTENT}` = '{content}'", order_by=["start_time ASC"]
        )
    )


def _retire(store: Store, record: RunRecord, identity: str) -> None:
    """Earlier states of the same thing are kept and marked as no longer current."""
    query = f"tags.`{CURRENT}` = 'yes' and attributes.run_name = '{record.name}'"
    for run in store.client.search_runs([store.experiment], query):
        if run.info.run_id != identity and bool(record.parent) == (
            "mlflow.parentRunId" in run.data.tags
        ):
            store.client.set_tag(run.info.run_id, CURRENT, "no")


def _failures() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    return (MlflowException, RequestException, OSError)


def _quiet(settings: TrackingSettings) -> None:
    """No telemetry, no second thoughts about a dead server; before mlflow is imported."""
    os.environ |= NO_TELEMETRY | {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(settings.retries),
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(settings.timeout_seconds),
        "GIT_PYTHON_REFRESH": "quiet",
    }


if __name__ == "__main__":
    main()
