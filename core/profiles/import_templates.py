"""Templates of imports: an administrator says once how files of a kind are read, others bring the files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import fields as fields_of_record
from datetime import datetime
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.datamodel.present import hold_model, present_model
from core.datamodel.records import Action, Change, Model
from core.datamodel.uses import User
from core.db import Connection
from core.errors import ClarionError, Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.profiles.files.opening import open_people_text
from core.profiles.import_checks import check_options
from core.profiles.import_columns import plan_columns
from core.profiles.import_target import FindDestination
from core.profiles.import_template_records import ImportTemplate, ImportTemplateDraft, TemplateStatus
from core.profiles.imports import told_options
from core.profiles.profile_target import find_profiles
from core.profiles.store import import_templates as store
from core.profiles.team_fields import Fields
from core.profiles.values import UNSTORABLE

LONGEST_DESCRIPTION = 2000  # characters
LONGEST_SAMPLE = 20_000  # characters


async def create_template(
    conn: Connection, actor: Actor, draft: ImportTemplateDraft, now: datetime, find: FindDestination = find_profiles
) -> ImportTemplate:
    """Save a template. With `expected_columns` its options are tried on them at once, and on its sample.

    Raises Invalid (BAD_NAME, BAD_LABEL, TOO_LONG, BAD_SAMPLE, and as an import with these options would), Conflict
    (NAME_TAKEN).
    """
    require(actor, Permission.ADMINISTER)
    await _check(conn, draft, now, find)
    template = await store.insert_template(conn, draft, actor.name, now)
    if template is None:
        raise name_taken("import template", draft.name)
    await record(conn, actor, "import_template.create", "import_template", template.id, difference({}, _told(draft)))
    return template


async def update_template(
    conn: Connection,
    actor: Actor,
    template_id: int,
    changes: Mapping[str, Any],
    *,
    expected_version: int | None = None,
    now: datetime,
    find: FindDestination = find_profiles,
) -> ImportTemplate:
    """Change it; imports that were made from it stay as they are. What changes nothing makes no new version.

    Raises as `create_template`, NotFound (IMPORT_TEMPLATE_NOT_FOUND), Stale (VERSION_CHANGED).
    """
    require(actor, Permission.ADMINISTER)
    template = await store.lock_template(conn, template_id)
    if template is None:
        raise not_found("import template", template_id)
    check_version("import template", template.version, expected_version)
    before = ImportTemplateDraft(**{one.name: getattr(template, one.name) for one in fields_of_record(ImportTemplateDraft)})
    draft = changed(before, changes)
    if draft == before:
        return template
    await _check(conn, draft, now, find)
    try:
        async with conn.transaction():
            updated = await store.update_template(conn, template_id, draft, now)
    except asyncpg.UniqueViolationError:
        raise name_taken("import template", draft.name) from None
    told = difference(_told(before) | {"version": template.version}, _told(draft) | {"version": updated.version})
    await record(conn, actor, "import_template.update", "import_template", template_id, told)
    return updated


async def open_template(conn: Connection, template_id: int) -> ImportTemplate:
    """That a new import is made from. Raises NotFound (IMPORT_TEMPLATE_NOT_FOUND), Conflict (TEMPLATE_ARCHIVED)."""
    found = await store.find_templates(conn, [template_id])
    if not found:
        raise not_found("import template", template_id, "template_id")
    (template,) = found
    if template.status is TemplateStatus.ARCHIVED:
        raise Conflict(
            f"the import template {template.name!r} is archived", code="TEMPLATE_ARCHIVED", path="template_id",
            hint="Make it available again, or take another.",
        )  # fmt: skip
    return template


async def find_templates(conn: Connection, ids: Sequence[int]) -> list[ImportTemplate]:
    """Those of the templates that exist, by id."""
    return await store.find_templates(conn, ids)


async def list_templates(conn: Connection, page: PageRequest, status: TemplateStatus | None = None) -> Page[ImportTemplate]:
    """Of a status, or all, oldest first."""
    return cut(await store.list_templates(conn, status, page.after, page.first + 1), page)


async def count_templates(conn: Connection, status: TemplateStatus | None = None) -> int:
    """How many there are of a status, or in all."""
    return await store.count_templates(conn, status)


def templates_using(find: FindDestination) -> Callable[[Connection, Sequence[Change]], Awaitable[list[User]]]:
    """Who is asked about the available templates whose columns would find a field hidden."""

    async def find_users(conn: Connection, changes: Sequence[Change]) -> list[User]:
        hidden = {
            (one.entity, one.field or one.link or one.key)
            for one in changes if one.action is Action.HIDE and one.index is None
        }  # fmt: skip
        if not hidden:
            return []
        model, users = await present_model(conn), list[User]()
        for template in await store.list_templates(conn, TemplateStatus.AVAILABLE, None, None):
            entity = template.options.target.dataset or "profile"
            named = await _named(conn, template, find)
            reads = sorted({name or entity for name in (None, *named) if not hidden.isdisjoint(_meant(model, entity, name))})
            if reads:
                users.append(User("import template", template.name, tuple(reads)))
        return users

    return find_users


def _meant(model: Model, entity: str, name: str | None) -> set[tuple[str, str | None]]:
    """What a name stands for; `customer.email` is the link, and what it leads to is known by. None: the entity itself."""
    first, dot, last = (name or "").partition(".")
    found = model.find(entity)
    link = found.find_link(first) if found is not None and dot else None
    return {(entity, first or None)} | ({(link.target, last)} if link is not None else set())


async def _named(conn: Connection, template: ImportTemplate, find: FindDestination) -> set[str]:
    """The fields, links and keys that it names itself, and those that the columns mean which it expects."""
    options = template.options
    named = {template.match_key, *options.more_keys}
    named |= {name for name in (options.mapping or {}).values() if name is not None} | set(options.constants)
    if options.expected_columns is not None:
        with suppress(ClarionError):  # it could not be used as it is
            fields = (await find(conn, options.target)).fields
            named |= {one.name for _, one in plan_columns(options.expected_columns, template.match_key, options, fields).fields}
    return named


async def _check(conn: Connection, draft: ImportTemplateDraft, now: datetime, find: FindDestination) -> None:
    check_name(draft.name)
    check_label(draft.label)
    if len(draft.description) > LONGEST_DESCRIPTION:
        raise Invalid(f"a description has at most {LONGEST_DESCRIPTION} characters", code="TOO_LONG", path="description")
    await hold_model(conn)  # what it names is not hidden meanwhile
    destination = await find(conn, draft.options.target)
    check_options(draft.options, draft.match_key, destination, today=now.date())
    if draft.options.expected_columns is not None:
        plan_columns(draft.options.expected_columns, draft.match_key, draft.options, destination.fields)
    if draft.sample:
        _check_sample(draft, destination.fields)


def _check_sample(draft: ImportTemplateDraft, fields: Fields) -> None:
    """Raises Invalid (TOO_LONG, BAD_TEXT, BAD_SAMPLE, and as an import of it would at its header)."""
    if len(draft.sample) > LONGEST_SAMPLE:
        raise Invalid(f"a sample has at most {LONGEST_SAMPLE:,} characters", code="TOO_LONG", path="sample")
    if UNSTORABLE.search(draft.sample):
        raise Invalid("a sample has no control characters and no half characters", code="BAD_TEXT", path="sample")
    with closing(open_people_text(draft.sample, draft.options)) as file:
        plan_columns(file.header, draft.match_key, draft.options, fields)
        for bad in file.read(LONGEST_SAMPLE).bad:
            raise Invalid(f"line {bad.line} of the sample: {bad.message}", code="BAD_SAMPLE", path="sample")


def _told(draft: ImportTemplateDraft) -> dict[str, Any]:
    return {
        "name": draft.name, "label": draft.label, "match_key": str(draft.match_key), "status": draft.status.value,
        "options": told_options(draft.options), "sample_characters": len(draft.sample),
    }  # fmt: skip
