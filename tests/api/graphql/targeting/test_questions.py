"""What a person who writes a question sees, of every entity; values for its parameters; names that are made of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.gql import Gql, create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import make

SEEN = """query ($entity: String!, $text: String!) { target(entity: $entity, expression: {text: $text}) {
  text json explanation reads count rows(size: 1) examination { sql cost estimate scans { table rows wanted } advice } } }"""
ASK = """query ($text: String!, $values: [ParameterValueInput!]) {
  target(expression: {text: $text}, parameters: $values) { count text } }"""
HOSTILE = [
    "' or true or '", "x'); DROP TABLE profile; --", "\\", "%", "_", "$1", "parameter('name')", "{{ 7 }}", "\u202e", "''",
]  # fmt: skip


async def test_everything_that_can_be_asked_about_is_explained_counted_estimated_and_shown(house: House) -> None:
    # Given an event of a type, and a person
    await make(house, "saveEventType", input={
        "name": "visit", "label": "Visit", "fields": [{"name": "page", "label": "Page", "kind": "TEXT", "maxLength": 20}],
    })  # fmt: skip
    await create_profile(house.gql, firstName="Ann")
    entities = (await house.gql.ask("{ targetEntities { name fields { name kind } links { name } } }"))["targetEntities"]
    names = {one["name"] for one in entities}
    assert names >= {"profile", "campaign", "delivery", "message", "reaction", "service", "subscription", "event_visit"}

    # When each is asked about, everything is told of it
    for one in entities:
        asked = f"not {one['fields'][0]['name']} is_null"
        found = (await house.gql.ask(SEEN, entity=one["name"], text=asked))["target"]
        assert found["text"] == asked
        assert found["explanation"], one
        assert len(found["rows"]) == min(found["count"], 1), one
        examination = found["examination"]
        assert examination["sql"].startswith(("SELECT", "WITH")), examination
        assert examination["cost"] > 0 or one["name"] == "message", one  # of which nothing was ever prepared
        assert examination["estimate"] >= 0
        assert examination["advice"] == []
    shown = (await house.gql.ask(SEEN, entity="profile", text="true"))["target"]
    assert (shown["count"], shown["rows"][0]["first_name"]) == (1, "Ann")


async def test_a_question_is_given_the_values_of_its_parameters(gql: Gql) -> None:
    name = fresh("Montague")
    for number in range(3):
        await create_profile(gql, lastName=name, firstName=f"P{number}")
    text = "last_name = parameter('last') and first_name in (parameter('one'), 'P1') and created_at > parameter('since')"
    values = [
        {"name": "last", "value": {"json": name}}, {"name": "one", "value": {"text": "'P0'"}},
        {"name": "since", "value": {"text": "today - 1 day"}},
    ]  # fmt: skip
    found = (await gql.ask(ASK, text=text, values=values))["target"]
    assert found["count"] == 2
    assert found["text"] == f"last_name = '{name}' and first_name in ('P0', 'P1') and created_at > today - 1 day"


@pytest.mark.parametrize(
    ("text", "values", "code", "said"),
    [
        ("age > parameter('least')", [], "UNKNOWN_PARAMETER", "there is no parameter 'least'"),
        ("age > parameter('least')", [("most", {"json": 3})], "UNKNOWN_PARAMETER", "there is no parameter 'least'"),
        ("age > 3", [("least", {"json": 3})], "UNKNOWN_PARAMETER", "the question has no parameter 'least'"),
        ("age > parameter('least')", [("least", {"json": "3"})], "WRONG_TYPE", ""),
        ("age > parameter('least')", [("least", {"text": "age + 1"})], "WRONG_TYPE", "is given a value"),
        ("age > parameter('least')", [("least", {"text": "1 or true"})], "WRONG_TYPE", "is given a value"),
        ("age > parameter('least')", None, "UNKNOWN_FUNCTION", "parameter"),
    ],
)
async def test_wrong_values_have_names(gql: Gql, text: str, values: Any, code: str, said: str) -> None:
    sent = None if values is None else [{"name": name, "value": value} for name, value in values]
    (error,) = await gql.errors(ASK, text=text, values=sent)
    assert error["extensions"]["code"] == code
    assert said in error["message"]


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_values_are_values_whatever_they_say(gql: Gql, hostile: str) -> None:
    name = fresh("Capulet")
    await create_profile(gql, lastName=name, firstName=hostile)
    await create_profile(gql, lastName=name, firstName="Other")
    text = f"last_name = '{name}' and first_name = parameter('first')"
    found = (await gql.ask(ASK, text=text, values=[{"name": "first", "value": {"json": hostile}}]))["target"]
    assert found["count"] == 1
    # And what was written out asks the same
    assert (await gql.ask(ASK, text=found["text"], values=None))["target"]["count"] == 1


@pytest.mark.parametrize("hostile", ["first') or ('1' = '1", "x; --", "", "ünïcode", "parameter"])
async def test_names_of_parameters_are_names_whatever_they_say(gql: Gql, hostile: str) -> None:
    written = hostile.replace("'", "''")
    text = f"first_name = parameter('{written}') and id < 0"
    found = await gql.ask(ASK, text=text, values=[{"name": hostile, "value": {"json": "x"}}])
    assert found["target"]["count"] == 0


async def test_an_audience_without_a_label_is_called_by_what_it_asks(gql: Gql) -> None:
    create = """mutation ($input: CreateAudienceInput!) { createAudience(input: $input) {
      audience { label } userErrors { code path } } }"""
    asked = {"text": "country = 'FR' and age >= 18"}
    made = (await gql.ask(create, input={"name": fresh("a"), "expression": asked}))["createAudience"]
    assert made["audience"]["label"] == "Country (ISO 3166-1 alpha-2) is 'FR' and Age in years is at least 18"
    long = {"text": " or ".join(f"city = 'a town of a long name {number}'" for number in range(20))}
    made = (await gql.ask(create, input={"name": fresh("a"), "expression": long}))["createAudience"]
    assert len(made["audience"]["label"]) <= 200
    assert made["audience"]["label"].endswith("…")
    odd = {"json": {"operator": "=", "operands": [{"field": "city"}, "a\nb\u0007"]}}
    made = (await gql.ask(create, input={"name": fresh("a"), "expression": odd}))["createAudience"]
    assert made["audience"]["label"] == "City is 'ab'"
    wrong = (await gql.ask(create, input={"name": fresh("a"), "expression": {"text": "nothing = 1"}}))["createAudience"]
    assert [one["code"] for one in wrong["userErrors"]] == ["UNKNOWN_FIELD"]


async def test_a_filter_that_a_content_calls_is_known_at_the_door(house: House) -> None:
    filter_id = (await make(house, "createFilter", input={
        "name": "grown", "label": "Grown", "expression": {"text": "age >= 18"},
    }))["filter"]["id"]  # fmt: skip
    hero = {"name": "hero", "html": "<p>All</p>", "variants": [{"label": "x", "condition": "grown()", "html": "<p>Grown</p>"}]}
    content = (await make(house, "createContent", input={
        "name": fresh("content"), "label": "x", "channel": "memory", "dynamic": [hero],
        "parts": [{"name": "text", "source": "{% dynamic \"hero\" %}"}],
    }))["content"]["id"]  # fmt: skip
    version = "query ($id: ID!) { content(id: $id) { version } }"
    delete = "mutation ($id: ID!) { deleteFilter(id: $id) { userErrors { code } } }"
    update = "mutation ($input: UpdateFilterInput!) { updateFilter(input: $input) { userErrors { code } } }"
    assert (await house.gql.ask(delete, id=filter_id))["deleteFilter"]["userErrors"] == [{"code": "IN_USE"}]
    renamed = {"id": filter_id, "name": "aged"}
    assert (await house.gql.ask(update, input=renamed))["updateFilter"]["userErrors"] == [{"code": "IN_USE"}]
    await make(house, "updateFilter", input={"id": filter_id, "label": "Grown up"})
    await make(house, "updateFilter", input={"id": filter_id, "expression": {"text": "age >= 21"}})
    assert (await house.gql.ask(version, id=content))["content"]["version"] == 3

    # And a preview asks it
    ann = await create_profile(house.gql, birthDate="1990-01-01")
    read = "query ($input: PreviewInput!) { preview(input: $input) { text } }"
    assert (await house.gql.ask(read, input={"contentId": content, "profileId": ann}))["preview"]["text"].strip() == "Grown"


async def test_a_filter_that_a_delivery_calls_is_known_at_the_door(house: House) -> None:
    filter_id = (await make(house, "createFilter", input={
        "name": "coded", "label": "Coded", "expression": {"text": "age >= 18"},
    }))["filter"]["id"]  # fmt: skip
    delivery = await house.delivery()
    await make(house, "setDeliverySendingLog", input={"id": delivery, "segmentCode": {"text": "if(coded(), 'grown')"}})
    asked = "query ($id: ID!) { delivery(id: $id) { version } }"
    version = (await house.gql.ask(asked, id=delivery))["delivery"]["version"]
    delete = "mutation ($id: ID!) { deleteFilter(id: $id) { userErrors { code } } }"
    update = "mutation ($input: UpdateFilterInput!) { updateFilter(input: $input) { userErrors { code } } }"
    assert (await house.gql.ask(delete, id=filter_id))["deleteFilter"]["userErrors"] == [{"code": "IN_USE"}]
    renamed = {"id": filter_id, "name": "aged"}
    assert (await house.gql.ask(update, input=renamed))["updateFilter"]["userErrors"] == [{"code": "IN_USE"}]
    await make(house, "updateFilter", input={"id": filter_id, "expression": {"text": "age >= 21"}})
    assert (await house.gql.ask(asked, id=delivery))["delivery"]["version"] == version + 1
    await make(house, "setDeliverySendingLog", input={"id": delivery})
    await make(house, "deleteFilter", id=filter_id)


VALUE = """query ($entity: String!, $text: String!, $where: ExpressionInput, $zone: String, $values: [ParameterValueInput!]) {
  targetValue(entity: $entity, expression: {text: $text}, timeZone: $zone, parameters: $values) {
    kind text json explanation reads examination { sql cost estimate advice }
    sample(size: 3, where: $where) { empty rows { value row profile { firstName } } } } }"""


async def test_what_computes_is_explained_and_shown(gql: Gql) -> None:
    name = fresh("Montague")
    for first, city in (("Ann", "Lyon"), ("Bob", None), ("Cyd", "Nice")):
        await create_profile(gql, lastName=name, firstName=first, city=city)
    where = {"text": f"last_name = '{name}'"}
    values = [{"name": "n", "value": {"json": 2}}]
    asked = "upper(left(city, parameter('n')))"
    found = (await gql.ask(VALUE, entity="profile", text=asked, where=where, values=values))["targetValue"]
    assert (found["kind"], found["text"], found["reads"]) == ("TEXT", "upper(left(city, 2))", ["city"])
    assert found["explanation"].startswith("upper(left(City, 2)); upper(x) is in capitals")
    assert found["json"]["function"] == "upper"
    assert found["examination"]["sql"].startswith("SELECT")
    assert found["examination"]["cost"] > 0
    assert found["examination"]["advice"] == []
    assert found["sample"]["empty"] == 1
    shown = [(one["value"], one["profile"]["firstName"], one["row"]["first_name"]) for one in found["sample"]["rows"]]
    assert shown == [("LY", "Ann", "Ann"), (None, "Bob", "Bob"), ("NI", "Cyd", "Cyd")]


async def test_a_rank_is_explained_and_shown_and_refused_by_name(gql: Gql) -> None:
    name = fresh("Capulet")
    for first, born in (("Ann", "1980-01-01"), ("Bob", "1990-01-01"), ("Cyd", None)):
        await create_profile(gql, lastName=name, firstName=first, birthDate=born)
    where = {"text": f"last_name = '{name}'"}
    asked = f"rank(by birth_date desc, per last_name where last_name = '{name}')"
    found = (await gql.ask(VALUE, entity="profile", text=asked, where=where))["targetValue"]
    assert (found["kind"], found["text"], sorted(found["reads"])) == ("INTEGER", asked, ["birth_date", "last_name"])
    assert found["explanation"].startswith("the rank by Birth date descending among all with the same Last name")
    assert found["json"]["rank"] == [{"by": {"field": "birth_date"}, "desc": True}]
    assert [(one["value"], one["profile"]["firstName"]) for one in found["sample"]["rows"]] == [
        (2, "Ann"),
        (1, "Bob"),
        (None, "Cyd"),
    ]
    target = "query ($asked: ExpressionInput!) { target(expression: $asked) { count } }"
    rank = {"operator": "=", "operands": [found["json"], 1]}
    assert (await gql.ask(target, asked={"json": rank}))["target"]["count"] == 1
    wrong = {"operator": "=", "operands": [{"rank": [{"by": {"field": "gender"}}]}, 1]}
    (error,) = await gql.errors(target, asked={"json": wrong})
    assert error["extensions"]["code"] == "WRONG_TYPE"
    assert error["extensions"]["path"].endswith("/operands/0/rank/0/by/field")


async def test_days_of_a_value_are_those_of_the_zone(gql: Gql) -> None:
    name = fresh("Montague")
    await create_profile(gql, lastName=name)
    where = {"text": f"last_name = '{name}'"}
    text = "to_text(2024-06-01T23:30:00Z)"
    days = [
        (await gql.ask(VALUE, entity="profile", text=text, where=where, zone=zone))["targetValue"]["sample"]["rows"][0]["value"]
        for zone in ("UTC", "Europe/Paris")
    ]
    assert days == ["2024-06-01T23:30:00", "2024-06-02T01:30:00"]


async def test_a_field_of_every_entity_is_a_value(house: House) -> None:
    entities = (await house.gql.ask("{ targetEntities { name fields { name kind } } }"))["targetEntities"]
    for one in entities:
        for asked in one["fields"]:
            found = (await house.gql.ask(VALUE, entity=one["name"], text=asked["name"]))["targetValue"]
            assert found["kind"] == asked["kind"]
            assert found["explanation"]
            assert all(row["profile"] is None for row in found["sample"]["rows"]) or one["name"] == "profile"


@pytest.mark.parametrize(
    ("entity", "text", "where", "code", "path"),
    [
        ("profile", "lenght(city)", None, "UNKNOWN_FUNCTION", "line 1, column 1"),
        ("profile", "length(cty)", None, "UNKNOWN_FIELD", "line 1, column 8"),
        ("profile", "age +", None, "EXPRESSION_SYNTAX", "line 1, column 6"),
        ("profile", "age + city", None, "WRONG_TYPE", "line 1, column 7"),
        ("profile", "parameter('n')", None, "UNKNOWN_FUNCTION", None),
        ("nothing", "age", None, "UNKNOWN_ENTITY", "entity"),
        ("profile", "age", {"text": "age"}, "WRONG_TYPE", "line 1, column 1"),
        ("delivery", "name", {"text": "age > 3"}, "UNKNOWN_FIELD", "line 1, column 1"),
    ],
)
async def test_mistakes_in_a_value_are_told_with_their_place(
    gql: Gql, entity: str, text: str, where: Any, code: str, path: str | None
) -> None:
    (error,) = await gql.errors(VALUE, entity=entity, text=text, where=where)
    assert error["extensions"]["code"] == code
    assert path in (None, error["extensions"]["path"])
    assert error["extensions"]["hint"]


async def test_an_audience_that_a_content_asks_about_is_known_at_the_door(house: House) -> None:
    name = fresh("french")
    audience_id = (await make(house, "createAudience", input={
        "name": name, "expression": {"text": "country = 'FR'"},
    }))["audience"]["id"]  # fmt: skip
    variant = {"label": "x", "condition": f"in_audience('{name}')", "html": "<p>Bonjour</p>"}
    content = (await make(house, "createContent", input={
        "name": fresh("content"), "label": "x", "channel": "memory",
        "dynamic": [{"name": "hero", "html": "<p>Hello</p>", "variants": [variant]}],
        "parts": [{"name": "text", "source": "{% dynamic \"hero\" %}"}],
    }))["content"]["id"]  # fmt: skip
    delete = "mutation ($id: ID!) { deleteAudience(id: $id) { userErrors { code } } }"
    update = "mutation ($input: UpdateAudienceInput!) { updateAudience(input: $input) { userErrors { code } } }"
    assert (await house.gql.ask(delete, id=audience_id))["deleteAudience"]["userErrors"] == [{"code": "IN_USE"}]
    renamed = {"id": audience_id, "name": fresh("other")}
    assert (await house.gql.ask(update, input=renamed))["updateAudience"]["userErrors"] == [{"code": "IN_USE"}]
    await make(house, "updateAudience", input={"id": audience_id, "expression": {"text": "country = 'BE'"}})

    read = "query ($input: PreviewInput!) { preview(input: $input) { text } }"
    for country, text in (("BE", "Bonjour"), ("FR", "Hello")):
        person = await create_profile(house.gql, country=country)
        shown = (await house.gql.ask(read, input={"contentId": content, "profileId": person}))["preview"]
        assert shown["text"].strip() == text
    await make(house, "updateContent", input={"id": content, "dynamic": [], "parts": [{"name": "text", "source": "x"}]})
    await make(house, "deleteAudience", id=audience_id)


async def test_an_audience_that_a_delivery_names_is_known_at_the_door(house: House) -> None:
    name = fresh("french")
    audience_id = (await make(house, "createAudience", input={
        "name": name, "expression": {"text": "country = 'FR'"},
    }))["audience"]["id"]  # fmt: skip
    delivery = await house.delivery()
    code = {"text": f"if(in_audience('{name}'), 'fr', 'else')"}
    await make(house, "setDeliverySendingLog", input={"id": delivery, "segmentCode": code})
    asked = "query ($id: ID!) { audienceUses(id: $id) { kind id columns } }"
    told = (await house.gql.ask(asked, id=audience_id))["audienceUses"]
    assert told == [{"kind": "SENDING_LOG", "id": delivery, "columns": []}]
    delete = "mutation ($id: ID!) { deleteAudience(id: $id) { userErrors { code } } }"
    update = "mutation ($input: UpdateAudienceInput!) { updateAudience(input: $input) { userErrors { code } } }"
    assert (await house.gql.ask(delete, id=audience_id))["deleteAudience"]["userErrors"] == [{"code": "IN_USE"}]
    renamed = {"id": audience_id, "name": fresh("other")}
    assert (await house.gql.ask(update, input=renamed))["updateAudience"]["userErrors"] == [{"code": "IN_USE"}]
    await make(house, "setDeliverySendingLog", input={"id": delivery})
    await make(house, "updateAudience", input=renamed)
    await make(house, "deleteAudience", id=audience_id)


async def test_who_uses_an_audience_is_told_with_the_columns(house: House) -> None:
    name = fresh("vip")
    columns = [{"name": "points", "label": "Points", "expression": {"text": "id * 10"}}]
    vip = (await make(house, "createList", input={
        "name": name, "label": "x", "whom": {"expression": {"text": "id > 0"}}, "columns": columns,
    }))["audience"]["id"]  # fmt: skip
    rich = await make(house, "createAudience", input={
        "name": fresh("rich"), "label": "x", "expression": {"text": f"audience_column('{name}', 'points') > 1"},
    })  # fmt: skip
    kept = await make(house, "createFilter", input={
        "name": "known", "label": "x", "expression": {"text": f"in_audience('{name}')"},
    })  # fmt: skip
    asked = "query ($id: ID!) { audienceUses(id: $id) { kind id columns } }"
    assert (await house.gql.ask(asked, id=vip))["audienceUses"] == [
        {"kind": "AUDIENCE", "id": rich["audience"]["id"], "columns": ["points"]},
        {"kind": "FILTER", "id": kept["filter"]["id"], "columns": []},
    ]
    assert (await house.gql.ask(asked, id=rich["audience"]["id"]))["audienceUses"] == []
