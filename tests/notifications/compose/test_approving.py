"""A second person's look: what was approved is what is sent."""

import pytest

from channels_app.models import ChatMessage
from notifications.approval import short
from notifications.models import Notification, Role, Stage
from tests.support.composing import composed, do, expand_and_send, page_of, press, shows


@pytest.fixture
def composer(client_as):
    return client_as("Composer", username="carl")


@pytest.fixture
def approver(client_as):
    return client_as("Approver", username="ines")


@pytest.fixture
def submitted(composer) -> Notification:
    return composed(
        composer,
        "submit",
        everyone=None,
        roles=["-4"],
        text="Off until @event.until",
        **{"event.until": "noon"},
    )


def test_the_approver_sees_what_the_digest_covers(approver, submitted):
    page = approver.get(page_of(submitted))
    for text in (
        "Role-4 (-4)",
        "Approve and send to 2 people",
        "Off until",
        "As soon as it is approved",
        short(submitted.digest),
        "carl",
    ):
        assert shows(page, text), text


def test_what_was_approved_is_sent(approver, submitted):
    do(approver, submitted, "approve", digest=submitted.digest)
    expand_and_send(submitted)
    submitted.refresh_from_db()
    assert (submitted.stage, submitted.approved_by, submitted.approved_count) == ("done", "ines", 2)
    assert {message.payload["text"] for message in ChatMessage.objects.all()} == {"Off until noon"}


def test_what_changed_since_it_was_looked_at_is_not_approved(approver, composer, submitted):
    looked_at = submitted.digest
    do(composer, submitted, "withdraw")
    press(composer, "submit", at=page_of(submitted), text="Other words")
    response = do(approver, submitted, "approve", digest=looked_at)
    assert shows(response, "This is no longer what you looked at; look again.")
    submitted.refresh_from_db()
    assert submitted.stage == Stage.SUBMITTED


def test_what_lost_its_role_meanwhile_is_not_approved(approver, submitted):
    Role.objects.get(tenant=submitted.tenant, code=-4).delete()
    response = do(approver, submitted, "approve", digest=submitted.digest)
    assert shows(response, "There is no role -4.")
    submitted.refresh_from_db()
    assert submitted.stage == Stage.SUBMITTED


@pytest.mark.parametrize("digest", ["", "x", "\0", "é" * 70])
def test_an_approval_without_its_digest_approves_nothing(approver, submitted, digest):
    do(approver, submitted, "approve", digest=digest)
    submitted.refresh_from_db()
    assert submitted.stage == Stage.SUBMITTED


def test_nobody_approves_what_is_their_own(client_as):
    mara = client_as("Administrator", username="mara")
    own = composed(mara, "submit")
    assert not shows(mara.get(page_of(own)), "Yours to approve")
    assert shows(
        do(mara, own, "approve", digest=own.digest), "What one composed, another approves."
    )
    own.refresh_from_db()
    assert own.stage == Stage.SUBMITTED


def test_a_note_goes_back_with_what_is_given_back(approver, composer, submitted):
    do(approver, submitted, "decline", note="Which <b>street</b>?")
    page = composer.get(page_of(submitted))
    assert shows(page, "Which <b>street</b>?")
    assert shows(page, "ines gave it back")
    assert shows(page, "Ask for approval")
    press(composer, "submit", at=page_of(submitted), text="Main street")
    do(composer, submitted, "withdraw")
    assert not shows(composer.get(page_of(submitted)), "gave it back")


def test_only_who_handed_it_in_takes_it_back(client_as, submitted):
    other = client_as("Composer", username="olga")
    assert shows(do(other, submitted, "withdraw"), "Only who handed it in can take it back.")
    submitted.refresh_from_db()
    assert submitted.stage == Stage.SUBMITTED


def test_approving_twice_says_that_it_is_done(approver, submitted):
    do(approver, submitted, "approve", digest=submitted.digest)
    response = do(approver, submitted, "approve", digest=submitted.digest)
    assert shows(response, "This is not waiting for approval.")


def test_what_was_handed_in_is_shown_as_the_chosen_person_gets_it(approver, composer):
    handed_in = composed(composer, "submit", text="Hello @recipient.first_name")
    assert shows(approver.get(page_of(handed_in) + "?as=dora@acme.example"), "Hello Dora")
    unknown = approver.get(page_of(handed_in) + "?as=eve@other.example")
    assert shows(unknown, "Nobody is known as eve@other.example.")
    assert not shows(unknown, "Hello Eve")
