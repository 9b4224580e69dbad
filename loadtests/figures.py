"""How a figure is printed: one JSON line, ours beside its reference, with their ratio."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Callable, Sequence


def print_figure(
    name: str, ours: Sequence[float], reference: Sequence[float], *, unit: str, against: str, **more: object
) -> None:
    """Medians of alternated runs; `ratio` is ours over reference, in the unit printed."""
    mine, other = statistics.median(ours), statistics.median(reference)
    line = {
        "name": name,
        "ours": round(mine, 4),
        "reference": round(other, 4),
        "ratio": round(mine / other, 3) if other else None,
        "unit": unit,
        "against": against,
        "runs": len(ours),
        **more,
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)


def print_alone(name: str, ours: float, *, unit: str, **more: object) -> None:
    """A figure without a reference, such as a memory size."""
    print(json.dumps({"name": name, "ours": round(ours, 4), "unit": unit, **more}, ensure_ascii=False), flush=True)


def alternate(runs: int, ours: Callable[[], float], reference: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Run the two in turn, so that both see the same machine."""
    mine, other = [], []
    for _ in range(runs):
        other.append(reference())
        mine.append(ours())
    return mine, other


def need(command: str, package: str) -> str:
    """The path of a program; its Debian package is installed where it is missing and we may. Raises SystemExit."""
    found = shutil.which(command, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")
    if found is None:
        install = ["apt-get", "install", "-y", "--no-install-recommends", package]
        environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        try:
            subprocess.run(["apt-get", "update"], check=True, capture_output=True, env=environment)
            subprocess.run(install, check=True, capture_output=True, env=environment)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"{command} is missing: install it with `apt-get install {package}` ({error})") from error
        found = shutil.which(command, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise SystemExit(f"{command} is missing: install it with `apt-get install {package}`")
    return found
