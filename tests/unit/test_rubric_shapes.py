import pytest
from pydantic import ValidationError

from service.messages import Text
from service.schemas.evaluation import RubricCreate


def test_a_name_used_twice_is_refused_with_a_text_that_pages_can_translate() -> None:
    with pytest.raises(ValidationError) as caught:
        RubricCreate.model_validate(
            {"name": "Ours", "criteria": [{"name": "cost"}, {"name": "Cost"}]}
        )

    (reason,) = caught.value.errors()[0]["ctx"]["error"].args
    assert isinstance(reason, Text)
    assert reason == "must not contain “cost” twice"
