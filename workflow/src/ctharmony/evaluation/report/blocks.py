"""The pieces a section is made of; the template knows how to draw each kind."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctharmony.evaluation import figures
from ctharmony.evaluation.report.words import number

LONG_TABLE = 12  # rows; a longer table is folded


def data_uri(content: bytes, kind: str) -> str:
    """`content` as a data: address of the media type `kind`, so that nothing is fetched."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


@dataclass(frozen=True)
class Text:
    """A paragraph; `tone` is plain, note or warning."""

    text: str
    tone: str = "plain"
    kind: str = "text"


@dataclass(frozen=True)
class Drawing:
    """A figure: address, what it shows for those who cannot see it, and how to read it."""

    source: str
    alternative: str
    caption: str
    wide: bool = False
    kind: str = "drawing"


@dataclass(frozen=True)
class Cell:
    """One cell of a table: text, a word that marks it (best, ours, beats, warned), sort key."""

    text: str
    mark: str = ""
    sort: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its caption; `download` holds the full data as a data: address."""

    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    download: str = ""
    filename: str = ""
    kind: str = "table"

    @property
    def long(self) -> bool:
        """Whether it is folded away until asked for, and can be searched."""
        return len(self.rows) > LONG_TABLE


@dataclass(frozen=True)
class View:
    """One way to look at a slice: name, address before, address after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """A slice before and after under a divider, with presets, and its change map."""

    title: str
    views: Sequence[View]
    change: str
    caption: str
    width: int
    height: int
    kind: str = "comparison"


@dataclass(frozen=True)
class Gallery:
    """Small (or, if `large`, middling) pictures with their names; two in a row if `paired`."""

    caption: str
    items: Sequence[tuple[str, str]]
    large: bool = False
    paired: bool = False
    kind: str = "gallery"


@dataclass(frozen=True)
class Section:
    """A heading (and its short form), one sentence that says what it answers, its blocks."""

    anchor: str
    title: str
    lead: str
    blocks: list[Any] = field(default_factory=list)
    short: str = ""


def drawing(figure: Figure, alternative: str, caption: str, wide: bool = False) -> Drawing:
    """A matplotlib figure as a self-contained SVG drawing."""
    return Drawing(
        data_uri(figures.save(figure, "svg"), "image/svg+xml"), alternative, caption, wide
    )


def table(
    title: str, caption: str, frame: pd.DataFrame, labels: dict[str, str], full: pd.DataFrame
) -> Table:
    """A table of the columns in `labels` (column -> heading); `full` is what the download holds."""
    columns = [name for name in labels if name in frame.columns]
    shown = frame[columns].apply(whole_numbers)
    rows = [[cell(value) for value in row] for row in shown.itertuples(index=False)]
    headings = [labels[name] for name in columns]
    return Table(title, caption, headings, rows, download(full), file_name(title))


def whole_numbers(column: pd.Series) -> pd.Series:
    """A column of counts as integers, so that it is not printed with decimals."""
    if not pd.api.types.is_float_dtype(column) or not column.notna().any():
        return column
    known = column.dropna()
    whole = bool(np.isfinite(known).all() and (known == known.round()).all())
    return column.astype("Int64").astype(object) if whole else column


def cell(value: object) -> Cell:
    """A value as it is printed; numbers keep their sort key, a missing value becomes a dash."""
    if isinstance(value, bool) or value is None or value is pd.NA or value != value:
        return Cell("yes" if value is True else "no" if value is False else "–")
    if isinstance(value, int):
        return Cell(str(value), sort=str(value))
    if isinstance(value, float):
        return Cell(number(float(value)), sort=repr(float(value)))
    if hasattr(value, "item"):
        return cell(value.item())
    return Cell(str(value))


def download(frame: pd.DataFrame) -> str:
    """The frame as tab-separated text in a data: address; empty for an empty frame."""
    if frame.empty:
        return ""
    text = frame.to_csv(
        sep="\t", index=False, na_rep="n/a", float_format="%.9g", lineterminator="\n"
    )
    return data_uri(text.encode(), "text/tab-separated-values")


def file_name(title: str) -> str:
    """A plain file name for a table's download."""
    words = "".join(letter if letter.isalnum() else " " for letter in title.lower()).split()
    return "_".join(words) + ".tsv"


def finite(values: Sequence[float]) -> bool:
    """Whether there is at least one number."""
    return any(isinstance(value, int | float) and math.isfinite(value) for value in values)
