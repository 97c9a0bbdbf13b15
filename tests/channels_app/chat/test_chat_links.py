"""Links that open a chat window, and only the one that they were made for."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from channels_app.channel_services import rotate
from channels_app.chat_links import BadLink, chat_url, open_link
from channels_app.models import Channel
from tests.support.channels import BY, make_channel, make_tenant, say


def token_of(channel: Channel, contact: str = "ana") -> str:
    return chat_url(channel, contact).split("/")[-2]


def test_a_link_is_absolute_and_opens_its_own_window(channel, settings):
    settings.BASE_URL = "https://hub.acme.example"
    url = chat_url(channel, "ana@acme.example")
    assert url.startswith("https://hub.acme.example/chat/")
    assert url.endswith("/")
    assert open_link(url.split("/")[-2]) == (channel, "ana@acme.example")


@pytest.mark.parametrize("contact", ["安娜 Ruiz", "a.b/c?d#e%20f", "x" * 254, " "])
def test_any_login_fits_into_a_link(channel, visit, contact):
    assert open_link(token_of(channel, contact)) == (channel, contact)
    assert visit(contact=contact).status_code == 200


def test_a_link_to_one_person_opens_no_other_window(channel):
    head, _, signature = token_of(channel, "ana").rpartition(".")
    named = urlsafe_b64decode(head + "=" * (-len(head) % 4))
    other = urlsafe_b64encode(named[:16] + b"bo").decode().rstrip("=")
    with pytest.raises(BadLink):
        open_link(f"{other}.{signature}")


def test_a_link_of_one_tenant_opens_nothing_of_another(channel):
    theirs = make_channel(make_tenant("Other"))
    head = token_of(theirs).rpartition(".")[0]
    signature = token_of(channel).rpartition(".")[2]
    with pytest.raises(BadLink):
        open_link(f"{head}.{signature}")


def test_a_new_key_ends_all_links(channel, visit):
    say(channel, "private")
    old = token_of(channel)
    rotate(channel, by=BY, overlap=timedelta(days=7))
    with pytest.raises(BadLink):
        open_link(old)
    assert open_link(token_of(channel)) == (channel, "ana")


def test_a_channel_of_another_kind_has_no_windows(channel):
    token = token_of(channel)
    Channel.objects.filter(pk=channel.pk).update(kind="email")
    with pytest.raises(BadLink):
        open_link(token)


@pytest.mark.django_db
@given(st.text(max_size=80))
def test_no_other_text_is_a_link(text):
    with pytest.raises(BadLink):
        open_link(text)


@pytest.mark.parametrize("token", ["x", ".", "a.b", "AAAA.AAAA", "%00", "é", "a" * 3000])
@pytest.mark.parametrize("rest", ["", "new?after=0", "earlier?before=9"])
def test_a_bad_link_is_a_calm_page_that_tells_nothing(client, db, token, rest):
    response = client.get(f"/chat/{token}/{rest}")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()
    assert response["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert "Acme" not in response.content.decode()


def test_an_ended_link_looks_like_one_that_never_was(client, channel, settings):
    path = chat_url(channel, "ana").removeprefix(settings.BASE_URL)
    rotate(channel, by=BY, overlap=timedelta())
    assert client.get(path).content == client.get("/chat/never.was/").content


def test_while_the_key_of_the_secrets_is_lost_a_link_opens_nothing(client, channel, settings):
    path = chat_url(channel, "ana").removeprefix(settings.BASE_URL)
    kept, settings.FERNET_KEYS = settings.FERNET_KEYS, [Fernet.generate_key().decode()]
    response = client.get(path)
    assert response.status_code == 404
    assert response.content == client.get("/chat/never.was/").content
    settings.FERNET_KEYS = kept
    assert client.get(path).status_code == 200
