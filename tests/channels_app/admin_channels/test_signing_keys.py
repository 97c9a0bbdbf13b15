"""A callback channel's keys: made, published, changed over with an overlap."""

import json
from datetime import datetime, timedelta

import jwt
import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from jwcrypto.jwk import JWK

from channels_app.admin.channel_deeds import UNREADABLE
from channels_app.callback_verifying import BadToken, public_key, verify_callback
from channels_app.connectors.base import Credentials, connector_for
from channels_app.models import Channel
from project.access.models import AuditEntry
from tests.support.alvaria import make_api_client, make_callbacks
from tests.support.channels import make_channel, make_delivery

pytestmark = pytest.mark.django_db

CALLBACK = {"sessionId": "s", "event": "NEW_SESSION", "status": "SUCCESS", "eventId": "e"}
URL = "https://hooks.acme.example/alvaria"


@pytest.fixture
def channel(tenant) -> Channel:
    return make_callbacks(tenant)


def signed(channel: Channel, now: datetime | None = None):
    """What leaves now: headers and body of an event."""
    channel = Channel.objects.get(pk=channel.pk)
    delivery = make_delivery(channel, {"type": "EVENT", "callback": CALLBACK})
    connector = connector_for(channel.kind)
    moment = now or timezone.now()
    request = connector.request(delivery, Credentials.of(channel), moment).sealed()  # type: ignore[attr-defined]
    return request.headers["Authorization"], request.body


def key_set(channel: Channel) -> list[dict[str, str]]:
    answer = Client().get(reverse("key-set", args=[channel.public_id]))
    assert answer["Content-Type"] == "application/jwk-set+json"
    return list(json.loads(answer.content)["keys"])


def is_good(channel: Channel, pem: str, now: datetime | None = None) -> bool:
    authorization, body = signed(channel, now)
    try:
        verify_callback(authorization, body, [public_key(pem)], now=now)
    except BadToken:
        return False
    return True


@pytest.fixture
def download(client_as, at):
    """Fetch a public key as its page offers it."""

    def fetch(channel: Channel, key: str = "", group: str = "Administrator"):
        return client_as(group).get(at(channel, "public-key"), {"key": key} if key else {})

    return fetch


def test_a_channel_is_made_with_a_key_and_its_public_half_checks_what_leaves(add, tenant, download):
    assert add("alvaria_callback", setting_url=URL).status_code == 302
    channel = Channel.objects.get(tenant=tenant)
    answer = download(channel)
    assert "attachment" in answer["Content-Disposition"]
    pem = answer.content.decode()
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")
    assert is_good(channel, pem)
    _, body = signed(channel)
    assert body == json.dumps(CALLBACK, separators=(",", ":")).encode(), "as the document prints it"


def test_the_key_set_holds_the_same_key_by_its_thumbprint(channel, download):
    (key,) = key_set(channel)
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    known = JWK.from_pem(download(channel).content)
    assert {name: key[name] for name in ("n", "e")} == {
        name: known.export_public(as_dict=True)[name] for name in ("n", "e")
    }
    assert key["kid"] == known.thumbprint(), "RFC 7638"
    authorization, _ = signed(channel)
    assert jwt.get_unverified_header(authorization.removeprefix("Bearer "))["kid"] == key["kid"]


def test_in_a_rotation_the_old_key_signs_until_the_overlap_is_over(channel, admin, at, download):
    old = download(channel).content.decode()
    assert admin.post(at(channel, "rotate"), {"overlap": "24"}).status_code == 302
    first, second = key_set(channel)
    assert download(channel, first["kid"]).content.decode() == old
    new = download(channel, second["kid"]).content.decode()
    assert new != old
    assert is_good(channel, old)
    assert not is_good(channel, new)
    later = timezone.now() + timedelta(hours=24, minutes=1)
    assert is_good(channel, new, later)
    with time_machine.travel(later):
        assert [key["kid"] for key in key_set(channel)] == [second["kid"]]


def test_a_second_rotation_leaves_the_key_signing_that_receivers_hold(channel, admin, at, download):
    held = download(channel).content.decode()
    admin.post(at(channel, "rotate"), {"overlap": "168"})
    _, never_used = key_set(channel)
    admin.post(at(channel, "rotate"), {"overlap": "24"})
    signs, follows = key_set(channel)
    assert download(channel, signs["kid"]).content.decode() == held
    assert is_good(channel, held)
    assert follows["kid"] != never_used["kid"]
    later = timezone.now() + timedelta(hours=24, minutes=1)
    assert is_good(channel, download(channel, follows["kid"]).content.decode(), later)


