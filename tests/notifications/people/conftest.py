import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import Workbook

from notifications.models import Recipient, Role
from notifications.people import ensure_luma_roles, save_recipient
from project.access.audit import Actor
from project.access.models import Tenant

IMPORT = "/admin/notifications/recipient/import/"
CONFIRM = "/admin/notifications/recipient/process_import/"


@pytest.fixture(autouse=True)
def _roles(tenant: Tenant, other_tenant: Tenant) -> None:
    ensure_luma_roles(tenant)
    Role.objects.create(tenant=other_tenant, code=77, name="Elsewhere")


@pytest.fixture
def make_person(tenant: Tenant) -> Callable[..., Recipient]:
    """Make a person: ``make_person("ana", roles=[-4], addresses={"email": …})``."""

    def make(
        login: str,
        *,
        of: Tenant | None = None,
        roles: Iterable[int] = (),
        addresses: dict[str, str] | None = None,
        opt_outs: Iterable[str] = (),
        **fields,
    ) -> Recipient:
        owner = of or tenant
        return save_recipient(
            Recipient(tenant=owner, login=login, **fields),
            by=Actor.hub("tests"),
            roles=list(owner.roles.filter(code__in=list(roles))),
            addresses=addresses or {},
            opt_outs=set(opt_outs),
        )

    return make


@pytest.fixture
def admin_client(client_as: Callable[..., Client]) -> Client:
    return client_as("Administrator")


@pytest.fixture
def check(admin_client: Client) -> Callable[..., Any]:
    """Upload a file as far as its preview."""

    def send(content: str | bytes, name: str = "people.csv") -> Any:
        data = content.encode() if isinstance(content, str) else content
        return admin_client.post(
            IMPORT, {"import_file": SimpleUploadedFile(name, data), "format": "0"}
        )

    return send


@pytest.fixture
def take_in(check: Callable[..., Any], admin_client: Client) -> Callable[..., Any]:
    """Upload a file and confirm its preview."""

    def send(content: str | bytes, name: str = "people.csv") -> Any:
        preview = check(content, name)
        form = preview.context["confirm_form"]
        return admin_client.post(CONFIRM, form.initial, follow=True)

    return send


def workbook(*rows: Sequence[object]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.fixture
def xlsx() -> Callable[..., bytes]:
    return workbook


@pytest.fixture
def problems() -> Callable[[Any], list[str]]:
    """What an import page refused: “Line 3, roles: …”, or the file's own problem."""

    def read(page: Any) -> list[str]:
        result = page.context.get("result")
        if result is None:
            return [str(text) for found in page.context["form"].errors.values() for text in found]
        return [
            *(str(error.error) for error in result.base_errors),
            *(str(problem) for problem in result.report.problems),
        ]

    return read
