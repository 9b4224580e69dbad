"""Somebody is known in every corner of the house, and after a request for it nowhere.

What names her is found everywhere before, so that the same search finding nothing afterwards says something.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import time
import zipfile
from datetime import UTC, datetime
from typing import Any

import asyncpg

from core.secrets import parse_keyring
from tests.flows.client import Client
from tests.flows.conftest import Place
from tests.flows.house import deadline_of
from tests.flows.journey import (
    create_account,
    create_audience,
    create_content,
    create_delivery,
    find_profile,
    fresh_name,
    import_ended,
    prepare,
    report_of,
    send,
    start_import,
    upload,
)
from tests.flows.post import read_letters
from tests.flows.scan import in_files, in_tables

MARK = "Zq7Marker"
EMAIL, SECOND = f"{MARK}.Ann@story.example", f"{MARK}.Old@story.example"
MARKERS = (MARK, "698765432")  # her phone, whatever its spelling begins with
PHONE = "+33698765432"
COLUMNS = "email,first_name,last_name,external_id,mobile_phone,address_line1,card\n"
SHE = f"{EMAIL},{MARK}First,{MARK}Last,{MARK}-77,{PHONE},12 {MARK} Street,{MARK}-card\n"
OTHERS = "".join(f"other{n}@story.example,Name{n},Family{n},O-{n},,,\n" for n in range(20))

# Everywhere she is expected before: what is missing here was not made, and proves nothing.
EXPECTED = {
    "profile.email", "profile.email_key", "profile.first_name", "profile.last_name", "profile.external_id",
    "profile.mobile_phone", "profile.address_line1", "profile.search_words", "profile.x_card", "profile_merge.after",
    "quarantine.address_key", "quarantine.error_text", "suppression_entry.value", "suppression_entry.comment",
    "consent_entry.proof", "consent_entry.origin", "subscription.origin", "subscription_event.origin", "ledger.address",
    "ledger.address_key", "ledger.values", "tracking_event.user_agent", "e_visit.x_note", "e_visit.key",
    "app_subscription.registration_token", "app_subscription.x_nickname",
    "visitor.external_id", "visitor.email", "visitor.origin", "visitor.referrer_email", "visitor.referrer_comment",
    "x_order.x_note", "x_review.x_words", "idempotency_key.response", "stored_file.name", "privacy_request.name",
    "privacy_request.label", "privacy_request.value", "audit_entry.changes", "audience_row.data", "audience_member.data",
    "audience_column.name", "audience_column.label", "import_run.header", "import_run.options", "audience_run.request",
}  # fmt: skip


async def do(client: Client, mutation: str, type_: str, payload: str, /, **sent: Any) -> dict[str, Any]:
    """A mutation of one input."""
    text = f"mutation ($input: {type_}!) {{ {mutation}(input: $input) {{ {payload} userErrors {{ code message path }} }} }}"
    return await client.do(text, input=sent)


async def shape_the_data(client: Client) -> None:
    """A field of profiles, orders that belong to a person, reviews that stay, and events."""
    field = "draft { version }"
    await do(client, "saveDataField", "SaveDataFieldInput", field, dataset="profile", name="card", label="Card", kind="TEXT",
             maxLength=50, personal=True)  # fmt: skip
    await do(client, "saveDataField", "SaveDataFieldInput", field, dataset="app_subscription", name="nickname",
             label="Nickname", kind="TEXT", maxLength=80, personal=True)  # fmt: skip
    for name, text, on_delete, personal in (("order", "note", "DELETE", False), ("review", "words", "CLEAR", True)):
        await do(client, "saveDataset", "SaveDatasetInput", field, name=name, label=name)
        await do(client, "saveDataField", "SaveDataFieldInput", field, dataset=name, name=text, label=text, kind="TEXT",
                 maxLength=80, personal=personal)  # fmt: skip
        made = await do(client, "saveLink", "SaveLinkInput", field, dataset=name, name="who", label="Who", target="profile",
                        reverseName=f"{name}s", reverseLabel=name, onDelete=on_delete)  # fmt: skip
    await client.do(
        "mutation ($v: Int!) { publishDataModel(draftVersion: $v) { userErrors { code message } } }", v=made["draft"]["version"]
    )
    note = {"name": "note", "label": "Note", "kind": "TEXT", "maxLength": 80}
    await do(client, "saveEventType", "SaveEventTypeInput", "eventType { name }", name="visit", label="Visit", fields=[note])


async def let_her_in(place: Place) -> str:
    """By files, of which some lines are refused; with a merge; her profile's id."""
    client = place.client
    first = (COLUMNS + OTHERS + SHE + f"no address {EMAIL},{MARK}First,,,,,\n").encode()
    imports = [await upload(client, first, fileName=f"{EMAIL}.csv")]
    imports.append(await upload(client, gzip.compress((COLUMNS + SHE).encode()), fileName="people.csv.gz"))
    imports.append(await upload(client, f"email,{EMAIL}\nother3@story.example,\n".encode(), options={
        "mapping": [{"header": "email", "field": "email"}, {"header": EMAIL, "field": None}]}))  # fmt: skip
    for import_id in imports:
        await start_import(client, import_id)
        ended = await import_ended(client, import_id)
        assert ended["state"] == "FINISHED", ended
    she: str = (await find_profile(client, EMAIL))["id"]
    old = await do(client, "createProfile", "CreateProfileInput", "profile { id }", email=SECOND, middleName=f"{MARK}Middle")
    await do(client, "mergeProfiles", "MergeInput", "merge { id }", survivorId=she, mergedIds=[old["profile"]["id"]])
    return she


