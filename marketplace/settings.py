"""Settings: one file, every difference between deployments comes from the environment.

``marketplace.ops.checks`` validates what is set here; ``docs/operations.md`` lists every variable.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import django_stubs_ext
import structlog
from django.conf.locale import LANG_INFO
from django.utils.translation import gettext_lazy as _

django_stubs_ext.monkeypatch()


def _flag(name: str, default: str = "") -> bool:
    return os.environ.get(name, default) == "1"


def _words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def _database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "application_name": os.environ.get("PROCESS", "web")},
        "TEST": {"TEMPLATE": os.environ.get("TEST_DATABASE_TEMPLATE")},
    }


BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("VAR_DIR", BASE_DIR / "var"))
DEBUG = _flag("DEBUG")
SECRET_KEY = os.environ.get("SECRET_KEY", "")
SITE_URL = os.environ.get("SITE_URL", "http://localhost:8000").rstrip("/")
BEHIND_TLS = SITE_URL.startswith("https://")
ALLOWED_HOSTS = [*_words("ALLOWED_HOSTS", "localhost,127.0.0.1"), urlsplit(SITE_URL).hostname or ""]
CSRF_TRUSTED_ORIGINS = [SITE_URL]

ROOMS = [
    "marketplace.journal",
    "marketplace.reference",
    "marketplace.accounts",
    "marketplace.ledger",
    "marketplace.lots",
    "marketplace.compliance",
    "marketplace.pricing",
    "marketplace.freight",
    "marketplace.market",
    "marketplace.deals",
    "marketplace.logistics",
    "marketplace.certificates",
    "marketplace.notifications",
    "marketplace.web",
    "marketplace.api",
    "marketplace.ops",
]
INSTALLED_APPS = [
    *ROOMS,
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
    "template_partials",
]
MIDDLEWARE = [
    "marketplace.web.middleware.request_log",
    "django.middleware.security.SecurityMiddleware",
    "marketplace.web.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "marketplace.web.middleware.language",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "marketplace.accounts.middleware.actor",
    "marketplace.accounts.middleware.staff_second_factor",
    "marketplace.web.middleware.refusal_page",
]
ROOT_URLCONF = "marketplace.urls"
ROOT_EVENTCONF = "marketplace.switchboard"
WSGI_APPLICATION = "marketplace.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "marketplace.web.context.house",
            ],
            "builtins": ["marketplace.web.templatetags.house"],
        },
    }
]

# --- data -------------------------------------------------------------------------------------
DATABASES = {"default": _database(os.environ.get("DATABASE_URL", "postgresql:///voltbazaar"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {  # rate limits of log-in: they must hold while Redis is away
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache_entries",
        "KEY_PREFIX": "voltbazaar",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
MEDIA_ROOT = Path(os.environ.get("MEDIA_ROOT", VAR_DIR / "media"))
KEYS_DIR = Path(os.environ.get("KEYS_DIR", VAR_DIR / "keys"))
SEAL_DIRS = [Path(each) for each in _words("SEAL_DIRS", "")]  # none: five under VAR_DIR
SEAL_NEEDED = int(os.environ.get("SEAL_NEEDED", "3"))  # so many of their holders open sealed bids
FONTS_DIR = BASE_DIR / "marketplace" / "certificates" / "fonts"  # for every PDF
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
UPLOAD_MAX_BYTES = 20 * 2**20  # one photo or document

# --- people -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "marketplace.accounts.adapter.Adapter"
ACCOUNT_FORMS = {"login": "marketplace.accounts.forms.LoginForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email", "phone"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "phone", "password1*"]  # our own pages sign people up
ACCOUNT_EMAIL_VERIFICATION = "none"  # an address is proved by its code before there is a user
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
STAFF_NEED_SECOND_FACTOR = _flag("STAFF_NEED_SECOND_FACTOR", "0" if DEBUG else "1")
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Voltbazaar"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
if BEHIND_TLS:
    SESSION_COOKIE_NAME = "__Host-sid"
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [
        "^livez$",
        "^readyz$",
    ]  # probes come from beside the proxy, without TLS
if _flag("TRUSTED_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- words, numbers, time ------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("id", _("Indonesian"))]
LANG_INFO.setdefault(
    "fil", {"bidi": False, "code": "fil", "name": "Filipino", "name_local": "Filipino"}
)
LOCALE_PATHS = [BASE_DIR / "marketplace" / "locale"]

# --- files that browsers load -----------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", VAR_DIR / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
HASHED_STATIC = _flag("HASHED_STATIC")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if HASHED_STATIC
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not HASHED_STATIC

# --- letters and text messages ---------------------------------------------------------------------
EMAIL_BACKEND = os.environ.get("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _flag("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "Voltbazaar <no-reply@localhost>")
SEND_COPIES = _flag("SEND_COPIES", "1")  # off: messages stay in the inbox, no mail, no SMS
SMS_NUMBER = os.environ.get("SMS_NUMBER", "")  # shown where people may ask for a price by text
SMS_IN_SECRET = os.environ.get("SMS_IN_SECRET", "")  # of the provider's call-back; empty: closed
SMS_ADAPTER = os.environ.get("SMS_ADAPTER", "marketplace.notifications.sms.ConsoleSms")
PAYMENT_SERVICE = os.environ.get("PAYMENT_SERVICE", "marketplace.ledger.payments.PlayMoney")

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "marketplace.api.authentication.TokenAuthentication",
        "marketplace.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "marketplace.api.http.KeysetPagination",
    "EXCEPTION_HANDLER": "marketplace.api.errors.handle",
    "COERCE_DECIMAL_TO_STRING": True,
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Voltbazaar",
    "DESCRIPTION": "One lot record from safe intake to verified certificate.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "OrganisationStatus": "marketplace.accounts.models.Organisation.Status",
        "LicenceStatus": "marketplace.accounts.models.Licence.Status",
        "LotStatus": "marketplace.lots.models.Lot.Status",
        "AuctionStatus": "marketplace.market.models.Auction.Status",
        "AuctionMode": "marketplace.market.models.Auction.Mode",
        "AwardStatus": "marketplace.market.models.Award.Status",
        "OrderStatus": "marketplace.market.models.StandingOrder.Status",
        "PaymentStatus": "marketplace.ledger.models.Payment.Status",
        "AccountKind": "marketplace.ledger.models.Account.Kind",
        "DealStatus": "marketplace.deals.models.Deal.Status",
        "DealReason": "marketplace.deals.models.Deal.ReasonCode",
        "DisputeStatus": "marketplace.deals.models.Dispute.Status",
        "WeighingStage": "marketplace.deals.models.Weighing.Stage",
        "AssayParty": "marketplace.deals.models.Party",
        "ReckoningStatus": "marketplace.deals.models.Reckoning.Status",
        "QuoteStatus": "marketplace.freight.models.FreightQuote.Status",
        "QuoteRoundStatus": "marketplace.freight.models.QuoteRound.Status",
        "ShipmentStatus": "marketplace.logistics.models.Shipment.Status",
        "PaperKind": "marketplace.logistics.models.TransportDocument.Kind",
        "ProcessingKind": "marketplace.certificates.models.ProcessingReport.Kind",
    },
}

# --- background work: PostgreSQL holds the truth, Celery on Redis is the doorbell -----------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 80
CELERY_TASK_TIME_LIMIT = 100
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "max_retries": 0,  # a page that rings must not wait: kombu would try for six seconds
    "health_check_interval": 10,
    "visibility_timeout": 3600,
}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "marketplace.journal.sweep", "schedule": 5.0, "options": {"expires": 5}},
}
JOB_BELL = _flag("JOB_BELL", "1")  # off: only the sweeper does work
JOB_LEASE_SECONDS = int(os.environ.get("JOB_LEASE_SECONDS", "120"))
JOB_RERING_SECONDS = int(os.environ.get("JOB_RERING_SECONDS", "3"))
JOB_INLINE_SECONDS = int(os.environ.get("JOB_INLINE_SECONDS", "8"))

# --- log: one JSON line per request and per job ------------------------------------------------------
_SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
structlog.configure(
    processors=[*_SHARED_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer(),
            "foreign_pre_chain": _SHARED_PROCESSORS,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {"pikepdf": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
}
