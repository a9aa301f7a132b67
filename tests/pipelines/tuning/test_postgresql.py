"""A study in PostgreSQL: a real server, started and ended here, that asks for a password."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from kedro.io import DataCatalog

from kd_kedro.pipelines.tuning.study import storage_errors
from tests.pipelines.tuning.quadratic import complete, outcomes, params, work

USER, PASSWORD = "study", "p@ss/word:1"


def programs() -> Path:
    """Return the folder of PostgreSQL's programs."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return folder
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    pytest.skip("no PostgreSQL on this machine")


@pytest.fixture(scope="module")
def server():
    """Address, without credentials, of a server with a private cluster."""
    psycopg = pytest.importorskip("psycopg")
    home = programs()
    # The server refuses to be root; tmp_path is closed to others.
    account = None
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if os.geteuid() == 0:
        known = {entry.pw_name for entry in pwd.getpwall()}
        account = "postgres" if "postgres" in known else "nobody"
        shutil.chown(folder, account)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [
            home / "initdb",
            *["--auth=scram-sha-256", "--no-sync", "--no-locale", "--encoding=UTF8"],
            *("--pgdata", folder / "data", "--username", USER, "--pwfile", secret),
        ],
        user=account,
        cwd=folder,
        check=True,
        capture_output=True,
    )
    options = {"listen_addresses": "127.0.0.1", "port": port, "fsync": "off"}
    options["unix_socket_directories"] = ""
    words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    process = subprocess.Popen(
        [home / "postgres", "-D", folder / "data", *words],
        user=account,
        cwd=folder,
        stderr=subprocess.DEVNULL,
    )
    login = {"host": "127.0.0.1", "port": port, "user": USER, "password": PASSWORD}
    try:
        for _ in range(200):
            try:
                connection = psycopg.connect(**login, dbname="postgres", autocommit=True)
                break
            except psycopg.OperationalError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
        with connection:
            connection.execute("CREATE DATABASE studies")
        yield f"postgresql+psycopg://127.0.0.1:{port}/studies"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        shutil.rmtree(folder)


def address(server, password=PASSWORD):
    """Return the address as a node gets it: of the catalog and credentials.yml."""
    entry = {
        "type": "kd_kedro.datasets.study_storage.StudyStorageDataset",
        "url": server,
        "credentials": "study_storage",
    }
    credentials = {"study_storage": {"username": USER, "password": password}}
    return DataCatalog.from_config({"study_storage": entry}, credentials).load("study_storage")


def of(server, tuning, name, password=PASSWORD):
    """Return the work of a study in the server."""
    here = address(server, password)
    return work(here.render_as_string(hide_password=False), tuning, name=name)


def test_a_study_in_postgresql_is_the_one_in_sqlite(server, tmp_path):
    tuning = params(trials=5)
    there = complete(of(server, tuning, "one by one"))
    assert outcomes(there) == outcomes(complete(work(tmp_path / "study.sqlite", tuning)))


def test_workers_share_a_study_in_postgresql_and_it_goes_on(server):
    complete(of(server, params(trials=2), "shared"))
    trials = complete(of(server, params(trials=6, workers=2), "shared"))
    assert [trial["number"] for trial in trials] == list(range(6))
    assert len({tuple(trial["values"].values()) for trial in trials}) == 6


def test_a_wrong_password_is_refused_and_not_shown(server):
    todo = of(server, params(trials=1), "refused", password="wrong-word")
    with (
        pytest.raises(ValueError, match="password authentication failed") as caught,
        storage_errors(todo.address),
    ):
        complete(todo)
    assert "wrong-word" not in str(caught.value)
    assert f"{USER}:***@" in str(caught.value)


def test_a_server_that_is_not_there_is_one_sentence():
    pytest.importorskip("psycopg")
    todo = work("postgresql+psycopg://127.0.0.1:1/studies", params(trials=1))
    with (
        pytest.raises(ValueError, match=r"study_storage .* cannot be used .*refused"),
        storage_errors(todo.address),
    ):
        complete(todo)
