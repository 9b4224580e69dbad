"""Names, labels and partial changes of everything that people author."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from core.authored import changed, check_label, check_name, check_version, not_found
from core.errors import Invalid, Stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Something to change."""

    name: str
    note: str | None = None


@pytest.mark.parametrize("name", ["a", "spring-sale_2", "0", "x" * 64])
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("", "For example 'spring-sale'."),
        ("Été 2030", "For example 't-2030'."),
        ("a b", "For example 'a-b'."),
        ("a\n", "For example 'a'."),
        ("x" * 65, f"For example '{'x' * 64}'."),
    ],
)
def test_a_bad_name_comes_with_a_good_one(name: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_name(name)
    assert (caught.value.code, caught.value.path, caught.value.hint) == ("BAD_NAME", "name", hint)
    check_name(hint.split("'")[1])


@pytest.mark.parametrize("label", ["", "  ", "x" * 201, "a\nb", "a\0", "\ud800"])
def test_bad_labels(label: str) -> None:
    with pytest.raises(Invalid):
        check_label(label)


def test_labels_are_in_any_script() -> None:
    check_label("Frühling – ربيع 🌷")


def test_a_change_replaces_what_it_names() -> None:
    draft = Draft(name="a", note="n")
    assert changed(draft, {}) == draft
    assert changed(draft, {"note": None}) == Draft(name="a")


@pytest.mark.parametrize(
    ("changes", "code", "hint"),
    [
        ({"nmae": "b"}, "UNKNOWN_FIELD", "Did you mean 'name'?"),
        ({"zzz": "b"}, "UNKNOWN_FIELD", "Fields: name, note."),
        ({"name": None}, "REQUIRED", "Leave it out."),
    ],
)
def test_a_wrong_change_is_told(changes: dict[str, str | None], code: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        changed(Draft(name="a"), changes)
    assert (caught.value.code, caught.value.hint) == (code, hint)


def test_versions_are_compared_only_when_asked() -> None:
    check_version("thing", 3, None)
    check_version("thing", 3, 3)
    with pytest.raises(Stale, match="at version 3, not 2"):
        check_version("thing", 3, 2)


def test_a_missing_thing_has_a_code_of_its_kind() -> None:
    error = not_found("channel account", 7)
    assert (error.code, error.message) == ("CHANNEL_ACCOUNT_NOT_FOUND", "there is no channel account 7")
