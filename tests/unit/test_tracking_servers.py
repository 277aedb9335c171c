"""Tracking servers that never answer or always refuse: the records wait, the workflow goes on."""

import http.server
import socket
import threading

import pytest

from ctharmony import tracking
from ctharmony.io import records


class Refusing(http.server.BaseHTTPRequestHandler):
    """Says 503 to everything."""

    def answer(self):
        self.send_error(503)

    do_GET = do_POST = answer  # noqa: N815


@pytest.fixture
def refusing():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent():
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("kind", ["silent", "refusing"])
def test_records_wait_for_a_better_server(kind, request, tmp_path):
    port = request.getfixturevalue(kind)
    settings = tracking.TrackingSettings(True, f"http://127.0.0.1:{port}", 2, 0, True)
    (tmp_path / "report.html").write_text("<p>whole</p>")
    record = records.study_record("study", {"study": "study"}, str(tmp_path / "report.html"), [])
    outcome = tracking.track("study", [record], tmp_path, settings)
    assert not outcome["delivered"] and outcome["waiting"] == 1
    waiting = records.outbox_records(tmp_path / "outbox")
    assert [found.content for _, found in waiting] == [record.content]
