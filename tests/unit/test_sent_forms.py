from service.web.sent_forms import NO_REFUSAL, Refusal

REFUSAL = Refusal(
    path="/boards/7/brainstorm",
    address="/boards/7",
    values={"topic": ["  "], "n": ["5"], "weight": ["1", "much"]},
    problems={"topic": "It is empty.", "weight.1": "It must be a number."},
)


def test_a_form_that_was_not_sent_is_a_new_one() -> None:
    for form in (NO_REFUSAL.form("/boards"), NO_REFUSAL.form(), REFUSAL.form("/boards")):
        assert not form.is_refused
        assert form.value("topic", "a street party") == "a street party"
        assert form.holds("avoid", "true", default=True)
        assert form.problem("topic") == ""
        assert not form.is_first("topic")


def test_a_refused_form_holds_what_was_sent() -> None:
    form = REFUSAL.form("/boards/7/bulk", "/boards/7/brainstorm")

    assert form.is_refused
    assert (form.value("topic", "new"), form.value("context", "new")) == ("  ", "new")
    assert [form.value("weight", "1", place=place) for place in range(3)] == ["1", "much", "1"]
    assert form.holds("n", "5")
    assert not form.holds("avoid", "true", default=True)


def test_of_two_forms_with_one_address_the_fields_tell_which_it_is() -> None:
    path = REFUSAL.path

    assert REFUSAL.form(path, having="n").is_refused
    assert not REFUSAL.form(path, having="goal").is_refused
    assert REFUSAL.form(path, without="goal").is_refused
    assert not REFUSAL.form(path, without="n").is_refused


def test_a_page_has_shown_a_problem_once_a_template_has_asked_for_it() -> None:
    refusal = Refusal(path="/boards", values={}, problems=REFUSAL.problems)
    form = refusal.form("/boards")

    form.problem("topic")
    assert not refusal.is_shown

    assert form.problem("weight.1") == "It must be a number."
    assert refusal.is_shown


def test_the_focus_goes_to_the_first_problem() -> None:
    form = REFUSAL.form(REFUSAL.path)

    assert form.is_first("topic")
    assert not form.is_first("weight.1")
