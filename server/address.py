"""Where the server listens: HOST:PORT, [IPv6]:PORT or unix:PATH, proved free before gRPC takes it."""

import errno
import socket
import stat
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from matinee.errors import UsageError
from server.errors import AddressError

_UNIX = "unix:"


@dataclass(frozen=True)
class Address:
    """A TCP `host` and `port` (0: any that is free), or the `path` of a Unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path is not None or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path is not None:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, flag: str = "--address") -> Address:
    """The address that `text`, given with `flag`, writes. Raises UsageError where it writes none."""
    if text.startswith(_UNIX) and len(text) > len(_UNIX):
        # unix:///path and unix:/path are the same, as in gRPC.
        return Address(path=Path(text.removeprefix(_UNIX).replace("///", "/", 1)))
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65_535) or (
        ":" in host and not bracketed
    ):
        raise UsageError(f"{flag} is {text!r}; it must be HOST:PORT, [IPv6]:PORT or unix:PATH, with a port to 65535")
    return Address(host=host.strip("[]"), port=int(port))


def prove_free(address: Address, flag: str = "--address") -> None:
    """Raise AddressError, saying why, where nobody could listen at `address`, given with `flag`, now.

    gRPC's own refusal does not say why, and it would take a Unix socket away from the server that has it.
    """
    try:
        if address.path is None:
            _bind(address)
        else:
            _connect_nowhere(address.path)
    except OSError as error:
        reason = error.strerror or error
        raise AddressError(f"can't listen at {address}: {reason}; choose another with {flag}") from error


def hold(address: Address) -> tuple[socket.socket, Address]:
    """A socket that keeps a port for processes that share it, and the address with its port.

    It does not listen, so no connection comes to it; without it port 0 would be another one for each process, and
    the port would be free for others while the last process is replaced.
    """
    kind, _, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    holder = socket.socket(kind, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(where)
    return holder, replace(address, port=holder.getsockname()[1])


def _bind(address: Address) -> None:
    kind, _, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    with socket.socket(kind, socket.SOCK_STREAM) as probe:
        # As gRPC does: connections of an earlier server that still linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(where)
        probe.listen()


def _connect_nowhere(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}")
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError(errno.EEXIST, "a file that is no socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
        raise OSError(errno.EADDRINUSE, "a server listens there already")
