import pytest
from django.core.exceptions import ValidationError

from channels_app.models import Channel
from notifications.models import OptOut, Recipient
from notifications.people import (
    ensure_luma_roles,
    opt_in,
    opt_out,
    save_recipient,
)
from project.access.audit import Actor
from project.access.models import AuditEntry

BY = Actor.hub("tests")

pytestmark = pytest.mark.django_db


def test_lumas_roles_are_made_once_and_keep_a_new_name(tenant):
    tenant.roles.filter(code=-5).update(name="Visitor")
    ensure_luma_roles(tenant)
    assert list(tenant.roles.order_by("-code").values_list("code", "name")) == [
        (-1, "Administrator"),
        (-2, "Developer"),
        (-3, "Analyst"),
        (-4, "Self-service user"),
        (-5, "Visitor"),
    ]


def test_opting_out_twice_is_one_wish_and_one_entry(make_person):
    ana = make_person("ana")
    opt_out(ana, "email", by=BY)
    opt_out(ana, "email", by=BY)
    assert OptOut.objects.count() == 1
    assert AuditEntry.objects.filter(action="recipient.opt_out").count() == 1
    opt_in(ana, "email", by=BY)
    opt_in(ana, "email", by=BY)
    assert OptOut.objects.count() == 0
    assert AuditEntry.objects.filter(action="recipient.opt_in").count() == 1


def test_another_tenants_role_or_channel_cannot_be_given(tenant, other_tenant):
    foreign = Channel.objects.create(tenant=other_tenant, name="Chat", kind="chat")
    with pytest.raises(ValidationError):
        save_recipient(
            Recipient(tenant=tenant, login="ana"), by=BY, roles=[other_tenant.roles.get()]
        )
    with pytest.raises(ValidationError):
        save_recipient(Recipient(tenant=tenant, login="ana", last_channel=foreign), by=BY)
    assert Recipient.objects.count() == 0


def test_what_is_not_mentioned_stays(make_person):
    ana = make_person("ana", roles=[-4], addresses={"email": "a@b.example"}, opt_outs={"*"})
    ana.name = "Ana"
    save_recipient(ana, by=BY)
    assert (ana.roles.count(), ana.addresses.count(), ana.opt_outs.count()) == (1, 1, 1)
    assert AuditEntry.objects.get(action="recipient.change").details == {"fields": ["name"]}
