"""Phrases by which agents and customers give themselves away; English only so far.

They are sought in plain text: lower case, without punctuation or apostrophes, as the embedded engine writes it anyway.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Final

AGENT_NAME: Final = "agentname"  # stands where the agent's name was heard, see `mark`
COMPANY: Final = "companyname"
_LEAST_LIKENESS = 0.8  # how much of a name must be heard right
_SHORT_NAME = 4  # characters; a shorter one is like too many words, so it must be heard exactly

_SETS = {
    "THING": (
        "account|address|appointment|bill|booking|card|claim|contract|date of birth|delivery|device|email|first name|"
        "full name|insurance|inquiry|enquiry|invoice|last name|line|loan|membership|modem|name|number|order|package|"
        "parcel|password|payment|phone|plan|policy|postcode|post code|prescription|request|reservation|router|"
        "subscription|surname|zip code"
    ),
    "OWN": (
        "account|address|appointment|bill|booking|card|claim|contract|delivery|device|email|insurance|invoice|line|loan|"
        "membership|modem|number|order|package|parcel|password|payment|phone|plan|policy|prescription|reservation|"
        "router|subscription|internet|money|husband|wife|son|daughter|mother|father|doctor|car|house|laptop|computer|"
        "tv|statement|flight|room"
    ),
    "COMPANYS": (
        "system|records|team|office|policy|website|technicians?|engineers?|warehouse|store|department|side|end|"
        "specialists?|manager|offer|services?|clinic|plans?|customers"
    ),
    "DO": (
        "check|look|transfer|put you|connect|sen[dt]|email|process|processed|book|booked|schedule|scheduled|arrange|"
        "arranged|pull|issue|issued|note|noted|update|updated|reset|open|opened|create|created|escalate|waive|credit"
    ),
    "CALLED_TO": (
        "follow up|confirm|remind|discuss|let you know|inform|check in|see (if|whether) you|offer|verify|invite|"
        "thank|tell you|schedule your"
    ),
    "WANT_YOURS": (
        "tell|let|follow|reach|confirm|check in|remind|thank|verify|offer|ask you|invite|make sure"
    ),
    "FAIL": (
        "work|working|arrive|arrived|receive|received|get|got|log|logging|connect|connecting|turn|come|came|access|"
        "been|load|start|dropping|cutting|happy"
    ),
    "MACHINE": "ai|a i|virtual|automated|digital|artificial",
    "HELPER": "assistant|agent|receptionist|representative|system|voice",
    "AGENT": AGENT_NAME,
    "COMPANY": COMPANY,
}  # fmt: skip

# A weight is about the logarithm of how much oftener one side says it than the other; above 0 it is the agent.
_SAID = r"""
    # The agent greets, says what is done with the call, offers help.
    +2.5 thank(s| you) for (calling|contacting|phoning|ringing|choosing|holding|waiting)(?! me| back)
    +1.2 thank(s| you) for (your (time|patience|interest|call|business)|confirming|verifying)
    +2.5 how (can|may|could|might) (i|we) (help|assist|be of|direct|\w+ you)
    +2.0 what can (i|we) (do|help)|(can|may) (i|we) help you|how may i
    +2.5 anything else (i|we|you|that i|that we)|any other questions
    +1.5 (happy|glad|here|love) to (help|assist)|(can|will|ll|ill|to) (help|assist) you
    +1.5 welcome to
    +2.5 call (is|may be|will be) (being )?(recorded|monitored)|recorded line|quality (assurance|and training|purposes)
    +2.0 you(re| are) (speaking|through|talking) (to|with)|speaking how|you(ve| have) reached
    +1.5 this is (\w+ ){1,3}(from|with|at|calling from|calling on)(?! my)
    +3.0 (this is|im|i am|is|as) (an? |your |the )?(\w+ )?<MACHINE>( intelligence)? (\w+ )?<HELPER>
    # The agent calls: why, and whether the time is good.
    +2.5 calling (you )?(today )?(about|regarding|concerning|for|in regards? to|with regards? to) your
    +2.0 calling (you )?(today )?(on behalf|to <CALLED_TO>)
    +1.0 calling (you )?(today )?(from|with)(?! my)
    +1.8 is (now|this|it) a (good|convenient|bad) (time|moment)|caught you at
    +1.8 do you have (a|one|two|a few|a couple of) (moments?|minutes?|seconds?)
    +1.5 am i (speaking|talking) (to|with)
    +1.5 (may|can|could) i (please )?(speak|talk) (to|with) (?!an?\b|some|any|your|the|my)
    +1.0 i( wanted| just wanted|d like| would like) to (tell you|offer|invite|follow up|reach out|confirm)
    +1.0 i( wanted| just wanted|d like| would like) to (let you know|check in|remind|ask you|verify|thank you)
    +1.0 reaching out
    # The agent asks, verifies, looks up, acts, speaks for the company.
    +2.0 (can|could|may) i (just )?(have|get|take|grab|ask for|ask you|confirm|verify) (your|the|a|you|some)
    +1.8 (could|can|would) you (please )?(just )?(confirm|verify|spell|provide|repeat|read|(give|tell) me (your|the))
    +1.2 (whats|what is|what was|and|confirm|verify|update|on|have|with|see|about) your <THING>
    +1.2 last four|security (questions?|check|purposes)|for verification
    +0.8 your (\w+ )?<THING>
    +1.8 what (seems to be|is|was) the (problem|issue|trouble|nature)|who am i (speaking|talking)|whom do i have
    +1.2 let me (just )?(check|look|pull|see|transfer|get|take|verify|confirm|find|bring|put|go ahead|open)
    +1.2 bear with me
    +1.2 (ill|i will|i can|im going to|i am going to|ive|i have) (just |now |go ahead and |already )?<DO>(?! my)
    +1.8 (put|place|pop) you on (a )?(brief |quick )?hold|mind (if i|holding)|please (hold|stay on)
    +0.7 one moment|just a (moment|second)|sir|maam|madam
    +1.5 sorry (to hear|for the|for any|about (that|the|this))|apologi[sz]e|apologies|inconvenience
    +1.5 i (\w+ )?understand (your|how|the)
    +1.2 our (\w+ )?<COMPANYS>|my (system|supervisor|manager|colleague|end)
    +1.0 we (offer|can|could|will|have (an?|two|three|several)|also|do have|are open|show|appreciate|value)
    +1.0 i (can )?see (here |that |your |you |an? |the )
    +1.5 would you (like|prefer|be interested|be available|be able)|does that (sound|work)
    +1.5 which (one|day|time)|what (day|time|date) (works|would|suits|is best)
    +0.8 you(ll| will| should) (receive|get|be|see|need|have)
    +0.8 (reference|confirmation|ticket|case|tracking) number is
    +0.8 have you (tried|checked|received|already|had|been)|are you (able|currently|still|interested|looking)
    +0.8 do you (know|have|see|remember|recall|need|prefer|currently)
    +0.5 have a (great|good|nice|wonderful|lovely)|certainly|absolutely|(you are|youre) (very )?welcome
    +0.3 (can|could|would|do|did|are|were|have|will) you
    # The customer has a problem, asks for something, waits, answers about himself.
    -1.8 (calling|called|call|ringing) (you )?(today )?(about|because|regarding|for|with) (my|our|i|an?|the|this|it)
    -1.8 calling to (ask|find|report|complain|cancel|change|book|make|get|check on|check the|order|return|dispute)
    -1.5 (i have|i had|ive got|im having|weve got|having|got) (an? |some |this )?(\w+ )?(problem|issue|question)s?
    -1.5 (i have|i had|ive got|im having|weve got|having|got) (an? |some |this )?(\w+ )?(trouble|complaint)
    -1.2 (doesnt|does not|isnt|is not|wont|stopped|stops|never|not|keeps) (even )?<FAIL>
    -1.2 (hasnt|has not|havent|have not|didnt|did not|cant|cannot) (even )?<FAIL>
    -0.8 broken|ridiculous|unacceptable|frustrat\w+|charged (me|twice|us)|overcharged|double charged|damaged
    -0.8 complain(t|ing)?|wrong (item|size|order|one|amount|address)|refund
    -1.3 i (just )?(need|want|wanted)(?! to <WANT_YOURS>)|i(d| would) (really )?(like|love)(?! to <WANT_YOURS>)
    -1.3 i(m| am| was)? (just )?(wondering|hoping|looking (for|to)|trying to)|is there (a|any) way
    -1.5 (can|could|would) you (please )?(help me|cancel|send me|send someone|check (on|my|if|whether)|refund|fix)
    -1.5 (can|could|would) you (please )?(change (my|it|the)|transfer me|explain|call me|look into|put me)
    -1.5 (can|could|would) you (please )?tell me (why|when|how|if|what|whether)
    -1.5 (can|could) i (just )?(cancel|change|return|book|make an?|pay|reschedule|order|exchange|still)
    -1.5 (can|could) i (just )?(speak|talk) (to|with) (an?\b|some|your|the)
    -1.2 my (\w+ )?<OWN>
    -1.2 i (ordered|bought|purchased|paid|signed up|placed|returned|forgot|lost|moved|missed|filled)
    -1.2 i (already (called|paid|told|tried|sent)|called (yesterday|last|earlier|before|on)|dont (remember|have))
    -1.2 i (got (an?|your|this|my|charged)|was (charged|told|supposed|transferred|promised))
    -1.8 (ive|i have|we have|weve) been (waiting|on hold|trying|a customer|transferred|charged|without|calling|told)
    -1.5 thank(s| you) for (your help|helping|all your help|the help|sorting|calling (me|back)|letting me|explaining)
    -1.5 you(ve| have) been (very |so |really )?helpful|appreciate your help
    -0.5 thank you (so|very) much|thanks (a lot|so much)|appreciate (it|that)|you too|same to you
    -0.5 thats (all|it|everything)( i need(ed)?)?
    -1.2 is this the|have i reached|am i through to|do i have the right|(your|you) (guys|people)
    -1.2 your (website|company|driver|technician|app|ad|advert|store|shop)
    -2.0 not interested|stop calling|(take|remove) me (off|from)|how did you get (my|this)|where did you get my
    -2.0 (whats|what is) (this|it) (about|regarding|in regards|concerning)|who(s| is) this
    -2.0 im (busy|driving|at work|in a meeting)|call (me )?back (later|tomorrow|another)
    -2.0 is this a (scam|sales|robot)
    -1.5 (are you|am i (talking|speaking) (to|with)) (an? )?(real|robot|human|bot|ai|machine|recording|live|computer)
    -0.8 how much (is|does|do|would|will)|how long (will|does|do|is|would)|when (will|can|do|am) (i|it|my)
    -0.8 what do i|do i (need|have)|(will|should) i
    -0.6 ^(hello|hello hello|yes hello|hi|yes speaking|speaking|yes it is|yes this is \w+|yeah speaking)$
    -1.5 this is (he|she|him|her)$
