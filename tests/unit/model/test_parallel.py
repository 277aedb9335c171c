"""Two processes train as one does with the same batch; patches may lie on disk."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ctharmony.model.parallel import Ranks
from ctharmony.model.sampling import Draws, PatchSource

PROGRAM = Path(__file__).parents[2] / "support" / "distributed_training.py"


def run(tmp_path, devices: int) -> dict:
    """The history of a run of so many processes."""
    path = tmp_path / f"{devices}.json"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(devices), str(path)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(path.read_text())


def test_two_processes_see_the_losses_of_one(tmp_path):
    one, two = run(tmp_path, 1), run(tmp_path, 2)
    assert [key for key, _ in one["values"]] == [key for key, _ in two["values"]]
    for (key, first), (_, second) in zip(one["values"], two["values"], strict=True):
        assert second == pytest.approx(first, rel=2e-3, abs=2e-3), key
    assert two["checkpoints"] == one["checkpoints"] == 1


def test_each_rank_gets_its_own_part_of_the_batch(scans, settings):
    fitted = [scan for scan in scans if scan.split == "train"]
    source = PatchSource(fitted, sorted({scan.site for scan in fitted}), settings)
    whole = source.draw(1, 0)
    parts = [source.draw(1, 0, (rank, 3)) for rank in range(3)]
    assert [int(part.site[0]) for part in parts] == whole.site.tolist()
    for index, part in enumerate(parts):
        assert torch.equal(part.native[0], whole.native[index])


def test_the_latents_of_a_position_do_not_depend_on_the_number_of_ranks():
    whole = Draws(torch.Generator().manual_seed(3), 4)(torch.zeros(8, 5))
    parts = [Draws(torch.Generator().manual_seed(3), 2, (r, 2))(torch.zeros(4, 5)) for r in (0, 1)]
    assert torch.equal(whole.reshape(2, 2, 2, 5)[:, 0].flatten(0, 1), parts[0])
    assert torch.equal(whole.reshape(2, 2, 2, 5)[:, 1].flatten(0, 1), parts[1])


def test_one_process_is_left_alone():
    class Alone:
        global_rank, world_size = 0, 1

    ranks, rows = Ranks(Alone()), torch.arange(3.0)
    assert ranks.gather(rows) is rows and ranks.leader and not ranks.any(False)
    assert ranks.from_leader("value") == "value"
