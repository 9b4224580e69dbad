"""Proofs of erasure: what was erased, how much and when, signed, without a word that names anybody."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from core.access import Actor, Permission, require
from core.db import Connection
from core.privacy.records import PrivacyRequest
from core.privacy.store import requests as store
from core.secrets import Keyring

PURPOSE = "erasure-proof"
VERSION = 1


def make_proof(
    keyring: Keyring, request: PrivacyRequest, counts: Mapping[str, int], quoted: Mapping[str, int], now: datetime
) -> dict[str, Any]:
    """The proof of a deletion: an HMAC-SHA256 over its other members, in the order of their names, is its signature."""
    proof = {
        "version": VERSION,
        "request_id": request.id,
        "request_hash": request.value_hash,
        "namespace": request.namespace,
        "regulation": request.regulation.value,
        "requested_at": request.created_at.isoformat(),
        "completed_at": now.isoformat(),
        "profiles": request.profiles_found or 0,
        "erased": dict(counts),
        "quoted_by_authors": dict(quoted),
        "key_id": keyring.newest.key_id,
    }
    return {**proof, "signature": _signature(keyring.newest.derive(PURPOSE), proof)}


async def verify_proof(conn: Connection, actor: Actor, keyring: Keyring, proof: Mapping[str, Any]) -> bool:
    """Whether this installation made the proof, nobody has altered it, and it is that of its request."""
    require(actor, Permission.PRIVACY)
    key = keyring.by_id.get(proof["key_id"]) if isinstance(proof.get("key_id"), int) else None
    request_id, signature = proof.get("request_id"), proof.get("signature")
    if key is None or not isinstance(signature, str) or not isinstance(request_id, int):
        return False
    said = {name: value for name, value in proof.items() if name != "signature"}
    if not hmac.compare_digest(_signature(key.derive(PURPOSE), said).encode(), signature.encode("utf-8", "replace")):
        return False
    found = await store.get_requests(conn, [request_id])
    return bool(found) and found[0].proof == dict(proof)


def _signature(key: bytes, said: Mapping[str, Any]) -> str:
    return hmac.new(key, msgspec.json.encode(said, order="sorted"), hashlib.sha256).hexdigest()
