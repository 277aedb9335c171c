"""A harmonizer in one folder: weights, card, every site's profile and the settings it needs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ctharmony.io.derivatives import generated_by, hash_files, hash_settings
from ctharmony.io.model_files import CARD, WEIGHTS
from ctharmony.io.seals import copy_sealed, read_sealed_json, write_sealed_json

ABOUT = "harmonizer.json"
PARTS = (WEIGHTS, CARD, "history.tsv", "reference.json")


def write_package(
    destination: Path, model: Path, adapted: Iterable[Path], settings: Mapping[str, Any]
) -> None:
    """Gather what `ctharmony.harmonizer.Harmonizer` reads.

    Args:
        destination: folder to make.
        model: a trained model's folder; adapted: folders of onboarded query sites.
        settings: study, model, target, harmonization, quality and input.
    """
    (destination / "sites").mkdir(parents=True)
    for name in PARTS:
        copy_sealed(model / name, destination / name)
    for path in sorted((model / "sites").glob("*.json")):
        copy_sealed(path, destination / "sites" / path.name)
    for folder in adapted:
        copy_sealed(folder / "site.json", destination / "sites" / f"{folder.name}.json")
    hashes = {
        "model_sha256": hash_files([model / WEIGHTS]),
        "config_sha256": hash_settings(settings),
        "generated_by": generated_by(),
        "reference_sites": sorted(path.stem for path in (model / "sites").glob("*.json")),
    }
    write_sealed_json(destination / ABOUT, dict(settings) | hashes)


def unpack(package: Path, destination: Path, needed: Iterable[str]) -> None:
    """A package as a model's folder, as `train` would have left it.

    Args:
        package: folder written by `write_package`.
        destination: folder to make.
        needed: sites that must be among the model's reference sites.

    Raises:
        ValueError: the package does not know a site; the message says what to do.
    """
    known = read_sealed_json(package / ABOUT)["reference_sites"]
    for site in needed:
        if site not in known:
            raise ValueError(
                f"the fetched model was not trained on the reference site {site} (but on "
                f"{', '.join(known)}); give {site} the role query, or train a model"
            )
    (destination / "sites").mkdir(parents=True)
    for name in PARTS:
        copy_sealed(package / name, destination / name)
    for site in known:
        name = f"{site}.json"
        copy_sealed(package / "sites" / name, destination / "sites" / name)
