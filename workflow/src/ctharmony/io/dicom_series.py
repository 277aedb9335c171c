"""Which series of a DICOM folder is the scan, and how its slices lie in space."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ctharmony.io.dicom_headers import ENHANCED_CT, Header
from ctharmony.io.scan import InputLimits, SetAside

CT_CLASSES = {"1.2.840.10008.5.1.4.1.1.2", ENHANCED_CT, "1.2.840.10008.5.1.4.1.1.2.2"}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CAPTURES = {"SCREEN SAVE", "DOSE_INFO", "DOSE REPORT", "SCREENSHOT"}
# pictures computed from the reconstructed slices, whatever way they face
REFORMATS = {"REFORMATTED", "MPR", "MIP", "MINIP", "MIN_IP", "CPR", "VRT", "SSD"}


@dataclass(frozen=True)
class SeriesRule:
    """Which series is taken where a folder holds several; the config's `ingest.selection`.

    Attributes:
        thickness_mm: (thinnest, thickest) slice, mm; a series that states neither passes.
        kernels: preferred kernels, best first; empty means no preference.
        series_per_study: how many series of one study `discover` proposes.
    """

    thickness_mm: tuple[float, float]
    kernels: tuple[str, ...]
    series_per_study: int


@dataclass(frozen=True)
class Stack:
    """Slices of one series in spatial order.

    Attributes:
        headers: one per slice, from the lowest position along the normal.
        row, column: unit vectors (LPS) along which the column and the row index grow.
        spacing: (rows, columns) of PixelSpacing, mm.
        positions: (n, 3) centre of each slice's first pixel, LPS, mm.
        notes: sentences about slices that were dropped.
    """

    headers: tuple[Header, ...]
    row: np.ndarray
    column: np.ndarray
    spacing: np.ndarray
    positions: np.ndarray
    notes: tuple[str, ...]

    @property
    def normal(self) -> np.ndarray:
        """Unit vector (LPS) across the slices."""
        return np.cross(self.row, self.column)

    @property
    def depths(self) -> np.ndarray:
        """(n,) increasing position of each slice along the normal, mm."""
        return self.positions @ self.normal


def grouped(headers: list[Header]) -> dict[tuple, list[Header]]:
    """Series: equal SeriesInstanceUID, size, orientation, pixel and image kind.

    Where the UID is empty, one folder's files of one series number, kernel and thickness.
    """
    groups: dict[tuple, list[Header]] = defaultdict(list)
    for header in headers:
        orientation = header.numbers("ImageOrientationPatient", 6)
        spacing = header.numbers("PixelSpacing", 2)
        key = (
            header.text("SeriesInstanceUID"),
            header.integer("Rows", 0),
            header.integer("Columns", 0),
            () if orientation is None else tuple((orientation.round(2) + 0.0).tolist()),
            () if spacing is None else tuple(spacing.round(4).tolist()),
            tuple(header.get("ImageType") or ())[2:3],
            *(() if header.text("SeriesInstanceUID") else _nameless(header)),
        )
        groups[key].append(header)
    return groups


def _nameless(header: Header) -> tuple[str, ...]:
    tags = ("SeriesNumber", "ConvolutionKernel", "SliceThickness")
    return (str(header.path.parent), *(header.text(tag) for tag in tags))


def left_out(headers: list[Header], rule: SeriesRule, limits: InputLimits) -> str:
    """Why a series is not an axial CT scan in the wanted thickness; empty if it is."""
    first = headers[0]
    kinds = {str(kind).upper() for kind in (first.get("ImageType") or ())}
    kind = first.text("SOPClassUID")
    captured = kind.startswith(SECONDARY_CAPTURE) or kinds & CAPTURES
    if captured or first.integer("SamplesPerPixel", 1) != 1:
        return "it is a secondary capture (a screen or a dose report)"
    if first.text("Modality") not in ("CT", ""):
        return "it is not CT"
    if kind not in CT_CLASSES and first.text("Modality") != "CT":
        return "it is not a CT image"
    if "LOCALIZER" in kinds:
        return "it is a localizer"
    if any(header.text("BurnedInAnnotation").upper() == "YES" for header in headers):
        return "it has text burned into its pixels, which may name the patient"
    if kinds & REFORMATS:
        return "it is a reformat of other slices"
    return _bad_geometry(first, limits) or _bad_thickness(first, rule)


def choose(
    headers: list[Header], series: str, rule: SeriesRule, limits: InputLimits
) -> list[Header]:
    """The headers of the one series to take.

    Args:
        headers: all images found.
        series: SeriesInstanceUID or SeriesNumber to take; empty lets the rule choose.
        rule: preference of kernel, then the most slices, then the lowest series number.
        limits: what counts as axial.

    Raises:
        SetAside: nothing fits; the message says why for each kind of series.
    """
    groups = list(grouped(headers).values())
    if series:
        groups = [group for group in groups if _named(group[0], series)]
        if not groups:
            raise SetAside("the series named in its manifest row is not there; correct `series`")
    reasons = [left_out(group, rule, limits) for group in groups]
    usable = [group for group, reason in zip(groups, reasons, strict=True) if not reason]
    if not usable:
        raise SetAside(
            "no axial CT series was found: "
            + ", ".join(sorted(set(reasons)))
            + "; export the axial series"
        )
    return min(usable, key=lambda group: rank(group, rule))


def stacked(headers: list[Header]) -> Stack:
    """Sort slices along their normal; identical positions keep the first by instance number.

    Raises:
        SetAside: positions are missing, or two different pictures claim one position.
    """
    ordered = sorted(headers, key=lambda header: header.integer("InstanceNumber", 0))
    orientation = ordered[0].numbers("ImageOrientationPatient", 6)
    spacing = ordered[0].numbers("PixelSpacing", 2)
    if len(ordered) == 1 and ordered[0].frames() > 1:
        positions = ordered[0].frame_positions()
        ordered = ordered * len(positions)
    else:
        positions = [header.numbers("ImagePositionPatient", 3) for header in ordered]
    if orientation is None or spacing is None or any(place is None for place in positions):
        raise SetAside("slices lack position, orientation or pixel size; export the DICOM again")
    row, column = orientation[:3], orientation[3:]
    places = np.array(positions)
    depth = places @ np.cross(row, column)
    order = np.argsort(depth, kind="stable")
    first = np.append(True, np.diff(depth[order]) > 1e-2)
    kept = order[first]
    dropped = len(order) - len(kept)
    if dropped and len(kept) * 2 == len(order):
        raise SetAside(
            "every slice position is taken twice (two acquisitions or reconstructions mixed); "
            "export one series, or name it in the manifest's column `series`"
        )
    notes = (f"{dropped} slice(s) at a position already taken were dropped",) if dropped else ()
    return Stack(tuple(ordered[index] for index in kept), row, column, spacing, places[kept], notes)


def _named(header: Header, series: str) -> bool:
    return series in (header.text("SeriesInstanceUID"), str(header.get("SeriesNumber", "")))


def rank(group: list[Header], rule: SeriesRule) -> tuple:
    """Sort key of a usable series: preferred kernel, most slices, lowest number; least is best."""
    kernel = str(group[0].get("ConvolutionKernel", ""))
    preference = rule.kernels.index(kernel) if kernel in rule.kernels else len(rule.kernels)
    number = group[0].integer("SeriesNumber", 0)
    return preference, -len(group), number, group[0].text("SeriesInstanceUID")


def _bad_geometry(header: Header, limits: InputLimits) -> str:
    orientation = header.numbers("ImageOrientationPatient", 6)
    spacing = header.numbers("PixelSpacing", 2)
    if orientation is None or spacing is None or (spacing <= 0).any():
        return "its slices lack orientation or pixel size"
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if abs(row @ column) > 1e-2 or not np.allclose(lengths, 1, atol=1e-2):
        return "its orientation is not that of a picture"
    normal = np.cross(row, column)
    # a gantry tilts about the left-right axis only
    turned = np.degrees(np.arcsin(min(1.0, abs(float(normal[0])))))
    tilted = np.degrees(np.arctan2(abs(normal[1]), abs(normal[2])))
    if turned > limits.max_axial_degrees or tilted > limits.max_tilt_degrees:
        return "its slices are not axial"
    return ""


def _bad_thickness(header: Header, rule: SeriesRule) -> str:
    thickness = header.numbers("SliceThickness", 1)
    if thickness is None or rule.thickness_mm[0] <= thickness[0] <= rule.thickness_mm[1]:
        return ""
    return f"its slices are {thickness[0]:g} mm thick"
