"""Resting, rotating, checking and deleting channels."""

from base64 import b64decode, b64encode
from datetime import timedelta
from hmac import digest

import pytest
from django.urls import reverse
from django_q.brokers import get_broker

from channels_app.chat_links import BadLink, chat_url, open_link
from channels_app.models import Channel
from project.access.models import AuditEntry
from tests.support.channels import NOON, make_channel, make_delivery
from tests.support.receiver import Answer, Receiver
from tests.support.smtp import MailServer


def body(response) -> str:
    text: str = response.content.decode()
    return text


@pytest.fixture
def said(admin):
    """Do something and return what the page then says."""

    def do(url: str, **data) -> list[str]:
        response = admin.post(url, data, follow=True)
        assert response.status_code == 200
        return [str(message) for message in response.context["messages"]]

    return do


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))[1:]


# --- rest and resume ------------------------------------------------------------------------------


def test_a_channel_rests_and_resumes_once_each(tenant, admin, at, said):
    channel = make_channel(tenant)
    assert "Chat rests. Its deliveries wait, and expire as planned." in said(at(channel, "rest"))
    said(at(channel, "rest"))
    channel.refresh_from_db()
    assert not channel.is_active
    said(at(channel, "resume"))
    channel.refresh_from_db()
    assert channel.is_active
    assert actions() == ["channel.rest", "channel.resume"]


def test_what_waited_leaves_as_soon_as_the_channel_is_resumed(
    tenant, at, said, django_capture_on_commit_callbacks
):
    broker = get_broker()
    broker.purge_queue()
    channel = make_channel(tenant)
    with django_capture_on_commit_callbacks(execute=True):
        said(at(channel, "rest"))
    assert broker.queue_size() == 0
    with django_capture_on_commit_callbacks(execute=True):
        said(at(channel, "resume"))
    assert broker.queue_size() == 1
    broker.purge_queue()


@pytest.mark.parametrize("deed", ["rest", "resume", "check"])
def test_a_deed_needs_a_press_of_its_button(tenant, admin, at, deed):
    channel = make_channel(tenant, "webhook")
    assert admin.get(at(channel, deed)).status_code == 405
    assert actions() == []


@pytest.mark.parametrize("deed", ["rest", "check", "rotate"])
def test_a_channel_that_is_gone_is_said_to_be(admin, deed):
    url = reverse(f"admin:channels_app_channel_{deed}", args=[987654])
    response = admin.post(url, follow=True)
    assert "doesn\u2019t exist" in body(response)


# --- rotate ---------------------------------------------------------------------------------------


def test_a_new_signing_secret_is_shown_once_and_the_old_one_lasts(tenant, admin, at, time_machine):
    time_machine.move_to(NOON)
    channel = make_channel(tenant, "webhook")
    old = channel.secrets["secret"]
    assert "The old secret stays good for" in body(admin.get(at(channel, "rotate")))
    answer = admin.post(at(channel, "rotate"), {"overlap": "24"})
    channel.refresh_from_db()
    new = channel.secrets["secret"]
    assert new != old
    assert new in body(answer)
    assert old not in body(answer)
    assert "no-store" in answer["Cache-Control"]
    assert channel.secrets["old_secret"] == old
    assert "until 22 Nov 2026, 13:00 CET" in body(admin.get(at(channel)))
    entry = AuditEntry.objects.get(action="channel.rotate")
    assert entry.details == {"secrets": ["secret"], "overlap_seconds": 86_400}
    assert new not in str(list(AuditEntry.objects.values()))


def test_an_old_secret_can_end_at_once(tenant, admin, at):
    channel = make_channel(tenant, "webhook")
    admin.post(at(channel, "rotate"), {"overlap": "24"})
    admin.post(at(channel, "rotate"), {"overlap": "0"})
    channel.refresh_from_db()
    assert set(channel.secrets) == {"secret"}


