from channels_app.models.agent import Agent, Presence
from channels_app.models.attempt import Attempt, Outcome
from channels_app.models.channel import Channel
from channels_app.models.chat import ChatMessage
from channels_app.models.delivery import Delivery, Priority, State
from channels_app.models.event import Event, EventKind
from channels_app.models.inbound import InboundEvent, InboundState
from channels_app.models.message import Attachment, AttachmentType, Author, Message, MessageState
from channels_app.models.session import EndedBy, Session, SessionState
from channels_app.models.tally import Tally
from channels_app.models.vendor_token import VendorToken
from channels_app.models.work_type import OpeningHours, WorkType

__all__ = [
    "Agent",
    "Attachment",
    "AttachmentType",
    "Attempt",
    "Author",
    "Channel",
    "ChatMessage",
    "Delivery",
    "EndedBy",
    "Event",
    "EventKind",
    "InboundEvent",
    "InboundState",
    "Message",
    "MessageState",
    "OpeningHours",
    "Outcome",
    "Presence",
    "Priority",
    "Session",
    "SessionState",
    "State",
    "Tally",
    "VendorToken",
    "WorkType",
]
