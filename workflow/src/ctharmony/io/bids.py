"""What the BIDS layout says of a NIfTI file: whose it is, and whether it is a scan at all."""

import re
from pathlib import Path
from typing import Any

from ctharmony.io.tables import read_table

NOT_SCANS = re.compile(r"(_|-)(mask|seg|dseg|label|probseg)\b", re.IGNORECASE)
LABEL = re.compile(r"sub-[A-Za-z0-9]+")
SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}


def label_of(path: Path) -> str:
    """The subject's place in its dataset (`.../sub-07`), empty for a file outside BIDS.

    Two datasets may both have a sub-01, so the folder above belongs to it.
    """
    for part in (path, *path.parents):
        found = LABEL.match(part.name)
        if found and LABEL.fullmatch(part.name):
            return str(part)
    found = LABEL.match(path.name)
    return str(path.parent / found[0]) if found else ""


def is_derived(path: Path) -> str:
    """Why a file is no scan by its name or place; empty if it may be one."""
    if NOT_SCANS.search(path.name):
        return "its name is that of a mask"
    if "derivatives" in path.parts:
        return "it lies among derivatives"
    return ""


class Participants:
    """Ages and sexes of the `participants.tsv` of the datasets that are met, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, dict[str, Any]]] = {}

    def of(self, path: Path) -> dict[str, Any]:
        """`age` (years, as text) and `sex` (F, M) of a file's subject; None where not stated."""
        label = label_of(path)
        if not label:
            return {"age": None, "sex": None}
        root, name = Path(label).parent, Path(label).name
        if root not in self._known:
            self._known[root] = _read(root / "participants.tsv")
        return self._known[root].get(name, {"age": None, "sex": None})


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    try:
        table = read_table(path, text=("participant_id", "age", "sex"))
    except ValueError:
        return {}
    if "participant_id" not in table:
        return {}
    return {str(row["participant_id"]): _person(row) for row in table.to_dict("records")}


def _person(row: dict[str, Any]) -> dict[str, Any]:
    age = re.fullmatch(r"\s*(\d{1,3}(?:\.\d+)?)\s*", str(row.get("age", "")))
    sex = SEXES.get(str(row.get("sex", "")).strip().lower())
    return {"age": age[1] if age else None, "sex": sex}
