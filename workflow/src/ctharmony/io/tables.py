"""Tables are tab-separated text with a header, written the same way every time."""

from pathlib import Path

import pandas as pd

from ctharmony.io.files import replaced


def write_table(path: str | Path, frame: pd.DataFrame) -> None:
    """Write `frame` without its index; floats with nine significant digits, missing as n/a."""
    with replaced(path) as temporary:
        frame.to_csv(
            temporary, sep="\t", index=False, na_rep="n/a", float_format="%.9g", lineterminator="\n"
        )


def read_table(path: str | Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a table; the columns named in `text` (and scan, site, subject, batch) stay strings.

    Raises:
        ValueError: the file is empty or not a table; the message names it.
    """
    columns = {name: str for name in ("scan", "site", "subject", "batch", *text)}
    try:
        return pd.read_csv(path, sep="\t", dtype=columns, na_values=["n/a"], keep_default_na=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a tab-separated table ({error})") from error


def read_tables(paths: list[str] | list[Path], text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read and stack several tables in the given order; an empty list gives an empty frame."""
    frames = [read_table(path, text) for path in paths]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
