"""The factory: each provider from its settings, and what it says about settings that lack something."""

from __future__ import annotations

import pytest

from domain.ports import LanguageModel
from infra.settings import Settings, SettingsError
from tests.support.fake_openai import fake_openai
from tests.support.fake_workers_ai import ACCOUNT, TOKEN, fake_workers_ai
from tests.support.model_server import Plan
from tests.support.models import answer, asked, text_of
from workers.llm import make_model
from workers.llm.offline.model import OfflineModel
from workers.llm.openai import OpenAIModel
from workers.llm.workers_ai import WorkersAIModel

pytestmark = pytest.mark.anyio


async def test_without_settings_the_model_is_the_offline_one() -> None:
    model = make_model(Settings())
    assert isinstance(model, OfflineModel)
    assert text_of(await answer(model, asked("hello")))


async def test_openai_is_made_of_its_settings() -> None:
    async with fake_openai(Plan(text="yes"), api_key="key-1") as server:
        settings = Settings(
            llm_provider="openai",
            llm_base_url=f"{server.url}/v1",
            llm_api_key="key-1",
            llm_model="model-1",
            llm_context_tokens=4_000,
        )
        model: LanguageModel = make_model(settings)
        assert isinstance(model, OpenAIModel)
        assert (model.name, model.context_tokens_max) == ("model-1", 4_000)
        assert text_of(await answer(model, asked("hello"))) == "yes"
        await model.aclose()


@pytest.mark.parametrize("gateway", ["", "gateway-1"])
async def test_workers_ai_is_made_of_its_settings(gateway: str) -> None:
    async with fake_workers_ai(Plan(text="yes")) as server:
        settings = Settings(
            llm_provider="workers_ai",
            llm_base_url=server.url,
            cf_account_id=ACCOUNT,
            cf_api_token=TOKEN,
            cf_gateway=gateway,
        )
        model = make_model(settings)
        assert isinstance(model, WorkersAIModel)
        assert model.name == "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
        assert model.context_tokens_max == 24_000
        assert text_of(await answer(model, asked("hello"))) == "yes"
        assert ("/workers-ai/" in server.calls[0].path) == bool(gateway)
        await model.aclose()


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        (Settings(llm_provider="workers_ai", cf_api_token="t"), "MICROCOS_CF_ACCOUNT_ID"),
        (Settings(llm_provider="workers_ai", cf_account_id="a"), "MICROCOS_CF_API_TOKEN"),
        (Settings(llm_provider="openai", llm_api_key="ключ"), "MICROCOS_LLM_API_KEY"),
    ],
)
def test_a_setting_that_is_missing_or_makes_no_sense_is_named(settings: Settings, variable: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        make_model(settings)
