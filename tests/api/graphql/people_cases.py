"""The cases of tokens, of people and of their files; see `mutation_cases`."""

from __future__ import annotations

from core.ids import to_global_id
from tests.api.gql import create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, PERSON, QUESTION, Case, case, make

ADDRESSES = [EMAIL, "second.marker@secretive.example"]
FILE = f"email,first_name\n{EMAIL},Xanthippe\nno address of marker,Bob\n".encode()


@case
async def create_api_token(house: House) -> Case:
    """A token that may export."""
    sent = {"name": "Till", "roles": ["EXPORT"]}
    return Case({"input": sent}, ["token.create"], {"input": {**sent, "name": ""}})


@case
async def revoke_api_token(house: House) -> Case:
    """A live one."""
    made = await make(house, "createApiToken", input={"name": "Till", "roles": ["EXPORT"]})
    return Case({"id": made["apiToken"]["id"]}, ["token.revoke"])


# profiles


@case
async def create_profile_(house: House) -> Case:
    """A person with everything that is personal."""
    return Case({"input": PERSON}, ["profile.create"], {"input": {**PERSON, "email": "Markerovic"}})


@case
async def update_profile(house: House) -> Case:
    """A person becomes another."""
    profile_id = await create_profile(house.gql, email="ann@shop.example", firstName="Ann")
    return Case({"input": {"id": profile_id, **PERSON}}, ["profile.update"])


@case
async def delete_profile(house: House) -> Case:
    """A person with everything that is personal."""
    return Case({"id": await create_profile(house.gql, **PERSON)}, ["profile.delete"])


DEVICE = {"app": "com.shop.app", "registrationToken": "Markerovic:token-4711"}


@case
async def save_app_subscriptions(house: House) -> Case:
    """Somebody's."""
    await make(house, "createProfile", input=PERSON)
    sent = {**DEVICE, "platform": "IOS", "profile": {"email": EMAIL}}
    bad = {"subscriptions": [{**sent, "profile": {"id": "x"}}]}
    return Case({"subscriptions": [sent]}, ["app_subscription.save"], bad)


@case
async def remove_app_subscriptions(house: House) -> Case:
    """One that is there."""
    await make(house, "saveAppSubscriptions", subscriptions=[{**DEVICE, "platform": "WEB"}])
    return Case({"subscriptions": [DEVICE]}, ["app_subscription.remove"], {"subscriptions": []})


VISITOR = {"externalId": "Markerovic:visit-4711"}


@case
async def save_visitors(house: House) -> Case:
    """Somebody's."""
    await make(house, "createProfile", input=PERSON)
    sent = {**VISITOR, "email": EMAIL, "lastName": "Markerovic", "profile": {"email": EMAIL}}
    bad = {"visitors": [{**sent, "profile": {"id": "x"}}]}
    return Case({"visitors": [sent]}, ["visitor.save"], bad)


@case
async def remove_visitors(house: House) -> Case:
    """One that is there."""
    await make(house, "saveVisitors", visitors=[VISITOR])
    return Case({"externalIds": [VISITOR["externalId"]]}, ["visitor.remove"], {"externalIds": []})


@case
async def merge_profiles(house: House) -> Case:
    """Two who are one, with a value given by hand."""
    survivor, other = await create_profile(house.gql, **PERSON), await create_profile(house.gql, email=EMAIL)
    sent = {
        "survivorId": survivor, "mergedIds": [other],
        "rules": [{"field": "last_name", "rule": "VALUE", "value": PERSON["lastName"]}],
    }  # fmt: skip
    return Case({"input": sent}, ["profile.merge", "profile.merged"], {"input": {**sent, "mergedIds": [survivor]}})


@case
async def undo_merge(house: House) -> Case:
    """Three who were one."""
    ids = [await create_profile(house.gql, email=EMAIL) for _ in range(3)]
    made = await make(house, "mergeProfiles", input={"survivorId": ids[0], "mergedIds": ids[1:]})
    return Case({"id": made["merge"]["id"]}, ["profile.undo_merge", "profile.unmerged", "profile.unmerged"])


@case
async def quarantine_addresses(house: House) -> Case:
    """Two addresses, each with an entry of its own."""
    sent = {"addressKind": "EMAIL", "addresses": ADDRESSES, "status": "DENYLISTED"}
    return Case({"input": sent}, ["quarantine.put"] * 2, {"input": {**sent, "addresses": [EMAIL, "Markerovic"]}})


@case
async def release_addresses(house: House) -> Case:
    """Two addresses that are in, and one that is not."""
    await make(house, "quarantineAddresses", input={"addresses": ADDRESSES})
    sent = {"addressKind": "EMAIL", "addresses": [*ADDRESSES, "third.marker@secretive.example"]}
    return Case({"input": sent}, ["quarantine.release"] * 2, {"input": {**sent, "addresses": [EMAIL, "Markerovic"]}})


