"""Who is acting and what they may do. Roles follow the feature map (1.35); permissions are what operations ask for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.errors import Forbidden


class Permission(StrEnum):
    """What an operation may require."""

    ADMINISTER = "administer"  # tokens, channel accounts, settings, audit
    MODEL_DATA = "model_data"
    READ = "read"  # everything but secrets and audit
    EDIT = "edit"  # profiles, audiences, content, campaigns, deliveries as drafts
    IMPORT = "import"
    EXPORT = "export"
    PREPARE = "prepare"
    START = "start"
    AUTOMATE = "automate"  # workflows
    PRIVACY = "privacy"  # what is kept of somebody, as a whole, and its end
    PREFERENCES = "preferences"  # what people agreed to, by their own links: all that a public front end needs


class Role(StrEnum):
    """Roles of the feature map, 1.35."""

    ADMINISTRATION = "administration"
    DATAMODEL = "datamodel"
    EXPORT = "export"
    GENERIC_IMPORT = "generic_import"
    PREPARE_DELIVERIES = "prepare_deliveries"
    START_DELIVERIES = "start_deliveries"
    WORKFLOW = "workflow"
    PRIVACY = "privacy"  # ours: whoever answers for data protection


_EVERYONE = frozenset({Permission.READ, Permission.EDIT, Permission.PREFERENCES})

ROLES: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATION: frozenset(Permission),
    Role.DATAMODEL: _EVERYONE | {Permission.MODEL_DATA},
    Role.EXPORT: _EVERYONE | {Permission.EXPORT},
    Role.GENERIC_IMPORT: _EVERYONE | {Permission.IMPORT},
    Role.PREPARE_DELIVERIES: _EVERYONE | {Permission.PREPARE},
    Role.START_DELIVERIES: _EVERYONE | {Permission.START},
    Role.WORKFLOW: _EVERYONE | {Permission.AUTOMATE},
    Role.PRIVACY: _EVERYONE | {Permission.PRIVACY},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a token, or the house itself."""

    name: str  # "token:3", "system"
    permissions: frozenset[Permission]
    label: str = ""
    token_id: int | None = None
    request_id: str | None = None


SYSTEM = Actor(name="system", permissions=frozenset(Permission), label="Clarion itself")


def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    """What the roles allow together; roles add up."""
    return frozenset().union(*(ROLES[role] for role in roles)) if roles else frozenset()


def require(actor: Actor, permission: Permission) -> None:
    """Raises Forbidden when the actor lacks the permission."""
    if permission not in actor.permissions:
        roles = sorted(role.value for role, allowed in ROLES.items() if permission in allowed)
        raise Forbidden(
            f"this needs the permission {permission.value!r}",
            hint=f"Use a token with one of the roles {', '.join(roles)}.",
        )
