"""All a channel plugin may import: manifest, programs, messages, outcomes, the gate and the network door.

Read `channel.py` first: it is the whole of what a plugin implements.
"""

from channels.contract.channel import Channel, CheckResult, ConfigProblem, Sender, Validating
from channels.contract.content import (
    ContentProblem,
    ContentRefused,
    MessageAttachment,
    MessageContent,
    Program,
    RecipientRow,
    RenderedParts,
    RenderFailure,
)
from channels.contract.gate import Gate
from channels.contract.inbound import InboundEvent, InboundEventKind, InboundRejected, InboundRequest, Polled, Polling
from channels.contract.io import ChannelIO, EgressRefused
from channels.contract.manifest import (
    CONTRACT_VERSION,
    AddressKind,
    Capabilities,
    ConfigField,
    ConfigType,
    ContentField,
    Limits,
    Manifest,
)
from channels.contract.messages import OutgoingMessage
from channels.contract.outcomes import FailureReason, Outcome, OutcomeKind

__all__ = [
    "CONTRACT_VERSION",
    "AddressKind",
    "Capabilities",
    "Channel",
    "ChannelIO",
    "CheckResult",
    "ConfigField",
    "ConfigProblem",
    "ConfigType",
    "ContentField",
    "ContentProblem",
    "ContentRefused",
    "EgressRefused",
    "FailureReason",
    "Gate",
    "InboundEvent",
    "InboundEventKind",
    "InboundRejected",
    "InboundRequest",
    "Limits",
    "Manifest",
    "MessageAttachment",
    "MessageContent",
    "Outcome",
    "OutcomeKind",
    "OutgoingMessage",
    "Polled",
    "Polling",
    "Program",
    "RecipientRow",
    "RenderFailure",
    "RenderedParts",
    "Sender",
    "Validating",
]
