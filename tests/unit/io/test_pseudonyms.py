import json

import pytest

from ctharmony.io.ingest import ingest_batch
from ctharmony.io.pseudonyms import VARIABLE, read_key, remade_uid, remade_uids

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "secret" / "key"
    path.parent.mkdir()
    path.write_bytes(KEY + b"\n")
    return path


def test_a_uid_is_remade_the_same_way_under_one_key_only():
    remade = remade_uid("1.2.840.1", KEY)
    assert remade == remade_uid("1.2.840.1", KEY)
    assert remade != remade_uid("1.2.840.2", KEY)
    assert remade != remade_uid("1.2.840.1", KEY[::-1])
    root, number = remade.rsplit(".", 1)
    assert root == "2.25"
    assert 0 < int(number) < 2**128
    assert len(remade) <= 64
    assert remade_uids({"StudyInstanceUID": "1.2.840.1"}, None) == {}
    assert remade_uids({"StudyInstanceUID": "", "PatientID": "7"}, KEY) == {}


def test_the_key_is_read_from_the_named_file_or_the_environment(key_file, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert read_key(None, tmp_path / "results") is None
    assert read_key(str(key_file), tmp_path / "results") == KEY
    monkeypatch.setenv(VARIABLE, str(key_file))
    assert read_key(None, tmp_path / "results") == KEY


def test_a_key_that_protects_nothing_is_refused(key_file, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ValueError, match="inside the results"):
        read_key(str(key_file), tmp_path / "secret")
    with pytest.raises(ValueError, match="cannot be read"):
        read_key(str(tmp_path / "nowhere"), tmp_path / "results")
    key_file.write_bytes(b"short\n")
    with pytest.raises(ValueError, match="5 bytes where 16 are needed") as caught:
        read_key(str(key_file), tmp_path / "results")
    assert "short" not in str(caught.value)


def test_sidecars_hold_remade_uids_only(tmp_path, write_dicom, patient, intake, caplog):
    import dataclasses

    frame = {"FrameOfReferenceUID": "2.25.777", "StudyInstanceUID": "2.25.888"}
    rows = [
        {"scan": name, "subject": name, "path": str(write_dicom(tmp_path / name, patient, **frame))}
        for name in ("one", "two")
    ]
    with caplog.at_level("DEBUG"):
        ingest_batch(rows, dataclasses.replace(intake(tmp_path / "out"), uid_key=KEY))
        ingest_batch(rows, intake(tmp_path / "plain"))
    one, two = (json.loads((tmp_path / "out" / f"{k}.json").read_text()) for k in ("one", "two"))
    for name in ("StudyInstanceUID", "FrameOfReferenceUID"):
        assert one[name] == two[name] == remade_uid(frame[name], KEY)
    assert one["SeriesInstanceUID"] != two["SeriesInstanceUID"]
    plain = (tmp_path / "plain" / "one.json").read_text()
    assert "UID" not in plain
    assert KEY.decode() not in caplog.text
    assert not any(KEY in path.read_bytes() for path in (tmp_path / "out").iterdir())
