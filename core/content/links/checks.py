"""That what authors say about links can be used: settings by address, and campaign parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from channels.contract import Manifest
from core.content.data import is_storable
from core.content.errors import TemplateProblem
from core.content.links.addresses import BadAddress, examine
from core.content.links.campaign_parameters import ascii_host
from core.content.links.rewriting import LABEL_LENGTH
from core.content.links.settings import address_key
from core.content.liquid import SYSTEM_URL
from core.content.personalization import check_variables
from core.content.readable import OURS, Readable
from core.content.records import CampaignParameter, CampaignParameters, Content, ContentDraft, LinkSettings, TrackingMode
from core.content.reserved import reserved_words
from core.content.validate import compile_part
from core.errors import Invalid

MAX_SETTINGS = 1_000
LONGEST_URL = 8_000  # characters
CATEGORY_LENGTH = 64
MAX_PARAMETERS = 20
MAX_HOSTS = 100
NAME_LENGTH = 64
VALUE_LENGTH = 500
PATH = "campaign_parameters"
_LINK = "{% link 1 %}https://host.invalid/?a="


def check_links(content: Content | ContentDraft, manifest: Manifest, readable: Readable = OURS) -> Iterator[Invalid]:
    """What is wrong with link settings and campaign parameters themselves, each at its place."""
    if not manifest.capabilities.tracking:
        for path, given in (("links", content.links), (PATH, content.campaign_parameters.parameters)):
            if given:
                yield Invalid("this channel tracks no links", code="LINKS_NOT_TRACKED", path=path, hint="Leave it out.")
        return
    yield from check_settings(content.links)
    yield from check_parameters(content.campaign_parameters, content.data, [place.name for place in content.dynamic], readable)


def check_settings(links: Sequence[LinkSettings]) -> Iterator[Invalid]:
    """What is wrong with the settings themselves, whatever the content says."""
    if len(links) > MAX_SETTINGS:
        yield Invalid(f"settings for more than {MAX_SETTINGS} links", code="TOO_MANY_LINK_SETTINGS", path="links")
        return
    seen: set[str] = set()
    for index, one in enumerate(links):
        url, key = one.url.strip(), address_key(one.url)
        if not url or len(url) > LONGEST_URL or not is_storable(url):
            yield Invalid(
                f"an address has 1 to {LONGEST_URL:,} characters, and no NUL", code="BAD_LINK_SETTINGS",
                path=f"links.{index}.url", hint="Write it as it stands in the content, with & for &amp;.",
            )  # fmt: skip
        elif key in seen:
            yield Invalid(f"{url[:80]!r} was given twice", code="LINK_SETTINGS_TWICE", path=f"links.{index}.url")
        elif one.mode is TrackingMode.MIRROR and SYSTEM_URL.match(url):  # nobody could unsubscribe any more
            yield Invalid(
                f"{url[:80]!r} cannot become the mirror page", code="BAD_LINK_SETTINGS", path=f"links.{index}.mode",
                hint="Write {% mirror_url %} into the content where you want it.",
            )  # fmt: skip
        seen.add(key)
        for name, longest in (("label", LABEL_LENGTH), ("category", CATEGORY_LENGTH)):
            text = getattr(one, name)
            if text is not None and not (text.strip() and len(text) <= longest and text.isprintable()):
                yield Invalid(
                    f"a {name} is one line of 1 to {longest} characters", code="BAD_LINK_SETTINGS", path=f"links.{index}.{name}"
                )


def check_parameters(
    found: CampaignParameters, data: Mapping[str, Any], dynamic: Collection[str] = (), readable: Readable = OURS
) -> Iterator[Invalid]:
    """What is wrong with campaign parameters, each at its place; `dynamic` are the names of the dynamic content."""
    if len(found.parameters) > MAX_PARAMETERS or len(found.hosts) > MAX_HOSTS:
        message = f"there are at most {MAX_PARAMETERS} campaign parameters, for at most {MAX_HOSTS} hosts"
        yield Invalid(message, code="BAD_CAMPAIGN_PARAMETERS", path=PATH)
        return
    names: set[str] = set()
    for one in found.parameters:
        path = f"{PATH}.parameters.{one.name[:NAME_LENGTH]}"
        if one.name in names:
            yield Invalid(f"{one.name!r} was given twice", code="BAD_CAMPAIGN_PARAMETERS", path=path)
        names.add(one.name)
        if not (0 < len(one.name) <= NAME_LENGTH and one.name.isprintable()):
            message = f"a parameter's name has 1 to {NAME_LENGTH} printable characters"
            yield Invalid(message, code="BAD_CAMPAIGN_PARAMETERS", path=path, hint="For example utm_source.")
        elif len(one.value) > VALUE_LENGTH or not is_storable(one.value):
            message = f"a parameter's value has up to {VALUE_LENGTH} characters, and no NUL"
            yield Invalid(message, code="BAD_CAMPAIGN_PARAMETERS", path=path)
        else:
            yield from _check_value(one, data, dynamic, readable, path)
    for index, host in enumerate(found.hosts):
        try:
            ascii_host(host)
        except ValueError:
            yield Invalid(
                f"{host[:80]!r} is not a host", code="BAD_CAMPAIGN_PARAMETERS", path=f"{PATH}.hosts.{index}",
                hint="For example shop.example.com.",
            )  # fmt: skip


def _check_value(
    one: CampaignParameter, data: Mapping[str, Any], dynamic: Collection[str], readable: Readable, path: str
) -> Iterator[Invalid]:
    try:
        for problem in _value_problems(one, data, dynamic, readable):
            problem.path = f"{path}:{problem.line}:{problem.column}"
            yield problem
    except BadAddress as error:
        yield Invalid(error.message, code=error.code, path=path, hint=error.hint)


def _value_problems(
    one: CampaignParameter, data: Mapping[str, Any], dynamic: Collection[str], readable: Readable
) -> list[TemplateProblem]:
    """Problems of a value as a template of its own. Raises BadAddress."""
    if found := list(reserved_words(one.value, one.name)):
        return found
    examine(f"https://host.invalid/?a={one.value}")
    try:
        program = compile_part(one.name, f"{_LINK}{one.value}{{% endlink %}}", tracking=True)
    except TemplateProblem as problem:
        return [_shifted(problem)]
    return [_shifted(problem) for problem in check_variables(program.variables, data, one.name, dynamic, readable)]


def _shifted(problem: TemplateProblem) -> TemplateProblem:
    """A problem of the link that a value was compiled in, at its place in the value."""
    if problem.line == 1:
        problem.column = max(1, problem.column - len(_LINK))
    return problem
