"""What a request makes of its connection to the database, which it shares with what came before."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications.models import Notification
from tests.support.luma import JAKE, request, template

pytestmark = pytest.mark.django_db(transaction=True)
ANA = "ana@acme.example"


def test_who_is_meant_and_which_words_are_found_together(tenant, people, post, said):
    number = template(tenant, "Note: @request.message")
    response = post(request([JAKE, "nobody", ANA], template_id=number))
    assert response.json()["errors"] == ["recipients.contacts: Nobody is known as nobody."]
    assert {who: len(texts) for who, texts in said().items()} == {JAKE: 1, ANA: 1}
    assert Notification.objects.get().audience["contacts"] == [ANA, JAKE]


def test_whom_nobody_knows_and_words_that_nobody_wrote_are_told_together(people, post):
    response = post(request(["nobody"], template_id="4711"))
    assert response.json()["errors"] == [
        "template_id: There is no template 4711.",
        "recipients.contacts: Nobody is known as nobody.",
    ]


@pytest.mark.postgres
@pytest.mark.redis
def test_a_request_costs_three_statements(people, post):
    post()  # notes the token's first use
    with CaptureQueriesContext(connection) as asked:
        assert post().status_code == 200
    assert len(asked) == 3


@pytest.mark.postgres
def test_a_server_that_has_forgotten_the_statements_fails_no_request(people, post):
    assert post().status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")  # as psycopg has it after a rollback
    assert post().status_code == 200
    assert Notification.objects.count() == 2


def test_what_is_refused_by_the_database_is_a_fault_of_ours_and_keeps_nothing(people, post):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE access_auditentry RENAME TO elsewhere")
    try:
        assert post().status_code == 500
        assert not Notification.objects.exists()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO access_auditentry")
    assert post().status_code == 200
