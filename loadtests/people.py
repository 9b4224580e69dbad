"""Makes files of people that look like a real customer base: many countries and scripts, and mistakes on purpose.

The same seed makes the same file. `write_people` says how many rows an import must refuse, and why.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

COLUMNS = (
    "external_id", "email", "salutation", "first_name", "middle_name", "last_name", "gender", "birth_date", "mobile_phone",
    "phone", "address_line1", "address_line2", "zip_code", "city", "country", "language", "time_zone", "email_format",
    "address_defined", "opt_out_email",
)  # fmt: skip
MORE_COLUMNS = ("state", "address_line3")
BLOCK = 5_000  # rows written at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Land:
    """Where people live and what they are called. `women` and `men` are first names."""

    country: str
    language: str
    zone: str
    phone: str  # a mobile number with # for digits
    zip_code: str
    street: str
    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]
    cities: tuple[str, ...]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LANDS: tuple[Land, ...] = (
    Land(
        country="FR", language="fr", zone="Europe/Paris", phone="+33 6 ## ## ## ##", zip_code="75###",
        street="{} rue de l'Église",
        women=_names("Chloé Zoé Léa Anaïs Inès Éloïse Hélène"), men=_names("Jérôme François Loïc Noël Rémi Benoît"),
        families=("Lefèvre", "D'Estaing", "Müller", "Gonçalves", "L'Hôpital", "Châtelain"),
        cities=("Paris", "Orléans", "Besançon"),
    ),
    Land(
        country="DE", language="de", zone="Europe/Berlin", phone="+49 151 ########", zip_code="10###",
        street="Königstraße {}",
        women=_names("Jürgena Käthe Zoë Anneliese Mia"), men=_names("Jürgen Björn Götz Günther Karl"),
        families=("Müller", "Größl", "von der Höhe", "Weiß", "Schröder"),
        cities=("Köln", "München", "Düsseldorf"),
    ),
    Land(
        country="US", language="en-US", zone="America/New_York", phone="+1 212 555 01##", zip_code="100##",
        street="{} W 4th St",
        women=_names("Emma Olivia Mary-Jane Ava"), men=_names("Liam Noah William Mason"),
        families=("O'Neil", "Smith", "Johnson", "McDonald", "Garcia, Jr."),
        cities=("New York", "Boston", "Saint Paul"),
    ),
    Land(
        country="GB", language="en-GB", zone="Europe/London", phone="+44 7400 ######", zip_code="SW1A #AA",
        street="{} High Street",
        women=_names("Siobhán Poppy Isla"), men=_names("Rhys Alfie Oliver"),
        families=("O'Brien", "Smythe-Jones", "Llywelyn"),
        cities=("London", "Leeds", "King's Lynn"),
    ),
    Land(
        country="ES", language="es", zone="Europe/Madrid", phone="+34 6## ### ###", zip_code="280##",
        street="Calle Núñez {}",
        women=_names("Lucía Begoña Sofía Ángela"), men=_names("José Íñigo Álvaro Martín"),
        families=("Núñez", "de la Peña", "Ibáñez", "García"),
        cities=("Madrid", "A Coruña", "Cádiz"),
    ),
    Land(
        country="IT", language="it", zone="Europe/Rome", phone="+39 333 #######", zip_code="001##",
        street="Via dell'Università {}",
        women=_names("Chiara Giulia Desirée"), men=_names("Nicolò Luca Andrea"),
        families=("D'Angelo", "Dell'Acqua", "Rossi"),
        cities=("Roma", "L'Aquila", "Forlì"),
    ),
    Land(
        country="PL", language="pl", zone="Europe/Warsaw", phone="+48 512 ### ###", zip_code="00-###",
        street="ul. Święta {}",
        women=_names("Małgorzata Żaneta Bożena"), men=_names("Łukasz Paweł Świętosław"),
        families=("Wiśniewska", "Dąbrowski", "Źdźbło"),
        cities=("Łódź", "Kraków", "Gdańsk"),
    ),
    Land(
        country="CZ", language="cs", zone="Europe/Prague", phone="+420 601 ### ###", zip_code="110 ##",
        street="Růžová {}",
        women=_names("Žofie Růžena Kateřina"), men=_names("Jiří Řehoř Ondřej"),
        families=("Dvořák", "Šťastná", "Němec"),
        cities=("Praha", "Plzeň", "Ústí nad Labem"),
    ),
    Land(
        country="GR", language="el", zone="Europe/Athens", phone="+30 691 #######", zip_code="105 ##",
        street="Οδός Ερμού {}",
        women=_names("Ελένη Σοφία Αικατερίνη"), men=_names("Γιώργος Νίκος Δημήτρης"),
        families=("Παπαδόπουλος", "Γεωργίου"),
        cities=("Αθήνα", "Θεσσαλονίκη"),
    ),
    Land(
        country="SA", language="ar", zone="Asia/Riyadh", phone="+966 50 ### ####", zip_code="115##",
        street="شارع الملك {}",
        women=_names("فاطمة نورة مريم"), men=_names("محمد عبدالله خالد"),
        families=("القحطاني", "العتيبي"),
        cities=("الرياض", "جدة"),
    ),
    Land(
        country="IL", language="he", zone="Asia/Jerusalem", phone="+972 50-###-####", zip_code="61###",
        street="רחוב הרצל {}",
        women=_names("נועה תמר יעל"), men=_names("דוד יוסף איתי"),
        families=("כהן", "לוי", "ז'בוטינסקי"),
        cities=("תל אביב", "חיפה"),
    ),
    Land(
        country="JP", language="ja", zone="Asia/Tokyo", phone="+81 90-####-####", zip_code="100-00##",
        street="千代田{}丁目",
        women=_names("さくら 陽子 美咲"), men=_names("太郎 健一 翔"),
        families=("佐藤", "鈴木", "髙橋"),
        cities=("東京", "大阪"),
    ),
    Land(
        country="BR", language="pt-BR", zone="America/Sao_Paulo", phone="+55 11 9####-####", zip_code="01###-000",
        street="Avenida São João {}",
        women=_names("Conceição Luíza Antônia"), men=_names("João Antônio Zé"),
        families=("da Conceição", "Araújo", "dos Anjos"),
        cities=("São Paulo", "Maceió"),
    ),
    Land(
        country="TR", language="tr", zone="Europe/Istanbul", phone="+90 532 ### ## ##", zip_code="34###",
        street="İstiklal Caddesi {}",
        women=_names("Şule İpek Çiğdem"), men=_names("Oğuz İbrahim Ümit"),
        families=("Yılmaz", "Öztürk", "Işık"),
        cities=("İstanbul", "İzmir"),
    ),
)  # fmt: skip

SPICE = ("🌸", "🎉", "👨‍👩‍👧", "🦄")  # behind some first names
DOMAINS = tuple(
    f"{name}.example" for name in ("mail", "post", "inbox", "poste", "correo", "briefe", "web", "home", "work", "club")
)
INTERNATIONAL = ("bücher.example", "пошта.example", "例え.example")

# Mistakes, and the code with which an import refuses the row; `line` is what the file holds.
MISTAKES: tuple[tuple[str, str], ...] = (
    ("WRONG_WIDTH", "short"), ("BAD_EMAIL", "address"), ("BAD_DATE", "date"), ("NO_KEY", "key"), ("BROKEN_QUOTES", "quotes"),
    ("BAD_TEXT", "nul"), ("BAD_TEXT", "bytes"), ("BAD_PHONE", "phone"), ("BAD_VALUE", "country"), ("TOO_LONG", "long"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFile:
    """A file and what an import of it must say."""

    path: Path
    rows: int
    good: int
    rejected: Counter[str]  # by code
    opted_out: int  # of the good
    without_email: int  # of the good


def write_people(
    path: Path,
    count: int,
    *,
    bad_share: float = 0.01,
    opted_out_share: float = 0.02,
    without_email_share: float = 0.0,
    seed: int = 1,
    columns: tuple[str, ...] = COLUMNS,
) -> PeopleFile:
    """A UTF-8 CSV file of `count` rows with a header; the mistakes are spread over it."""
    chance = random.Random(seed)
    rejected: Counter[str] = Counter()
    opted_out = without_email = 0
    chosen = [(*COLUMNS, *MORE_COLUMNS).index(name) for name in columns]
    with path.open("wb") as file:
        file.write(_line(list(columns)))
        for number in range(1, count + 1):
            person = make_person(number, chance)
            if bad_share and chance.random() < bad_share:
                code, kind = MISTAKES[sum(rejected.values()) % len(MISTAKES)]
                file.write(_mistake(kind, person, chosen))
                rejected[code] += 1
                continue
            if chance.random() < without_email_share:
                person[1] = ""
                without_email += 1
            if chance.random() < opted_out_share:
                person[19] = "true"
                opted_out += 1
            file.write(_line([person[index] for index in chosen]))
    return PeopleFile(
        path=path, rows=count, good=count - sum(rejected.values()), rejected=rejected, opted_out=opted_out,
        without_email=without_email,
    )  # fmt: skip


def make_person(number: int, chance: random.Random) -> list[str]:
    """The cells of one person; the number makes key and address unique."""
    land = LANDS[int(chance.random() ** 1.5 * len(LANDS))]
    woman = chance.random() < 0.5
    first = chance.choice(land.women if woman else land.men)
    if number % 97 == 0:
        first = f"{first} {chance.choice(SPICE)}"
    domain = chance.choice(INTERNATIONAL) if number % 101 == 0 else DOMAINS[number % len(DOMAINS)]
    born = date(1940, 1, 1) + timedelta(days=int(chance.random() * 24_000))
    return [
        f"C-{number:08d}",
        f"{'Person' if number % 3 else 'person'}.{number}@{domain}",
        ("Ms" if woman else "Mr") if number % 4 == 0 else "",
        first,
        chance.choice(land.men) if number % 7 == 0 else "",
        chance.choice(land.families),
        ("female" if woman else "male") if number % 9 else "",
        born.isoformat() if number % 6 else "",
        _digits(land.phone, chance),
        _digits(land.phone, chance) if number % 5 == 0 else "",
        land.street.format(number % 300 + 1),
        f"Apt {number % 40}" if number % 8 == 0 else "",
        _digits(land.zip_code, chance),
        chance.choice(land.cities),
        land.country,
        land.language,
        land.zone,
        "html" if number % 3 else "text",
        "true",
        "false",
        f"District {number % 60}",
        f"Floor {number % 12}" if number % 9 == 0 else "",
    ]


def _digits(pattern: str, chance: random.Random) -> str:
    """The pattern with digits in the place of #."""
    number = f"{chance.getrandbits(48):015d}"
    pieces = pattern.split("#")
    return (
        "".join(piece + digit for piece, digit in zip(pieces, number, strict=False))
        if len(pieces) > len(number)
        else ("".join(piece + digit for piece, digit in zip(pieces[:-1], number, strict=False)) + pieces[-1])
    )


def _line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _mistake(kind: str, person: list[str], chosen: list[int]) -> bytes:
    broken = list(person)
    change = {
        "address": (1, f"{person[3]} at home"), "date": (7, "1984-02-30"), "key": (0, ""), "phone": (8, "12"),
        "country": (14, "Atlantis"), "long": (5, "x" * 150),
    }  # fmt: skip
    if kind in change:
        index, cell = change[kind]
        broken[index] = cell
    line = _line([broken[index] for index in chosen])
    if kind == "short":
        return _line([broken[index] for index in chosen][:-3])
    if kind == "quotes":
        return b'"' + broken[0].encode() + b'" and "more' + line
    if kind == "nul":
        return line.replace(b"@", b"\x00@", 1)
    if kind == "bytes":
        return line.replace(b"@", b"\xe9\xff@", 1)
    return line
