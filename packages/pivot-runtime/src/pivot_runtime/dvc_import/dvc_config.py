"""Translates DVC's configuration: the place of its cache, and Pivot's keys for it and for remotes; pure."""

import configparser
import os
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import attrs

from pivot_core.values import Value
from pivot_runtime.config import keys
from pivot_runtime.dvc_import.leftovers import Leftover
from pivot_runtime.dvc_import.stage_files import valid_name
from pivot_runtime.errors import ConfigError
from pivot_runtime.external import urls

OWN: Final = "pivot"
"""The directory of Pivot's objects below the URL of a remote of DVC's, where neither removes files of the other."""

_REMOTE: Final = re.compile(r"""['"]?remote ["'](?P<name>[^"']+)["']['"]?""")
_NOT_IN_REMOTES: Final = re.compile(r"[^A-Za-z0-9_-]+")
_SECRETS: Final = frozenset(
    {
        "access_key_id",
        "secret_access_key",
        "session_token",
        "password",
        "account_key",
        "sas_token",
        "token",
        "connection_string",
        "client_secret",
        "gdrive_client_secret",
        "gdrive_service_account_json_file_path",
        "oss_key_id",
        "oss_key_secret",
        "passphrase",
        "custom_auth_header",
        "user_agent_token",
        "bearer_token_command",
    }
)
_ELSEWHERE: Final = {
    "endpointurl": "AWS_ENDPOINT_URL",
    "profile": "AWS_PROFILE",
    "region": "AWS_REGION",
    "credentialpath": "AWS_SHARED_CREDENTIALS_FILE (of S3) or GOOGLE_APPLICATION_CREDENTIALS",
    "configpath": "AWS_CONFIG_FILE",
    "account_name": "AZURE_STORAGE_ACCOUNT_NAME",
    "tenant_id": "AZURE_TENANT_ID",
    "client_id": "AZURE_CLIENT_ID",
}
"""The variables that have the values of some options of remotes."""
_OF_SSH: Final = frozenset({"keyfile", "ask_password", "gss_auth", "allow_agent", "max_sessions"})
_PLAIN: Final = frozenset(
    {
        "url",
        "user",
        "port",
        "jobs",
        "timeout",
        "read_timeout",
        "connect_timeout",
        "verify",
        "ssl_verify",
        "use_ssl",
        "listobjects",
        "no_traverse",
        "checksum_jobs",
        "allow_anonymous_login",
        "projectname",
        "auth",
        "method",
    }
)
"""Options that need no counterpart."""
_SCHEMES: Final = {"s3": "s3", "gs": "gs", "azure": "az", "ssh": "ssh", "http": "http", "https": "https"}
_WITHOUT_EFFECT: Final = frozenset(
    {
        "core.remote",
        "core.analytics",
        "core.check_update",
        "core.interactive",
        "core.hardlink_lock",
        "core.checksum_jobs",
        "core.experiments",
        "core.site_cache_dir",
        "core.machine",
        "cache.dir",
        "cache.type",
        "cache.protected",
        "cache.slow_link_warning",
        "cache.shared",
        "cache.verify",
    }
)


@attrs.frozen(eq=False, repr=False)
class ConfigFile(Value):
    """One of DVC's configuration files.

    Attributes:
        name: Its path, for the places of leftovers.
        text: Its text.
        base: The absolute directory to which paths in it are relative.
        shared: It is in git.
    """

    name: str
    text: str
    base: str
    shared: bool = True


@attrs.frozen(eq=False, repr=False)
class TranslatedConfig(Value):
    """The configuration of Pivot for that of DVC.

    Attributes:
        cache_dir: The absolute directory of DVC's cache.
        settings: The values of Pivot's keys.
        leftovers: The settings that are not carried.
        directories: The absolute directories of the remotes that are directories, the default one first.
    """

    cache_dir: str
    settings: Mapping[str, str]
    leftovers: tuple[Leftover, ...] = ()
    directories: tuple[str, ...] = ()


@attrs.frozen(eq=False, repr=False)
class _Option(Value):
    """A value, the place where it is set, and its file."""

    value: str
    where: str
    file: ConfigFile


type _Options = dict[str, dict[str, _Option]]


