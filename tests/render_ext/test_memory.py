"""Renderings leave nothing behind."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from render_ext import (
    EmailRow,
    EmailSource,
    Identity,
    JsonSource,
    Limits,
    MessageRow,
    RenderError,
    SmsSource,
    TokenKey,
    TokenSigner,
    compile,
)

DATE = datetime(2025, 1, 1, tzinfo=UTC)
SIGNER = TokenSigner("https://t.example.com", TokenKey(3, b"k" * 32))
SOURCE = (
    "{% for p in list %}{{ forloop.index }} {{ p.name | default: 'x' | upcase }} {{ p['name'] }}{{ p.tags }}"
    "{% link 1 %}https://x.example/{{ p.name }}{% endlink %}{% if p.name contains 'é' and p.n > 1 %}{% break %}{% endif %}"
    "{% assign last = p %}{% endfor %}{{ last.name }}{{ last | size }}{{ (1..3) | join: last.n }}{{ forloop.first }}"
)
TAGS = (
    "{% for p in list %}{% capture t %}{{ p.name }}{% include 'p' with list, a: p %}{% endcapture %}{% endfor %}{{ t }}"
    "{% tablerow p in list cols: 1 %}{% render 'p' for list as q, a: p %}{% endtablerow %}"
    "{% for p in list limit: 1 %}{% ifchanged %}{{ p.name }}{% endifchanged %}{% endfor %}"
    "{% for p in list offset: continue %}{% cycle p.name: p.n, 1 %}{% increment n %}{% endfor %}"
)
NOTES = "{% for p in list %}{% footnote %}{{ p.name }}{% include 'p' with list, a: p %}{% endfootnote %}{% endfor %}"
PARTIALS = {"p": "{{ a.name }}{% for p in a.tags %}{% assign b = p %}{% endfor %}{% if a.n == 3 %}{% break %}{% endif %}"}
VALUES: dict[str, Any] = {"list": [{"name": f"Zoé {i}", "n": i, "tags": ["a", {"b": i}]} for i in range(5)]}
GROWTH = 3_000_000  # bytes; a leak of one small object per rendering would be more


def grown(work: Any, times: int) -> int:
    """How much the process has grown by `times` runs, after some to warm up."""
    process = psutil.Process()
    for _ in range(times // 10):
        work()
    gc.collect()
    before = process.memory_info().rss
    for _ in range(times):
        work()
    gc.collect()
    return int(process.memory_info().rss - before)


def test_a_million_renderings_do_not_grow_the_process() -> None:
    source = "{{ name | upcase }}{% if n > 500 %}{{ n }}{% endif %}{% link 1 %}https://x.example/{{ name }}{% endlink %}"
    program = compile(source, links=True, signer=SIGNER, escape="html")
    rows = [{"name": f"Zoé {n}", "n": n} for n in range(1000)]
    identities = [Identity(1, 1, n) for n in range(1000)]
    assert grown(lambda: program.render_many(rows, identities=identities), 1000) < GROWTH


MESSAGE = "Hé {{ name }} {% link 1 %}https://x.example/{{ name }}{% endlink %}{% mirror_url %}{{ 9 | divided_by: n }}{{ odd }}"
BAD: list[Any] = [  # rows that fail, each in a way of its own
    {"identity": Identity(-1, 1, 1)},
    {"identity": None},
    {"values": {"name": "x", "n": 0}},
    {"values": {"name": "x", "n": 1, "odd": object()}},
    {"values": {"name": "x" * 6_000, "n": 1}},
    {"values": None},
]


def test_a_hundred_thousand_messages_of_each_kind_do_not_grow_the_process() -> None:
    """Failures among them, and what they held."""
    limits = Limits(output_bytes=5_000)
    mail = EmailSource(
        subject="{{ name }}", html=MESSAGE, text=MESSAGE, from_address="a@example.com", message_id_domain="example.com",
        date=DATE, seed="s", limits=limits,
    ).compile(SIGNER)  # fmt: skip
    sms = SmsSource(text=MESSAGE, date=DATE, limits=limits).compile(SIGNER)
    push = JsonSource(document=f'{{"a": "{MESSAGE}", "b": {{"$value": "{{{{ name }}}}"}}}}', date=DATE, limits=limits).compile(
        SIGNER
    )
    given = [{"identity": Identity(1, 1, n), "values": {"name": f"Zoé {n}", "n": 1}} for n in range(94)]
    rows = [MessageRow(**one) for one in [*given, *({**given[0], **bad} for bad in BAD)]]
    mails = [
        EmailRow(address="b@example.com", name=f"Zoé {n}", identity=one.identity, values=one.values)
        for n, one in enumerate(rows)
    ]
    batches: list[tuple[Any, Any]] = [(mail, mails), (sms, rows), (push, rows)]
    for program, batch in batches:
        results = program.render_many(batch)
        assert [isinstance(result, RenderError) for result in results] == [False] * 94 + [True] * 6
        assert grown(lambda program=program, batch=batch: program.render_many(batch), 1000) < GROWTH


def test_many_renderings_do_not_grow_the_process() -> None:
    program = compile(SOURCE, links=True, signer=SIGNER, escape="html")
    identity = Identity(1, 1, 1)
    assert grown(lambda: program.render_bytes(VALUES, identity=identity), 100_000) < GROWTH


def test_every_tag_gives_its_memory_back() -> None:
    values = {"list": VALUES["list"][2:4]}
    for program in (compile(TAGS, partials=PARTIALS, escape="html"), compile(NOTES, partials=PARTIALS)):
        assert grown(lambda program=program: program.render_bytes(values), 60_000) < GROWTH
    failing = compile(NOTES + TAGS + "{{ 1 | divided_by: 0 }}", partials=PARTIALS)
    for steps in range(1, 90):  # wherever it ends
        limited = compile(NOTES + TAGS, partials=PARTIALS, limits=Limits(steps=steps))
        with pytest.raises(RenderError):
            limited.render(values)
        with pytest.raises(RenderError):
            failing.render(values)


def test_failing_renderings_do_not_grow_the_process() -> None:
    program = compile(SOURCE + "{{ 1 | divided_by: last.zero }}", links=True, limits=Limits(steps=500))

    def fail() -> None:
        with pytest.raises(RenderError):
            program.render(VALUES)

    assert grown(fail, 20_000) < GROWTH


def test_many_messages_and_compilations_do_not_grow_the_process() -> None:
    source = EmailSource(
        subject="Hé {{ list.first.name }}",
        html=SOURCE,
        text=SOURCE,
        from_address="a@example.com",
        message_id_domain="example.com",
        date=DATE,
        seed="s",
    )
    program = source.compile(SIGNER)
    good = EmailRow(address="b@example.com", identity=Identity(1, 1, 1), values=VALUES)
    bad = EmailRow(address="b", identity=Identity(1, 1, 1), values=VALUES)
    assert grown(lambda: program.render_many([good, bad]), 20_000) < GROWTH
    assert grown(lambda: source.compile(SIGNER).resolve_link(VALUES, 1, 7), 300) < GROWTH


def test_every_reference_is_given_back() -> None:
    program = compile(SOURCE + TAGS, links=True, partials=PARTIALS)
    marker = object()
    value = {"name": "x", "marker": marker, "n": 10**30}
    values = {"list": [value], "marker": marker}
    before = (sys.getrefcount(marker), sys.getrefcount(value), sys.getrefcount(value["n"]), sys.getrefcount(values))
    for _ in range(100):
        program.render(values)
        program.resolve_link(values, 1)
        for source in ("{{ marker }}", "{{ list.first.marker | upcase }}", "{% for x in list %}{{ x.marker }}{% endfor %}"):
            with pytest.raises(RenderError):
                compile(source).render(values)
    gc.collect()
    after = (sys.getrefcount(marker), sys.getrefcount(value), sys.getrefcount(value["n"]), sys.getrefcount(values))
    assert after == before


FAULTS = """
import resource, sys
from render_ext import compile, retain_memory
print(retain_memory(64 << 20))
program = compile("x" * 30_000 + "{{ a }}")
rows = [{"a": "b"}] * 200
program.render_many(rows)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    program.render_many(rows)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator can be told")
def test_retained_memory_is_used_again() -> None:
    """Twenty batches of 6 MB: without it each page of them would be a fault, 29,000 in all."""
    result = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    done, faults = result.stdout.split()
    assert done == "True"
    assert int(faults) < 3_000
