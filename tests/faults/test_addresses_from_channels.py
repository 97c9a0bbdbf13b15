"""Channels of a real tenant that point inside: what leaves, and what its people are shown."""

from ipaddress import ip_network

import pytest
from django.urls import reverse
from django.utils import timezone

from channels_app.dispatch.drain import Drain
from channels_app.models import Attempt, Channel, Delivery, Outcome, State
from channels_app.services import enqueue, open_books
from project.access.audit import Actor
from project.access.models import AuditEntry, Tenant
from tests.support.channels import make_channel
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED = "The host stands at an address that this installation may not call."
BY = Actor.hub("test")

# With {} for the port of a receiver on this machine.
INSIDE = {
    "loopback": "http://127.0.0.1:{}/",
    "short": "http://127.1:{}/",
    "decimal": "http://2130706433:{}/",
    "octal": "http://0177.0.0.1:{}/",
    "hexadecimal": "http://0x7f000001:{}/",
    "any": "http://0.0.0.0:{}/",
    "own name": "http://localhost:{}/",
    "own name, full stop": "http://localhost.:{}/",
    "loopback 6": "http://[::1]:{}/",
    "mapped": "http://[::ffff:127.0.0.1]:{}/",
    "mapped in hex": "http://[::ffff:7f00:1]:{}/",
    "private": "http://10.0.0.1/",
    "private 172": "http://172.16.0.1/",
    "private 192": "https://192.168.0.1/",
    "carrier-grade": "http://100.64.0.1/",
    "link-local": "http://169.254.0.1/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata decimal": "http://2852039166/latest/meta-data/",
    "metadata Azure": "http://168.63.129.16/",
    "metadata Alibaba": "http://100.100.100.200/",
    "metadata 6": "http://[fd00:ec2::254]/",
    "multicast": "http://224.0.0.1/",
    "multicast 6": "http://[ff02::1]/",
    "broadcast": "http://255.255.255.255/",
    "documentation": "http://192.0.2.1/",
    "documentation 6": "http://[2001:db8::1]/",
    "NAT64": "http://[64:ff9b::7f00:1]:{}/",
    "6to4": "http://[2002:7f00:1::]:{}/",
    "site-local": "http://[fec0::1]/",
    "link-local 6": "http://[fe80::1]/",
    "Teredo": "http://[2001::1]/",
}


def point(tenant: Tenant, name: str, url: str, kind: str = "webhook") -> Channel:
    setting, secrets = ("endpoint", {"api_token": "t"}) if kind == "luma" else ("url", {})
    return make_channel(tenant, kind, name=name, settings={setting: url}, secrets=secrets)


def send(*channels: Channel) -> dict[str, Attempt]:
    """Send one message over each of them; returns the first tries, by the channel's name."""
    now = timezone.now()
    rows = [
        Delivery(
            tenant=channel.tenant,
            channel=channel,
            origin_kind="test",
            origin_id=1,
            recipient="ana",
            address="ana@acme.example",
            payload={"type": "TEXT", "text": "Hello"},
            due_at=now,
            deadline=now + channel.lifetime,
            created_at=now,
        )
        for channel in channels
    ]
    open_books(channels[0].tenant, "test", 1)
    enqueue(rows, kind="test", pk=1)
    Drain(linger=False).run()
    tries = Attempt.objects.select_related("delivery__channel").filter(number=1)
    return {one.delivery.channel.name: one for one in tries}


@pytest.fixture
def admin(client_as):
    return client_as("Administrator")


@pytest.fixture
def check(admin):
    """Press a channel's check button and return what the page then says."""

    def press(channel: Channel) -> list[str]:
        url = reverse("admin:channels_app_channel_check", args=[channel.pk])
        return [str(message) for message in admin.post(url, follow=True).context["messages"]]

    return press


@pytest.fixture
def save(admin):
    """Save a new webhook with this URL by the form; returns the page that comes then."""

    def post(url: str) -> str:
        form = f"{reverse('admin:channels_app_channel_add')}?kind=webhook"
        limits = {"lifetime": "4", "max_in_flight": "64", "rate_limit": "0"}
        fields = {"name": "Saved", "is_active": "on", "setting_url": url, **limits}
        return str(admin.post(form, fields, follow=True).content.decode())

    return post


