"""Harmonized scans as BIDS derivatives: what made them stands beside them.

Source: Brain Imaging Data Structure, chapter "Derivatives": dataset_description.json with
DatasetType and GeneratedBy, sidecars with Sources.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ctharmony.io.files import read_json, write_json
from ctharmony.io.model_files import WEIGHTS

BIDS_VERSION = "1.10.0"
SHORT = 12  # characters of a hash that people read


@dataclass(frozen=True)
class Provenance:
    """What the scans of a batch were made by.

    Attributes:
        model: name of the model; model_hash: sha256 of its weights and of both sites' profiles.
        config_hash: sha256 of target, settings, seed and stage version.
        target: the site that the scans look like.
    """

    model: str
    model_hash: str
    config_hash: str
    target: str

    @classmethod
    def of(cls, model: str, folder: str | Path, profile: Path, params: Any) -> "Provenance":
        """Hash a model's folder, a site's profile and a rule's parameters.

        Args:
            model: name of the model; folder: where it lies.
            profile: the site's profile; the target's lies in the model's folder.
            params: has target, settings, seed and version.
        """
        target = Path(folder) / "sites" / f"{params.target}.json"
        settings = {name: getattr(params, name) for name in ("target", "settings", "seed")}
        settings["version"] = params.version
        files = [Path(folder) / WEIGHTS, target, profile]
        return cls(model, hash_files(files), hash_settings(settings), params.target)

    @property
    def model_version(self) -> str:
        """Name and short hash of the model."""
        return f"{self.model} {self.model_hash[:SHORT]}"


def hash_files(files: Iterable[Path]) -> str:
    """sha256 over the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()


def hash_settings(settings: Mapping[str, Any]) -> str:
    """sha256 of settings as JSON with sorted keys."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def generated_by() -> list[dict[str, str]]:
    """BIDS GeneratedBy of this software."""
    return [{"Name": "ctharmony", "Version": version("ctharmony")}]


def write_sidecar(path: Path, source: Path, row: Mapping[str, Any], provenance: Provenance) -> None:
    """Sidecar of a harmonized scan: the source's acquisition tags and what was done.

    Args:
        path: the sidecar; source: sidecar of the ingested scan.
        row: the scan's row of scans.tsv.
        provenance: of the batch.
    """
    tags = read_json(source) if source.is_file() else {}
    tags.pop("Notes", None)
    place = f"bids:ingested:{row['site']}/{row['batch']}/{row['scan']}.nii.gz"
    write_json(
        path,
        tags
        | {
            "Description": f"harmonized to the scanner of {provenance.target}; HU",
            "Sources": [place],
            "SourceSHA256": row["sha256"],
            "HarmonizationTarget": provenance.target,
            "HarmonizationModel": provenance.model,
            "ModelSHA256": provenance.model_hash,
            "ConfigSHA256": provenance.config_hash,
            "GeneratedBy": generated_by(),
        },
    )


def write_description(path: Path, provenance: Provenance) -> None:
    """BIDS dataset_description.json of a folder of harmonized scans."""
    made = generated_by()[0] | {
        "Description": f"model {provenance.model_version}, config {provenance.config_hash[:SHORT]}"
    }
    content = {
        "Name": f"CT harmonized to the scanner of {provenance.target}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [made],
        "DatasetLinks": {"ingested": "../../../../ingested"},
        "SourceDatasets": [{"URL": "bids:ingested:"}],
    }
    write_json(path, content)
