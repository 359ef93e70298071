from service.engine.admission.service_times import (
    INITIAL_ESTIMATE_S,
    LONGEST_RETRY_AFTER_S,
    ServiceTimes,
)


def test_the_time_to_retry_follows_the_queue_the_slots_and_recent_service_times() -> None:
    times = ServiceTimes({"one": 4, "two": 1})
    for _ in range(50):
        times.record("one", 2.0)

    assert times.retry_after_s("one", waiting=0) == 1
    assert times.retry_after_s("one", waiting=7) == 5
    assert times.retry_after_s("two", waiting=0) == INITIAL_ESTIMATE_S
    assert times.retry_after_s("two", waiting=999) == LONGEST_RETRY_AFTER_S
