"""A mailing with files, from their upload to the mailbox and the mirror page."""

from __future__ import annotations

from typing import Any

from tests.flows.client import Client
from tests.flows.conftest import Place
from tests.flows.journey import (
    DATA,
    PARTS,
    create_account,
    create_audience,
    create_delivery,
    fresh_name,
    import_people,
    make_csv,
    send,
)
from tests.flows.people import COLUMNS, address, fresh_domain, make_people
from tests.flows.post import read_letters

LOGO = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
TABLE = "артикул;цена\r\n.\r\nчай;1,50\r\n".encode()
PEOPLE = 12


async def upload_file(client: Client, name: str, content: bytes) -> str:
    """Announce a file and upload it; returns its id."""
    made = await client.do(
        "mutation ($name: String!) { createAttachmentUpload(fileName: $name) { fileId uploadUrl userErrors { code } } }",
        name=name,
    )
    response = await client.put(made["uploadUrl"], content)
    assert response.status_code == 201, response.text
    file_id: str = made["fileId"]
    return file_id


async def create_content(client: Client, attachments: list[dict[str, Any]]) -> str:
    """The usual email with files and header fields of its own; returns its id."""
    parts = PARTS | {
        "html": PARTS["html"].replace("<h1>", '<img alt="" src="cid:logo@shop.example"><h1>'),
        "headers": "X-Customer: {{ profile.first_name }} {{ profile.last_name }}\nX-Mailing: {{ delivery.label }}",
        "feedback_id": "{{ delivery.label }}:newsletter:shop1",
        "to_name": "{{ profile.first_name }} {{ profile.last_name }}",
    }
    name = fresh_name("content")
    made = await client.do(
        """
        mutation ($input: CreateContentInput!) {
          createContent(input: $input) { content { id } userErrors { code message path } }
        }
        """,
        input={
            "name": name,
            "label": name,
            "parts": [{"name": part, "source": source} for part, source in parts.items()],
            "data": DATA,
            "attachments": attachments,
        },
    )  # fmt: skip
    content_id: str = made["content"]["id"]
    return content_id


async def test_from_upload_to_mailbox(place: Place) -> None:
    # Given people, and content with a picture and an attachment
    client, domain = place.client, fresh_domain()
    people = {person["email"]: person for person in make_people(domain, PEOPLE)}
    await import_people(client, make_csv(people.values(), COLUMNS))
    logo, table = await upload_file(client, "logo.png", LOGO), await upload_file(client, "Прайс-лист.csv", TABLE)
    content = await create_content(
        client,
        [{"fileId": table, "mediaType": "text/csv; charset=utf-8"}, {"fileId": logo, "contentId": "logo@shop.example"}],
    )
    audience = await create_audience(client, f"email_domain = '{domain}'")
    delivery = await create_delivery(
        client, audience=audience, account=await create_account(client, place.sink_port), content=content
    )

    # When it is sent
    await send(client, delivery)

    # Then everybody has both, as they were, and fields of their own
    letters = {one.recipient: one for one in read_letters(place.mail) if one.recipient.endswith(f"@{domain}")}
    assert sorted(letters) == sorted(address(domain, n) for n in range(PEOPLE))
    for recipient, letter in letters.items():
        message, person = letter.message, people[recipient]
        assert message.get_content_type() == "multipart/mixed"
        (attached,) = message.iter_attachments()
        assert (attached.get_filename(), attached.get_payload(decode=True)) == ("Прайс-лист.csv", TABLE)
        (picture,) = (part for part in message.walk() if part["content-id"] == "<logo@shop.example>")
        assert (picture.get_filename(), picture.get_payload(decode=True)) == ("logo.png", LOGO)
        whole = f"{person['first_name']} {person['last_name']}".strip()
        assert message["x-customer"] == whole
        assert message["to"].addresses[0].display_name == whole
        assert message["x-mailing"] == message["feedback-id"].partition(":")[0]
        assert 'src="cid:logo@shop.example"' in letter.html

    # And the mirror page shows the picture
    page = await client.http.get(next(iter(letters.values())).mirror)
    assert page.status_code == 200
    assert 'src="data:image/png;base64,' in page.text
