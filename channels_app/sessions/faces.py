"""How a kind of channel tells its far end what happens in a session."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from channels_app.models import Event, Message, Session, WorkType

LIFE = timedelta(hours=4)  # of a session: Alvaria's document


class Face(ABC):
    """What a session of this kind is like. It does no I/O and stores nothing."""

    kind: ClassVar[str]
    # True: the limit counts from the opening; else from when an agent first joins, so that what
    # came in at night is still there in the morning.
    ends_unanswered: ClassVar[bool] = True

    @abstractmethod
    def payload(self, event: Event, message: Message | None) -> Mapping[str, Any] | None:
        """Return what the channel's connector carries to the far end; None: it isn't told.

        ``message`` is what a MESSAGE event carries.
        """

    def recipient(self, session: Session) -> str:
        """Return who stands in the log."""
        return session.contact_name

    def when_closed(self, work_type: WorkType, now: datetime) -> str:
        """Return what the contact is told when a session waits until the work type opens.

        Empty: it does not come up then.
        """
        return ""


_faces: dict[str, Face] = {}


def register_face(face: type[Face]) -> type[Face]:
    """Class decorator: sessions over channels of its kind have this face."""
    _faces[face.kind] = face()
    return face


def face_of(session: Session) -> Face:
    """Return the face of the session's channel. Raises KeyError where its kind has none."""
    return _faces[session.channel.kind]
