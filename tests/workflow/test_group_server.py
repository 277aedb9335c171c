"""The group's MLflow server on PostgreSQL: many writers, no login, killed on the way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from ctharmony import tracking
from ctharmony.io.records import RunRecord
from group_server import LOGIN, GroupServer, Postgres, postgres_programs

WRITERS, ROUNDS, POINTS = 8, 4, 150


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running server that the tests may kill and start."""
    if postgres_programs() is None:
        pytest.skip("needs Debian's PostgreSQL: apt-get install postgresql")
    pytest.importorskip("psycopg2", reason="needs psycopg2: pip install 'ctharmony[server]'")
    with Postgres() as database:
        running = GroupServer(tmp_path_factory.mktemp("server") / "private", database.address)
        running.start()
        yield running
        running.kill()


@pytest.fixture
def settings(server, monkeypatch):
    """How `track` is told of the server; the login is in the environment."""
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    return tracking.TrackingSettings(True, server.address, 20, 0, True)


def record(writer: int, turn: int, folder: Path) -> RunRecord:
    """A run of POINTS metric values and a file, different from every other."""
    path = folder / f"{writer}-{turn}.txt"
    path.write_text(f"{writer} {turn}")
    points = [("train/loss", step, float(step + turn)) for step in range(POINTS)]
    params = {"writer": str(writer), "turn": str(turn)}
    return RunRecord(f"run-{writer}", params, points, {"note.txt": str(path)}).sealed()


def held(study: str, settings) -> tuple[list[str], list[int]]:
    """Contents of all runs in the store, and the number of points of each."""
    store = tracking.open_store(study, Path(), settings)
    runs = store.client.search_runs([store.experiment], max_results=1000)
    contents = [run.data.tags[tracking.CONTENT] for run in runs]
    points = [len(store.client.get_metric_history(r.info.run_id, "train/loss")) for r in runs]
    return contents, points


def test_no_login_no_answer(server):
    asked = "/api/2.0/mlflow/experiments/search?max_results=1"
    assert server.status(asked) == 401
    assert server.status(asked, host="evil.example") == 403
    assert (server.folder.stat().st_mode & 0o077) == 0
    assert not any(secret in command_line(server) for secret in LOGIN.values())


def command_line(server) -> str:
    return Path(f"/proc/{server.process.pid}/cmdline").read_text()


def test_eight_writers_lose_nothing(settings, tmp_path):
    tracking.open_store("crowd", tmp_path, settings)

    def write(writer: int) -> list[str]:
        told = [record(writer, turn, tmp_path) for turn in range(ROUNDS)]
        said = tracking.track("crowd", told, tmp_path / str(writer), settings)
        assert said["delivered"], said
        return [each.content for each in told]

    with ThreadPoolExecutor(WRITERS) as pool:
        told = list(chain.from_iterable(pool.map(write, range(WRITERS))))
    contents, points = held("crowd", settings)
    assert sorted(contents) == sorted(told) and len(told) == WRITERS * ROUNDS
    assert points == [POINTS] * len(told)


def test_server_killed_on_the_way_loses_and_doubles_nothing(server, settings, tmp_path):
    turns, folder = 24, tmp_path / "mlflow"
    told = [record(9, turn, tmp_path) for turn in range(turns)]
    begun, dead, outcomes = threading.Event(), threading.Event(), []

    def work():
        for turn, each in enumerate(told):
            outcomes.append(tracking.track("outage", [each], folder, settings)["delivered"])
            if turn == turns // 4:
                begun.set()
            if turn == turns // 2:
                dead.wait(60)

    worker = threading.Thread(target=work)
    worker.start()
    assert begun.wait(300)
    server.kill()
    dead.set()
    worker.join(600)
    assert outcomes[0] and not outcomes[-1]
    assert len(list((folder / "outbox").iterdir())) >= turns // 2 - 1
    server.start()
    assert tracking.track("outage", [], folder, settings)["delivered"]
    contents, points = held("outage", settings)
    assert sorted(contents) == sorted(each.content for each in told)
    assert points == [POINTS] * turns
    assert list((folder / "outbox").iterdir()) == []


def test_refused_login_waits_in_the_outbox(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "not the password")
    outcome = tracking.track("refused", [record(1, 1, tmp_path)], tmp_path, settings)
    assert not outcome["delivered"] and outcome["waiting"] == 1
    assert "password" not in str(outcome)
