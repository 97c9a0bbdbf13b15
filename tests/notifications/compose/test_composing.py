"""What becomes of a message when a button of the compose page is pressed."""

import pytest

from channels_app.models import Channel, ChatMessage, Delivery
from notifications.models import Notification, OptOut, Recipient, Stage
from notifications.services import TEST
from project.access.models import AuditEntry
from tests.support.composing import (
    ADD,
    LIST,
    composed,
    do,
    expand_and_send,
    filled,
    page_of,
    press,
    problems,
    shows,
)


@pytest.fixture
def admin(client_as):
    return client_as("Administrator", username="mara", recipient_login="ana@acme.example")


@pytest.fixture
def composer(client_as):
    return client_as("Composer", username="carl")


def test_what_is_sent_reaches_everyone_once(admin):
    notification = composed(admin, "send", text="Hello @recipient.first_name")
    expand_and_send(notification)
    said = sorted(message.payload["text"] for message in ChatMessage.objects.all())
    assert said == ["Hello Ana", "Hello Bo", "Hello Chidi", "Hello Dora"]
    notification.refresh_from_db()
    assert (notification.stage, notification.composed_by) == (Stage.DONE, "mara")


@pytest.mark.parametrize(
    ("fields", "logins"),
    [
        ({"roles": ["-4"]}, {"ana", "bo"}),
        ({"contacts": "dora@acme.example,\nANA@acme.example"}, {"ana", "dora"}),
        ({"roles": ["-2"], "contacts": "dora@acme.example"}, {"bo", "chidi", "dora"}),
        (
            {"roles": ["-4"], "contacts": "bo@acme.example, dora@acme.example", "narrow": "on"},
            {"bo"},
        ),
    ],
)
def test_people_roles_both_or_only_those_who_are_both(admin, fields, logins):
    notification = composed(admin, "send", everyone=None, **fields)
    expand_and_send(notification)
    reached = {
        contact.partition("@")[0]
        for contact in ChatMessage.objects.values_list("contact", flat=True)
    }
    assert reached == logins


def test_the_same_form_sent_again_sends_nothing_more(admin):
    form = {"action": "send", **filled()}
    first, again = admin.post(ADD, form), admin.post(ADD, form)
    notification = Notification.objects.get()
    expand_and_send(notification)
    later = admin.post(ADD, form)
    assert {first.url, again.url, later.url} == {page_of(notification)}
    assert Notification.objects.count() == 1
    assert ChatMessage.objects.count() == 4


def test_a_form_that_changed_after_it_left_sends_nothing_and_keeps_the_words(admin):
    form = filled(text="First words")
    admin.post(ADD, {"action": "send", **form})
    response = press(admin, "send", **{**form, "text": "Second words"})
    assert "left the draft stage" in problems(response)[0]
    assert shows(response, "Second words")
    assert form["key"] not in response.content.decode()
    assert Notification.objects.get().body == "First words"


def test_an_unfinished_draft_is_kept_and_finished_later(admin):
    draft = composed(
        admin,
        everyone=None,
        text="Off until @event.until",
        title="Water",
        contacts="dora@acme.example",
    )
    assert draft.stage == Stage.DRAFT
    page = admin.get(page_of(draft))
    for text in ("Off until @event.until", "Water", "dora@acme.example", "Dora Dahl"):
        assert shows(page, text), text
    press(
        admin,
        "send",
        at=page_of(draft),
        everyone=None,
        contacts="dora@acme.example",
        text="Off until @event.until",
        title="Water",
        **{"event.until": "noon"},
    )
    expand_and_send(draft)
    assert ChatMessage.objects.get().payload == {
        "type": "TEXT",
        "text": "Off until noon",
        "subject": "Water",
    }


def test_saving_and_then_sending_by_the_same_form_sends_what_it_says_now(admin):
    form = filled(text="Before")
    admin.post(ADD, {"action": "save", **form})
    admin.post(ADD, {"action": "send", **form, "text": "After"})
    notification = Notification.objects.get()
    assert (notification.body, notification.stage) == ("After", Stage.SCHEDULED)


