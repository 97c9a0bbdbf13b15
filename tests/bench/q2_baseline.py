"""The baseline: a django-q2 task per recipient, as its document shows, with the same rows."""

import requests
from django.db import transaction
from django.utils import timezone

from channels_app.connectors.base import Credentials, Unavailable, connector_for
from channels_app.http import HttpResponse
from channels_app.http.headers import Headers
from channels_app.models import Attempt, Delivery, Outcome, State, Tally

_session = requests.Session()  # one a worker process: connections are reused
_credentials: dict[int, Credentials] = {}


def send_one(pk: int) -> None:
    """Send one delivery and write down what came of it."""
    delivery = Delivery.objects.select_related("channel__tenant").get(pk=pk)
    channel = delivery.channel
    if channel.pk not in _credentials:
        _credentials[channel.pk] = Credentials.of(channel)
    connector = connector_for(channel.kind)
    now = timezone.now()
    request = connector.request(delivery, _credentials[channel.pk], now).sealed()  # type: ignore[attr-defined]
    answer = _session.post(
        request.url, data=request.body, headers=dict(request.headers), timeout=20
    )
    took = answer.elapsed.total_seconds()
    response = HttpResponse(answer.status_code, Headers(answer.headers.items()), answer.content)
    outcome, state = Outcome.ACCEPTED, State.SENT
    try:
        connector.receipt(response)  # type: ignore[attr-defined]
    except Unavailable:
        outcome, state = Outcome.UNAVAILABLE, State.QUEUED
    with transaction.atomic():
        Attempt.objects.create(
            delivery=delivery,
            number=delivery.attempt_count + 1,
            started_at=now,
            duration=took,
            outcome=outcome,
            status=answer.status_code,
            answer=answer.text[:2000],
        )
        Delivery.objects.filter(pk=pk).update(
            state=state, attempt_count=delivery.attempt_count + 1, settled_at=timezone.now()
        )
        Tally.objects.shift(delivery.origin_kind, delivery.origin_id, {"queued": -1, state: 1})
