"""GBNF grammars that enforce the form of an answer while it is generated.

They also bar empty phrases. `answers.py` parses the result. Knows no prompts.
"""

import re
from string import ascii_uppercase

from service.text.cleaning import ABBREVIATIONS

_SUGGESTION = 'root ::= "Title: " title "\\nIdea: " opening (" " opening)?'
_LIST = 'root ::= "Title: " first-title text ("\\n\\nTitle: " later-title text){@MORE}'
# Short titles: in a longer one, a small model repeats the topic.
_LIST_TERMINALS = r"""
first-title ::= @INITIAL label
later-title ::= @LATER label
label ::= [^@NOT_IN_TITLE]* (" " term){1,5}
text ::= "\nIdea: " opening (" " opening)?
"""
_REFINEMENT = (
    'root ::= "Title: " title "\\nIdea: " point (gap point){0,@MORE} '
    '"\\n\\nChanges:" ("\\n- " change){1,3}'
)
_PASSAGE = 'root ::= "Idea: " @UNIT (gap @UNIT){0,@MORE} "\\n\\nChanges:" ("\\n- " change){1,3}'
_ASSESSMENT = (
    'root ::= "Strengths:\\n" item item item? "Concerns:\\n" item item item? "Next step: " sentence'
)
_TERMINALS = r"""
title ::= @INITIAL [^@NOT_IN_TITLE]* ((" " term){0,9} | (" " term){0,3} @PAUSE (" " term){1,4})
term ::= [^@NOT_IN_TITLE]+
point ::= "- "? (@NOT_HEADING) within* [.!?。！？]
phrase ::= "- "? (@NOT_HEADING) bit* (" " bit+){0,@WORDS}
bit ::= [^ @SENTENCE_END@CODE@FOREIGN] | "." [0-9@DOTTED,)]
gap ::= " " | "\n" | "\n\n"
within ::= [^@SENTENCE_END@CODE@FOREIGN] | "." [0-9@DOTTED,)] | @ABBREVIATION | "a.m." | "p.m." | "e.g." | "i.e."
change ::= first name (" " name){1,23} "."
name ::= [^ @NEVER@FOREIGN]+
item ::= "- " sentence "\n"
sentence ::= first inner* [.!?。！？]
opening ::= (@NOT_FILLER) inner* [.!?。！？]
first ::= [^@NEVER_FIRST@FOREIGN]
inner ::= [^@NEVER@FOREIGN] | "." [0-9] | @ABBREVIATION | "e.g." | "i.e." | "\"" [^\x00-\x1f"@FOREIGN]{1,90} "\""
"""
_EXOTIC_SPACES = r"\x7f-\xa0\u2000-\u200b\u2028-\u202f"
_NOT_IN_TITLE = rf'\x00-\x20{_EXOTIC_SPACES}\x5b\x5d"*#:.,;<>_`{{}}()@FOREIGN'
_NEVER = r'\x00-\x1f\u2000-\u200b\x5b\x5d".!?。！？*#<>_`{}'
_NEVER_FIRST = r" 0-9(\x2d" + _NEVER
# The standard model sometimes slips into Chinese. Without Chinese in the text, it is barred.
_EAST_ASIAN = r"\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef"
# A short word whose full stop does not end a sentence: an abbreviation or an initial.
_ABBREVIATED = re.compile(r"\b(\w{1,4}\.(?=,| [^\WA-Z\u00c0-\u00de])|[A-Z]\.(?= [A-Z]))")
# The rule for a title that begins with one of these capital letters.
_CAPITAL_RULE = re.compile(
    r"^(?P<name>(?:first-|later-)?title) ::= \[(?P<capitals>[A-Z]+)\]", re.MULTILINE
)
# Sentences that begin with these words (Encourage, Implement, Start by, This …) stay vague or only
# praise.
_FILLERS = (
    "Dev",
    "Edu",
    "Enc",
    "Enh",
    "Ens",
    "Est",
    "Fos",
    "Impl",
    "Org",
    "Prom",
    "Start b",
    "Start w",
    "This",
)


def suggestion_grammar(written: str, *, barred_initials: str = "") -> str:
    """`written` is the text of the user, which decides which scripts the answer may use.

    The title begins with none of the characters in `barred_initials`.
    """
    return _SUGGESTION + _terminals(written, initial=_initial(written, barred_initials))


def list_grammar(written: str, n: int, *, barred_initials: str = "") -> str:
    """For `n` ideas, of which only the first is barred from these initials."""
    terminals = _terminals(
        written,
        initial=_initial(written, barred_initials),
        later=_initial(written, ""),
        more=_LIST_TERMINALS,
    )
    return _LIST.replace("@MORE", str(n - 1)) + terminals


