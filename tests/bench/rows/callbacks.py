"""An Alvaria's callbacks, verified and stored, against a bare DRF view with one insert."""

import json
import tempfile
import uuid
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from django.utils import timezone

from tests.bench.result import Result
from tests.bench.web_load import (
    CONNECTIONS,
    Load,
    load,
    make_bare_table,
    percentiles,
    rate,
    server,
)
from tests.support.luma import PATH

ROUNDS = 3  # of each, in turns: a machine is not equally fast all the time
SECONDS = 4  # a round
WARM_UP = 1  # second
# As many as may be answered, each with an eventId of its own and signed for its own body.
A_SECOND = 2500
AT_ONCE = 500


def measure(scale: float) -> list[Result]:
    from channels_app.models import InboundEvent

    private, address = _channel()
    make_bare_table()
    seconds = max(1, round(SECONDS * scale))
    with (
        tempfile.TemporaryDirectory() as folder,
        server("project.settings") as hub,
        server("tests.bench.bare_settings") as plain,
    ):
        bare_body = Path(folder) / "bare.json"
        bare_body.write_text(json.dumps({"message": _callback()}))

        def bare_load(lasting: int) -> Load:
            body = str(bare_body)
            return load(plain + PATH, "load.lua", lasting, BENCH_BODY=body, BENCH_TOKEN="none")

        def our_load(lasting: int, name: str) -> Load:
            lines = _signed(private, Path(folder) / name, A_SECOND * lasting)
            return load(hub + address, "callbacks.lua", lasting, BENCH_CALLBACKS=str(lines))

        warm = our_load(WARM_UP, "warm").answers
        bare_load(WARM_UP)
        bare: list[Load] = []
        ours: list[Load] = []
        for number in range(ROUNDS):
            bare.append(bare_load(seconds))
            ours.append(our_load(seconds, f"round{number}"))
    stored = InboundEvent.objects.count()
    answered = warm + sum(each.answers for each in ours)
    under_way = (ROUNDS + 1) * CONNECTIONS
    lost = max(0, answered - stored) + max(0, stored - answered - under_way)
    wrong = sum(each.refused + each.broken for each in [*ours, *bare])
    speed, base = rate(ours), rate(bare)
    return [
        Result("bare DRF view, one insert", base, "requests/s", note=percentiles(bare)),
        Result("callbacks, verified and stored", speed, "requests/s", note=percentiles(ours)),
        Result("callbacks against a bare DRF view", speed / base, "×", bar=0.5),
        Result("answers other than 200", wrong, "", bar=0, sense="at_most"),
        Result("answered and not stored, or stored twice", lost, "", bar=0, sense="at_most"),
    ]


def _channel() -> tuple[str, str]:
    """Make the channel; returns the far end's private key and the path that it calls."""
    from channels_app.models import Channel
    from channels_app.signing_keys import new_private_key, public_pem
    from tests.support.channels import make_tenant
    from tests.support.far_alvaria import alvaria_channel

    private = new_private_key()
    settings = {"public_key": public_pem(private)}
    channel: Channel = alvaria_channel(
        make_tenant("Bench"), "https://alvaria.example", settings=settings
    )
    return private, f"/webhooks/alvaria/{channel.public_id}"


def _callback() -> str:
    """A MESSAGE as the document prints it, of some session."""
    message = {
        "sessionId": "38D1FBA0-2079-42FB-93C2-0DE301CF8FF5",
        "senderId": "AGENT",
        "message": {"text": "Hello there."},
        "eventId": str(uuid.uuid4()).upper(),
    }
    return json.dumps(message, separators=(",", ":"))


def _signed(private: str, path: Path, count: int) -> Path:
    """Write so many callbacks, each with its token, made on all cores."""
    parts = [(private, AT_ONCE)] * (count // AT_ONCE)
    with ProcessPoolExecutor() as pool, path.open("w") as lines:
        for some in pool.map(_sign, parts):
            lines.writelines(some)
    return path


def _sign(part: tuple[str, int]) -> list[str]:
    from channels_app.callback_token import private_key, seal, unsigned_token

    private, count = part
    key, now, lines = private_key(private), timezone.now(), []
    for _ in range(count):
        body = _callback()
        token = unsigned_token(
            body.encode(), issuer="bench", organisation="org", token_id=body[-38:-2], now=now
        )
        signed = seal(key, token)
        value = signed.headers(signed.sign())["Authorization"].removeprefix("Bearer ")
        lines.append(f"{value}\t{body}\n")
    return lines
