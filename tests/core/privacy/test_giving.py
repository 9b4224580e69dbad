"""What people are given is theirs: also of those who have no profile, and nothing of others."""

from __future__ import annotations

from core.access import SYSTEM
from core.datamodel.records import OnDelete
from core.db import Connection, transaction
from core.privacy.records import RequestKind, RequestState
from core.profiles import visitors
from core.profiles.visitor_records import SentVisitor
from core.runtime import Runtime
from tests.core.datamodel.model import dataset, field, link, point, publish_draft
from tests.core.delivery.people import add_person
from tests.core.privacy.asking import done, given

ANN, BEA = "ann@mail.example", "bea@mail.example"


async def visit(runtime: Runtime, external_id: str, **values: str | None) -> None:
    """A visitor of whom nobody knows who they are."""
    sent = SentVisitor(external_id=external_id, values=values)
    async with transaction(runtime.pool) as conn:
        (told,) = await visitors.save_visitors(conn, SYSTEM, [sent], now=runtime.clock())
    assert told.error is None


async def test_visitors_without_a_profile_are_given_and_erased(runtime: Runtime, db: Connection) -> None:
    await visit(runtime, "own", email=ANN, first_name="Ann")
    await visit(runtime, "sent", email=BEA, first_name="Bea", referrer_email=ANN, referrer_first_name="Ann")

    request = await done(runtime, RequestKind.ACCESS, "email", ANN.title())
    assert (request.state, request.profiles_found, request.counts) == (RequestState.COMPLETE, 0, {"visitor": 2})
    data, archive = await given(runtime, db, request)
    own, sent = data["tables"]["visitor"]
    assert (own["external_id"], own["email"], own["first_name"]) == ("own", ANN, "Ann")
    assert (sent["referrer_email"], sent["referrer_first_name"]) == (ANN, "Ann")
    assert "Bea" not in str(data)
    assert "bea@" not in archive.read("tables/visitor.csv").decode()

    request = await done(runtime, RequestKind.DELETE, "email", ANN)
    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 0)
    rows = await db.fetch("SELECT external_id, email, referrer_email, referrer_first_name FROM visitor")
    assert [tuple(row) for row in rows] == [("sent", BEA, None, None)]
    again = await done(runtime, RequestKind.ACCESS, "email", ANN)
    assert again.error is not None
    assert again.error.code == "NOBODY_FOUND"


async def test_whoever_is_only_named_as_a_referrer_is_somebody_too(runtime: Runtime, db: Connection) -> None:
    await visit(runtime, "sent", email=BEA, referrer_email=ANN)
    request = await done(runtime, RequestKind.DELETE, "email", ANN)
    assert (request.state, request.counts["visitor"]) == (RequestState.COMPLETE, 1)
    assert await db.fetchval("SELECT referrer_email FROM visitor") is None


async def test_what_is_kept_by_an_address_of_two_people_is_given_to_neither_alone(runtime: Runtime, db: Connection) -> None:
    await add_person(db, ANN, external_id="A-1000", mobile_phone="+33698765432")
    await add_person(db, ANN, external_id="B-1000")
    await db.execute(
        "INSERT INTO quarantine (address_kind, address_key, status, error_text) VALUES"
        " ('email', $1, 'quarantine', 'no such user'), ('mobile', '+33698765432', 'quarantine', 'not connected')", ANN,
    )  # fmt: skip
    await visit(runtime, "whose", email=ANN)

    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "external_id", "A-1000"))
    assert [row["external_id"] for row in data["tables"]["profile"]] == ["A-1000"]
    assert [row["error_text"] for row in data["tables"]["quarantine"]] == ["not connected"]
    assert "visitor" not in data["tables"]

    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "email", ANN))
    assert len(data["tables"]["profile"]) == len(data["tables"]["quarantine"]) == 2
    assert len(data["tables"]["visitor"]) == 1


async def test_of_a_row_that_is_somebody_elses_no_more_is_given_than_the_link(runtime: Runtime, db: Connection) -> None:
    """Orders go with the customer; who has sold something is named by them."""
    await dataset(db, "order", field("note", personal=True), field("total"))
    await point(db, link("customer", on_delete=OnDelete.DELETE), "order")
    await point(db, link("seller", on_delete=OnDelete.CLEAR), "order")
    await dataset(db, "review", field("words", personal=True), field("stars"))
    await point(db, link("author", on_delete=OnDelete.CLEAR), "review")
    await publish_draft(db)
    ann, bea = await add_person(db, ANN), await add_person(db, BEA)
    add_order = "INSERT INTO x_order (x_note, x_total, x_customer_id, x_seller_id) VALUES ($1, '9', $2, $3) RETURNING id"
    hers = await db.fetchval(add_order, "to Bea's door", bea, ann)
    own = await db.fetchval(add_order, "to Ann's door", ann, ann)
    await db.execute("INSERT INTO x_review (x_words, x_stars, x_author_id) VALUES ('fine', '5', $1)", ann)

    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "email", ANN))

    whole, named = data["tables"]["x_order"]
    assert (whole["id"], whole["x_note"], whole["x_total"], whole["x_customer_id"]) == (own, "to Ann's door", "9", ann)
    assert named == {"id": hers, "x_seller_id": ann}
    (review,) = data["tables"]["x_review"]
    assert (review["x_words"], review["x_stars"]) == ("fine", "5")