async def know_her(place: Place, she: str, conn: asyncpg.Connection) -> None:
    """Events, consent, subscriptions, orders, lists, quarantine, suppression, an export, a stored answer."""
    client, now = place.client, datetime.now(UTC).isoformat()
    source = {"origin": f"{MARK}'s form", "proof": {"email": EMAIL}}
    await client.do(
        "mutation ($e: [RecordEventInput!]!) { recordEvents(events: $e) { rejected userErrors { code } } }",
        e=[{"type": "visit", "profile": {"id": she}, "occurredAt": now, "key": f"{MARK}-1", "payload": {"note": MARK}}],
    )
    made = await do(client, "createService", "CreateServiceInput", "service { id }", name=fresh_name("s"), label="News")
    await do(client, "subscribeProfiles", "SubscribeProfilesInput", "results { __typename }", serviceId=made["service"]["id"],
             profileIds=[she], source=source)  # fmt: skip
    made = await do(client, "createPurpose", "CreatePurposeInput", "purpose { id }", name=fresh_name("p"), label="Profiling")
    await do(client, "decidePurpose", "DecidePurposeInput", "results { __typename }", purposeId=made["purpose"]["id"],
             profileIds=[she], granted=True, source=source)  # fmt: skip
    await do(client, "createList", "CreateListInput", "audience { id }", name=fresh_name("l"), label="Few",
             whom={"profileIds": [she]})  # fmt: skip
    await conn.execute("INSERT INTO x_order (x_note, x_who_id) SELECT $2, id FROM profile WHERE external_id = $1",
                       f"{MARK}-77", f"{MARK} ordered")  # fmt: skip
    await conn.execute("INSERT INTO x_review (x_words, x_who_id) SELECT $2, id FROM profile WHERE external_id = $1",
                       f"{MARK}-77", f"{MARK} wrote")  # fmt: skip
    await client.do(
        "mutation ($s: [AppSubscriptionInput!]!) { saveAppSubscriptions(subscriptions: $s) { results { outcome }"
        " userErrors { code } } }",
        s=[
            {
                "app": "com.shop",
                "registrationToken": f"{MARK}-token",
                "platform": "IOS",
                "profile": {"id": she},
                "teamFields": {"nickname": f"{MARK} phones"},
            }
        ],
    )
    named = {"firstName": f"{MARK}First", "origin": f"{MARK} page"}
    await client.do(
        "mutation ($v: [VisitorInput!]!) { saveVisitors(visitors: $v) { results { outcome } userErrors { code } } }",
        v=[
            {"externalId": f"{MARK}-visit", "profile": {"id": she}, **named},
            {"externalId": f"{MARK}-before", "email": EMAIL, **named},
            {"externalId": "friend", "referrer": {"id": she}, "referrerFirstName": f"{MARK}First", "referrerEmail": EMAIL},
            {"externalId": "another", "referrerEmail": EMAIL, "referrerComment": f"{MARK} says so"},
        ],
    )
    await do(client, "quarantineAddresses", "QuarantineInput", "entries { __typename }",
             addressKind="PUSH", addresses=[f"{MARK}-token"])  # fmt: skip
    await do(client, "quarantineAddresses", "QuarantineInput", "entries { __typename }",
             addressKind="MOBILE", addresses=[PHONE], text=f"{MARK} does not answer")  # fmt: skip
    made = await do(client, "createSuppressionList", "CreateSuppressionListInput", "suppressionList { id }",
                    name=fresh_name("no"), label="No", kind="MOBILE", scope="ALL")  # fmt: skip
    await do(client, "addSuppressionEntries", "SuppressionEntriesInput", "results { outcome }",
             listId=made["suppressionList"]["id"], entries=[{"value": PHONE, "comment": f"{MARK} asked"}])  # fmt: skip
    made = await do(client, "createCampaign", "CreateCampaignInput", "campaign { id }", name=fresh_name("c"),
                    label=f"For {EMAIL}")  # fmt: skip
    await do(client, "updateCampaign", "UpdateCampaignInput", "campaign { id }", id=made["campaign"]["id"], label="For all")
    # Of the exports the second has no marker but her name, and the third none but what she ordered.
    for one in ({"fileName": "everybody.csv"}, {"columns": ["id", "last_name"]}, {"dimension": "order"}):
        made = await do(client, "createExport", "CreateExportInput", "export { id }", **one)
        await until(client, "export", made["export"]["id"], "state", "FINISHED")
    await client.http.post(
        f"{client.base_url}/graphql", headers={"authorization": f"Bearer {place.house.token}", "idempotency-key": "again-1"},
        json={"query": "mutation ($i: UpdateProfileInput!) { updateProfile(input: $i) { profile { email } } }",
              "variables": {"i": {"id": she, "city": "Paris"}}},
    )  # fmt: skip
    found = await client.ask("query ($id: ID!) { profile(id: $id) { firstName middleName lastName addressLine1 } }", id=she)
    *name, street = [found["profile"][one] for one in ("firstName", "middleName", "lastName", "addressLine1")]
    await do(client, "quarantineAddresses", "QuarantineInput", "entries { __typename }",
             addressKind="POSTAL", addresses=[f"{' '.join(filter(None, name))}\n{street}\nParis"])  # fmt: skip


