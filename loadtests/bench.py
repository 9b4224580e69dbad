"""Runs the benchmarks: `python -m loadtests.bench` for all, `python -m loadtests.bench NAME …` for some."""

from __future__ import annotations

import subprocess
import sys

# One line per benchmark; each is a module that prints JSON lines.
BENCHMARKS: dict[str, str] = {
    "render": "loadtests.bench_render",
    "campaign_send": "loadtests.bench_send",
    "prepare": "loadtests.bench_prepare",
    "import": "loadtests.bench_import",
    "export": "loadtests.bench_export",
    "events": "loadtests.bench_events",
    "count": "loadtests.bench_count",
    "audiences": "loadtests.bench_audiences",
    "membership": "loadtests.bench_membership",
    "expression": "loadtests.bench_expression",
    "pages": "loadtests.bench_pages",
    "search": "loadtests.bench_search",
    "redirect": "loadtests.bench_redirect",
    "stream": "loadtests.bench_stream",
    "graphql": "loadtests.bench_graphql",
    "memory": "loadtests.bench_memory",
}


def main(names: list[str]) -> int:
    """Run them one after the other in processes of their own; returns the number of failures."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or list(BENCHMARKS):
        print(f"# {name}", file=sys.stderr, flush=True)
        failed += subprocess.run([sys.executable, "-m", BENCHMARKS[name]], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
