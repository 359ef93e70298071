"""The part of OpenAI's API that clients of a chat model use, under /v1."""

from service.web.openai.chat import router

__all__ = ["router"]
