"""A group's MLflow server: PostgreSQL behind it, on this machine's loopback, with a login.

A plain loopback server lets every local user of a login node read and write, so this one asks for
a name and a password, answers only to its own host names, and runs no jobs for its clients. What
is secret comes from the environment and is passed on in it: a command line is there for all to see.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from ctharmony.io.files import replaced

NEEDED = {
    "MLFLOW_BACKEND_STORE_URI": "the database, postgresql://name:password@/mlflow?host=...",
    "MLFLOW_TRACKING_USERNAME": "the administrator's name",
    "MLFLOW_TRACKING_PASSWORD": "the administrator's password, 12 characters or more",
}
SHORTEST_PASSWORD = 12
LOGIN = """\
[mlflow]
default_permission = {permission}
database_uri = sqlite:///{folder}/logins.db
admin_username = {name}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


def fill(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--folder", type=Path, required=True, help="private; logins, artifacts")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2, help="processes that answer")
    parser.add_argument("--permission", choices=("READ", "EDIT", "NO_PERMISSIONS"), default="READ",
                        help="what one user may do with another's experiments")  # fmt: skip


def serve_group(chosen: argparse.Namespace) -> None:
    """Become the server; never returns.

    Raises:
        SystemExit: the environment lacks a secret, or the folder is open to others.
    """
    folder = chosen.folder.resolve()
    told = check_environment(os.environ)
    make_private(folder)
    os.environ |= server_environment(folder, told, chosen.permission)
    hosts = f"127.0.0.1:{chosen.port},localhost:{chosen.port}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth",
        "--host", "127.0.0.1", "--port", str(chosen.port), "--allowed-hosts", hosts,
        "--artifacts-destination", str(folder / "artifacts"), "--workers", str(chosen.workers),
    ]  # fmt: skip
    print(f"MLflow server: http://127.0.0.1:{chosen.port} (stop it with Ctrl-C)", flush=True)
    os.execv(sys.executable, command)


def check_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The secrets.

    Raises:
        SystemExit: one is missing, or the password is too short; no secret is shown.
    """
    for name, meaning in NEEDED.items():
        if not given.get(name):
            raise SystemExit(f"set {name} in the environment: {meaning}")
    if not given["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql"):
        raise SystemExit("MLFLOW_BACKEND_STORE_URI is no PostgreSQL address: postgresql://...")
    if len(given["MLFLOW_TRACKING_PASSWORD"]) < SHORTEST_PASSWORD:
        raise SystemExit(f"MLFLOW_TRACKING_PASSWORD has less than {SHORTEST_PASSWORD} characters")
    return {name: given[name] for name in NEEDED}


def make_private(folder: Path) -> None:
    """Make the folder, or check that none but its owner enters it.

    Raises:
        SystemExit: others have rights on it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        raise SystemExit(f"{folder} is open to other users; chmod 700 {folder}")


def server_environment(folder: Path, told: Mapping[str, str], permission: str) -> dict[str, str]:
    """What the server reads from its environment; its login file and key lie in the folder."""
    key = folder / "key"
    if not key.exists():
        _write_private(key, secrets.token_hex(32))
    name = told["MLFLOW_TRACKING_USERNAME"]
    login = LOGIN.format(folder=folder, name=name, permission=permission)
    _write_private(folder / "login.ini", login)
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "login.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": told["MLFLOW_TRACKING_PASSWORD"],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": key.read_text(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def _write_private(path: Path, text: str) -> None:
    with replaced(path) as temporary:
        temporary.chmod(0o600)
        temporary.write_text(text)
