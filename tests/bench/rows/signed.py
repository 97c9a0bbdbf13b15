"""RS256-signed callbacks, held against how fast the same cores sign while they do nothing else.

What the workers take is counted as their CPU time: the receiver and the database, which run on the
same cores here, sign nothing.
"""

import time
from multiprocessing import get_context

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.bench.installation import demo, nginx, queue, resting, settled, workers
from tests.bench.proc import cpu_seconds
from tests.bench.result import Result
from tests.support.installation import descendants

COUNT = 20_000  # deliveries
CORES = 2
BARE = 4.0  # seconds


def measure(scale: float) -> list[Result]:
    from channels_app.tasks import wake

    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    count = int(COUNT * scale)
    with nginx() as url:
        channel = demo(f"{url}/hook")
        channel.keep_secrets({**channel.secrets, "private_key": pem})
        channel.save()
        with workers() as process:
            with resting(channel):
                queue(channel, 1, count)
            tree = [one.pid for one in descendants(process.pid)]
            before = cpu_seconds(tree)
            began = time.monotonic()
            wake()
            settled(1)
            took = time.monotonic() - began
            after = cpu_seconds(tree)
    worked = sum(after.values()) - sum(before.values())
    bare_wall, bare_cpu = _bare(key)
    return [
        Result("bare RS256 signing, two processes", bare_wall, "signatures/s"),
        Result(
            "signed callbacks, queued to settled",
            count / took,
            "deliveries/s",
            note=f"{100 * count / took / bare_wall:.0f} % of that, beside database and receiver",
        ),
        Result(
            "signed callbacks, of the signing rate of the cores used",
            100 * (count / worked) / bare_cpu,
            "%",
            bar=70,
            note=f"{1e6 * worked / count:.0f} µs of the workers for each,"
            f" {1e6 / bare_cpu:.0f} µs a signature",
        ),
    ]


def _bare(key: RSAPrivateKey) -> tuple[float, float]:
    """Signatures a second of all cores together, and a second of CPU time."""
    context = get_context("fork")
    queue = context.Queue()
    signers = [context.Process(target=_sign, args=(key, queue)) for _ in range(CORES)]
    for signer in signers:
        signer.start()
    found = [queue.get() for _ in signers]
    for signer in signers:
        signer.join()
    made, cpu = sum(made for made, _ in found), sum(cpu for _, cpu in found)
    return made / BARE, made / cpu


def _sign(key: RSAPrivateKey, queue) -> None:
    claims = {"iss": "bench", "iat": 1_800_000_000, "exp": 1_800_000_300, "orgId": "bench"}
    made, ends, before = 0, time.monotonic() + BARE, time.process_time()
    while time.monotonic() < ends:
        jwt.encode({**claims, "jti": str(made)}, key, "RS256")
        made += 1
    queue.put((made, time.process_time() - before))
