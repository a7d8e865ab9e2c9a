"""Server-sent events, read incrementally: bytes in as they arrive, payloads out. It must not know what they mean.

How the bytes were cut into pieces never changes what comes out.
"""

from __future__ import annotations

EVENT_BYTES_MAX = 1_048_576
_BOM = b"\xef\xbb\xbf"


class SseParser:
    """`feed` gives the payload of each event that its bytes completed, `end` the one that the end of input did.

    Names, ids, retry times and comments are skipped. Lines end with LF, CRLF or CR; several `data` lines of one event
    are joined with LF. `too_long` turns true at an event or line of more than `EVENT_BYTES_MAX` bytes; from then on
    nothing more comes out. (It is no exception, so that the events before it are never lost with it.)
    """

    __slots__ = ("_after_cr", "_data", "_data_bytes", "_started", "_tail", "too_long")

    def __init__(self) -> None:
        self._tail = bytearray()  # an unfinished line
        self._data: list[bytes] = []  # the data lines of an unfinished event
        self._data_bytes = 0
        self._after_cr = False
        self._started = False
        self.too_long = False

    def feed(self, piece: bytes) -> list[bytes]:
        if not piece or self.too_long:
            return []
        if self._after_cr or b"\r" in piece:
            piece = self._with_plain_line_ends(piece)
        cut = piece.rfind(b"\n")
        if cut < 0:
            self._tail += piece
            self._check_tail()
            return []
        block = piece[:cut]
        if self._tail:
            block = bytes(self._tail) + block
            self._tail.clear()
        self._tail += piece[cut + 1 :]
        payloads: list[bytes] = []
        for line in block.split(b"\n"):
            if not self._take(line, payloads):
                return payloads
        self._check_tail()
        return payloads

    def end(self) -> list[bytes]:
        """What an input that stops without a blank line leaves: servers forget the last one."""
        payloads: list[bytes] = []
        if self.too_long:
            return payloads
        line = bytes(self._tail)
        self._tail.clear()
        if not line or self._take(line, payloads):
            self._take(b"", payloads)
        return payloads

    def _check_tail(self) -> None:
        if len(self._tail) > EVENT_BYTES_MAX:
            self.too_long = True

    def _take(self, line: bytes, payloads: list[bytes]) -> bool:
        """Take one whole line; False when it is too long or makes its event so."""
        if not self._started:
            self._started = True
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                payloads.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._data_bytes = 0
            return True
        self._data_bytes += len(line)
        if self._data_bytes > EVENT_BYTES_MAX:
            self.too_long = True
            return False
        if line.startswith(b"data: "):
            self._data.append(line[6:])
        elif line.startswith(b"data:"):
            self._data.append(line[5:])
        elif line == b"data":
            self._data.append(b"")
        else:
            self._data_bytes -= len(line)
        return True

    def _with_plain_line_ends(self, piece: bytes) -> bytes:
        if self._after_cr and piece.startswith(b"\n"):
            # It ends no line of its own: its CR came with the piece before.
            piece = piece[1:]
        self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
