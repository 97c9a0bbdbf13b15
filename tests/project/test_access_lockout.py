"""Guessing a password: slowed down, said plainly, felt by nobody else."""

from datetime import timedelta

import time_machine
from django.conf import settings
from django.utils import timezone

PASSWORD = "a quiet morning"


def attempt(client, username: str, password: str, address: str = "192.0.2.7"):
    return client.post(
        "/admin/login/?next=/admin/",
        {"username": username, "password": password},
        REMOTE_ADDR=address,
    )


def lock(client, username: str) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        attempt(client, username, "wrong")


def test_a_wrong_password_is_told_without_saying_which_part_was_wrong(client, make_user):
    make_user(username="lena")
    known = attempt(client, "lena", "wrong").content.decode()
    unknown = attempt(client, "nobody", "wrong").content.decode()
    words = "This name and this password don&#x27;t go together."
    assert words in known
    assert words in unknown


def test_after_eight_wrong_passwords_signing_in_rests(client, make_user):
    make_user(username="lena")
    lock(client, "lena")
    response = attempt(client, "lena", PASSWORD)
    assert response.status_code == 429
    html = response.content.decode()
    assert "There were 8 wrong passwords" in html
    assert "for 15 minutes" in html
    assert "_auth_user_id" not in client.session


def test_seven_wrong_passwords_do_no_harm(client, make_user):
    make_user(username="lena")
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        attempt(client, "lena", "wrong")
    assert attempt(client, "lena", PASSWORD)["Location"] == "/admin/"


def test_others_sign_in_while_one_is_locked(client, make_user):
    make_user(username="lena")
    make_user(username="bo")
    lock(client, "lena")
    assert attempt(client, "bo", PASSWORD)["Location"] == "/admin/"


def test_the_rest_ends_by_itself(client, make_user):
    make_user(username="lena")
    lock(client, "lena")
    later = timezone.now() + timedelta(hours=settings.AXES_COOLOFF_TIME, minutes=1)
    with time_machine.travel(later):
        assert attempt(client, "lena", PASSWORD)["Location"] == "/admin/"


def test_a_superuser_sees_who_is_locked_and_lets_them_in(client, sign_in, superuser, make_user):
    make_user(username="lena")
    lock(client, "lena")
    browser = sign_in(superuser)
    assert "lena" in browser.get("/admin/axes/accessattempt/").content.decode()
    pks = list(_attempts().values_list("pk", flat=True))
    browser.post(
        "/admin/axes/accessattempt/",
        {"action": "delete_selected", "_selected_action": pks, "post": "yes"},
    )
    assert attempt(client, "lena", PASSWORD)["Location"] == "/admin/"


def test_an_administrator_of_a_tenant_does_not_see_the_installations_attempts(client_as):
    assert client_as("Administrator").get("/admin/axes/accessattempt/").status_code == 403


def _attempts():
    from axes.models import AccessAttempt

    return AccessAttempt.objects.all()
