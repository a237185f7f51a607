"""Certificates and keys, from the places that programs name to the PEM that the native part reads."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union

from heartwire.engineio import _ciphers

if TYPE_CHECKING:
    import ssl

#: Where something stands.
Place = Union[str, "os.PathLike[str]"]

#: What opens a key.
Password = Union[str, bytes, bytearray, Callable[[], "str | bytes | bytearray"], None]

#: Files of authorities: what the system says of each, and what stands in it.
_known: dict[str, tuple[tuple[int, ...], bytes]] = {}

#: Programs that trust differently at different times are rare.
_MOST_KNOWN = 4

_BLOCK = re.compile(rb"-----BEGIN ([^-]+)-----.*?-----END \1-----", re.DOTALL)


def read_authorities(place: Place) -> bytes:
    """Certificates in PEM: those of a file, or of the files of a folder."""
    place = os.fspath(place)
    if not os.path.isdir(place):
        return _read_once(place)
    found = []
    for name in sorted(os.listdir(place)):
        path = os.path.join(place, name)
        if os.path.isfile(path):
            found.append(_read(path))
    return b"\n".join(found)


def read_identity(place: Any, password: Password = None) -> bytes:
    """A certificate and its key in PEM, from one file or two."""
    places = [place] if isinstance(place, (str, os.PathLike)) else [part for part in place if part]
    found = b"\n".join(_read(path) for path in places)
    return found if password is None else _decrypted(found, password)


def authorities_of_environment(trust_env: bool = True) -> str | None:
    """The file or folder that the environment names for HTTP, or `None`."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if trust_env else ()
    for name in (*names, "SSL_CERT_FILE"):
        place = os.environ.get(name)
        if place:
            return place
    return None


def from_context(context: ssl.SSLContext, place: str) -> dict[str, Any]:
    """What an `ssl.SSLContext` says, as far as it can be asked: whom it trusts, and what it accepts. The
    certificate that it shows to servers cannot be read. Raises `TypeError` for what is not available, with
    the `place` where the context stood."""
    import ssl

    def refuse(name: str, why: str) -> None:
        raise TypeError(f"{place}: {name} is not available: {why}")

    versions = "TLS 1.2 and 1.3 are spoken, the newest that both sides have"
    if context.minimum_version > ssl.TLSVersion.TLSv1_2:
        refuse("minimum_version", versions)
    if context.maximum_version not in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.MAXIMUM_SUPPORTED):
        refuse("maximum_version", versions)
    if context.options & (ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3):
        refuse("options", versions)
    if context.verify_flags & (ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_CRL_CHECK_CHAIN):
        refuse("verify_flags", "lists of revoked certificates are not looked at")
    found: dict[str, Any] = {}
    if context.verify_mode == ssl.CERT_NONE:
        found["accept_any"] = True
    elif not context.check_hostname:
        found["accept_any_name"] = True
    authorities = context.get_ca_certs(binary_form=True)
    if authorities:
        found["authorities"] = "\n".join(map(ssl.DER_cert_to_PEM_cert, authorities)).encode()
    accepted = {cipher["name"] for cipher in context.get_ciphers()}
    suites = [suite for name, suite in _ciphers.SUITES.items() if name in accepted]
    if not suites:
        refuse("set_ciphers()", f"it leaves none of {', '.join(_ciphers.SUITES)}")
    if len(suites) < len(_ciphers.SUITES):
        found["cipher_suites"] = suites
    return found


def _decrypted(identity: bytes, password: Password) -> bytes:
    """The same, with a key that needs no password."""
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise TypeError(
            "websocket_extra_options: sslopt: password: "
            "needs the package cryptography, or a key that is not encrypted"
        ) from None
    if callable(password):
        password = password()
    if isinstance(password, str):
        password = password.encode()
    assert password is not None
    # The key may stand among certificates.
    kept = []
    for match in _BLOCK.finditer(identity):
        block = match[0]
        if match[1].endswith(b"PRIVATE KEY"):
            key = serialization.load_pem_private_key(block, bytes(password))
            block = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        kept.append(block)
    return b"\n".join(kept)


def _read_once(path: str) -> bytes:
    """What a file says. While it stays as it is, every client gets the same object, which the native part knows
    again: a system trusts a hundred authorities and more."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = _known.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        found = file.read()
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[path] = (mark, found)
    return found


def _read(path: Place) -> bytes:
    with open(path, "rb") as file:
        return file.read()
