"""The cases of files and jobs of audiences, and of saved filters; see `mutation_cases`."""

from __future__ import annotations

from tests.api.gql import create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, PERSON, QUESTION, Case, case, make

FILE = f"email,First Name\n{EMAIL},Xanthippe\nelse@where.example,Markerovic\n".encode()
KEYS = [{"field": "email", "column": "email"}]


async def _file(house: House, *, upload: bool = True) -> str:
    sent = {"name": fresh("file"), "label": "File", "fileName": "Markerovic.csv"}
    made = await make(house, "createFileAudience", input=sent)
    if upload:
        assert (await house.gql.http.put(made["uploadUrl"], content=FILE)).status_code == 201
    audience_id: str = made["audience"]["id"]
    return audience_id


async def _loaded(house: House) -> str:
    audience_id = await _file(house)
    await make(house, "loadAudienceFile", id=audience_id)
    await house.work()
    return audience_id


async def _filter(house: House) -> str:
    sent = {"name": fresh("filter").replace("-", "_"), "label": "One", "expression": QUESTION}
    made = await make(house, "createFilter", input=sent)
    filter_id: str = made["filter"]["id"]
    return filter_id


SEGMENT = {"label": "Segment", "source": "Warehouse", "key": "email", "freshHours": 24}


@case
async def create_external_segment(house: House) -> Case:
    """Of emails."""
    sent = {**SEGMENT, "name": fresh("segment")}
    return Case({"input": sent}, ["audience.create"], {"input": {**sent, "key": EMAIL}})


@case
async def push_external_segment(house: House) -> Case:
    """Somebody's email."""
    await create_profile(house.gql, **PERSON)
    made = await make(house, "createExternalSegment", input={**SEGMENT, "name": fresh("segment")})
    sent = {"id": made["audience"]["id"], "add": [EMAIL, "Markerovic"], "snapshot": "today", "complete": True}
    return Case({"input": sent}, ["audience.push"], {"input": {**sent, "remove": [EMAIL]}})


@case
async def create_file_audience(house: House) -> Case:
    """A file that is named after somebody."""
    sent = {"name": fresh("file"), "label": "File", "fileName": "Markerovic.csv"}
    return Case({"input": sent}, ["audience.create"], {"input": {**sent, "delimiter": "ab"}})


@case
async def renew_audience_upload(house: House) -> Case:
    """Of a file that did not arrive."""
    return Case({"id": await _file(house, upload=False)}, ["audience.renew_upload"])


@case
async def load_audience_file(house: House) -> Case:
    """Of an uploaded file."""
    sent = {"id": await _file(house), "reconcileBy": KEYS}
    refused = {**sent, "reconcileBy": [{"field": "city", "column": "email"}]}
    return Case(sent, ["audience.load", "audience_run.load"], refused)


@case
async def reconcile_audience(house: House) -> Case:
    """Rows about somebody."""
    await create_profile(house.gql, **PERSON)
    sent = {"id": await _loaded(house), "by": KEYS}
    return Case(sent, ["audience.reconcile", "audience_run.reconcile"], {**sent, "by": []})


@case
async def start_count(house: House) -> Case:
    """Of whom a question finds."""
    refused = {"of": {"expression": QUESTION}, "minutes": 100_000}
    return Case({"of": {"expression": QUESTION}}, ["audience_run.count"], refused)


@case
async def start_freeze(house: House) -> Case:
    """A list of somebody, with a column."""
    columns = [{"name": "city", "label": "City", "expression": {"text": "city"}}]
    sent = {"of": {"expression": QUESTION}, "name": fresh("list"), "label": "Frozen", "columns": columns}
    return Case({"input": sent}, ["audience_run.freeze"], {"input": {**sent, "name": "No name"}})


@case
async def start_segmentation(house: House) -> Case:
    """Two halves of somebody."""
    sent = {"population": QUESTION, "into": {"segments": [{"code": "a", "share": "50"}], "complement": "b"}}
    return Case(sent, ["audience_run.segment"], {**sent, "prefix": "Bad name"})


@case
async def start_audience_export(house: House) -> Case:
    """Of rows about somebody."""
    sent = {"id": await _loaded(house), "outcome": "WAITING"}
    made = await make(house, "createList", input={"name": fresh("list"), "label": "One"})
    return Case(sent, ["audience.export", "audience_run.export"], {**sent, "id": made["audience"]["id"]})


@case
async def create_audience_download(house: House) -> Case:
    """Of rows about somebody."""
    made = await make(house, "startAudienceExport", id=await _loaded(house))
    await house.work()
    return Case({"id": made["run"]["id"]}, ["audience.download"])


@case
async def cancel_audience_run(house: House) -> Case:
    """Of a count that waits."""
    made = await make(house, "startCount", of={"expression": QUESTION})
    return Case({"id": made["run"]["id"]}, ["audience_run.cancel"])


@case
async def create_filter(house: House) -> Case:
    """A question about somebody."""
    parameters = [{"name": "city", "label": "City", "kind": "TEXT", "default": {"text": f"'{PERSON['city']}'"}}]
    sent = {
        "name": fresh("filter").replace("-", "_"), "label": "One", "parameters": parameters,
        "expression": {"text": f"email = '{EMAIL}' and city = parameter('city')"},
    }  # fmt: skip
    return Case({"input": sent}, ["filter.create"], {"input": {**sent, "name": "count"}})


@case
async def update_filter(house: House) -> Case:
    """Another question about somebody."""
    sent = {"id": await _filter(house), "expression": {"text": f"not email = '{EMAIL}'"}}
    return Case({"input": sent}, ["filter.update"], {"input": {**sent, "expression": {"text": "emial is null"}}})


@case
async def delete_filter(house: House) -> Case:
    """Of a question about somebody."""
    return Case({"id": await _filter(house)}, ["filter.delete"])
