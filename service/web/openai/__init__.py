"""The part of OpenAI's API that clients for text use, under `/v1`."""

from service.web.openai import chat, embeddings, models, responses, texts
from service.web.prefixed_router import PrefixedRouter

router = PrefixedRouter(prefix="/v1")
for _part in (models, chat, texts, responses, embeddings):
    router.include_router(_part.router)

__all__ = ["router"]
