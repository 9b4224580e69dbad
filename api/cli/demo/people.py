"""The demo's people: a believable file from many countries, some of it wrong on purpose. The same size gives the same file.

What is wrong is known here, so that everything the product says about the file can be checked against it.
"""

from __future__ import annotations

import csv
import io
import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

import idna

from api.cli.demo.countries import COUNTRIES, Country

SEED = 20_260_923
ID_PREFIX = "autumn-"
COLUMNS = (
    "external_id", "email", "first_name", "last_name", "salutation", "gender", "birth_date", "country", "language",
    "time_zone", "address_line1", "zip_code", "city", "mobile_phone", "opt_out", "opt_out_email",
)  # fmt: skip

PEOPLE_PER_BAD_ROW = 250
_FOLDED = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "ı": "i", "œ": "oe", "æ": "ae", "đ": "d", "'": "", " ": ""})
_WEIGHTS = [country.weight for country in COUNTRIES]
_OLDEST = date(1940, 1, 1)
_EMOJI = ("🌻", "🐈", "👩‍🚀", "🎷")


class Trait(StrEnum):
    """What will become of a person's message."""

    GOOD = "good"
    NO_ADDRESS = "no address"
    OPTED_OUT = "opted out"
    BOUNCES = "bounces"
    SHARES = "shares an address"  # with the person before


