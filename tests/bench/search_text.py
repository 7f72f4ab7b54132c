"""Messages as people and agents write them: Chinese and English in one text, identifiers, paths, versions; seeded."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate

CHARS = 400
"""About how long a message is."""
RARE_WORD, RARE_PHRASE = "zyxxtoken", "龘靐齉齾"
"""In one message of 5,000 each."""
COMMON_PHRASE = "用户认证"
APART = ("晨雾", "harbour")
"""Two words that many messages hold, but none both."""

_RARELY = 5_000
_OFTEN = 12
_HANZI = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之"
    "进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与"
    "关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文"
    "总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即"
    "保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目至达走"
    "积示议声报斗完类八离华名确才科张信马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且究观越织装影算低持音众书布复容儿须际商非验连"
)
_PHRASES = (
    *("数据库连接", "登录接口", "会话管理", "消息队列", "全文搜索", "加密存储"),
    *("权限控制", "帮我实现", "单元测试", "错误处理", "配置文件", "性能优化"),
)
_ENGLISH = """
the to a of and in is it for this that on with be as not we can from should file test error function code when user
request return value type data message session server client index search update add remove change run build call
check set get list name path line method class async await handle handler timeout database connection cache query
parse format string number object array token module package version config option default thread lock write read
store load open close start stop retry fail pass assert mock import export render layout style button event state
effect hook route link page form input output stream buffer byte encode decode hash sign key secret branch commit
merge rebase review issue release deploy docker image container network proxy header body response status
"""
_SYLLABLES = """
ba co di fu ga ho ki lo ma ne pu ra si to va we xe yo zu tri pla sco
"""
_EXTENSIONS = ("py", "ts", "md", "json", "toml", "rs")


class Writer:
    """Writes messages; the same seed, the same messages."""

    def __init__(self, seed: int) -> None:
        random_ = random.Random(20_240_501)  # the vocabulary is always the same
        hanzi = _weights(len(_HANZI), 0.6)
        lengths = (1, 2, 2, 2, 2, 3, 4)
        self._chinese = list(
            dict.fromkeys(
                "".join(random_.choices(_HANZI, cum_weights=hanzi, k=random_.choice(lengths))) for _ in range(9_000)
            )
        )
        rare = ("".join(random_.choices(_SYLLABLES.split(), k=random_.randint(2, 4))) for _ in range(6_000))
        self._english = _ENGLISH.split() + list(dict.fromkeys(rare))
        self._code = [self._identifier(random_) for _ in range(4_000)]
        self._weights = {len(words): _weights(len(words), 0.95) for words in (self._chinese, self._english, self._code)}
        self._random = random.Random(seed)

    def _identifier(self, random_: random.Random) -> str:
        words = random_.choices(self._english[:400], k=random_.randint(2, 3))
        match random_.randrange(5):
            case 0:
                return words[0] + "".join(map(str.capitalize, words[1:]))
            case 1:
                return "".join(map(str.capitalize, words))
            case 2:
                return "_".join(words)
            case 3:
                return f"src/{'/'.join(words)}.{random_.choice(_EXTENSIONS)}"
            case _:
                return f"v{random_.randrange(4)}.{random_.randrange(30)}.{random_.randrange(10)}"

    def message(self) -> str:
        """One message of about 400 characters."""
        random_, parts, size = self._random, [], 0
        number = random_.randrange(_RARELY)
        if number in (0, 1):
            parts.append((RARE_WORD, RARE_PHRASE)[number])
        if number % _OFTEN in (2, 3):
            parts.append(APART[number % _OFTEN - 2])
        while size < CHARS:
            kind = random_.random()
            if kind < 0.45:
                part = "".join(self._some(self._chinese, random_.randint(2, 8))) + random_.choice("，。、： ")
            elif kind < 0.53:
                part = random_.choice((COMMON_PHRASE, *_PHRASES))
            elif kind < 0.9:
                part = " ".join(self._some(self._english, random_.randint(2, 8))) + random_.choice((" ", ". ", ", "))
            else:
                part = f"{self._some(self._code, 1)[0]}{random_.choice((' ', '(', ', ', ' 的'))}"
            parts.append(part)
            size += len(part)
        return " ".join(parts)

    def _some(self, words: Sequence[str], count: int) -> list[str]:
        return self._random.choices(words, cum_weights=self._weights[len(words)], k=count)


def _weights(count: int, steepness: float) -> list[float]:
    """Zipf's law, summed up."""
    return list(accumulate(1 / (rank + 3) ** steepness for rank in range(count)))