@pytest.mark.parametrize("overlap", ["", "x", "-1", "9999999999", "2"])
def test_an_overlap_that_is_not_offered_changes_nothing(tenant, admin, at, overlap):
    channel = make_channel(tenant, "webhook")
    response = admin.post(at(channel, "rotate"), {"overlap": overlap})
    assert "errorlist" in body(response)
    assert Channel.objects.get().sealed == channel.sealed


def test_a_new_link_key_ends_all_chat_links(tenant, admin, at, said):
    channel = make_channel(tenant)
    token = chat_url(channel, "ana").split("/")[-2]
    assert "This can&#x27;t be undone" in body(admin.get(at(channel, "rotate"))).replace(
        "can't", "can&#x27;t"
    )
    assert open_link(token)
    assert "Chat has a new link key." in said(at(channel, "rotate"))
    with pytest.raises(BadLink):
        open_link(token)


def test_a_channel_without_generated_secrets_has_nothing_to_rotate(tenant, admin, at):
    channel = make_channel(tenant, "email")
    assert "New " not in body(admin.get(at(channel)))
    assert admin.post(at(channel, "rotate")).status_code == 302
    assert actions() == []


def test_a_new_secret_mends_a_channel_whose_secrets_do_not_open(tenant, admin, at):
    channel = make_channel(tenant, "webhook")
    Channel.objects.filter(pk=channel.pk).update(sealed="not ours")
    admin.post(at(channel, "rotate"), {"overlap": "24"})
    channel.refresh_from_db()
    assert set(channel.secrets) == {"secret"}


# --- check ----------------------------------------------------------------------------------------


@pytest.fixture
def demo(tenant):
    tenant.is_demo = True
    tenant.save()
    return tenant


def test_checking_a_webhook_sends_one_signed_ping(demo, at, said):
    with Receiver(Answer(204)) as receiver:
        channel = make_channel(demo, "webhook", settings={"url": f"{receiver.url}hook"})
        (words,) = said(at(channel, "check"))
    (request,) = receiver.requests
    assert words.startswith("The receiver took a signed ping and answered 204. It took ")
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.json()["type"] == "carillon.ping"
    assert request.json()["data"] == {"id": request.headers["webhook-id"]}
    signed = b".".join(
        [
            request.headers["webhook-id"].encode(),
            request.headers["webhook-timestamp"].encode(),
            request.body,
        ]
    )
    key = b64decode(channel.secrets["secret"].removeprefix("whsec_"))
    expected = b64encode(digest(key, signed, "sha256")).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert AuditEntry.objects.get(action="channel.check").details == {"ok": True}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(500, body=b"Traceback: secret stuff"), "The receiver answered 500."),
        (Answer(301, {"Location": "http://127.0.0.1/"}), "The receiver answered 301."),
        (Answer(410), "The receiver answered 410: it wants no more messages."),
        (Answer(drop=True), "The connection was closed before the answer was complete."),
        (Answer(raw=b"SSH-2.0-OpenSSH\r\n\r\n"), "The answer is not HTTP that can be understood."),
    ],
)
def test_what_is_wrong_with_a_receiver_is_said_in_words(demo, at, said, answer, words):
    with Receiver(answer) as receiver:
        channel = make_channel(demo, "webhook", settings={"url": receiver.url})
        assert said(at(channel, "check")) == [words]
    assert AuditEntry.objects.get(action="channel.check").details == {"ok": False}


def test_a_real_tenant_reaches_nothing_on_this_machine(tenant, at, said):
    with Receiver() as receiver:
        channel = make_channel(tenant, "webhook", settings={"url": receiver.url})
        (words,) = said(at(channel, "check"))
    assert words == "The host stands at an address that this installation may not call."
    assert receiver.connections == 0


