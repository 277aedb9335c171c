"""Tables of radiomics from elsewhere: several files joined by the patient's id."""

import os
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path

import pandas as pd

SEPARATORS = {".tsv": "\t", ".txt": "\t", ".csv": ","}


def joined_tables(tables: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Rows that every table knows, all cells as text, under the column `scan`.

    Args:
        tables: `path` (environment variables are filled in) and `id`, the column to join by.

    Raises:
        ValueError: no table is named, a file cannot be read, a column is missing, an id stands
            twice, or no id is in all tables.
    """
    if not tables:
        raise ValueError(
            "feature_study.tables names no table; add one with its path and its id column"
        )
    joined = reduce(lambda a, b: a.join(b, how="inner"), map(_table, tables))
    if joined.empty:
        paths = ", ".join(str(table["path"]) for table in tables)
        raise ValueError(f"no id is in all of {paths}; check the ids in feature_study.tables")
    return joined.rename_axis("scan").reset_index()


def _table(table: Mapping[str, str]) -> pd.DataFrame:
    path, name = Path(os.path.expandvars(table["path"])), table["id"]
    try:
        frame = pd.read_csv(
            path, sep=SEPARATORS.get(path.suffix.lower(), "\t"), dtype=str, keep_default_na=False
        )
    except (OSError, pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable table ({error}); correct its path") from error
    if name not in frame:
        raise ValueError(f"{path} has no column '{name}'; columns are {', '.join(frame)}"[:400])
    if frame[name].duplicated().any():
        twice = frame.loc[frame[name].duplicated(), name].iloc[0]
        raise ValueError(f"{path} has the id {twice} twice; keep one row of it")
    return frame.set_index(name)
