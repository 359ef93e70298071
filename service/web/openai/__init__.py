"""The part of OpenAI's API that clients for text use, under `/v1`."""

from fastapi import APIRouter

from service.web.openai import chat, embeddings, models, responses, texts

router = APIRouter()
for _part in (models, chat, texts, responses, embeddings):
    router.include_router(_part.router)

__all__ = ["router"]
