"""Whom a request reaches: contacts, roles, everyone, and those whom nobody knows."""

import pytest

from channels_app.models import Delivery
from notifications.audience import CONTACTS_MAX
from notifications.models import Notification, OptOut, Recipient
from project.access.models import AuditEntry
from tests.support.luma import JAKE, person, request

pytestmark = pytest.mark.django_db

ANA, MARA, INES = "ana@acme.example", "Mara@acme.example", "ines@acme.example"
EVERYBODY = {JAKE, ANA, MARA, INES}


@pytest.mark.parametrize(
    "contacts",
    [
        [JAKE, ANA],
        [f"{JAKE}, {ANA}"],
        [f" {JAKE} ,, {ANA},"],
        [f"{JAKE},{ANA}", ANA, JAKE],
        f"{JAKE},{ANA}",
        ["", JAKE, None, "  ", ANA],
        [JAKE.upper(), ANA.title(), ANA],
    ],
)
def test_each_named_contact_gets_it_once(people, post, said, contacts):
    response = post(request(contacts))
    assert response.json()["errors"] == []
    assert {who: len(texts) for who, texts in said().items()} == {JAKE: 1, ANA: 1}


def test_a_login_that_is_a_number_may_come_as_one(people, post, said, tenant):
    person(tenant, "4711")
    assert post(request([4711])).status_code == 200
    assert list(said()) == ["4711"]


def test_a_login_beyond_ascii_is_found_as_it_is_written(people, post, said, tenant):
    person(tenant, "ÄNNE@Müller.example")
    assert post(request(["ÄNNE@Müller.example"])).json()["errors"] == []
    assert list(said()) == ["ÄNNE@Müller.example"]


@pytest.mark.parametrize("nobody", [[], [""], [" ", None, ","], "", None])
@pytest.mark.parametrize("roles", [[""], ["-1"]])
def test_without_contacts_nothing_is_sent_roles_or_not(people, post, nobody, roles):
    response = post(request(nobody, roles))
    assert response.status_code == 400
    assert response.json()["errors"] == [
        'recipients.contacts: Name at least one contact, or "0" for everyone.'
    ]
    assert not Notification.objects.exists()


@pytest.mark.parametrize("everyone", [["0"], [0], "0", 0, [" 0 "], [JAKE, "0"], [f"0,,{ANA}"]])
@pytest.mark.parametrize("roles", [[""], [], None, "", [None, " "]])
def test_zero_alone_is_everyone_who_is_active(people, post, said, everyone, roles):
    assert post(request(everyone, roles)).status_code == 200
    assert set(said()) == EVERYBODY


@pytest.mark.parametrize(
    ("roles", "who"),
    [
        (["-1"], {MARA, INES}),
        ([-1], {MARA, INES}),
        (["- 1"], {MARA, INES}),
        ("-1", {MARA, INES}),
        (-3, {INES}),
        (["-1", "-3"], {MARA, INES}),
        (["-1,-4"], EVERYBODY),
        (["", "-4"], {JAKE, ANA}),
    ],
)
def test_zero_with_roles_is_everyone_who_holds_one_of_them(people, post, said, roles, who):
    assert post(request(["0"], roles)).json()["errors"] == []
    assert {login: len(texts) for login, texts in said().items()} == dict.fromkeys(who, 1)


def test_named_contacts_with_roles_are_those_of_them_who_hold_one(people, post, said):
    response = post(request([JAKE, MARA, INES], ["-1", "-2"]))
    assert response.json()["errors"] == ["recipients.roles: There is no role -2."]
    assert set(said()) == {MARA, INES}


def test_contacts_of_whom_nobody_holds_a_role_are_refused(people, post):
    response = post(request([JAKE, ANA], ["-1"]))
    assert response.status_code == 400
    assert response.json()["errors"] == [
        "recipients.roles: None of these contacts holds one of these roles."
    ]


