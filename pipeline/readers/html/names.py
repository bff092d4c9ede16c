"""The name that an element goes by (its class, id, role) -> furniture of the page, a table of contents, its article, or none.

Sites name the parts of their pages in a few dozen words. Names that say what an element has rather than what it is
(`has-sidebar`, `tag-cookies`, `label-hidden`) are not heard, nor is the id of a manual's section: that is its title
(`subscriptions`, `meta-commands`).
"""

import re
from functools import lru_cache

from pipeline.readers.html.tokens import HEARD

FURNISHING = frozenset(("form", "label", "fieldset", "dialog", "nav", "footer", "aside", "menu", "figure", "figcaption"))
CONTENTS = -2  # a table of contents: the text of a page that has nothing else
CAPTION = -3  # of a picture; in a manual, of a table
CLASS, ID, ITEMPROP, ROLE, STYLE, HIDDEN, ARIA_HIDDEN = HEARD.values()
TITLED = frozenset(("section", "h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd"))  # elements whose id is their title
LONGEST = 400  # characters of a class that is worth reading: what is longer lists traits of the whole page

CAMEL = re.compile(r"([a-z])([A-Z])")
TRAITS = re.compile(
    r"(?:^|(?<=\s))(?:(?:has|with|and|w|no|not|tag|category|one|label|is|js|mm|url|theme|header)-\S*|"
    r"\S*-(?:enabled|disabled?|margins?|for-nav)|\S*nav-content\S*)"
)
FURNITURE = re.compile(
    r"(?:^|[\W_])(?:nav(?:bar|igation|header|footer)?|menu\w*|breadcrumbs?|footer|sidebar|side-?col\w*|comments?|respond|disqus\w*|"
    r"related\w*|recommend\w*|recirc\w*|more-?(?:stories|news|from|on|articles|posts)|read-?(?:more|next|also)|most-?\w+|popular|"
    r"trending|share\w*|sharing|social\w*|addtoany\w*|follow\w*|newsletter\w*|subscri\w*|sign-?up|promo\w*|sponsor\w*|"
    r"ads?|adverts?|advertis\w+|adsense|taboola\w*|outbrain\w*|byline\w*|dateline|meta|metadata|post-?meta|entry-?meta|tags?|"
    r"taglist|tag-?links|cookies?\w*|consent|gdpr|modal|popup|overlay|credits?|copyright|widget\w*|print-?only|"
    r"hidden|hide|screen-?reader\w*|sr-?only|visually-?hidden|author-?(?:bio|box|info)\w*|about-?author|headerlink|"
    r"edit-?(?:link|section)|mw-editsection|skip-?link|paywall|donat\w*|pagination|pager|prev-?next|linenos?)"
    r"(?:$|[\W_])"
)
OF_CONTENTS = re.compile(r"(?:^|[\W_])(?:toctree\w*|toc)(?:$|[\W_])")
OF_CAPTION = re.compile(r"(?:^|[\W_])caption(?:$|[\W_])")
SECTION = re.compile(r"(?:^|\s)(?:section|(?:ref)?sect\d|level\d|chapter|variablelist)(?:$|\s)")
ARTICLE = re.compile(
    r"(?:^|[\W_])(?:article-?(?:body|content|text)?|story-?(?:body|content|text)?|post-?(?:body|content|text)?|"
    r"entry-?(?:content|body)?|body-?(?:text|content|copy)|main-?(?:content|text|body)?|content-?(?:body|main|text|article)?|"
    r"rich-?text|markdown-?body|document|prose)(?:$|[\W_])"
)
CONTENT = re.compile(  # names that only an article's body has, whatever else the class says
    r"(?:^|[\W_])(?:(?:article|story|post|entry|main|page|blog)[-_]{0,2}(?:body|content|text|copy)|rich[-_]?text)"
    r"(?:[-_]{1,2}(?:wrap|wrapper|well|container|segment|field))?(?=\s|$)|(?:^|\s)hentry(?=\s|$)"
)


@lru_cache(maxsize=16384)
def kind_of(name: str) -> int:
    """Tell by a class, an id or a role whether its element is furniture (-1), contents (-2), the article (1) or neither (0).

    A caption (-3) is furniture, too, but of a manual, whose tables have them.

    >>> kind_of("post-meta"), kind_of("postBody"), kind_of("has-sidebar"), kind_of("entry-content share"), kind_of("toc")
    (-1, 1, 0, 1, -2)
    """
    if len(name) > LONGEST:
        return 0
    words = TRAITS.sub("", CAMEL.sub(r"\1-\2", name).lower())
    if CONTENT.search(words):
        return 1
    if FURNITURE.search(words):
        return -1
    if OF_CONTENTS.search(words):
        return CONTENTS
    if OF_CAPTION.search(words):
        return CAPTION
    return 1 if ARTICLE.search(words) else 0


@lru_cache(maxsize=65536)
def kind_of_element(tag: str, key: bytes) -> int:
    """Tell the same of an element by the key that `tokens` gives it; one that is hidden is furniture, a page's root never is.

    >>> kind_of_element("div", b"\\x01nav wide\\0"), kind_of_element("article", b""), kind_of_element("p", b"\\x06\\0")
    (-1, 1, -1)
    """
    kind = -1 if tag in FURNISHING else int(tag in ("article", "main"))
    if kind < 0 or not key:
        return kind
    said = {part[0]: part[1:].decode("utf-8", "replace") for part in reversed(key.split(b"\0")[:-1])}
    for which in (CLASS, ID, ITEMPROP, ROLE):
        if (value := said.get(which)) and not (which == ID and _is_titled(tag, said.get(CLASS, ""))):
            found = kind_of(value)
            if found < 0:
                return found
            kind = kind or found
    return -1 if _is_hidden(said) else kind


def _is_titled(tag: str, name: str) -> bool:
    return tag in TITLED or SECTION.search(name) is not None


def _is_hidden(said: dict[int, str]) -> bool:
    return "display:none" in said.get(STYLE, "").replace(" ", "") or HIDDEN in said or said.get(ARIA_HIDDEN) == "true"
