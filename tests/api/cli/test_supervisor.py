"""The supervisor: order, readiness, restarts, a bounded stop, and no orphan however it ends."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest

from api.cli.child import Lines, RunningChild
from api.cli.embedded import EmbeddedPostgres, EmbeddedRedis
from api.cli.supervisor import Child, ChildError, Supervisor

Gone = Callable[[list[psutil.Process]], list[psutil.Process]]
Script = Callable[..., "subprocess.Popen[str]"]

# Writes its name into a file when it starts and again when it is told to stop.
DIARIST = """
import signal, sys, time
name, diary = sys.argv[1:]
def note(what):
    with open(diary, "a") as file:
        file.write(f"{name} {what}\\n")
def stop(*_):
    note("stops")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("runs")
while True:
    time.sleep(60)
"""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf', flush=True)
time.sleep(600)
"""

# A supervisor of supervisors of sleepers, as `clarion up` runs `clarion worker`.
NEST = """
import sys, time
from api.cli.supervisor import Child, Supervisor
from core.process import die_with_parent
die_with_parent()
depth = int(sys.argv[1])
if depth == 0:
    print("asleep", flush=True)
    time.sleep(600)
inner = [sys.executable, "-c", sys.argv[2], str(depth - 1), sys.argv[2]]
Supervisor([Child(name=f"child{n}", argv=inner) for n in range(2)], stop_seconds=4.0 + depth).run()
print("done", flush=True)
"""