def test_two_who_change_one_draft_do_not_write_over_each_other(admin, client_as):
    draft = composed(admin, text="As it was")
    seen = draft.digest
    ines = client_as("Administrator", username="ines")
    press(ines, "save", at=page_of(draft), text="By Ines", seen=seen)
    response = press(admin, "save", at=page_of(draft), text="By Mara", seen=seen)
    assert "ines has changed this draft meanwhile." in problems(response)[0]
    assert shows(response, "By Mara")
    draft.refresh_from_db()
    assert draft.body == "By Ines"
    press(admin, "save", at=page_of(draft), text="By Mara", seen=draft.digest)
    draft.refresh_from_db()
    assert draft.body == "By Mara"


def test_a_draft_that_left_meanwhile_shows_what_was_typed_as_a_new_one(admin):
    draft = composed(admin, text="Old")
    press(admin, "send", at=page_of(draft), text="Old")
    response = press(admin, "save", at=page_of(draft), text="Newer words")
    assert "left the draft stage" in problems(response)[0]
    assert shows(response, "Newer words")
    assert f'action="{ADD}"' in response.content.decode()


def test_a_composer_without_the_right_hands_in_only(composer):
    assert 'value="send"' not in composer.get(ADD).content.decode()
    assert press(composer, "send").status_code == 403
    notification = composed(composer, "submit")
    assert notification.stage == Stage.SUBMITTED
    assert shows(composer.get(page_of(notification)), "An approver looks at it next.")


def test_handing_in_twice_is_handing_in_once(composer):
    form = {"action": "submit", **filled()}
    composer.post(ADD, form)
    assert not problems(composer.post(ADD, form, follow=True))
    assert AuditEntry.objects.filter(action="notification.submit").count() == 1


def test_a_template_brings_its_kind_and_its_values(admin, outage):
    notification = composed(
        admin, "send", kind="CARD", text="", template=outage.current.pk, **{"event.service": "pump"}
    )
    assert (notification.kind, notification.title) == ("TEXT", "Planned outage")
    expand_and_send(notification)
    texts = ChatMessage.objects.values_list("payload__text", flat=True)
    assert "Hello Ana, the pump is down until soon." in texts


def test_a_card_is_composed_field_by_field(admin):
    notification = composed(
        admin,
        "send",
        everyone=None,
        contacts="ana@acme.example",
        kind="CARD",
        card_title="Your bill",
        text="Due @event.due",
        image="https://acme.example/a.png",
        action_title=["", "See it"],
        action_url=["", "https://my.acme.example/b"],
        **{"event.due": "today"},
    )
    expand_and_send(notification)
    assert ChatMessage.objects.get().payload == {
        "type": "CARD",
        "title": "Your bill",
        "text": "Due today",
        "image": "https://acme.example/a.png",
        "actions": [{"title": "See it", "url": "https://my.acme.example/b"}],
        "subject": "Your bill",
    }


def test_a_card_may_be_written_as_json(admin):
    source = '{"title": "Hello @recipient.name", "text": "x"}'
    notification = composed(
        admin, kind="CARD", text="", as_json="on", json_shown="1", source=source
    )
    assert notification.body == source


@pytest.mark.parametrize(
    ("body", "is_fields"),
    [
        ('{"title": "A", "actions": [{"title": "B", "url": "https://b.example"}]}', True),
        ('{"title": "A", "colour": "red"}', False),
        ('{"title": ', False),
        ('{"title": 7}', False),
    ],
)
def test_a_kept_card_comes_back_in_fields_where_they_can_hold_it(admin, body, is_fields):
    draft = composed(admin, kind="CARD", text="", as_json="on", json_shown="1", source=body)
    page = admin.get(page_of(draft))
    assert ('name="source"' in page.content.decode()) != is_fields
    assert is_fields or shows(page, body)


def test_a_test_goes_to_me_alone_and_the_draft_stays(admin):
    response = press(admin, "test", text="Hello @recipient.first_name")
    draft = Notification.objects.get()
    delivery = Delivery.objects.get()
    assert (delivery.origin_kind, delivery.recipient) == (TEST, "ana@acme.example")
    assert delivery.payload["text"] == "Hello Ana"
    assert draft.stage == Stage.DRAFT
    assert shows(response, "A test is on its way to Ana Ruiz over Chat.")


def test_a_test_pressed_twice_goes_once(admin):
    form = {"action": "test", **filled()}
    admin.post(ADD, form)
    admin.post(ADD, form)
    assert Delivery.objects.count() == 1


