"""`clarion demo` as a person runs it: on real parts, in a folder with an awkward name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from api.cli.demo import newsletter, stage
from api.cli.main import app

RECIPIENTS = 240

Gone = Callable[[list[psutil.Process]], list[psutil.Process]]


@pytest.fixture
def demo(var: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the demo below a folder with spaces, quotes and umlauts."""
    started: list[subprocess.Popen[str]] = []
    var.mkdir(parents=True)

    def start(*, recipients: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", "demo", "--recipients", str(recipients)],
            env={**os.environ, "CLARION_VAR_DIR": str(var)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def test_everything_adds_up_and_nothing_is_left(demo: Callable[..., subprocess.Popen[str]], var: Path, gone: Gone) -> None:
    """The last line holds the figures; the folder is empty afterwards."""
    process = demo(recipients=RECIPIENTS)
    assert process.stdout is not None
    family: list[psutil.Process] = []
    text = []
    for line in process.stdout:
        text.append(line)
        if "Prepare and send" in line:
            family = psutil.Process(process.pid).children(recursive=True)
    assert process.wait() == 0, "".join(text)
    figures = json.loads(text[-1])
    assert list(figures) == [
        "recipients", "rejected", "excluded", "accepted", "failed", "unknown", "opens", "clicks", "unsubscribed",
        "messages_per_second", "seconds",
    ]  # fmt: skip
    assert figures["recipients"] == RECIPIENTS == sum(figures[name] for name in ("excluded", "accepted", "failed"))
    assert figures["rejected"] == 1
    assert figures["failed"] == 2
    assert min(figures["opens"], figures["clicks"], figures["unsubscribed"]) > 0
    assert figures["unknown"] == 0
    assert any("the report is what the crowd did" in line for line in text)
    assert len(family) > 4
    assert gone(family) == []
    assert list((var / "demo").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_leaves_nothing(
    demo: Callable[..., subprocess.Popen[str]], var: Path, gone: Gone, number: signal.Signals
) -> None:
    """In the middle of everything."""
    process = demo(recipients=5_000)
    assert process.stdout is not None
    for line in process.stdout:
        if "Compose" in line:
            break
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    rest = process.stdout.read()
    assert process.wait() == 130, rest
    assert "nothing of it is left" in rest
    assert len(family) > 4
    assert gone(family) == []
    assert list((var / "demo").iterdir()) == []


def test_what_does_not_add_up_is_said_and_kept(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear sentence, an exit code, the logs; the next demo removes them."""
    monkeypatch.setenv("CLARION_VAR_DIR", str(var))
    monkeypatch.setattr(newsletter, "subject", lambda first_name: f"{first_name}, this is not what is sent")
    result = CliRunner().invoke(app, ["demo", "--recipients", "3"])
    assert result.exit_code == 1
    assert "This does not add up: subject of the preview" in result.output
    assert "this is not what is sent" in result.output
    (kept,) = (var / "demo").iterdir()
    assert (kept / "log" / "api.log").exists()
    with stage.stage(var / "demo") as made:
        assert not kept.exists()
        assert made.folder.exists()
    assert list((var / "demo").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    (tmp_path / "var").write_text("in the way")
    monkeypatch.setenv("CLARION_VAR_DIR", str(tmp_path / "var"))
    result = CliRunner().invoke(app, ["demo", "--recipients", "3"])
    assert result.exit_code == 1
    assert "cannot write to" in str(result.exception)
