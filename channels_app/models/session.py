import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_app.models.agent import Agent
from channels_app.models.channel import Channel
from channels_app.models.delivery import Delivery
from channels_app.models.work_type import WorkType
from project.access.models import ApiClient, Tenant

ORIGIN = "session"  # Delivery.origin_kind of what tells a session's far end


class SessionState(models.TextChoices):
    OPENING = "opening", _("Opening")  # accepted, not looked at yet
    WAITING = "waiting", _("Waiting")  # for an agent
    ACTIVE = "active", _("Active")  # an agent has it
    QUIET = "quiet", _("Open")  # we opened it at a vendor, and nobody here needs to answer
    ENDED = "ended", _("Ended")
    FAILED = "failed", _("Failed")  # never came up


OPEN = (SessionState.OPENING, SessionState.WAITING, SessionState.ACTIVE, SessionState.QUIET)
CLOSED = (SessionState.ENDED, SessionState.FAILED)


# As session_ended_at_an_end has it. A list of states would be parameters of a query, by which
# SQLite finds no index that holds but some rows.
_STILL_OPEN = Q(ended_at__isnull=True)


class EndedBy(models.TextChoices):
    CONTACT = "contact", _("The contact")
    AGENT = "agent", _("An agent")
    LIMIT = "limit", _("The time limit")
    FAR_END = "far_end", _("The far end")  # a vendor whose client we are


class SessionQuerySet(models.QuerySet["Session"]):
    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)

    def open(self) -> Self:
        return self.filter(_STILL_OPEN)

    def opening(self) -> Self:
        """What a system asked us to open; what we ask a far end to open, its delivery brings up."""
        # Not "opening is NULL": SQLite takes the index of that for one that finds a single row.
        return self.open().filter(state=SessionState.OPENING).exclude(opening__isnull=False)

    def silent(self, now: datetime) -> Self:
        return self.filter(state=SessionState.QUIET, closes_at__lte=now)

    def waiting(self) -> Self:
        """The queue, oldest first."""
        return self.filter(state=SessionState.WAITING).order_by("waiting_since", "pk")

    def active(self) -> Self:
        return self.open().filter(state=SessionState.ACTIVE)

    def of_agent(self, agent: Agent) -> Self:
        return self.active().filter(agent=agent)

    def for_skills_of(self, agent: Agent) -> Self:
        """What this agent may answer: by skill, and what was handed to them by name."""
        skills = Q(work_type__in=agent.work_types.all())
        return self.filter(tenant=agent.tenant_id).filter(skills | Q(offered_to=agent))

    def stranded(self) -> Self:
        """In the hands of agents who may not answer any more."""
        return self.active().exclude(agent__in=Agent.objects.able())

    def overdue(self, now: datetime) -> Self:
        return self.open().filter(ends_at__lte=now)

    def unoffered(self) -> Self:
        return self.waiting().filter(offered_to=None)

    def lapsed(self, now: datetime) -> Self:
        """Offered to somebody who has not taken it in time."""
        return self.waiting().filter(offered_until__lte=now)