async def put_her_on_lists(place: Place, account: str, content: str) -> None:
    """By files of audiences that find her, that do not, that others' rows quote her in, and one without a header; with an
    export of a list. And a trap that is completed with her values."""
    client = place.client
    files = {
        "found": f"mail,said\n{EMAIL},{MARK} said\nother1@story.example,as {EMAIL}\n",
        "unknown": f"mail,number\nnobody@story.example,0{PHONE[3:]}\n",
        "bare": f"{EMAIL},other2@story.example\n1,2\n",
    }
    for name, text in files.items():
        made = await do(client, "createFileAudience", "CreateFileAudienceInput", "audience { id } uploadUrl", name=name,
                        label=name, fileName=f"{name}.csv")  # fmt: skip
        assert (await client.put(made["uploadUrl"], text.encode())).status_code == 201
        by = [] if name == "bare" else [{"field": "email", "column": "mail"}]
        text = "run { id } userErrors { code message }"
        await client.do(
            f"mutation ($id: ID!, $by: [AudienceRowKeyInput!]) {{ loadAudienceFile(id: $id, reconcileBy: $by) {{ {text} }} }}",
            id=made["audience"]["id"], by=by,
        )  # fmt: skip
        await runs_ended(client, made["audience"]["id"], 2 if by else 1)
    columns = [{"name": "who", "label": "Who", "expression": {"text": "email"}}]
    made = await do(client, "startFreeze", "StartFreezeInput", "run { id }", name="frozen", label="Frozen",
                    columns=columns, of={"expression": {"text": f"email = '{EMAIL}'"}})  # fmt: skip
    await until(client, "audienceRun", made["run"]["id"], "state", "FINISHED")
    found = await client.ask("{ audiences(first: 50) { nodes { id name } } }")
    (known,) = [one["id"] for one in found["audiences"]["nodes"] if one["name"] == "found"]
    made = await client.do(
        "mutation ($id: ID!) { startAudienceExport(id: $id) { run { id } userErrors { code message } } }", id=known
    )
    await until(client, "audienceRun", made["run"]["id"], "state", "FINISHED")

    trap = await do(client, "createTestProfile", "CreateTestProfileInput", "testProfile { id }", label="Trap", uses=["TRAP"],
                    email="trap@story.example")  # fmt: skip
    alone = await create_audience(client, "not is_empty(mobile_phone)")
    delivery = await create_delivery(client, audience=alone, account=account, content=content)
    await do(client, "setDeliveryTraps", "SetDeliveryTrapsInput", "delivery { id }", id=delivery,
             testProfileIds=[trap["testProfile"]["id"]])  # fmt: skip
    await prepare(client, delivery)


