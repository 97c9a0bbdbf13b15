"""What the page draws anew while one composes."""

import pytest

from channels_app.models import Channel
from notifications.models import Template
from tests.support.composing import ADD, LIST, filled, person, shows

AUDIENCE, MESSAGE, FOUND = (LIST + f"compose/{part}/" for part in ("audience", "message", "found"))


@pytest.fixture
def admin(client_as):
    return client_as("Administrator")


def words(response) -> str:
    return " ".join(response.content.decode().split())


def test_the_count_is_exact_for_the_chosen_channel(admin, email):
    assert "<b>4 people</b></span>" in words(admin.post(AUDIENCE, filled()))
    by_mail = words(admin.post(AUDIENCE, filled(channel=email.pk)))
    assert "<b>4 people</b> · 1 opted out · 1 without an address" in by_mail
    assert "why not these 2?" in by_mail
    assert ">2 people</span>" in by_mail  # on the button: who will get it


def test_the_lists_behind_the_count_name_everybody_and_say_why_not(admin, email):
    form = filled(channel=email.pk)
    everyone = admin.post(LIST + "compose/people/", {**form, "show": "all"})
    assert all(shows(everyone, name) for name in ("Ana Ruiz", "Bo Chen", "Chidi Obi", "Dora Dahl"))
    out = words(admin.post(LIST + "compose/people/", {**form, "show": "left_out"}))
    assert "Ana Ruiz" not in out
    assert (
        out.index("Bo Chen")
        < out.index("no address")
        < out.index("Chidi Obi")
        < out.index("opted out")
    )


def test_the_list_goes_on_where_the_page_ended(admin, tenant):
    for number in range(120):
        person(tenant, f"p{number:03}@acme.example")
    first = admin.post(LIST + "compose/people/", {**filled(), "show": "all"})
    assert len(first.context["people"]) == 100
    rest = admin.post(
        LIST + "compose/people/", {**dict(first.context["carried"]), "after": first.context["next"]}
    )
    names = [each.login for each in [*first.context["people"], *rest.context["people"]]]
    assert len(names) == len(set(names)) == 124


def test_people_are_added_and_left_out_by_their_buttons(admin):
    form = filled(everyone=None, contacts="bo@acme.example", find="ana")
    added = admin.post(AUDIENCE, {**form, "add": "ana@acme.example"})
    assert "bo@acme.example\nana@acme.example</textarea>" in added.content.decode()
    assert added.context["form"].data["find"] == ""
    fewer = admin.post(AUDIENCE, {**form, "remove": "BO@acme.example"})
    assert "nobody chosen yet" in words(fewer)


def test_a_pasted_list_is_parted_and_strangers_are_marked(admin):
    pasted = "ana@acme.example, who@x.example\r\nANA@ACME.EXAMPLE\tdora@acme.example"
    part = words(admin.post(AUDIENCE, filled(everyone=None, find=pasted, add_found="1")))
    assert "<b>2 people</b>" in part
    assert part.count('<button type="submit" name="remove"') == 3
    assert "Nobody is known as who@x.example." in part


def test_a_persons_messages_are_searched_in_this_house_by_name_and_login(admin):
    assert "Bo Chen" in words(admin.get(FOUND, {"find": "CHEN"}))
    assert "Bo Chen" in words(admin.get(FOUND, {"preview_find": "bo@"}))
    assert "<li>" not in words(admin.get(FOUND, {"find": "b"}))  # one letter finds half of all
    assert "Nobody is known as “%”" not in words(admin.get(FOUND, {"find": "%"}))
    assert "<li>" not in words(admin.get(FOUND, {"find": "%%"}))


def test_each_variable_gets_its_field_and_keeps_what_was_typed(admin, outage: Template):
    form = filled(template=outage.current.pk, shown_values="", **{"event.service": "pump"})
    part = words(admin.post(MESSAGE, form))
    assert 'name="event.service" id="value-service"' in part
    assert 'value="pump"' in part
    assert "has a default" in part
    again = words(admin.post(MESSAGE, {**form, "shown_values": "service,until"}))
    assert "value-service" not in again  # unchanged: whoever types there is left alone


def test_a_value_survives_while_its_variable_is_away(admin):
    away = words(
        admin.post(MESSAGE, filled(text="No variable", shown_values="x", **{"event.x": "kept"}))
    )
    assert '<input type="hidden" name="event.x" value="kept">' in away


def test_a_mistake_is_named_with_its_place_and_the_missing_by_name(admin):
    wrong = admin.post(MESSAGE, filled(text="Hello @recipient.nme"))
    assert shows(wrong, 'Character 7: "@recipient" has no "nme"; did you mean name?')
    missing = words(admin.post(MESSAGE, filled(text="Until @event.until")))
    assert 'No value yet for <span class="variable">@event.until</span>' in missing
    assert "18 of 40,000 characters" in missing


def test_the_message_of_a_template_that_asks_for_one_has_its_field(admin, tenant):
    template = Template.objects.create(tenant=tenant, number=9, name="Wrapped")
    version = template.versions.create(version=1, body="Dear all: @request.message", created_by="x")
    part = words(admin.post(MESSAGE, filled(template=version.pk, message="Come!", shown_values="")))
    assert '<textarea name="message"' in part
    assert "Dear all: Come!" in part


def test_the_preview_is_drawn_for_the_chosen_person_on_that_persons_clock(admin):
    form = filled(
        text='Hello @recipient.first_name at @event.at|date:"time"',
        preview_as="bo@acme.example",
        **{"event.at": "2026-03-28T09:00+00:00"},
    )
    part = admin.post(MESSAGE, form)
    assert shows(part, "Hello Bo at 17:00")
    assert shows(part, "Chat to bo@acme.example")


def test_the_preview_says_when_the_person_gets_nothing(admin, email):
    form = filled(channel=email.pk, preview_as="chidi@acme.example")
    assert shows(admin.post(MESSAGE, form), "Opted out of E-mail: gets nothing.")
    form = filled(channel=email.pk, preview_as="bo@acme.example")
    assert shows(admin.post(MESSAGE, form), "No address for E-mail.")


def test_the_preview_goes_by_the_last_used_channel(admin, tenant, email):
    ana = tenant.recipients.get(login="ana@acme.example")
    ana.last_channel = Channel.objects.get(pk=email.pk)
    ana.save()
    assert shows(admin.post(MESSAGE, filled(preview_as=ana.login)), "E-mail to x@acme.example")


def test_the_button_says_to_how_many_and_when(admin):
    assert "Send<span" in words(admin.post(MESSAGE, filled()))
    later = filled(when="later", send_at="2100-01-01T09:00")
    assert "Schedule<span" in words(admin.post(MESSAGE, later))


def test_the_digest_before_is_the_digest_after(admin):
    form = filled(text="The same")
    before = admin.post(MESSAGE, form).context["page"].digest
    response = admin.post(ADD, {"action": "send", **form}, follow=True)
    assert shows(response, before)


def test_everything_works_by_plain_posts(admin):
    """What the buttons do without script: check, add, leave out, preview."""
    page = admin.post(ADD, {"action": "check", **filled(everyone=None, roles=["-4"])})
    assert "<b>2 people</b>" in words(page)
    page = admin.post(ADD, {**filled(everyone=None, find="dora@acme.example"), "add_found": "1"})
    assert "Dora Dahl" in words(page)
    page = admin.post(
        ADD, {**filled(everyone=None, contacts="dora@acme.example"), "remove": "dora@acme.example"}
    )
    assert "nobody chosen yet" in words(page)
