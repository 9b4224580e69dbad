"""What authors say about the links of their content: tracking mode, label, category, campaign parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.content.links.addresses import encoded_braces
from core.content.links.campaign_parameters import NO_APPENDIX, Appendix
from core.content.records import Content, ContentDraft, LinkSettings

MIRROR = "{% mirror_url %}"
_PLAIN = LinkSettings(url="")


def address_key(url: str) -> str:
    """An address by which to compare: that of a link (entities decoded) and that of its settings, as they are written.

    The braces that an address itself has are encoded in HTML; they are the same written out in a text or in a setting.
    """
    return encoded_braces(url.strip())


@dataclass(frozen=True, slots=True)
class LinkRules:
    """What becomes of each address of a message."""

    settings: Mapping[str, LinkSettings] = field(default_factory=dict)  # by `address_key`
    appendix: Appendix = NO_APPENDIX

    @classmethod
    def of(cls, content: Content | ContentDraft) -> LinkRules:
        """Those of valid content."""
        settings = {address_key(one.url): one for one in content.links}
        return cls(settings, Appendix.of(content.campaign_parameters))

    def about(self, url: str) -> LinkSettings:
        """What is said about an address; the default where nothing is."""
        return self.settings.get(address_key(url), _PLAIN)

    def target(self, settings: LinkSettings, target: str) -> str:
        """Where a tracked link leads. Raises BadAddress (CAMPAIGN_PARAMETERS_PLACE)."""
        return self.appendix.added_to(target) if settings.campaign_parameters else target


NO_RULES = LinkRules()
