"""Places on earth and how far apart they are, on a sphere of the earth's mean radius."""

from __future__ import annotations

import math
from functools import partial

from sqlalchemy import Double, Numeric, and_, cast, func, or_

from core.targeting.catalogue import Kind
from core.targeting.functions.bounds import raw, within
from core.targeting.functions.signature import (
    NUMBERS,
    POINTS,
    Argument,
    Asking,
    Family,
    Function,
    Nulls,
    Parameter,
    Sql,
)
from core.targeting.language import Scalar

RADIUS = 6371.0088  # km, the mean of the earth's (IUGG)
_FARTHEST = 20_100  # km; nothing is farther away


def _real(value: float) -> Sql:
    return raw(f"({value!r})::double precision", Double())


def _angle(value: float) -> Sql:
    """Of whichever type it is compared with, so that no column is cast and an index on it serves."""
    return raw(f"({value!r})", Numeric())


def _degrees(value: Sql, most: int) -> Sql:
    """An angle of the earth, NULL beyond it."""
    held: Sql = within(cast(value, Double()), _real(-most - 1e-9), _real(most + 1e-9))
    return held


def _parts(place: Argument) -> tuple[Sql, Sql]:
    assert place.parts is not None, "only places are taken"
    if place.where is not None and abs(place.where[0]) <= 180 and abs(place.where[1]) <= 90:
        return _real(place.where[0]), _real(place.where[1])
    longitude, latitude = place.parts
    return _degrees(longitude, 180), _degrees(latitude, 90)


def _distance(one: Argument, other: Argument) -> Sql:
    """Kilometres (`sphere_km` of the migration)."""
    distance: Sql = func.sphere_km(*_parts(one), *_parts(other), type_=Double())
    return distance


def _point(asking: Asking, longitude: Argument, latitude: Argument) -> Sql:
    return func.point(cast(longitude.sql, Double()), cast(latitude.sql, Double()))


def _distance_km(asking: Asking, one: Argument, other: Argument) -> Sql:
    return func.round(cast(_distance(one, other), Numeric()), raw("3"), type_=Numeric())


def _within_km(asking: Asking, place: Argument, center: Argument, distance: Argument) -> Sql:
    """The distance, and before it a box around the centre, which an index on the columns can serve."""
    if center.where is None or place.parts is None or distance.constant is None:
        return _distance(place, center) <= cast(distance.sql, Double())
    kilometres = float(str(distance.constant))
    box, longitude_is_bound = _box(place.parts, center.where, kilometres)
    longitude, latitude = place.parts
    # What the box leaves out need not be told apart again, only kept from failing.
    east = _held(longitude, 180) if longitude_is_bound else _degrees(longitude, 180)
    apart: Sql = func.sphere_part(east, _held(latitude, 90), *_parts(center), type_=Double())
    near = apart <= _real(_part_within(kilometres))
    if longitude_is_bound:
        return and_(*box, or_(_inner_box(place.parts, center.where, kilometres), near))
    return and_(*box, near)


def _held(value: Sql, most: int) -> Sql:
    held: Sql = func.least(func.greatest(cast(value, Double()), _real(-most)), _real(most))
    return held


def _part_within(kilometres: float) -> float:
    """What `sphere_part` is at most that near: all there is from the other side of the earth on."""
    angle = kilometres / RADIUS / 2
    return math.sin(angle) ** 2 if angle < math.pi / 2 else 2.0


def _box(parts: tuple[Sql, Sql], center: tuple[float, float], distance: float) -> tuple[list[Sql], bool]:
    """Conditions on the two, and whether they bound the longitude on both sides."""
    longitude, latitude = center
    angle = distance / RADIUS * 1.000001 + 1e-9
    high = math.degrees(angle)
    box: list[Sql] = [parts[1] >= _angle(max(latitude - high, -90 - 1e-9)), parts[1] <= _angle(min(latitude + high, 90 + 1e-9))]
    if abs(latitude) + high >= 90:
        return box, False  # a pole lies within
    wide = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(latitude)))))
    west, east = longitude - wide, longitude + wide
    if west < -180:
        return [*box, or_(parts[0] >= _angle(west + 360), parts[0] <= _angle(east))], False
    if east > 180:
        return [*box, or_(parts[0] >= _angle(west), parts[0] <= _angle(east - 360))], False
    return [*box, parts[0] >= _angle(west), parts[0] <= _angle(east)], True


def _inner_box(parts: tuple[Sql, Sql], center: tuple[float, float], distance: float) -> Sql:
    """A box whose corners are not farther away either: half of the outer one, of which nothing need be computed.

    For where the outer box contains no pole and is on one side of the date line.
    """
    longitude, latitude = center
    angle = distance / RADIUS
    high = angle * math.sqrt(0.5)
    widest = math.cos(math.radians(latitude)) * math.cos(max(0.0, abs(math.radians(latitude)) - high))
    left = max(0.0, math.sin(angle / 2) ** 2 * 0.999999 - math.sin(high / 2) ** 2)  # a little less: floats
    wide = math.degrees(2 * math.asin(math.sqrt(min(left / widest, 1.0))))
    high = math.degrees(high)
    return and_(
        parts[1] >= _angle(latitude - high), parts[1] <= _angle(latitude + high),
        parts[0] >= _angle(longitude - wide), parts[0] <= _angle(longitude + wide),
    )  # fmt: skip


def _refuse_distance(value: Scalar) -> str | None:
    fits = not isinstance(value, str) and 0 < float(str(value)) <= _FARTHEST
    return None if fits else f"a number of kilometres up to {_FARTHEST}"


_PLACE = Parameter(name="place", takes=POINTS)
_OTHER = Parameter(name="other", takes=POINTS)
_DISTANCE = Parameter(name="km", takes=NUMBERS, constant=True, refuse=_refuse_distance)
_of_place = partial(Function, family=Family.PLACES)

PLACES = (
    _of_place(
        name="point",
        parameters=tuple(Parameter(name=name, takes=NUMBERS, plain=True) for name in ("longitude", "latitude")),
        gives=Kind.POINT, build=_point, label="a place; its longitude comes first, as in the fields of the data model",
        example="distance_km(point(longitude, latitude), point(2.35, 48.86)) < 30",
    ),
    _of_place(
        name="distance_km", parameters=(_PLACE, _OTHER), gives=Kind.DECIMAL,
        build=_distance_km,
        label="kilometres between two places, to the metre; none beyond ±180 and ±90 degrees", formerly=("Distance",),
        example="distance_km(point(longitude, latitude), point(2.35, 48.86)) < 30", nulls=Nulls.PARTIAL, uses=3,
    ),
    _of_place(
        name="within_km", parameters=(_PLACE, _OTHER, _DISTANCE), gives=Kind.BOOLEAN, build=_within_km,
        nulls=Nulls.PARTIAL, uses=5,
        label="whether two places are that near; an index on its two fields, or on a place of yours, helps where the other is"
        " written down",
        example="within_km(point(longitude, latitude), point(2.35, 48.86), 30)",
    ),
)  # fmt: skip