@case
async def update_quarantine_settings(house: House) -> Case:
    """Two of the figures."""
    sent = {"softErrors": 3, "betweenSoftErrorsSeconds": 3600}
    return Case({"input": sent}, ["quarantine_settings.update"], {"input": {**sent, "softErrors": 0}})


@case
async def correct_quarantine(house: House) -> Case:
    """Two addresses whose text names the owner."""
    await make(house, "quarantineAddresses", input={"addresses": ADDRESSES, "text": "Markerovic moved"})
    sent = {"filter": {"errorText": "markerovic"}, "correction": "SET_VALID", "expectedCount": 2}
    return Case({"input": sent}, ["quarantine.correct"] * 2, {"input": {**sent, "filter": {}}})


@case
async def record_complaint(house: House) -> Case:
    """Two addresses."""
    sent = {"addresses": ADDRESSES, "text": "Markerovic complained"}
    return Case({"input": sent}, ["quarantine.complaint"] * 2, {"input": {"addresses": ["Markerovic"]}})


@case
async def record_stop(house: House) -> Case:
    """A phone and a short code."""
    sent = {"phones": ["+33612345678"], "shortCode": "38000"}
    return Case({"input": sent}, ["quarantine.stop"], {"input": {**sent, "shortCode": "Marker 1"}})


@case
async def lift_stop(house: House) -> Case:
    """Of a phone that had refused."""
    sent = {"phones": ["+33612345678"], "shortCode": "38000"}
    await make(house, "recordStop", input=sent)
    return Case({"input": sent}, ["quarantine.lift_stop"], {"input": {**sent, "phones": ["612345678 x"]}})


# suppression lists


async def _list(house: House) -> str:
    made = await make(house, "createSuppressionList", input={"name": fresh("list"), "label": "Partners", "kind": "EMAIL"})
    list_id: str = made["suppressionList"]["id"]
    return list_id


@case
async def create_suppression_list(house: House) -> Case:
    """An empty one."""
    sent = {"name": "partners", "label": "Partners", "kind": "EMAIL"}
    return Case({"input": sent}, ["suppression_list.create"], {"input": {**sent, "name": "P 1"}})


@case
async def update_suppression_list(house: House) -> Case:
    """Another label."""
    return Case({"input": {"id": await _list(house), "label": "Theirs"}}, ["suppression_list.update"])


@case
async def delete_suppression_list(house: House) -> Case:
    """With an entry."""
    list_id = await _list(house)
    await make(house, "addSuppressionEntries", input={"listId": list_id, "entries": [{"value": EMAIL}]})
    return Case({"id": list_id}, ["suppression_list.delete"])


@case
async def add_suppression_entries(house: House) -> Case:
    """One that is new, one that changes, one that is no address."""
    list_id = await _list(house)
    await make(house, "addSuppressionEntries", input={"listId": list_id, "entries": [{"value": EMAIL}]})
    values = [EMAIL, "second.marker@secretive.example", "Markerovic"]
    sent = {"listId": list_id, "entries": [{"value": one, "comment": "Xanthippe asked"} for one in values]}
    return Case({"input": sent}, ["suppression.add", "suppression.change"], {"input": {**sent, "entries": []}})


@case
async def remove_suppression_entries(house: House) -> Case:
    """One that is in and one that is not."""
    list_id = await _list(house)
    await make(house, "addSuppressionEntries", input={"listId": list_id, "entries": [{"value": EMAIL}]})
    sent = {"listId": list_id, "entries": [{"value": one} for one in ADDRESSES]}
    return Case({"input": sent}, ["suppression.remove"], {"input": {**sent, "entries": []}})


async def _uploaded_entries(house: House) -> str:
    sent = {"listId": await _list(house), "fileName": "Markerovic.csv"}
    made = await make(house, "createSuppressionImport", input=sent)
    content = f"email,comment\n{EMAIL},Xanthippe\nno address of marker,\n".encode()
    assert (await house.gql.http.put(made["uploadUrl"], content=content)).status_code == 201
    import_id: str = made["suppressionImport"]["id"]
    return import_id


@case
async def create_suppression_import(house: House) -> Case:
    """A file that is named after somebody."""
    sent = {"listId": await _list(house), "fileName": "Markerovic.csv"}
    return Case({"input": sent}, ["suppression_import.create"], {"input": {**sent, "options": {"delimiter": "a"}}})


@case
async def renew_suppression_import_upload(house: House) -> Case:
    """Of a file that did not arrive."""
    made = await make(house, "createSuppressionImport", input={"listId": await _list(house)})
    return Case({"id": made["suppressionImport"]["id"]}, ["suppression_import.renew_upload"])