def refinement_grammar(written: str, *, sentences: int) -> str:
    """At most `sentences` sentences, because a small model never ends a text by itself."""
    return _REFINEMENT.replace("@MORE", str(sentences - 1)) + _terminals(written, pause=",:")


def passage_grammar(written: str, *, units: int, words: int | None = None) -> str:
    """At most `units` sentences, or `units` lines of at most `words` words without a full stop."""
    passage = _PASSAGE.replace("@UNIT", "point" if words is None else "phrase")
    return passage.replace("@MORE", str(units - 1)) + _terminals(written, words=words or 1)


def assessment_grammar(written: str) -> str:
    return _ASSESSMENT + _terminals(written)


def widened(grammar: str, language: str) -> str:
    """The grammar with the letters of a language (by its code) added."""
    foreign = "" if language in ("ja", "ko", "zh") else _EAST_ASIAN
    grammar = grammar.replace(_EAST_ASIAN, foreign)
    if language == "en":
        return grammar

    def any_letter_but(rule: re.Match[str]) -> str:
        barred = "".join(letter for letter in ascii_uppercase if letter not in rule["capitals"])
        initial = f"[^{_NOT_IN_TITLE}{barred}{barred.lower()}]".replace("@FOREIGN", foreign)
        return f"{rule['name']} ::= {initial}"

    return _CAPITAL_RULE.sub(any_letter_but, grammar)


def _initial(written: str, barred: str) -> str:
    """The rule for the first character of a title. With ASCII text it is a capital letter: a model
    that cannot begin as it would like turns to digits, symbols and other scripts.
    """
    if written.isascii():
        capitals = "".join(letter for letter in ascii_uppercase if letter not in barred)
        return f"[{capitals}]" if capitals else "[A-Z]"
    return "[^@NOT_IN_TITLE" + "".join(letter for letter in barred if letter.isalpha()) + "]"


def _terminals(
    written: str,
    *,
    initial: str = "[^@NOT_IN_TITLE]",
    later: str = "",
    pause: str = ",",
    words: int = 1,
    more: str = "",
) -> str:
    """`pause` has the marks of which a title may contain one, `more` are rules of one grammar."""
    is_east_asian = any("\u2e80" <= c <= "\ud7ff" or "\uf900" <= c <= "\uffef" for c in written)
    values = {
        "@INITIAL": initial,
        "@LATER": later,
        # One mark, early, and little after it: a small model would go on and on.
        "@PAUSE": f"[{pause}]",
        "@WORDS": str(words - 1),
        "@NOT_FILLER": _not_beginning_with(_FILLERS, "@NEVER_FIRST", "@NEVER"),
        "@NOT_HEADING": _not_beginning_with(
            ("Changes",), r" \x2d@SENTENCE_END@CODE", "@SENTENCE_END@CODE"
        ),
        "@SENTENCE_END": r"\x00-\x1f\u2000-\u200b.!?。！？",
        "@ABBREVIATION": " | ".join(f'"{one}" [ ,]' for one in _abbreviations(written)),
        "@NOT_IN_TITLE": _NOT_IN_TITLE,
        "@NEVER_FIRST": _NEVER_FIRST,
        "@NEVER": _NEVER,
        # Names such as node.js only if the note has one; otherwise words are glued to the full stop.
        "@DOTTED": "a-z" if re.search(r"[a-z]\.[a-z]", written) else "",
        "@CODE": "".join(c for c in "`<>{}" if c not in written),
        "@FOREIGN": "" if is_east_asian else _EAST_ASIAN,
    }
    terminals = more + _TERMINALS
    for name, value in values.items():
        terminals = terminals.replace(name, value)
    return terminals


def _abbreviations(written: str) -> list[str]:
    """Common abbreviations and those of the text, such as 'nr. 4', '3. oktober', 'M. Garnier'."""
    return sorted({*ABBREVIATIONS, *_ABBREVIATED.findall(written)})


def _not_beginning_with(words: tuple[str, ...], never_first: str, never: str) -> str:
    """Alternatives that match every beginning of a text except the words."""
    begun = {word[:length] for word in words for length in range(len(word))}
    alternatives = []
    for beginning in sorted(begun):
        barred = "".join(sorted({w[len(beginning)] for w in words if w.startswith(beginning)}))
        literal = f'"{beginning}" ' if beginning else ""
        excluded = never if beginning else never_first
        alternatives.append(f"{literal}[^{excluded}@FOREIGN{barred}]")
    return " | ".join(alternatives)
