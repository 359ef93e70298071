"""Converts JSON Schema to GBNF, the grammar language of llama.cpp. Knows no models or requests.

Every text that a grammar allows is valid under its schema. Not every valid text is allowed: white
space is at most one space after a comma or colon, properties come in the order of the schema,
numbers have a limited number of digits, and there are no additional properties or items unless the
schema mentions them. A schema without `type` allows only the types that its keywords are about.
What cannot be enforced is refused.
"""

from service.engine.json_schema.gbnf_limits import check_gbnf
from service.engine.json_schema.grammar import grammar_of_schema

__all__ = ["check_gbnf", "grammar_of_schema"]