@pytest.mark.parametrize("kind", ["webhook", "luma"])
def test_a_message_reaches_no_inner_place_and_its_log_says_no_more_than_that(tenant, admin, kind):
    with Receiver() as receiver:
        urls = {name: url.format(receiver.port) for name, url in INSIDE.items()}
        tries = send(*(point(tenant, name, url, kind) for name, url in urls.items()))
        assert receiver.connections == 0
    assert set(tries) == set(INSIDE)
    for name, attempt in tries.items():
        found = (attempt.outcome, attempt.error, attempt.status, attempt.answer)
        assert found == (Outcome.UNAVAILABLE, REFUSED, None, ""), name
        assert attempt.delivery.state == State.QUEUED, name
        assert attempt.delivery.reason == REFUSED, name
    resolved = tries["own name"].delivery
    page = admin.get(reverse("admin:channels_app_delivery_change", args=[resolved.pk]))
    assert REFUSED in page.content.decode()
    assert "127.0.0.1" not in page.content.decode()
    assert "::1" not in page.content.decode()


@pytest.mark.parametrize("kind", ["webhook", "luma"])
def test_the_check_button_reaches_no_inner_place_either(tenant, check, kind):
    with Receiver() as receiver:
        for name, url in INSIDE.items():
            channel = point(tenant, name, url.format(receiver.port), kind)
            assert check(channel) == [REFUSED], name
        assert receiver.connections == 0
    checks = AuditEntry.objects.filter(action="channel.check").values_list("details", flat=True)
    assert list(checks) == [{"ok": False}] * len(INSIDE)


def test_the_form_takes_an_inner_place_without_looking_at_it_and_nothing_leaves(tenant, save):
    """Where a host stands is judged when a socket opens: the form is no oracle for names."""
    with Receiver() as receiver:
        page = save(f"http://localhost:{receiver.port}/")
        attempt = send(Channel.objects.get(name="Saved"))["Saved"]
        assert receiver.connections == 0
    assert "127.0.0.1" not in page
    assert attempt.error == REFUSED


@pytest.mark.parametrize("port", [22, 25, 111, 445, 2049, 3306, 5432, 6379, 6667, 11211, 27017])
def test_a_port_of_another_service_is_refused_by_form_check_and_engine(
    tenant, save, check, settings, port
):
    settings.ALLOWED_NETWORKS = (ip_network("127.0.0.0/8"),)
    words = f"Port {port} is not permitted."
    assert words in save(f"http://127.0.0.1:{port}/")
    assert not Channel.objects.exists()
    channel = point(tenant, "Hook", "https://hooks.acme.example/")
    channel.settings["url"] = f"http://127.0.0.1:{port}/"  # as an older release may have let it in
    channel.save()
    assert check(channel) == [words]
    attempt = send(channel)["Hook"]
    assert (attempt.status, attempt.error) == (None, words)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_the_inside_is_a_failed_try_for_message_and_check(
    tenant, check, settings, status
):
    settings.ALLOWED_NETWORKS = (ip_network("127.0.0.1/32"),)
    with Receiver(host="127.0.0.2") as forbidden, Receiver() as permitted:
        for place in (forbidden.url, permitted.url, "http://169.254.169.254/"):
            answers = [Answer(status, {"Location": place})] * 2
            with Receiver(*answers) as outside:
                channel = point(tenant, f"To {place}", outside.url)
                assert check(channel) == [f"The receiver answered {status}."]
                attempt = send(channel)[channel.name]
                assert len(outside.requests) == 2
            assert (attempt.outcome, attempt.status) == (Outcome.UNAVAILABLE, status)
        assert forbidden.connections == permitted.connections == 0


def test_one_tenant_s_permission_is_not_another_s(tenant, other_tenant, check):
    """A demo's channels may reach this machine; in one window with it, others may not."""
    other_tenant.is_demo = True
    other_tenant.save()
    with Receiver() as receiver:
        demo = point(other_tenant, "Demo", receiver.url)
        real = point(tenant, "Real", receiver.url)
        both = [demo, real] * 3
        tries = send(*both)
        assert len(receiver.requests) == 3
        assert check(real) == [REFUSED]
        assert len(receiver.requests) == 3
    assert (tries["Demo"].outcome, tries["Real"].error) == (Outcome.ACCEPTED, REFUSED)
    assert not Delivery.objects.filter(channel=real, state=State.SENT).exists()


def test_a_network_that_an_operator_allows_opens_no_other_form_of_it(tenant, check, settings):
    settings.ALLOWED_NETWORKS = (ip_network("127.0.0.1/32"),)
    forms = ("[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "127.0.0.2", "[::1]")
    with Receiver() as receiver:
        for form in forms:
            channel = point(tenant, form, f"http://{form}:{receiver.port}/")
            assert check(channel) == [REFUSED], form
            assert send(channel)[form].error == REFUSED
        assert receiver.connections == 0
        assert check(point(tenant, "Plain", receiver.url))[0].startswith("The receiver took")
