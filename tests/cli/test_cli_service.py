"""``ephyrus service``: making, filling, keeping and checking a service."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from ephyrus.cli import app
from ephyrus.service.db.engine import Database
from ephyrus.service.db.schema import ARRAYS, RECORDINGS
from ephyrus.service.files.store import FolderStore
from ephyrus.service.inplace.catalog import recordings
from ephyrus.service.settings import Settings
from tests.cli.conftest import PROGRAM

SECRET = "correct horse battery"


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    """A service in a folder of the test, with quick passwords."""
    monkeypatch.setenv("EPHYRUS_SERVICE_DATA_FOLDER", str(tmp_path / "service"))
    monkeypatch.setenv("EPHYRUS_SERVICE_PASSWORD_TIME_COST", "1")
    monkeypatch.setenv("EPHYRUS_SERVICE_PASSWORD_MEMORY_KIB", "64")
    monkeypatch.setenv("EPHYRUS_SERVICE_PASSWORD_PARALLELISM", "1")


def made(*arguments: object) -> tuple[int, str]:
    """Make a service with an administrator."""
    result = CliRunner().invoke(
        app, ["service", *map(str, arguments), "init", "--admin", "ada", "--stdin"], input=SECRET
    )
    return result.exit_code, result.output


@pytest.fixture
def filled(run, eeg) -> Path:
    """A service with a recording; its store."""
    assert made()[0] == 0
    found = run("service", "import", eeg.path, "--owner", "ada")
    assert found.code == 0, found.err
    return Path(os.environ["EPHYRUS_SERVICE_DATA_FOLDER"]) / "arrays"


def test_a_service_is_made_once(run, tmp_path):
    code, shown = made()
    assert code == 0
    assert "user ada made (id 1), administrator" in shown
    assert (tmp_path / "service" / "catalog.sqlite").exists()
    code, shown = made()
    assert code == 2
    assert "has an administrator already: ada" in shown
    found = run("service", "user", "list", "--json")
    assert [(user["username"], user["is_admin"]) for user in found.json] == [("ada", True)]


def test_the_name_of_the_administrator_is_needed(run):
    found = run("service", "init", "--stdin")
    assert found.code == 2
    assert "add --admin NAME" in found.err


def test_where_the_service_is(tmp_path, monkeypatch):
    assert made("--data-folder", tmp_path / "other")[0] == 0
    assert (tmp_path / "other" / "catalog.sqlite").exists()
    assert os.environ["EPHYRUS_SERVICE_DATA_FOLDER"] == str(tmp_path / "service")
    monkeypatch.delenv("EPHYRUS_SERVICE_DATA_FOLDER")
    file = tmp_path / "service.toml"
    file.write_text(f'data_folder = "{tmp_path / "third"}"\npassword_min_length = 4\n')
    assert made("--settings", file)[0] == 0
    assert (tmp_path / "third" / "catalog.sqlite").exists()
    file.write_text('data_folders = "x"\n')
    code, shown = made("--settings", file)
    assert code == 2
    assert "data_folders" in shown
    code, shown = made("--settings", tmp_path / "nowhere.toml")
    assert code == 2
    assert "there is no settings file" in shown


def test_import_says_where_the_recording_is(run, eeg):
    made()
    found = run("service", "import", eeg.path.parent, "--owner", "ada", "--safety-level", 1)
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(f"{eeg.path}: /electrophysiology/block/1 (")
    unknown = run("service", "import", eeg.path, "--owner", "nobody")
    assert unknown.code == 2
    assert "there is no user 'nobody'" in unknown.err
    broken = eeg.path.with_name("broken.vhdr")
    broken.write_text(eeg.path.read_text("utf-8").replace("=3", "=x"), "utf-8")
    both = run("service", "import", broken, eeg.path, "--owner", "ada")
    assert both.code == 1
    assert "block/2" in both.out
    assert "broken.vhdr" in both.err


def test_recordings_shown_where_they_lie(run, eeg):
    made()
    found = run("service", "import", "--link", eeg.path, "--owner", "ada")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(f"{eeg.path}: /electrophysiology/block/1 (")
    assert run("service", "check").code == 0
    database = Database(Settings())
    pool = recordings(database)
    with database.reading() as connection:
        (place,) = connection.execute(
            select(ARRAYS.c.location).where(ARRAYS.c.datafile_id == 1)
        ).scalars()
    values = pool.array(place).read(0, 5)
    np.testing.assert_array_equal(values, eeg.values[:5, :2])
    marks = eeg.path.with_suffix(".vmrk")
    marks.write_text(marks.read_text("utf-8") + "; changed\n", "utf-8")
    found = run("service", "check")
    assert found.code == 1
    assert "changed, or is gone" in found.out
    assert run("service", "import", "--link", eeg.path, "--owner", "ada").code == 0
    assert run("service", "check").code == 0
    with database.reading() as connection:
        assert len(connection.execute(select(RECORDINGS)).all()) == 1
    assert run("service", "unlink", eeg.path).code == 0
    again = run("service", "unlink", eeg.path)
    assert again.code == 2
    assert "is not shown by this service" in again.err
    with database.reading() as connection:
        assert connection.execute(select(ARRAYS)).all() == []
        assert connection.execute(select(RECORDINGS)).all() == []
    database.close()


def test_backup_restore_and_check(run, filled, tmp_path):
    target = tmp_path / "all.tar.gz"
    found = run("service", "backup", target)
    assert found.code == 0
    assert "files" in found.err
    assert target.stat().st_mode & 0o777 == 0o600
    again = run("service", "backup", target)
    assert again.code == 2
    assert "--overwrite replaces it" in again.err
    assert run("service", "backup", target, "--overwrite", "-q").code == 0
    assert list(tmp_path.glob(".*.part")) == []
    new = tmp_path / "new"
    found = run("service", "--data-folder", new, "restore", target)
    assert found.code == 0
    files = len(list(FolderStore(filled).keys()))
    assert f"{files} files were restored" in found.err
    found = run("service", "--data-folder", new, "check", "--digests")
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines()[-1].endswith("all is well")
    found = run("service", "restore", target)
    assert found.code == 2
    assert "the service is not empty" in found.err
    target.write_bytes(target.read_bytes()[:3000])
    found = run("service", "--data-folder", tmp_path / "third", "restore", target)
    assert found.code == 2
    assert "cut or damaged" in found.err


def test_a_backup_through_a_pipe(filled, tmp_path):
    command = [*PROGRAM, "service"]
    done = subprocess.run([*command, "backup", "-"], capture_output=True, check=True, timeout=60)
    new = ["--data-folder", str(tmp_path / "new")]
    subprocess.run(
        [*command, *new, "restore", "-"], input=done.stdout, capture_output=True, check=True,
        timeout=60,
    )  # fmt: skip
    assert len(list(FolderStore(tmp_path / "new" / "arrays").keys())) > 0


def test_what_is_wrong_decides_the_exit_code(run, filled):
    store = FolderStore(filled)
    lost, *_ = store.keys()
    store.delete(lost)
    found = run("service", "check")
    assert found.code == 1
    assert f"there is no file {lost}" in found.out
    as_json = run("service", "check", "--json").json
    assert [each["kind"] for each in as_json["findings"]] == ["missing"]
    assert as_json["orphans"] == []


def test_left_over_files_are_removed_when_asked(run, filled):
    store = FolderStore(filled)
    with store.create() as new:
        new.write(b"x")
        key = new.commit()
    path = store.local_path(key)
    os.utime(path, (1, 1))
    found = run("service", "check")
    assert found.code == 1
    assert "--remove-orphans removes them" in found.out
    found = run("service", "check", "--remove-orphans")
    assert found.code == 0
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_runs_until_it_is_told_to_stop(tmp_path):
    made()
    process = subprocess.Popen(
        [*PROGRAM, "service", "run", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        address = process.stdout.readline().split(" at ")[1].split(";")[0]
        with urlopen(f"{address}/health", timeout=60) as answer:  # noqa: S310
            assert json.load(answer)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_a_terminal_gets_no_backup(run, filled, monkeypatch):
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    import ephyrus.cli.service.keep as module

    monkeypatch.setattr(module.sys, "stdout", Terminal())
    with pytest.raises(module.Failure, match="not for the eye"):
        module.backup("-", overwrite=False, quiet=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "there is no setting 'prot'"),
        ("port = 'x'", "the setting 'port' is wrong: input should be a valid integer"),
        ("port = = 1", "settings.toml is not TOML: Invalid value"),
        ("database = 'mysql://ada:secret@db/x'", "mysql is neither SQLite nor PostgreSQL"),
        ("database = 'secret'", "'database' is wrong: it is not the address of a database"),
    ],
)
def test_settings_that_are_wrong_are_named_and_not_shown(run, tmp_path, text, said):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    found = run("service", "--settings", str(file), "check")
    assert found.code == 2
    assert said in found.err
    assert str(file) in found.err
    assert "secret" not in found.err
    assert "fault of ephyrus" not in found.err


def test_variables_that_mean_nothing_are_named(run, monkeypatch):
    monkeypatch.setenv("EPHYRUS_SERVICE_PROT", "1")
    found = run("service", "user", "list")
    assert found.code == 0
    assert "warning: there is no setting for EPHYRUS_SERVICE_PROT" in found.err


def test_a_provider_without_its_packages_is_told_at_the_start(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "joserfc", None)
    monkeypatch.setenv("EPHYRUS_SERVICE_OIDC_ISSUER", "https://login.example.org")
    found = run("service", "run", "--port", "0")
    assert found.code == 2
    assert "pip install 'ephyrus[oidc]'" in found.err


def test_a_driver_that_is_missing_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    found = run("service", "--database", "postgresql+psycopg://ada@127.0.0.1:1/x", "check")
    assert found.code == 2
    assert "pip install 'ephyrus[postgresql]'" in found.err
