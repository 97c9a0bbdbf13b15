"""Adding and changing channels in the admin."""

from datetime import timedelta

import pytest
from django.urls import reverse

from channels_app.models import Channel
from project.access.models import AuditEntry
from tests.support.channels import make_channel, make_delivery, make_rsa_key

URL = "https://hooks.acme.example/in"


def body(response) -> str:
    text: str = response.content.decode()
    return text


def listing(client) -> str:
    return body(client.get(reverse("admin:channels_app_channel_changelist")))


# --- adding ---------------------------------------------------------------------------------------


def test_adding_starts_with_the_kind(admin):
    page = body(admin.get(reverse("admin:channels_app_channel_add")))
    for kind in ("chat", "email", "webhook", "luma"):
        assert f'href="?kind={kind}"' in page


@pytest.mark.parametrize("kind", ["", "sms", "<script>", "x" * 5000])
def test_an_unknown_kind_is_asked_for_again(admin, kind):
    response = admin.get(reverse("admin:channels_app_channel_add"), {"kind": kind})
    assert "What kind of channel is it?" in body(response)
    assert "<script>x" not in body(response)


def test_each_kind_asks_for_what_it_declares(admin):
    def form(kind):
        return body(admin.get(reverse("admin:channels_app_channel_add"), {"kind": kind}))

    assert 'name="setting_url"' in form("webhook")
    assert 'name="setting_from_address"' in form("email")
    luma = form("luma")
    assert 'name="setting_endpoint"' in luma
    assert 'type="password" name="secret_api_token"' in luma
    assert "setting_" not in form("chat")


def test_a_webhook_gets_a_secret_that_is_shown_once(add, admin, at):
    answer = add("webhook", setting_url=URL)
    channel = Channel.objects.get(name="Front door")
    secret = channel.secrets["secret"]
    assert secret.startswith("whsec_")
    assert secret in body(answer)
    assert "no-store" in answer["Cache-Control"]
    assert secret not in body(admin.get(at(channel)))
    assert secret not in body(answer.client.get("/admin/"))
    assert secret not in str(list(AuditEntry.objects.values()))
    assert secret not in channel.sealed


def test_the_key_of_chat_links_is_never_shown(add):
    answer = add("chat")
    channel = Channel.objects.get(name="Front door")
    assert len(channel.secrets["link_key"]) >= 40
    assert answer.status_code == 302
    assert channel.secrets["link_key"] not in body(answer)


def test_a_typed_secret_is_kept_encrypted_and_never_shown_again(add, admin, at):
    add("luma", setting_endpoint="https://luma.example/vsa", secret_api_token="s3cret-token")
    channel = Channel.objects.get(name="Front door")
    assert channel.secrets == {"api_token": "s3cret-token"}
    assert channel.settings == {"endpoint": "https://luma.example/vsa"}
    assert "s3cret-token" not in channel.sealed
    assert "s3cret-token" not in body(admin.get(at(channel)))
    assert "s3cret-token" not in str(list(AuditEntry.objects.values()))


def test_a_form_that_is_refused_does_not_give_the_secret_back(add):
    answer = add("luma", setting_endpoint="nowhere", secret_api_token="s3cret-token")
    assert answer.status_code == 200
    assert "s3cret-token" not in body(answer)


def test_a_private_key_is_kept_encrypted_replaced_and_taken_away(add, admin, at, change):
    private, _ = make_rsa_key()
    add("webhook", setting_url=URL, secret_private_key=private.replace("\n", "\r\n"))
    channel = Channel.objects.get(name="Front door")
    middle = private.splitlines()[5]
    assert middle in channel.secrets["private_key"]
    assert middle not in channel.sealed
    assert middle not in body(admin.get(at(channel)))
    change(channel, secret_private_key="")
    assert "private_key" in Channel.objects.get(pk=channel.pk).secrets
    change(channel, secret_private_key="-")
    assert set(Channel.objects.get(pk=channel.pk).secrets) == {"secret"}


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        ("nonsense", "It is no private key in PEM"),
        (make_rsa_key()[1], "It is no private key in PEM"),
        (make_rsa_key(1024)[0], "It has 1024 bits; 2048 to 4096 can be used"),
        ("x" * 9000, "at most 8192"),
    ],
    ids=["nonsense", "public", "short", "long"],
)
def test_a_key_that_can_not_sign_is_refused_and_not_given_back(add, pem, words):
    answer = body(add("webhook", setting_url=URL, secret_private_key=pem))
    assert words in answer
    assert pem[:60] not in answer
    assert not Channel.objects.exists()


