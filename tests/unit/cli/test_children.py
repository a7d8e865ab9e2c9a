"""What `dev` hands to its children."""

from __future__ import annotations

from cli.children import role_environment
from infra.settings import Settings


def test_each_child_serves_its_metrics_on_a_port_of_its_own() -> None:
    given = [role_environment(Settings(metrics_port=9_100), place=place) for place in range(3)]
    assert [one["MICROCOS_METRICS_PORT"] for one in given] == ["9100", "9101", "9102"]
    assert "MICROCOS_METRICS_PORT" not in role_environment(Settings(), place=2)