"""
_SAID_WITH_NAMES = r"""
    +3.0 (name is|names|this is|im|i am|its) <AGENT>|<AGENT> (\w+ )?(speaking|here|from|calling)
    +2.5 <COMPANY> (this is|how|my name|good|speaking|customer|support|<AGENT>)
    +2.5 (calling|contacting|choosing|you(ve| have) reached|behalf of|welcome to|here at|this is) <COMPANY>
    +2.0 (this is|name is|names|im|calling|here|<AGENT>|speaking|assistant) (\w+ )?(from|with|at|for) <COMPANY>
    -2.0 (is this|i reached|are you|through to) <COMPANY>
    -2.0 (order|account|bought|bill|email|letter|message|text|customer|contract|it) (from|with|at) <COMPANY>
    -1.5 (hi|hello|hey|thanks|thank you|okay|ok|bye|goodbye|alright|morning|afternoon|is this|you) <AGENT>
"""


@dataclass(frozen=True, slots=True)
class Cue:
    """Phrases that say the same about whoever says them."""

    weight: float
    pattern: re.Pattern[str]


@cache
def cues() -> tuple[Cue, ...]:
    """What agents and customers say in any call."""
    return tuple(_read(_SAID))


@cache
def name_cues() -> tuple[Cue, ...]:
    """What they say with the names of the agent and the company."""
    return tuple(_read(_SAID_WITH_NAMES))


def _read(table: str) -> Iterator[Cue]:
    for line in filter(None, map(str.strip, table.splitlines())):
        if not line.startswith("#"):
            weight, phrases = line.split(" ", 1)
            spelt_out = re.sub(r"<([A-Z_]+)>", lambda name: f"({_SETS[name[1]]})", f"({phrases})")
            uncaptured = re.sub(r"\((?!\?)", "(?:", spelt_out)  # a third faster
            yield Cue(float(weight), re.compile(rf"\b{uncaptured}\b"))


def plain(text: str) -> str:
    """Lower case, words separated by one space, apostrophes left out (`I'm` becomes `im`)."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", re.sub(r"['’`]", "", text.casefold())).split())


def mark(text: str, name: str, sign: str) -> str:
    """Plain text with `sign` in place of what sounds like `name`; recognisers often get names half right."""
    wanted = plain(name).split()
    words = text.split()
    if not wanted:
        return text
    return " ".join(_marked(words, "".join(wanted), len(wanted), sign))


def _marked(words: list[str], wanted: str, length: int, sign: str) -> Iterator[str]:
    at = 0
    while at < len(words):
        taken = _heard_at(words, at, wanted, length)
        yield sign if taken else words[at]
        at += taken or 1


def _heard_at(words: list[str], at: int, wanted: str, length: int) -> int:
    """How many words from `at` on make the name; 0 where they do not. Its words may be joined or parted."""
    for count in (length, length + 1, length - 1):
        if count and "".join(words[at : at + count]) == wanted:
            return count
    return length if _alike("".join(words[at : at + length]), wanted) else 0


def _alike(heard: str, wanted: str) -> bool:
    if len(wanted) < _SHORT_NAME:
        return False
    matcher = SequenceMatcher(None, heard, wanted, autojunk=False)
    return matcher.quick_ratio() >= _LEAST_LIKENESS and matcher.ratio() >= _LEAST_LIKENESS
