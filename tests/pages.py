"""The end of a page that a program writes: what is written by hand there, and kept."""

BY_HAND = "\n<!-- What follows is written by hand, and kept. -->\n"


def by_hand(before: str) -> str:
    """The mark, and what stands behind it on the page as it was before."""
    return BY_HAND + before.partition(BY_HAND)[2]
