import pytest

from tests.support.dockerfile import Instruction, Stage, expand, pairs, read, words

TEXT = r"""
# syntax=docker/dockerfile:1
ARG KIND=cpu

FROM python:3.12 AS base-cpu
# A comment.
RUN --mount=type=cache,target=/cache first \
    # another, in the middle
    && second
FROM base-${KIND}
COPY --from=base-cpu /app/x x
ENV A="one two" \
    B=3
"""


def test_stages_and_their_instructions_are_read() -> None:
    file = read(TEXT)

    assert file.arguments == {"KIND": "cpu"}
    assert file.stages == (
        Stage(
            "base-cpu",
            "python:3.12",
            (Instruction("RUN", (("mount", "type=cache,target=/cache"),), "first && second"),),
        ),
        Stage(
            "",
            "base-${KIND}",
            (
                Instruction("COPY", (("from", "base-cpu"),), "/app/x x"),
                Instruction("ENV", (), 'A="one two" B=3'),
            ),
        ),
    )


@pytest.mark.parametrize("line", ["ADD a b", "ONBUILD RUN x", "RUN <<EOF"])
def test_what_is_not_known_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="does not know"):
        read(f"FROM scratch\n{line}\n")


def test_variables_are_replaced_and_those_that_are_not_set_are_empty() -> None:
    assert expand("a-${KIND} $KIND/$NONE.", {"KIND": "cpu"}) == "a-cpu cpu/."


def test_values_may_be_quoted() -> None:
    assert pairs('A="one two" B=3 C') == {"A": "one two", "B": "3", "C": ""}


def test_a_command_is_a_list_or_a_line_for_the_shell() -> None:
    assert words('["ideapool", "serve"]') == ["ideapool", "serve"]
    assert words("ideapool serve") == ["/bin/sh", "-c", "ideapool serve"]
