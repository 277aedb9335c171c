"""Scans that an interrupted job has already finished, kept until the job hands them over.

Snakemake deletes the output of a job that did not end, so finished scans wait beside it. A scan's
place is named by a digest of all that made it: with other settings it is simply not found.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ctharmony.io.files import read_json, write_json

RECORD = "record.json"  # written last and taken away first: a place without it is not finished


class UnfinishedJob:
    """The finished scans of one job.

    Args:
        output: folder that the job makes; the scans wait in a hidden folder beside it.
        recipe: everything but the scan itself that decides what a scan becomes; JSON.
    """

    def __init__(self, output: Path, recipe: Any):
        self.output = output
        self.recipe = recipe
        self.waiting = output.with_name(f".{output.name}.unfinished")

    def has(self, scan: dict[str, Any]) -> bool:
        """Whether this scan (its manifest row) was finished before."""
        return (self._place(scan) / RECORD).exists()

    @contextmanager
    def make(self, scan: dict[str, Any]) -> Iterator[Path]:
        """A folder to write a scan's files and its RECORD into; kept only if all went well."""
        place = self._place(scan)
        building = place.with_suffix(".building")
        for leftover in (place, building):
            shutil.rmtree(leftover, ignore_errors=True)
        building.mkdir(parents=True)
        yield building
        building.rename(place)

    def hand_over(self, scans: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Move all files into the output and return the scans' records, in the given order."""
        records = []
        for place in map(self._place, scans):
            records.append(dict(read_json(place / RECORD)))
            (place / RECORD).unlink()
            for path in sorted(place.rglob("*")):
                if path.is_file():
                    goal = self.output / path.relative_to(place)
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    path.rename(goal)
        shutil.rmtree(self.waiting, ignore_errors=True)
        return records

    def _place(self, scan: dict[str, Any]) -> Path:
        text = json.dumps([self.recipe, scan], sort_keys=True, default=str)
        return self.waiting / hashlib.sha256(text.encode()).hexdigest()[:32]


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write a scan's record, the last of its files; the order of its keys is kept."""
    write_json(folder / RECORD, list(record.items()))
