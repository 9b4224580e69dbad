"""The embedded PostgreSQL: starts anywhere as anybody, keeps what was committed, outlives nobody."""

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from api.cli.embedded import EmbeddedError, EmbeddedPostgres, account
from api.cli.embedded.account import Account

Gone = Callable[[list[psutil.Process]], list[psutil.Process]]
Script = Callable[..., "subprocess.Popen[str]"]

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try what root has to do")

OWNER = """
import sys
from pathlib import Path
from api.cli.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), flush=True)
print(server.pid, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture(params=["namespace", "setuid"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which root runs a server that refuses root; an ordinary user has only one."""
    if request.param == "setuid":
        if os.geteuid() != 0:
            pytest.skip("only root can become somebody else")
        refused = Account(uid=0, gid=0, prefix=("false",))
        monkeypatch.setattr(account, "_namespace", lambda *_: refused)
    return str(request.param)


@pytest.fixture
def server(var: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(var)
    yield postgres
    postgres.stop()


async def ask(url: str, *statements: str) -> object:
    """Run statements one by one; returns the first value of the last."""
    conn = await asyncpg.connect(url)
    try:
        for statement in statements[:-1]:
            await conn.execute(statement)
        return await conn.fetchval(statements[-1])
    finally:
        await conn.close()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def names_in(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


@pytest.mark.usefixtures("way")
async def test_what_was_committed_is_there_after_a_restart(server: EmbeddedPostgres) -> None:
    await ask(server.start(), "CREATE TABLE kept AS SELECT 'José' AS name", "SELECT 1")
    server.stop()

    assert await ask(server.start(), "SELECT upper(name) FROM kept") == "JOSÉ"


async def test_it_is_durable_speaks_utf8_and_lives_in_utc(server: EmbeddedPostgres) -> None:
    settings = ("fsync", "full_page_writes", "synchronous_commit", "server_encoding", "TimeZone")
    url = server.start()

    assert [await ask(url, f"SHOW {name}") for name in settings] == ["on", "on", "on", "UTF8", "UTC"]


async def test_own_settings_win(var: Path) -> None:
    server = EmbeddedPostgres(var, settings={"max_connections": "17"})
    try:
        assert await ask(server.start(), "SHOW max_connections") == "17"
    finally:
        server.stop()


async def test_it_leaves_nothing_outside_var_and_changes_no_permission_there(server: EmbeddedPostgres, var: Path) -> None:
    var.parent.mkdir(mode=0o700)
    server.start()
    assert server.sockets.is_dir()
    server.stop()

    assert not server.sockets.exists()
    assert var.parent.stat().st_mode & 0o777 == 0o700
    assert names_in(var) == ["log", "postgres", "postgres.lock", "postgres.password"]


async def test_without_a_port_it_does_not_listen_on_the_network(server: EmbeddedPostgres) -> None:
    server.start()

    assert server.pid is not None
    assert psutil.Process(server.pid).net_connections(kind="inet") == []


async def test_with_a_port_it_asks_for_the_password(var: Path, unused_tcp_port: int) -> None:
    server = EmbeddedPostgres(var, port=unused_tcp_port)
    try:
        url = server.start()
        assert await ask(url, "SELECT 1") == 1
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url, password="guessed")
    finally:
        server.stop()


async def test_personal_values_stay_out_of_its_log(server: EmbeddedPostgres) -> None:
    url = server.start()
    statements = ("CREATE TABLE p (email text UNIQUE)", "INSERT INTO p VALUES ('anna@example.com')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await ask(url, *statements, statements[1])

    assert "duplicate key" in server.log.read_text()
    assert "anna@example.com" not in server.log.read_text()


@pytest.mark.usefixtures("way")
async def test_it_dies_with_a_killed_owner_and_the_next_start_recovers(
    server: EmbeddedPostgres, var: Path, script: Script, gone: Gone, way: str
) -> None:
    if way == "setuid":  # the files belong to somebody else from the start, so the owner takes the same way
        server.start()
        server.stop()
    owner = script(OWNER, var)
    assert owner.stdout
    url, pid = owner.stdout.readline().strip(), int(owner.stdout.readline())
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS n", "SELECT 1")
    postmaster = psutil.Process(pid)
    family = [postmaster, *postmaster.children()]

    owner.kill()

    assert gone(family) == []
    assert await ask(server.start(), "SELECT n FROM kept") == 7


async def test_it_outlives_the_thread_that_started_it(server: EmbeddedPostgres) -> None:
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()

    assert await ask(server.url, "SELECT 1") == 1


async def test_a_server_that_lost_its_owner_is_ended_first(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    program = [*server.account.prefix, str(server.bin / "postgres"), "-D", str(server.data)]
    untied = await asyncio.create_subprocess_exec(*program, "-h", "", "-k", ".", stderr=subprocess.DEVNULL)
    await asyncio.to_thread(wait_for, server.data / ".s.PGSQL.5432")

    url = await asyncio.to_thread(server.start)

    assert await untied.wait() == 0, "it was shut down in good order"
    assert await ask(url, "SELECT 1") == 1


async def test_a_long_query_that_outlives_a_killed_server_does_not_stop_the_next(server: EmbeddedPostgres, gone: Gone) -> None:
    conn = await asyncpg.connect(server.start())
    backend = psutil.Process(await conn.fetchval("SELECT pg_backend_pid()"))
    busy = asyncio.ensure_future(conn.fetchval("SELECT count(*) FROM generate_series(1, 1000000000000)"))
    await asyncio.sleep(0.1)
    assert server.pid is not None
    psutil.Process(server.pid).kill()
    server.stop()
    assert backend.is_running()

    assert await ask(server.start(), "SELECT 1") == 1

    assert gone([backend]) == []
    with pytest.raises(asyncpg.PostgresConnectionError):
        await busy
    conn.terminate()


async def test_a_pid_file_whose_number_has_another_program_by_now_does_not_stop_it(
    server: EmbeddedPostgres,
) -> None:
    server.start()
    server.stop()
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(f"{os.getppid()}\n{server.data}\n1\n5432\n\n\n\n")

    assert await ask(server.start(), "SELECT 1") == 1


async def test_a_first_start_cut_short_is_made_again(server: EmbeddedPostgres, var: Path) -> None:
    (var / "postgres.new" / "base").mkdir(parents=True)

    assert await ask(server.start(), "SELECT 1") == 1
    assert not (var / "postgres.new").exists()


async def test_another_process_shares_the_server_but_does_not_end_it(
    server: EmbeddedPostgres, var: Path, script: Script
) -> None:
    owner = script(OWNER, var)
    assert owner.stdout
    url = owner.stdout.readline().strip()

    assert server.start() == url
    assert server.pid is None
    server.stop()
    assert await ask(url, "SELECT 1") == 1

    owner.communicate("stop\n", timeout=30)
    assert server.start()
    assert server.pid is not None


def test_files_of_another_version_are_refused(server: EmbeddedPostgres) -> None:
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("11\n")

    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 11.*CLARION_DATABASE_URL"):
        server.start()


def test_files_that_are_no_database_are_left_alone(server: EmbeddedPostgres) -> None:
    server.data.mkdir(parents=True)
    (server.data / "diary.txt").write_text("mine")

    with pytest.raises(EmbeddedError, match="holds no database"):
        server.start()
    assert (server.data / "diary.txt").read_text() == "mine"


def test_a_socket_directory_open_to_others_is_refused(server: EmbeddedPostgres) -> None:
    server.sockets.mkdir()
    server.sockets.chmod(0o777)
    try:
        with pytest.raises(EmbeddedError, match="not a private directory"):
            server.start()
    finally:
        server.sockets.rmdir()


@as_root
def test_where_root_can_be_nobody_else_the_error_says_what_to_do(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Account(uid=0, gid=0, prefix=("false",))
    monkeypatch.setattr(account, "_namespace", lambda *_: refused)
    monkeypatch.setattr(account, "_setuid", lambda *_: refused)

    with pytest.raises(EmbeddedError, match="ordinary user, or set CLARION_DATABASE_URL"):
        server.start()


async def test_an_ordinary_user_needs_nothing_special(
    ordinary_user: dict[str, object], users_folder: Path, script: Script, gone: Gone
) -> None:
    owner = script(OWNER, users_folder / "var", **ordinary_user)
    assert owner.stdout
    url, pid = owner.stdout.readline().strip(), int(owner.stdout.readline())
    postmaster = psutil.Process(pid)

    assert await ask(url, "SELECT 1") == 1
    assert postmaster.uids().real == NOBODY
    owner.kill()
    assert gone([postmaster]) == []


def test_files_of_root_are_refused_to_an_ordinary_user(
    ordinary_user: dict[str, object], users_folder: Path, script: Script
) -> None:
    var = users_folder / "var"
    server = EmbeddedPostgres(var)
    server.start()
    server.stop()

    owner = script(OWNER, var, stderr=subprocess.PIPE, **ordinary_user)
    _, errors = owner.communicate(timeout=30)

    assert "belongs to another user: run as that one, or set CLARION_DATABASE_URL" in errors


@as_root
async def test_root_may_use_a_directory_private_to_somebody_else(users_folder: Path) -> None:
    server = EmbeddedPostgres(users_folder / "var")
    try:
        assert await ask(server.start(), "SELECT 1") == 1
    finally:
        server.stop()


async def test_files_of_an_ordinary_user_stay_theirs_when_root_runs_the_server(
    ordinary_user: dict[str, object], users_folder: Path, script: Script
) -> None:
    var = users_folder / "var"
    script(OWNER, var, **ordinary_user).communicate("stop\n", timeout=30)

    server = EmbeddedPostgres(var)
    try:
        await ask(server.start(), "CREATE TABLE more AS SELECT 1", "SELECT 1")
    finally:
        server.stop()

    assert {path.stat().st_uid for path in server.data.rglob("*")} == {NOBODY}
