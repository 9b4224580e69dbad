"""Suppression lists and what stands in them."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.contract import AddressKind
from core.access import Actor, Permission
from core.audit import list_entries as list_audit
from core.db import Connection, Pool, transaction
from core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from core.paging import PageRequest
from core.profiles import quarantine, suppression, suppression_entries
from core.profiles.suppression_forms import domains_of, hashes, read_entry, written
from core.profiles.suppression_records import (
    EntryForm,
    EntryOutcome,
    EntryResult,
    SuppressionDraft,
    SuppressionKind,
    SuppressionList,
    SuppressionListDraft,
    SuppressionScope,
)
from core.secrets import new_key_text, parse_keyring

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEYRING = parse_keyring(new_key_text(1))
ANN = "ann@mail.example"
SHA = hashlib.sha256(ANN.encode()).hexdigest()
MD5 = hashlib.md5(ANN.encode()).hexdigest()


async def new_list(
    conn: Connection, actor: Actor, kind: SuppressionKind = SuppressionKind.EMAIL, name: str = "partners"
) -> SuppressionList:
    """An empty list."""
    return await suppression.create_list(conn, actor, SuppressionListDraft(name=name, label="Partners", kind=kind))


async def add(conn: Connection, actor: Actor, list_id: int, *values: str | SuppressionDraft) -> list[EntryResult]:
    """Entries by hand."""
    drafts = [one if isinstance(one, SuppressionDraft) else SuppressionDraft(value=one) for one in values]
    return await suppression_entries.add_entries(conn, actor, KEYRING, list_id, drafts, now=NOW, region="FR")


async def remove(conn: Connection, actor: Actor, list_id: int, *values: str) -> list[EntryResult]:
    """Entries by hand."""
    drafts = [SuppressionDraft(value=one) for one in values]
    return await suppression_entries.remove_entries(conn, actor, KEYRING, list_id, drafts, region="FR")


async def values_of(conn: Connection, list_id: int) -> list[tuple[EntryForm, str]]:
    """What stands in a list."""
    return [(one.form, one.value) for one in await suppression_entries.list_entries(conn, list_id, None, 100)]


def outcomes(results: list[EntryResult]) -> list[str]:
    """In the order of the rows, refusals by their codes."""
    return [one.error.code if one.error else one.outcome.value for one in results]


@pytest.mark.parametrize(
    ("kind", "text", "form", "value"),
    [
        (SuppressionKind.EMAIL, " Ann@Mail.Example ", EntryForm.PLAIN, ANN),
        (SuppressionKind.EMAIL, "Jo@Bücher.example", EntryForm.PLAIN, "jo@xn--bcher-kva.example"),
        (SuppressionKind.EMAIL, SHA.upper(), EntryForm.SHA256, SHA),
        (SuppressionKind.EMAIL, f" {MD5}", EntryForm.MD5, MD5),
        (SuppressionKind.MOBILE, "06 12 34 56 78", EntryForm.PLAIN, "+33612345678"),
        (SuppressionKind.FAX, MD5, EntryForm.MD5, MD5),
        (SuppressionKind.PUSH, SHA.upper(), EntryForm.PLAIN, SHA.upper()),  # as tokens of devices look
        (SuppressionKind.POSTAL, "12  Rue  de la Paix", EntryForm.PLAIN, "12 rue de la paix"),
        (SuppressionKind.EMAIL_DOMAIN, "Bad.Example", EntryForm.DOMAIN, "bad.example"),
        (SuppressionKind.EMAIL_DOMAIN, "@bad.example.", EntryForm.DOMAIN, "bad.example"),
        (SuppressionKind.EMAIL_DOMAIN, "*@bad.example", EntryForm.DOMAIN, "bad.example"),
        (SuppressionKind.EMAIL_DOMAIN, "*.Bücher.example", EntryForm.SUBDOMAINS, "xn--bcher-kva.example"),
        (SuppressionKind.EMAIL_DOMAIN, ".bad.example", EntryForm.SUBDOMAINS, "bad.example"),
    ],
)
def test_an_entry_is_read_from_any_spelling(kind: SuppressionKind, text: str, form: EntryForm, value: str) -> None:
    entry = read_entry(kind, text, None, "FR")
    assert entry == (form, value)
    assert read_entry(kind, written(*entry), None, "FR") == entry


@pytest.mark.parametrize(
    ("kind", "text", "form", "code"),
    [
        (SuppressionKind.EMAIL, "nobody", None, "BAD_EMAIL"),
        (SuppressionKind.EMAIL, SHA[:-1] + "g", None, "BAD_EMAIL"),
        (SuppressionKind.EMAIL, ANN, EntryForm.SHA256, "BAD_HASH"),
        (SuppressionKind.EMAIL, SHA, EntryForm.MD5, "BAD_HASH"),
        (SuppressionKind.EMAIL, "mail.example", EntryForm.DOMAIN, "WRONG_FORM"),
        (SuppressionKind.EMAIL, " *@mail.example", None, "WRONG_FORM"),
        (SuppressionKind.EMAIL, "@mail.example", EntryForm.PLAIN, "WRONG_FORM"),
        (SuppressionKind.EMAIL, "*.mail.example", None, "WRONG_FORM"),
        (SuppressionKind.EMAIL, "mail.example ", None, "WRONG_FORM"),
        (SuppressionKind.EMAIL, "a b@mail.example", None, "BAD_EMAIL"),
        (SuppressionKind.EMAIL_DOMAIN, "*@", None, "BAD_DOMAIN"),
        (SuppressionKind.MOBILE, "12", None, "BAD_PHONE"),
        (SuppressionKind.OTHER, " ", None, "EMPTY_ADDRESS"),
        (SuppressionKind.OTHER, "a\0b", None, "BAD_ADDRESS"),
        (SuppressionKind.OTHER, "x" * 1001, None, "BAD_ADDRESS"),
        (SuppressionKind.EMAIL_DOMAIN, "localhost", None, "BAD_DOMAIN"),
        (SuppressionKind.EMAIL_DOMAIN, ANN, None, "BAD_DOMAIN"),
        (SuppressionKind.EMAIL_DOMAIN, "*", None, "BAD_DOMAIN"),
        (SuppressionKind.EMAIL_DOMAIN, "**.bad.example", None, "BAD_DOMAIN"),
        (SuppressionKind.EMAIL_DOMAIN, "bad.example", EntryForm.MD5, "WRONG_FORM"),
    ],
)
def test_what_is_no_entry_is_refused(kind: SuppressionKind, text: str, form: EntryForm | None, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_entry(kind, text, form, "FR", "entries.3.value")
    assert (caught.value.code, caught.value.path) == (code, "entries.3.value")


async def test_each_row_has_its_own_result(conn: Connection, actor: Actor) -> None:
    found = await new_list(conn, actor)
    noted = SuppressionDraft(value="bob@mail.example", comment="asked by letter", origin="case 7")
    assert outcomes(await add(conn, actor, found.id, ANN, noted)) == ["added", "added"]

    end = NOW + timedelta(days=1)
    results = await add(
        conn, actor, found.id,
        "ANN@mail.example", SuppressionDraft(value="bob@mail.example", comment="asked again"), "nobody", "cleo@mail.example",
        "Cleo@mail.example", SuppressionDraft(value="d@mail.example", expires_at=NOW),
        SuppressionDraft(value="e@mail.example", expires_at=datetime(2030, 1, 1)), SuppressionDraft(value=SHA, expires_at=end),
        SuppressionDraft(value="f@mail.example", comment="a\nb"), SuppressionDraft(value="g@mail.example", origin="x" * 501),
        SuppressionDraft(value="h@mail.example", expires_at=datetime(9999, 12, 31, tzinfo=UTC)),
    )  # fmt: skip

    assert outcomes(results) == [
        "unchanged", "changed", "BAD_EMAIL", "repeated", "added", "BAD_DATE", "BAD_DATE", "added", "BAD_TEXT", "BAD_TEXT",
        "BAD_DATE",
    ]  # fmt: skip
    assert results[2].error is not None
    assert results[2].error.path == "entries.2.value"
    stored = await suppression_entries.list_entries(conn, found.id, None, 100)
    assert [(one.value, one.comment, one.origin, one.expires_at) for one in stored] == [
        (ANN, "", "", None), ("bob@mail.example", "asked again", "", None), ("cleo@mail.example", "", "", None),
        (SHA, "", "", end),
    ]  # fmt: skip
    first = await suppression_entries.list_entries(conn, found.id, None, 2)
    rest = await suppression_entries.list_entries(conn, found.id, (first[-1].form, first[-1].value), 100)
    assert [*first, *rest] == stored
    assert await suppression.count_entries(conn, [found.id]) == {found.id: 4}


async def test_taking_an_address_out_takes_its_hashes_with_it(conn: Connection, actor: Actor) -> None:
    found = await new_list(conn, actor)
    await add(conn, actor, found.id, ANN, SHA, MD5, "bob@mail.example")

    results = await remove(conn, actor, found.id, "ANN@mail.example", "never@seen.example", "nobody", "Ann@mail.example")

    assert outcomes(results) == ["repeated", "absent", "BAD_EMAIL", "removed"]
    assert await values_of(conn, found.id) == [(EntryForm.PLAIN, "bob@mail.example")]


async def test_who_put_an_address_in_or_took_it_out_is_in_the_audit_without_the_address(conn: Connection, actor: Actor) -> None:
    found = await new_list(conn, actor)
    await add(conn, actor, found.id, ANN, "bob@mail.example")
    await remove(conn, actor, found.id, ANN)

    references = quarantine.audit_references(KEYRING, AddressKind.EMAIL, "ANN@mail.example")
    told = await list_audit(conn, object_type="suppression", object_ids=references, before_id=None, limit=9)
    assert [(one.action, one.changes) for one in told] == [
        ("suppression.remove", {"list": "partners"}),
        ("suppression.add", {"list": "partners"}),
    ]
    assert "mail.example" not in str(await list_audit(conn, object_type=None, object_ids=None, before_id=None, limit=9))


async def test_lists_are_made_changed_and_deleted(conn: Connection, actor: Actor) -> None:
    found = await new_list(conn, actor)
    with pytest.raises(Conflict):
        await new_list(conn, actor)
    changed = await suppression.update_list(conn, actor, found.id, {"scope": SuppressionScope.NAMED, "label": "Ours"})
    assert (changed.scope, changed.label, changed.version) == (SuppressionScope.NAMED, "Ours", 2)
    assert await suppression.update_list(conn, actor, found.id, {"label": "Ours"}) == changed
    for changes, error in (
        ({"kind": SuppressionKind.PHONE}, Invalid), ({"label": ""}, Invalid), ({"name": "A b"}, Invalid), ({"age": 3}, Invalid),
    ):  # fmt: skip
        with pytest.raises(error):
            await suppression.update_list(conn, actor, found.id, changes)
    with pytest.raises(Stale):
        await suppression.update_list(conn, actor, found.id, {"label": "x"}, expected_version=1)
    other = await new_list(conn, actor, name="other")
    with pytest.raises(Conflict):
        await suppression.update_list(conn, actor, other.id, {"name": "partners"})

    await add(conn, actor, found.id, ANN)
    await suppression.delete_list(conn, actor, found.id)

    assert [one.id for one in (await suppression.list_lists(conn, PageRequest(first=5))).rows] == [other.id]
    with pytest.raises(NotFound):
        await suppression.get_list(conn, found.id)
    with pytest.raises(NotFound):
        await add(conn, actor, found.id, ANN)


async def test_only_administrators_change_lists(conn: Connection, actor: Actor) -> None:
    editor = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT, Permission.IMPORT}))
    found = await new_list(conn, actor)
    for attempt in (
        new_list(conn, editor, name="x"),
        add(conn, editor, found.id, ANN),
        remove(conn, editor, found.id, ANN),
        suppression.update_list(conn, editor, found.id, {"label": "x"}),
        suppression.delete_list(conn, editor, found.id),
    ):
        with pytest.raises(Forbidden):
            await attempt
    for values in ([], ["x"] * 1001):
        with pytest.raises(Invalid) as caught:
            await add(conn, actor, found.id, *values)
        assert caught.value.path == "entries"


async def test_an_erased_person_leaves_every_list_also_as_a_hash(conn: Connection, actor: Actor) -> None:
    found, other = await new_list(conn, actor), await new_list(conn, actor, name="other")
    noted = SuppressionDraft(value=ANN, comment="Ann wrote to us", origin="letter of Ann")
    await add(conn, actor, found.id, noted, "bob@mail.example")
    await add(conn, actor, other.id, ANN, SuppressionDraft(value=SHA, expires_at=NOW + timedelta(days=1)))

    await add(conn, actor, other.id, SuppressionDraft(value=hashlib.md5(ANN.encode()).hexdigest()))
    assert await suppression.forget_addresses(conn, AddressKind.MOBILE, [ANN]) == 0
    assert await suppression.forget_addresses(conn, AddressKind.EMAIL, []) == 0

    assert await suppression.forget_addresses(conn, AddressKind.EMAIL, [ANN]) == 4
    assert await suppression.forget_addresses(conn, AddressKind.EMAIL, [ANN]) == 0

    assert await values_of(conn, found.id) == [(EntryForm.PLAIN, "bob@mail.example")]
    assert await suppression.find_matches(conn, AddressKind.EMAIL, "Ann@mail.example", now=NOW) == []


async def test_entries_whose_end_has_come_are_dropped(conn: Connection, actor: Actor) -> None:
    found = await new_list(conn, actor)
    end = NOW + timedelta(days=1)
    await add(conn, actor, found.id, SuppressionDraft(value=ANN, expires_at=end), "bob@mail.example")

    assert await suppression_entries.expire(conn, end - timedelta(seconds=1)) == 0
    assert await suppression.find_matches(conn, AddressKind.EMAIL, ANN, now=end) == []
    assert await suppression_entries.expire(conn, end) == 1
    assert await values_of(conn, found.id) == [(EntryForm.PLAIN, "bob@mail.example")]


async def test_writers_in_opposite_order_do_not_wait_in_a_circle(pool: Pool, actor: Actor) -> None:
    async with transaction(pool) as conn:
        found = await new_list(conn, actor)
    values = [f"p{n}@mail.example" for n in range(200)]

    async def write(order: list[str], comment: str) -> None:
        for turn in range(4):
            async with transaction(pool) as conn:
                drafts = [SuppressionDraft(value=one, comment=f"{comment} {turn}") for one in order]
                await add(conn, actor, found.id, *drafts)
            async with transaction(pool) as conn:
                await remove(conn, actor, found.id, *order[::3])

    await asyncio.gather(write(values, "a"), write(values[::-1], "b"), write(values[1::2] + values[::2], "c"))

    async with transaction(pool) as conn:
        results = await add(conn, actor, found.id, *values)
        assert {one.outcome for one in results} <= {EntryOutcome.ADDED, EntryOutcome.CHANGED}
        assert await suppression.count_entries(conn, [found.id]) == {found.id: 200}


LABELS = st.sampled_from(["a", "b", "xn--a-0ga", "wide"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example"]))
ADDRESSES = st.builds("{}@{}".format, st.sampled_from(["ann", "bob", "jos\u00e9"]), DOMAINS)


@given(st.lists(ADDRESSES, max_size=4), st.lists(DOMAINS, max_size=3), st.lists(DOMAINS, max_size=3), ADDRESSES, st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_suppresses_an_address_by_definition(
    plain: list[str], exact: list[str], wide: list[str], address: str, data: st.DataObject
) -> None:
    """The forms asked for are those of the definition: the address, its hashes, its domain, all domains it lies in."""
    domain = address.partition("@")[2]
    slowly = address in plain or domain in exact or any(domain == one or domain.endswith(f".{one}") for one in wide)
    entries = {(EntryForm.DOMAIN, one) for one in exact} | {(EntryForm.SUBDOMAINS, one) for one in wide}
    entries |= {data.draw(st.sampled_from([(EntryForm.PLAIN, one), *hashes(one)])) for one in plain}
    asked = {(EntryForm.PLAIN, address), *hashes(address), *domains_of(address)}
    assert bool(asked & entries) is slowly
