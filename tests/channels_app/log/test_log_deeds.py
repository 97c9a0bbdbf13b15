"""The operators' deeds, by the console: confirmation, bulk, refusals, wrong input."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from channels_app.models import Delivery, State

from .conftest import LIST, OPERATE, page_of


@pytest.fixture
def operator(client_as: Callable[[str], Client]) -> Client:
    return client_as("Operator")


def said(response) -> str:
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
    return unescape(plain)


def press(client: Client, deed: str, *deliveries: Delivery, **fields) -> str:
    """Press a deed's button and read the page that follows."""
    data = {"deed": deed, "delivery": [d.pk for d in deliveries], **fields}
    response = client.post(OPERATE, data, follow=True)
    assert response.status_code == 200
    return said(response)


def state_of(delivery: Delivery) -> str:
    return Delivery.objects.get(pk=delivery.pk).state


def buttons(client: Client, path: str) -> set[str]:
    return set(re.findall(r'name="deed" value="(\w+)"', client.get(path).content.decode()))


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (State.SENDING, set()),
        (State.SENT, {"replay"}),
        (State.DELIVERED, {"replay"}),
        (State.FAILED, {"retry", "replay"}),
        (State.EXPIRED, {"retry", "replay"}),
        (State.CANCELLED, {"retry"}),
        (State.SUPPRESSED, set()),
    ],
)
def test_a_page_offers_what_its_state_allows(operator, make_delivery, state, offered):
    assert buttons(operator, page_of(make_delivery(state=state))) == offered


def test_a_single_retry_needs_no_second_word(operator, make_delivery):
    delivery = make_delivery(state=State.FAILED)
    page = press(operator, "retry", delivery, back=page_of(delivery))
    assert f"Delivery {delivery.pk} is due now." in page
    assert state_of(delivery) == "queued"


@pytest.mark.parametrize(
    ("deed", "words", "done"),
    [
        ("cancel", "can't be called back", "is cancelled"),
        ("replay", "gets it a second time", "is being sent once more"),
    ],
)
def test_what_can_not_be_undone_is_asked_first(operator, make_delivery, deed, words, done):
    state = State.QUEUED if deed == "cancel" else State.SENT
    delivery = make_delivery(state=state)
    page = press(operator, deed, delivery, back=page_of(delivery))
    assert words in page
    assert state_of(delivery) == state
    assert Delivery.objects.count() == 1
    page = press(operator, deed, delivery, back=page_of(delivery), confirmed="yes")
    assert f"Delivery {delivery.pk} {done}." in page
    assert state_of(delivery) == ("cancelled" if deed == "cancel" else state)
    assert Delivery.objects.count() == (2 if deed == "replay" else 1)


def test_the_ticked_rows_are_counted_first_and_then_done(operator, make_delivery):
    failed = [make_delivery(state=State.FAILED) for _ in range(3)]
    sent = [make_delivery(), make_delivery()]
    page = press(operator, "retry", *failed, *sent)
    assert "Retry 5 deliveries?" in page
    assert "failed 3" in page
    assert "Left alone: 2 The channel has taken it already." in page
    assert "Retry 3 deliveries" in page
    assert {state_of(d) for d in failed} == {"failed"}
    page = press(operator, "retry", *failed, *sent, confirmed="yes")
    assert "3 deliveries are due now." in page
    assert "2 deliveries were left alone: The channel has taken it already (2)." in page
    assert {state_of(d) for d in failed} == {"queued"}
    assert {state_of(d) for d in sent} == {"sent"}


def test_the_list_comes_back_with_its_filters(operator, make_delivery):
    delivery = make_delivery(state=State.FAILED)
    back = f"{LIST}?state=failed&recipient=ana"
    response = operator.post(OPERATE, {"deed": "retry", "delivery": delivery.pk, "back": back})
    assert response.headers["Location"] == back


@pytest.mark.parametrize(
    "back",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "", "/" + "a" * 3000],
)
def test_a_deed_leads_back_into_the_console_only(operator, make_delivery, back):
    delivery = make_delivery(state=State.FAILED)
    response = operator.post(OPERATE, {"deed": "retry", "delivery": delivery.pk, "back": back})
    assert response.headers["Location"] == LIST


def test_a_deed_that_came_too_late_says_why(operator, make_delivery):
    page = press(operator, "retry", make_delivery(state=State.SENDING))
    assert "was left alone: It is being sent right now." in page


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "Choose what to do."),
        ({"deed": "delete", "delivery": "1"}, "Choose what to do."),
        ({"deed": "<script>alert(1)</script>", "delivery": "1"}, "Choose what to do."),
        ({"deed": "retry\0", "delivery": "1"}, "Choose what to do."),
        ({"deed": "retry"}, "Tick the deliveries first."),
        ({"deed": "retry", "delivery": "abc"}, "That is not a delivery's number."),
        ({"deed": "retry", "delivery": "1\0"}, "That is not a delivery's number."),
        ({"deed": "retry", "delivery": "-1"}, "That is not a delivery's number."),
        ({"deed": "retry", "delivery": "9" * 19}, "That is not a delivery's number."),
        ({"deed": "retry", "delivery": "9" * 5000}, "That is not a delivery's number."),
        ({"deed": "retry", "delivery": ["1"] * 501}, "Tick 500 deliveries at most."),
    ],
)
def test_wrong_input_is_told_and_changes_nothing(operator, make_delivery, data, message):
    delivery = make_delivery(state=State.FAILED)
    response = operator.post(OPERATE, data, follow=True)
    assert response.status_code == 200
    assert message in said(response)
    assert "<script>alert" not in response.content.decode()
    assert state_of(delivery) == "failed"


@pytest.mark.parametrize("number", ["0", "123456789", str(2**63 - 1)])
def test_a_delivery_that_is_not_there_is_not_found(operator, number):
    assert operator.post(OPERATE, {"deed": "retry", "delivery": number}).status_code == 404


def test_another_tenants_delivery_is_not_found_and_not_touched(
    operator, make_delivery, other_channel
):
    foreign = make_delivery(state=State.FAILED, over=other_channel)
    assert operator.post(OPERATE, {"deed": "retry", "delivery": foreign.pk}).status_code == 404
    own = make_delivery(state=State.FAILED)
    page = press(operator, "retry", own, foreign, confirmed="yes")
    assert "1 delivery is due now." in page
    assert "1 delivery was left alone: It is not in this log (1)." in page
    assert state_of(foreign) == "failed"


def test_a_deed_is_done_by_post_only(operator, make_delivery):
    delivery = make_delivery(state=State.FAILED)
    response = operator.get(OPERATE, {"deed": "retry", "delivery": delivery.pk})
    assert response.status_code == 405
    assert state_of(delivery) == "failed"


def test_a_deed_from_another_site_is_refused(client_as, make_user, make_delivery):
    delivery = make_delivery(state=State.FAILED)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("Operator"), backend="django.contrib.auth.backends.ModelBackend")
    response = strict.post(OPERATE, {"deed": "retry", "delivery": delivery.pk})
    assert response.status_code == 403
    assert state_of(delivery) == "failed"
