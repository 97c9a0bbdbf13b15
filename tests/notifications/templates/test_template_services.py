import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from notifications.models import DEFAULT_TEMPLATE, Template, TemplateVersion
from notifications.templating import (
    VersionConflict,
    body_problems,
    ensure_default_template,
    restore_template,
    retire_template,
    save_version,
)
from project.access.audit import Actor
from project.access.models import AuditEntry

BY = Actor.hub("tests")

pytestmark = pytest.mark.django_db


def test_numbers_go_up_from_one_in_each_tenant(make_template, other_tenant):
    assert [make_template(name).number for name in ("a", "b", "c")] == [1, 2, 3]
    assert make_template("a", of=other_tenant).number == 1


def test_a_retired_templates_number_is_not_given_again(make_template):
    retire_template(make_template("a"), by=BY)
    assert make_template("b").number == 2


def test_the_first_words_are_version_one(make_template):
    template = make_template(body="Hi")
    assert (template.current.version, template.current.body) == (1, "Hi")
    assert template.current.created_by == "tests"


def test_new_words_are_a_new_version_and_the_old_one_stays(make_template):
    template = make_template(body="one")
    save_version(template, body="two", by=BY)
    assert list(template.versions.values_list("version", "body")) == [(2, "two"), (1, "one")]
    assert AuditEntry.objects.get(action="template.reword").details == {"version": 2}


def test_the_same_words_make_no_version(make_template):
    template = make_template(body="one\ntwo")
    same = save_version(template, body="one\r\ntwo", by=BY)
    assert same.version == 1
    assert not AuditEntry.objects.filter(action="template.reword").exists()


def test_words_based_on_an_older_version_are_refused(make_template):
    template = make_template(body="one")
    save_version(template, body="two", by=Actor.hub("Ines"), based_on=1)
    with pytest.raises(VersionConflict, match="Ines saved version 2 while you were writing"):
        save_version(template, body="three", by=BY, based_on=1)
    assert template.current.body == "two"


def test_a_name_can_be_taken_once(make_template):
    make_template("a")
    with pytest.raises(IntegrityError):
        make_template("a")


@pytest.mark.parametrize("body", ["", "@recipient.nmae", "x" * 40_001, "a\0b"])
def test_a_body_that_cannot_be_sent_makes_no_template(make_template, body):
    with pytest.raises(ValidationError):
        make_template(body=body)
    assert not Template.objects.exists()


def test_problems_name_their_place_by_line_where_there_are_lines():
    [one] = body_problems("TEXT", "Hello @recipient.nmae")
    assert one.startswith("Character 7: ")
    [first, second] = body_problems("TEXT", "Hello\n@recipient.nmae and\n  @tennant.name")
    assert first.startswith("Line 2, character 1: ")
    assert second.startswith("Line 3, character 3: ")


def test_problems_of_a_card_name_the_field():
    [problem] = body_problems("CARD", '{"title": "Hi @recipient.nmae"}')
    assert problem.startswith("title: Character 4: ")


def test_the_default_template_is_made_once(tenant):
    first, again = ensure_default_template(tenant), ensure_default_template(tenant)
    assert first == again
    assert (first.number, first.kind) == (DEFAULT_TEMPLATE, "TEXT")
    assert first.current.body == "@request.message"


def test_the_default_template_finds_a_name_where_its_own_is_taken(make_template, tenant):
    make_template("Default text")
    assert ensure_default_template(tenant).number == DEFAULT_TEMPLATE


def test_the_default_template_cannot_be_retired(tenant):
    with pytest.raises(ValidationError):
        retire_template(ensure_default_template(tenant), by=BY)


def test_retiring_and_restoring_is_written_once_each(make_template):
    template = make_template()
    retire_template(template, by=BY)
    retire_template(template, by=BY)
    assert not Template.objects.in_use().exists()
    restore_template(template, by=BY)
    assert Template.objects.in_use().exists()
    actions = AuditEntry.objects.filter(target_kind="template").order_by("pk")
    assert [entry.action for entry in actions] == [
        "template.add",
        "template.retire",
        "template.restore",
    ]


def test_no_version_is_ever_changed_or_deleted(make_template):
    version = make_template().current
    version.body = "other"
    with pytest.raises(TypeError):
        version.save()
    with pytest.raises(TypeError):
        version.delete()
    assert TemplateVersion.objects.get().body == "Hello @recipient.name"
