"""Addresses as people write them, and the one target that gRPC makes a channel for."""

from collections.abc import Sequence
from ipaddress import ip_address

from matinee.errors import UsageError


def addresses_of(address: str | Sequence[str]) -> list[str]:
    """One string, with commas where there are several, or several strings. Raises UsageError where there is none."""
    listed = address.split(",") if isinstance(address, str) else address
    addresses = [one.strip() for one in listed]
    if not addresses or not all(addresses):
        raise UsageError(f"no server in {address!r}; give HOST:PORT, or several with commas between")
    return addresses


def target_of(addresses: Sequence[str]) -> str:
    """What gRPC calls these addresses together.

    Raises UsageError where it has no word for them: several must be IP addresses of one family, or Unix sockets.
    """
    if len(addresses) == 1:
        return addresses[0]
    schemes = {_scheme(address) for address in addresses}
    if len(schemes) > 1 or "" in schemes:
        raise UsageError(
            f"{','.join(addresses)}: several servers must be IP addresses of one family; give a name that stands for"
            " all of them instead: dns:///NAME:PORT"
        )
    scheme = schemes.pop()
    return f"{scheme}:{','.join(address.removeprefix('unix:') for address in addresses)}"


def is_on_this_machine(address: str) -> bool:
    """Whether what is sent there stays on this machine."""
    host = _host(address)
    return host == "localhost" or _scheme(address) == "unix" or (_is_ip(host) and ip_address(host).is_loopback)


def _scheme(address: str) -> str:
    """The family of an address; empty for a name."""
    if address.startswith("unix:"):
        return "unix"
    host = _host(address)
    return f"ipv{ip_address(host).version}" if _is_ip(host) else ""


def _host(address: str) -> str:
    return address.rpartition(":")[0].removeprefix("[").removesuffix("]")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
