"""Models and the scans they are made from, on disk."""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.torch import load, save
from torch import Tensor

from ctharmony.io.files import replaced
from ctharmony.io.mapped import mapped_copy
from ctharmony.io.model_files import CARD, PEER, WEIGHTS
from ctharmony.io.seals import read_sealed_json, write_sealed_json
from ctharmony.io.tables import read_table, read_tables
from ctharmony.io.volumes import read_spacing, read_volume
from ctharmony.model.inference import ScanPosterior, TrainedModel
from ctharmony.model.peers import PeerSettings, TrainedPeer
from ctharmony.model.scans import ScanData
from ctharmony.model.settings import Settings

SHA256 = "weights_sha256"
NOT_PLACED = ("set_aside", "failed")


def read_model(folder: str | Path) -> TrainedModel:
    """A trained model from its directory.

    Raises:
        ValueError: weights and card do not belong together, or the weights are damaged.
    """
    card = read_sealed_json(Path(folder) / CARD)
    return TrainedModel.from_state(Settings.from_dict(card["settings"]), _weights(folder, card))


def write_model(folder: str | Path, model: TrainedModel, card: dict[str, Any]) -> None:
    """Weights as safetensors, and the card beside them with the weights' sha256."""
    write_sealed_json(Path(folder) / CARD, card | _keep_weights(folder, model.state()))


def write_peer(folder: str | Path, name: str, peer: TrainedPeer, settings: dict[str, Any]) -> None:
    """A peer's weights as safetensors, and what it is beside them."""
    patch = {"grid_mm": peer.grid_mm, "side": peer.side}
    content = {"name": name, **patch, "settings": dict(settings)}
    write_sealed_json(Path(folder) / PEER, content | _keep_weights(folder, peer.state()))


def read_peer(folder: str | Path) -> TrainedPeer:
    """A trained peer from its directory.

    Raises:
        ValueError: the weights are damaged.
    """
    card = read_sealed_json(Path(folder) / PEER)
    how = PeerSettings.from_dict(card["settings"])
    patch = (card["grid_mm"], card["side"])
    return TrainedPeer.from_state(card["name"], _weights(folder, card), how, *patch)


def _keep_weights(folder: str | Path, state: dict[str, Tensor]) -> dict[str, str]:
    content = save(state)
    with replaced(Path(folder) / WEIGHTS) as path:
        path.write_bytes(content)
    return {SHA256: hashlib.sha256(content).hexdigest()}


def _weights(folder: str | Path, card: Mapping[str, Any]) -> dict[str, Tensor]:
    """Weights that are what the card says; one flipped bit would harmonize quietly and wrongly."""
    path = Path(folder) / WEIGHTS
    content = path.read_bytes()
    # models made before the card held this are taken as they are
    if card.get(SHA256, digest := hashlib.sha256(content).hexdigest()) != digest:
        raise ValueError(
            f"{path} is damaged: its bytes are not those that were written; remove the folder "
            f"{folder} and run the same command again"
        )
    return load(content)


def read_usable_rows(ingested: Sequence[str], registered: Sequence[str]) -> pd.DataFrame:
    """Rows of scans.tsv that neither ingest nor registration set aside, with their `folder`."""
    tables = [read_table(Path(folder) / "scans.tsv").assign(folder=folder) for folder in ingested]
    rows = pd.concat(tables, ignore_index=True)
    placed = read_tables([Path(folder) / "registration.tsv" for folder in registered])
    failed = placed[placed["status"].isin(NOT_PLACED)][["site", "scan"]].apply(tuple, axis=1)
    own = rows[["site", "scan"]].apply(tuple, axis=1)
    return rows[(rows["status"] != "set_aside") & ~own.isin(set(failed))]


def read_curves(rows: pd.DataFrame) -> pd.DataFrame:
    """curves.tsv of every folder that `rows` name."""
    return read_tables([Path(folder) / "curves.tsv" for folder in rows["folder"].unique()])


def read_scans(
    rows: pd.DataFrame,
    mapped: Path | None = None,
    covariates: Mapping[tuple[str, str], tuple[float, ...]] | None = None,
) -> Iterator[ScanData]:
    """Each row's scan, one at a time, HU as int16.

    Args:
        rows: of `read_usable_rows`.
        mapped: where uncompressed copies are left for patches to be read from as they are needed,
            so that a study may be larger than memory; None keeps the scans in memory.
        covariates: (site, scan) -> numbers of the patient, for the critics.
    """
    for row in rows.itertuples():
        known = (covariates or {}).get((row.site, row.scan), ())
        stem = Path(row.folder) / row.scan
        spacing = read_spacing(f"{stem}.nii.gz")
        hu = _voxels(f"{stem}.nii.gz", "int16", mapped)
        mask = _voxels(f"{stem}_mask.nii.gz", "uint8", mapped)
        named = (row.site, row.scan, row.subject, row.split)
        yield ScanData(hu, mask, spacing, *named, covariates=known)


def encode_scans(
    model: TrainedModel, rows: pd.DataFrame, logger: logging.Logger
) -> dict[str, ScanPosterior]:
    """Posterior of each scan of a site by its id; a scan that has none is logged and left out."""
    found = {}
    for scan in read_scans(rows):
        try:
            found[scan.scan] = model.encode_scan(scan.hu, scan.mask, scan.spacing)
        except ValueError as error:
            logger.warning("%s is left out: %s", scan.scan, error)
    return found


def _voxels(path: str, kind: str, mapped: Path | None) -> np.ndarray:
    copy = mapped_copy(path, None, mapped) if mapped else None
    if copy is not None:
        return copy
    array = read_volume(path).hu.round().astype(kind)
    return mapped_copy(path, array, mapped) if mapped else array
