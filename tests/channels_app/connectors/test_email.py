"""E-mail against a real mail server on loopback."""

import pytest

from channels_app.connectors import email
from channels_app.connectors.base import Credentials, Receipt, Rejected, Unavailable
from channels_app.connectors.email import Email
from tests.support.channels import NOON, make_channel, make_delivery
from tests.support.smtp import HANG_UP, MailServer

connector = Email()


@pytest.fixture
def channel(tenant):
    return make_channel(tenant, "email")


@pytest.fixture
def use(settings):
    """Point the installation at a mail server."""

    def point(port: int) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.EMAIL_TIMEOUT = 2
        settings.DEFAULT_FROM_EMAIL = "Carillon <carillon@acme.example>"

    return point


def deliver(channel, *deliveries):
    return connector.deliver(deliveries, Credentials.of(channel), NOON)


def send_one(channel, use, payload=None, **fields):
    with MailServer() as server:
        use(server.port)
        verdicts = deliver(channel, make_delivery(channel, payload, **fields))
    assert verdicts == [Receipt()]
    return server.messages[0]


def test_a_message_arrives_as_text_and_as_html(channel, use):
    message = send_one(
        channel,
        use,
        {"type": "TEXT", "text": "Back at 9 <PM>.\nhttps://acme.example/status", "subject": "Down"},
    )
    assert message["To"] == "ana@acme.example"
    assert message["From"] == "Carillon <carillon@acme.example>"
    assert message["Subject"] == "Down"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text.get_content().split("\r\n")[:2] == [
        "Back at 9 <PM>.",
        "https://acme.example/status",
    ]
    assert "Back at 9 &lt;PM&gt;." in html.get_content()
    assert 'href="https://acme.example/status"' in html.get_content()


def test_a_card_brings_its_actions_and_its_title_as_subject(channel, use):
    message = send_one(
        channel,
        use,
        {
            "type": "CARD",
            "title": "Bill ready",
            "text": "Due on Monday",
            "actions": [{"title": "Pay", "url": "https://acme.example/pay"}],
        },
    )
    assert message["Subject"] == "Bill ready"
    assert "Pay: https://acme.example/pay" in message.get_body(("plain",)).get_content()
    assert '<a href="https://acme.example/pay"' in message.get_body(("html",)).get_content()


def test_the_channel_has_a_subject_for_messages_that_bring_none(channel, use):
    channel.settings = {"subject": "News from Acme"}
    assert send_one(channel, use)["Subject"] == "News from Acme"


def test_there_is_always_a_subject(channel, use):
    assert send_one(channel, use)["Subject"] == "A message for you"


def test_the_channel_speaks_under_its_own_name_and_address(channel, use):
    channel.settings = {"from_address": "news@acme.example", "from_name": "Acme Störungen"}
    message = send_one(channel, use)
    assert message["From"] == "Acme Störungen <news@acme.example>"


def test_the_message_id_is_the_deliverys_over_all_tries(channel, use):
    delivery = make_delivery(channel)
    with MailServer() as server:
        use(server.port)
        deliver(channel, delivery)
        deliver(channel, delivery)
    ids = [message["Message-ID"] for message in server.messages]
    assert ids == [f"<{delivery.public_id}@acme.example>"] * 2


@pytest.mark.parametrize(
    "subject",
    [
        "Down\r\nBcc: eve@evil.example",
        "Down\nX-Evil: 1",
        "Down\u2028Bcc: eve@evil.example",
        "Down\x01\x0b\x85Bcc: eve@evil.example",
    ],
)
def test_a_subject_adds_no_header(channel, use, subject):
    message = send_one(channel, use, {"type": "TEXT", "text": "x", "subject": subject})
    assert message["Bcc"] is None
    assert message["X-Evil"] is None
    assert message["Subject"].startswith("Down ")


def test_a_long_subject_is_cut(channel, use):
    message = send_one(channel, use, {"type": "TEXT", "text": "x", "subject": "y" * 5000})
    assert message["Subject"].strip() == "y" * 200


def test_a_from_name_adds_no_header(channel, use):
    channel.settings = {"from_name": "Acme\r\nBcc: eve@evil.example"}
    assert send_one(channel, use)["Bcc"] is None


@pytest.mark.parametrize(
    "address", ["", "ana", "ana@", "a@b.example, eve@evil.example", "ana@acme.example\nBcc: x@y.zz"]
)
def test_what_is_no_address_is_refused_before_the_server_sees_it(channel, use, address):
    with MailServer() as server:
        use(server.port)
        (verdict,) = deliver(channel, make_delivery(channel, address=address))
    assert isinstance(verdict, Rejected)
    assert server.connections == 0


def test_a_batch_shares_one_connection(channel, use):
    with MailServer() as server:
        use(server.port)
        verdicts = deliver(channel, *[make_delivery(channel) for _ in range(5)])
    assert verdicts == [Receipt()] * 5
    assert (server.connections, len(server.mails)) == (1, 5)


