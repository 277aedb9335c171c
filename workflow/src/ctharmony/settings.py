"""The study's configuration against its schema, told in sentences."""

import copy
import difflib
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from ctharmony.cohort import StudyError

LEARNED = ("conditional_vae", "autoencoder_kl")


def check_settings(config: dict[str, Any], schema_path: str | Path) -> None:
    """Check a configuration, its models expanded, against a YAML schema.

    The schema's `$ref`s name files beside it.

    Raises:
        StudyError: one sentence per fault, each with the key's full path and the mend.
    """
    if config.get("model") and config.get("models"):
        config = {**config, "models": expand_models(config)}
    faults = _faults(config, Path(schema_path))
    if faults:
        raise StudyError("; ".join(_sentence(fault, "config/README.md") for fault in faults))


def in_order(config: dict[str, Any], schema_path: str | Path) -> dict[str, Any]:
    """The configuration with its keys in the schema's order, those it does not know as they come.

    What a rule is told is compared as text: without this, keys written in another order, or laid
    over the configuration by a second file, would make jobs run anew.
    """
    schema_path = Path(schema_path)
    return _ordered(config, resolved(read_schema(schema_path), schema_path.parent))


def _ordered(content: Any, schema: dict[str, Any]) -> Any:
    if not isinstance(content, dict):
        return content
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    others = others if isinstance(others, dict) else {}
    names = [name for name in known if name in content]
    names += [name for name in content if name not in known]
    return {name: _ordered(content[name], known.get(name, others)) for name in names}


def resolved(schema: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A schema with every `$ref` to a file of `folder` replaced by what it names.

    Keys that stand beside a `$ref` win.
    """
    return _resolved(schema, schema, folder)


def _resolved(node: Any, document: dict[str, Any], folder: Path) -> Any:
    if isinstance(node, list):
        return [_resolved(item, document, folder) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" not in node:
        return {key: _resolved(value, document, folder) for key, value in node.items()}
    name, _, pointer = node["$ref"].partition("#")
    document = read_schema(folder / name) if name else document
    named = document
    for step in filter(None, pointer.split("/")):
        named = named[step]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return {**_resolved(named, document, folder), **beside}


def load_scanners(sheet: str | Path, schema_path: str | Path) -> dict[str, dict[str, Any]]:
    """Read the description of the virtual scanners and check it against its YAML schema.

    Returns:
        Scanner name -> its settings.

    Raises:
        StudyError: no such file, no YAML, or one sentence per fault with file, key and mend.
    """
    sheet, schema_path = Path(sheet), Path(schema_path)
    try:
        content = yaml.safe_load(sheet.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StudyError(
            f"config key simulation.scanners names {sheet}, which does not exist; correct it"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = str(getattr(error, "problem_mark", "") or "").strip()
        raise StudyError(f"{sheet} is not YAML {where}; correct its indentation there") from error
    if faults := _faults(content, schema_path):
        told = (_sentence(fault, schema_path.name, "the file") for fault in faults)
        raise StudyError("; ".join(f"{sheet}: {sentence}" for sentence in told))
    return content["scanners"]


def expand_models(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings of every named model: the defaults of `model` under the model's own overrides.

    A model without a seed of its own has the study's.
    """
    models = {
        name: merge(config["model"], overrides or {})
        for name, overrides in config["models"].items()
    }
    for settings in models.values():
        if "seed" in settings and settings["seed"] is None:
            settings["seed"] = config.get("seed")
    return models


def merge(defaults: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of `defaults` in which the values of `overrides` win, level by level."""
    merged = copy.deepcopy(defaults)
    for key, value in overrides.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def without(block: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The block but for these keys: a rule is told only what its result depends on."""
    return {key: value for key, value in block.items() if key not in keys}


def carrying_block(config: dict[str, Any]) -> dict[str, Any]:
    """What of the block `harmonization` decides how scans are carried: not what is shown beside."""
    return without(config["harmonization"], "baselines", "peers", "band_energy")


def baselines_block(config: dict[str, Any]) -> dict[str, Any]:
    """What of the block `harmonization` the simple methods depend on."""
    return without(config["harmonization"], "aim", "baselines", "peers", "limits")


def registration_block(config: dict[str, Any]) -> dict[str, Any]:
    """The block `registration` but for where its jobs run."""
    return without(config["registration"], "device", "device_batch")


def features_block(config: dict[str, Any]) -> dict[str, Any]:
    """The block `features`, its noise settings those of ingest where it names no other."""
    block = config["features"]
    return {**block, "noise": {**config["ingest"]["quality"]["noise"], **block["noise"]}}


def evaluation_block(config: dict[str, Any]) -> dict[str, Any]:
    """The block `evaluation` with the noise settings and frequency bands of the features."""
    shared = features_block(config)
    names = ("noise", "band_edges_per_mm")
    return {**config["evaluation"], **{name: shared[name] for name in names}}


def report_block(config: dict[str, Any]) -> dict[str, Any]:
    """The block `report` with the evaluation's bar for reproducible features."""
    return {**config["report"], "ccc_threshold": config["evaluation"]["ccc_threshold"]}


def _faults(content: object, schema_path: Path) -> list[ValidationError]:
    validator = Draft202012Validator(
        read_schema(schema_path), registry=_registry(schema_path.parent)
    )
    return sorted(validator.iter_errors(content), key=lambda fault: list(map(str, fault.path)))


def _registry(folder: Path) -> Registry:
    resources = [
        (path.name, Resource.from_contents(read_schema(path), default_specification=DRAFT202012))
        for path in sorted(folder.glob("*.schema.yaml"))
    ]
    return Registry().with_resources(resources)


@cache
def read_schema(path: Path) -> dict[str, Any]:
    """A YAML file's content, not to be changed: each is read once, for every job reads them all."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _sentence(fault: ValidationError, ranges: str, top: str = "the configuration") -> str:
    place = ".".join(str(part) for part in fault.absolute_path) or top
    if fault.validator == "additionalProperties" and isinstance(fault.instance, dict):
        known = list(fault.schema.get("properties", {}))
        strange = [key for key in fault.instance if key not in known]
        return "; ".join(_unknown_key(key, place, known) for key in strange)
    if fault.validator == "required":
        return f"{place}: {fault.message.replace(' is a required property', ' is missing; add it')}"
    return f"config key {place}: {fault.message}; see {ranges} for its range"


def _unknown_key(key: str, place: str, known: list[str]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    mend = f"did you mean '{close[0]}'?" if close else f"known keys are {', '.join(known)}"
    return f"config key '{key}' in {place} is not known; {mend}"


def learned_baselines(config: dict[str, Any]) -> list[str]:
    """Baselines that are networks and must be trained before they are applied."""
    return [name for name in config["harmonization"]["baselines"] if name in LEARNED]