async def runs_ended(client: Client, audience: str, wanted: int, seconds: float = 30) -> None:
    """Wait until so many runs of an audience are finished."""
    deadline = deadline_of(seconds)
    text = "query ($id: ID!) { audienceRuns(audienceId: $id) { nodes { state error { code message } } } }"
    while True:
        found = (await client.ask(text, id=audience))["audienceRuns"]["nodes"]
        if [one["state"] for one in found] == ["FINISHED"] * wanted:
            return
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def until(client: Client, name: str, key: str, field: str, *wanted: str, seconds: float = 30) -> str:
    """Wait until something is in a state."""
    deadline = deadline_of(seconds)
    while True:
        data = await client.ask(f"query ($id: ID!) {{ {name}(id: $id) {{ {field} }} }}", id=key)
        found: str = data[name][field]
        if found in wanted:
            return found
        assert time.monotonic() < deadline, f"{name} is {found}"
        await asyncio.sleep(0.1)


async def request(client: Client, kind: str, namespace: str, value: str) -> str:
    """A privacy request, carried out; its id."""
    made = await do(
        client, "createPrivacyRequest", "CreatePrivacyRequestInput", "privacyRequest { id }",
        name=f"{MARK.lower()}-77-{kind.lower()}", label=f"{MARK}First {MARK}Last wants it",
        namespaceName=namespace, reconciliationValue=value,
        type=kind, regulation="GDPR",
    )  # fmt: skip
    request_id: str = made["privacyRequest"]["id"]
    return request_id


