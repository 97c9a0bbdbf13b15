"""`manage.py rotate_secrets` after a new key was put in front."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from channels_app.models import Channel
from channels_app.secrets import SecretsUnreadable
from project.access.models import AuditEntry
from tests.support.channels import make_channel


def run() -> str:
    out = StringIO()
    call_command("rotate_secrets", stdout=out)
    return out.getvalue()


@pytest.fixture
def keys(settings):
    """Two keys; the installation starts with the old one alone."""
    new, old = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FERNET_KEYS = [old]
    return new, old


def test_all_secrets_open_with_the_new_key_alone_afterwards(tenant, other_tenant, keys, settings):
    new, old = keys
    ours, theirs = make_channel(tenant, "webhook"), make_channel(other_tenant, "chat")
    before = [ours.secrets, theirs.secrets]
    make_channel(tenant, "email")  # has none
    settings.FERNET_KEYS = [new, old]
    assert run() == "2 channels encrypted with the newest key\n"
    settings.FERNET_KEYS = [new]
    assert [Channel.objects.get(pk=c.pk).secrets for c in (ours, theirs)] == before


def test_running_it_again_changes_no_secret(tenant, keys, settings):
    channel = make_channel(tenant, "webhook")
    before = channel.secrets
    run()
    assert run() == "1 channel encrypted with the newest key\n"
    assert Channel.objects.get().secrets == before


def test_a_channel_that_no_key_opens_is_named_and_left_alone(tenant, keys, settings):
    lost = make_channel(tenant, "webhook", name="Lost")
    settings.FERNET_KEYS = [keys[0]]
    fine = make_channel(tenant, "webhook", name="Fine")
    with pytest.raises(CommandError, match=r"No key opens the secrets of: Lost \(Acme Utilities\)"):
        run()
    assert Channel.objects.get(pk=lost.pk).sealed == lost.sealed
    assert Channel.objects.get(pk=fine.pk).secrets == fine.secrets
    with pytest.raises(SecretsUnreadable):
        _ = Channel.objects.get(pk=lost.pk).secrets


def test_it_is_in_the_audit_trail(tenant, keys):
    make_channel(tenant, "webhook")
    run()
    entry = AuditEntry.objects.get(action="channel.reseal")
    assert (entry.actor_name, entry.details) == (
        "rotate_secrets command",
        {"count": 1, "unreadable": 0},
    )
