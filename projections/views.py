"""The list of all views. A new one is named here, and a migration creates its first build."""

from __future__ import annotations

from collections.abc import Mapping

from projections.calendar import CALENDAR
from projections.chat import CHAT
from projections.state import STATE
from projections.tasks import TASKS
from projections.travel import TRAVEL_VIEW
from projections.usage import USAGE
from projections.view import View

VIEWS: Mapping[str, View] = {view.name: view for view in (STATE, CHAT, TASKS, CALENDAR, TRAVEL_VIEW, USAGE)}
