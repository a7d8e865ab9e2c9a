"""What may go wrong with a tool, as one tree. Each leaf has a stable `code`; none of them ends a reply by itself.

ToolError
├── ToolUnavailable    it can't be reached, or went away in the middle    worth another try
├── ToolTimeout        it did not answer in time                          worth another try
├── ToolMissing        the server has no tool that we know how to ask
├── ToolChanged        the tool is not the one that was pinned            until a restart, or the setting
├── ToolRefused        it says that it will not do this
├── ToolAnswerInvalid  its answer is too large or makes no sense
└── QueryInvalid       what was to be asked makes no sense; nothing was asked
"""

from __future__ import annotations


class ToolError(Exception):
    """`detail` is one sentence of ours for the user. `said` is what the server said, cut short and cleaned: data for
    an operator's eyes, never for a prompt."""

    code = "tool_error"
    retryable = False

    def __init__(self, detail: str, *, said: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.said = said


class ToolUnavailable(ToolError):
    code = "tool_unavailable"
    retryable = True


class ToolTimeout(ToolError):
    code = "tool_timeout"
    retryable = True


class ToolMissing(ToolError):
    code = "tool_missing"


class ToolChanged(ToolError):
    code = "tool_changed"


class ToolRefused(ToolError):
    code = "tool_refused"


class ToolAnswerInvalid(ToolError):
    code = "tool_answer_invalid"


class QueryInvalid(ToolError):
    code = "query_invalid"
