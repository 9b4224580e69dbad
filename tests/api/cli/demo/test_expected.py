"""What must come out of a delivery, worked out from the people."""

from __future__ import annotations

from dataclasses import replace

from api.cli.demo.expected import (
    DUPLICATE,
    EVERYBODY,
    NEARBY,
    NO_ADDRESS,
    OPTED_OUT,
    QUARANTINED,
    bouncing_keys,
    expect,
    sharing_addresses,
)
from api.cli.demo.people import Person, Trait, make_people

ANNA, BEN, CARL, DORA = (
    replace(person, email=f"{name}@mail.example", opt_out=False, opt_out_email=False)
    for name, person in zip(("anna", "ben", "carl", "dora"), make_people(4), strict=True)
)


def everybody(*people: Person) -> dict[str, int]:
    """The exclusions of a delivery to all of them."""
    return dict(expect(people, EVERYBODY).excluded)


def test_ordinary_people_are_all_written_to() -> None:
    """One message for each address."""
    expected = expect([ANNA, BEN], EVERYBODY)
    assert (expected.targeted, expected.to_send, expected.excluded) == (2, 2, {})
    assert expected.keys == {"anna@mail.example", "ben@mail.example"}


def test_each_reason_to_be_left_out() -> None:
    """Missing address, opt-out of either kind, quarantine, an address that somebody else has too."""
    people = [ANNA, replace(BEN, email=None), replace(CARL, opt_out=True), replace(DORA, email="ANNA@mail.example")]
    assert everybody(*people) == {NO_ADDRESS: 1, OPTED_OUT: 1, DUPLICATE: 1}
    found = expect([ANNA, BEN], EVERYBODY, quarantined={"anna@mail.example"}, left={BEN.external_id})
    assert found.excluded == {QUARANTINED: 1, OPTED_OUT: 1}
    assert found.to_send == 0


def test_only_people_who_could_be_written_to_take_an_address_from_others() -> None:
    """Who opted out does not make a duplicate of the other one at the same address."""
    assert everybody(replace(ANNA, opt_out_email=True), replace(BEN, email=ANNA.email)) == {OPTED_OUT: 1}


def test_an_audience_holds_some_of_the_people() -> None:
    """Two countries, and women born before 1960."""
    people = make_people(1_000)
    chosen = [person for person in people if NEARBY.holds(person)]
    assert expect(people, NEARBY).targeted == len(chosen)
    assert {"FR", "SA", "DE"} <= {person.country for person in chosen}
    assert all(person.gender == "female" for person in chosen if person.country not in ("FR", "SA"))


def test_who_shares_and_who_bounces() -> None:
    """Sharing is told for both; addresses that bounce are in small letters."""
    people = make_people(300)
    sharing = sharing_addresses(people)
    first = next(person for person in people if person.trait is Trait.SHARES)
    assert {first.external_id, people[first.number - 1].external_id} <= sharing
    assert people[0].external_id not in sharing
    assert len(bouncing_keys(people)) == 3
    assert all(key.startswith("bounce-") and key == key.lower() for key in bouncing_keys(people))