def translate(files: Sequence[ConfigFile], dvc_dir: str) -> TranslatedConfig:
    """Translate the configuration in some files; later ones override earlier ones.

    Args:
        files: The files.
        dvc_dir: The absolute path of the ``.dvc`` directory.
    """
    leftovers: list[Leftover] = []
    options: _Options = {}
    for file in files:
        try:
            _read(file, options)
        except configparser.Error as error:
            leftovers.append(Leftover(file.name, f"it cannot be read: {error.message.splitlines()[0]}", "repair it"))
    settings: dict[str, str] = {}
    cache_dir = _cache(options, dvc_dir, settings, leftovers)
    remotes = {match["name"]: section for section in options if (match := _REMOTE.fullmatch(section))}
    names: dict[str, str] = {}
    for name, section in remotes.items():
        known = _free_name(name, names.values())
        names[name] = known
        if not _remote(known, options, remotes, section, settings, leftovers):
            names[name] = ""
    default = options.get("core", {}).get("remote")
    if default is not None and names.get(default.value):
        settings["default_remote"] = names[default.value]
    leftovers += _others(options)
    ordered = sorted(remotes.items(), key=lambda each: default is None or each[0] != default.value)
    directories = [_directory(options, remotes, section) for _, section in ordered]
    return TranslatedConfig(cache_dir, settings, tuple(leftovers), tuple(each for each in directories if each))


def _free_name(name: str, taken: Collection[str]) -> str:
    """A name like this one that a remote can have, and none has."""
    wanted = valid_name(_NOT_IN_REMOTES.sub("-", name), "remote")[:60].strip("_")
    number, found = 1, wanted
    while found in taken:
        number += 1
        found = f"{wanted}-{number}"
    return found


def _read(file: ConfigFile, options: _Options) -> None:
    parser = configparser.RawConfigParser(strict=False, interpolation=None, default_section="\0")
    parser.read_string(file.text)
    lines = _lines(file.text)
    for section in parser.sections():
        for key, value in parser.items(section):
            line = lines.get((section, key), 1)
            word = value.strip()
            if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":
                word = word[1:-1]
            options.setdefault(section, {})[key] = _Option(word, f"{file.name}:{line}", file)


def _lines(text: str) -> dict[tuple[str, str], int]:
    section, found = "", {}
    for number, line in enumerate(text.splitlines(), 1):
        word = line.strip()
        if word.startswith("[") and word.endswith("]"):
            section = word[1:-1]
        elif "=" in word:
            found[section, word.partition("=")[0].strip().lower()] = number
    return found


def _cache(options: _Options, dvc_dir: str, settings: dict[str, str], leftovers: list[Leftover]) -> str:
    held = options.get("cache", {})
    types = [each.strip() for each in held["type"].value.split(",")] if "type" in held else []
    if types and types[0] in ("hardlink", "symlink"):
        settings["cache.checkout_mode"] = types[0]
    elif "hardlink" in types or "symlink" in types:
        problem = f"of cache.type = {held['type'].value}, Pivot tries only one: copies, which share blocks if they can"
        leftovers.append(Leftover(held["type"].where, problem))
    if "dir" not in held:
        return os.path.join(dvc_dir, "cache")
    option = held["dir"]
    found = os.path.normpath(os.path.join(option.file.base, os.path.expanduser(option.value)))
    own = f"{found}-{OWN}"
    problem = _invalid("cache.dir", own)
    if problem:
        leftovers.append(Leftover(option.where, f"cache.dir is not carried: {problem}", "pivot config set cache.dir"))
    elif option.file.shared:
        settings["cache.dir"] = own
    else:
        problem = f"the cache is at {found} only for you"
        leftovers.append(Leftover(option.where, problem, f"to keep Pivot's beside it: export PIVOT_CACHE_DIR={own}"))
    return found