def test_who_has_no_recipient_says_whom_the_test_goes_to(client_as):
    admin = client_as("Administrator")
    assert "say who gets it" in problems(press(admin, "test"))[0]
    assert shows(admin.get(ADD), "Your account has no recipient of its own")
    press(admin, "test", test_to="BO@acme.example")
    assert Delivery.objects.get().recipient == "bo@acme.example"


def test_a_composer_tests_on_nobody_else(client_as, composer):
    sentence = "Only who may send can try it out on somebody else."
    assert problems(press(composer, "test", test_to="bo@acme.example")) == [sentence]
    assert "an administrator can name it" in problems(press(composer, "test"))[0]
    assert not shows(composer.get(ADD), "Send a test")
    assert not Delivery.objects.exists()
    own = client_as("Composer", username="carla", recipient_login="ana@acme.example")
    press(own, "test")
    press(own, "test", test_to="ANA@acme.example", text="Again")
    assert {delivery.recipient for delivery in Delivery.objects.all()} == {"ana@acme.example"}
    assert Delivery.objects.count() == 2


def test_a_test_to_nobody_known_or_of_another_house_is_refused(admin):
    for login in ("nobody", "eve@other.example"):
        assert problems(press(admin, "test", test_to=login)) == [f"Nobody is known as {login}."]
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("kind", ["chat", "*"])
def test_a_test_to_who_opted_out_says_so(admin, kind):
    OptOut.objects.create(recipient=Recipient.objects.get(login="bo@acme.example"), kind=kind)
    response = press(admin, "test", test_to="bo@acme.example")
    assert shows(response, "no test was sent: Bo Chen opted out of Chat.")
    assert not Delivery.objects.exists()


def test_a_test_takes_the_way_that_the_send_would_take(admin, chat, email):
    person = Recipient.objects.get(login="bo@acme.example")
    Recipient.objects.filter(pk=person.pk).update(last_channel=email)
    Channel.objects.filter(pk=email.pk).update(is_active=False)
    press(admin, "test", test_to=person.login)
    assert Delivery.objects.get().channel == chat
    response = press(admin, "test", test_to=person.login, channel=email.pk)
    assert Delivery.objects.count() == 1, response.content.decode()


def test_a_test_needs_words_with_all_values(admin):
    assert problems(press(admin, "test", text="At @event.time")) == ["No value for @event.time."]
    assert not Delivery.objects.exists()


def test_a_test_over_a_channel_without_an_address_says_so(admin, email):
    Recipient.objects.get(login="ana@acme.example").addresses.all().delete()
    response = press(admin, "test", channel=email.pk)
    assert shows(response, "no test was sent: Ana Ruiz has no address for E-mail.")


def test_a_copy_is_a_new_draft_that_says_the_same(admin, composer):
    sent = composed(admin, "send", text="Again and again", title="News")
    response = do(composer, sent, "copy")
    copy = Notification.objects.exclude(pk=sent.pk).get()
    assert (copy.stage, copy.body, copy.title, copy.composed_by) == (
        Stage.DRAFT,
        "Again and again",
        "News",
        "carl",
    )
    assert response.redirect_chain[-1][0] == page_of(copy)


def test_a_discarded_draft_stays_in_the_list_as_cancelled(composer):
    draft = composed(composer)
    do(composer, draft, "discard")
    draft.refresh_from_db()
    assert draft.stage == Stage.CANCELLED
    assert shows(composer.get(LIST), str(draft))


def test_no_default_channel_means_that_one_is_to_be_chosen(admin, chat):
    Channel.objects.update(is_default=False)
    assert problems(press(admin, "send")) == ["Choose a channel: there is no default one."]
    assert composed(admin, "send", channel=chat.pk).channel == chat


def test_a_title_is_guessed_from_the_words_and_their_values(admin):
    draft = composed(
        admin, text="Hello @recipient.name, off until @event.until!", **{"event.until": "noon"}
    )
    assert draft.title == "Hello, off until noon!"


def test_what_is_still_in_the_search_field_is_not_forgotten(admin):
    response = press(admin, "send", find="bo")
    assert "“bo” still stands in the search field" in problems(response)[0]
    assert not Notification.objects.exists()
