"""The part of OpenAI's API that chat clients use, under `/v1`."""

from service.web.openai.chat import router

__all__ = ["router"]
