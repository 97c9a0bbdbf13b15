"""Settings, all by environment; every default runs on one machine with nothing but Python.

The names read from the environment are described in docs/settings.md.
"""

import hashlib
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.management.utils import get_random_secret_key

from project.keys import keep

# Django's generic classes take their parameters at run time too, as the type stubs declare them.
django_stubs_ext.monkeypatch()

VERSION = "0.1.0"
BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- where things are ---------------------------------------------------------------------------
DATA_DIR = Path(env.str("CARILLON_DATA", default=str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
PORT = env.int("PORT", default=8000)
BASE_URL = env.str("CARILLON_BASE_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
HTTPS = urlsplit(BASE_URL).scheme == "https"
WEB_HOST = env.str("WEB_HOST", default="127.0.0.1")  # the address that the web server listens at
WEB_PROCESSES = env.int("WEB_PROCESSES", default=1)
WEB_THREADS = env.int("WEB_THREADS", default=8)  # in each process; requests answered at once
# Proxies (addresses, networks) whose X-Forwarded-For says who calls; others' is not believed.
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", default=[])

# Keys come from the environment; one machine without any gets its own, kept under DATA_DIR.
SECRET_KEY = env.str("SECRET_KEY", default="") or keep(
    DATA_DIR / "secret.key", get_random_secret_key
)
# Newest first: the first encrypts, all decrypt (`manage.py rotate_secrets` re-encrypts).
FERNET_KEYS: list[str] = env.list("CARILLON_FERNET_KEYS", default=[]) or [
    keep(DATA_DIR / "fernet.key", lambda: Fernet.generate_key().decode())
]

DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS: list[str] = env.list(
    "ALLOWED_HOSTS",
    default=sorted({"localhost", "127.0.0.1", "[::1]", urlsplit(BASE_URL).hostname or "localhost"}),
)
CSRF_TRUSTED_ORIGINS = [BASE_URL]

# --- what runs ----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "project.apps.CarillonAdminConfig",  # Django's admin with Carillon's AdminSite
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_htmx",
    "django_q",
    "axes",
    "csp",
    "import_export",
    "oauth2_provider",
    "project.access",
    "channels_app",
    "notifications",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- rows ---------------------------------------------------------------------------------------
_default_db: dict[str, Any] = env.db_url(
    "DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'carillon.sqlite3'}"
)
SQLITE = _default_db["ENGINE"] == "django.db.backends.sqlite3"
if SQLITE:
    _default_db["ENGINE"] = "project.sqlite"  # Django's, with writers that take turns
    _default_db["OPTIONS"] = {
        # Writers queue up (IMMEDIATE + timeout, seconds) instead of failing with "locked", readers
        # go on (WAL), and what was accepted survives a power cut (synchronous FULL).
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8000",
    }
else:
    # A host that vanishes must hold nobody up: neither itself, waiting for answers that never
    # come, nor the others, for whom its open transactions lock rows. Each end gives the other up
    # after some ten seconds of silence. Nobody waits longer for a lock either: who has requests
    # under way must look after their answers meanwhile. A transaction that stands still for a
    # minute is ended. DATABASE_URL may say otherwise (`?connect_timeout=3`).
    _default_db["OPTIONS"] = {
        "connect_timeout": 10,  # seconds, for each of the server's addresses
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # milliseconds
        "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2"
        " -c tcp_keepalives_count=3 -c tcp_user_timeout=10s"
        " -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
        " -c jit=off",  # compiling takes longer than any of our queries
        **_default_db.get("OPTIONS", {}),
    }
_default_db["CONN_MAX_AGE"] = 600
_default_db["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": _default_db}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Several installations may share one Redis: everything there carries this name.
INSTALLATION = (
    "carillon-"
    + hashlib.sha256(
        "|".join(str(_default_db.get(k, "")) for k in ("HOST", "PORT", "NAME")).encode()
    ).hexdigest()[:8]
)

# --- hints and cache ----------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="")
CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if not REDIS_URL
    else {
        "BACKEND": "project.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": INSTALLATION,
    }
}
Q_CLUSTER: dict[str, Any] = {
    "name": INSTALLATION,
    "label": "Background work",
    "workers": 4,
    "queue_limit": 4,  # = workers: a task taken earlier would wait unseen and run twice
    "bulk": 1,
    "timeout": 120,  # seconds; a drain ends by itself well before (dispatch/drain.py)
    "retry": 600,  # seconds; well above timeout, or the ORM broker hands a running task out again
    "max_attempts": 1,  # the rows carry the retries, tasks are hints
    "ack_failures": True,
    "save_limit": -1,
    "recycle": 500,
    "poll": 0.5,
    "guard_cycle": 1,
    "catch_up": False,
    "log_level": env.str("CARILLON_LOG_LEVEL", default="WARNING"),
    "ALT_CLUSTERS": {},
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
}

# --- people -------------------------------------------------------------------------------------
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# --- REST ---------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "UNAUTHENTICATED_USER": None,
}
# Access tokens for systems (project/access/oauth.py): client credentials and nothing else.
OAUTH2_PROVIDER_APPLICATION_MODEL = "oauth2_provider.Application"
OAUTH2_PROVIDER = {
    "OAUTH2_SERVER_CLASS": "oauthlib.oauth2.BackendApplicationServer",
    "OAUTH2_VALIDATOR_CLASS": "project.access.oauth.ClientValidator",
    "SCOPES_BACKEND_CLASS": "project.access.oauth.ClientScopes",
    "ACCESS_TOKEN_GENERATOR": "project.access.oauth.new_access_token",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3599,  # as Alvaria's document prints it
    "CLIENT_SECRET_HASHER": "random_secret",
    # Tokens are stored as digests, and none is read from an address (RFC 9700).
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    # Grants that are not served here, silenced.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
}
# The first is for people's passwords; the last for secrets that are random (OAuth clients').
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "project.access.hashers.RandomSecretHasher",
]
# Bytes. Vendors' routes answer 413 above it, in their own dialect; forms answer 400.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
APPEND_SLASH = True

# --- sending ------------------------------------------------------------------------------------
# Networks (CIDR) that a channel may reach although they are not public. Operators only.
ALLOWED_NETWORKS = tuple(
    ip_network(network) for network in env.list("CARILLON_ALLOWED_NETWORKS", default=[])
)
DRAINS = env.int("CARILLON_DRAINS", default=2)  # dispatch loops per host, below the workers' number
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="filemail://")
vars().update(EMAIL_CONFIG)
EMAIL_FILE_PATH = EMAIL_CONFIG["EMAIL_FILE_PATH"] or str(DATA_DIR / "mail")
EMAIL_TIMEOUT = 20  # seconds
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Carillon <carillon@localhost>")

# --- words and clocks ---------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = "project.formats"

# --- static files -------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- browsers -----------------------------------------------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = f"carillon_session_{PORT}"  # copies on one host keep their own logins
CSRF_COOKIE_NAME = f"carillon_csrf_{PORT}"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "project.errors.csrf_failure"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        # Messages may show pictures from anywhere; they are fetched without a referrer.
        "img-src": [SELF, "data:", "https:", "http:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"no_chat_links": {"()": "project.log_filter.WithoutChatLinks"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["no_chat_links"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env.str("CARILLON_LOG_LEVEL", default="WARNING")},
}
