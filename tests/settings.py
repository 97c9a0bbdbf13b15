"""The project's settings, with what tests need: own data, a quick hasher, plain static files.

DATABASE_URL and REDIS_URL choose what the tests run on; no other setting of the environment
reaches them.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

for _name in (
    *("ALLOWED_HOSTS", "DEBUG", "DEFAULT_FROM_EMAIL", "EMAIL_URL", "PORT", "SECRET_KEY"),
    *("TRUSTED_PROXIES", "WEB_HOST", "WEB_PROCESSES", "WEB_THREADS", "CARILLON_ALLOWED_NETWORKS"),
    *("CARILLON_BASE_URL", "CARILLON_DRAINS", "CARILLON_FERNET_KEYS", "CARILLON_LOG_LEVEL"),
):
    os.environ.pop(_name, None)

# Child processes find their parent's folder in the environment; pytest-xdist's workers keep apart.
if "CARILLON_TESTS" not in os.environ:
    os.environ["CARILLON_TESTS"] = tempfile.mkdtemp(prefix="carillon-tests-")
    _owner = os.getpid()

    @atexit.register
    def _remove() -> None:
        if os.getpid() == _owner:  # not a fork of it
            shutil.rmtree(os.environ["CARILLON_TESTS"], ignore_errors=True)


_data = Path(os.environ["CARILLON_TESTS"]) / os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["CARILLON_DATA"] = str(_data)

from project.settings import *  # noqa: E402, F403
from project.settings import (  # noqa: E402
    CACHES,
    DATA_DIR,
    DATABASES,
    Q_CLUSTER,
    REDIS_URL,
    SQLITE,
    STATIC_ROOT,
    STORAGES,
)

if SQLITE:
    # A file, not memory: live servers' threads and worker processes share it.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
    # Tests lose nothing in a power cut.
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF"
    )
# Parent and children agree on it, though they name the database differently.
INSTALLATION = f"carillon-{DATA_DIR.parent.name}-{DATA_DIR.name}"
Q_CLUSTER["name"] = INSTALLATION
if REDIS_URL:
    CACHES["default"]["KEY_PREFIX"] = INSTALLATION
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "project.access.hashers.RandomSecretHasher",
]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
ALLOWED_HOSTS = ["*"]
