"""RS256-signed callbacks, held against how fast the same cores do nothing but sign.

What the workers take is counted as their CPU time: the receiver and the database, which run on the
same cores here, sign nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.bench.installation import demo, nginx, queue, resting, settled, workers
from tests.bench.proc import cpu_seconds
from tests.bench.result import Result
from tests.support.installation import descendants

COUNT = 40_000  # deliveries
CORES = 2
# A core is not as fast at one moment as at the next, by a third: so the bare signatures are made
# meanwhile, some at a time.
BURST, PAUSE = 30, 0.2  # signatures, and seconds to the next ones


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
            with _signing(key) as signed:
                before = cpu_seconds(tree)
                began = time.monotonic()
                wake()
                settled(1)
                took = time.monotonic() - began
                worked = sum(cpu_seconds(tree).values()) - sum(before.values())
            signature = sum(cpu for cpu, _ in signed) / sum(made for _, made in signed)
    return [
        Result("bare RS256 signing", CORES / signature, "signatures/s", note="by two cores"),
        Result(
            "signed callbacks, queued to settled",
            count / took,
            "deliveries/s",
            note=f"{100 * count / took / (CORES / signature):.0f} % of that, beside database,"
            " receiver and the bare signatures",
        ),
        Result(
            "signed callbacks, of the signing rate of the cores used",
            100 * signature * count / worked,
            "%",
            bar=70,
            note=f"{1e6 * worked / count:.0f} µs of the workers for each,"
            f" {1e6 * signature:.0f} µs a signature",
        ),
    ]


@contextmanager
def _signing(key: RSAPrivateKey) -> Iterator[list[tuple[float, int]]]:
    """Sign now and then on all cores; then gives the seconds of CPU time, and signatures made."""
    context = get_context("fork")
    queue, over = context.Queue(), context.Event()
    signers = [context.Process(target=_sign, args=(key, over, queue)) for _ in range(CORES)]
    for signer in signers:
        signer.start()
    signed: list[tuple[float, int]] = []
    try:
        yield signed
    finally:
        over.set()
        signed += [queue.get(timeout=60) for _ in signers]
        for signer in signers:
            signer.join()


def _sign(key: RSAPrivateKey, over: Event, queue) -> None:
    cpu, made = 0.0, 0
    while not over.wait(PAUSE):
        before = time.process_time()
        for number in range(made, made + BURST):
            key.sign(b"%d" % number, PKCS1v15(), SHA256())
        cpu += time.process_time() - before
        made += BURST
    queue.put((cpu, made))
