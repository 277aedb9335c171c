"""What is left of a run: near the truth while jobs differ by orders of magnitude."""

import logging

import pytest

from ctharmony import remaining
from ctharmony.io.checkpoints import EpochLog
from ctharmony.remaining import Epoch, Remaining, announce, announced, clock, latest_epoch

# a study of six scans on two cores: (rule, jobs, seconds of one)
PLAN = (("ingest", 6, 10.0), ("register", 6, 6.0), ("train", 1, 400.0), ("harmonize", 6, 30.0))


def counts_and_seconds():
    return {rule: n for rule, n, _ in PLAN}, {rule: s for rule, _, s in PLAN}


def run(left, slowness):
    """(time, estimate) whenever a job ends, two side by side but for the training."""
    now, told = 0.0, []
    for rule, number, seconds in PLAN:
        lanes = 1 if rule == "train" else 2
        for first in range(0, number, lanes):
            jobs = [hash((rule, k)) for k in range(first, min(first + lanes, number))]
            for job in jobs:
                left.start(job, rule, now)
            now += seconds * slowness
            for job in jobs:
                left.finish(job, now)
            told.append((now, left.seconds(now, {})))
    return told


@pytest.mark.parametrize("slowness", [0.5, 1.0, 4.0])
def test_time_left_is_near_the_truth(slowness):
    told = run(Remaining(*counts_and_seconds(), lanes=2), slowness)
    end = told[-1][0]
    assert told[-1][1] == 0
    # from the end of the first stage on, whether the machine is idle or busy
    for now, estimate in told[2:-1]:
        assert estimate == pytest.approx(end - now, rel=0.35)


def test_a_training_tells_its_own_time_and_a_failed_job_waits_again():
    left = Remaining({"train": 1}, {"train": 400.0}, lanes=2)
    left.start(1, "train", 0.0)
    assert left.seconds(100.0, {}) == pytest.approx(300.0)
    assert left.seconds(100.0, {1: 900.0}) == 900.0
    left.fail(1)
    assert left.seconds(1000.0, {}) == pytest.approx(400.0)


def test_a_job_that_is_overdue_makes_the_others_of_its_rule_longer():
    left = Remaining({"harmonize": 3, "report": 1}, {"harmonize": 30.0, "report": 10.0}, lanes=1)
    left.start(1, "harmonize", 0.0)
    told = [left.seconds(now, {}) for now in (0.0, 20.0, 300.0)]
    assert told[:2] == pytest.approx([100.0, 80.0])
    # two more of five minutes each, and the report as much later
    assert told[2] == pytest.approx(30.0 + 600.0 + 10.0 * 320.0 / 50.0)


def test_epochs_are_logged_and_read_again(tmp_path, caplog, monkeypatch):
    times = iter([0.0, 100.0, 130.0, 160.0])
    monkeypatch.setattr(remaining.time, "monotonic", lambda: next(times))
    row = {"term": "loss", "split": "train", "value": 2.5, "unit": "nats"}
    with caplog.at_level(logging.INFO):
        log = EpochLog(logging.getLogger("epochs"), {"steps": 330, "steps_per_epoch": 50})
        # a resumed training: its first epoch here is the fifth
        for epoch in (5, 6, 7):
            log.report([{**row, "epoch": epoch}])
    assert caplog.messages == [
        "epoch 5 of 7, 3:20 left: loss 2.5 nats",
        "epoch 6 of 7, 1:05 left: loss 2.5 nats",
        "epoch 7 of 7: loss 2.5 nats",
    ]
    path = tmp_path / "train.log"
    assert latest_epoch(path) is None
    path.write_text("INFO going on from step 200\n")
    assert latest_epoch(path) is None
    path.write_text("x" * 9000 + "".join(f"\nINFO {line}" for line in caplog.messages[:2]))
    assert latest_epoch(path) == Epoch(6, 7, 65.0)
    path.write_text(caplog.messages[2])
    assert latest_epoch(path) == Epoch(7, 7, None)


def test_times_are_read_as_a_clock():
    assert [clock(seconds) for seconds in (0.4, 125, 3725.2)] == ["0:00", "2:05", "1:02:05"]


def test_what_is_announced_is_told_of_one_job():
    try:
        announce(lambda jobs: {"ingest": 60.0 * jobs["ingest"]})
        assert announced({"ingest": 3, "all": 1}) == {"ingest": 60.0, "all": 0.0}
    finally:
        announce(None)
    assert announced({"ingest": 3}) is None
