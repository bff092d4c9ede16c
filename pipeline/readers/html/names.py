"""The name that an element goes by (its class, id, role) -> whether it is furniture of the page, or its article.

Sites name the parts of their pages in a few dozen words. Names that say what an element has rather than what it is
(`has-sidebar`, `tag-cookies`, `label-hidden`) are not heard.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Attrib, _Element

FURNISHING = frozenset(("form", "label", "fieldset", "dialog", "nav", "footer", "aside", "menu", "figure", "figcaption"))
ROOTS = frozenset(("html", "body", "article", "main"))
LONGEST = 400  # characters of a class that is worth reading: what is longer lists traits of the whole page

CAMEL = re.compile(r"([a-z])([A-Z])")
TRAITS = re.compile(
    r"(?:^|(?<=\s))(?:(?:has|with|and|w|no|not|tag|category|one|label|is|js|mm|url|theme|header)-\S*|"
    r"\S*-(?:enabled|disabled?|margins?))"
)
FURNITURE = re.compile(
    r"(?:^|[\W_])(?:nav(?:bar|igation)?|menu\w*|breadcrumbs?|footer|sidebar|side-?col\w*|comments?|respond|disqus\w*|"
    r"related\w*|recommend\w*|recirc\w*|more-?(?:stories|news|from|on|articles|posts)|read-?(?:more|next|also)|most-?\w+|popular|"
    r"trending|share\w*|sharing|social\w*|addtoany\w*|follow\w*|newsletter\w*|subscri\w*|sign-?up|promo\w*|sponsor\w*|"
    r"ads?|adverts?|advertis\w+|adsense|taboola\w*|outbrain\w*|byline\w*|dateline|meta|metadata|post-?meta|entry-?meta|tags?|"
    r"taglist|tag-?links|cookies?\w*|consent|gdpr|modal|popup|overlay|caption|credits?|copyright|widget\w*|print-?only|"
    r"hidden|hide|screen-?reader\w*|sr-?only|visually-?hidden|author-?(?:bio|box|info)\w*|about-?author|headerlink|toctree\w*|"
    r"toc|edit-?(?:link|section)|mw-editsection|skip-?link|paywall|donat\w*|pagination|pager|prev-?next|linenos?)"
    r"(?:$|[\W_])"
)
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
    """Tell by a class, an id or a role whether its element is furniture (-1), the article (1) or neither (0).

    >>> kind_of("post-meta"), kind_of("postBody"), kind_of("has-sidebar"), kind_of("entry-content share")
    (-1, 1, 0, 1)
    """
    if len(name) > LONGEST:
        return 0
    words = TRAITS.sub("", CAMEL.sub(r"\1-\2", name).lower())
    if CONTENT.search(words):
        return 1
    if FURNITURE.search(words):
        return -1
    return 1 if ARTICLE.search(words) else 0


def kind_of_element(element: "_Element", tag: str) -> int:
    """Tell the same of one of lxml's elements; one that is hidden is furniture, a page's root never is."""
    kind = -1 if tag in FURNISHING else int(tag in ("article", "main"))
    attributes = element.attrib
    if kind < 0 or not attributes:
        return kind
    for key in ("class", "id", "itemprop", "role"):
        if value := attributes.get(key):
            found = kind_of(value)
            if found < 0:
                return 0 if tag in ROOTS else -1
            kind = kind or found
    if tag in ROOTS:
        return kind if tag in ("article", "main") else 0
    return -1 if _hidden(attributes) else kind


def _hidden(attributes: "_Attrib") -> bool:
    style = attributes.get("style")
    if style and "display:none" in style.replace(" ", ""):
        return True
    return "hidden" in attributes or attributes.get("aria-hidden") == "true"
