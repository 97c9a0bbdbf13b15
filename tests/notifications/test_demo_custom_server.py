"""What the demo gives to who plays a custom server."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from channels_app.callback_verifying import public_key
from channels_app.models import Channel
from project.access.models import ApiClient
from project.access.oauth import Credentials
from tests.support.alvaria import NEW_SESSION, CustomServer

pytestmark = pytest.mark.django_db


def demo(**options: Any) -> dict[str, Any]:
    said = StringIO()
    call_command("demo", json=True, stdout=said, **options)
    return dict(json.loads(said.getvalue())["alvaria"])


def given(made: dict[str, Any]) -> Credentials:
    return Credentials(made["client_id"], made["client_secret"], made["api_key"])


def test_it_opens_the_documents_sample_session(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    made = demo()
    client = ApiClient.objects.get(name="Demo custom server")
    server = CustomServer(client, given(made)).sign_in()
    assert server.org_id == made["org_id"]
    session = server.opened(NEW_SESSION)
    assert session.work_type is not None
    assert session.work_type.code == made["work_type_id"]
    public_key(made["public_key_pem"])


def test_asked_again_it_prints_the_same_as_long_as_that_is_good(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    first = demo()
    assert demo() == first
    (tmp_path / "demo.json").unlink()
    anew = demo()
    assert anew["client_id"] == first["client_id"]
    assert anew["client_secret"] != first["client_secret"]
    client = ApiClient.objects.get(name="Demo custom server")
    assert CustomServer(client, given(anew)).sign_in().token


def test_a_callback_url_is_where_its_callbacks_go(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    url = "http://127.0.0.1:9000/alvaria"
    assert demo(callback_url=url)["callback_url"] == url
    channel = Channel.objects.get(kind="alvaria_callback")
    assert channel.setting("url") == url
