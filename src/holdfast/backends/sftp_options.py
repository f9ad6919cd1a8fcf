"""How to reach an SSH server, from the location and from options spelled as `ssh` spells them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from holdfast.backends.options import BackendOptions
from holdfast.backends.urls import SftpLocation
from holdfast.errors import Phrase, UsageError

_FLAGS = {"-p": "port", "-i": "identityfile", "-l": "user"}
_KNOWN = frozenset({"port", "identityfile", "user", "stricthostkeychecking", "userknownhostsfile", "identitiesonly"})
_NO_CHECK = frozenset({"no", "off"})


def connect_arguments(location: SftpLocation, options: BackendOptions) -> dict[str, Any]:
    """Keyword arguments for `asyncssh.connect`.

    Settings: `sftp.args` takes what restic takes (`-p 2222 -i file -o StrictHostKeyChecking=no …`); `sftp.port`,
    `sftp.identity`, `sftp.known-hosts` and `sftp.strict-host-key-checking` say the same one by one. What is left out
    comes from `~/.ssh/config`, the agent and `~/.ssh/known_hosts`. The server's key is checked unless that is
    switched off here.

    Raises:
        UsageError: an option is unknown or malformed.
    """
    ssh = _ssh_options(options.extra.get("sftp.args", ""))
    arguments: dict[str, Any] = {"host": location.host}
    port = str(location.port or "") or options.extra.get("sftp.port", "") or ssh.get("port", "")
    if port:
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(detail=Phrase("{port} is not a port", {"port": port}))
        arguments["port"] = int(port)
    user = location.user or ssh.get("user", "")
    if user:
        arguments["username"] = user
    if location.password:
        arguments["password"] = location.password
    identity = options.extra.get("sftp.identity", "") or ssh.get("identityfile", "")
    if identity:
        arguments["client_keys"] = [identity]
    arguments.update(_known_hosts(options, ssh))
    return arguments


def _known_hosts(options: BackendOptions, ssh: Mapping[str, str]) -> dict[str, Any]:
    strict = options.switch("sftp.strict-host-key-checking", ssh.get("stricthostkeychecking", "") not in _NO_CHECK)
    if not strict:
        # SAFETY: only on explicit request; anybody between here and there may then pose as the server.
        return {"known_hosts": None}
    known_hosts = options.extra.get("sftp.known-hosts", "") or ssh.get("userknownhostsfile", "")
    return {"known_hosts": known_hosts} if known_hosts else {}


def _ssh_options(text: str) -> dict[str, str]:
    """Reads command line arguments of `ssh`; names in lower case."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(detail=Phrase("option sftp.args cannot be read: {reason}", {"reason": str(error)})) from None
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        value = word[2:] or next(rest, "")
        if word[:2] in _FLAGS:
            found[_FLAGS[word[:2]]] = value
        elif word[:2] == "-o":
            name, _, setting = value.partition("=")
            found[name.strip().lower()] = setting.strip()
        else:
            raise UsageError(
                detail=Phrase("option sftp.args: {word} is not supported; write it into ~/.ssh/config", {"word": word})
            )
    unknown = found.keys() - _KNOWN
    if unknown:
        names = ", ".join(sorted(unknown))
        raise UsageError(
            detail=Phrase("option sftp.args: {names} is not supported; write it into ~/.ssh/config", {"names": names})
        )
    return found
