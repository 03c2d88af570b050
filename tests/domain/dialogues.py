"""Short calls, written for these tests: `A` the agent, `C` the customer, further letters further people.

`HEARD_BADLY` are written as a recogniser hears them: no case, no punctuation, wrong words. `CALLS` were there when
the cues were weighed; `UNSEEN` were written afterwards and no cue was changed for them.
"""

from dataclasses import dataclass, replace

from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.transcripts import Transcript
from tests.exports.samples import spoken, transcript

INBOUND = CallFacts(direction=Direction.INBOUND)
OUTBOUND = CallFacts(direction=Direction.OUTBOUND)


@dataclass(frozen=True)
class Dialogue:
    """Who said what, in order: one line each, `A: …`."""

    name: str
    direction: Direction
    script: str

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(line.strip()[0], line.strip()[2:].strip()) for line in self.script.strip().splitlines()]

    @property
    def people(self) -> list[str]:
        """In order of appearance: the place is the speaker's number."""
        return list(dict.fromkeys(who for who, _ in self.lines))

    def number(self, who: str) -> str:
        return str(self.people.index(who))

    def transcript(self, first: int | None = None) -> Transcript:
        """On one channel, a third of a second for a word; perhaps its first lines only."""
        at_s, segments = 0.5, []
        for who, text in self.lines[:first]:
            said = spoken(text, start_s=at_s, word_s=0.33, speaker=self.number(who))
            segments.append(replace(said, channel=0))
            at_s = segments[-1].end_s + 0.4
        return transcript(*segments)


def _in(name: str, script: str) -> Dialogue:
    return Dialogue(name, Direction.INBOUND, script)


def _out(name: str, script: str) -> Dialogue:
    return Dialogue(name, Direction.OUTBOUND, script)


