"""Links in the draft. A link is known by its name, so it is never renamed; what others rely on stays once it is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from core.access import Actor
from core.authored import not_found
from core.datamodel.drafts import entity_of, open_draft, save_draft, with_entity
from core.datamodel.link_rules import check_link
from core.datamodel.records import Draft, Link
from core.db import Connection


async def save_link(
    conn: Connection,
    actor: Actor,
    entity_name: str,
    link: Link,
    *,
    now: datetime,
    expected_version: int | None = None,
) -> Draft:
    """Add a link from an entity's rows, or put it into the place of the one of its name.

    Raises NotFound (DATASET_NOT_FOUND), Invalid, Conflict (NAME_TAKEN, LINK_FIXED, HIDDEN_DATA), Stale.
    """
    draft = await open_draft(conn, actor, expected_version)
    entity = entity_of(draft.model, entity_name)
    check_link(link)
    if entity.find_link(link.name) is None:
        links = (*entity.links, link)
    else:
        links = tuple(link if one.name == link.name else one for one in entity.links)
    told = {"link": f"{entity_name}.{link.name}"}
    return await save_draft(conn, actor, draft, with_entity(draft.model, replace(entity, links=links)), now, told)


async def remove_link(
    conn: Connection, actor: Actor, entity_name: str, name: str, *, now: datetime, expected_version: int | None = None
) -> Draft:
    """Take a link out of the draft. Raises NotFound (DATASET_NOT_FOUND, LINK_NOT_FOUND), Stale (VERSION_CHANGED)."""
    draft = await open_draft(conn, actor, expected_version)
    entity = entity_of(draft.model, entity_name)
    if entity.find_link(name) is None:
        raise not_found("link", f"{entity_name}.{name[:80]}", "name")
    links = tuple(one for one in entity.links if one.name != name)
    told = {"removed": f"{entity_name}.{name}"}
    return await save_draft(conn, actor, draft, with_entity(draft.model, replace(entity, links=links)), now, told)
