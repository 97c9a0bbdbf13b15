"""The people of a message that is being composed."""

from dataclasses import dataclass

from notifications.audience import Audience, Survey, survey, unknown_contacts
from notifications.drafts import Draft
from notifications.models import Recipient
from notifications.models.recipient import login_key
from project.access.models import Tenant

CHIPS = 40  # people drawn by name; more stand in the list only


@dataclass(frozen=True, slots=True)
class Chip:
    login: str
    label: str
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Who:
    audience: Audience
    survey: Survey
    chips: tuple[Chip, ...]
    more: int  # named people without a chip
    everyone: int  # how many that would be

    @classmethod
    def of(cls, draft: Draft, contacts: tuple[str, ...], tenant: Tenant) -> "Who":
        people = Recipient.objects.of(tenant).active()
        chips = _chips(tenant, contacts)
        return cls(
            audience=draft.audience,
            survey=survey(tenant, draft.audience, draft.channel),
            chips=chips,
            more=len(contacts) - len(chips),
            everyone=people.count(),
        )

    @property
    def left_out(self) -> int:
        return self.survey.opted_out + self.survey.unreachable


def _chips(tenant: Tenant, contacts: tuple[str, ...]) -> tuple[Chip, ...]:
    """Draw those first whom nobody knows: they are what one must see."""
    unknown = set(unknown_contacts(tenant, contacts)) if contacts else set()
    shown = sorted(contacts, key=lambda login: login not in unknown)[:CHIPS]
    known = Recipient.objects.of(tenant).active().named(shown) if shown else ()
    labels = {person.login_key: str(person) for person in known}
    return tuple(
        Chip(login, labels.get(login_key(login), login), login not in unknown) for login in shown
    )


def person(tenant: Tenant, login: str) -> Recipient | None:
    """Return the active person of that login, or None."""
    if not login or "\0" in login:
        return None
    return Recipient.objects.of(tenant).active().named([login]).first()