CALLS = (
    _in(
        "late parcel",
        """
        A: Good morning, Northgate Parcels, this is Helen. How can I help you today?
        C: Hi, yes, I ordered a pair of boots two weeks ago and they still haven't arrived.
        A: I'm sorry to hear that. Can I take your tracking number, please?
        C: Sure, it's N G four four seven one nine.
        A: Thank you. Let me just check that for you. It shows the parcel is at our Leeds warehouse.
        C: It's been there for six days. Can you tell me when it will be delivered?
        A: I'll escalate it and you'll receive a text message by tomorrow noon. Is there anything else I can do?
        C: No, that's all. Thanks for your help.
        A: You're welcome. Have a lovely day.
        """,
    ),
    _in(
        "customer speaks first",
        """
        C: Hello? Hello, is this the billing department?
        A: Yes, it is. You're speaking with Omar. What can I do for you?
        C: I've been charged twice for my subscription this month.
        A: I apologize for the inconvenience. Could you confirm the email address on the account?
        C: It's under my wife's name, actually. Karen dot Bell at example dot com.
        A: Perfect. I can see the two charges here. I'll refund the second one right now.
        C: How long will that take?
        A: Three to five working days.
        C: Okay, great. Thank you so much.
        """,
    ),
    _in(
        "doctor's appointment",
        """
        A: Riverside Clinic, how may I help?
        C: I'd like to make an appointment with Doctor Patel, please.
        A: Of course. Have you been here before?
        C: Yes, last spring.
        A: May I have your date of birth?
        C: The third of May nineteen eighty.
        A: Thank you. We have an opening on Thursday at ten. Does that work for you?
        C: Thursday is difficult. Is there anything on Friday?
        A: Friday at two fifteen?
        C: That's perfect.
        A: You're all set. See you on Friday.
        """,
    ),
    _in(
        "internet down",
        """
        A: Thank you for calling Brightline Internet. This call may be recorded for quality purposes. My name is Tessa.
        C: My internet keeps dropping. It's ridiculous, I work from home.
        A: I completely understand your frustration. Have you tried restarting the router?
        C: I did that three times already.
        A: Okay. Let me run a test on your line. Bear with me.
        C: Sure.
        A: I see the signal is weak. I'd like to send a technician. What day works best for you?
        C: I need someone today if possible.
        A: The first slot is tomorrow between eight and twelve.
        C: Fine. Will I be charged for this?
        A: No, there's no charge.
        """,
    ),
    _in(
        "terse",
        """
        A: Taxi Central.
        C: I need a cab to the airport.
        A: From where?
        C: Twelve Mill Lane.
        A: What time?
        C: Half past six. How much is it?
        A: Around thirty.
        C: Okay, thank you.
        """,
    ),
    _in(
        "chatty customer",
        """
        A: Sunrise Insurance, Paul speaking, how can I help?
        C: Oh hello Paul, well, it's a bit of a long story. I was driving home on Sunday with my sister, and we were
           stopped at the lights, and this van just ran into the back of us. Nobody was hurt, thank goodness, but the
           bumper is hanging off and I don't know what I need to do now, because my husband usually handles these
           things, and he is away.
        A: I'm glad nobody was hurt. I'll open a claim for you. Could I take your policy number?
        C: I have it here somewhere. It's B seven seven, and I've been a customer for eleven years, you know.
        A: We really appreciate that. And did you get the other driver's details?
        C: I did. I took a photo of his licence.
        A: Wonderful. Would you like us to arrange a courtesy car?
        C: Yes please, that would help.
        """.replace("\n           ", " "),
    ),
    _in(
        "transfer wanted",
        """
        A: Welcome to Harbour Bank, you are through to Ines. May I have your account number?
        C: No, I've been on hold for forty minutes. I want to speak to a manager.
        A: I'm sorry about the wait. May I ask what it's regarding?
        C: My card was declined abroad and nobody told me why.
        A: I understand. For security, can you verify the last four digits of the card?
        C: Nine one one two.
        A: Thank you. I'm going to put you on a brief hold while I get my supervisor.
        C: Fine.
        """,
    ),
    _in(
        "machine answers",
        """
        A: Hi, you've reached Oakwood Dental. I'm the virtual assistant. How can I help you today?
        C: Uh, am I talking to a robot?
        A: I'm an AI assistant, but I can book appointments and answer questions. What would you like to do?
        C: I need to move my appointment to next week.
        A: Sure. Can you tell me your last name?
        C: Ferreira.
        A: Thank you. I found an appointment on Tuesday at nine. Which day would you prefer?
        C: Wednesday afternoon.
        A: Wednesday at three is available. Should I book it?
        C: Yes.
        """,
    ),
    _out(
        "machine calls",
        """
        C: Hello?
        A: Hello, this is an AI assistant from Lakeview Motors. I'm calling about your inquiry on our website.
        C: Okay.
        A: Do you have a minute to talk about the car that you looked at?
        C: Yes, I was wondering if the blue one is still available.
        A: It is. Would you like to come in for a test drive?
        C: Maybe on Saturday.
        A: Great. May I confirm your phone number?
        C: Sure, it's the one you called.
        """,
    ),
    _out(
        "sales call refused",
        """
        C: Hello?
        A: Hi there, am I speaking with Mister Grant?
        C: Who is this?
        A: My name is Kelly and I'm calling from Solar Direct on a recorded line. How are you today?
        C: I'm busy. What is this about?
        A: We offer a free roof inspection in your area. Are you the owner of the home?
        C: I'm not interested. Please take me off your list.
        A: I understand. Have a good day.
        """,
    ),
    _out(
        "appointment reminder",
        """
        C: Yes, hello.
        A: Good afternoon, may I please speak to Dana Whitfield?
        C: Speaking.
        A: This is Marcus from Elm Street Pharmacy. I'm calling to remind you that your prescription is ready.
        C: Oh, great. Can I pick it up tomorrow?
        A: Certainly, we are open until seven.
        C: Do I need to bring anything?
        A: Just your insurance card.
        C: All right, thank you.
        """,
    ),
    _out(
        "debt reminder",
        """
        A: Hello, could I speak with Mrs Lindqvist, please?
        C: This is she.
        A: I'm calling on behalf of Nordkredit about an invoice that is overdue. Is this a good time?
        C: Not really, I'm at work. I already paid that last week.
        A: I see. Could you tell me the date of the payment?
        C: I think the fourteenth. I can send you the receipt.
        A: That would be helpful. I'll note it on the account.
        C: Thanks.
        """,
    ),
    _out(
        "survey with a talkative company",
        """
        C: Hi.
        A: Hi, it's Priya with Cedar Hotels. I wanted to follow up on your recent stay. Do you have two minutes?
        C: Sure.
        A: On a scale of one to ten, how was our service?
        C: Eight. My room was a little loud.
        A: I'm sorry about that. Was there a problem with the window?
        C: It didn't close.
        A: Thank you for letting us know, I'll pass it on to our team. Would you stay with us again?
        C: I think so.
        """,
    ),
)

