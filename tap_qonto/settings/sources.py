"""Where settings come from: files, `TAP_QONTO_*`, and `.env`. The same for both commands."""

from __future__ import annotations

import difflib
import io
import json
import logging
import os
import typing as t
from pathlib import Path

from dotenv import dotenv_values, find_dotenv
from singer_sdk.configuration._dict_config import parse_environment_config

from tap_qonto.errors import SettingsError
from tap_qonto.settings.declared import FROM_SDK

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

logger = logging.getLogger("tap-qonto")

PREFIX = "TAP_QONTO_"
OPTIONS = ("LOGLEVEL", "LOGIN_PORT", "REDIRECT_URI", "SCOPE")
"""Variables with the prefix that are no settings."""
ROUTES = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    }
)
"""Variables that decide where tokens and data go, and who may read them on the way."""
LIKE = 0.8  # how alike two names are of which one is a misspelt other


def environment(schema: Mapping[str, t.Any], *, without: Collection[str] = ()) -> dict[str, t.Any]:
    """Read the settings that `TAP_QONTO_*` gives, typed as `schema` says; empty ones are not set.

    Those named in `without` are known, but left alone.

    Raises:
        SettingsError: a variable can't be read, or is nearly a setting; by name.
    """
    config: dict[str, t.Any] = {}
    problems = list(_misspelt(schema["properties"]))
    for name, facts in schema["properties"].items():
        variable = PREFIX + name.upper()
        if name in without or not os.environ.get(variable, "").strip():
            continue
        try:
            # one at a time, to know which; no .env file, since that was read before
            config |= parse_environment_config({"properties": {name: facts}}, PREFIX, os.devnull)
        except ValueError:
            want = "a whole number" if "integer" in facts.get("type", ()) else "JSON"
            problems.append(f"{variable} can't be read: write {want}.")
    if problems:
        raise SettingsError(problems)
    return config


def _misspelt(settings: Iterable[str]) -> t.Iterator[str]:
    """Yield what is wrong with variables that are nearly settings; name others in the log.

    Meltano sets variables of its own: `TAP_QONTO__SELECT`, and `TAP_QONTO_EU_CLIENT_ID` for a
    plugin that inherits from this one.
    """
    known = {name.upper() for name in (*settings, *FROM_SDK)} | {*OPTIONS}
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known or name.startswith("_"):
            continue
        longer = any(name.startswith(f"{one}_") or name.endswith(f"_{one}") for one in known)
        like = difflib.get_close_matches(name, known, 1, LIKE)
        if like and not longer:
            yield f"{variable} is no setting: did you mean {PREFIX}{like[0]}?"
        else:
            logger.info("%s is no setting of tap-qonto: it does nothing.", variable)


def read_dotenv() -> None:
    """Add to the environment what `.env` in the working folder, or above it, sets besides.

    It may be another program's: what can't be read is left out, and so is what would send tokens
    and data another way; both are said.

    Raises:
        SettingsError: it can't be read, but names settings of this tap.
    """
    try:
        found = find_dotenv(usecwd=True)
        content = Path(found).read_bytes() if found else b""
    except OSError as error:
        logger.warning(
            "%s can't be read (%s): what it sets does not count.",
            error.filename or ".env",
            error.strerror or error,
        )
        return
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        problem = f"{found} is not UTF-8: save it as that, or use --config FILE."
        if PREFIX.encode() in content:
            raise SettingsError([problem]) from None
        logger.warning("%s What it sets does not count.", problem)
        return
    for name, value in dotenv_values(stream=io.StringIO(text)).items():
        if value is None or name in os.environ or "\0" in name + value:
            continue
        if name.upper() in ROUTES:
            logger.warning(
                "%s in %s is not used: it decides which way tokens and data go. If it should be, "
                "set it in the environment.",
                name,
                found,
            )
        else:
            os.environ[name] = value


def files(paths: Iterable[str | Path]) -> dict[str, t.Any]:
    """Read JSON files of settings, in UTF-8, -16 or -32; later ones win.

    Raises:
        SettingsError: one can't be read, or is no JSON object.
    """
    config: dict[str, t.Any] = {}
    for path in paths:
        try:
            content = json.loads(Path(path).read_bytes())
        except OSError as error:
            why = error.strerror or type(error).__name__
        except UnicodeDecodeError:
            why = "it is not UTF-8"
        except (ValueError, RecursionError):
            why = "it is no JSON"
        else:
            why = "it is JSON, but no object"
            if isinstance(content, dict):
                config |= content
                continue
        raise SettingsError([f"{path} can't be read as a JSON object of settings: {why}."])
    return config
