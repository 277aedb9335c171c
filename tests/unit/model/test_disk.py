"""Models and checkpoints on disk."""

import logging
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch

from ctharmony.io.checkpoints import STOP_SIGNALS, CheckpointFolder
from ctharmony.io.models import read_model, read_scans, read_usable_rows, write_model
from ctharmony.io.tables import write_table
from ctharmony.io.volumes import write_volume
from ctharmony.model.card import model_card
from ctharmony.model.training import Hooks, Trainer

LOGGER = logging.getLogger("test")


@pytest.fixture(autouse=True)
def handlers():
    kept = {name: signal.getsignal(name) for name in STOP_SIGNALS}
    yield
    for name, handler in kept.items():
        signal.signal(name, handler)


def test_a_model_is_read_as_it_was_written_and_twice_gives_the_same_bytes(
    scans, settings, tmp_path
):
    model = Trainer(scans, settings, 2, Hooks()).trained()
    card = model_card(model, scans, [], 2)
    for name in ("one", "two"):
        write_model(tmp_path / name, model, card)
    for file in ("weights.safetensors", "model_card.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    again = read_model(tmp_path / "one")
    assert again.settings == model.settings
    assert all(torch.equal(again.state()[key], value) for key, value in model.state().items())


def test_one_flipped_bit_of_the_weights_is_noticed(scans, settings, tmp_path):
    model = Trainer(scans, settings, 2, Hooks()).trained()
    write_model(tmp_path, model, model_card(model, scans, [], 2))
    path = tmp_path / "weights.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-100] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"weights.safetensors is damaged: .* remove the folder"):
        read_model(tmp_path)


def test_a_checkpoint_goes_to_disk_and_back(scans, settings, tmp_path):
    folder = CheckpointFolder(tmp_path / "here", LOGGER)
    assert folder.load(settings.to_dict(), 2) is None
    state = Trainer(scans, settings, 2, Hooks()).checkpoint()
    folder.save(state)
    found = folder.load(settings.to_dict(), 2)
    assert all(torch.equal(found["model"][key], value) for key, value in state["model"].items())
    assert folder.load(settings.to_dict(), 3) is None
    folder.path.write_bytes(b"half a file")
    assert folder.load(settings.to_dict(), 2) is None
    folder.remove()
    assert not (tmp_path / "here").exists()


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_crafted_checkpoint_runs_nothing(tmp_path):
    folder, trap = CheckpointFolder(tmp_path / "here", LOGGER), tmp_path / "trap"
    folder.path.parent.mkdir()
    torch.save({"settings": {}, "seed": 2, "progress": Payload(trap)}, folder.path)
    assert folder.load({}, 2) is None
    assert not trap.exists()


@pytest.mark.parametrize("name", STOP_SIGNALS)
def test_a_signal_asks_to_stop(tmp_path, name):
    folder = CheckpointFolder(tmp_path, LOGGER)
    assert not folder.should_stop()
    os.kill(os.getpid(), name)
    assert folder.should_stop()


def test_scans_set_aside_anywhere_are_left_out(tmp_path):
    rows = [
        {"site": "a", "scan": name, "subject": "1", "split": "train", "status": status}
        for name, status in (("s1", "ok"), ("s2", "set_aside"), ("s3", "warned"), ("s4", "ok"))
    ]
    write_table(tmp_path / "in" / "scans.tsv", pd.DataFrame(rows))
    placed = [
        {"site": "a", "scan": "s1", "status": "ok"},
        {"site": "a", "scan": "s3", "status": "ok"},
        {"site": "a", "scan": "s4", "status": "failed"},
    ]
    write_table(tmp_path / "reg" / "registration.tsv", pd.DataFrame(placed))
    found = read_usable_rows([str(tmp_path / "in")], [str(tmp_path / "reg")])
    assert found["scan"].tolist() == ["s1", "s3"]
    hu = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    for scan in found["scan"]:
        write_volume(tmp_path / "in" / f"{scan}.nii.gz", hu, affine)
        write_volume(tmp_path / "in" / f"{scan}_mask.nii.gz", hu > 30, affine, np.uint8)
    scans = list(read_scans(found))
    assert [scan.scan for scan in scans] == ["s1", "s3"]
    assert scans[0].spacing == (3.0, 2.0, 1.0)
    assert np.array_equal(scans[0].hu, hu.astype(np.int16))


def test_patches_are_read_from_copies_that_follow_their_files(tmp_path):
    affine, hu = np.diag([1.0, 2.0, 3.0, 1.0]), np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    rows = pd.DataFrame([{"folder": tmp_path, "site": "a", "scan": "s", "subject": "1",
                          "split": "train"}])  # fmt: skip

    def read():
        return next(read_scans(rows, tmp_path / "copies"))

    for change in (0.0, 7.0):
        write_volume(tmp_path / "s.nii.gz", hu + change, affine)
        write_volume(tmp_path / "s_mask.nii.gz", hu > 30, affine, np.uint8)
        os.utime(tmp_path / "s.nii.gz", (1, 1 + change))
        for scan in (read(), read()):
            assert isinstance(scan.hu, np.memmap) and not scan.hu.flags.writeable
            assert np.array_equal(scan.hu, hu + change) and scan.spacing == (3.0, 2.0, 1.0)
            assert np.array_equal(scan.mask, hu > 30)
