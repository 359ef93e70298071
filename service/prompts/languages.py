"""The languages that a model can be asked to write in. The languages of the pages are separate."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

# The names that prompts use.
IDEA_LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "ar": "Arabic",
        "cs": "Czech",
        "da": "Danish",
        "de": "German",
        "el": "Greek",
        "en": "English",
        "es": "Spanish",
        "fi": "Finnish",
        "fr": "French",
        "hi": "Hindi",
        "it": "Italian",
        "ja": "Japanese",
        "ko": "Korean",
        "nb": "Norwegian",
        "nl": "Dutch",
        "pl": "Polish",
        "pt": "Portuguese",
        "sv": "Swedish",
        "tr": "Turkish",
        "uk": "Ukrainian",
        "vi": "Vietnamese",
        "zh": "Chinese",
    }
)
# No choice: ideas are in the language of the topic or the note.
AS_WRITTEN = ""
IdeaLanguage = Annotated[
    str,
    Field(
        pattern=f"^({'|'.join(IDEA_LANGUAGES)})?$",
        description="The language the ideas are written in, by its code; empty: that of the topic.",
        examples=["sv"],
    ),
]
