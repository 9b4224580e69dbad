"""What is published is there in every process with the next thing that anybody asks: the first answer counts, nothing waits."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import zipfile
from typing import Any

from tests.flows.client import Client
from tests.flows.conftest import Place
from tests.flows.journey import find_profile, fresh_name, import_people, make_csv
from tests.flows.people import fresh_domain
from tests.flows.test_erasure import do, until

ASKED = 12  # at once, so that more than one process of the API is asked


async def shape(client: Client, name: str) -> None:
    """A field of profiles, and a dataset whose rows belong to people; published."""
    draft = "draft { version }"
    await do(client, "saveDataField", "SaveDataFieldInput", draft, dataset="profile", name=f"{name}_card", label="Card",
             kind="TEXT", maxLength=50, personal=True)  # fmt: skip
    await do(client, "saveDataset", "SaveDatasetInput", draft, name=name, label="Pets")
    await do(client, "saveDataField", "SaveDataFieldInput", draft, dataset=name, name="called", label="Called", kind="TEXT",
             maxLength=80)  # fmt: skip
    made = await do(client, "saveLink", "SaveLinkInput", draft, dataset=name, name="owner", label="Owner", target="profile",
                    reverseName=f"{name}s", reverseLabel="Pets", onDelete="DELETE")  # fmt: skip
    await client.do(
        "mutation ($v: Int!) { publishDataModel(draftVersion: $v) { userErrors { code message } } }", v=made["draft"]["version"]
    )


async def exported(client: Client, **what: Any) -> list[dict[str, str]]:
    """The rows of an export that is begun now."""
    made = await do(client, "createExport", "CreateExportInput", "export { id }", **what)
    export_id = made["export"]["id"]
    assert await until(client, "export", export_id, "state", "FINISHED", "FAILED") == "FINISHED"
    url = (
        await client.do(
            "mutation ($id: ID!) { createExportDownload(exportId: $id) { downloadUrl userErrors { code } } }", id=export_id
        )
    )["downloadUrl"]
    return list(csv.DictReader(io.StringIO((await client.http.get(url)).text)))


async def given(client: Client, email: str) -> dict[str, Any]:
    """What an access request gathers of somebody."""
    made = await do(
        client, "createPrivacyRequest", "CreatePrivacyRequestInput", "privacyRequest { id }", name=fresh_name("r"),
        label="Asks", namespaceName="email", reconciliationValue=email, type="ACCESS", regulation="GDPR",
    )  # fmt: skip
    request_id = made["privacyRequest"]["id"]
    await until(client, "privacyRequest", request_id, "status", "COMPLETE")
    text = "mutation ($id: ID!) { createPrivacyDownload(id: $id) { downloadUrl userErrors { code } } }"
    url = (await client.do(text, id=request_id))["downloadUrl"]
    with zipfile.ZipFile(io.BytesIO((await client.http.get(url)).content)) as archive:
        tables: dict[str, Any] = json.loads(archive.read("data.json"))["tables"]
    return tables


async def test_what_is_published_is_asked_about_filled_exported_and_given(place: Place) -> None:
    client, domain, pet = place.client, fresh_domain(), fresh_name("pet").replace("-", "_")
    card, email = f"{pet}_card", f"ann@{domain}"
    people = [{"email": email}, {"email": f"bob@{domain}"}]
    await import_people(client, make_csv(people, ("email",)))
    text = "query ($e: ExpressionInput!) { target(expression: $e) { count } }"
    await client.ask(text, e={"text": "id > 0"})  # whoever answers has looked at the model of before

    # When it is published, every process of the API knows it with the next question
    await shape(client, pet)
    asked = [
        client.ask(text, e={"text": f"email_domain = '{domain}' and is_empty({card}) and not exists({pet}s)"})
        for _ in range(ASKED)
    ]
    assert [one["target"]["count"] for one in await asyncio.gather(*asked)] == [2] * ASKED

    # And a file fills it, a record of its own kind holds it, and the worker's export and access file have it
    await import_people(client, make_csv([{"email": email, card: "gold"}], ("email", card)))
    ann = (await find_profile(client, email))["id"]
    await do(client, "createDatasetRow", "CreateDatasetRowInput", "row { id }", dataset=pet,
             values={"called": "Rex", "owner": ann})  # fmt: skip
    whole = await client.ask(
        "query ($id: ID!) { profile(id: $id) { teamFields } }", id=ann
    )  # fmt: skip
    assert whole["profile"]["teamFields"][card] == "gold"
    asks = {"text": f"{card} = 'GOLD'"}
    assert await exported(client, columns=["email", card], expression=asks) == [{"email": email, card: "gold"}]
    pets = await exported(client, dimension=pet, columns=["called"], expression={"text": f"owner.{card} = 'gold'"})
    assert pets == [{"called": "Rex"}]
    tables = await given(client, email)
    assert [one[f"x_{card}"] for one in tables["profile"]] == ["gold"]
    assert [one["x_called"] for one in tables[f"x_{pet}"]] == ["Rex"]
