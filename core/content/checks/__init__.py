"""What is checked beyond syntax and names, each by a small function: `CHECKS` and `CONTENT_CHECKS` are the lists.

A check looks at one part, or at the whole content, and yields what it finds with its place, its level and what to do. Errors
refuse a save; warnings do not. To add one, write the function and list it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from core.content.checks.ampersands import misread_ampersands
from core.content.checks.comparisons import failing_comparisons
from core.content.checks.counts import failing_counts, failing_loops, roundless_loops
from core.content.checks.filters import failing_filters
from core.content.checks.images import embedded_images, images_of_personal_hosts, images_without_alt, images_without_source
from core.content.checks.keys import unknown_keys
from core.content.checks.link_addresses import empty_links, private_hosts, relative_links
from core.content.checks.link_labels import links_without_label
from core.content.checks.link_values import twice_encoded
from core.content.checks.loops import heavy_loops, unbounded_loops
from core.content.checks.markup import unclosed_markup
from core.content.checks.part import CheckedContent, CheckedPart
from core.content.checks.schemes import script_addresses, unusable_schemes
from core.content.checks.size import clipped_html, large_messages
from core.content.checks.subject import empty_subject, long_subject, subject_characters
from core.content.checks.unsubscribe import no_unsubscribe_link
from core.content.checks.values import nullable_fields, unused_names
from core.content.records import ContentWarning, WarningLevel

Check = Callable[[CheckedPart], Iterable[ContentWarning]]
MOST_OF_ONE = 20  # that one check tells about one part: the rest is for after these are mended

# Those that may refuse a save.
REFUSING: tuple[Check, ...] = (
    failing_filters,
    failing_comparisons,
    failing_loops,
    heavy_loops,
    script_addresses,
)

CHECKS: tuple[Check, ...] = (
    *REFUSING,
    failing_counts,
    nullable_fields,
    unbounded_loops,
    roundless_loops,
    unused_names,
    unknown_keys,
    empty_subject,
    long_subject,
    subject_characters,
    no_unsubscribe_link,
    unclosed_markup,
    empty_links,
    relative_links,
    unusable_schemes,
    private_hosts,
    links_without_label,
    twice_encoded,
    misread_ampersands,
    images_without_alt,
    images_without_source,
    images_of_personal_hosts,
    embedded_images,
    clipped_html,
)

CONTENT_CHECKS: tuple[Callable[[CheckedContent], Iterable[ContentWarning]], ...] = (large_messages,)


def errors(content: CheckedContent) -> Iterator[ContentWarning]:
    """What refuses a save, in the order of the parts. Only for content without other errors."""
    for part in content.parts:
        for check in REFUSING:
            yield from islice((one for one in check(part) if one.level is WarningLevel.ERROR), MOST_OF_ONE)
    for whole in CONTENT_CHECKS:
        yield from (one for one in whole(content) if one.level is WarningLevel.ERROR)


def findings(content: CheckedContent) -> Iterator[ContentWarning]:
    """All that the checks tell, in the order of the parts. Only for content without other errors."""
    for part in content.parts:
        for check in CHECKS:
            yield from islice(check(part), MOST_OF_ONE)
    for whole in CONTENT_CHECKS:
        yield from whole(content)