def test_who_is_unknown_is_named_and_the_others_get_it(people, post, said):
    response = post(request([JAKE, "no.one@acme.example, gone@acme.example"]))
    answer = response.json()
    assert (response.status_code, answer["data"]) == (200, "success")
    assert answer["errors"] == [
        "recipients.contacts: Nobody is known as no.one@acme.example.",
        "recipients.contacts: Nobody is known as gone@acme.example.",
    ]
    assert set(said()) == {JAKE}


@pytest.mark.parametrize("unknown", ["no.one@acme.example", "gone@acme.example", "x" * 5000, "00"])
def test_when_all_are_unknown_nothing_is_kept(people, post, unknown):
    response = post(request([unknown]))
    assert response.status_code == 400
    assert unknown[:200] in response.json()["errors"][0]
    assert response.json()["data"] is None
    assert not Notification.objects.exists()
    assert not AuditEntry.objects.filter(action__startswith="notification").exists()


@pytest.mark.parametrize("role", ["-9", "0", "9", "admin", "--1", "1e3", "٣", "9" * 400, "-1.0"])
def test_a_role_that_is_unknown_is_named(people, post, role):
    for contacts in (["0"], [JAKE]):
        response = post(request(contacts, [role]))
        assert response.status_code == 400
        assert f"There is no role {role[:200]}" in " ".join(response.json()["errors"])


def test_an_unknown_role_widens_nothing(people, post, said):
    assert post(request(["0"], ["-3", "-9"])).status_code == 200
    assert set(said()) == {INES}


def test_a_role_that_nobody_holds_is_refused(people, post, tenant):
    Recipient.objects.filter(login=INES).delete()
    response = post(request(["0"], ["-3"]))
    assert response.json()["errors"] == ["recipients.roles: Nobody holds one of these roles."]
    assert response.status_code == 400


def test_everyone_where_there_is_nobody_is_refused(chat, post):
    response = post(request(["0"]))
    assert response.status_code == 400
    assert response.json()["errors"] == ["recipients.contacts: There is nobody yet."]


@pytest.mark.parametrize(
    "wrong", [{"a": 1}, [[JAKE]], [{"id": JAKE}], True, [True], 1.5, [0.0], [False]]
)
@pytest.mark.parametrize("field", ["contacts", "roles"])
def test_ids_that_are_no_texts_are_refused(people, post, field, wrong):
    response = post(request(**{"contacts": [JAKE], field: wrong}))
    assert response.status_code == 400
    assert response.json()["errors"] == [
        f"recipients.{field}: It must be a list of ids, each a text or a whole number."
    ]


@pytest.mark.parametrize("recipients", [None, [], [JAKE], JAKE, 0, True, {}])
def test_recipients_that_are_no_object_are_refused(people, post, recipients):
    response = post(request() | {"recipients": recipients})
    assert response.status_code == 400
    assert response.json()["errors"][0].startswith("recipients")


def test_ten_thousand_contacts_are_the_most(people, post, tenant, said):
    logins = [f"p{number}" for number in range(CONTACTS_MAX)]
    Recipient.objects.bulk_create(
        [Recipient(tenant=tenant, login=login) for login in logins], batch_size=1000
    )
    refused = post(request([",".join([*logins, JAKE])]))
    assert refused.status_code == 400
    assert "10,000 at most" in refused.json()["errors"][0]
    assert post(request([*logins, logins[0]])).json()["errors"] == []
    assert Notification.objects.get().approved_count == CONTACTS_MAX


def test_who_has_opted_out_gets_nothing_and_stands_in_the_log(people, post, said):
    OptOut.objects.create(recipient=Recipient.objects.get(login=ANA), kind="chat")
    assert post(request([JAKE, ANA])).status_code == 200
    assert set(said()) == {JAKE}
    assert dict(Delivery.objects.values_list("recipient", "state")) == {
        JAKE: "sent",
        ANA: "suppressed",
    }