# trait → every how many people, and which of them; the first one that fits.
_RHYTHM: tuple[tuple[Trait, int, int], ...] = (
    (Trait.NO_ADDRESS, 40, 23),
    (Trait.OPTED_OUT, 50, 31),
    (Trait.SHARES, 60, 41),
    (Trait.BOUNCES, 100, 57),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One good row of the file, as a person or a spreadsheet would write it."""

    number: int
    trait: Trait
    external_id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    salutation: str
    gender: str
    birth_date: date | None
    country: str
    language: str
    time_zone: str
    address_line1: str
    zip_code: str
    city: str
    mobile_phone: str | None
    opt_out: bool
    opt_out_email: bool

    @property
    def address(self) -> str | None:
        """The address a message must go to: the domain in its ASCII form."""
        if self.email is None:
            return None
        local, _, domain = self.email.rpartition("@")
        return f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"

    @property
    def opted_out(self) -> bool:
        """Whether no email may be sent."""
        return self.opt_out or self.opt_out_email

    def row(self) -> list[str]:
        """The cells of the file."""
        return [_cell(getattr(self, name)) for name in COLUMNS]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that must be refused, with the line it stands on and the reason that must be given."""

    line: int
    code: str


def make_people(count: int, seed: int = SEED) -> list[Person]:
    """So many people, always the same ones."""
    chance = random.Random(seed)
    people: list[Person] = []
    for number in range(count):
        people.append(_person(number, chance, people[-1] if people else None))
    return people


def write_file(path: Path, people: Sequence[Person]) -> tuple[list[BadRow], int]:
    """Write the people and bad rows among them as CSV; returns the bad rows, and the size in bytes."""
    bad: list[BadRow] = []
    line = 1
    with path.open("wb") as file:
        for text, code in _rows(people):
            if code is not None:
                bad.append(BadRow(line=line, code=code))
            file.write(text)
            line += text.count(b"\n")
    return bad, path.stat().st_size


def _rows(people: Sequence[Person]) -> Iterator[tuple[bytes, str | None]]:
    """Header, people and bad rows as bytes; the latter with the code they must be refused with."""
    yield _line(COLUMNS), None
    for person in people:
        if person.number % PEOPLE_PER_BAD_ROW == 0:
            yield _spoiled(person, person.number // PEOPLE_PER_BAD_ROW)
        yield _line(person.row()), None


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _trait(number: int, previous: Person | None) -> Trait:
    for trait, every, which in _RHYTHM:
        if number % every == which:
            if trait is Trait.SHARES and (previous is None or previous.trait is not Trait.GOOD):
                return Trait.GOOD
            return trait
    return Trait.GOOD


def _person(number: int, chance: random.Random, previous: Person | None) -> Person:
    trait = _trait(number, previous)
    country = chance.choices(COUNTRIES, _WEIGHTS)[0]
    gender = chance.choices(("female", "male", "unknown"), (48, 48, 4))[0]
    given = country.female if gender == "female" or (gender == "unknown" and number % 2) else country.male
    first, first_latin = _name(chance.choice(given))
    last, last_latin = _name(chance.choice(country.families))
    city, zip_code = chance.choice(country.cities)
    everything = trait is Trait.OPTED_OUT and number % 100 == 31
    return Person(
        number=number,
        trait=trait,
        external_id=f"{ID_PREFIX}{number:07}",
        email=_email(number, trait, f"{first_latin}.{last_latin}", country, chance, previous),
        first_name=None
        if number % 90 == 45
        else f"{first} {_EMOJI[number // 70 % len(_EMOJI)]}"
        if number % 70 == 12
        else first,
        last_name=None if number % 110 == 54 else last,
        salutation={"female": "Ms", "male": "Mr", "unknown": ""}[gender],
        gender=gender,
        birth_date=None if chance.random() < 0.2 else _OLDEST + timedelta(days=chance.randrange(25_000)),
        country=country.code,
        language=country.language,
        time_zone=country.zone,
        address_line1=_address(number, country, chance),
        zip_code=zip_code,
        city=city,
        mobile_phone=_digits(country.mobile, chance) if chance.random() < 0.4 else None,
        opt_out=everything,
        opt_out_email=trait is Trait.OPTED_OUT and not everything,
    )


def _email(
    number: int, trait: Trait, name: str, country: Country, chance: random.Random, previous: Person | None
) -> str | None:
    domain = chance.choice(country.domains)
    if country.unusual_domain is not None and chance.random() < 0.03:
        domain = country.unusual_domain
    if trait is Trait.NO_ADDRESS:
        return None
    if trait is Trait.SHARES:
        assert previous is not None
        assert previous.email is not None
        return previous.email.title() if number % 120 == 41 else previous.email  # the same address, spelled otherwise
    prefix = "bounce-" if trait is Trait.BOUNCES else ""
    return f"{prefix}{name}.{number}@{domain}"


def _address(number: int, country: Country, chance: random.Random) -> str:
    street = f"{chance.choice(country.streets)} {chance.randrange(1, 200)}"
    return f"{street}\nAppartement «{number % 40}»" if number % 300 == 7 else street


def _name(text: str) -> tuple[str, str]:
    """A name, and its spelling in an address."""
    native, _, latin = text.partition("|")
    folded = unicodedata.normalize("NFKD", latin or native).lower().translate(_FOLDED)
    ascii_only = "".join(character for character in folded if character.isascii())
    return unicodedata.normalize("NFC", native), ascii_only


def _digits(pattern: str, chance: random.Random) -> str:
    return "".join(str(chance.randrange(1, 10)) if character == "#" else character for character in pattern)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _spoiled(person: Person, number: int) -> tuple[bytes, str]:
    """A row with one thing wrong, in turn, and the code it must be refused with."""
    code, spoil = _FAULTS[number % len(_FAULTS)]
    own = {"external_id": f"{ID_PREFIX}bad-{number}", "email": f"bad.{number}@mail.example"}
    return spoil(dict(zip(COLUMNS, person.row(), strict=True)) | own), code


def _with(**cells: str) -> Callable[[dict[str, str]], bytes]:
    return lambda row: _line(list((row | cells).values()))


def _in_bytes(old: bytes, new: bytes) -> Callable[[dict[str, str]], bytes]:
    return lambda row: _line(list(row.values())).replace(old, new, 1)


_FAULTS: tuple[tuple[str, Callable[[dict[str, str]], bytes]], ...] = (
    ("BAD_EMAIL", _with(email="anna(at)mail.example")),
    ("BAD_DATE", _with(birth_date="1985-02-30")),
    ("WRONG_WIDTH", lambda row: _line(list(row.values())[:-3])),
    ("BAD_VALUE", _with(country="Atlantis")),
    ("NO_KEY", _with(external_id="")),
    ("BAD_PHONE", _with(mobile_phone="call me maybe")),
    ("BROKEN_QUOTES", lambda row: b'"Anna" called "Nan",' + _line(list(row.values()))),
    ("BAD_VALUE", _with(gender="dragon")),
    ("BAD_TEXT", _in_bytes(b"@", b"\x00@")),
    ("BAD_EMAIL", _with(email="two@signs@")),
    ("BAD_TEXT", _in_bytes(b"@", b"\xe9\xff@")),  # not UTF-8
    ("TOO_LONG", _with(last_name="x" * 150)),
)