async def test_whoever_is_erased_leaves_nothing_that_names_her(place: Place) -> None:
    client, settings = place.client, place.house.settings
    assert settings.secret_keys is not None
    keyring = parse_keyring(settings.secret_keys.get_secret_value())
    await shape_the_data(client)
    she = await let_her_in(place)
    conn = await place.house.connect()
    await know_her(place, she, conn)

    # Given a mail that she has read, and one that waits for her
    audience = await create_audience(client, "email_domain = 'story.example'")
    account = await create_account(client, place.sink_port)
    content = await create_content(client)
    sent = await create_delivery(client, audience=audience, account=account, content=content)
    done = await send(client, sent)
    assert done["counts"]["accepted"] == 21
    (letter,) = [one for one in read_letters(place.mail) if one.recipient == EMAIL]
    for link in (*letter.links[:1], letter.pixel, letter.mirror):
        await client.http.get(link, headers={"user-agent": f"{MARK} Browser/1.0"})
    assert (await client.http.get(letter.mirror)).status_code == 200
    waiting = await create_delivery(client, audience=audience, account=account, content=content)
    await prepare(client, waiting)
    await put_her_on_lists(place, account, content)
    (trapped,) = await conn.fetch("SELECT delivery_id, values FROM ledger WHERE recipient_kind = 4")
    assert f"{MARK}First" in str(trapped["values"])
    named = await create_audience(client, f"external_id = '{MARK}-77'")  # her team asks about her by name

    # And that she was given what is kept of her
    access = await request(client, "ACCESS", "external_id", f"{MARK}-77")
    await until(client, "privacyRequest", access, "status", "COMPLETE")
    url = (
        await client.do("mutation ($id: ID!) { createPrivacyDownload(id: $id) { downloadUrl userErrors { code } } }", id=access)
    )["downloadUrl"]
    given = (await client.http.get(url)).content
    await check_given(given, letter.html)
    report = await report_of(client, sent)

    # When the search is sure to find her
    deletion = request(client, "DELETE", "email", EMAIL.upper())
    hold = await asyncpg.connect(str(settings.database_url))  # a transaction that holds the erasure up
    transaction = hold.transaction()
    await transaction.start()
    await hold.fetch("SELECT count(*) FROM profile")
    before = await in_tables(conn, keyring, MARKERS)
    request_id = await deletion
    before |= {one for one in await in_tables(conn, keyring, MARKERS) if one.startswith("privacy_request.")}
    assert before >= EXPECTED, EXPECTED - before
    files = in_files(settings.var_dir / "files", MARKERS)
    assert len(files) == 12, "three uploads, rejects, three exports, what she was given, three of audiences, an export of one"

    # And the erasure has waited for whoever had seen her before
    await until(client, "privacyRequest", request_id, "status", "DELETE_IN_PROGRESS")
    await until(client, "privacyRequest", request_id, "waitsFor", "transactions")
    await transaction.rollback()
    await hold.close()
    await until(client, "privacyRequest", request_id, "status", "COMPLETE", "ERROR")

    # Then she is nowhere, but where the team names her itself, of which the proof tells
    found = await client.ask(
        "query ($id: ID!) { privacyRequest(id: $id) { status proof profilesFound error { code message } } }", id=request_id
    )
    proof = found["privacyRequest"]["proof"]
    assert (found["privacyRequest"]["status"], proof["profiles"]) == ("COMPLETE", 2)
    authored = {"audience.expression", "audience.expression_text", "audience_version.expression",
                "audience_version.expression_text"}  # fmt: skip
    assert await in_tables(conn, keyring, MARKERS) == authored
    assert proof["quoted_by_authors"] == {"audience": 1, "audience_version": 1}
    await client.do("mutation ($id: ID!) { deleteAudience(id: $id) { userErrors { code message } } }", id=named)
    assert await in_tables(conn, keyring, MARKERS) == set()
    assert in_files(settings.var_dir, MARKERS) == set()
    assert MARK.lower() not in place.house.output.read_text(errors="replace").lower()

    # And every total stands
    assert await report_of(client, sent) == report
    assert (await report_of(client, sent))["metrics"]["accepted"] == 21
    assert (await client.http.get(letter.mirror)).status_code == 410
    assert await conn.fetchval("SELECT count(*) FROM x_order") == 0
    trap = await conn.fetch("SELECT address, values FROM ledger WHERE delivery_id = $1", trapped["delivery_id"])
    assert {tuple(row) for row in trap} == {(None, None)}
    assert [tuple(row) for row in await conn.fetch("SELECT x_words, x_who_id FROM x_review")] == [(None, None)]

    # And what was about to be sent to her is not
    await client.do("mutation ($id: ID!) { confirmDelivery(id: $id) { userErrors { code message } } }", id=waiting)
    await until(client, "delivery", waiting, "state", "FINISHED")
    ended = (await client.ask("query ($id: ID!) { delivery(id: $id) { counts { withdrawn accepted } } }", id=waiting))[
        "delivery"
    ]
    assert ended["counts"] == {"withdrawn": 1, "accepted": 20}
    await conn.close()
    await check_proof(client, proof)
    await come_back(place, audience, account, content)


