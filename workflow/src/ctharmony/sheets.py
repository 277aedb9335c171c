"""Sheets of sites and scans as they are read; pandas and nothing heavier."""

import hashlib
from pathlib import Path

import pandas as pd

Row = dict[str, object]


class Rows(list):
    """Manifest rows as a rule's parameter: a list whose `repr` is a digest of what it holds.

    Snakemake writes the `repr` of parameters that have changed into its log and its own records;
    rows name files, folders and series of patients.
    """

    def __repr__(self) -> str:
        return (
            f"{len(self)} rows, SHA-256 {hashlib.sha256(super().__repr__().encode()).hexdigest()}"
        )


class StudyError(ValueError):
    """The study as described cannot run; the message names the culprit and the mend."""


def read_sheet(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    """A tab-separated table as text; empty and n/a are missing.

    Raises:
        StudyError: no such file, no table, or one of the columns `required` is not there.
    """
    try:
        frame = pd.read_csv(path, sep="\t", dtype=str, na_values=["n/a", ""], keep_default_na=False)
    except FileNotFoundError as error:
        raise StudyError(f"{path} does not exist; correct the path that names it") from error
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not a tab-separated table: {error}") from error
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise StudyError(
            f"{path} lacks the column {', '.join(missing)}; its columns are tab-separated "
            f"and begin with {', '.join(required)}"
        )
    return frame


def records(frame: pd.DataFrame) -> list[Row]:
    """One dict per row, missing values None."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in record.items()}
        for record in frame.to_dict("records")
    ]


def refuse_duplicates(frame: pd.DataFrame, column: str, path: str | Path) -> None:
    """Raise StudyError where a value of `column` stands twice in the sheet at `path`."""
    repeated = frame[column][frame[column].duplicated()].dropna().unique()
    if len(repeated):
        raise StudyError(
            f"{path}: the {column} '{repeated[0]}' stands there twice; remove or rename one row"
        )
