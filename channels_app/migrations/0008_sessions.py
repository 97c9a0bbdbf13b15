import datetime
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_oauth_credentials"),
        ("channels_app", "0007_log_by_person"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="channel",
            name="channel_kind_known",
        ),
        migrations.AddField(
            model_name="channel",
            name="client",
            field=models.ForeignKey(
                blank=True,
                help_text="Whose sessions it tells of; empty: those of every system without an own one.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="channels",
                to="access.apiclient",
            ),
        ),
        migrations.AlterField(
            model_name="channel",
            name="kind",
            field=models.CharField(
                choices=[
                    ("chat", "Chat"),
                    ("email", "E-mail"),
                    ("webhook", "Webhook"),
                    ("luma", "Luma"),
                    ("alvaria", "Alvaria"),
                    ("alvaria_callback", "Alvaria callbacks"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="channel",
            constraint=models.UniqueConstraint(
                condition=models.Q(("client__isnull", False), ("kind", "alvaria_callback")),
                fields=("tenant", "kind", "client"),
                name="channel_of_client_once",
                violation_error_message="Another channel tells this system of its sessions.",
            ),
        ),
        migrations.AddConstraint(
            model_name="channel",
            constraint=models.UniqueConstraint(
                condition=models.Q(("client__isnull", True), ("kind", "alvaria_callback")),
                fields=("tenant", "kind"),
                name="channel_of_all_clients_once",
                violation_error_message="Another channel serves all systems; choose a system.",
            ),
        ),
        migrations.AddConstraint(
            model_name="channel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("client__isnull", True), ("kind", "alvaria_callback"), _connector="OR"
                ),
                name="channel_client_of_callbacks",
            ),
        ),
        migrations.AddConstraint(
            model_name="channel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_default", False),
                    models.Q(("kind", "alvaria_callback"), _negated=True),
                    _connector="OR",
                ),
                name="channel_default_for_people",
            ),
        ),
        migrations.AddConstraint(
            model_name="channel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        ["chat", "email", "webhook", "luma", "alvaria", "alvaria_callback"],
                    )
                ),
                name="channel_kind_known",
            ),
        ),
        migrations.CreateModel(
            name="WorkType",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="work_types",
                        to="access.tenant",
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        help_text="Alvaria's workTypeId: callers name the work type by it.",
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[\\w.-]+\\Z", "Letters, digits, “.”, “-” and “_” only."
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("is_active", models.BooleanField(default=True, help_text="Takes new sessions.")),
                (
                    "is_default",
                    models.BooleanField(
                        default=False, help_text="Takes what people answer in their chat windows."
                    ),
                ),
                (
                    "offer_seconds",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="An offer not taken by then goes to the next agent.",
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(3600),
                        ],
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "code"),
                        name="work_type_code_once",
                        violation_error_message="A work type with this ID exists.",
                    ),
                    models.UniqueConstraint(
                        fields=("tenant", "name"),
                        name="work_type_name_once",
                        violation_error_message="A work type with this name exists.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("tenant",),
                        name="work_type_one_default",
                        violation_error_message="Another work type is the default already.",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="OpeningHours",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "work_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hours",
                        to="channels_app.worktype",
                    ),
                ),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ]
                    ),
                ),
                ("opens", models.TimeField()),
                ("closes", models.TimeField(help_text="24:00 is the end of the day.")),
            ],
            options={
                "verbose_name": "opening hours",
                "verbose_name_plural": "opening hours",
                "ordering": ["weekday", "opens"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("weekday__lt", 7)), name="hours_weekday_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("closes__gt", models.F("opens")),
                            ("closes", datetime.time(0, 0)),
                            _connector="OR",
                        ),
                        name="hours_end_after_they_begin",
                        violation_error_message="It must close after it opens.",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Agent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="agents",
                        to="access.tenant",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="agent",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "alias",
                    models.CharField(
                        help_text="The first name that contacts see (agentAlias).", max_length=60
                    ),
                ),
                (
                    "presence",
                    models.CharField(
                        choices=[("available", "Available"), ("away", "Away")],
                        default="away",
                        max_length=9,
                    ),
                ),
                (
                    "capacity",
                    models.PositiveSmallIntegerField(
                        default=4,
                        help_text="Most sessions at once.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(50),
                        ],
                    ),
                ),
                ("last_offered_at", models.DateTimeField(editable=False, null=True)),
                ("seen_at", models.DateTimeField(editable=False, null=True)),
                (
                    "work_types",
                    models.ManyToManyField(
                        blank=True, related_name="agents", to="channels_app.worktype"
                    ),
                ),
            ],
            options={
                "ordering": ["alias"],
                "permissions": [("answer_session", "Can answer sessions in the console")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("presence__in", ["available", "away"])),
                        name="agent_presence_known",
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="access.tenant",
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="channels_app.channel",
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        help_text="The system that opened it.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="access.apiclient",
                    ),
                ),
                (
                    "work_type",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="channels_app.worktype",
                    ),
                ),
                (
                    "asked_work_type",
                    models.CharField(blank=True, help_text="As it was named.", max_length=40),
                ),
                (
                    "contact",
                    models.CharField(
                        help_text="Who it is, on that channel; one session at once.", max_length=254
                    ),
                ),
                ("contact_name", models.CharField(max_length=254)),
                ("integration", models.CharField(blank=True, max_length=100)),
                (
                    "attributes",
                    models.JSONField(default=dict, help_text="What else came with the request."),
                ),
                (
                    "vendor_id",
                    models.CharField(
                        blank=True,
                        help_text="The far end's name for it, where we are client.",
                        max_length=100,
                    ),
                ),
                (
                    "opening",
                    models.OneToOneField(
                        help_text="What opens it at the far end, where we are client.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="opened_session",
                        to="channels_app.delivery",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("opening", "Opening"),
                            ("waiting", "Waiting"),
                            ("active", "Active"),
                            ("quiet", "Open"),
                            ("ended", "Ended"),
                            ("failed", "Failed"),
                        ],
                        default="opening",
                        max_length=8,
                    ),
                ),
                (
                    "agent",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="channels_app.agent",
                    ),
                ),
                (
                    "offered_to",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="channels_app.agent",
                    ),
                ),
                ("offered_until", models.DateTimeField(null=True)),
                (
                    "passed_by",
                    models.JSONField(
                        default=dict,
                        help_text="Agents who let an offer pass: id to time, in seconds.",
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("waiting_since", models.DateTimeField(null=True)),
                (
                    "joined_at",
                    models.DateTimeField(help_text="When the present agent joined.", null=True),
                ),
                (
                    "ends_at",
                    models.DateTimeField(help_text="The limit; None: none yet.", null=True),
                ),
                (
                    "closes_at",
                    models.DateTimeField(
                        help_text="When silence ends it, while nobody here has it.", null=True
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ended_by",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("contact", "The contact"),
                            ("agent", "An agent"),
                            ("limit", "The time limit"),
                            ("far_end", "The far end"),
                        ],
                        max_length=7,
                    ),
                ),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Why it never came up.", max_length=200),
                ),
                ("read_up_to", models.BigIntegerField(default=0)),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["tenant", "created_at", "id"], name="session_list"),
                    models.Index(
                        fields=["tenant", "state", "created_at", "id"], name="session_list_state"
                    ),
                    models.Index(
                        fields=["channel", "created_at", "id"], name="session_list_channel"
                    ),
                    models.Index(
                        fields=["work_type", "created_at", "id"], name="session_list_work"
                    ),
                    models.Index(fields=["agent", "created_at", "id"], name="session_list_agent"),
                    models.Index(
                        models.F("tenant"),
                        django.db.models.functions.text.Lower("contact_name"),
                        models.F("created_at"),
                        models.F("id"),
                        name="session_list_name",
                    ),
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["tenant", "waiting_since", "id"],
                        name="session_queue",
                    ),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["agent"],
                        name="session_in_hand",
                    ),
                    models.Index(
                        condition=models.Q(("offered_to__isnull", False)),
                        fields=["offered_to"],
                        name="session_offered",
                    ),
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["offered_until"],
                        name="session_offers",
                    ),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["state", "id"],
                        name="session_standing",
                    ),
                    models.Index(
                        condition=models.Q(("state", "quiet")),
                        fields=["closes_at"],
                        name="session_silent",
                    ),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["ends_at"],
                        name="session_limit",
                    ),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["client"],
                        name="session_of_client",
                    ),
                    models.Index(fields=["channel", "contact", "id"], name="session_contact"),
                    models.Index(
                        condition=models.Q(("vendor_id", ""), _negated=True),
                        fields=["channel", "vendor_id"],
                        name="session_vendor",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["opening", "waiting", "active", "quiet", "ended", "failed"],
                            )
                        ),
                        name="session_state_known",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("channel", "contact"),
                        name="session_one_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "active"), _negated=True),
                            models.Q(("agent__isnull", False), ("work_type__isnull", False)),
                            _connector="OR",
                        ),
                        name="session_agent_while_active",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "waiting"), _negated=True),
                            models.Q(
                                ("waiting_since__isnull", False), ("work_type__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="session_waits_since",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("offered_to__isnull", True), ("offered_until__isnull", True)),
                            models.Q(
                                ("offered_to__isnull", False),
                                ("offered_until__isnull", False),
                                ("state", "waiting"),
                            ),
                            _connector="OR",
                        ),
                        name="session_offered_while_waiting",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ended_at__isnull", False), ("state__in", ["ended", "failed"])
                            ),
                            models.Q(
                                models.Q(("state__in", ["ended", "failed"]), _negated=True),
                                ("ended_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="session_ended_at_an_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="channels_app.session",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("NEW_SESSION", "Session came up"),
                            ("AGENT_JOINED", "Agent joined"),
                            ("MESSAGE", "Message to the contact"),
                            ("MESSAGE_STATUS", "Message failed"),
                            ("SESSION_REROUTE", "Transferred"),
                            ("SESSION_END", "Ended"),
                            ("OFFERED", "Offered"),
                            ("PASSED", "Offer not taken"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, help_text="Alvaria's eventId."
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "by",
                    models.CharField(
                        blank=True, help_text="Who did it; empty: Carillon.", max_length=150
                    ),
                ),
                ("data", models.JSONField(default=dict)),
                (
                    "delivery",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="session_event",
                        to="channels_app.delivery",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["session", "id"], name="event_of_session")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "NEW_SESSION",
                                    "AGENT_JOINED",
                                    "MESSAGE",
                                    "MESSAGE_STATUS",
                                    "SESSION_REROUTE",
                                    "SESSION_END",
                                    "OFFERED",
                                    "PASSED",
                                ],
                            )
                        ),
                        name="event_kind_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="channels_app.session",
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, help_text="Alvaria's messageId."
                    ),
                ),
                (
                    "author",
                    models.CharField(
                        choices=[
                            ("contact", "Contact"),
                            ("agent", "Agent"),
                            ("system", "Carillon"),
                        ],
                        max_length=7,
                    ),
                ),
                (
                    "agent",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels_app.agent",
                    ),
                ),
                ("author_name", models.CharField(max_length=254)),
                ("text", models.TextField(blank=True)),
                (
                    "attachment_type",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("Image", "Image"),
                            ("File", "File"),
                            ("Audio", "Audio"),
                            ("Video", "Video"),
                        ],
                        max_length=5,
                    ),
                ),
                ("attachment_url", models.CharField(blank=True, max_length=2048)),
                ("attachment_name", models.CharField(blank=True, max_length=120)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("accepted", "Accepted"),
                            ("processed", "Processed"),
                            ("failed", "Failed"),
                        ],
                        default="processed",
                        max_length=9,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "event",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="message",
                        to="channels_app.event",
                    ),
                ),
                (
                    "vendor_id",
                    models.CharField(
                        blank=True,
                        help_text="The far end's name for it, where it gives one.",
                        max_length=100,
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["session", "id"], name="message_of_session")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("author__in", ["contact", "agent", "system"])),
                        name="message_author_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["accepted", "processed", "failed"])),
                        name="message_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("text", ""), _negated=True),
                            models.Q(("attachment_url", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="message_says_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("attachment_type", ""), ("attachment_url", "")),
                            models.Q(
                                ("attachment_type__in", ["Image", "File", "Audio", "Video"]),
                                models.Q(("attachment_url", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="message_attachment_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attachments",
                        to="channels_app.session",
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("content_type", models.CharField(max_length=100)),
                ("size", models.PositiveIntegerField(help_text="Bytes.")),
                ("content", models.BinaryField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="InboundEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="inbound_events",
                        to="channels_app.channel",
                    ),
                ),
                ("event_id", models.CharField(max_length=100)),
                ("kind", models.CharField(blank=True, max_length=40)),
                ("body", models.JSONField()),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("processed", "Processed"),
                            ("unknown", "Not understood"),
                        ],
                        default="pending",
                        max_length=9,
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True, help_text="What was not understood.", max_length=200
                    ),
                ),
                ("processed_at", models.DateTimeField(null=True)),
                (
                    "failing_since",
                    models.DateTimeField(help_text="When it first broke off.", null=True),
                ),
                (
                    "session",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="inbound_events",
                        to="channels_app.session",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")),
                        fields=["id"],
                        name="inbound_pending",
                    ),
                    models.Index(
                        condition=models.Q(("state", "unknown")),
                        fields=["id"],
                        name="inbound_unknown",
                    ),
                    models.Index(
                        condition=models.Q(("state", "unknown")),
                        fields=["channel", "id"],
                        name="inbound_stray",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "event_id"), name="inbound_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "processed", "unknown"])),
                        name="inbound_state_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VendorToken",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "channel",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="vendor_token",
                        to="channels_app.channel",
                    ),
                ),
                (
                    "sealed",
                    models.TextField(blank=True, help_text="The token, encrypted; empty: none."),
                ),
                ("obtained_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("next_try_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("failures", models.PositiveSmallIntegerField(default=0, help_text="In a row.")),
                (
                    "error",
                    models.CharField(blank=True, help_text="Why there is none.", max_length=200),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.AlterField(
            model_name="chatmessage",
            name="delivery",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="chat_message",
                to="channels_app.delivery",
            ),
        ),
        migrations.AddField(
            model_name="chatmessage",
            name="said",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="chat_message",
                to="channels_app.message",
            ),
        ),
        migrations.AddConstraint(
            model_name="chatmessage",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("delivery__isnull", False), ("said__isnull", True)),
                    models.Q(("delivery__isnull", True), ("said__isnull", False)),
                    _connector="OR",
                ),
                name="chat_delivered_or_said",
            ),
        ),
    ]
