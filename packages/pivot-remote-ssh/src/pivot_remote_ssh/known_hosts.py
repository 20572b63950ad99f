"""Keys of known hosts: from the files that ssh reads, and why a host does not have one of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncssh
import attrs

from pivot_core.values import Value

if TYPE_CHECKING:
    from pivot_cache.remotes.protocol import RemoteDeniedError
    from pivot_remote_ssh.errors import SshErrorMapper

_FILES: Final = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)
"""The files that ssh reads unless ``~/.ssh/config`` names others."""


@attrs.frozen(eq=False, repr=False)
class KnownHosts(Value):
    """The known keys, and the name under which those of one host are looked up.

    Attributes:
        keys: All of them.
        host: The name of the host, or its ``HostKeyAlias``.
        port: Its port; None for 22, which is not part of a name there.
    """

    keys: asyncssh.SSHKnownHosts
    host: str
    port: int | None

    @classmethod
    def of(cls, options: asyncssh.SSHClientConnectionOptions) -> "KnownHosts":
        """Read the files that apply to a connection with these options.

        No option turns the check off: ``UserKnownHostsFile none`` means that no host is known.
        """
        named = options.known_hosts
        if named is None:
            files: Sequence[str] = ()
        else:
            files = [str(each) for each in named] if isinstance(named, (list, tuple)) and named else _FILES
        port = None if options.port == 22 else options.port  # noqa: PLR2004 - the port of SSH
        return cls(asyncssh.import_known_hosts("\n".join(_lines(files))), options.host_key_alias or options.host, port)

    def explain(
        self, error: Exception, errors: "SshErrorMapper", *, unknown: bool, address: str | None
    ) -> "RemoteDeniedError | None":
        """Return why the host's key is not accepted; None if that is not what an error says.

        Args:
            error: The error of asyncssh.
            errors: The errors of the remote.
            unknown: Whether the host gave a key that is not among those of `keys`.
            address: The host's IP address; None if the connection did not get as far as the host.
        """
        if isinstance(error, asyncssh.HostKeyNotVerifiable) and address is None:
            return errors.unknown_jump()
        if not isinstance(error, (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed)):
            return None
        known = any(self.keys.match(self.host, address or "", self.port)[:2])
        if isinstance(error, asyncssh.KeyExchangeFailed):
            return errors.changed_host(self._name()) if known and "host key" in str(error) else None
        if not unknown:
            return errors.refused_host()
        return errors.changed_host(self._name()) if known else errors.unknown_host()

    def _name(self) -> str:
        return self.host if self.port is None else f"[{self.host}]:{self.port}"


def _lines(files: Sequence[str]) -> list[str]:
    """Return the lines that can be read; like ssh, ignore the others."""
    found = []
    for file in files:
        try:
            lines = Path(file).expanduser().read_text(errors="replace").splitlines()
        except (OSError, RuntimeError):
            continue
        for line in lines:
            try:
                asyncssh.import_known_hosts(line)
            except ValueError:
                continue
            found.append(line)
    return found
