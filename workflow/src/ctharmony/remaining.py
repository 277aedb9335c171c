"""How much of a training, and of a whole run, is left: the line of a log, and an estimate.

The display of progress and the Snakefile import this file, so it needs the standard library alone.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SERIAL = ("template", "train", "train_peer", "evaluate", "report")  # others wait for these
TRAINING = ("train", "train_peer", "train_with_site")  # their logs tell epochs
STEADY = 20.0  # seconds of work until what was measured outweighs what was expected
LEAST = 0.1  # share of its expected time that a job in work is thought to need at least
TAIL_BYTES = 4096
LINE = re.compile(r"epoch (\d+) of (\d+)(?:, ([\d:]+) left)?")

Expectation = Callable[[Mapping[str, int]], Mapping[str, float]]


class Epoch(NamedTuple):
    """An epoch that has ended, of so many, and the seconds that are left (None: not known)."""

    done: int
    total: int
    left: float | None

    def told(self) -> str:
        """As the log tells it: `epoch 3 of 7, 2:05 left`."""
        words = f"epoch {self.done} of {self.total}"
        return words if self.left is None else f"{words}, {clock(self.left)} left"


class EpochClock:
    """Counts a training's epochs from now on.

    Args:
        total: epochs of the whole training.
    """

    def __init__(self, total: int) -> None:
        self.total, self.began, self.first = total, time.monotonic(), 0

    def ended(self, epoch: int) -> Epoch:
        """That epoch (1, 2, ...; after a resume the first is a later one) has just ended."""
        self.first = self.first or epoch
        each = (time.monotonic() - self.began) / (epoch - self.first + 1)
        left = each * (self.total - epoch) if epoch < self.total else None
        return Epoch(epoch, self.total, left)


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds: `2:05`, `1:02:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def latest_epoch(log: Path) -> Epoch | None:
    """What a training's log told last, or None where it has told nothing yet."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
            found = LINE.findall(stream.read().decode(errors="replace"))
    except OSError:
        return None
    if not found:
        return None
    done, total, left = found[-1]
    parts = [int(part) for part in reversed(left.split(":"))] if left else []
    seconds = sum(part * 60**place for place, part in enumerate(parts))
    return Epoch(int(done), int(total), float(seconds) if left else None)


@dataclass
class Remaining:
    """Seconds that a run still needs, from what its jobs are expected to take and have taken.

    Attributes:
        counts: jobs by rule; expected: seconds of one job by rule.
        lanes: jobs that run side by side, but for those of SERIAL rules.
    """

    counts: Mapping[str, int]
    expected: Mapping[str, float]
    lanes: int
    working: dict[int, tuple[str, float]] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)

    def start(self, job: int, rule: str, now: float) -> None:
        """A job begins at a time (s)."""
        self.working[job] = (rule, now)

    def finish(self, job: int, now: float) -> None:
        """A job has ended well."""
        if job in self.working:
            rule, began = self.working.pop(job)
            self.took.setdefault(rule, []).append(now - began)

    def fail(self, job: int) -> None:
        """A job has not ended well: it counts as not begun."""
        self.working.pop(job, None)

    def seconds(self, now: float, told: Mapping[int, float]) -> float:
        """Seconds left.

        Args:
            now: the time (s); told: seconds left of jobs that tell it themselves.
        """
        usually = {rule: self._typical(rule, now) for rule in self.counts}
        left = {rule: self._waiting(rule) * usually[rule] for rule in self.counts}
        for job, (rule, began) in self.working.items():
            usual = usually.get(rule, 0.0)
            guess = max(usual - (now - began), LEAST * usual)
            left[rule] = left.get(rule, 0.0) + told.get(job, guess)
        serial = sum(seconds for rule, seconds in left.items() if rule in SERIAL)
        return serial + (sum(left.values()) - serial) / max(1, self.lanes)

    def _waiting(self, rule: str) -> int:
        busy = sum(each == rule for each, _ in self.working.values())
        return max(0, self.counts[rule] - len(self.took.get(rule, [])) - busy)

    def _typical(self, rule: str, now: float) -> float:
        """Seconds of a job: its rule's mean, else as expected at the pace so far; none under way
        has taken longer."""
        done = self.took.get(rule)
        usual = sum(done) / len(done) if done else self.expected.get(rule, 0.0) * self._pace(now)
        return max([usual, *(now - began for each, began in self.working.values() if each == rule)])

    def _pace(self, now: float) -> float:
        """What jobs have taken over what was expected of them, those that are overdue included."""
        known = [(rule, took) for rule, times in self.took.items() for took in times]
        busy = [(rule, now - began) for rule, began in self.working.values()]
        known += [(rule, spent) for rule, spent in busy if spent > self.expected.get(rule, 0.0)]
        thought = sum(self.expected.get(rule, 0.0) for rule, _ in known)
        return (sum(spent for _, spent in known) + STEADY) / (thought + STEADY)


class _Announced:
    expectation: Expectation | None = None


def announce(expectation: Expectation | None) -> None:
    """Tell the display of this process what jobs (by rule) are expected to take in all, seconds."""
    _Announced.expectation = expectation


def announced(counts: Mapping[str, int]) -> dict[str, float] | None:
    """Expected seconds of one job of each rule, or None where nothing was announced."""
    if _Announced.expectation is None:
        return None
    whole = _Announced.expectation(counts)
    return {rule: whole.get(rule, 0.0) / number for rule, number in counts.items() if number}