@case
async def start_suppression_import(house: House) -> Case:
    """Of an uploaded file."""
    return Case({"id": await _uploaded_entries(house)}, ["suppression_import.start"])


@case
async def cancel_suppression_import(house: House) -> Case:
    """Of one that waits."""
    return Case({"id": await _uploaded_entries(house)}, ["suppression_import.cancel"])


@case
async def create_suppression_rejects_download(house: House) -> Case:
    """Of an import with a refused row."""
    import_id = await _uploaded_entries(house)
    await make(house, "startSuppressionImport", id=import_id)
    await house.work()
    return Case({"importId": import_id}, ["suppression_import.download_rejects"])


@case
async def create_suppression_export(house: House) -> Case:
    """To a file that is named after somebody."""
    sent = {"listId": await _list(house), "fileName": "Markerovic.csv"}
    gone = to_global_id("SuppressionList", 999_999)
    return Case({"input": sent}, ["suppression_export.create"], {"input": {"listId": gone}})


@case
async def cancel_suppression_export(house: House) -> Case:
    """Before it is written."""
    made = await make(house, "createSuppressionExport", input={"listId": await _list(house)})
    return Case({"id": made["suppressionExport"]["id"]}, ["suppression_export.cancel"])


@case
async def create_suppression_export_download(house: House) -> Case:
    """Of a finished export."""
    made = await make(house, "createSuppressionExport", input={"listId": await _list(house)})
    await house.work()
    return Case({"exportId": made["suppressionExport"]["id"]}, ["suppression_export.download"])


# imports and exports


async def _uploaded(house: House) -> str:
    made = await make(house, "createImport", input={"fileName": "Markerovic.csv", "matchKey": "EMAIL"})
    assert (await house.gql.http.put(made["uploadUrl"], content=FILE)).status_code == 201
    import_id: str = made["import"]["id"]
    return import_id


@case
async def create_import(house: House) -> Case:
    """A file that is named after somebody."""
    sent = {"fileName": "Markerovic.csv", "matchKey": "EMAIL"}
    mapping = [{"header": "E", "field": "emial"}]
    return Case({"input": sent}, ["import.create"], {"input": {**sent, "options": {"mapping": mapping}}})


TEMPLATE = {
    "name": "crm-file", "label": "The file of the shop", "matchKey": "EMAIL",
    "options": {
        "expectedColumns": ["Mail"], "mapping": [{"header": "Mail", "field": "email"}],
        "constants": [{"field": "last_name", "value": "Markerovic"}],
        "columns": [{"column": "Mail", "default": EMAIL}],
    },
    "sample": f"Mail\n{EMAIL}\n",
}  # fmt: skip


@case
async def create_import_template(house: House) -> Case:
    """With cells that are somebody's."""
    return Case({"input": TEMPLATE}, ["import_template.create"], {"input": {**TEMPLATE, "label": " "}})


@case
async def update_import_template(house: House) -> Case:
    """Archived."""
    made = await make(house, "createImportTemplate", input=TEMPLATE)
    sent = {"id": made["importTemplate"]["id"], "status": "ARCHIVED"}
    return Case({"input": sent}, ["import_template.update"], {"input": {**sent, "name": "No name"}})


@case
async def renew_import_upload(house: House) -> Case:
    """Of a file that did not arrive."""
    made = await make(house, "createImport", input={"matchKey": "EMAIL"})
    return Case({"id": made["import"]["id"]}, ["import.renew_upload"])


@case
async def start_import(house: House) -> Case:
    """Of an uploaded file."""
    return Case({"id": await _uploaded(house)}, ["import.start"])


@case
async def cancel_import(house: House) -> Case:
    """Of one that waits."""
    return Case({"id": await _uploaded(house)}, ["import.cancel"])


@case
async def create_rejects_download(house: House) -> Case:
    """Of an import with a refused row."""
    import_id = await _uploaded(house)
    await make(house, "startImport", id=import_id)
    await house.work()
    return Case({"importId": import_id}, ["import.download_rejects"])


@case
async def create_export(house: House) -> Case:
    """Of people named in a question."""
    sent = {"fileName": "Markerovic.csv", "columns": ["email"], "expression": QUESTION}
    return Case({"input": sent}, ["export.create"], {"input": {**sent, "columns": ["emial"]}})


@case
async def cancel_export(house: House) -> Case:
    """Before it is written."""
    made = await make(house, "createExport", input={"columns": ["email"], "expression": QUESTION})
    return Case({"id": made["export"]["id"]}, ["export.cancel"])


@case
async def create_export_download(house: House) -> Case:
    """Of a finished export."""
    await create_profile(house.gql, **PERSON)
    made = await make(house, "createExport", input={"columns": ["email"]})
    await house.work()
    return Case({"exportId": made["export"]["id"]}, ["export.download"])