def _remote(
    name: str,
    options: _Options,
    remotes: Mapping[str, str],
    section: str,
    settings: dict[str, str],
    leftovers: list[Leftover],
) -> bool:
    """Translate a remote; return whether it is carried."""
    held = options[section]
    at = next(iter(held.values()))
    secret = sorted(key for key in held if key in _SECRETS)
    if secret:
        where = held[secret[0]].where
        problem = f"{', '.join(secret)} of the remote {name!r}: Pivot's configuration has no secrets"
        leftovers.append(Leftover(where, problem, "give them to the storage's own tools: see the guide to remotes"))
    leftovers += _options_of(name, held)
    if "url" not in held:
        if not secret:
            leftovers.append(Leftover(at.where, f"the remote {name!r} has no URL", "pivot remote add"))
        return False
    option = held["url"]
    url = _url(option, options, remotes)
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if not scheme:
        path = _directory(options, remotes, section)
        target = f"file://{path}/{OWN}"
        problem = f"the remote {name!r} is a directory: create {path}/{OWN} before a push"
        leftovers.append(Leftover(option.where, problem))
    elif scheme in _SCHEMES:
        public = urls.public(url)
        rest = public.url.partition("://")[2].rstrip("/")
        target = f"{_SCHEMES[scheme]}://{_with_user(rest, held) if scheme == 'ssh' else rest}/{OWN}"
        for part in public.left_out:
            leftovers.append(Leftover(option.where, f"{part} in the URL of {name!r}", "see the guide to remotes"))
    else:
        problem = f"the remote {name!r} at {scheme}:// has no counterpart"
        leftovers.append(Leftover(option.where, problem, "pivot remote add, with a storage of the guide to remotes"))
        return False
    invalid = _invalid(f"remotes.{name}", target)
    if invalid:
        leftovers.append(Leftover(option.where, f"the remote {name!r} is not carried: {invalid}", "pivot remote add"))
        return False
    if option.file.shared:
        settings[f"remotes.{name}"] = target
    else:
        variable = f"PIVOT_REMOTES_{name.upper().replace('-', '_')}"
        leftovers.append(
            Leftover(
                option.where, f"the remote {name!r} is only yours", f"export {variable}={target}, or pivot remote add"
            )
        )
    return option.file.shared


def _invalid(key: str, value: str) -> str:
    """Why a setting cannot have a value; "" if it can."""
    try:
        keys.parse_value(key, value)
    except ConfigError as error:
        return error.problem
    return ""


def _url(option: _Option, options: _Options, remotes: Mapping[str, str]) -> str:
    """The URL of an option, which may begin with that of another remote."""
    url = option.value
    for _ in range(len(remotes)):
        if not url.startswith("remote://"):
            break
        name, _slash, rest = url.removeprefix("remote://").partition("/")
        base = options.get(remotes.get(name, ""), {}).get("url")
        if base is None:
            break
        url = posixpath.join(base.value, rest)
    return url


def _directory(options: _Options, remotes: Mapping[str, str], section: str) -> str:
    """The absolute path of a remote that is a directory; "" if it is none."""
    option = options[section].get("url")
    url = "" if option is None else _url(option, options, remotes)
    if option is None or not url or "://" in url:
        return ""
    return os.path.normpath(os.path.join(option.file.base, os.path.expanduser(url)))


def _with_user(rest: str, held: Mapping[str, _Option]) -> str:
    host, slash, path = rest.partition("/")
    if "user" in held and "@" not in host:
        host = f"{held['user'].value}@{host}"
    if "port" in held and ":" not in host:
        host = f"{host}:{held['port'].value}"
    return f"{host}{slash}{path}"


def _options_of(name: str, held: Mapping[str, _Option]) -> Iterator[Leftover]:
    for key, option in held.items():
        if key in _ELSEWHERE:
            problem = f"{key} = {option.value} of the remote {name!r} is not in Pivot's configuration"
            yield Leftover(option.where, problem, f"set {_ELSEWHERE[key]}")
        elif key in _OF_SSH:
            yield Leftover(option.where, f"{key} of the remote {name!r}: as ~/.ssh/config has it for 'ssh'")
        elif key in ("version_aware", "worktree"):
            problem = f"{key} of the remote {name!r} has no counterpart: Pivot names objects by their digests"
            yield Leftover(option.where, problem, "use a bucket or prefix of its own, and 'pivot push'")
        elif key not in _PLAIN and key not in _SECRETS:
            yield Leftover(option.where, f"{key} of the remote {name!r} has no counterpart")


def _others(options: _Options) -> Iterator[Leftover]:
    for section, held in options.items():
        if _REMOTE.fullmatch(section):
            continue
        for key, option in held.items():
            full = f"{section}.{key}"
            if full == "core.autostage":
                if option.value.lower() in ("true", "1", "yes", "on"):
                    yield Leftover(option.where, "core.autostage: Pivot adds nothing to git")
            elif section == "parsing":
                remedy = "write the arguments that differ into the command"
                problem = f"{full} = {option.value}: only DVC's defaults are known here"
                yield Leftover(option.where, problem, remedy)
            elif full == "core.no_scm" or full in _WITHOUT_EFFECT:
                continue
            else:
                yield Leftover(option.where, f"{full} has no counterpart")
