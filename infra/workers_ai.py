"""Where Cloudflare runs the models of an account, for text (workers/llm) and for speech (infra/speech) alike.

Must not know what a model takes or gives.
"""

from __future__ import annotations

from infra.settings import PREFIX, Settings, SettingsError

API_URL = "https://api.cloudflare.com"
GATEWAY_URL = "https://gateway.ai.cloudflare.com"


def account_url(account_id: str, base_url: str = "") -> str:
    """The account's own address, which no gateway stands before. `base_url` takes the place of `API_URL`."""
    return f"{base_url.rstrip('/') or API_URL}/client/v4/accounts/{account_id}/ai"


def run_url(*, account_id: str, gateway: str, model: str, base_url: str = "") -> str:
    """Where a model of the account is run. `base_url` stands for both of Cloudflare's addresses."""
    if gateway:
        return f"{base_url.rstrip('/') or GATEWAY_URL}/v1/{account_id}/{gateway}/workers-ai/run/{model}"
    return f"{account_url(account_id, base_url)}/run/{model}"


def check_account(settings: Settings, variable: str) -> None:
    """Raises `SettingsError` where `variable` asks for Workers AI and the account is not set."""
    for name in ("cf_account_id", "cf_api_token"):
        if not getattr(settings, name):
            raise SettingsError(f"{PREFIX}{name.upper()}: needed by {PREFIX}{variable}=workers_ai.")
