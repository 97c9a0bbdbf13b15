"""Who a contact is: asked of the floor above, which knows people. No contact names themselves."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from channels_app.models import Channel, ChatMessage


class Person(NamedTuple):
    """``name`` is what agents see, ``login`` what the log finds them by."""

    name: str
    login: str


# Returns who is reached over this channel at this address; None: nobody that is known.
Finder: TypeAlias = Callable[[Channel, str], Person | None]

_finders: list[Finder] = []


def names_contacts(finder: Finder) -> Finder:
    """Let sessions ask ``finder`` who it is that writes."""
    _finders.append(finder)
    return finder


def person_at(channel: Channel, contact: str) -> Person | None:
    """Return who is reached over this channel at this address; None: nobody that is known."""
    return next((found for finder in _finders if (found := finder(channel, contact))), None)


def person_behind(channel: Channel, contact: str) -> Person:
    """Return who has this chat window, as far as it is known; else it goes by its address."""
    if found := person_at(channel, contact):
        return found
    # Gone from the floor above, or renamed; the last message to them says who was meant.
    told = ChatMessage.objects.window(channel, contact).filter(delivery__isnull=False)
    login = told.order_by("-pk").values_list("delivery__recipient", flat=True).first() or contact
    return Person(login, login)
