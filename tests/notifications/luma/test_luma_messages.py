"""What a request says: its message, templates, kinds, bots and repetition."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from channels_app.models import ChatMessage, Delivery
from notifications import tasks
from notifications.composing import draft_of
from notifications.models import Notification, Stage, Template
from notifications.templating import ensure_default_template, retire_template
from project.access.models import Tenant
from tests.support.channels import make_channel
from tests.support.composing import do, page_of, problems
from tests.support.luma import BY, JAKE, OUTAGE, request, template

pytestmark = pytest.mark.django_db

TRICKY = 'Dear @recipient.name, @@ @request.message @nobody.x|upper {{ x }} <b>&amp;</b> "ü" 漢 🎉'
PICTURE = "https://img.example/a.png?u=@recipient.login&q=1"
CARD = {
    "title": "Bill @recipient.name",
    "text": "Due @event.due",
    "image": "https://img.example/bill.png",
    "actions": [{"title": "Pay @ once", "url": "https://pay.example/@me"}],
}


def refusal(response) -> str:
    assert response.status_code == 400, response.content
    assert not Notification.objects.exists()
    return " ".join(response.json()["errors"])


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("text", [TRICKY, f"  {TRICKY}\n\n", "@", "x" * 40_000, "@" * 40_000])
def test_a_message_arrives_as_it_was_written(people, post, said, default, text):
    if default:
        ensure_default_template(Tenant.objects.get())
    assert post(request(message=text)).status_code == 200
    assert said() == {JAKE: [text]}


def test_the_default_template_clothes_a_message_that_names_none(people, post, said, tenant):
    template(tenant, "Acme says: @request.message", number=-1)
    post(request(message="@recipient.name"))
    assert said() == {JAKE: ["Acme says: @recipient.name"]}


@pytest.mark.parametrize("written", ["-1", -1, "- 1", " -1 "])
def test_the_default_template_may_be_named(people, post, said, tenant, written):
    template(tenant, "Acme says: @request.message", number=-1)
    assert post(request(template_id=written)).status_code == 200
    assert said() == {JAKE: [f"Acme says: {OUTAGE}"]}


def test_a_templates_text_overrides_the_message(people, post, said, tenant):
    number = template(tenant, "Hello @recipient.first_name, all is well.")
    assert post(request(template_id=number)).status_code == 200
    assert post(request(template_id=int(number), message="")).status_code == 200
    assert post(request(template_id=number, without=("message",))).status_code == 200
    assert said() == {JAKE: ["Hello Jake, all is well."] * 3}


def test_a_template_that_uses_the_message_shows_it(people, post, said, tenant):
    number = template(tenant, "@recipient.first_name: @request.message|upper")
    assert post(request(template_id=number, message="@tenant.name")).status_code == 200
    assert said() == {JAKE: ["Jake: @TENANT.NAME"]}


def test_a_template_that_uses_the_message_needs_one(people, post, tenant):
    number = template(tenant, "News: @request.message")
    assert refusal(post(request(template_id=number, message=" "))) == "message: It is empty."


def test_a_templates_default_stands_for_an_empty_message(people, post, said, tenant):
    number = template(tenant, 'News: @request.message|default:"none"')
    assert post(request(template_id=number, message=None)).status_code == 200
    assert said() == {JAKE: ["News: none"]}


def test_a_template_whose_values_no_caller_can_give_is_refused_by_their_names(people, post, tenant):
    number = template(tenant, "@event.service is down until @event.until, @recipient.name")
    words = refusal(post(request(template_id=number)))
    assert words == "template_id: No value for @event.service, @event.until."


def test_a_value_with_a_default_is_no_hindrance(people, post, said, tenant):
    number = template(tenant, '@event.service|default:"The mail" is down.')
    assert post(request(template_id=number)).status_code == 200
    assert said() == {JAKE: ["The mail is down."]}


@pytest.mark.parametrize("unknown", ["99", 0, "-2", "outage", "1.0", "9" * 30, "1,1", "\U0001d7cf"])
def test_an_unknown_template_is_refused_by_its_id(people, post, tenant, unknown):
    template(tenant, "Known")
    words = refusal(post(request(template_id=unknown)))
    assert words == f"template_id: There is no template {unknown}."


def test_a_retired_template_is_refused(people, post, tenant):
    number = template(tenant, "Old news")
    retire_template(Template.objects.get(number=number), by=BY)
    assert refusal(post(request(template_id=number))).startswith("template_id: There is no")


@pytest.mark.parametrize("body", ["News: @request.message", "Hi @recipient.name, @request.message"])
def test_a_message_that_makes_a_template_too_long_is_refused(people, post, tenant, body):
    number = template(tenant, body)
    assert "40,000" in refusal(post(request(template_id=number, message="x" * 40_000)))


@pytest.mark.parametrize("nothing", ["", " \n ", None, {}])
@pytest.mark.parametrize("kind", ["TEXT", "IMAGE", "CARD"])
def test_an_empty_message_is_refused(people, post, kind, nothing):
    words = refusal(post(request(responseType=kind, message=nothing)))
    assert words.startswith("message: ")


@pytest.mark.parametrize("kind", ["TEXT", "IMAGE", "CARD"])
def test_a_message_that_is_too_long_is_refused(people, post, kind):
    long = {"TEXT": "x" * 40_001, "IMAGE": "https://a.example/" + "x" * 3000}
    card = {"text": "x" * 40_001}
    for message in [long[kind]] if kind in long else [card, json.dumps(card)]:
        assert refusal(post(request(responseType=kind, message=message))).startswith("message: ")


# With nothing between its parts: whatever is added on the way would be too much.
FULL = '{"title":"t","text":"%s"}'


@pytest.mark.parametrize("letter", ["@", "x"])
@pytest.mark.parametrize("kind", ["CARD", "IMAGE"])
def test_an_object_may_be_as_long_as_a_text(people, post, said, kind, letter):
    full = FULL if kind == "CARD" else f'{{"url":"{PICTURE}","text":"%s"}}'
    message = full % (letter * (40_000 - len(full) + 2))
    assert len(message) == 40_000
    for asked in (message, json.loads(message)):
        assert post(request(responseType=kind, message=asked)).status_code == 200
    assert said() == {JAKE: [json.loads(message)] * 2}


@pytest.mark.parametrize("letter", ["@", "x"])
@pytest.mark.parametrize("as_text", [True, False])
def test_an_object_that_is_one_character_longer_is_refused(people, post, as_text, letter):
    message = FULL % (letter * (40_001 - len(FULL) + 2))
    asked = message if as_text else json.loads(message)
    assert "40,000" in refusal(post(request(responseType="CARD", message=asked)))


def test_a_copy_of_a_message_full_of_signs_can_be_opened_and_kept(people, post, client_as):
    message = FULL % ("@" * 39_900)
    assert post(request(responseType="CARD", message=message)).status_code == 200
    admin = client_as("Administrator")
    sent = Notification.objects.get()
    assert admin.get(page_of(sent)).status_code == 200
    do(admin, sent, "copy")
    copy = Notification.objects.latest("pk")
    page = admin.get(page_of(copy))
    assert "of 40,000 characters. All variables are known" in page.content.decode()
    typed = {name: value for name, value in page.context["form"].data.lists() if value != [""]}
    response = admin.post(page_of(copy), {**typed, "action": "save"}, follow=True)
    assert not problems(response)
    copy.refresh_from_db()
    assert draft_of(copy).source().render({})["text"] == "@" * 39_900


@pytest.mark.parametrize("message", [1, True, ["x"], 1.5])
def test_a_message_of_another_type_is_refused(people, post, message):
    assert refusal(post(request(message=message))).startswith("message: It must be a text")


def test_a_text_is_no_object(people, post):
    assert refusal(post(request(message={"text": "Hi"}))) == "message: It must be a text."


@pytest.mark.parametrize("kind", ["TEXT", "text", "Text", "", None, " "])
def test_the_response_type_may_be_written_in_any_case(people, post, said, kind):
    assert post(request(responseType=kind)).status_code == 200
    assert said() == {JAKE: [OUTAGE]}


@pytest.mark.parametrize("field", ["responseType", "template_type"])
@pytest.mark.parametrize("kind", ["VIDEO", "TEX", 1, True, ["TEXT"], "\uff34EXT"])
def test_an_unknown_kind_is_refused(people, post, field, kind):
    assert refusal(post(request(**{field: kind}))).startswith(f"{field}: ")


@pytest.mark.parametrize("kind", ["IMAGE", "image"])
def test_an_image_takes_a_url(people, post, said, kind):
    assert post(request(responseType=kind, message=f" {PICTURE}\n")).status_code == 200
    assert said() == {JAKE: [{"url": PICTURE}]}


@pytest.mark.parametrize("as_text", [True, False])
def test_an_image_may_have_a_caption(people, post, said, as_text):
    image = {"url": PICTURE, "text": "Where @recipient.name is"}
    message = json.dumps(image) if as_text else image
    assert post(request(responseType="IMAGE", message=message)).status_code == 200
    assert said() == {JAKE: [image]}


@pytest.mark.parametrize(
    "url", ["hello", "javascript:alert(1)", "ftp://a.example/x", "https://", "//a.example/x", "[]"]
)
def test_an_image_that_is_no_url_is_refused(people, post, url):
    assert refusal(post(request(responseType="IMAGE", message=url))).startswith("message: url: ")


@pytest.mark.parametrize("kind", ["CARD", "Card"])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_card_takes_an_object(people, post, said, kind, as_text):
    message = json.dumps(CARD) if as_text else CARD
    assert post(request(responseType=kind, message=message)).status_code == 200
    assert said() == {JAKE: [CARD]}
    assert Notification.objects.get().title == "Bill @recipient.name"


def test_a_variable_hidden_in_a_json_escape_is_no_variable(people, post, said):
    message = r'{"text": "\u0040recipient.name"}'
    assert post(request(responseType="CARD", message=message)).status_code == 200
    assert said() == {JAKE: [{"text": "@recipient.name"}]}


@pytest.mark.parametrize(
    "card",
    [
        "hello",
        "[]",
        '"x"',
        "{",
        '{"text": "a", "text": "b"}',
        '{"text": NaN}',
        '{"text": "\\u0000"}',
        '{"text": "\\ud800"}',
        '{"text": ' + "[" * 100_0 + "]" * 100_0 + "}",
        '{"text": ' + "9" * 5000 + "}",
        {"image": "https://a.example/x.png"},
        {"text": 7},
        {"text": "x", "script": "y"},
        {"text": "x", "image": "data:image/png;base64,AA"},
        {"text": "x", "actions": [{"title": "Go", "url": "javascript:alert(1)"}]},
        {"text": "x", "actions": {"title": "Go"}},
        {"type": "IMAGE", "text": "x"},
    ],
)
def test_a_card_that_is_none_is_refused(people, post, card):
    assert refusal(post(request(responseType="CARD", message=card))).startswith("message: ")


@pytest.mark.parametrize("field", ["responseType", "template_type"])
def test_a_kind_that_is_not_the_templates_is_refused(people, post, tenant, field):
    number = template(tenant, "https://img.example/a.png", kind="IMAGE")
    asked = request(template_id=number, responseType="") | {field: "card"}
    assert refusal(post(asked)) == f"{field}: The template {number} is of the type IMAGE."


def test_kinds_that_contradict_each_other_are_refused(people, post):
    words = refusal(post(request(template_type="CARD")))
    assert words == "template_type: It does not go with the responseType TEXT."


def test_without_a_response_type_the_kind_is_the_templates(people, post, said, tenant):
    body = '{"title": "Hi @recipient.first_name", "text": "@request.message"}'
    number = template(tenant, body, kind="CARD")
    asked = request(template_id=number, without=("responseType",))
    assert post(asked | {"template_type": "Card"}).status_code == 200
    assert said() == {JAKE: [{"title": "Hi Jake", "text": OUTAGE}]}


def test_a_template_does_not_take_an_object_for_its_message(people, post, tenant):
    number = template(tenant, '{"text": "@request.message"}', kind="CARD")
    asked = request(template_id=number, responseType="CARD", message={"text": "x"})
    assert refusal(post(asked)) == "message: It must be a text."


def test_a_url_that_the_message_spoils_is_refused(people, post, tenant):
    number = template(tenant, "@request.message", kind="IMAGE")
    asked = request(template_id=number, responseType="IMAGE", message="javascript:alert(1)")
    assert refusal(post(asked)).startswith("template_id: url: ")


def test_a_bot_is_the_channel_with_that_external_id(people, post, tenant, chat):
    bot = make_channel(tenant, "chat", name="Second", external_id="Bot-2")
    for channel, external_id in ((bot, "Bot-2"), (bot, " Bot-2 "), (chat, ""), (chat, None)):
        assert post(request(botExternalID=external_id)).status_code == 200
        notification = Notification.objects.latest("pk")
        tasks.send(notification.pk)
        assert Delivery.objects.get(origin_id=notification.pk).channel == channel


@pytest.mark.parametrize("bot", ["Bot-3", "bot-2", "resting", 7, "x" * 4000])
def test_an_unknown_bot_is_refused(people, post, tenant, bot):
    make_channel(tenant, "chat", name="Second", external_id="Bot-2")
    make_channel(tenant, "chat", name="Third", external_id="resting", is_active=False)
    words = refusal(post(request(botExternalID=bot)))
    assert words.startswith(f"botExternalID: There is no bot {str(bot)[:200]}")


def test_by_default_each_person_is_reached_where_they_were_last(people, post, tenant):
    second = make_channel(tenant, "chat", name="Second")
    tenant.recipients.filter(login=JAKE).update(last_channel=second)
    post(request([JAKE, "ana@acme.example"]))
    tasks.send(Notification.objects.get().pk)
    by_login = dict(ChatMessage.objects.values_list("contact", "channel__name"))
    assert by_login == {JAKE: "Second", "ana@acme.example": "Chat"}


def test_without_any_default_channel_the_request_is_refused(people, post, chat):
    chat.is_default = False
    chat.save()
    assert refusal(post()).startswith("botExternalID: ")


@pytest.mark.parametrize("once", ["", "0", 0, None, " ", " 0 "])
def test_an_empty_repeat_is_once(people, post, said, once):
    assert post(request(repeat=once)).status_code == 200
    assert said() == {JAKE: [OUTAGE]}
    assert not Notification.objects.get().is_series


def test_a_rule_repeats_from_now_on_the_tenants_clock(people, post, said):
    start = datetime(2026, 3, 28, 8, 30, 15, 400_000, tzinfo=UTC)  # 09:30 in Madrid, still winter
    with time_machine.travel(start, tick=False) as clock:
        assert post(request(repeat="RRULE:FREQ=DAILY;COUNT=2")).status_code == 200
        assert said() == {JAKE: [OUTAGE]}
        series = Notification.objects.get(series=None)
        # The clocks change that night.
        assert series.due_at == datetime(2026, 3, 29, 7, 30, 15, tzinfo=UTC)
        clock.shift(timedelta(days=1))
        assert said() == {JAKE: [OUTAGE] * 2}
        clock.shift(timedelta(days=1))
        assert said() == {JAKE: [OUTAGE] * 2}
    series.refresh_from_db()
    assert series.stage == Stage.DONE


@pytest.mark.parametrize(
    "rule",
    [
        "3",
        1,
        "00",
        "daily",
        "FREQ=DAYLY",
        "FREQ=MINUTELY",
        "FREQ=DAILY;UNTIL=20200101",
        "FREQ=DAILY;X=1",
        "FREQ=DAILY\nFREQ=DAILY",
        "FREQ=DAILY;BYHOUR=" + "1," * 400,
        "FREQ=DAILY;INTERVAL=" + "0" * 19 + "1" + "0" * 30,
        True,
        ["FREQ=DAILY"],
        {},
    ],
)
def test_any_other_repeat_is_refused(people, post, rule):
    assert refusal(post(request(repeat=rule))).startswith("repeat: ")


def test_all_that_is_wrong_is_told_at_once(people, post):
    asked = request(["no.one"], botExternalID="nobot", template_id="77")
    errors = post(asked).json()["errors"]
    assert sorted(error.split(":")[0] for error in errors) == [
        "botExternalID",
        "recipients.contacts",
        "template_id",
    ]
    asked = request([], repeat=[], responseType="VIDEO", message=3)
    assert len(post(asked).json()["errors"]) == 4
