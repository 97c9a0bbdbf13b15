"""Who may do what with notifications, and that nobody sees another house's."""

import pytest

from notifications.models import Notification, Stage
from tests.support.composing import ADD, LIST, composed, filled, page_of

DEEDS = ("approve", "decline", "withdraw", "stop", "discard", "copy")
PARTS = ("compose/audience/", "compose/message/", "compose/people/")


@pytest.fixture
def mara(client_as):
    return client_as("Administrator", username="mara")


@pytest.fixture
def every_stage(mara) -> list[Notification]:
    draft, submitted = composed(mara), composed(mara, "submit")
    later = composed(mara, "send", when="later", send_at="2100-01-01T09:00")
    series = composed(mara, "send", when="repeat", send_at="2100-01-01T09:00", repeat="daily")
    rows = [draft, submitted, later, series]
    for stage in (Stage.SENDING, Stage.DONE, Stage.CANCELLED):
        row = composed(mara)
        Notification.objects.filter(pk=row.pk).update(stage=stage)
        rows.append(row)
    return rows


def test_an_auditor_reads_every_page_and_posts_nowhere(client_as, every_stage):
    auditor = client_as("Auditor")
    assert auditor.get(LIST).status_code == 200
    assert auditor.get(ADD).status_code == 403
    assert auditor.post(ADD, {"action": "save", **filled()}).status_code == 403
    before = list(Notification.objects.order_by("pk").values())
    for row in every_stage:
        assert auditor.get(page_of(row)).status_code == 200
        assert auditor.get(f"{LIST}{row.pk}/people/").status_code == 200
        assert auditor.get(f"{LIST}{row.pk}/progress/").status_code in (200, 286)
        assert auditor.post(page_of(row), {"action": "save", **filled()}).status_code == 403
        for deed in DEEDS:
            assert auditor.post(f"{LIST}{row.pk}/do/{deed}/").status_code == 403
    assert list(Notification.objects.order_by("pk").values()) == before


def test_an_auditor_sees_no_button_that_would_do_something(client_as, every_stage):
    auditor = client_as("Auditor")
    for row in every_stage:
        page = auditor.get(page_of(row)).content.decode()
        content = page.partition('id="content"')[2]
        assert 'method="post"' not in content, row.stage


@pytest.mark.parametrize("group", ["Administrator", "Composer", "Approver", "Operator", "Auditor"])
def test_another_house_finds_nothing(client_as, other_tenant, every_stage, group):
    stranger = client_as(group, of=other_tenant)
    assert str(every_stage[0]) not in stranger.get(LIST).content.decode()
    for row in every_stage:
        for path in ("change/", "people/", "progress/"):
            assert stranger.get(f"{LIST}{row.pk}/{path}").status_code == 404
        for deed in DEEDS:
            assert stranger.post(f"{LIST}{row.pk}/do/{deed}/").status_code in (403, 404)
    assert not Notification.objects.of(other_tenant).exists()


def test_a_group_without_the_right_to_see_sees_nothing(client_as, every_stage):
    agent = client_as("Agent")
    for url in (LIST, ADD, *(page_of(row) for row in every_stage)):
        assert agent.get(url).status_code == 403
    for part in PARTS:
        assert agent.post(LIST + part, filled()).status_code == 403


def test_who_is_not_signed_in_is_asked_to(client, every_stage):
    for url in (LIST, ADD, page_of(every_stage[0])):
        assert client.get(url).url.startswith("/admin/login/")


@pytest.mark.parametrize("key", ["0", "x", "-1", "9" * 30, "1%00", "٣"])
def test_a_number_that_is_none_is_not_found(mara, key):
    assert mara.get(f"{LIST}{key}/change/").status_code == 404


def test_a_deed_is_done_by_post_only_and_an_unknown_one_is_not_found(mara, every_stage):
    row = every_stage[0]
    assert mara.get(f"{LIST}{row.pk}/do/discard/").status_code == 405
    assert mara.post(f"{LIST}{row.pk}/do/burn/").status_code == 404


@pytest.mark.parametrize(
    ("deed", "index", "words"),
    [
        ("approve", 0, "This is not waiting for approval."),
        ("decline", 2, "This is not waiting for approval."),
        ("withdraw", 0, "This is not waiting for approval."),
        ("discard", 1, "Only a draft can be discarded."),
        ("stop", 5, "This has ended already."),
        ("stop", 6, "This has ended already."),
    ],
)
def test_what_a_stage_does_not_allow_is_said(mara, every_stage, deed, index, words):
    response = mara.post(f"{LIST}{every_stage[index].pk}/do/{deed}/", follow=True)
    assert response.status_code == 200
    assert words in response.content.decode()
