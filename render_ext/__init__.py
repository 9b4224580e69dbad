"""The engine: templates compiled to programs, tracking tokens, whole messages. Knows nothing of the rest of
the project.

program = compile("Hello {{ name | default: 'friend' }}", escape="html")
program.render({"name": "Zoë"})
"""

try:
    from render_ext._buffer import dot_stuffed, retain_memory
    from render_ext._dkim import DkimSigner
    from render_ext._tokens import TokenSigner, mint, read_envelope_sender, read_message_id, verify
    from render_ext._vm import Program
except ImportError as error:  # pragma: no cover
    raise ImportError("render_ext is not built: run `pip install -e .` in the project's folder") from error
from render_ext.attachments import Attachment
from render_ext.dkim import BadDkimKey, DkimAlgorithm, DkimKey, DkimSelector, MissingDkimKey
from render_ext.email import EmailProgram, EmailRow, EmailSource, RenderedEmail
from render_ext.errors import BadAttachment, MissingAttachment, RenderError, RenderExtError, TemplateSyntaxError
from render_ext.filters.kinds import ValueKind, kinds_of
from render_ext.gsm import sms_parts
from render_ext.inspection import Call, Chain, Constant, Inspection, Operand, Reading, inspect
from render_ext.json_program import JsonProgram, JsonSource
from render_ext.limits import Limits
from render_ext.messages import MessageRow
from render_ext.partials import partials_used
from render_ext.places import Link, Variable
from render_ext.sms import RenderedSms, SmsProgram, SmsSource
from render_ext.sms_estimate import CostlyCharacter, SmsEstimate
from render_ext.template import compile
from render_ext.tokens import Identity, Token, TokenKey, TokenKind
from render_ext.version import ENGINE_VERSION
from render_ext.walk import PartialUse
from render_ext.weight import Estimate, Values, estimate

__all__ = [
    "ENGINE_VERSION",
    "Attachment",
    "BadAttachment",
    "BadDkimKey",
    "Call",
    "Chain",
    "Constant",
    "CostlyCharacter",
    "DkimAlgorithm",
    "DkimKey",
    "DkimSelector",
    "DkimSigner",
    "EmailProgram",
    "EmailRow",
    "EmailSource",
    "Estimate",
    "Identity",
    "Inspection",
    "JsonProgram",
    "JsonSource",
    "Limits",
    "Link",
    "MessageRow",
    "MissingAttachment",
    "MissingDkimKey",
    "Operand",
    "PartialUse",
    "Program",
    "Reading",
    "RenderError",
    "RenderExtError",
    "RenderedEmail",
    "RenderedSms",
    "SmsEstimate",
    "SmsProgram",
    "SmsSource",
    "TemplateSyntaxError",
    "Token",
    "TokenKey",
    "TokenKind",
    "TokenSigner",
    "ValueKind",
    "Values",
    "Variable",
    "compile",
    "dot_stuffed",
    "estimate",
    "inspect",
    "kinds_of",
    "mint",
    "partials_used",
    "read_envelope_sender",
    "read_message_id",
    "retain_memory",
    "sms_parts",
    "verify",
]
