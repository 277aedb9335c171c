"""Datasets and registered models of a run in MLflow; each call is safe to repeat."""

from typing import Any

from ctharmony.io.records import HARMONIZER, RunRecord

# the version that the newest evaluation is of; older ones stay and are compared by number
ALIAS = "champion"


def log_datasets(client: Any, identity: str, record: RunRecord) -> None:
    """Name the sheets of a record, by their hashes, as inputs of the run."""
    from mlflow.entities import Dataset, DatasetInput

    inputs = [
        DatasetInput(Dataset(name, digest[:36], "local", '{"uri": "manifest"}'), [])
        for name, digest in record.datasets.items()
    ]
    if inputs:
        client.log_inputs(identity, datasets=inputs)


def register(client: Any, run: Any, record: RunRecord) -> None:
    """Make the run's harmonizer a version of the registered model, once, and champion."""
    from mlflow.exceptions import MlflowException

    if not record.registered:
        return
    identity = run.info.run_id
    found = client.search_model_versions(f"run_id='{identity}'")
    if not found:
        try:
            client.create_registered_model(record.registered)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{run.info.artifact_uri}/{HARMONIZER}"
        found = [client.create_model_version(record.registered, source, identity)]
    client.set_registered_model_alias(record.registered, ALIAS, found[0].version)
