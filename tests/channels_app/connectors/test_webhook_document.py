"""docs/webhook.md tells receivers the truth."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from channels_app.channel_services import rotate
from channels_app.connectors.base import Credentials
from channels_app.connectors.webhook import Webhook
from tests.support.channels import BY, NOON, make_channel, make_delivery, make_rsa_key

DOCUMENT = Path(__file__).parents[3] / "docs" / "webhook.md"


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    """Run the document's own samples; returns what they define."""
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
        exec(compile(code, "webhook.md", "exec"), names)  # noqa: S102
    return names


@pytest.fixture
def channel(tenant):
    return make_channel(tenant, "webhook")


def request_at(channel, now):
    return Webhook().request(make_delivery(channel), Credentials.of(channel), now).sealed()


def test_the_printed_verification_accepts_what_is_sent(channel, sample):
    request = request_at(channel, datetime.now(UTC))
    sample["verify"](channel.secrets["secret"], request.headers, request.body)


def test_the_printed_verification_accepts_either_secret_in_a_rotation(channel, sample):
    old = channel.secrets["secret"]
    new = rotate(channel, by=BY, overlap=timedelta(hours=1))["secret"]
    request = request_at(channel, datetime.now(UTC))
    for secret in (old, new):
        sample["verify"](secret, request.headers, request.body)


def test_the_printed_verification_refuses_other_bytes_and_old_ones(channel, sample):
    secret = channel.secrets["secret"]
    request = request_at(channel, datetime.now(UTC))
    with pytest.raises(sample["NotFromCarillon"], match="wrong signature"):
        sample["verify"](secret, request.headers, request.body + b" ")
    stale = request_at(channel, datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(sample["NotFromCarillon"], match="too old"):
        sample["verify"](secret, stale.headers, stale.body)


def test_the_printed_verification_of_tokens_accepts_what_is_sent(channel, sample):
    private, public = make_rsa_key()
    channel.keep_secrets({**channel.secrets, "private_key": private})
    channel.save()
    request = request_at(channel, datetime.now(UTC))
    claims = sample["verify_token"](public, request.headers, request.body)
    assert claims["jti"] == request.headers["webhook-id"]
    assert claims["orgId"] == str(channel.tenant.external_id)
    sample["verify"](channel.secrets["secret"], request.headers, request.body)


def test_the_printed_verification_of_tokens_refuses_the_rest(channel, sample):
    private, public = make_rsa_key()
    channel.keep_secrets({**channel.secrets, "private_key": private})
    channel.save()
    request = request_at(channel, datetime.now(UTC))
    with pytest.raises(jwt.InvalidTokenError, match="another one"):
        sample["verify_token"](public, request.headers, request.body + b" ")
    with pytest.raises(jwt.InvalidSignatureError):
        sample["verify_token"](make_rsa_key()[1], request.headers, request.body)
    stale = request_at(channel, datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(jwt.ExpiredSignatureError):
        sample["verify_token"](public, stale.headers, stale.body)


def test_the_printed_body_has_the_fields_that_are_sent(channel):
    (printed,) = re.findall(r"^\{.*\}$", DOCUMENT.read_text(), re.MULTILINE)
    sent = json.loads(request_at(channel, NOON).body)
    assert json.loads(printed).keys() == sent.keys()
    assert json.loads(printed)["data"].keys() == sent["data"].keys()
    assert printed == json.dumps(json.loads(printed), separators=(",", ":"), sort_keys=True)
