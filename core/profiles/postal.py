"""The address block of a letter (feature map 2.05): up to six lines, the name first, zip code and city last. Pure."""

from __future__ import annotations

from core.profiles.records import Profile


def postal_lines(profile: Profile) -> tuple[str, ...]:
    """The lines that have something on them."""
    name = _joined(profile.salutation, profile.first_name, profile.middle_name, profile.last_name)
    street = (profile.address_line1, profile.address_line2, profile.address_line3, profile.address_line4)
    place = _joined(profile.zip_code, profile.city)
    return tuple(line for line in (name, *street, place) if line)


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)
