"""A template's words as one person would read them, while they are being written."""

from dataclasses import dataclass, field
from typing import Any

from channels_app.payload import Piece, pieces
from notifications.models import Recipient
from notifications.rendering import personal_values, shared_values
from notifications.templating import body_problems
from notifications.text.content import ContentError, ContentSource
from project.access.models import Tenant, User

SAMPLES = 20
SAMPLE_MESSAGE = "The words of the caller stand here."


@dataclass
class Preview:
    """``waiting`` are the variables that get their value only when a message is composed."""

    person: Recipient | None = None
    problems: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    payload: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> list[Piece]:
        return list(pieces(self.payload.get("text", "")))


def samples(tenant: Tenant) -> list[Recipient]:
    """Some people to choose from; any other login can be typed in."""
    return list(Recipient.objects.of(tenant).active().order_by("pk")[:SAMPLES])


def first_sample(tenant: Tenant, user: User) -> Recipient | None:
    """The author as a recipient, else the first person there is."""
    people = Recipient.objects.of(tenant)
    own = people.named([user.recipient_login]).first() if user.recipient_login else None
    return own or people.active().order_by("pk").first()


def draw(tenant: Tenant, *, kind: str, body: str, login: str, message: str) -> Preview:
    """Render the words for the person of this login; without one, for nobody in particular."""
    person = Recipient.objects.of(tenant).named([login]).first() if login.strip() else None
    preview = Preview(person=person)
    if login.strip() and person is None:
        preview.problems = [f"There is nobody with the login “{login.strip()[:80]}”."]
        return preview
    body = body.replace("\r\n", "\n")
    preview.problems = body_problems(kind, body)
    if preview.problems:
        return preview
    content = ContentSource.from_text(kind, body)
    values = shared_values(
        tenant=tenant, title="Title of the notification", message=message, event={}
    )
    if person is not None:
        values |= personal_values(person, tenant)
    preview.waiting = content.missing(values)
    values |= {name: f"[{name}]" for name in preview.waiting}
    try:
        preview.payload = dict(content.render(values, (person or tenant).zone))
    except ContentError as error:
        preview.problems = error.messages
    return preview
