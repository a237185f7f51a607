"""Numbers that both ends agree on."""

from typing import Final

DEFAULT_HOST: Final[str] = "127.0.0.1"
"""Where clients connect to and servers listen when no host is given."""

DEFAULT_PORT: Final[int] = 5071
"""The port when none is given."""

HEADER_SIZE: Final[int] = 4
"""Bytes of the length in front of each payload."""

HEADER_FORMAT: Final[str] = ">I"
"""The length, as `struct` reads it."""

READ_BUFFER_SIZE: Final[int] = 4096
"""Bytes that repod reads at once. heartwire does not use it: it reads what there is."""
