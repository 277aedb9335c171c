"""Models in MLflow's own form: saved beside the results, found again by name and alias."""

import hashlib
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import yaml

import ctharmony
from ctharmony.harmonizer import INSIDE_MODEL
from ctharmony.io.files import write_text
from ctharmony.tracking import NO_TELEMETRY

# what loading and using a harmonizer imports
PACKAGES = (
    "mlflow", "nibabel", "numpy", "pandas", "pydicom", "pyyaml", "safetensors", "scipy", "torch",
)  # fmt: skip
# parts of the library that it does without
LEFT_OUT = ("commands", "demonstration", "evaluation", "jobs", "phantom")
ARTIFACT = "harmonizer"
EPOCH = "2000-01-01 00:00:00.000000"


def save_model(package: Path, destination: Path) -> None:
    """A harmonizer's folder as an MLflow pyfunc model: signature, pins, the library's code.

    The same package gives the same bytes: MLflow's random id and time are replaced.

    Args:
        package: as `io.packages.write_package` made it.
        destination: folder to make.
    """
    os.environ |= NO_TELEMETRY
    import mlflow

    with tempfile.TemporaryDirectory() as temporary:
        code = Path(temporary) / "ctharmony"
        ignored = shutil.ignore_patterns("__pycache__", *LEFT_OUT)
        shutil.copytree(Path(ctharmony.__file__).parent, code, ignore=ignored)
        named = Path(temporary) / ARTIFACT
        shutil.copytree(package, named)
        mlflow.pyfunc.save_model(
            path=str(destination),
            python_model=str(Path(__file__).with_name("tracking_pyfunc.py")),
            artifacts={ARTIFACT: str(named)},
            code_paths=[str(code)],
            signature=_signature(),
            pip_requirements=[f"{name}=={_release(name)}" for name in PACKAGES],
        )
    _steady(destination)


def fetch_model(address: str, registry: str | None, folder: Path) -> Path:
    """The harmonizer's folder behind an address.

    Args:
        address: `models:/NAME@alias`, `models:/NAME/VERSION`, or a folder.
        registry: an MLflow server, or the folder of an embedded store; None: MLflow's default.
        folder: empty place for what is downloaded.

    Raises:
        ValueError: there is no such model.
    """
    if not address.startswith("models:/"):
        found = Path(address)
    else:
        found = _download(address, registry, folder)
    inside = found / INSIDE_MODEL
    if not inside.is_dir():
        raise ValueError(f"{address} is no ctharmony model; name one that `package` made")
    return inside


def _download(address: str, registry: str | None, folder: Path) -> Path:
    os.environ |= NO_TELEMETRY
    import mlflow
    from mlflow.exceptions import MlflowException

    uri = registry
    if registry is not None and "://" not in registry:
        uri = f"sqlite:///{Path(registry).resolve() / 'mlflow.db'}"
    client = mlflow.MlflowClient(uri, uri)
    name, _, which = address.removeprefix("models:/").partition("@")
    name, _, number = name.partition("/")
    try:
        found = (
            client.get_model_version_by_alias(name, which)
            if which
            else client.get_model_version(name, number)
        )
    except MlflowException as error:
        raise ValueError(f"{address} is not in the registry {registry}: {error.message}") from error
    source = found.source
    if source.startswith("mlflow-artifacts:/") and registry and "://" not in registry:
        return Path(registry) / "artifacts" / source.removeprefix("mlflow-artifacts:/").lstrip("/")
    return Path(mlflow.artifacts.download_artifacts(source, dst_path=str(folder), tracking_uri=uri))


def _signature():
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [ColSpec("string", "path"), ColSpec("string", "site", required=False)]
    outputs = [ColSpec("string", name) for name in ("path", "output", "status", "reason")]
    outputs.append(ColSpec("double", "mean_absolute_change_hu"))
    return ModelSignature(Schema([*inputs, ColSpec("string", "output")]), Schema(outputs))


def _release(package: str) -> str:
    """The installed version without a local suffix such as +cpu."""
    return version(package).partition("+")[0]


def _steady(folder: Path) -> None:
    """Replace what MLflow draws at random in the file MLmodel, and paths of this machine."""
    path = folder / "MLmodel"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    about = (folder / INSIDE_MODEL / "harmonizer.json").read_bytes()
    content["model_uuid"] = hashlib.sha256(about).hexdigest()[:32]
    content["utc_time_created"] = EPOCH
    # where the package and the library lay while it was saved; loading takes the name alone
    function = content["flavors"]["python_function"]
    function["artifacts"][ARTIFACT]["uri"] = ARTIFACT
    function["model_code_path"] = Path(function["model_code_path"]).name
    write_text(path, yaml.safe_dump(content))