def test_a_refused_recipient_leaves_the_rest_of_the_batch_alone(channel, use):
    gone = make_delivery(channel, address="gone@acme.example")
    with MailServer(rcpt={"gone@acme.example": "550 5.1.1 no such user"}) as server:
        use(server.port)
        verdicts = deliver(channel, make_delivery(channel), gone, make_delivery(channel))
    assert isinstance(verdicts[1], Rejected)
    assert str(verdicts[1]) == "The mail server answered 550: 5.1.1 no such user"
    assert [verdicts[0], verdicts[2]] == [Receipt(), Receipt()]
    assert len(server.mails) == 2


@pytest.mark.parametrize("answer", ["450 mailbox busy", "421 closing", "452 full"])
def test_a_recipient_refused_for_now_is_tried_again(channel, use, answer):
    busy = make_delivery(channel, address="busy@acme.example")
    with MailServer(rcpt={"busy@acme.example": answer}) as server:
        use(server.port)
        verdicts = deliver(channel, busy, make_delivery(channel))
    assert isinstance(verdicts[0], Unavailable)
    assert answer[:3] in str(verdicts[0])
    assert verdicts[1] == Receipt()


def test_a_message_that_the_server_will_not_have_is_refused(channel, use):
    with MailServer(data={1: "554 looks like spam"}) as server:
        use(server.port)
        verdicts = deliver(channel, make_delivery(channel), make_delivery(channel))
    assert isinstance(verdicts[0], Rejected)
    assert verdicts[1] == Receipt()


def test_a_refused_sender_is_the_channels_to_mend(channel, use):
    with MailServer(mail_from="553 not your domain") as server:
        use(server.port)
        verdicts = deliver(channel, make_delivery(channel), make_delivery(channel))
    assert all(isinstance(verdict, Unavailable) for verdict in verdicts)
    assert "553" in str(verdicts[0])


def test_a_connection_that_breaks_is_made_again_for_the_next_message(channel, use):
    with MailServer(data={2: HANG_UP}) as server:
        use(server.port)
        verdicts = deliver(channel, *[make_delivery(channel) for _ in range(3)])
    assert [type(verdict) for verdict in verdicts] == [Receipt, Unavailable, Receipt]
    assert (server.connections, len(server.mails)) == (2, 2)


def test_a_server_that_is_away_is_asked_once_a_batch(channel, use):
    with MailServer(greeting="421 not now") as server:
        use(server.port)
        verdicts = deliver(channel, *[make_delivery(channel) for _ in range(4)])
    assert all(isinstance(verdict, Unavailable) for verdict in verdicts)
    assert server.connections == 1


def test_a_port_where_nobody_listens_is_unavailable(channel, use):
    with MailServer() as server:
        use(server.port)
    (verdict,) = deliver(channel, make_delivery(channel))
    assert isinstance(verdict, Unavailable)
    assert str(verdict) == "The mail server could not be reached."


def test_a_server_that_says_nothing_is_unavailable(channel, use, settings):
    with MailServer(delay=0.5) as server:
        use(server.port)
        settings.EMAIL_TIMEOUT = 0.1
        (verdict,) = deliver(channel, make_delivery(channel))
    assert isinstance(verdict, Unavailable)


def test_what_a_crawling_server_leaves_of_a_batch_comes_back_soon(channel, use, monkeypatch):
    monkeypatch.setattr(email, "BATCH_BUDGET", 0.05)
    with MailServer(delay=0.1) as server:
        use(server.port)
        verdicts = deliver(channel, *[make_delivery(channel) for _ in range(3)])
    assert verdicts[0] == Receipt()
    assert all("too slow" in str(verdict) for verdict in verdicts[1:])
    assert len(server.mails) == 1


def test_a_text_of_odd_characters_still_goes_out(channel, use):
    delivery = make_delivery(channel)
    delivery.payload = {
        "type": "TEXT",
        "text": "a\ud800b \x00 安娜 🎉\r\n.\r\nQUIT",
        "subject": "é",
    }
    with MailServer() as server:
        use(server.port)
        assert deliver(channel, delivery) == [Receipt()]
    body = server.messages[0].get_body(("plain",))
    assert body
    text = body.get_content()
    assert "安娜 🎉" in text
    assert text.splitlines()[1:] == [".", "QUIT"]
    assert len(server.mails) == 1


def test_the_connection_can_be_checked(channel, use):
    with MailServer() as server:
        use(server.port)
        assert connector.reach(Credentials.of(channel)) == "The mail server answers."
    assert server.mails == []
    with pytest.raises(Unavailable, match="could not be reached"):
        connector.reach(Credentials.of(channel))


def test_without_a_mail_server_messages_become_files(channel, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    assert deliver(channel, make_delivery(channel)) == [Receipt()]
    (file,) = tmp_path.iterdir()
    assert "The mail server is down." in file.read_text()