def test_an_added_channel_is_in_the_audit_trail(add):
    add("webhook", setting_url=URL)
    entry = AuditEntry.objects.get(action="channel.add")
    assert entry.target_name == "Front door"
    assert entry.details == {"kind": "webhook"}
    assert entry.actor_kind == "user"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "This field is required"),
        ("hooks.acme.example", "Only http and https URLs can be called"),
        ("ftp://hooks.acme.example/", "Only http and https URLs can be called"),
        ("javascript:alert(1)", "Only http and https URLs can be called"),
        ("https://user:pw@hooks.acme.example/", "must not hold a user name or password"),
        ("https://hooks.acme.example:22/", "Port 22 is not permitted"),
        ("https://", "names no host"),
        ("https://hooks.acme.example/a b", "a character that is not allowed"),
        ("https://hooks.acme.example/" + "x" * 3000, "at most 2048"),
    ],
)
def test_a_url_that_can_never_be_called_is_refused_on_save(add, url, words):
    assert words in body(add("webhook", setting_url=url))
    assert not Channel.objects.exists()


def test_where_a_host_stands_is_not_judged_before_something_is_sent(add):
    add("webhook", setting_url="http://169.254.169.254/latest/")
    assert Channel.objects.filter(name="Front door").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "x" * 61}, "at most 60"),
        ({"name": "a\0b"}, "Null characters are not allowed"),
        ({"lifetime": "0"}, "greater than or equal to"),
        ({"lifetime": "721"}, "less than or equal to 720"),
        ({"lifetime": "soon"}, "Enter a number"),
        ({"lifetime": "nan"}, "Enter a number"),
        ({"lifetime": "1e400"}, "Enter a number"),
        ({"max_in_flight": "0"}, "greater than or equal to 1"),
        ({"max_in_flight": "1025"}, "less than or equal to 1024"),
        ({"rate_limit": "-1"}, "greater than or equal to 0"),
        ({"rate_limit": "9" * 20}, "less than or equal to"),
        ({"external_id": "x" * 101}, "at most 100"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused_with_a_reason(add, fields, words):
    answer = add("webhook", **{"setting_url": URL, **fields})
    assert answer.status_code == 200
    assert words in body(answer).replace("&#x27;", "'")
    assert not Channel.objects.exists()


@pytest.mark.parametrize("field", ["setting_from_name", "setting_subject"])
def test_a_line_break_cannot_get_into_a_header(add, field):
    assert "control character" in body(add("email", **{field: "Acme\nBcc: eve@evil.example"}))
    assert not Channel.objects.exists()


def test_a_from_address_must_be_one(add):
    assert "valid email address" in body(add("email", setting_from_address="Acme"))


@pytest.mark.parametrize("token", ["a\nb", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused(add, token):
    answer = add("luma", setting_endpoint="https://luma.example", secret_api_token=token)
    assert answer.status_code == 200
    assert not Channel.objects.exists()


def test_a_name_is_taken_once_in_a_tenant_and_free_in_another(add, tenant, other_tenant):
    make_channel(other_tenant, name="Front door")
    add("chat")
    assert Channel.objects.filter(tenant=tenant, name="Front door").count() == 1
    assert "A channel with this name exists" in body(add("chat"))


def test_an_external_id_is_taken_once(add):
    add("chat", external_id="bot-1")
    answer = add("chat", name="Back door", external_id="bot-1")
    assert "Another channel has this external ID" in body(answer)


# --- changing -------------------------------------------------------------------------------------


def test_a_secret_left_empty_is_kept(tenant, change):
    channel = make_channel(
        tenant, "luma", settings={"endpoint": "https://luma.example"}, secrets={"api_token": "old"}
    )
    change(channel, secret_api_token="", setting_bot_external_id="bot-7")
    channel.refresh_from_db()
    assert channel.secrets == {"api_token": "old"}
    assert channel.settings == {"endpoint": "https://luma.example", "bot_external_id": "bot-7"}


def test_a_typed_secret_replaces_the_kept_one(tenant, change):
    channel = make_channel(
        tenant, "luma", settings={"endpoint": "https://luma.example"}, secrets={"api_token": "old"}
    )
    change(channel, secret_api_token="new")
    channel.refresh_from_db()
    assert channel.secrets == {"api_token": "new"}
    entry = AuditEntry.objects.get(action="channel.change")
    assert entry.details == {"fields": ["secret_api_token"]}


def test_changing_other_things_leaves_the_generated_secret_alone(tenant, change):
    channel = make_channel(tenant, "webhook")
    before = channel.secrets
    change(channel, setting_url="https://hooks.acme.example/other", lifetime="0.5")
    channel.refresh_from_db()
    assert channel.secrets == before
    assert channel.setting("url") == "https://hooks.acme.example/other"
    assert channel.lifetime == timedelta(minutes=30)
    entry = AuditEntry.objects.get(action="channel.change")
    assert entry.details == {"fields": ["lifetime", "setting_url"]}


def test_the_kind_of_a_channel_never_changes(tenant, change):
    channel = make_channel(tenant, "webhook")
    change(channel, kind="chat")
    channel.refresh_from_db()
    assert channel.kind == "webhook"


def test_saving_does_not_undo_what_the_engine_wrote_meanwhile(tenant, change, time_machine):
    channel = make_channel(tenant, "webhook", rate_limit=5)
    paced = channel.created_at + timedelta(seconds=30)
    Channel.objects.filter(pk=channel.pk).update(paced_until=paced, is_active=False)
    change(channel)
    channel.refresh_from_db()
    assert (channel.paced_until, channel.is_active) == (paced, False)


def test_a_new_default_takes_the_old_ones_place(tenant, other_tenant, change, add):
    theirs = make_channel(other_tenant, is_default=True)
    first = make_channel(tenant, name="First", is_default=True)
    add("chat", is_default="on")
    assert list(Channel.objects.of(tenant).filter(is_default=True).values_list("name")) == [
        ("Front door",)
    ]
    change(first, is_default="on")
    assert Channel.objects.get(tenant=tenant, is_default=True) == first
    theirs.refresh_from_db()
    assert theirs.is_default


def test_secrets_that_do_not_open_can_be_typed_in_again(tenant, change, admin, at):
    channel = make_channel(
        tenant, "luma", settings={"endpoint": "https://luma.example"}, secrets={"api_token": "old"}
    )
    Channel.objects.filter(pk=channel.pk).update(sealed="not ours")
    answer = admin.get(at(channel))
    assert "The stored secrets do not open" in body(answer)
    assert "This field is required" in body(change(channel, secret_api_token=""))
    change(channel, secret_api_token="again")
    channel.refresh_from_db()
    assert channel.secrets == {"api_token": "again"}


# --- the list and who may -------------------------------------------------------------------------


def test_the_list_says_kind_state_and_use(tenant, admin):
    make_channel(tenant, "chat", is_default=True)
    make_delivery(make_channel(tenant, "webhook", is_active=False))
    page = listing(admin)
    assert 'state-active">active</span> <span class="chip">default</span>' in page
    assert 'state-resting">resting' in page
    assert '<td class="field-in_use">yes</td>' in page
    assert '<td class="field-in_use">no</td>' in page


def test_a_tenant_sees_and_reaches_its_own_channels_only(other_tenant, admin, at):
    theirs = make_channel(other_tenant, "webhook", name="Their door")
    assert "Their door" not in listing(admin)
    assert admin.get(at(theirs)).status_code == 302
    admin.post(at(theirs), {"name": "Mine now"})
    for deed in ("rest", "resume", "check", "rotate", "delete"):
        assert admin.post(at(theirs, deed), {"post": "yes"}).status_code in {302, 403}
    theirs.refresh_from_db()
    assert theirs.name == "Their door"
    assert theirs.is_active
    assert not AuditEntry.objects.exclude(action="channel.add").exists()


@pytest.mark.parametrize("group", ["Composer", "Approver", "Operator", "Auditor"])
def test_those_who_may_only_look_change_nothing(client_as, tenant, at, group):
    channel = make_channel(
        tenant,
        "luma",
        settings={"endpoint": "https://luma.example"},
        secrets={"api_token": "s3cret-token"},
    )
    sealed = channel.sealed
    client = client_as(group)
    shown = body(client.get(at(channel)))
    assert "https://luma.example" in shown
    assert "kept, not shown" in shown
    assert "s3cret-token" not in shown
    for words in ("Check the connection", "Let it rest", 'name="_save"'):
        assert words not in shown
    assert client.post(at(channel), {"name": "Mine"}).status_code == 403
    assert client.get(reverse("admin:channels_app_channel_add")).status_code == 403
    for deed in ("rest", "resume", "check", "rotate", "delete"):
        assert client.post(at(channel, deed), {"post": "yes"}).status_code == 403
    channel.refresh_from_db()
    assert (channel.name, channel.sealed, channel.is_active) == ("Luma", sealed, True)


def test_agents_and_strangers_see_no_channels(client, client_as, tenant, at):
    channel = make_channel(tenant)
    assert client_as("Agent").get(at(channel)).status_code == 403
    assert client.get(at(channel)).status_code == 302


def test_hostile_names_are_shown_as_text(tenant, admin, at):
    channel = make_channel(tenant, name="<script>alert(1)</script>")
    for text in (listing(admin), body(admin.get(at(channel)))):
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
