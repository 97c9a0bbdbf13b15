"""Files that agents send along: kept as rows, fetched by the contact at an unguessable address."""

import mimetypes
import re
from pathlib import PurePath
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from channels_app.http.headers import storable
from channels_app.models import Agent, Attachment, AttachmentType, Message, Session
from channels_app.sessions.locking import locked
from channels_app.sessions.services import Said, said_before, say

LARGEST = 10 * 1024 * 1024  # bytes
NAME_MAX = 120  # characters
OTHER = "application/octet-stream"
# Pictures that a browser may draw: nothing in them is run. Told by their first bytes.
_PICTURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)
PICTURES = frozenset(name for _, name in _PICTURES)
_UNFIT_FOR_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class TooLarge(ValueError):
    """The file is larger than `LARGEST`."""


def say_with_file(
    session: Session, *, text: str, name: str, content: bytes, agent: Agent, public_id: UUID
) -> Message:
    """Send the contact a file, with a text or without, as the agent who has the session.

    A repeated ``public_id`` returns the first message and sends nothing. Raises TooLarge,
    NotPossible.
    """
    if len(content) > LARGEST:
        raise TooLarge("A file may have 10 MB at most.")
    with transaction.atomic():
        session = locked(session.pk)
        if known := said_before(session, public_id):
            return known
        file = Attachment.objects.create(
            session=session,
            name=clean_name(name),
            content_type=content_type(name, content),
            size=len(content),
            content=content,
        )
        said = Said(text, attachment_type(file), url_of(file), file.name)
        return say(session, said, agent=agent, public_id=public_id)


def content_type(name: str, content: bytes) -> str:
    """Return what a file is: a picture by its bytes alone, anything else by its name.

    What is called a picture and is none that a browser may draw, such as SVG, is just a file.
    """
    for beginning, known in _PICTURES:
        if beginning.match(content):
            return known
    guessed = mimetypes.guess_type(name)[0] or OTHER
    return OTHER if guessed.startswith("image/") else guessed


def attachment_type(file: Attachment) -> AttachmentType:
    if file.content_type in PICTURES:
        return AttachmentType.IMAGE
    kinds = {"audio": AttachmentType.AUDIO, "video": AttachmentType.VIDEO}
    return kinds.get(file.content_type.partition("/")[0], AttachmentType.FILE)


def url_of(file: Attachment) -> str:
    """Return the absolute address at which anybody who knows it fetches the file."""
    path = reverse("attachment", args=[file.public_id, "name"]).removesuffix("name")
    return f"{settings.BASE_URL}{path}{quote(file.name, safe='')}"


def clean_name(name: str) -> str:
    """Return a file's name without folders and what could mislead, its ending kept."""
    last = storable(name).replace("\\", "/").rpartition("/")[2]
    clean = _UNFIT_FOR_NAME.sub("", last).strip(" .") or "file"
    ending = PurePath(clean).suffix[:20]
    return clean if len(clean) <= NAME_MAX else clean[: NAME_MAX - len(ending)] + ending
