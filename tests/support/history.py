"""What clients did and what they were told, one JSON object a line, so that a failed run can be judged again.

Times are seconds on the machine's monotonic clock. A request whose answer was lost, or was 5xx, has no return time:
whether it happened is unknown, and it is never counted as failed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Op:
    """One request of one client. `key` is its idempotency key; `what` says what was asked for, `text` is the answer,
    byte for byte; `expected` is the version in `If-Match`."""

    client: str
    what: str
    key: str | None
    called_at: float
    returned_at: float | None = None
    status: int | None = None
    version: int | None = None
    text: str = ""
    sent: Any = None
    path: str = ""
    via: str = ""
    expected: int | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON object."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def is_known(self) -> bool:
        return self.returned_at is not None

    @property
    def is_acknowledged(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass
class History:
    """The ops of one run, in the order in which they were called. `head` says how to run it again."""

    head: dict[str, Any] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    acknowledgements: int = field(default=0, compare=False)

    def add(self, op: Op) -> Op:
        self.ops.append(op)
        return op

    def acknowledged(self, what: str | None = None) -> list[Op]:
        return [op for op in self.ops if op.is_acknowledged and what in (None, op.what)]

    def write(self, path: Path) -> None:
        lines = [json.dumps(self.head), *(json.dumps(asdict(op)) for op in self.ops)]
        path.write_text("\n".join(lines) + "\n")

    @classmethod
    def read(cls, path: Path) -> History:
        head, *lines = path.read_text().splitlines()
        return cls(json.loads(head), [Op(**json.loads(line)) for line in lines])
