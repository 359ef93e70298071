"""Turns a raw prompt into prompt tokens: a text of any template, or token ids, as they are."""

from service.engine.decoding.chat_template import PromptTokens
from service.engine.llama import LlamaModel
from service.engine.types import RawPrompt
from service.errors import InvalidInput


def raw_prompt(weights: LlamaModel, prompt: RawPrompt) -> PromptTokens:
    """Raises InvalidInput if there are no tokens, or ids that the model does not have."""
    if isinstance(prompt, str):
        tokens = weights.tokenise(prompt, special=True)
        leading = weights.leading_tokens
        if tokens[: len(leading)] != leading:
            tokens = leading + tokens
    else:
        tokens = list(prompt)
    if not tokens:
        raise InvalidInput("The prompt is empty.")
    unknown = next((one for one in tokens if not 0 <= one < weights.vocabulary_size), None)
    if unknown is not None:
        raise InvalidInput(
            f"The prompt has the token {unknown}; the ids of this model are 0 to "
            f"{weights.vocabulary_size - 1}."
        )
    return PromptTokens(tokens, system_tokens=0)
