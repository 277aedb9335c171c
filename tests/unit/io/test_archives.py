"""Archives as PACS exports give them, and archives that mean harm."""

import dataclasses
import io
import tarfile
import zipfile

import numpy as np
import pytest

from ctharmony.io import archives
from ctharmony.io.ingest import read_source
from ctharmony.io.scan import SetAside


def packed(folder, target):
    """All files of a folder in a zip or tar named by its ending."""
    files = sorted(folder.rglob("*.dcm"))
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, f"EXPORT/DOE^JANE/{path.name}")
    else:
        mode = "w" if target.suffix == ".tar" else "w:gz"
        with tarfile.open(target, mode) as archive:
            for path in files:
                archive.add(path, f"./{path.name}")
    return target


@pytest.mark.parametrize("name", ["s.zip", "s.tar", "s.tar.gz", "S.TGZ"])
def test_an_archive_is_the_scan_it_holds(tmp_path, write_dicom, patient, rule, limits, name):
    path = packed(write_dicom(tmp_path / "s", patient), tmp_path / name)
    scan = read_source(path, "", rule, limits)
    np.testing.assert_array_equal(scan.hu, patient)


def test_members_cannot_leave_the_folder_or_link_elsewhere(tmp_path, limits):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("../../escaped", "/tmp/ctharmony-escaped", "plain"):
            entry = tarfile.TarInfo(name)
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"hello"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
        device = tarfile.TarInfo("device")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    with archives.unpacked(path, limits) as folder:
        found = {item.name: item.read_text() for item in folder.iterdir()}
        assert not any(item.is_symlink() for item in folder.iterdir())
    assert found == {"000000": "hello", "000001": "hello", "000002": "hello"}
    assert not folder.exists()
    assert not (tmp_path.parent / "escaped").exists()


def test_a_bomb_is_cut_off_while_it_unpacks(tmp_path, limits):
    small = dataclasses.replace(limits, max_voxels=250_000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(3 * 2**20))
    with (
        pytest.raises(SetAside, match="more than a scan may hold"),
        archives.unpacked(path, small),
    ):
        pass


def test_too_many_members_are_refused(tmp_path, limits, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(4):
            archive.writestr(str(index), b"x")
    with pytest.raises(SetAside, match="more than 3 files"), archives.unpacked(path, limits):
        pass


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_a_damaged_archive_is_set_aside(tmp_path, rule, limits, write_dicom, patient, name):
    path = packed(write_dicom(tmp_path / "s", patient), tmp_path / name)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(SetAside, match="archive|no DICOM|truncated"):  # noqa: RUF043
        read_source(path, "", rule, limits)
    path.write_bytes(np.random.default_rng(0).bytes(2000))
    with pytest.raises(SetAside, match="damaged or encrypted"):
        read_source(path, "", rule, limits)
