"""Two profiles that are one person become one, and two again; whoever is asked for by an old id is found."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.consent import opt_outs as consent
from core.consent.ledger import find_differences
from core.consent.ledger import list_entries as list_consent
from core.db import Connection, Pool, transaction
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.paging import PageRequest
from core.profiles import merging, profiles, search
from core.profiles.errors import FieldsInvalid
from core.profiles.merge_records import FieldRule, Merge, MergePlan, MergeRule, Undone
from core.profiles.records import Channel, Profile
from tests.core.profiles.possessions import NOW as ENTERED
from tests.core.profiles.possessions import OF_A_PERSON, give_everything, publish_model
from tests.core.targeting.kept import settle

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


async def create(conn: Connection, *, now: datetime = NOW, **values: Any) -> Profile:
    """A profile with these values."""
    return await profiles.create_profile(conn, SYSTEM, values, now=now, default_country="FR")


async def update(conn: Connection, profile: Profile, **changes: Any) -> Profile:
    """The changed profile."""
    return await profiles.update_profile(conn, SYSTEM, profile.id, changes, now=LATER + timedelta(hours=1))


def plan(
    survivor: Profile, *others: Profile, default: MergeRule = MergeRule.FIRST, rules: tuple[FieldRule, ...] = ()
) -> MergePlan:
    """The others into the survivor."""
    return MergePlan(survivor_id=survivor.id, other_ids=tuple(one.id for one in others), default=default, rules=rules)


async def merge(conn: Connection, survivor: Profile, *others: Profile, **more: Any) -> Merge:
    """Done an hour later."""
    return await merging.merge_profiles(conn, SYSTEM, plan(survivor, *others, **more), now=LATER, default_country="FR")


async def undo(conn: Connection, done: Merge) -> Undone:
    """Done two hours later."""
    return await merging.undo_merge(conn, SYSTEM, done.id, now=LATER + timedelta(hours=2))


async def rows(conn: Connection) -> list[dict[str, Any]]:
    """All profiles, with every column."""
    return [dict(row) for row in await conn.fetch("SELECT * FROM profile ORDER BY id")]


async def test_the_survivor_stands_for_the_others_and_answers_for_them(conn: Connection) -> None:
    ann = await create(conn, email="ann@mail.example", first_name="Ann", external_id="A")
    anna = await create(conn, email="anna@post.example", first_name="Anna", last_name="Lee", external_id="B", crypted_id="cb")

    done = await merge(conn, ann, anna)

    one = await profiles.get_profile(conn, anna.id)
    assert (one.id, one.first_name, one.last_name, one.email) == (ann.id, "Ann", "Lee", "ann@mail.example")
    assert (one.external_id, one.crypted_id) == ("A", "cb")
    assert one.updated_at == LATER
    assert (done.survivor_id, done.merged_ids, done.undone_at) == (ann.id, (anna.id,), None)
    assert await profiles.find_profile_by(conn, "external_id", "B") == one
    assert await profiles.get_profiles(conn, [ann.id, anna.id]) == {ann.id: one, anna.id: one}
    assert await merging.get_aliases(conn, [ann.id, anna.id]) == {ann.id: [anna.id]}
    # and is one among all
    assert [one.id for one in (await profiles.list_profiles(conn, PageRequest(first=9))).rows] == [ann.id]
    assert await profiles.count_profiles(conn) == 1
    found = await search.search_profiles(conn, "lee", first=9, region="FR")
    by_old_email = await search.search_profiles(conn, "anna@post.example", first=9, region="FR")
    assert [one.id for one in found.rows] == [one.id for one in by_old_email.rows] == [ann.id]


async def test_a_change_of_one_that_is_merged_is_one_of_the_survivor_and_it_is_not_deleted_alone(conn: Connection) -> None:
    ann, anna = await create(conn, first_name="Ann"), await create(conn, first_name="Anna")
    await merge(conn, ann, anna)

    changed = await update(conn, anna, city="Paris")

    assert (changed.id, changed.city) == (ann.id, "Paris")
    with pytest.raises(Conflict) as caught:
        await profiles.delete_profile(conn, SYSTEM, anna.id)
    assert caught.value.code == "PROFILE_MERGED"
    await profiles.delete_profile(conn, SYSTEM, ann.id)
    assert await rows(conn) == []
    assert await conn.fetchval("SELECT count(*) FROM profile_merge") == 0
    assert await conn.fetchval("SELECT count(*) FROM profile_alias") == 0


@pytest.mark.parametrize(
    ("default", "rules", "city", "name"),
    [
        (MergeRule.FIRST, (), "Lyon", "Ann"),
        (MergeRule.SURVIVOR, (), None, "Ann"),
        (MergeRule.NEWEST, (), "Paris", "Bea"),
        (MergeRule.FIRST, (FieldRule(field="city", rule=MergeRule.VALUE, value=" Nice "),), "Nice", "Ann"),
        (MergeRule.SURVIVOR, (FieldRule(field="city", rule=MergeRule.NEWEST),), "Paris", "Ann"),
        (MergeRule.NEWEST, (FieldRule(field="first_name", rule=MergeRule.OTHER, profile_id=2),), "Paris", "Liz"),
        (MergeRule.FIRST, (FieldRule(field="first_name", rule=MergeRule.VALUE, value=None),), "Lyon", None),
    ],
)
async def test_a_rule_says_whose_value_stays(
    conn: Connection, default: MergeRule, rules: tuple[FieldRule, ...], city: str | None, name: str | None
) -> None:
    ann = await create(conn, first_name="Ann")
    liz = await create(conn, first_name="Liz", city="Lyon", address_line1="1 rue", now=NOW - timedelta(days=1))
    bea = await create(conn, first_name="Bea", city="Paris", zip_code="75001", now=NOW + timedelta(minutes=1))
    rules = tuple(
        FieldRule(field=one.field, rule=one.rule, value=one.value, profile_id=None if one.profile_id is None else liz.id)
        for one in rules
    )

    preview = await merging.preview_merge(conn, plan(ann, liz, bea, default=default, rules=rules), now=LATER)
    assert await profiles.get_profile(conn, bea.id) == bea
    await merge(conn, ann, liz, bea, default=default, rules=rules)

    one = await profiles.get_profile(conn, ann.id)
    assert (one.city, one.first_name) == (city, name)
    assert {field.field: field.value for field in preview.fields}["city"] == city
    # an address is that of one person
    if not rules:
        assert (one.address_line1, one.zip_code) in ((None, None), ("1 rue", None), (None, "75001"))


async def test_a_preview_tells_conflicts_and_whose_value_it_is(conn: Connection) -> None:
    ann = await create(conn, first_name="Ann", gender="female", opt_out_email=False)
    bea = await create(conn, first_name="Bea", last_name="Lee", gender="female", opt_out_email=True)
    cat = await create(conn)
    await merge(conn, bea, cat)

    preview = await merging.preview_merge(conn, plan(ann, bea), now=LATER)

    fields = {one.field: one for one in preview.fields}
    assert set(fields) == {"first_name", "last_name", "gender", "opt_out_email"}
    assert (fields["first_name"].is_conflict, fields["first_name"].changed, fields["first_name"].profile_id) == (
        True,
        False,
        ann.id,
    )
    assert (fields["last_name"].is_conflict, fields["last_name"].changed, fields["last_name"].profile_id) == (
        False,
        True,
        bea.id,
    )
    assert (fields["gender"].is_conflict, fields["gender"].value) == (False, 2)
    assert (fields["opt_out_email"].value, fields["opt_out_email"].changed) == (True, True)
    assert preview.brought_ids == (cat.id,)
    assert preview.ids == (ann.id, bea.id, cat.id)


async def test_a_refusal_of_any_of_them_stays_and_no_rule_lifts_it(conn: Connection) -> None:
    ann, bea = await create(conn, opt_out_mobile=True), await create(conn, opt_out_email=True, ccpa_opt_out=True)
    for rule in MergeRule:
        with pytest.raises(Invalid) as caught:
            await merge(conn, ann, bea, rules=(FieldRule(field="opt_out_email", rule=rule, value=False),))
        assert caught.value.code == "RULE_NOT_ALLOWED"

    await merge(conn, ann, bea, default=MergeRule.SURVIVOR)

    one = await profiles.get_profile(conn, ann.id)
    assert (one.opt_out_mobile, one.opt_out_email, one.opt_out, one.ccpa_opt_out) == (True, True, False, True)


async def test_a_unique_value_moves_to_the_survivor_and_back(conn: Connection) -> None:
    ann, bea = await create(conn, external_id="A"), await create(conn, external_id="B")
    before = await rows(conn)
    done = await merge(conn, ann, bea, rules=(FieldRule(field="external_id", rule=MergeRule.OTHER),))
    assert [row["external_id"] for row in await rows(conn)] == ["B", None]

    undone = await undo(conn, done)

    assert await rows(conn) == before
    assert (undone.kept, undone.lost) == ((), ())


async def test_a_unique_value_that_somebody_else_has_by_now_is_lost(conn: Connection) -> None:
    ann, bea = await create(conn, external_id="A"), await create(conn, external_id="B")
    done = await merge(conn, ann, bea, rules=(FieldRule(field="external_id", rule=MergeRule.OTHER),))
    cat = await create(conn, external_id="A")  # which nobody had

    undone = await undo(conn, done)

    assert undone.lost == ((ann.id, "external_id"),)
    assert [row["external_id"] for row in await rows(conn)] == [None, "B", "A"]
    assert (await profiles.get_profile(conn, cat.id)) == cat


async def test_undoing_keeps_what_was_changed_since(conn: Connection) -> None:
    ann, bea = await create(conn, first_name="Ann"), await create(conn, last_name="Lee", city="Lyon", email="bea@mail.example")
    done = await merge(conn, ann, bea)
    await update(conn, ann, city="Paris", salutation="Dr")

    undone = await undo(conn, done)

    one, other = await profiles.get_profile(conn, ann.id), await profiles.get_profile(conn, bea.id)
    assert undone.kept == ("city",)
    assert (one.first_name, one.last_name, one.email, one.city, one.salutation) == ("Ann", None, None, "Paris", "Dr")
    assert other == bea
    assert one.updated_at == LATER + timedelta(hours=2)


async def test_a_merge_is_undone_once_and_the_last_one_first(conn: Connection) -> None:
    ann, bea, cat, dan = [await create(conn, first_name=name) for name in ("Ann", "Bea", "Cat", "Dan")]
    before = await rows(conn)
    first = await merge(conn, bea, ann)
    second = await merge(conn, bea, cat)
    third = await merge(conn, dan, bea)  # a chain
    assert {row["merged_into"] for row in await rows(conn)} == {dan.id, None}
    assert (await profiles.get_profile(conn, ann.id)).id == dan.id

    for early in (first, second):
        with pytest.raises(Conflict) as caught:
            await undo(conn, early)
        assert caught.value.code == "LATER_MERGE"
    for done in (third, second, first):
        await undo(conn, done)

    assert await rows(conn) == before
    with pytest.raises(Conflict) as caught:
        await undo(conn, first)
    assert caught.value.code == "ALREADY_UNDONE"
    assert await conn.fetchval("SELECT count(*) FROM profile_merge WHERE before <> '{}' OR after <> '{}'") == 0


async def test_a_merged_profile_is_merged_no_second_time(conn: Connection) -> None:
    ann, bea, cat = [await create(conn) for _ in range(3)]
    await merge(conn, ann, bea)

    for survivor, other in ((cat, bea), (bea, cat), (bea, ann), (ann, bea)):
        with pytest.raises(Conflict) as caught:
            await merge(conn, survivor, other)
        assert caught.value.code == "ALREADY_MERGED"


async def test_an_opt_out_by_an_old_link_is_the_survivors_and_outlives_the_merge(conn: Connection) -> None:
    ann, bea, cat = await create(conn), await create(conn, opt_out_email=True), await create(conn)
    done = await merge(conn, ann, bea, cat)

    # the survivor has the flag already, by the merge: said again it is the person's own
    assert await consent.opt_out(conn, SYSTEM, [bea.id], Channel.EMAIL, now=LATER) == [cat.id]
    assert await consent.opt_out(conn, SYSTEM, [cat.id], Channel.MOBILE, now=LATER) == [ann.id, bea.id, cat.id]
    undone = await undo(conn, done)

    assert undone.kept == ("opt_out_email",)
    assert [(row["opt_out_email"], row["opt_out_mobile"]) for row in await rows(conn)] == [(True, True)] * 3


async def test_the_ledger_of_consent_tells_who_merged_and_who_separated(conn: Connection) -> None:
    ann, bea = await create(conn), await create(conn, opt_out_email=True, opt_out_push=True)
    mia = replace(SYSTEM, name="mia")
    done = await merging.merge_profiles(conn, mia, plan(ann, bea), now=LATER)
    await consent.opt_out(conn, SYSTEM, [bea.id], Channel.PUSH, now=LATER)
    assert await find_differences(conn) == []

    await merging.undo_merge(conn, replace(SYSTEM, name="tom"), done.id, now=LATER + timedelta(hours=2))

    entries = (await list_consent(conn, ann.id, PageRequest(first=9))).rows
    assert {(one.channel, one.decision.value, one.actor, one.origin) for one in entries if one.actor != SYSTEM.name} == {
        (Channel.EMAIL, "withdrawn", "mia", f"merge:{done.id}"),
        (Channel.PUSH, "withdrawn", "mia", f"merge:{done.id}"),
        (Channel.EMAIL, "granted", "tom", f"undone merge:{done.id}"),  # the other was refused again meanwhile
    }
    assert await find_differences(conn) == []
    assert [(row["opt_out_email"], row["opt_out_push"]) for row in await rows(conn)] == [(False, True), (True, True)]


async def test_what_is_wrong_with_a_plan_is_told(conn: Connection) -> None:
    ann, bea, cat = [await create(conn) for _ in range(3)]
    gone = await create(conn)
    await profiles.delete_profile(conn, SYSTEM, gone.id)
    wrong: list[tuple[MergePlan, str, str | None]] = [
        (plan(ann), "NOBODY_ELSE", "merged_ids"),
        (plan(ann, ann), "NOBODY_ELSE", "merged_ids"),
        (plan(ann, bea, bea), "NOBODY_ELSE", "merged_ids"),
        (plan(ann, bea, cat, default=MergeRule.OTHER), "RULE_NOT_ALLOWED", "default_rule"),
        (plan(ann, bea, default=MergeRule.VALUE), "RULE_NOT_ALLOWED", "default_rule"),
        (plan(ann, bea, rules=(FieldRule(field="firstname", rule=MergeRule.FIRST),)), "UNKNOWN_FIELD", "rules.0"),
        (plan(ann, bea, rules=(FieldRule(field="id", rule=MergeRule.FIRST),)), "UNKNOWN_FIELD", "rules.0"),
        (plan(ann, bea, rules=(FieldRule(field="city", rule=MergeRule.FIRST),) * 2), "DUPLICATE_RULE", "rules.1"),
        (plan(ann, bea, cat, rules=(FieldRule(field="city", rule=MergeRule.OTHER),)), "NO_OTHER", "rules.0"),
        (plan(ann, bea, rules=(FieldRule(field="city", rule=MergeRule.VALUE),)), "NO_VALUE", "rules.0"),
        (plan(ann, bea, rules=(FieldRule(field="city", rule=MergeRule.OTHER, profile_id=cat.id),)), "NO_OTHER", "rules.0"),
    ]  # fmt: skip
    for bad, code, path in wrong:
        with pytest.raises(Invalid) as caught:
            await merging.merge_profiles(conn, SYSTEM, bad, now=LATER)
        assert (caught.value.code, caught.value.path) == (code, path)
    for who, path in (((ann, bea, gone), "merged_ids.1"), ((gone, ann), "survivor_id")):
        with pytest.raises(NotFound) as missing:
            await merge(conn, *who)
        assert missing.value.path == path
    told = (("city", "Nice"), ("birth_date", "soon"), ("email", "nobody"))
    rules = tuple(FieldRule(field=name, rule=MergeRule.VALUE, value=value) for name, value in told)
    with pytest.raises(FieldsInvalid) as many:
        await merge(conn, ann, bea, rules=rules)
    assert [one.path for one in many.value.problems] == ["rules.1", "rules.2"]
    assert many.value.path == "rules.1"
    with pytest.raises(Forbidden):
        await merging.merge_profiles(
            conn, Actor(name="token:9", permissions=frozenset({Permission.READ})), plan(ann, bea), now=LATER
        )
    assert await conn.fetchval("SELECT count(*) FROM profile_merge") == 0


async def test_a_merge_is_audited_without_values(conn: Connection) -> None:
    ann, bea = await create(conn), await create(conn, first_name="Beatrix")
    done = await merge(conn, ann, bea)

    entries = await list_entries(conn, object_type="profile", object_ids=None, before_id=None, limit=2)

    assert {(one.action, one.object_id) for one in entries} == {
        ("profile.merge", str(ann.id)), ("profile.merged", str(bea.id)),
    }  # fmt: skip
    assert {"merge": done.id, "profiles": [bea.id], "fields": ["first_name"]} in [one.changes for one in entries]


async def test_merges_at_once_make_one_person_or_refuse(pool: Pool) -> None:
    async with transaction(pool) as conn:
        ann, bea, cat = [await create(conn) for _ in range(3)]

    async def attempt(survivor: Profile, other: Profile) -> str:
        try:
            async with transaction(pool) as conn:
                await merge(conn, survivor, other)
        except Conflict as error:
            return error.code
        return "done"

    outcomes = await asyncio.gather(
        *(attempt(*pair) for pair in ((ann, bea), (bea, ann), (bea, cat), (cat, ann), (cat, bea), (ann, cat)))
    )

    async with transaction(pool) as conn:
        whole = [row["merged_into"] for row in await rows(conn)]
    assert outcomes.count("done") == 2
    assert whole.count(None) == 1
    assert len(set(whole)) == 2  # nobody stands under somebody who stands under another


async def everything(conn: Connection) -> dict[str, list[str]]:
    """All rows of all tables but those that tell of the merge, and those that are only ever added to: the ledger of consent,
    and who entered and left an audience. Who comes back enters anew: at the same time, for that clock stands."""
    await settle(conn, ENTERED)
    tables = await conn.fetch(
        """
        SELECT relname AS name FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
           AND relname NOT IN (
               'audit_entry', 'consent_entry', 'profile_merge', 'profile_alias', 'membership_change', 'membership_log'
           )
        """
    )
    names = [row["name"] for row in tables]
    return {name: [row[0] for row in await conn.fetch(f"SELECT t::text FROM {name} t ORDER BY 1")] for name in names}


VALUES: dict[str, list[Any]] = {
    "email": [None, "a@mail.example", "B@mail.example", "c@post.example"],
    "first_name": [None, "Ann", "Bea"],
    "city": [None, "Paris", "Lyon"],
    "address_line1": [None, "1 rue"],
    "gender": [None, "male", "female"],
    "birth_date": [None, "1984-12-31"],
    "latitude": [None, 48.853410000000004],
    "opt_out_email": [False, True],
    "opt_out": [False, True],
    "mobile_phone": [None, "+33612345678"],
}
TEAM: dict[str, list[Any]] = {
    "tier": [None, "gold", "silver"],
    "spent": [None, "100.50", "12345678901234567890.10"],
    "seen": [None, "2026-02-28T23:59:59.999999Z"],
    "extra": [None, {"b": [1, 2.50], "a": None}, "a text"],
    "place": [None, {"longitude": 2.35, "latitude": 48.85}],
}


@pytest.mark.parametrize("seed", range(12))
async def test_merging_and_undoing_leaves_everything_as_it_was(conn: Connection, seed: int) -> None:
    chance = random.Random(seed)
    await publish_model(conn)
    made = []
    for n in range(5):
        values = {name: chance.choice(some) for name, some in VALUES.items()}
        team = {name: chance.choice(some) for name, some in TEAM.items()}
        keys = {"external_id": chance.choice([None, f"X{n}"]), "crypted_id": chance.choice([None, f"Y{n}"])}
        now = NOW + timedelta(minutes=chance.randint(0, 9))
        made.append(await profiles.create_profile(conn, SYSTEM, values | keys, team, now=now, default_country="FR"))
    await give_everything(conn, [one.id for one in made])
    for table in OF_A_PERSON:
        assert await conn.fetchval(f"SELECT count(*) FROM {table}") >= 5, table
    before = [await everything(conn)]
    done = []
    living = list(made)
    for _ in range(chance.randint(1, 3)):
        people = chance.sample(living, chance.randint(2, min(3, len(living)))) if len(living) > 1 else []
        if not people:
            break
        rules = tuple(
            FieldRule(field=name, rule=rule, profile_id=people[1].id if rule is MergeRule.OTHER else None)
            for name in ("external_id", "crypted_id", "city", "email", "spent", "extra", "favourite")
            if (rule := chance.choice([None, MergeRule.OTHER, MergeRule.NEWEST, MergeRule.SURVIVOR]))
        )
        default = chance.choice([MergeRule.FIRST, MergeRule.NEWEST, MergeRule.SURVIVOR])
        done.append(await merge(conn, people[0], *people[1:], default=default, rules=rules))
        living = [one for one in living if one not in people[1:]]
        before.append(await everything(conn))
        assert await find_differences(conn) == []

    while done:
        assert await everything(conn) == before.pop()
        undone = await undo(conn, done.pop())
        assert (undone.kept, undone.lost) == ((), ())
        assert await find_differences(conn) == []
    assert await everything(conn) == before.pop()


@pytest.mark.parametrize("seed", range(8))
async def test_undoing_after_changes_keeps_just_the_changes(conn: Connection, seed: int) -> None:
    chance = random.Random(100 + seed)
    ann, bea = [await create(conn, **{name: chance.choice(some) for name, some in VALUES.items()}) for _ in range(2)]
    done = await merge(conn, ann, bea, default=chance.choice([MergeRule.FIRST, MergeRule.NEWEST]))
    whole = await profiles.get_profile(conn, ann.id)
    changes = {name: chance.choice(VALUES[name]) for name in chance.sample([*VALUES], 4)}
    changed = await update(conn, ann, **changes)

    undone = await undo(conn, done)

    apart = await profiles.get_profile(conn, ann.id)
    assert await profiles.get_profile(conn, bea.id) == bea
    for name in VALUES:
        edited = getattr(changed, name) != getattr(whole, name)
        assert getattr(apart, name) == getattr(changed if edited else ann, name), name
        assert (name in undone.kept) == (edited and getattr(whole, name) != getattr(ann, name)), name