HEARD_BADLY = (
    _in(
        "heard badly: refund",
        """
        A: thank you for coal in summit outdoors my name is brent how can i hell you
        C: hi i want a return attend that i bought last weak
        A: okay i am sari to hear that can i half your order number
        C: yeah it is five five to oh
        A: let me pull that app one moment
        C: the zipper is broken and i have been waiting for somebody to call
        A: i apologise for that i will send you a label to your e male
        C: thank you sew much
        """,
    ),
    _in(
        "heard badly: password",
        """
        A: service desk this is ivan had can i help
        C: hello i can not log into my lap top since this morning
        A: what is your user named please
        C: jay martin
        A: okay let me check that you're account is locked i will reset it
        C: do i need to change my past word
        A: yes you will be asked four a new one at the log in
        C: right thanks a lot
        """,
    ),
    _out(
        "heard badly: delivery slot",
        """
        C: hello
        A: good morning i am calling from casa furniture regard in your delivery
        C: oh yes i was hoping you wood call
        A: we can deliver on wednesday between ate and one does that work for you
        C: wednesday is okay how long does it takes to set up
        A: about an our could you confirm the address for me
        C: nine orchard rode
        A: perfect you will get a message the day be four
        """,
    ),
    _out(
        "heard badly: machine",
        """
        A: hi this is an a i assistant calling about your application for alone
        C: uh who is it
        A: i am a virtual assistant do you half a few minutes to verify some detail
        C: okay but i am driving
        A: i can call you back later what time works
        C: after five
        """,
    ),
)

UNSEEN = (
    _in(
        "unseen: florist",
        """
        A: Petal and Stem, good afternoon.
        C: Good afternoon. I was hoping you could deliver some roses to my mother on Sunday.
        A: We don't deliver on Sundays, but Saturday is possible. Where does she live?
        C: In Ashford. How much would that cost?
        A: Delivery is five pounds, and a dozen red roses are thirty.
        C: All right, let's do it. Can I pay by card?
        A: Yes. What name should I put on the card?
        C: Put love from Simon.
        """,
    ),
    _in(
        "unseen: locked out of the bank",
        """
        A: Good evening, you're through to digital support.
        C: Yeah, I can't get into the app. It says that my account is locked.
        A: Okay. And when did that start?
        C: Just now. I typed the wrong code three times.
        A: No problem. I'm sending you a one-time code. Could you read it back to me?
        C: Eight zero four one.
        A: Thanks. You should be able to log in now.
        C: It works. Brilliant, cheers.
        """,
    ),
    _in(
        "unseen: hotel, guest speaks first",
        """
        C: Hi there, do you have any rooms for the ninth?
        A: Let me have a look. For how many people?
        C: Two adults and a child.
        A: Yes, we have a family room for a hundred and twenty with breakfast. Shall I reserve it for you?
        C: Does it have a balcony?
        A: It does. What name is it for?
        C: Okafor.
        A: And a phone number in case we need to reach you?
        C: Sure.
        """,
    ),
    _in(
        "unseen: utility",
        """
        A: City Water, please state the address you are calling about.
        C: Forty Hill Road. There's water coming up through the street.
        A: Is it clear or brown?
        C: Brown, and it's getting worse.
        A: All right, a crew will be there within the hour. Are you able to switch off the main valve?
        C: I don't know where that is.
        A: It's usually under the kitchen sink.
        C: Okay, I'll have a look. Thanks.
        """,
    ),
    _out(
        "unseen: recruiter",
        """
        C: Jonas here.
        A: Hi Jonas, Miriam from Blue Harbour Staffing. You applied for the driver position, is that right?
        C: Yes, I did, about a week ago.
        A: Great. Do you hold a licence for trucks?
        C: I do, for six years now.
        A: And when could you start?
        C: In two weeks. What does it pay?
        A: Twenty two an hour. I'll send you the contract by email.
        C: Sounds good.
        """,
    ),
    _out(
        "unseen: machine qualifies a lead",
        """
        A: Hello, this is Ava, the automated assistant of Greenfield Homes. Can you hear me?
        C: Yes.
        A: You filled out a form for a kitchen estimate. Are you still interested?
        C: I might be. What's the price?
        A: That depends on the size. Roughly how large is the kitchen?
        C: Twelve square metres.
        A: Thanks. An adviser can visit you next Monday. Is the morning okay?
        C: Morning is fine.
        """,
    ),
    _in(
        "unseen: heard badly, returns desk",
        """
        A: returns desk good after noon jill speaking
        C: hi jill i got a jacket from you and its two small
        A: okay no problem have you got the slip with you
        C: yes it is in the box
        A: the number on top please
        C: four four one to nine
        A: lovely you can drop it of at any post office and we will send the bigger won
        C: oh that is easy thank you bye
        """,
    ),
    _out(
        "unseen: heard badly, bank checks a payment",
        """
        C: yes
        A: good mourning this is the fraud team at west bank we saw a payment of six hundred on your car
        C: what six hundred that was not me
        A: okay did you give the pin two anybody
        C: no never
        A: all right i have blocked the card a new one will reach you in for days
        C: so i will get the money back
        A: yes once the form is signed
        """,
    ),
)
