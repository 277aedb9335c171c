"""DICOM from zip and tar archives, unpacked under numbers into a folder that vanishes again."""

import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ctharmony.io.scan import InputLimits, SetAside

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_MEMBERS = 50_000
# two bytes a voxel, and as much again for headers and other series
BYTES_PER_VOXEL = 4
CHUNK = 2**20
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


def is_archive(path: Path) -> bool:
    """Whether the name is that of a zip or tar archive."""
    return path.name.lower().endswith(ENDINGS)


@contextmanager
def unpacked(path: Path, limits: InputLimits) -> Iterator[Path]:
    """Unpack the regular files of an archive into a temporary folder, numbered from 000000.

    No name of a member is used, links are passed over, and what comes out is counted as it is
    written, so an archive can neither leave the folder nor fill the disk.

    Args:
        path: zip or tar, compressed or not.
        limits: `max_voxels` bounds the bytes.

    Raises:
        SetAside: damaged, encrypted, too many members or too large.
    """
    with tempfile.TemporaryDirectory(prefix="ctharmony-") as name:
        folder = Path(name)
        left = limits.max_voxels * BYTES_PER_VOXEL
        try:
            for number, member in enumerate(_members(path)):
                if number >= MAX_MEMBERS:
                    raise SetAside(f"its archive holds more than {MAX_MEMBERS} files; split it")
                left -= _copied(member, folder / f"{number:06d}", left)
        except SetAside:
            raise
        except DAMAGED as error:
            raise SetAside(
                "its archive is damaged or encrypted; pack it again without a password"
            ) from error
        yield folder


def _members(path: Path) -> Iterator[BinaryIO]:
    """Open streams of the regular files, one after the other."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    with archive.open(entry) as stream:
                        yield stream
        return
    with tarfile.open(path, "r|*") as archive:
        for entry in archive:
            stream = archive.extractfile(entry) if entry.isreg() else None
            if stream is not None:
                yield stream


def _copied(stream: BinaryIO, target: Path, limit: int) -> int:
    """Bytes copied to `target`, at most `limit`.

    Raises:
        SetAside: there are more.
    """
    written = 0
    with open(target, "wb") as output:
        while part := stream.read(CHUNK):
            written += len(part)
            if written > limit:
                raise SetAside(
                    "its archive unpacks to more than a scan may hold; pack one series, or raise "
                    "ingest.input.max_voxels"
                )
            output.write(part)
    return written
