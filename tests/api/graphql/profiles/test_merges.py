"""Duplicates, merges and histories through GraphQL."""

from __future__ import annotations

from tests.api.gql import Gql, create_profile, fresh

PREVIEW = """query ($input: MergeInput!) { mergePreview(input: $input) {
  fields { field value profileId changed conflict values { profileId value } } broughtIds messages events
  warnings { code message deliveryId } } }"""
MERGE = """mutation ($input: MergeInput!) { mergeProfiles(input: $input) {
  merge { id survivor { id firstName lastName mergedIds } mergedIds mergedBy undoneAt }
  userErrors { code message path hint } } }"""
UNDO = """mutation ($id: ID!) { undoMerge(id: $id) {
  merge { id undoneAt survivor { id mergedIds } } kept lost { profileId field } userErrors { code message path } } }"""
GET = "query ($id: ID!) { profile(id: $id) { id gender quarantine { addressKind address status } } }"


async def test_duplicates_are_found_merged_and_separated(gql: Gql) -> None:
    # Given two profiles with one email, which is in quarantine
    email = f"{fresh('twin')}@shop.example"
    ann = await create_profile(gql, email=email, firstName="Ann", gender="FEMALE")
    bea = await create_profile(gql, email=email.upper(), firstName="Bea", lastName="Lee", gender="MALE")
    await gql.do(
        "mutation ($in: QuarantineInput!) { quarantineAddresses(input: $in) { entries { address } userErrors { code } } }",
        **{"in": {"addresses": [email]}},
    )

    # When duplicates are asked for
    found = await gql.ask(
        """query { duplicateProfiles(rules: [["email", "country"], ["email"]], first: 20) {
             totalCount nodes { rule size profileIds profiles { id firstName } } } }"""
    )
    group = next(one for one in found["duplicateProfiles"]["nodes"] if ann in one["profileIds"])
    assert group == {
        "rule": 1, "size": 2, "profileIds": [ann, bea],
        "profiles": [{"id": ann, "firstName": "Ann"}, {"id": bea, "firstName": "Bea"}],
    }  # fmt: skip

    # Then a preview tells what would be, and writes nothing
    sent = {"survivorId": ann, "mergedIds": [bea], "rules": [{"field": "first_name", "rule": "OTHER"}]}
    preview = (await gql.ask(PREVIEW, input=sent))["mergePreview"]
    fields = {one["field"]: one for one in preview["fields"]}
    assert fields["first_name"] == {
        "field": "first_name", "value": "Bea", "profileId": bea, "changed": True, "conflict": True,
        "values": [{"profileId": ann, "value": "Ann"}, {"profileId": bea, "value": "Bea"}],
    }  # fmt: skip
    assert (fields["gender"]["value"], fields["gender"]["conflict"]) == ("FEMALE", True)
    assert (preview["messages"], preview["events"], preview["warnings"], preview["broughtIds"]) == (0, 0, [], [])

    # And once merged, either id is answered by the survivor
    merge = (await gql.do(MERGE, input=sent))["merge"]
    assert merge["survivor"] == {"id": ann, "firstName": "Bea", "lastName": "Lee", "mergedIds": [bea]}
    for asked in (ann, bea):
        one = (await gql.ask(GET, id=asked))["profile"]
        assert one["id"] == ann
        assert one["quarantine"] == [{"addressKind": "EMAIL", "address": email.lower(), "status": "QUARANTINE"}]
    listed = await gql.ask("query ($id: ID) { profileMerges(profileId: $id) { nodes { id } } }", id=bea)
    assert listed["profileMerges"]["nodes"] == [{"id": merge["id"]}]
    (error,) = await gql.refused(MERGE, input=sent)
    assert (error["code"], error["path"]) == ("ALREADY_MERGED", "mergedIds.0")
    history = await gql.ask("query ($id: ID!) { profileHistory(profileId: $id) { nodes { kind } } }", id=bea)
    assert history["profileHistory"]["nodes"] == []

    # And separated again they are two
    undone = await gql.do(UNDO, id=merge["id"])
    assert (undone["kept"], undone["lost"], undone["merge"]["survivor"]["mergedIds"]) == ([], [], [])
    assert (await gql.ask(GET, id=bea))["profile"]["id"] == bea
    (error,) = await gql.refused(UNDO, id=merge["id"])
    assert error["code"] == "ALREADY_UNDONE"


async def test_a_rule_that_makes_no_sense_says_where(gql: Gql) -> None:
    ann, bea = [await create_profile(gql, firstName=name) for name in ("Ann", "Bea")]
    sent = {"survivorId": ann, "mergedIds": [bea], "rules": [{"field": "opt_out", "rule": "SURVIVOR"}]}

    (error,) = await gql.refused(MERGE, input=sent)

    assert (error["code"], error["path"]) == ("RULE_NOT_ALLOWED", "rules.0")
    assert await gql.code(PREVIEW, input=sent) == "RULE_NOT_ALLOWED"
    assert await gql.code('{ duplicateProfiles(rules: [["emial"]]) { nodes { size } } }') == "UNKNOWN_KEY"