def test_an_operator_changes_over_early(channel, admin, at, download):
    admin.post(at(channel, "rotate"), {"overlap": "168"})
    _, second = key_set(channel)
    assert "Change over to the new key now" in admin.get(at(channel)).content.decode()
    admin.post(at(channel, "end-overlap"))
    assert [key["kid"] for key in key_set(channel)] == [second["kid"]]
    assert is_good(channel, download(channel).content.decode())
    again = admin.post(at(channel, "end-overlap"), follow=True)
    assert "changed over already" in again.content.decode()
    assert AuditEntry.objects.filter(action="channel.end_overlap").count() == 1


def test_the_old_key_can_end_at_once(channel, admin, at, download):
    old = download(channel).content.decode()
    admin.post(at(channel, "rotate"), {"overlap": "0"})
    assert len(key_set(channel)) == 1
    assert not is_good(channel, old)


def test_a_private_key_is_on_no_page_and_in_no_trail(channel, admin, at):
    admin.post(at(channel, "rotate"), {"overlap": "24"})
    secrets = Channel.objects.get(pk=channel.pk).secrets
    pages = [
        admin.get(at(channel)).content.decode(),
        admin.get(at(channel, "rotate")).content.decode(),
    ]
    told = [json.dumps(entry.details) for entry in AuditEntry.objects.all()]
    for pem in (secrets["private_key"], secrets["old_private_key"]):
        middle = pem.splitlines()[5]
        assert not any(middle in text for text in [*pages, *told])
    assert all("PRIVATE KEY" not in page for page in pages)


def test_who_reads_may_have_the_public_key_and_change_nothing(channel, client_as, at, download):
    assert download(channel, group="Auditor").status_code == 200
    auditor = client_as("Auditor")
    for deed in ("rotate", "end-overlap"):
        assert auditor.post(at(channel, deed), {"overlap": "0"}).status_code == 403
    assert download(channel, "no-such-key").status_code == 404
    assert len(key_set(channel)) == 1


def test_another_tenants_keys_are_not_on_offer(other_tenant, admin, at):
    theirs = make_callbacks(other_tenant)
    assert admin.get(at(theirs, "public-key"), follow=True).redirect_chain
    assert len(key_set(theirs)) == 1, "but public keys are public"


def test_channels_without_a_signing_key_publish_none(tenant, other_tenant):
    for kind in ("chat", "email", "webhook"):
        channel = make_channel(tenant, kind)
        assert Client().get(reverse("key-set", args=[channel.public_id])).status_code == 404
    unknown = reverse("key-set", args=["00000000-0000-4000-8000-000000000000"])
    assert Client().get(unknown).status_code == 404


def test_it_serves_one_system_or_all_and_each_system_has_one(add, tenant, other_tenant):
    client = make_api_client(tenant)
    theirs = make_api_client(other_tenant, "Theirs")
    assert add("alvaria_callback", setting_url=URL).status_code == 302
    again = add("alvaria_callback", name="Another", setting_url=URL)
    assert "serves all systems" in again.content.decode()
    assert add("alvaria_callback", name="Own", setting_url=URL, client=client.pk).status_code == 302
    twice = add("alvaria_callback", name="Twice", setting_url=URL, client=client.pk)
    assert "tells this system" in twice.content.decode()
    foreign = add("alvaria_callback", name="Foreign", setting_url=URL, client=theirs.pk)
    assert "valid choice" in foreign.content.decode()
    assert Channel.objects.of(tenant).count() == 2


@pytest.mark.parametrize("limit", ["-1", "many", "1.5", "9999999999"])
def test_the_limit_of_open_sessions_is_a_number(add, limit):
    answer = add("alvaria_callback", setting_url=URL, setting_session_limit=limit)
    assert "whole number" in answer.content.decode()


def test_it_is_no_way_to_reach_people(channel, admin):
    page = admin.get("/admin/notifications/notification/add/").content.decode()
    assert channel.name not in page
    import_page = admin.get("/admin/notifications/recipient/import/").content.decode()
    assert "alvaria_callback" not in import_page


def test_keys_that_do_not_open_are_said_in_words(channel, admin, at):
    Channel.objects.filter(pk=channel.pk).update(sealed="gAAAAAbroken")
    ended = admin.post(at(channel, "end-overlap"), follow=True)
    assert [str(one) for one in ended.context["messages"]] == [UNREADABLE]
    assert admin.get(at(channel, "public-key")).status_code == 404
