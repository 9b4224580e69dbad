"""What can be asked about: entities, their fields and their links, as data naming tables and columns.

A profile's fields are those of `core.profiles.fields`, and those that a team has published; what it was sent and what it did
are views of the tables of rooms further down (migration 0021). A test compares the catalogue with the real schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType

from channels.contract import FailureReason
from core.profiles.fields import FIELDS, Field, FieldType
from core.profiles.visitor_records import SAID as SAID_OF_VISITORS
from core.targeting.headings import headings_of


class Kind(StrEnum):
    """What a value is."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"
    ENUMERATION = "enumeration"
    POINT = "point"
    JSON = "json"
    UUID = "uuid"


class Writing(Enum):
    """How a text column is kept, and so how a value is written before the two are compared."""

    FREE = "free"  # as people typed it: compared without case
    EXACT = "exact"  # compared as it is: keys and ids
    UPPER = "upper"  # kept in capitals: country codes
    EMAIL = "email"  # kept as the normalised address
    DOMAIN = "domain"  # kept as a lower-case ASCII domain
    PHONE = "phone"  # kept as E.164


class Derived(Enum):
    """Fields that are computed from their column."""

    AGE = "age"  # whole years from a birth date to the day of evaluation
    HELD_OUT = "held_out"  # whether the number is one of those that are held back from all deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueField:
    """One field. `column` is the column that answers; `values` are an enumeration's names and what is stored for them."""

    name: str
    label: str
    kind: Kind
    column: str
    nullable: bool = True
    writing: Writing = Writing.FREE
    values: Mapping[str, int | str] = field(default_factory=lambda: MappingProxyType({}))
    derived: Derived | None = None
    unique: bool = False  # no two rows have the same
    category: str | None = None  # the heading under which editors of questions show it


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """Where the pairs of a link between many and many lie."""

    table: str
    near: str  # the column that holds the key of the row that one comes from
    far: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueLink:
    """A way from the rows of an entity to those of another."""

    name: str
    label: str
    target: str  # the other entity's name
    many: bool  # one row may have several there
    on: tuple[tuple[str, str], ...]  # columns here and there that are equal
    only: tuple[tuple[str, int], ...] = ()  # what columns there must hold besides
    back: str | None = None  # the name of the way back
    pairs: PairTable | None = None
    unique: bool = True  # of a way to one: nothing but the data could make it several
    sound: bool = False  # of a way to many: each of them has the row that one comes from