class Session(models.Model):
    """A two-way conversation with one contact over one channel. Its row is the truth."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="sessions", db_index=False)
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="sessions", db_index=False)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    client = models.ForeignKey(
        ApiClient,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text=_("The system that opened it."),
    )
    work_type = models.ForeignKey(
        WorkType, models.PROTECT, null=True, related_name="sessions", db_index=False
    )
    asked_work_type = models.CharField(max_length=40, blank=True, help_text=_("As it was named."))
    contact = models.CharField(
        max_length=254, help_text=_("Who it is, on that channel; one session at once.")
    )
    contact_name = models.CharField(max_length=254)
    integration = models.CharField(max_length=100, blank=True)
    attributes = models.JSONField(default=dict, help_text=_("What else came with the request."))
    vendor_id = models.CharField(
        max_length=100, blank=True, help_text=_("The far end's name for it, where we are client.")
    )
    opening = models.OneToOneField(
        Delivery,
        models.PROTECT,
        null=True,
        related_name="opened_session",
        help_text=_("What opens it at the far end, where we are client."),
    )
    state = models.CharField(max_length=8, choices=SessionState, default=SessionState.OPENING)
    agent = models.ForeignKey(
        Agent, models.PROTECT, null=True, related_name="sessions", db_index=False
    )
    # An offer: whose turn it is to take a waiting session, and until when.
    offered_to = models.ForeignKey(
        Agent, models.PROTECT, null=True, related_name="offers", db_index=False
    )
    offered_until = models.DateTimeField(null=True)
    passed_by = models.JSONField(
        default=dict, help_text=_("Agents who let an offer pass: id to time, in seconds.")
    )
    created_at = models.DateTimeField(default=timezone.now)
    waiting_since = models.DateTimeField(null=True)
    joined_at = models.DateTimeField(null=True, help_text=_("When the present agent joined."))
    ends_at = models.DateTimeField(null=True, help_text=_("The limit; None: none yet."))
    closes_at = models.DateTimeField(
        null=True, help_text=_("When silence ends it, while nobody here has it.")
    )
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=7, choices=EndedBy, blank=True)
    reason = models.CharField(max_length=200, blank=True, help_text=_("Why it never came up."))
    # What the agent has seen: a message with a higher id is new.
    read_up_to = models.BigIntegerField(default=0)

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="session_state_known", condition=Q(state__in=SessionState.values)
            ),
            models.UniqueConstraint(
                name="session_one_open",
                fields=["channel", "contact"],
                condition=_STILL_OPEN,
            ),
            models.CheckConstraint(
                name="session_agent_while_active",
                condition=~Q(state="active") | Q(agent__isnull=False, work_type__isnull=False),
            ),
            models.CheckConstraint(
                name="session_waits_since",
                condition=~Q(state="waiting")
                | Q(waiting_since__isnull=False, work_type__isnull=False),
            ),
            models.CheckConstraint(
                name="session_offered_while_waiting",
                condition=Q(offered_to__isnull=True, offered_until__isnull=True)
                | Q(state="waiting", offered_to__isnull=False, offered_until__isnull=False),
            ),
            models.CheckConstraint(
                name="session_ended_at_an_end",
                condition=Q(state__in=["ended", "failed"], ended_at__isnull=False)
                | (~Q(state__in=["ended", "failed"]) & Q(ended_at__isnull=True)),
            ),
        ]
        indexes = [
            # Read by the list of sessions, newest first, for each filter it offers, within any
            # span of time.
            models.Index(name="session_list", fields=["tenant", "created_at", "id"]),
            models.Index(name="session_list_state", fields=["tenant", "state", "created_at", "id"]),
            models.Index(name="session_list_channel", fields=["channel", "created_at", "id"]),
            models.Index(name="session_list_work", fields=["work_type", "created_at", "id"]),
            models.Index(name="session_list_agent", fields=["agent", "created_at", "id"]),
            models.Index(
                F("tenant"),
                Lower("contact_name"),
                F("created_at"),
                F("id"),
                name="session_list_name",
            ),
            # Read by the console: the queue, and what each agent has in hand.
            models.Index(
                name="session_queue",
                fields=["tenant", "waiting_since", "id"],
                condition=Q(state="waiting"),
            ),
            models.Index(name="session_in_hand", fields=["agent"], condition=_STILL_OPEN),
            models.Index(
                name="session_offered",
                fields=["offered_to"],
                condition=Q(offered_to__isnull=False),
            ),
            models.Index(
                name="session_offers", fields=["offered_until"], condition=Q(state="waiting")
            ),
            # Read by the workers: what is to come up, and what is over.
            models.Index(name="session_standing", fields=["state", "id"], condition=_STILL_OPEN),
            models.Index(name="session_silent", fields=["closes_at"], condition=Q(state="quiet")),
            models.Index(
                name="session_limit",
                fields=["ends_at"],
                condition=_STILL_OPEN,
            ),
            # Read where a client opens another one.
            models.Index(
                name="session_of_client",
                fields=["client"],
                condition=_STILL_OPEN,
            ),
            # Read by the chat window and by callbacks of a vendor whose client we are.
            models.Index(name="session_contact", fields=["channel", "contact", "id"]),
            models.Index(
                name="session_vendor", fields=["channel", "vendor_id"], condition=~Q(vendor_id="")
            ),
        ]

    def __str__(self) -> str:
        return f"Session {self.pk} with {self.contact_name}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN
