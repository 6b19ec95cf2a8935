"""What the environment and `.env` may say. Read once, at start; one class per concern."""

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from carrel.infra.dns import address_of


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return timedelta(seconds=float(value))
    except OverflowError as error:
        raise ValueError("must be a number of seconds that is not endless") from error


Seconds = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]
"""A duration that the environment gives as a plain number of seconds, as in `JOB_LEASE=15`."""


def _blank_is_unset(value: object) -> object:
    return None if value == "" else value


Text = Annotated[str | None, BeforeValidator(_blank_is_unset)]
Secret = Annotated[SecretStr | None, BeforeValidator(_blank_is_unset)]


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_split)]
"""Networks or single addresses with commas between them, as in `10.0.0.0/8, 2001:db8::1`."""


def _origins(given: Sequence[str]) -> Sequence[str]:
    for one in given:
        if one != "*" and not ORIGIN.fullmatch(one):
            raise ValueError(f"{one} is no origin; an origin is written as https://app.example.org")
    if "*" in given and len(given) > 1:
        raise ValueError("* stands for every origin, so no other can stand beside it")
    return given


def _hosts(given: Sequence[str] | None) -> Sequence[str] | None:
    for one in given or ():
        if not HOST.fullmatch(one):
            raise ValueError(
                f"{one} is no name of a host; write example.org, *.example.org, 192.0.2.1 or [2001:db8::1]"
            )
    return tuple(one.lower() for one in given) if given else None


ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")
HOST = re.compile(r"\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]", re.IGNORECASE)
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_origins)]
Hosts = Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_split), AfterValidator(_hosts)]


