"""Tables are tab-separated text with a header, written the same way every time."""

from io import BytesIO
from pathlib import Path

import pandas as pd

from ctharmony.io.files import replaced
from ctharmony.io.seals import read_sealed, seal


def write_table(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table of results as `write_sheet` does, and its seal."""
    write_sheet(path, frame)
    seal(path)


def write_sheet(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table that is its reader's to change.

    Without the frame's index; floats with nine significant digits, missing as n/a.
    """
    with replaced(path) as temporary:
        frame.to_csv(
            temporary, sep="\t", index=False, na_rep="n/a", float_format="%.9g", lineterminator="\n"
        )


def read_table(path: str | Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a table; the columns named in `text` (and scan, site, subject, batch) stay strings.

    Raises:
        ValueError: the file is empty, not a table or not what was sealed; the message names it.
    """
    columns = {name: str for name in ("scan", "site", "subject", "batch", *text)}
    content = BytesIO(read_sealed(path))
    try:
        return pd.read_csv(
            content, sep="\t", dtype=columns, na_values=["n/a"], keep_default_na=False
        )
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a tab-separated table ({error})") from error


def read_tables(paths: list[str] | list[Path], text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read and stack several tables in the given order; an empty list gives an empty frame."""
    frames = [read_table(path, text) for path in paths]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
