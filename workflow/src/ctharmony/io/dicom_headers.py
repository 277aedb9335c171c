"""DICOM headers of the files in a folder: what they are, whether they are whole, which series."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset

from ctharmony.io.pseudonyms import UIDS
from ctharmony.io.sidecar import CODES, NUMBERS, WORDS

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
GEOMETRY_TAGS = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "ImageType",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "BitsAllocated",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "BurnedInAnnotation",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
ACQUISITION_TAGS = (
    *NUMBERS.values(),
    *(keyword for keyword, _ in WORDS.values()),
    *(keyword for keyword, _ in CODES.values()),
)
UNDEFINED_LENGTH = 0xFFFFFFFF
# what pydicom raises when it first looks at a value, which is when it is asked for
MALFORMED = (
    ValueError,
    TypeError,
    OverflowError,
    AttributeError,
    KeyError,
    IndexError,
    NotImplementedError,
    EOFError,
    struct.error,
)
# a header that unpacks to more than this is no header
LARGEST_DEFLATED = 256 * 2**20
DEFLATED = b"1.2.840.10008.1.2.1.99"
PREAMBLE, MARK = 132, b"DICM"
# the element (0002,0000), which tells how long the file's meta group is, and all of it
META, META_BYTES = b"\x02\x00\x00\x00", 12
# what old archives store without preamble begins with a low element of one of these groups
BARE_STARTS = (b"\x02\x00", b"\x08\x00")


@dataclass(frozen=True)
class Header:
    """One DICOM file.

    Attributes:
        path: where it lies.
        dataset: the tags of GEOMETRY_TAGS and ACQUISITION_TAGS.
        whole: whether the file holds all the pixel data it declares.
        native: whether the pixels are stored uncompressed.
    """

    path: Path
    dataset: Dataset
    whole: bool
    native: bool

    def get(self, keyword: str, default: Any = None) -> Any:
        """Value of a tag, or `default` where it is absent, empty or malformed.

        A multi-frame file holds it in the groups that all frames share, or in those of the first.
        """
        try:
            value = self.dataset.get(keyword)
            if value is None:
                value = self._grouped(keyword, 0)
        except MALFORMED:
            return default
        return default if value is None or value == "" else value

    def frames(self) -> int:
        """How many pictures the file holds."""
        return max(1, self.integer("NumberOfFrames", 1))

    def frame_positions(self) -> list[np.ndarray | None]:
        """(3,) ImagePositionPatient of each frame of a multi-frame file, None where it has none."""
        try:
            found = [self._grouped("ImagePositionPatient", k) for k in range(self.frames())]
        except MALFORMED:
            return [None]
        return [finite_numbers(value, 3) for value in found]

    def _grouped(self, keyword: str, frame: int) -> Any:
        for name, index in (
            ("SharedFunctionalGroupsSequence", 0),
            ("PerFrameFunctionalGroupsSequence", frame),
        ):
            groups = self.dataset.get(name)
            for element in groups[index] if groups else ():
                if element.VR == "SQ" and element.value and keyword in element.value[0]:
                    return element.value[0].get(keyword)
        return None

    def numbers(self, keyword: str, count: int) -> np.ndarray | None:
        """A tag of `count` finite numbers, or None."""
        return finite_numbers(self.get(keyword), count)

    def integer(self, keyword: str, default: int) -> int:
        """A whole number, or `default`."""
        try:
            return int(self.get(keyword, default))
        except (TypeError, ValueError, OverflowError):
            return default

    def text(self, keyword: str) -> str:
        """A tag as text; empty where absent."""
        value = self.get(keyword, "")
        return value if isinstance(value, str) else str(value)


def finite_numbers(value: Any, count: int) -> np.ndarray | None:
    """A value of `count` finite numbers as (count,) float64, or None."""
    try:
        array = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.size == count and np.isfinite(array).all() else None


def read_headers(files: Iterable[Path], more_tags: tuple[str, ...] = ()) -> list[Header]:
    """Headers of those files that are DICOM images, in the order given; others are passed over."""
    headers = (read_header(path, more_tags) for path in files)
    return [header for header in headers if header is not None]


def read_header(path: Path, more_tags: tuple[str, ...] = ()) -> Header | None:
    """Header of one file; None if it is not a DICOM image or cannot be opened."""
    try:
        with open(path, "rb") as stream:
            bare = is_bare(stream)
            if _unpacks_to_too_much(stream, 0 if bare else PREAMBLE):
                return None
            dataset = pydicom.dcmread(
                stream,
                stop_before_pixels=True,
                force=bare,
                specific_tags=[*GEOMETRY_TAGS, *ACQUISITION_TAGS, *more_tags],
            )
            if "Rows" not in dataset and "SOPClassUID" not in dataset:
                return None
            whole, native = _pixels_whole(stream, dataset, path.stat().st_size)
    except Exception:
        return None
    return Header(path, dataset, whole, native)


def acquisition_tags(header: Header) -> dict[str, Any]:
    """Acquisition tags and UIDs under their BIDS names, as Python values, not de-identified."""
    pairs = {name: keyword for name, keyword in NUMBERS.items()}
    pairs |= {name: keyword for name, (keyword, _) in (WORDS | CODES).items()}
    pairs |= {name: name for name in UIDS}
    found = {name: header.get(keyword) for name, keyword in pairs.items()}
    return {name: _plain(value) for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, pydicom.multival.MultiValue | list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, int | float):
        return float(value)
    return str(value)


def _pixels_whole(stream: BinaryIO, dataset: FileDataset, size: int) -> tuple[bool, bool]:
    """Whether the pixel data that start at the stream's position are all there; whether native."""
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if syntax is not None and syntax.is_deflated:
        return True, False  # decoding will tell
    native = syntax is None or not syntax.is_encapsulated
    if native:
        pixels = int(dataset.get("Rows", 0)) * int(dataset.get("Columns", 0))
        samples = int(dataset.get("SamplesPerPixel", 1) or 1)
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        needed = pixels * samples * frames * int(dataset.get("BitsAllocated", 16) or 16) // 8
        return size - stream.tell() >= needed, True
    return _fragments_whole(stream, size), False


def is_bare(stream: BinaryIO) -> bool:
    """Whether a file begins with an element, not with preamble and mark; back at its start."""
    start = stream.read(PREAMBLE)
    stream.seek(0)
    return start[-len(MARK) :] != MARK and start.startswith(BARE_STARTS) and start[3:4] == b"\0"


def _unpacks_to_too_much(stream: BinaryIO, begin: int) -> bool:
    """Whether a deflated file, its meta group at `begin`, is a bomb; back at its start."""
    stream.seek(begin)
    start = stream.read(META_BYTES)
    length = int.from_bytes(start[-4:], "little") if start.startswith(META) else 0
    meta = stream.read(min(length, 65536))
    excessive = False
    if DEFLATED in meta:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        unpacker.decompress(stream.read(), LARGEST_DEFLATED)
        excessive = bool(unpacker.unconsumed_tail)
    stream.seek(0)
    return excessive


def _fragments_whole(stream: BinaryIO, size: int) -> bool:
    """Walk the fragments of encapsulated pixel data to their end mark."""
    stream.seek(12, 1)  # tag, VR, reserved and length of the pixel data element
    while stream.tell() + 8 <= size:
        group, element, length = struct.unpack("<HHI", stream.read(8))
        if (group, element) == (0xFFFE, 0xE0DD):
            return True
        if (group, element) != (0xFFFE, 0xE000) or length == UNDEFINED_LENGTH:
            return False
        stream.seek(length, 1)
    return False