class Server(BaseSettings):
    """Where the API listens and how many processes answer."""

    model_config = SettingsConfigDict(env_prefix="SERVER_", env_file=".env", extra="ignore", populate_by_name=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int | None = Field(default=None, ge=1, le=64, validation_alias="WORKERS")
    """API processes. One on an embedded database unless said otherwise."""
    instance_id: Text = Field(default=None, validation_alias="INSTANCE_ID")
    """Names this instance in logs and in the list of workers; the host's name and process id when unset."""


class Database(BaseSettings):
    """Which PostgreSQL, and how much of it."""

    model_config = SettingsConfigDict(env_prefix="DATABASE_", env_file=".env", extra="ignore")

    url: Text = None
    """Unset: an embedded PostgreSQL is started in the data directory."""
    read_url: Text = None
    """A read replica for searches; unset: they read from the primary."""
    pool_size: int = Field(default=20, ge=2, le=1000)
    """Connections per process. Keep pool_size x processes under the server's max_connections."""
    connect_timeout: Seconds = timedelta(seconds=2)
    statement_timeout: Seconds = timedelta(seconds=15)
    embedded_account: Text = None
    """The unprivileged account that runs the embedded server when started as root without user namespaces."""


class Redis(BaseSettings):
    """The optional shared cache. Everything works without it."""

    model_config = SettingsConfigDict(env_prefix="REDIS_", env_file=".env", extra="ignore")

    url: Secret = None
    pool_size: int = Field(default=10, ge=1, le=1000)


class Objects(BaseSettings):
    """Where the bytes of documents are kept, and how large one may be."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    object_store_url: Text = None
    """Unset: the folder `objects` in the data directory. Else `file:///...`, `s3://bucket/prefix`, `gs://` or `az://`."""
    upload_max_bytes: int = Field(default=200 * 2**20, ge=1)
    json_max_bytes: int = Field(default=32 * 2**20, ge=1)
    """A JSON body is held in memory while it is read, an upload is not; so it has its own, smaller limit."""


class Model(BaseSettings):
    """The embedding model."""

    model_config = SettingsConfigDict(env_prefix="MODEL_", env_file=".env", extra="ignore", protected_namespaces=())

    path: Annotated[Path | None, BeforeValidator(_blank_is_unset)] = None
    """A folder in Hugging Face layout. Unset: the data directory, then the installed package."""
    precision: Literal["int8", "float32"] = "int8"
    threads: int | None = Field(default=None, ge=1, le=256)


class Jobs(BaseSettings):
    """The queue and its workers."""

    model_config = SettingsConfigDict(env_prefix="JOB_", env_file=".env", extra="ignore")

    lease: Seconds = timedelta(seconds=5)
    """A worker that is not heard of for this long has lost its jobs."""
    concurrency: int = Field(default=4, ge=1, le=256)
    """Jobs that one worker process has in hand at a time."""
    per_tenant: int = Field(default=4, ge=1)
    """Jobs of one organisation that may run at a time, over all workers."""
    max_attempts: int = Field(default=5, ge=1, le=100)
    keep_finished: Seconds = timedelta(days=7)


class Extraction(BaseSettings):
    """The limits of the child process that reads a document."""

    model_config = SettingsConfigDict(env_prefix="EXTRACTION_", env_file=".env", extra="ignore")

    timeout: Seconds = timedelta(seconds=30)
    memory_mb: int = Field(default=512, ge=64)


class Client(BaseSettings):
    """Which server the commands `ingest` and `search` speak to, when it is not the one of this data directory."""

    model_config = SettingsConfigDict(env_prefix="CARREL_", env_file=".env", extra="ignore")

    url: Text = None
    """Unset: the server that runs on DATA_DIR."""
    api_key: Secret = None
    """Unset: the administrator's key, for a server on this machine only."""


class Accounts(BaseSettings):
    """Who may become a user, and where the links in mails lead."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    registration: Literal["closed", "invite", "open"] = "closed"
    """`invite`: by invitation only. `open`: anybody, each with an organisation of their own."""
    public_url: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://[^\s?#]+$")
    """Where people reach this server."""


class Tokens(BaseSettings):
    """What access tokens are signed with, and how long a login lasts."""

    model_config = SettingsConfigDict(env_prefix="JWT_", env_file=".env", extra="ignore")

    secret: Secret = None
    """Unset outside production: a generated one that all instances share."""
    previous_secret: Secret = None
    """Still believed, so that a change of the secret ends nobody's session."""
    private_key: Secret = None
    """An Ed25519 key in PEM, or the path of its file. Signs instead of the secret, which is then only believed."""
    previous_public_key: Text = None
    issuer: str = Field(default="carrel", min_length=1, max_length=200)
    access_lifetime: Seconds = Field(default=timedelta(minutes=15), ge=timedelta(seconds=10), le=timedelta(hours=24))
    session_lifetime: Seconds = Field(default=timedelta(days=30), ge=timedelta(minutes=1), le=timedelta(days=366))
    """From the login on, however often the session is used."""


class Audit(BaseSettings):
    """The audit log."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_", env_file=".env", extra="ignore")

    retention_days: int = Field(default=365, ge=0, le=36_500)
    """Older events are forgotten; 0: none ever is."""


RoleName = Literal["viewer", "member", "admin", "owner"]


def _pairs(value: object) -> object:
    parts = _split(value)
    if not isinstance(parts, list):
        return parts
    pairs = [part.rpartition("=") for part in parts]
    if not all(name and role for name, _, role in pairs):
        raise ValueError("must be pairs such as `staff=member, heads=admin`")
    return {name.strip(): role.strip() for name, _, role in pairs}


class OpenId(BaseSettings):
    """A provider of identities at which people log in (OpenID Connect). Off without an issuer."""

    model_config = SettingsConfigDict(env_prefix="OIDC_", env_file=".env", extra="ignore")

    issuer: Text = None
    """Its name, which is an address; everything else is found from there."""
    client_id: Text = None
    client_secret: Secret = None
    """Unset: this server is a public client there, which PKCE protects alone."""
    scopes: str = Field(default="openid email profile", pattern=r"^[\x21-\x7e]+( [\x21-\x7e]+)*$")
    name: str = Field(default="Single sign-on", max_length=100)
    """What pages call it."""
    organization: Text = None
    """The slug of the organisation whose members people become who come this way; unset: only who has an account."""
    default_role: Annotated[RoleName | None, BeforeValidator(_blank_is_unset)] = "member"
    """Empty: only whose claim stands for a role is let in."""
    role_claim: Text = None
    role_map: Annotated[dict[str, RoleName], NoDecode, BeforeValidator(_pairs)] = Field(default_factory=dict)
    allowed_domains: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    link_by_email: bool = False
    """Let the provider's word about an address open the account that has it, if that was verified here too."""
    timeout: Seconds = Field(default=timedelta(seconds=5), gt=timedelta(0), le=timedelta(seconds=60))

    @model_validator(mode="after")
    def refuse_a_provider_without_a_name_for_us(self) -> "OpenId":
        if self.issuer is not None and self.client_id is None:
            raise ValueError("OIDC_ISSUER is set, and OIDC_CLIENT_ID is not: it is what this server is called there.")
        return self


class Encryption(BaseSettings):
    """What keeps the secrets of second factors unreadable in a copy of the database."""

    model_config = SettingsConfigDict(env_prefix="ENCRYPTION_", env_file=".env", extra="ignore")

    key: Secret = None
    """Unset outside production: a generated one, which lies in the database with what it encrypts."""
    previous_key: Secret = None
    """Still decrypts; whatever is used is encrypted anew."""


class Mail(BaseSettings):
    """The mail server that carries links to people. Without one, outside production, links go to the log."""

    model_config = SettingsConfigDict(env_prefix="SMTP_", env_file=".env", extra="ignore", populate_by_name=True)

    host: Text = None
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Text = None
    password: Secret = None
    sender: Text = Field(default=None, validation_alias="MAIL_FROM")
    """The address that mails come from; unset: the user name."""
    timeout: Seconds = timedelta(seconds=10)


class Limits(BaseSettings):
    """How often one may call, and whose word about a caller's address counts."""

    model_config = SettingsConfigDict(env_prefix="RATE_LIMIT_", env_file=".env", extra="ignore", populate_by_name=True)

    enabled: bool = True
    per_minute: int = Field(default=100, ge=1)
    """What an organisation may ask for; calls of some classes count more than once, and tiers multiply it."""
    anonymous_per_minute: int = Field(default=30, ge=1)
    """Sign-ins and refused credentials of one client address."""
    trusted_proxies: Networks = Field(default=(), validation_alias="TRUSTED_PROXIES")
    """Networks of proxies in front of the server, whose X-Forwarded-For and X-Forwarded-Proto are believed."""


class Web(BaseSettings):
    """Which pages of others may call the server, and by which names it is called."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    cors_origins: Origins = ()
    """Origins whose pages may call from a browser, such as `https://app.example.org`; `*` for all, without cookies."""
    allowed_hosts: Hosts = None
    """Unset: the name in PUBLIC_URL in production, any name elsewhere. The machine's own names are always good."""


class Tenancy(BaseSettings):
    """Whether there are several organisations."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    multi_tenant_mode: bool = True
    """False: everything belongs to the organisation `default`, and none is added."""


def _addresses(given: Sequence[str]) -> Sequence[str]:
    for one in given:
        address_of(one)
    return given


class Domains(BaseSettings):
    """How the domains of organisations are verified."""

    model_config = SettingsConfigDict(env_prefix="DOMAIN_", env_file=".env", extra="ignore")

    dns_servers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_addresses)] = ()
    """Resolvers, such as `192.0.2.1, [2001:db8::1]:5353`. Unset: those of the machine."""


class Settings(BaseSettings):
    """Everything, by concern. The prefix of a class is the prefix of its variables."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    environment: Literal["development", "test", "production"] = "development"
    data_dir: Path = Path("data")
    log_level: str = Field(default="info", validation_alias=AliasChoices("LOG_LEVEL", "RUST_LOG"))
    admin_api_key: Secret = None
    """Taken as it is for the administrator's key on first start; generated when unset."""

    @cached_property
    def server(self) -> Server:
        return Server()

    @cached_property
    def database(self) -> Database:
        return Database()

    @cached_property
    def redis(self) -> Redis:
        return Redis()

    @cached_property
    def objects(self) -> Objects:
        return Objects()

    @cached_property
    def model(self) -> Model:
        return Model()

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs()

    @cached_property
    def extraction(self) -> Extraction:
        return Extraction()

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts()

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens()

    @cached_property
    def audit(self) -> Audit:
        return Audit()

    @cached_property
    def openid(self) -> OpenId:
        return OpenId()

    @cached_property
    def encryption(self) -> Encryption:
        return Encryption()

    @cached_property
    def mail(self) -> Mail:
        return Mail()

    @cached_property
    def limits(self) -> Limits:
        return Limits()

    @cached_property
    def tenancy(self) -> Tenancy:
        return Tenancy()

    @cached_property
    def web(self) -> Web:
        return Web()

    @cached_property
    def domains(self) -> Domains:
        return Domains()

    @property
    def own_hosts(self) -> Sequence[str]:
        """The server's own names, which no organisation can have."""
        named = [one for one in self.web.allowed_hosts or () if one != "*"]
        public = _bracketed(urlsplit(self.accounts.public_url).hostname or "")
        return (*named, public, _bracketed(self.server.host), "127.0.0.1", "localhost", "[::1]")

    @property
    def hosts(self) -> Sequence[str]:
        """The names that the server answers to; `*` is any. Its commands call it by the address where it listens."""
        given = self.web.allowed_hosts
        if given is None and self.environment != "production":
            return ("*",)
        here = (_bracketed(self.server.host), "127.0.0.1", "localhost", "[::1]")
        return (*(given or (_bracketed(urlsplit(self.accounts.public_url).hostname or ""),)), *here)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def inherited_environment(**changes: str) -> dict[str, str]:
    """The environment for a child process: ours, with `changes`."""
    return {**os.environ, **changes}
