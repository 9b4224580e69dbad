"""Keyed hashes of values that must not be told."""

from __future__ import annotations

import re

from core.secrets import new_key_text, parse_keyring

OLD, NEW = new_key_text(1), new_key_text(2)
VALUE = "email/ann@mail.example"


def test_a_keyed_hash_tells_its_key_and_nothing_of_the_value() -> None:
    made = parse_keyring(OLD).keyed_hash(VALUE, "a purpose")

    assert re.fullmatch(r"1:[0-9a-f]{32}", made)


def test_the_same_value_has_the_same_hash_under_the_same_key_and_purpose_only() -> None:
    made = parse_keyring(OLD).keyed_hash(VALUE, "a purpose")

    assert parse_keyring(OLD).keyed_hash(VALUE, "a purpose") == made
    assert parse_keyring(OLD).keyed_hash(VALUE, "another purpose") != made
    assert parse_keyring(OLD).keyed_hash(VALUE + "x", "a purpose") != made
    assert parse_keyring(new_key_text(1)).keyed_hash(VALUE, "a purpose") != made


def test_hashes_of_older_keys_are_found_the_newest_first() -> None:
    old, rotated = parse_keyring(OLD), parse_keyring(f"{NEW},{OLD}")

    assert rotated.keyed_hashes(VALUE, "a purpose") == [
        rotated.keyed_hash(VALUE, "a purpose"),
        old.keyed_hash(VALUE, "a purpose"),
    ]
    assert rotated.keyed_hash(VALUE, "a purpose", 1) == old.keyed_hash(VALUE, "a purpose")
    assert rotated.keyed_hash(VALUE, "a purpose").startswith("2:")
