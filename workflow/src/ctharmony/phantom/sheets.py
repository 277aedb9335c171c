"""Writes the manifest of a virtual site: who is scanned, with the patients' true age and sex.

    python -m ctharmony.phantom.sheets SITE ROLE < config/config.yaml > config/demo/scans/SITE.tsv

Reads the configuration from standard input and prints the sheet, so nothing else touches disk.
What a study sets anew may follow the defaults behind a line of three dashes:

    (cat config/config.yaml; echo ---; cat config/study/config.yaml) |
        python -m ctharmony.phantom.sheets SITE ROLE > config/study/scans/SITE.tsv
"""

import sys
from typing import Any, TextIO

import pandas as pd
import yaml

from ctharmony.phantom.population import (
    TRAVELLING_PREFIX,
    draw_factors,
    is_travelling,
    site_population,
)

COLUMNS = ("scan", "subject", "split", "age", "sex", "travelling")


def make_sheet(site: str, role: str, population: dict[str, Any]) -> pd.DataFrame:
    """Manifest of one site.

    Args:
        site: id; own patients are called <site>-01, <site>-02, ...
        role: reference or query; a query site's scans are all `test`.
        population: block `population` of the simulation settings; `patients` (split -> number of
            own patients) and `travelling_patients` say who is scanned.

    Returns:
        Columns scan, subject, split, age, sex, travelling; own patients first.
    """
    splits = [split for split, count in population["patients"].items() for _ in range(count)]
    rows = [
        {"scan": f"{site}-{number:02d}", "subject": f"{site}-{number:02d}", "split": split}
        for number, split in enumerate(splits, start=1)
    ]
    for number in range(1, population["travelling_patients"] + 1):
        subject = f"{TRAVELLING_PREFIX}{number:02d}"
        rows.append({"scan": f"{site}-{subject}", "subject": subject, "split": "test"})
    for row in rows:
        row["travelling"] = int(is_travelling(row))
        chosen = site_population(population, site, bool(row["travelling"]))
        factors = draw_factors(chosen, population["seed"], row["subject"])
        row.update(age=factors.age, sex=factors.sex)
        if role == "query":
            row["split"] = "test"
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_population(text: TextIO | str) -> dict[str, Any]:
    """Block `population` of one or several YAML documents; a later one wins, key by key."""
    population: dict[str, Any] = {}
    for document in yaml.safe_load_all(text):
        population |= document.get("simulation", {}).get("population", {})
    return population


def main(arguments: list[str]) -> None:
    """Print the sheet of the named site for the configuration on standard input."""
    site, role = arguments
    sheet = make_sheet(site, role, read_population(sys.stdin))
    sheet.to_csv(sys.stdout, sep="\t", index=False, lineterminator="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