def test_an_operator_can_allow_a_network(tenant, at, said, settings):
    from ipaddress import ip_network

    settings.ALLOWED_NETWORKS = (ip_network("127.0.0.0/8"),)
    with Receiver() as receiver:
        channel = make_channel(tenant, "webhook", settings={"url": receiver.url})
        said(at(channel, "check"))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (405, "The endpoint answers. The first message shows whether the token is good."),
        (401, "Luma answers, but refuses the token."),
        (404, "The endpoint answered 404."),
        (502, "The endpoint answered 502."),
    ],
)
def test_checking_luma_notifies_nobody(demo, at, said, status, words):
    with Receiver(Answer(status)) as receiver:
        channel = make_channel(
            demo,
            "luma",
            settings={"endpoint": f"{receiver.url}vsa/"},
            secrets={"api_token": "t0ken"},
        )
        (found,) = said(at(channel, "check"))
    (request,) = receiver.requests
    assert (request.method, request.path) == ("GET", "/vsa/public/notifylumauser/message")
    assert request.headers["authorization"] == "Bearer t0ken"
    assert found.startswith(words)


def test_checking_email_greets_the_mail_server(tenant, at, said, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with MailServer() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        channel = make_channel(tenant, "email")
        assert said(at(channel, "check")) == ["The mail server answers."]
    assert said(at(channel, "check")) == ["The mail server could not be reached."]


def test_a_channel_whose_secrets_do_not_open_is_told_so(tenant, at, said):
    channel = make_channel(tenant, "webhook")
    Channel.objects.filter(pk=channel.pk).update(sealed="not ours")
    (words,) = said(at(channel, "check"))
    assert words.startswith("The stored secrets do not open")


# --- delete ---------------------------------------------------------------------------------------


def test_an_unused_channel_can_go_and_the_trail_remembers_it(tenant, admin, at):
    channel = make_channel(tenant, "webhook")
    assert "Keep it" in body(admin.get(at(channel, "delete")))
    admin.post(at(channel, "delete"), {"post": "yes"})
    assert not Channel.objects.exists()
    assert AuditEntry.objects.get(action="channel.delete").target_name == "Webhook"


def test_a_used_channel_stays(tenant, admin, at, said):
    channel = make_channel(tenant)
    make_delivery(channel)
    assert said(at(channel, "delete"), post="yes") == [
        "Chat can't be deleted. Its deliveries are in the log. Let it rest instead."
    ]
    assert Channel.objects.filter(pk=channel.pk).exists()
    assert actions() == []


def test_a_channel_that_a_notification_waits_for_stays(tenant, admin, at):
    from notifications.models import Notification

    channel = make_channel(tenant)
    Notification.objects.create(tenant=tenant, channel=channel, title="Tomorrow")
    response = admin.post(at(channel, "delete"), {"post": "yes"}, follow=True)
    assert Channel.objects.filter(pk=channel.pk).exists()
    assert response.status_code == 200


def test_channels_are_never_deleted_many_at_a_time(tenant, admin):
    channel = make_channel(tenant)
    admin.post(
        reverse("admin:channels_app_channel_changelist"),
        {"action": "delete_selected", "_selected_action": [channel.pk], "post": "yes"},
    )
    assert Channel.objects.filter(pk=channel.pk).exists()


def test_an_overlap_that_has_ended_is_not_mentioned(tenant, admin, at, time_machine):
    time_machine.move_to(NOON)
    channel = make_channel(tenant, "webhook")
    admin.post(at(channel, "rotate"), {"overlap": "1"})
    assert "Messages are signed with the new and the old" in body(admin.get(at(channel)))
    time_machine.move_to(NOON + timedelta(hours=1, seconds=1))
    assert "Messages are signed with the new and the old" not in body(admin.get(at(channel)))


def test_who_may_not_delete_learns_nothing_of_what_is_in_the_way(tenant, client_as, at):
    channel = make_channel(tenant, kind="chat")
    make_delivery(channel)
    for group in ("Agent", "Auditor", "Operator"):
        assert client_as(group).post(at(channel, "delete")).status_code == 403
