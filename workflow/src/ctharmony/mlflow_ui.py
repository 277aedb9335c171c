"""Shows a results folder in MLflow's own user interface, on this machine only."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from ctharmony import mlflow_server


def serve(results: Path, port: int) -> None:
    """Become the MLflow server of a results folder, on 127.0.0.1 only; never returns.

    Raises:
        SystemExit: the folder holds no store.
    """
    folder = (results / "mlflow").resolve()
    if not (folder / "mlflow.db").is_file():
        raise SystemExit(f"{results} holds no MLflow store; run the workflow first: make demo")
    port = _free_port(port)
    os.environ |= {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    print(f"MLflow UI of {results}: http://127.0.0.1:{port} (stop it with Ctrl-C)", flush=True)
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"), "--workers", "1",
    ]  # fmt: skip
    os.execv(sys.executable, command)


def _free_port(first: int) -> int:
    """`first`, or the next port that nobody listens on."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit(f"no port from {first} to {first + 99} is free; name another with --port")


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m ctharmony.tracking ui --results results/demo`."""
    parser = argparse.ArgumentParser(prog="python -m ctharmony.tracking")
    commands = parser.add_subparsers(required=True)
    ui = commands.add_parser("ui", help="open the MLflow UI of a results folder on 127.0.0.1")
    ui.add_argument("--results", type=Path, required=True, help="results folder of the study")
    ui.add_argument("--port", type=int, default=5000, help="first port tried")
    server = commands.add_parser("server", help="a group's server: PostgreSQL, with a login")
    mlflow_server.fill(server)
    chosen = parser.parse_args(arguments)
    if "folder" in chosen:
        mlflow_server.serve_group(chosen)
    serve(chosen.results, chosen.port)
