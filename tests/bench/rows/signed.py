"""RS256-signed callbacks, held against how fast the same cores sign while they do nothing else.

What the workers take is counted as their CPU time: the receiver and the database, which run on the
same cores here, sign nothing.
"""

import time
from multiprocessing import get_context
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.bench.installation import demo, nginx, queue, resting, settled, workers
from tests.bench.proc import cpu_seconds
from tests.bench.result import Result
from tests.support.installation import descendants

COUNT = 20_000  # deliveries, all rounds together
ROUNDS = 5  # the cores are not as fast at one moment as at the next: both are measured in turns
CORES = 2
BARE = 2.0  # seconds before, between and after the rounds


def measure(scale: float) -> list[Result]:
    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    count = int(COUNT * scale) // ROUNDS
    with nginx() as url:
        channel = demo(f"{url}/hook")
        channel.keep_secrets({**channel.secrets, "private_key": pem})
        channel.save()
        with workers() as process:
            bare = [_bare(key)]
            rounds = []
            for number in range(1, ROUNDS + 1):
                rounds.append(_round(process.pid, channel, number, count))
                bare.append(_bare(key))
    signature = sum(cpu for _, cpu, _ in bare) / sum(made for _, _, made in bare)  # seconds
    rate = sum(made for _, _, made in bare) / sum(wall for wall, _, _ in bare)
    took, worked = (sum(column) / count / ROUNDS for column in zip(*rounds, strict=True))
    return [
        Result("bare RS256 signing, two processes", rate, "signatures/s"),
        Result(
            "signed callbacks, queued to settled",
            1 / took,
            "deliveries/s",
            note=f"{100 / took / rate:.0f} % of that, beside database and receiver",
        ),
        Result(
            "signed callbacks, of the signing rate of the cores used",
            100 * signature / worked,
            "%",
            bar=70,
            note=f"{1e6 * worked:.0f} µs of the workers for each,"
            f" {1e6 * signature:.0f} µs a signature",
        ),
    ]


def _round(worker: int, channel: Any, origin: int, count: int) -> tuple[float, float]:
    """Seconds that ``count`` deliveries took, and seconds of the workers' CPU time for them."""
    from channels_app.tasks import wake

    with resting(channel):
        queue(channel, origin, count)
    tree = [one.pid for one in descendants(worker)]
    before = cpu_seconds(tree)
    began = time.monotonic()
    wake()
    settled(origin)
    took = time.monotonic() - began
    return took, sum(cpu_seconds(tree).values()) - sum(before.values())


def _bare(key: RSAPrivateKey) -> tuple[float, float, int]:
    """Sign on all cores; returns seconds on the wall, of CPU time, and how many were made."""
    context = get_context("fork")
    queue = context.Queue()
    signers = [context.Process(target=_sign, args=(key, queue)) for _ in range(CORES)]
    for signer in signers:
        signer.start()
    found = [queue.get() for _ in signers]
    for signer in signers:
        signer.join()
    return BARE, sum(cpu for _, cpu in found), sum(made for made, _ in found)


def _sign(key: RSAPrivateKey, queue) -> None:
    claims = {"iss": "bench", "iat": 1_800_000_000, "exp": 1_800_000_300, "orgId": "bench"}
    made, ends, before = 0, time.monotonic() + BARE, time.process_time()
    while time.monotonic() < ends:
        jwt.encode({**claims, "jti": str(made)}, key, "RS256")
        made += 1
    queue.put((made, time.process_time() - before))
