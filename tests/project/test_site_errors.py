"""What a person sees when a request can't be answered."""

import pytest
from django.conf import settings
from django.test import Client


def test_an_address_that_leads_nowhere(client):
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "This address leads nowhere" in response.content.decode()


@pytest.mark.parametrize("path", ["/admin/login/", "/nowhere/"])
def test_a_host_that_is_not_served(path, monkeypatch):
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["carillon.example"])
    response = Client(headers={"Host": "evil.example"}).get(path)
    assert response.status_code == 400
    assert "This host name is not served here." in response.content.decode()


def test_a_form_that_is_too_large_is_told_so(client_as):
    body = "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    response = client_as("Administrator").post("/admin/access/apiclient/add/", {"name": body})
    # Multipart fields count towards the limit as they are read.
    assert response.status_code == 400
    assert "It was too large: a form may hold 5.0" in response.content.decode()


def test_a_body_of_ten_megabytes_is_told_so(client_as):
    response = client_as("Administrator").post(
        "/admin/access/apiclient/add/",
        data=b"name=" + b"x" * 10_000_000,
        content_type="application/x-www-form-urlencoded",
    )
    assert response.status_code == 400
    assert "It was too large" in response.content.decode()


def test_too_many_fields_are_told_so(client_as):
    fields = {f"field{number}": "" for number in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)}
    response = client_as("Administrator").post("/admin/access/apiclient/add/", fields)
    assert response.status_code == 400
    assert "It had too many fields or files." in response.content.decode()


def test_a_form_cut_off_on_its_way_is_told_so(client_as):
    response = client_as("Administrator").post(
        "/admin/access/apiclient/add/", data=b"--x", content_type="multipart/form-data"
    )
    assert response.status_code == 400
    assert "It arrived incomplete." in response.content.decode()


def test_a_form_from_elsewhere_is_refused_in_words(make_user):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(
        make_user("Administrator"), backend="django.contrib.auth.backends.ModelBackend"
    )
    response = browser.post("/admin/access/apiclient/add/", {"name": "x"})
    assert response.status_code == 403
    assert "This page was too old" in response.content.decode()


def test_a_page_that_the_group_may_not_open(client_as):
    response = client_as("Agent").get("/admin/access/user/")
    assert response.status_code == 403
    assert "Not for your account" in response.content.decode()


@pytest.mark.urls("tests.support.breaking_urls")
@pytest.mark.django_db
def test_a_fault_of_ours_is_admitted_without_its_particulars():
    browser = Client(raise_request_exception=False)
    response = browser.get("/breaks/")
    assert response.status_code == 500
    html = response.content.decode()
    assert "Something broke" in html
    assert "a detail of ours" not in html


def test_the_front_door_leads_to_the_console(client):
    assert client.get("/")["Location"] == "/admin/"
