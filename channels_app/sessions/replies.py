"""Texts that agents may answer with: offered by the floor above, which keeps templates."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from channels_app.models import Session
from project.access.models import Tenant

AT_ONCE = 8  # replies that the console shows; typing narrows them down


class Reply(NamedTuple):
    """A text to answer with, under a name.

    ``blanks``: what the agent is yet to fill in, each as it stands in the text.
    """

    name: str
    text: str
    blanks: tuple[str, ...] = ()


# Returns those of the tenant's texts whose name holds all words of the query, best first.
Provider: TypeAlias = Callable[[Tenant, Session, str], Iterable[Reply]]

_providers: list[Provider] = []


def offers_replies(provider: Provider) -> Provider:
    """Let the console ask ``provider``."""
    _providers.append(provider)
    return provider


def replies_for(session: Session, query: str) -> list[Reply]:
    """Return what an agent may answer with in this session, at most `AT_ONCE`."""
    found: list[Reply] = []
    for provider in _providers:
        for reply in provider(session.tenant, session, query):
            found.append(reply)
            if len(found) == AT_ONCE:
                return found
    return found