async def check_given(given: bytes, html: str) -> None:
    """The file holds what every room keeps, and what was sent."""
    with zipfile.ZipFile(io.BytesIO(given)) as archive:
        data = json.loads(archive.read("data.json"))
        assert "tables/profile.csv" in archive.namelist()
    assert set(data["tables"]) >= {
        "profile", "profile_alias", "profile_merge", "consent_entry", "subscription", "subscription_event", "purpose_consent",
        "app_subscription", "visitor", "audience_member", "quarantine", "suppression_entry", "ledger", "tracking_event",
        "e_visit", "x_order", "x_review", "audit_entry", "audience_row",
    }  # fmt: skip
    assert {row["x_card"] for row in data["tables"]["profile"]} == {f"{MARK}-card", None}
    assert f"Hello {MARK}First!" in data["messages"][0]["html"]


async def check_proof(client: Client, proof: dict[str, Any]) -> None:
    """What she was erased from; and its signature."""
    assert proof["erased"]["profile"] == 2
    assert proof["erased"]["file"] == 10
    assert proof["erased"]["file_not_searchable"] == 2, "exports that hold nothing by which she can be looked for"
    assert proof["erased"]["stored_answer"] >= 1
    await check_signed(client, proof)


async def check_signed(client: Client, proof: dict[str, Any]) -> None:
    """A proof holds, and none that was altered does."""

    async def verified(told: dict[str, Any]) -> bool:
        data = await client.ask("query ($p: JSON!) { verifyErasure(proof: $p) }", p=told)
        result: bool = data["verifyErasure"]
        return result

    assert await verified(proof)
    assert not await verified({**proof, "profiles": 3})
    assert not await verified({**proof, "signature": "0" * 64})
    assert not await verified({})


async def come_back(place: Place, audience: str, account: str, content: str) -> None:
    """By a file she is there again, and not written to; until she opts in herself."""
    client = place.client
    import_id = await upload(client, (COLUMNS + SHE).encode())
    await start_import(client, import_id)
    assert (await import_ended(client, import_id))["inserted"] == 1
    she = (await find_profile(client, EMAIL))["id"]

    delivery = await create_delivery(client, audience=audience, account=account, content=content)
    counts = (await prepare(client, delivery))["counts"]
    assert (counts["excluded"], counts["pending"]) == (1, 20)
    for source, excluded in (({"origin": "preference page"}, 1), ({"origin": "sign-up form", "byPerson": True}, 0)):
        made = await do(client, "createService", "CreateServiceInput", "service { id }", name=fresh_name("s"), label="News")
        await do(client, "subscribeProfiles", "SubscribeProfilesInput", "results { __typename }",
                 serviceId=made["service"]["id"], profileIds=[she], source=source)  # fmt: skip
        again = await create_delivery(client, audience=audience, account=account, content=content)
        counts = (await prepare(client, again))["counts"]
        assert (counts["excluded"], counts["pending"]) == (excluded, 21 - excluded)
