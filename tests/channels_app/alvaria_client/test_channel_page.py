"""The channel as people set it up."""

import pytest

from channels_app.models import Channel
from tests.support.channels import make_rsa_key
from tests.support.far_alvaria import PUBLIC

pytestmark = pytest.mark.django_db

ADD = "/admin/channels_app/channel/add/?kind=alvaria"
FIELDS = {
    "name": "Alvaria",
    "lifetime": "4",
    "max_in_flight": "64",
    "rate_limit": "0",
    "is_active": "on",
    "setting_token_url": "https://id.aspect.example/tokenservice/oauth2/access_token",
    "setting_api_url": "https://{orgId}.via.aspect.example",
    "setting_org_id": "acme",
    "setting_client_id": "client",
    "setting_work_type_id": "32",
    "secret_client_secret": "s3cret",
    "secret_api_key": "k3y",
}


@pytest.fixture
def add(client_as):
    client = client_as("Administrator")
    return lambda **fields: client.post(ADD, {**FIELDS, **fields})


def test_the_kind_is_offered(client_as):
    page = client_as("Administrator").get("/admin/channels_app/channel/add/")
    assert 'href="?kind=alvaria"' in page.content.decode()


def test_the_organisation_may_stand_in_the_url_and_the_key_may_come_later(add):
    assert add().status_code == 302
    channel = Channel.objects.get()
    assert channel.settings["api_url"] == "https://{orgId}.via.aspect.example"
    assert channel.secrets == {"client_secret": "s3cret", "api_key": "k3y"}


def test_two_public_keys_are_taken_one_below_the_other(add):
    both = f"{PUBLIC}\r\n{make_rsa_key()[1]}"
    assert add(setting_public_key=both).status_code == 302
    assert Channel.objects.get().settings["public_key"].count("BEGIN") == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"setting_api_url": "https://{other}.example"}, "there may be {orgId} only"),
        ({"setting_token_url": "https://{region}.example"}, "there may be {orgId} only"),
        ({"setting_public_key": "no key"}, "It is no public key in PEM."),
        ({"setting_public_key": make_rsa_key()[0]}, "It is no public key in PEM."),
        ({"setting_public_key": make_rsa_key(1024)[1]}, "It has 1024 bits"),
        ({"setting_public_key": f"{PUBLIC}{make_rsa_key(1024)[1]}"}, "It has 1024 bits"),
        ({"setting_public_key": PUBLIC * 5}, "At most 4 keys."),
        ({"setting_close_after": "-1"}, "It must be a whole number."),
        ({"setting_close_after": "soon"}, "It must be a whole number."),
        ({"secret_client_secret": ""}, "This field is required."),
    ],
)
def test_what_could_not_work_is_refused(add, fields, words):
    answer = add(**fields)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not Channel.objects.exists()
