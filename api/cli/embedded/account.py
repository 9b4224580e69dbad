"""As whom a server runs that refuses to be root."""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from api.cli.embedded import unprivileged
from api.cli.embedded.place import EmbeddedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user a server can be: `prefix` comes before its command line, `uid` and `gid` own its files."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()


def server_account(data: Path, program: Path) -> Account:
    """The account for `program` (which must understand --version) with its files in `data`.

    An ordinary user is taken as is. Root stands behind an ordinary user in a user namespace, or becomes one
    where the kernel refuses namespaces or the directory is below somebody's private one; files that belong
    to an ordinary user already stay theirs. Raises EmbeddedError where nothing works.
    """
    for account in _candidates(data):
        if not account.prefix or _works(account, data, program):
            return account
    raise EmbeddedError(
        f"{program.name} refuses to run as root, and this system lets root neither open a user namespace nor "
        "run it as another user; run Clarion as an ordinary user, or set CLARION_DATABASE_URL"
    )


def _candidates(data: Path) -> list[Account]:
    me, group = os.geteuid(), os.getegid()
    if me != 0 and _has_name(me):
        return [Account(uid=me, gid=group)]
    ordinary = _ordinary_user()
    if me != 0:  # a container started with a bare number: initdb wants a name
        return [_namespace(ordinary, me, group)]
    if data.exists() and data.stat().st_uid != 0:
        return [_setuid(data.stat().st_uid, data.stat().st_gid)]
    return [_namespace(ordinary, me, group), _setuid(ordinary.pw_uid, ordinary.pw_gid)]


def _namespace(inside: pwd.struct_passwd, uid: int, gid: int) -> Account:
    return Account(uid=uid, gid=gid, prefix=_script("namespace", inside.pw_uid, inside.pw_gid))


def _setuid(uid: int, gid: int) -> Account:
    return Account(uid=uid, gid=gid, prefix=_script("setuid", uid, gid))


def _script(mode: str, uid: int, gid: int) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", str(Path(unprivileged.__file__).resolve()), mode, str(uid), str(gid))


def _works(account: Account, data: Path, program: Path) -> bool:
    """Whether the account may be taken, reach the directory and run the program: tried, not guessed."""
    nearest = next(place for place in (data, *data.parents) if place.exists())
    attempt = ("sh", "-c", 'cd "$1" && exec "$2" --version', "sh", str(nearest), str(program))
    return subprocess.run([*account.prefix, *attempt], capture_output=True, check=False).returncode == 0


def _has_name(uid: int) -> bool:
    return any(entry.pw_uid == uid for entry in pwd.getpwall())


def _ordinary_user() -> pwd.struct_passwd:
    ordinary = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not ordinary:
        raise EmbeddedError("/etc/passwd knows no user but root, and PostgreSQL must not be root: add one")
    return min(ordinary, key=lambda entry: entry.pw_name != "nobody")
