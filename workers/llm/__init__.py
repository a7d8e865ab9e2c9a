"""Language models behind the port `LanguageModel` of domain/ports.py: one factory for whoever composes a process.

offline/        answers without a network, by rules
openai.py       any server that speaks OpenAI's chat completions
workers_ai.py   Cloudflare Workers AI, its own REST interface
http.py         one call: request, stream, stop       transport.py   the connections below it
sse.py          bytes to payloads                     chunks.py      payloads to events
policy.py       what a failure means                  tokens.py      how long a text is
"""

from __future__ import annotations

from domain.ports import LanguageModel
from infra.settings import Settings
from infra.workers_ai import check_account
from workers.llm import openai, workers_ai
from workers.llm.offline.model import OfflineModel
from workers.llm.openai import OpenAIModel
from workers.llm.workers_ai import WorkersAIModel


def make_model(settings: Settings) -> LanguageModel:
    """The model that the settings name. Raises `SettingsError` where they lack what it needs."""
    for name in ("llm_api_key", "cf_api_token"):
        settings.ascii_key(name)
    match settings.llm_provider:
        case "offline":
            return OfflineModel(context_tokens_max=settings.llm_context_tokens)
        case "openai":
            return OpenAIModel(
                base_url=settings.llm_base_url or openai.BASE_URL,
                api_key=settings.llm_api_key,
                model=settings.llm_model or openai.MODEL,
                silence_seconds=settings.llm_timeout_seconds,
                deadline_seconds=settings.llm_deadline_seconds,
                context_tokens_max=settings.llm_context_tokens,
            )
        case "workers_ai":
            check_account(settings, "LLM_PROVIDER")
            return WorkersAIModel(
                account_id=settings.cf_account_id,
                api_token=settings.cf_api_token,
                gateway=settings.cf_gateway,
                model=settings.llm_model or workers_ai.MODEL,
                base_url=settings.llm_base_url,
                silence_seconds=settings.llm_timeout_seconds,
                deadline_seconds=settings.llm_deadline_seconds,
                context_tokens_max=settings.llm_context_tokens,
            )
