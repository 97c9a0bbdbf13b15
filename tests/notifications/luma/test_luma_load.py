"""Many requests at once, through the real web server to the real workers."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.support.installation import installation
from tests.support.luma import JAKE, PATH, request
from tests.support.workers import wait_for

MANY = 200
_COUNTS = """
from channels_app.models import ChatMessage
from notifications.models import Notification, Stage
from project.access.models import AuditEntry
texts = [message.payload["text"] for message in ChatMessage.objects.all()]
done = Notification.objects.filter(stage=Stage.DONE).count()
said = AuditEntry.objects.filter(action="notification.send").values("target_id").distinct().count()
print(len(texts), len(set(texts)), done, said)
"""
_TOKEN = """
from channels_app.models import Channel
from notifications.models import Recipient
from project.access.models import Tenant
from tests.support.luma import token_for
tenant = Tenant.objects.create(name="Acme")
Channel.objects.create(tenant=tenant, kind="chat", name="Chat", is_default=True)
Recipient.objects.create(tenant=tenant, login="{login}")
print(token_for(tenant))
"""


def test_two_hundred_requests_at_once_are_all_delivered_once(tmp_path):
    with installation(tmp_path) as house:
        house.must("prepare")
        token = house.python(_TOKEN.format(login=JAKE)).splitlines()[-1]
        web = house.start("web")
        house.start("worker")
        wait_for(lambda: answers(house.url), seconds=90, what=f"the web server:\n{web.said}")

        def call(number: int) -> int:
            return requests.post(
                house.url + PATH,
                json=request(message=f"Number {number}"),
                headers={"Authorization": f"Bearer {token}"},
                timeout=120,
            ).status_code

        with ThreadPoolExecutor(20) as callers:
            codes = Counter(callers.map(call, range(MANY)))
        assert codes == {200: MANY}, web.said
        wait_for(
            lambda: house.python(_COUNTS).split()[-4:] == [str(MANY)] * 4,
            seconds=50,
            what=f"{MANY} messages, once each",
        )


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5, allow_redirects=False).status_code < 500
    except requests.ConnectionError:
        return False
