"""tests/snapshots/openapi.json, made from the routes: `python -m cli.openapi`. A test holds the two equal, so that no
change of the contract goes unseen.
"""

from __future__ import annotations

import json

from api.app import describe_api


def page() -> str:
    return json.dumps(describe_api(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(page(), end="")
