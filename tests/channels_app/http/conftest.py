from collections.abc import Callable, Iterator

import pytest

from channels_app.http import AddressPolicy, BulkTransport, HttpRequest, HttpResponse, fetch
from tests.support.receiver import Receiver

UNKNOWN_HOST = "x" * 64 + ".invalid"
"""A label may have 63 characters: resolvers refuse this name without asking anyone."""

Send = Callable[[HttpRequest, AddressPolicy], HttpResponse]


def through_bulk(request: HttpRequest, policy: AddressPolicy) -> HttpResponse:
    """Send one request as fetch() would, through a window of one."""
    with BulkTransport(1) as transport:
        transport.submit(1, request, policy)
        finished = transport.poll(20)
    assert [end.key for end in finished] == [1]
    if finished[0].error is not None:
        raise finished[0].error
    assert finished[0].response is not None
    return finished[0].response


@pytest.fixture(params=[fetch, through_bulk], ids=["single", "bulk"])
def send(request: pytest.FixtureRequest) -> Send:
    """Both ways out; what one promises the other does too."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def public() -> AddressPolicy:
    return AddressPolicy()


@pytest.fixture
def loopback() -> AddressPolicy:
    return AddressPolicy.allowing("127.0.0.0/8")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening
