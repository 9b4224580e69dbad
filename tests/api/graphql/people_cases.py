"""The cases of tokens, of people and of their files; see `mutation_cases`."""

from __future__ import annotations

from tests.api.gql import create_profile
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
