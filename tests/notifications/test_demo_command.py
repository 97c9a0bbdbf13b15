"""`manage.py demo` where something is in its way."""

import io

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command


@pytest.mark.django_db
def test_the_demo_says_so_when_the_key_of_its_secrets_is_lost(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    call_command("demo", stdout=io.StringIO())
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="do not open with CARILLON_FERNET_KEYS"):
        call_command("demo", stdout=io.StringIO())
