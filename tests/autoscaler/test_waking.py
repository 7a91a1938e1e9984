from autoscaler.waking import FIRST_S, PATIENCE_S, Waking


def test_nobody_knows_at_first_and_that_is_no_reason_to_wake_anybody() -> None:
    waking = Waking(now_s=0)
    assert waking.is_able
    assert not waking.is_judged


def test_the_first_good_answers_settle_it() -> None:
    waking = Waking(now_s=0)
    assert waking.heard("", now_s=0.1)
    assert waking.is_judged
    assert not waking.heard("", now_s=1)


def test_without_answers_it_is_unable_after_a_while() -> None:
    waking = Waking(now_s=0)
    assert not waking.heard("off", now_s=FIRST_S - 0.1)
    assert waking.heard("off", now_s=FIRST_S)
    assert (waking.is_able, waking.why) == (False, "off")
    assert not waking.heard("still off", now_s=60)
    assert waking.why == "still off"
    assert waking.heard("", now_s=61)
    assert (waking.is_able, waking.why) == (True, "")


def test_who_answered_once_may_be_silent_for_longer() -> None:
    waking = Waking(now_s=0)
    waking.heard("", now_s=10)
    assert not waking.heard("restarting", now_s=10 + PATIENCE_S - 0.1)
    assert waking.is_able
    assert waking.heard("restarting", now_s=10 + PATIENCE_S)
    assert not waking.is_able
