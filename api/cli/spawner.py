"""Start a program tied to this process: in its own session, and gone when this process is gone."""

import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import IO

from core.process import PARENT_PIPE, bound

Spawned = tuple[subprocess.Popen[bytes], int]


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: int | IO[bytes] | None = None,
    death_signal: int,
) -> Spawned:
    """Start `argv` with the whole environment `env` (default: ours) and with `output` for both its streams.

    It gets `death_signal` when this process dies. Returns the process and a descriptor: closing it has the
    same effect on Python children that called `die_with_parent`, so keep it until the child has ended. Being
    in its own session, the child does not see the terminal's Ctrl-C. Raises OSError.
    """
    request = _Request(list(argv), env, output, death_signal)
    _running_spawner().put(request)
    return request.answer.result()


class _Request:
    """One program to start, and where its starter waits."""

    def __init__(
        self,
        argv: list[str],
        env: Mapping[str, str] | None,
        output: int | IO[bytes] | None,
        death_signal: int,
    ) -> None:
        self._argv, self._env, self._output, self._death_signal = argv, env, output, death_signal
        self.answer: Future[Spawned] = Future()

    def serve(self) -> None:
        try:
            self.answer.set_result(self._start())
        except BaseException as error:
            self.answer.set_exception(error)

    def _start(self) -> Spawned:
        theirs, ours = os.pipe()
        environment = {
            **(os.environ if self._env is None else self._env),
            PARENT_PIPE: f"{theirs}:{os.getpid()}",
        }
        try:
            process = subprocess.Popen(
                bound(self._argv, self._death_signal),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=None if self._output is None else subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(theirs,),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return process, ours


_spawners: dict[int, queue.SimpleQueue[_Request]] = {}
_one_at_a_time = threading.Lock()


def _running_spawner() -> queue.SimpleQueue[_Request]:
    """A thread that lives as long as the process: to the kernel, a thread is the parent of a child."""
    with _one_at_a_time:
        if os.getpid() not in _spawners:  # the first use, or the first one after a fork
            requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(requests,), name="spawner", daemon=True).start()
            _spawners[os.getpid()] = requests
        return _spawners[os.getpid()]


def _serve(requests: queue.SimpleQueue[_Request]) -> None:
    while True:
        requests.get().serve()
