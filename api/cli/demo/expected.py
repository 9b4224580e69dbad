"""What must come out, worked out from the people alone: whom an audience holds, who is left out of a delivery and why. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date

from api.cli.demo.people import ID_PREFIX, Person, Trait

NO_ADDRESS, OPTED_OUT = "ADDRESS_NOT_SPECIFIED", "DENYLISTED_ADDRESS"
QUARANTINED, DUPLICATE = "QUARANTINED_ADDRESS", "DUPLICATE"
NEAR = ("FR", "SA")
BORN_BEFORE = date(1960, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An audience, as text for the product and as a function for us."""

    name: str
    label: str
    expression: str
    holds: Callable[[Person], bool]


EVERYBODY = Question(
    name="everybody",
    label="Everybody of the autumn file",
    expression=f"external_id starts_with '{ID_PREFIX}' and created_at >= now - 1 day",
    holds=lambda person: True,
)
NEARBY = Question(
    name="nearby",
    label="France, Saudi Arabia, and women born before 1960",
    expression=(
        f"external_id starts_with '{ID_PREFIX}' and (country in ('FR', 'SA')"
        f" or gender = 'female' and birth_date < {BORN_BEFORE})"
    ),
    holds=lambda person: (
        person.country in NEAR
        or (person.gender == "female" and person.birth_date is not None and person.birth_date < BORN_BEFORE)
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a preparation must find."""

    targeted: int
    excluded: Counter[str]
    keys: frozenset[str]  # addresses to send to, in small letters

    @property
    def to_send(self) -> int:
        """How many messages."""
        return len(self.keys)


def expect(
    people: Sequence[Person], question: Question, *, quarantined: Collection[str] = (), left: Collection[str] = ()
) -> Expectation:
    """Apply the rules of preparation: missing address, opt-out, quarantine, duplicate, in this order.

    `quarantined` are addresses in small letters, `left` the external ids of those who unsubscribed.
    """
    members = [person for person in people if question.holds(person)]
    excluded: Counter[str] = Counter()
    by_key: dict[str, list[Person]] = {}
    for person in members:
        key = (person.address or "").lower()
        if not key:
            excluded[NO_ADDRESS] += 1
        elif person.opted_out or person.external_id in left:
            excluded[OPTED_OUT] += 1
        elif key in quarantined:
            excluded[QUARANTINED] += 1
        else:
            by_key.setdefault(key, []).append(person)
    excluded[DUPLICATE] += sum(len(sharing) - 1 for sharing in by_key.values())
    return Expectation(targeted=len(members), excluded=+excluded, keys=frozenset(by_key))


def sharing_addresses(people: Sequence[Person]) -> frozenset[str]:
    """External ids of those who share an address: whoever of them leaves, the others stay."""
    together = Counter((person.address or "").lower() for person in people)
    return frozenset(person.external_id for person in people if together[(person.address or "").lower()] > 1)


def bouncing_keys(people: Sequence[Person]) -> frozenset[str]:
    """Addresses that do not exist, in small letters."""
    return frozenset(str(person.address).lower() for person in people if person.trait is Trait.BOUNCES)
