"""Cipher suites, from the names of OpenSSL to those that the native part knows."""

from __future__ import annotations

import re

#: Cipher suites of TLS 1.2, by their names in OpenSSL, the best first.
SUITES = {
    "ECDHE-ECDSA-AES256-GCM-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}

#: What OpenSSL calls suites that have something in common, and what their names have in common then.
_COMMON = {
    "AES": "AES",
    "AES128": "AES128",
    "AES256": "AES256",
    "AESGCM": "GCM",
    "ALL": "",
    "CHACHA20": "CHACHA20",
    "DEFAULT": "",
    "ECDHE": "ECDHE",
    "ECDSA": "ECDSA",
    "EECDH": "ECDHE",
    "HIGH": "",
    "aECDSA": "ECDSA",
    "aRSA": "RSA",
    "kECDHE": "ECDHE",
    "kEECDH": "ECDHE",
}


def chosen(wanted: str) -> list[str]:
    """The suites of TLS 1.2 that a list of OpenSSL's leaves, as `SSLContext.set_ciphers` takes it."""
    names: list[str] = []
    barred: set[str] = set()
    for word in re.split("[:, ]+", wanted.strip()):
        if word.startswith(("!", "-")):
            # What is not here need not be barred.
            barred.update(SUITES[name] for name in _suites_of(word[1:]))
        elif "@" in word and word != "@STRENGTH":
            raise TypeError(
                f"websocket_extra_options: sslopt: ciphers: {word} is not available: "
                "it is about weaker ciphers, which there are none of"
            )
        else:
            names += [name for name in _suites_of(word.lstrip("+")) if name not in names]
    found = [SUITES[name] for name in names if SUITES[name] not in barred]
    if not found:
        raise TypeError(
            f"websocket_extra_options: sslopt: ciphers: {wanted!r} leaves none of {', '.join(SUITES)}"
        )
    return found


def _suites_of(word: str) -> list[str]:
    """The suites that a word of OpenSSL's stands for: a name, or what several have in common."""
    if word in SUITES:
        return [word]
    parts = [_COMMON.get(part) for part in word.split("+")]
    return [name for name in SUITES if all(part is not None and part in name for part in parts)]