def python(text: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", text, *map(str, arguments)]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def diarist(name: str, diary: Path) -> Child:
    return Child(
        name=name,
        argv=python(DIARIST, name, diary),
        ready=lambda: diary.exists() and f"{name} runs" in diary.read_text(),
    )


def start_nest(script: Script) -> tuple["subprocess.Popen[str]", list[psutil.Process]]:
    """A tree of 1 + 2 + 4 processes; returns the root and its descendants once the leaves are there."""
    root = script(NEST, 2, NEST)
    assert root.stdout
    for _ in range(4):
        assert root.stdout.readline().endswith("asleep\n")
    return root, psutil.Process(root.pid).children(recursive=True)


def test_children_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    diary = tmp_path / "diary"

    with Supervisor([diarist("first", diary), diarist("second", diary)], out=io.StringIO()):
        pass

    assert diary.read_text().split("\n")[:-1] == ["first runs", "second runs", "second stops", "first stops"]


def test_a_killed_child_is_started_again_after_its_preparation(tmp_path: Path) -> None:
    prepared: list[object] = []
    child = Child(name="sleeper", argv=python("import time; time.sleep(600)"), prepare=prepared.append)
    with Supervisor([child], out=io.StringIO()) as supervisor:
        first = supervisor.pids()["sleeper"]
        psutil.Process(first).kill()
        until(lambda: supervisor.pids()["sleeper"] != first)

        assert psutil.pid_exists(supervisor.pids()["sleeper"])
        assert len(prepared) == 2


def test_a_child_that_crashes_again_and_again_is_given_more_and_more_time() -> None:
    out = io.StringIO()
    started: list[object] = []
    crashing = Child(name="crashing", argv=python("print('ouch'); raise SystemExit(3)"), prepare=started.append)
    with Supervisor([crashing], out=out):
        until(lambda: len(started) == 3)

    assert "crashing | ouch" in out.getvalue()
    assert "crashing | ended with status 3" in out.getvalue()


def test_a_child_that_need_not_run_is_not_started_again() -> None:
    started: list[object] = []
    once = Child(name="once", argv=python("pass"), prepare=started.append, restart=False)
    out = io.StringIO()
    with Supervisor([once], out=out):
        until(lambda: "ended with status 0" in out.getvalue())

    assert len(started) == 1


def test_a_child_that_does_not_come_up_ends_them_all_and_says_its_last_words(tmp_path: Path, gone: Gone) -> None:
    good = diarist("good", tmp_path / "diary")
    bad = Child(name="bad", argv=python("raise SystemExit('no such key')"), ready=lambda: False)
    supervisor = Supervisor([good, bad], out=io.StringIO())

    with pytest.raises(ChildError, match=r"(?s)bad was not ready yet and ended with status 1.*no such key"):
        supervisor.start()

    assert not psutil.pid_exists(supervisor.pids()["good"])


def test_a_program_that_does_not_exist_is_a_clear_error() -> None:
    missing = Child(name="missing", argv=["/no/such/program"], ready=lambda: False)
    with pytest.raises(ChildError, match="/no/such/program: No such file"):
        Supervisor([missing], out=io.StringIO()).start()


def test_a_child_that_never_gets_ready_is_given_up() -> None:
    idle = Child(name="idle", argv=python("import time; time.sleep(600)"), ready=lambda: False, ready_seconds=0.1)
    supervisor = Supervisor([idle], out=io.StringIO())
    with pytest.raises(ChildError, match="idle was not ready after 0 s"):
        supervisor.start()

    assert not psutil.pid_exists(supervisor.pids()["idle"])


def test_a_child_that_does_not_listen_is_killed_in_time() -> None:
    out = io.StringIO()
    supervisor = Supervisor([Child(name="stubborn", argv=python(STUBBORN))], stop_seconds=1.5, out=out)
    supervisor.start()
    until(lambda: "deaf" in out.getvalue())

    supervisor.stop()

    assert not psutil.pid_exists(supervisor.pids()["stubborn"])


# Says each time it is told to stop, and takes its time.
SLOW = """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("runs", flush=True)
signal.sigwait([signal.SIGTERM])
print("told", flush=True)
if signal.sigtimedwait([signal.SIGTERM], 1):
    print("told", flush=True)
"""


def test_children_that_are_stopped_together_all_have_the_whole_time() -> None:
    out = io.StringIO()
    slow = [Child(name=f"slow-{number}", argv=python(SLOW)) for number in range(4)]
    supervisor = Supervisor(slow, stop_seconds=3, together=True, out=out)
    supervisor.start()
    until(lambda: out.getvalue().count("runs") == 4)

    supervisor.stop()

    assert out.getvalue().count("told") == 4
    assert "killed" not in out.getvalue()
    codes = [running._process.returncode for running in supervisor._running if running._process]
    assert codes == [0, 0, 0, 0]


def test_a_child_is_told_once() -> None:
    out = io.StringIO()
    child = RunningChild(Child(name="slow", argv=python(SLOW)), out=Lines(out))
    child.start()
    until(lambda: "runs" in out.getvalue())
    child.tell()
    until(lambda: "told" in out.getvalue())

    child.stop()

    assert child.wait().startswith("ended with status 0")
    assert out.getvalue().count("told") == 1


def test_what_a_child_started_in_its_own_group_ends_with_it(gone: Gone) -> None:
    out = io.StringIO()
    text = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    with Supervisor([Child(name="parent", argv=python(text))], out=out):
        until(lambda: out.getvalue().endswith("\n"))
        grandchild = psutil.Process(int(out.getvalue().split("|")[1]))

    assert gone([grandchild]) == []


def test_children_do_not_hear_the_terminals_interrupt(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with Supervisor([diarist("child", diary)], out=io.StringIO()) as supervisor:
        child = psutil.Process(supervisor.pids()["child"])

        assert os.getsid(child.pid) != os.getsid(0)


def test_a_reader_that_goes_away_does_not_stop_the_child(tmp_path: Path) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    text = "import pathlib, sys; [print('x' * 80) for _ in range(20_000)]; pathlib.Path(sys.argv[1]).touch()"
    chatty = Child(name="chatty", argv=python(text, tmp_path / "done"), restart=False)

    with Supervisor([chatty], out=Closed()):
        until((tmp_path / "done").exists)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_tree_of_supervisors_ends_in_good_order_when_told(script: Script, gone: Gone, signum: signal.Signals) -> None:
    root, family = start_nest(script)
    assert len(family) == 6

    root.send_signal(signum)

    output, _ = root.communicate(timeout=20)
    assert root.returncode == 0
    assert output.endswith("done\n")
    assert gone(family) == []


def test_a_killed_supervisor_takes_its_whole_tree_along(script: Script, gone: Gone) -> None:
    root, family = start_nest(script)

    root.kill()

    assert gone(family) == []


def test_a_killed_supervisor_in_the_middle_is_replaced_and_its_children_end(script: Script, gone: Gone) -> None:
    root, family = start_nest(script)
    middle = next(process for process in family if process.ppid() == root.pid)
    below = middle.children()

    middle.kill()

    assert gone([middle, *below]) == []
    assert root.stdout
    for _ in range(3):  # the word that it was killed, and the new leaves
        root.stdout.readline()
    until(lambda: len(psutil.Process(root.pid).children(recursive=True)) == 6)


def test_told_to_stop_while_a_child_gets_ready_it_stops_at_once(script: Script) -> None:
    waiting = script(
        """
import sys
from api.cli.supervisor import Child, Supervisor
sleeper = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
never = Child(name="never", argv=sleeper, ready=lambda: False, ready_seconds=600)
Supervisor([never, Child(name="later", argv=sleeper)]).run(lambda: print("started"))
""",
        stderr=subprocess.PIPE,
    )
    assert waiting.stdout
    assert waiting.stdout.readline() == "never | here\n"

    waiting.terminate()

    assert waiting.communicate(timeout=20) == ("", "")
    assert waiting.returncode == 0


def test_it_says_when_all_are_started(script: Script) -> None:
    running = script(
        """
import sys
from api.cli.supervisor import Child, Supervisor
sleeper = Child(name="sleeper", argv=[sys.executable, "-c", "import time; time.sleep(600)"])
Supervisor([sleeper]).run(lambda: print("started", flush=True))
"""
    )
    assert running.stdout
    assert running.stdout.readline() == "started\n"

    running.terminate()

    assert running.wait(20) == 0


async def test_embedded_servers_are_children_and_come_back(var: Path) -> None:
    postgres, redis = EmbeddedPostgres(var), EmbeddedRedis(var)
    with Supervisor([postgres.child(), redis.child()], out=io.StringIO()) as supervisor:
        conn = await asyncpg.connect(postgres.url)
        await conn.execute("CREATE TABLE kept AS SELECT 7 AS n")
        before = supervisor.pids()

        psutil.Process(before["postgres"]).kill()
        psutil.Process(before["redis"]).kill()
        until(lambda: set(supervisor.pids().values()).isdisjoint(before.values()) and redis.ready() and postgres.ready())
        conn.terminate()

        conn = await asyncpg.connect(postgres.url)
        assert await conn.fetchval("SELECT n FROM kept") == 7
        await conn.close()
    assert not postgres.sockets.exists()


def test_told_to_stop_while_another_process_has_the_files_it_gives_up(var: Path, script: Script) -> None:
    redis = EmbeddedRedis(var)
    redis.start()
    second = script(
        """
import sys
from pathlib import Path
from api.cli.embedded import EmbeddedRedis
from api.cli.supervisor import Child, Supervisor
watched = Child(name="watched", argv=["true"], prepare=lambda _: print("prepared", flush=True), restart=False)
Supervisor([watched, EmbeddedRedis(Path(sys.argv[1])).child()]).run()
""",
        var,
    )
    try:
        assert second.stdout
        assert second.stdout.readline() == "prepared\n"
        second.terminate()

        assert second.wait(20) == 0
        assert redis.ready()
    finally:
        redis.stop()
