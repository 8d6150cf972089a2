from __future__ import annotations

from gateway.catching_up import NEARLY, Page, PageWanted, shared


def wanted(room: str, after: int | None = None, before: int | None = None) -> PageWanted:
    return PageWanted(room, after, before, 200)


def test_those_who_missed_nearly_the_same_share_a_page() -> None:
    asked = shared([wanted("a", 105), wanted("b", 100), wanted("a", 100), wanted("a", 100 + NEARLY)])
    assert asked == {
        wanted("a", 105): wanted("a", 100),
        wanted("a", 100): wanted("a", 100),
        wanted("a", 100 + NEARLY): wanted("a", 100),
        wanted("b", 100): wanted("b", 100),
    }


def test_others_do_not() -> None:
    alone = [
        wanted("a", 0),
        wanted("a", NEARLY + 1),
        wanted("a"),
        wanted("a", before=3),
        PageWanted("a", 0, None, 50),
        wanted("b", 0),
    ]
    assert shared(alone) == {w: w for w in alone}


def test_each_gets_what_it_missed_of_a_shared_page() -> None:
    page = Page([{"seq": n} for n in range(101, 111)], 110, truncated=False)
    assert page.beyond(100) is page
    assert [e["seq"] for e in page.beyond(108).entries] == [109, 110]
    assert page.beyond(110) == Page([], 110, truncated=False)
    assert page.beyond(None) is page
