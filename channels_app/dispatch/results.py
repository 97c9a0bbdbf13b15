"""What one try came to, whatever kind of channel made it."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from channels_app.connectors.base import (
    Credentials,
    Gone,
    HttpConnector,
    Onward,
    Receipt,
    Rejected,
    SteppedConnector,
    TokenRefused,
    Unavailable,
    Verdict,
)
from channels_app.http import Finished, HttpRequest
from channels_app.http.headers import storable
from channels_app.models import Delivery, Outcome

log = logging.getLogger(__name__)

ANSWER_KEPT = 2000  # characters of an answer that an attempt keeps


class Step(NamedTuple):
    """What a connector that goes by steps wants to hear of when the try is settled."""

    connector: SteppedConnector
    verdict: Verdict


class Result(NamedTuple):
    """The outcome of one try; ``duration`` in seconds, None where the try was cut off."""

    delivery: Delivery
    outcome: Outcome
    started_at: datetime
    duration: float | None = None
    status: int | None = None
    error: str = ""
    answer: str = ""
    vendor_id: str = ""
    retry_after: timedelta | None = None
    gone: bool = False  # the receiver wants no more messages at all
    token_refused: bool = False
    onward: timedelta | None = None  # a step is done: when the next one is due at the latest
    step: Step | None = None
    answered: bool = False  # it is to be tried again, but the receiver works
    left: bool = True  # False: it was never put into a request, so it says nothing of the receiver


def try_of(delivery: Delivery) -> int:
    """Number this try apart from all others, also from the same delivery's next one."""
    return delivery.id << 16 | delivery.attempt_count


def build(
    connector: HttpConnector, delivery: Delivery, credentials: Credentials, now: datetime
) -> HttpRequest | Rejected | Unavailable:
    """Ask the connector for the request; one that it can't make is a verdict, never a crash."""
    try:
        return connector.request(delivery, credentials, now)
    except (Rejected, Unavailable) as verdict:
        return verdict
    except Exception as error:
        log.exception("The %s connector could not make a request.", connector.kind)
        return Unavailable(f"The request could not be made: {type(error).__name__}")


def seal(
    connector: HttpConnector, requests: Sequence[HttpRequest | Rejected | Unavailable]
) -> list[HttpRequest | Rejected | Unavailable]:
    """Sign what is to be signed, all in one go; see `HttpRequest`."""
    signatures = [_sign(connector, request) for request in requests]
    return [_sealed(*pair) for pair in zip(requests, signatures, strict=True)]


def _sealed(
    request: HttpRequest | Rejected | Unavailable, signature: bytes | Unavailable | None
) -> HttpRequest | Rejected | Unavailable:
    if signature is None or not isinstance(request, HttpRequest):
        return request
    return request.sealed(signature) if isinstance(signature, bytes) else signature


def _sign(
    connector: HttpConnector, request: HttpRequest | Rejected | Unavailable
) -> bytes | Unavailable | None:
    if not isinstance(request, HttpRequest) or request.seal is None:
        return None
    try:
        return request.seal.sign()
    except Exception as error:
        log.exception("The %s connector could not sign a request.", connector.kind)
        return Unavailable(f"The request could not be signed: {type(error).__name__}")


def of_verdict(
    delivery: Delivery,
    verdict: Verdict,
    *,
    started_at: datetime,
    duration: float,
    status: int | None = None,
    answer: str = "",
) -> Result:
    """Put a connector's verdict into words that the log keeps."""
    vendor_id, onward = "", None
    if isinstance(verdict, Receipt | Onward):
        outcome, error, wait = Outcome.ACCEPTED, "", None
        onward = verdict.wait if isinstance(verdict, Onward) else None
        vendor_id = storable(str(verdict.vendor_id))[:100] if verdict.vendor_id else ""
    elif isinstance(verdict, Rejected):
        outcome, error, wait = Outcome.REJECTED, str(verdict), None
    else:
        outcome, error, wait = Outcome.UNAVAILABLE, str(verdict), verdict.retry_after
    return Result(
        delivery=delivery,
        outcome=outcome,
        started_at=started_at,
        duration=duration,
        status=status,
        # A connector may pass on what the far end said: no word of it may upset the database.
        error=storable(error)[:200] if error else "",
        answer=answer[:ANSWER_KEPT],
        vendor_id=vendor_id,
        retry_after=wait,
        gone=isinstance(verdict, Gone),
        token_refused=isinstance(verdict, TokenRefused),
        answered=isinstance(verdict, Unavailable) and verdict.answered,
        onward=onward,
    )


def of_response(delivery: Delivery, connector: HttpConnector, finished: Finished) -> Result:
    """Judge a finished request by its connector's rule; no answer at all is Unavailable."""
    verdict: Verdict
    response = finished.response
    if response is None:
        verdict = Unavailable(str(finished.error))
    else:
        try:
            verdict = connector.judge(delivery, response)
        except (Rejected, Unavailable) as judged:
            verdict = judged
        except Exception as error:
            log.exception("The %s connector could not read an answer.", connector.kind)
            verdict = Unavailable(f"The answer could not be read: {type(error).__name__}")
    result = of_verdict(
        delivery,
        verdict,
        started_at=finished.started_at,
        duration=finished.elapsed,
        status=response.status if response else None,
        answer=response.text() if response else "",
    )
    if isinstance(connector, SteppedConnector):
        return result._replace(step=Step(connector, verdict))
    return result


def cut_off(delivery: Delivery, error: str) -> Result:
    """A try of which nobody knows the end: it may have arrived."""
    return Result(
        delivery=delivery,
        outcome=Outcome.UNKNOWN,
        started_at=delivery.claimed_at or delivery.created_at,
        error=error,
    )
