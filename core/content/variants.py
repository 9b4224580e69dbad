"""All language variants of content, frozen together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from channels.contract import Manifest
from core.content.compile import NO_FACTS, Facts, FrozenContent, freeze
from core.content.errors import MOST_TOLD, ContentInvalid
from core.content.expansion import expand_parts
from core.content.languages import Draft, located, variants
from core.content.links.numbers import LinkNumbers
from core.content.placements import NO_FRAGMENTS, Library
from core.errors import Invalid


def freeze_variants(
    content: Draft,
    manifest: Manifest,
    *,
    label: str,
    date: datetime,
    seed: str,
    base_url: str,
    check: Callable[[FrozenContent], object],
    library: Library = NO_FRAGMENTS,
    facts: Facts = NO_FACTS,
) -> list[FrozenContent]:
    """Every variant in its final form, the default first; a link number means the same in all of them.

    `check` says whether the channel can use a variant, and raises Invalid. Raises ContentInvalid with the problems of all
    variants, those of a translation at `translations.de.parts.html:12:5`.
    """
    numbers = LinkNumbers()
    frozen: list[FrozenContent] = []
    problems: list[Invalid] = []
    for variant in variants(content):
        numbers.begin()
        try:
            one = freeze(
                variant, manifest, label=label, date=date, seed=seed, base_url=base_url, numbers=numbers, library=library,
                facts=facts,
            )  # fmt: skip
            _check(one, check, variant, manifest, library)
            frozen.append(one)
        except Invalid as error:
            translated = content.translations.get(variant.language, {})
            for problem in error.problems if isinstance(error, ContentInvalid) else (error,):
                problems.append(located(problem, variant.language, translated))
    if problems:
        raise ContentInvalid(_once(problems)[:MOST_TOLD])
    return frozen


def _check(
    frozen: FrozenContent, check: Callable[[FrozenContent], object], variant: Draft, manifest: Manifest, library: Library
) -> None:
    """Raises what `check` raises, at the places where fragments and dynamic content were written."""
    try:
        check(frozen)
    except ContentInvalid as refusal:
        expanded = expand_parts(variant.parts, variant.dynamic, manifest, library)
        raise ContentInvalid(expanded.refused(refusal.problems, frozen.parts)) from None


def _once(problems: list[Invalid]) -> list[Invalid]:
    """A part that several variants share has its problems told once."""
    return list({(problem.code, problem.path, problem.message): problem for problem in problems}.values())
