"""The headings under which editors of questions show our fields: a test sees that each has one. Fields of a team say theirs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RECORD = "Record"  # what the house knows of a row

_IDENTITY = {"Identity": "id name label"}
_HEADINGS: Mapping[str, Mapping[str, str]] = {
    "profile": {
        "Keys": "id external_id crypted_id opt_in_id",
        "Person": "first_name middle_name last_name salutation gender birth_date age thumbnail_url",
        "Contact": "email email_domain mobile_phone phone fax",
        "Postal address": (
            "address_line1 address_line2 address_line3 address_line4 zip_code city state country address_defined"
            " latitude longitude"
        ),
        "Preferences": "email_format language time_zone",
        "Refusals": "opt_out opt_out_email opt_out_mobile opt_out_phone opt_out_fax opt_out_postal opt_out_push ccpa_opt_out",
        RECORD: "created_at updated_at held_out",
    },
    "campaign": _IDENTITY,
    "delivery": _IDENTITY,
    "service": _IDENTITY,
    "purpose": _IDENTITY,
    "message": {"Outcome": "at state reason", "Sending log": "segment_code logged"},
    "reaction": {"Reaction": "at kind", "Link": "url link label category"},
    "subscription": {"Subscription": "state since expires_at origin"},
    "app_subscription": {"Device": "app platform opted_out", RECORD: "created_at"},
    "visitor": {
        "Visitor": "external_id email first_name last_name origin forward_url",
        "Referrer": "referrer_email referrer_first_name referrer_last_name referrer_comment",
        RECORD: "created_at updated_at",
    },
    "consent": {"Consent": "decision since"},
}


def headings_of(entity: str) -> Mapping[str, str]:
    """The headings of the fields of an entity of ours, by their names; of any other entity none."""
    found = _HEADINGS.get(entity, {})
    return MappingProxyType({name: heading for heading, names in found.items() for name in names.split()})
