"""Peers: they learn, keep to their sites, and survive the disk."""

import numpy as np
import pytest

from ctharmony.io.models import read_peer, write_peer
from ctharmony.model.peers import PEERS, PeerSettings, train_peer
from ctharmony.model.settings import Settings
from training_block import training_block

HOW = {"steps": 40, "learning_rate": 0.004, "beta": 1.0, "latent_channels": 4, "width": 8}


@pytest.fixture(scope="module", params=list(PEERS))
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def peer(name, scans):
    return fitted(name, scans, HOW["steps"])


def fitted(name, scans, steps):
    settings = Settings.from_dict(training_block())
    return train_peer(name, scans, settings, PeerSettings.from_dict({**HOW, "steps": steps}), 3)


def error(peer, scan) -> float:
    shown = peer.decode(scan.hu.astype(np.float32), scan.spacing, scan.site)
    return float(np.abs(shown - scan.hu)[scan.mask > 0].mean())


def test_it_learns_to_show_a_scan(name, peer, scans):
    held = [scan for scan in scans if scan.split == "validation"]
    before = fitted(name, scans, 0)
    for scan in held:
        assert error(peer, scan) < 0.8 * error(before, scan)


def test_sites_are_shown_apart_and_strangers_refused(peer, scans):
    hu, spacing = scans[0].hu.astype(np.float32), scans[0].spacing
    shown = [peer.decode(hu, spacing, site) for site in peer.sites]
    assert all(part.shape == hu.shape and np.isfinite(part).all() for part in shown)
    assert np.abs(shown[0] - shown[1]).mean() > 0.1
    with pytest.raises(ValueError, match="none of the peer's"):
        peer.decode(hu, spacing, "elsewhere")


def test_the_disk_gives_back_the_same_peer(name, peer, scans, tmp_path):
    write_peer(tmp_path, name, peer, HOW)
    again = read_peer(tmp_path)
    hu, spacing = scans[0].hu.astype(np.float32), scans[0].spacing
    first, second = (part.decode(hu, spacing, "north") for part in (peer, again))
    assert np.array_equal(first, second)


def test_epochs_are_told_as_a_training_tells_its_own(scans):
    told = []
    block = training_block()
    settings = Settings.from_dict(block)
    how = PeerSettings.from_dict({**HOW, "steps": block["training"]["steps_per_epoch"] + 1})
    train_peer("conditional_vae", scans, settings, how, 3, told.append)
    rows = [row for (row,) in told]
    assert [(row["epoch"], row["term"], row["split"]) for row in rows] == [
        (1, "loss", "train"), (2, "loss", "train"),
    ]  # fmt: skip
    assert all(np.isfinite(row["value"]) and row["unit"] for row in rows)


def test_air_around_a_patient_changes_little_of_what_is_shown(name, scans):
    """Norms over the whole slice would turn what was learned on patches of the body upside down."""
    trained = fitted(name, scans, 80)
    scan = next(scan for scan in scans if scan.split == "validation")
    wide = np.pad(scan.hu.astype(np.float32), ((0, 0), (96, 96), (96, 96)), constant_values=-1000)
    shown = trained.decode(wide, scan.spacing, scan.site)[:, 96:-96, 96:-96]
    alone = np.abs(shown - scan.hu)[scan.mask > 0].mean()
    assert alone < 1.5 * error(trained, scan)
