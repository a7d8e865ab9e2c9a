"""Which build of a view is live, and how far each has read the log. Owns `view_builds` and the views' tracking rows.

A tracking row is the guard: whoever writes to a build moves its row from the position that they read after, in the
same transaction. Two at once, or one who has not heard that the build was replaced, find the row elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from projections.batch import merge
from projections.sql import Statement, build_name, statements_for
from projections.view import Seen, View

LIVE = "SELECT view, build, version, position FROM view_positions"

ADVANCE = """UPDATE log0_tracking SET notification_id = %s
WHERE application_name = ANY(%s) AND notification_id = %s RETURNING 1"""

# One plan for all sizes: rows are found by their key, whatever a table's statistics say while it is new. Commits need
# not wait for the disk: one that a crash loses is lost with its position, and made again.
SESSION = """SELECT set_config(name, value, false) FROM (VALUES
    ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'),
    ('synchronous_commit', 'off')
) AS settings (name, value)"""


class StaleBuild(Exception):
    """A build is not where it was thought to be: it was replaced, or somebody else writes to it."""


@dataclass(frozen=True, slots=True)
class Build:
    """One copy of a view's tables. `version` is the view's that filled it."""

    view: View
    build: int
    version: int
    position: int

    @property
    def name(self) -> str:
        return build_name(self.view, self.build)


def applied(build: Build, events: Iterable[Seen]) -> Iterator[Statement]:
    """What brings a build from before `events`, which are in the order of the log, to after them."""
    project = build.view.project
    return statements_for(build.view, build.build, merge(change for event in events for change in project(event)))


def whole_commands(events: Sequence[Seen]) -> int:
    """How many of a page's events to take, so that no reader sees half of what a command did.

    The events of a command are neighbours in the log; a page may end between them. A command that is longer than a
    page is taken as it comes.
    """
    last = events[-1]
    if last.version == last.end_version:
        return len(events)
    begun = last.version
    for event in reversed(events):
        if event.user_id != last.user_id or event.end_version != last.end_version:
            break
        begun = event.version
    count = len(events) - (last.version - begun + 1)
    return count or len(events)


def names_of(builds: Sequence[Build]) -> list[str]:
    return [build.name for build in builds]