@dataclass(frozen=True, slots=True, kw_only=True)
class Strictest:
    """Of rows in which people agree and refuse, one counts where several profiles are one person: a refusal before an
    agreement, until the person agrees later than that. All are names of columns, or words that one holds."""

    about: str  # what is spoken about
    word: str  # what was said, at `since`
    agreed: str
    refused: tuple[str, ...]
    ends: str | None = None  # until when it is agreed

    @property
    def columns(self) -> tuple[str, ...]:
        """What tells which counts."""
        return self.about, self.word, "since", *((self.ends,) if self.ends is not None else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Something with rows of its own; `key` is the column that identifies one, `time` the field that says when it was."""

    name: str
    label: str
    table: str
    key: str
    fields: Mapping[str, CatalogueField]
    links: Mapping[str, CatalogueLink] = field(default_factory=lambda: MappingProxyType({}))
    time: str | None = None
    single: bool = True  # whether no two rows have one key; a message's and a subscription's is only of one person's
    columns: tuple[str, ...] = ()  # that links need, besides those of the fields
    strictest: Strictest | None = None  # which row of a person counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All entities by name."""

    entities: Mapping[str, Entity]
    merged: bool = False  # whether there are profiles that are merged into others, whose rows are read as the others'


_KINDS: Mapping[FieldType, tuple[Kind, Writing]] = {
    FieldType.TEXT: (Kind.TEXT, Writing.FREE),
    FieldType.EMAIL: (Kind.TEXT, Writing.EMAIL),
    FieldType.PHONE: (Kind.TEXT, Writing.PHONE),
    FieldType.COUNTRY: (Kind.TEXT, Writing.UPPER),
    FieldType.LANGUAGE: (Kind.TEXT, Writing.FREE),
    FieldType.TIME_ZONE: (Kind.TEXT, Writing.FREE),
    FieldType.URL: (Kind.TEXT, Writing.FREE),
    FieldType.DATE: (Kind.DATE, Writing.FREE),
    FieldType.BOOLEAN: (Kind.BOOLEAN, Writing.FREE),
    FieldType.NUMBER: (Kind.DECIMAL, Writing.FREE),
    FieldType.ENUMERATION: (Kind.ENUMERATION, Writing.FREE),
    FieldType.INTEGER: (Kind.INTEGER, Writing.FREE),
    FieldType.INSTANT: (Kind.INSTANT, Writing.FREE),
    FieldType.UUID: (Kind.UUID, Writing.FREE),
}
_COLUMNS = {"email": "email_key"}  # where it is not the field's name
_WRITINGS = {"email_domain": Writing.DOMAIN}

AGE = CatalogueField(name="age", label="Age in years", kind=Kind.INTEGER, column="birth_date", derived=Derived.AGE)

HELD_OUT = CatalogueField(
    name="held_out", label="Held back from all deliveries", kind=Kind.BOOLEAN, column="id", nullable=False,
    derived=Derived.HELD_OUT,
)  # fmt: skip


def _of_profile(field: Field) -> CatalogueField:
    kind, writing = _KINDS[field.type]
    choices: Iterable[IntEnum] = field.values or ()
    return CatalogueField(
        name=field.name,
        label=field.label,
        kind=kind,
        column=_COLUMNS.get(field.name, field.name),
        nullable=not field.required,
        writing=_WRITINGS.get(field.name, Writing.EXACT if field.unique else writing),
        values=MappingProxyType({value.name.lower(): value.value for value in choices}),
    )


def entity(
    name: str,
    label: str,
    *,
    table: str,
    key: str,
    fields: Iterable[CatalogueField],
    links: Iterable[CatalogueLink] = (),
    time: str | None = None,
    columns: Iterable[str] = (),
    single: bool = True,
    strictest: Strictest | None = None,
) -> Entity:
    """An entity with its fields and links by name; ours have their fixed headings."""
    headings = headings_of(name)
    named = {one.name: replace(one, category=headings.get(one.name, one.category)) for one in fields}
    return Entity(
        name=name, label=label, table=table, key=key, time=time, columns=tuple(columns), single=single, strictest=strictest,
        fields=MappingProxyType(named),
        links=MappingProxyType({link.name: link for link in links}),
    )  # fmt: skip


def _id_name_label(label: str) -> Iterable[CatalogueField]:
    yield CatalogueField(name="id", label=f"{label} number", kind=Kind.INTEGER, column="id", nullable=False, unique=True)
    yield CatalogueField(
        name="name", label="Name", kind=Kind.TEXT, column="name", nullable=False, writing=Writing.EXACT, unique=True
    )  # fmt: skip
    yield CatalogueField(name="label", label="Label", kind=Kind.TEXT, column="label", nullable=False)


def _stored_name(name: str, label: str, *names: str) -> CatalogueField:
    """An enumeration that is stored by its names."""
    values = MappingProxyType({one: one for one in names})
    return CatalogueField(name=name, label=label, kind=Kind.ENUMERATION, column=name, nullable=False, values=values)


def _to_facts(name: str, label: str, target: str, **only: int) -> CatalogueLink:
    return CatalogueLink(
        name=name, label=label, target=target, many=True, on=(("id", "profile_id"),), only=tuple(only.items()), back="profile"
    )


def _to_one(name: str, label: str, column: str) -> CatalogueLink:
    return CatalogueLink(name=name, label=label, target=name, many=False, on=((column, "id"),))


# As `core.delivery` and `core.tracking` count them; tests hold them together.
MESSAGE_STATES: Mapping[str, int] = MappingProxyType(
    {
        "excluded": 0, "pending": 1, "claimed": 2, "handed_over": 3, "accepted": 4, "failed": 5, "unknown": 6,
        "withdrawn": 7, "expired": 8, "cancelled": 9,
    }
)  # fmt: skip
REACTION_KINDS: Mapping[str, int] = MappingProxyType({"click": 1, "open": 2, "unsubscribe": 3, "mirror": 6})

PROFILE = entity(
    "profile",
    "Profile",
    table="profile",
    key="id",
    fields=(*(_of_profile(field) for field in FIELDS.values() if field.type in _KINDS), AGE, HELD_OUT),
    links=(
        _to_facts("messages", "What was to be sent, whatever became of it", "message"),
        _to_facts("received", "Messages that were accepted", "message", state=MESSAGE_STATES["accepted"]),
        _to_facts("reactions", "What people did with messages", "reaction"),
        _to_facts("opens", "Openings, machines' left out", "reaction", kind=REACTION_KINDS["open"]),
        _to_facts("clicks", "Clicks, machines' left out", "reaction", kind=REACTION_KINDS["click"]),
        _to_facts("unsubscribes", "Unsubscriptions by link", "reaction", kind=REACTION_KINDS["unsubscribe"]),
        _to_facts("subscriptions", "Subscriptions to services", "subscription"),
        _to_facts("app_subscriptions", "Devices that apps may send to", "app_subscription"),
        _to_facts("visitors", "Visits of forms and pages", "visitor"),
        CatalogueLink(
            name="referred_visitors",
            label="Visitors whom the person sent",
            target="visitor",
            many=True,
            on=(("id", "referrer_id"),),
            back="referrer",
        ),
        _to_facts("consents", "What was said to purposes", "consent"),
    ),
    columns=("merged_into",),
)
CAMPAIGN = entity("campaign", "Campaign", table="campaign", key="id", fields=_id_name_label("Campaign"))
DELIVERY = entity(
    "delivery",
    "Delivery",
    table="delivery",
    key="id",
    fields=_id_name_label("Delivery"),
    links=(_to_one("campaign", "Campaign", "campaign_id"),),
)
MESSAGE = entity(
    "message",
    "Message",
    table="message",
    key="delivery_id",
    fields=(
        CatalogueField(name="at", label="When its state was reached", kind=Kind.INSTANT, column="at"),
        CatalogueField(
            name="state", label="State", kind=Kind.ENUMERATION, column="state", nullable=False, values=MESSAGE_STATES
        ),
        CatalogueField(
            name="reason", label="Reason", kind=Kind.ENUMERATION, column="reason", nullable=False,
            values=MappingProxyType({reason.name.lower(): reason.value for reason in FailureReason}),
        ),
        CatalogueField(name="segment_code", label="Code of the recipient's segment", kind=Kind.TEXT, column="segment_code"),
        CatalogueField(name="logged", label="Fields that the sending log kept", kind=Kind.JSON, column="logged"),
    ),
    links=(_to_one("profile", "Profile", "profile_id"), _to_one("delivery", "Delivery", "delivery_id")),
    time="at",
    single=False,
)  # fmt: skip
REACTION = entity(
    "reaction",
    "Reaction",
    table="reaction",
    key="position",
    fields=(
        CatalogueField(name="at", label="When", kind=Kind.INSTANT, column="at", nullable=False),
        CatalogueField(name="kind", label="Kind", kind=Kind.ENUMERATION, column="kind", nullable=False, values=REACTION_KINDS),
        CatalogueField(name="url", label="Address clicked, as it was written", kind=Kind.TEXT, column="url"),
        CatalogueField(name="link", label="Number of the link in its delivery", kind=Kind.INTEGER, column="link"),
        CatalogueField(name="label", label="Label of the link", kind=Kind.TEXT, column="label"),
        CatalogueField(name="category", label="Category of the link", kind=Kind.TEXT, column="category"),
    ),
    links=(_to_one("profile", "Profile", "profile_id"), _to_one("delivery", "Delivery", "delivery_id")),
    time="at",
)

SERVICE = entity("service", "Service", table="service", key="id", fields=_id_name_label("Service"))
SUBSCRIPTION = entity(
    "subscription",
    "Subscription",
    table="subscription",
    key="service_id",
    fields=(
        _stored_name("state", "State", "pending", "active", "unsubscribed", "expired"),
        CatalogueField(name="since", label="Since when", kind=Kind.INSTANT, column="since", nullable=False),
        CatalogueField(name="expires_at", label="When it ends by itself", kind=Kind.INSTANT, column="expires_at"),
        CatalogueField(name="origin", label="Origin", kind=Kind.TEXT, column="origin", nullable=False),
    ),
    links=(_to_one("profile", "Profile", "profile_id"), _to_one("service", "Service", "service_id")),
    time="since",
    single=False,
    strictest=Strictest(about="service_id", word="state", agreed="active", refused=("unsubscribed",), ends="expires_at"),
)
APP_SUBSCRIPTION = entity(
    "app_subscription",
    "Subscription to an app",
    table="app_subscription",
    key="id",
    fields=(
        CatalogueField(name="app", label="App", kind=Kind.TEXT, column="app", nullable=False, writing=Writing.EXACT),
        _stored_name("platform", "Platform", "ios", "android", "web"),
        CatalogueField(name="opted_out", label="Refuses messages", kind=Kind.BOOLEAN, column="opted_out", nullable=False),
        CatalogueField(name="created_at", label="Since when", kind=Kind.INSTANT, column="created_at", nullable=False),
    ),
    links=(_to_one("profile", "Profile", "profile_id"),),
    time="created_at",
)
VISITOR = entity(
    "visitor",
    "Visitor",
    table="visitor",
    key="id",
    fields=(
        CatalogueField(
            name="external_id", label="Id of the page", kind=Kind.TEXT, column="external_id", nullable=False,
            writing=Writing.EXACT, unique=True,
        ),
        *(replace(_of_profile(one), column=one.name) for one in SAID_OF_VISITORS.values()),
        CatalogueField(name="created_at", label="Since when", kind=Kind.INSTANT, column="created_at", nullable=False),
        CatalogueField(name="updated_at", label="Changed", kind=Kind.INSTANT, column="updated_at", nullable=False),
    ),
    links=(
        _to_one("profile", "Profile", "profile_id"),
        CatalogueLink(name="referrer", label="Referrer", target="profile", many=False, on=(("referrer_id", "id"),)),
    ),
    time="created_at",
)  # fmt: skip
PURPOSE = entity("purpose", "Purpose", table="consent_purpose", key="id", fields=_id_name_label("Purpose"))
CONSENT = entity(
    "consent",
    "Consent to a purpose",
    table="purpose_consent",
    key="purpose_id",
    fields=(
        _stored_name("decision", "Decision", "granted", "refused", "withdrawn"),
        CatalogueField(name="since", label="Since when", kind=Kind.INSTANT, column="since", nullable=False),
    ),
    links=(_to_one("profile", "Profile", "profile_id"), _to_one("purpose", "Purpose", "purpose_id")),
    time="since",
    single=False,
    strictest=Strictest(about="purpose_id", word="decision", agreed="granted", refused=("refused", "withdrawn")),
)

OURS = (PROFILE, CAMPAIGN, DELIVERY, MESSAGE, REACTION, SERVICE, SUBSCRIPTION, APP_SUBSCRIPTION, VISITOR, PURPOSE, CONSENT)
CATALOGUE = Catalogue(entities=MappingProxyType({one.name: one for one in OURS}))
