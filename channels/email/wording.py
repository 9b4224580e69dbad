"""The words by which servers say what their codes do not. Collected from replies of real servers."""

from __future__ import annotations

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


RATE = _any(
    r"too (?:many|much|fast|quickly|frequent)",
    r"\brate\b",
    r"throttl",
    r"slow down",
    r"limits? (?:has been |was )?(?:exceeded|reached)",
    r"exceed\w* (?:\w+ ){0,6}(?:limit|rate)",
    r"limits? for how many|messages? per connection",
    r"unusual (?:rate|volume)|unexpected volume|frequency",
    r"temporarily deferred",
    r"\[tss?\d\d\]",
)

OWN_QUOTA = _any(  # of our account at the relay
    r"throttling failure",
    r"daily (?:\w+ ){0,3}(?:quota|limit)",
    r"maximum sending rate",
    r"credits exceeded",
    r"messages per (?:second|minute|hour|day) limit",
    r"relay limit exceeded|maximum messages sent per",
    r"your (?:account|plan|sending limit|messaging limit|hourly|daily)",
    r"submission quota",
)

ACCOUNT = _any(
    r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:allowed|permitted)|prohibited)",
    r"invalid credentials|verified sender identity",
    r"unable to relay|not permitted to relay|we do not relay|cannot relay",
    r"authenticat\w+ (?:is )?required|not (?:been )?authenticated|must (?:be )?authenticat",
    r"smtp authentication in|unauthenticated senders",
    r"not authori[sz]ed to (?:send|use|relay)|not allowed to (?:send|relay)|permissions? to send as",
    r"sender address rejected: not owned",
    r"email address is not verified|identities failed the check",
    r"must issue a starttls",
    r"sending paused|sending (?:is )?suspended|account (?:is |has been )?(?:under review|paused)",
)

SENDER = _any(r"\bsender\b", r"\bmail from\b", r"\bfrom address\b", r"return[- ]path", r"envelope from")

BLOCKED = _any(  # for what the message says, or for who we are
    r"\bspam|block(?:ed|list)|black ?list|\b(?:dns|r|ur)i?bl\b|banned",
    r"reputation|\bpolic(?:y|ies)\b|content",
    r"\b(?:spf|dkim|dmarc|ptr|arc)\b|reverse dns",
    r"\bvirus|malware|phish",
    r"your (?:ip|host|server|message|e-?mail)\b|\bip address\b",
)

SUPPRESSION = _any(r"suppress", r"inactive recipient")

FULL = _any(
    r"(?:mailbox|inbox|folder|account|user|recipient)\S* (?:\w+ ){0,4}?(?:over ?quota|full\b)",
    r"over ?quota|quota (?:has been |is |was )?exceeded|exceed\w* (?:\w+ ){0,4}quota|quota limit",
    r"mailbox (?:size )?limit exceeded|exceeded storage|mailbox has exceeded",
    r"out of storage|mailbox full|(?:not enough|insufficient) (?:disk |mailbox )?space|storage allocation",
)

SIZE = _any(
    r"(?:message|size|mail)\S* (?:\w+ ){0,4}?(?:too (?:big|large|long))",
    r"exceed\w* (?:\S+ ){0,5}?size|message size|maximum (?:message )?size|size limit",
)

DISABLED = _any(
    r"(?:mailbox|account|user|recipient)\S* (?:\w+ ){0,5}?"
    r"(?:disabled|inactive|suspended|deactivated|locked|expired|discontinued|closed)",
    r"(?:disabled|inactive|suspended|deactivated) (?:mailbox|account|user|recipient)",
)

NO_DOMAIN = _any(
    r"domain (?:\S+ )?(?:not found|does(?:n't| not) exist|is not valid)",
    r"(?:unknown|invalid|no such) (?:\w+ )?(?:domain|host)\b",
    r"unrouteable mail domain|unknown mail server|host (?:or domain name )?not found|null ?mx",
)

NO_USER = _any(
    r"no such (?:user|person|mailbox|address|recipient|account|local user)",
    r"(?:user|recipient|mailbox|address|addressee|account|utilisateur)\S* (?:\S+ ){0,5}?"
    r"(?:unknown|not found|not known|inconnu|no longer valid)",
    r"(?:unknown|invalid) (?:rcpt to )?(?:user|recipient|address|mailbox|local[- ]?part|account|email)",
    r"(?:user|recipient|mailbox|address|account|e-?mail)\S* (?:\S+ ){0,12}?(?:does|do|did)(?: not|n't) exist",
    r"(?:user|recipient|account|mailbox|doesn't|does not)\S* (?:\S+ ){0,3}?have an? (?:\S+ )?account",
    r"not our customer|(?:not|isn't) a (?:known |valid )(?:user|mailbox|recipient|address)",
    r"no mailbox (?:here )?(?:by|with) that name|unrouteable address",
    r"destinataire invalide|recipientnotfound|user not exist",
    r"bad (?:destination mailbox |recipient )?address syntax",
)
