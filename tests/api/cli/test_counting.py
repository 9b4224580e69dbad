"""Processes of one tree count in one folder; `clarion worker` alone tells on a port of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from api.cli.counting import counting, telling
from core.config import load_settings
from core.errors import Conflict
from core.metrics import FOLDER, Counts
from tests.flows.house import free_port

CHILD = """
from api.metrics import SOCKETS
from core.metrics import MESSAGES
MESSAGES.labels("owl", "accepted").inc({messages})
SOCKETS.inc()
"""


@pytest.fixture(autouse=True)
def no_outer_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)


def child(messages: int) -> None:
    """A process that counts and ends."""
    subprocess.run([sys.executable, "-c", CHILD.format(messages=messages)], check=True, timeout=60)


def test_the_counts_of_all_processes_are_told_on_the_port_of_the_workers(tmp_path: Path) -> None:
    settings = load_settings(var_dir=tmp_path, metrics_port=free_port())
    with counting(settings), telling(settings):
        child(2)
        child(3)
        text = httpx.get(f"http://127.0.0.1:{settings.metrics_port}/metrics", trust_env=False).text

    assert 'clarion_messages_total{channel="owl",outcome="accepted"} 5.0' in text
    assert "clarion_graphql_sockets 1" not in text  # what the dead had open is open no more
    assert list((tmp_path / "metrics").iterdir()) == []
    assert FOLDER not in os.environ


def test_a_supervisor_below_another_counts_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "outer"))
    with counting(load_settings(var_dir=tmp_path)):
        assert os.environ[FOLDER] == str(tmp_path / "outer")
    assert os.environ[FOLDER] == str(tmp_path / "outer")


def test_what_a_killed_supervisor_left_is_removed_and_what_another_holds_is_not(tmp_path: Path) -> None:
    (tmp_path / "metrics" / str(os.getpid())).mkdir(parents=True)  # a pid comes again, in a container always the same one
    with counting(load_settings(var_dir=tmp_path)):
        (mine,) = (tmp_path / "metrics").iterdir()
        assert os.environ.pop(FOLDER) == str(mine)
        with counting(load_settings(var_dir=tmp_path)):
            assert mine.exists()
            assert len(list((tmp_path / "metrics").iterdir())) == 2
        os.environ[FOLDER] = str(mine)
    assert list((tmp_path / "metrics").iterdir()) == []


def test_a_process_that_is_just_beginning_to_count_spoils_nothing(tmp_path: Path) -> None:
    settings = load_settings(var_dir=tmp_path)
    with counting(settings):
        child(2)
        (Path(os.environ[FOLDER]) / "counter_77.db").touch()
        found = {metric.name: metric for metric in Counts(Path(os.environ[FOLDER])).collect()}
    assert found["clarion_messages"].samples[0].value == 2


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = load_settings(var_dir=tmp_path, metrics_port=taken.getsockname()[1])
        with counting(settings), pytest.raises(Conflict, match="metrics"), telling(settings):
            pass


def test_an_empty_folder_tells_nothing(tmp_path: Path) -> None:
    assert list(Counts(tmp_path).collect()) == []
