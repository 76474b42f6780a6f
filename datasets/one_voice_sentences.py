"""Sentences for hours of one synthetic voice: frames and words of everyday English, put together by chance.

Written for tinyclone. The sentences need not be wise, only well formed, easy to read and full of different
words: about a thousand, so that a model that reads characters meets every spelling in many places.
"""

from __future__ import annotations

import random
import re

FEWEST_CHARACTERS, MOST_CHARACTERS = 28, 66

# Single words are parted by spaces, phrases by commas.
WORDS = {
    "person": """
        actor aunt baker barber boxer boy butcher captain carpenter child clerk coach cook cousin dancer
        daughter dentist doctor driver editor engineer farmer father fisherman friend gardener girl
        grandfather guard guest guide hunter judge king knight lawyer librarian lady mayor mechanic merchant
        miller minister mother musician neighbor nephew nurse officer painter passenger pilot player poet
        porter postman priest prince princess professor queen reporter sailor scientist secretary shepherd
        shopkeeper singer sister soldier son stranger student surgeon tailor teacher thief tourist traveler
        uncle visitor waiter watchman widow witness woman worker writer youth
        """,
    "animal": """
        ant bear beaver bird bull butterfly calf cat chicken cow crow deer dog dolphin donkey dove duck
        eagle elephant fish fox frog goat goose hare hawk hedgehog hen horse kitten lamb lion lizard monkey
        mouse mule otter owl ox panther peacock pigeon pony puppy rabbit rat raven rooster salmon seal shark
        sheep snail snake sparrow spider squirrel swan tiger toad whale wolf worm zebra
        """,
    "thing": """
        anchor apple arrow axe bag ball banner barrel basin bell bench bicycle blanket board boat bone book
        boot bottle bowl box branch brick brush bucket button cabinet cake camera candle carpet carriage
        cart chain chair chest clock cloth coat coin cottage cradle crown cup curtain cushion desk diary
        dish document drawer dress drum engine envelope fence flag flower flute fork frame furnace garment
        gift glass glove gown guitar hammer handle hat helmet hook jacket jar jewel jug kettle key kite
        knife ladder lamp lantern leaf lens letter lock machine magazine map mask medal mirror motor nail
        necklace needle net newspaper orange oven package paddle painting paper parcel pear pen pencil
        photograph piano pillow pipe plank plate plough pocket poem pot present pump purse puzzle quilt
        radio razor ribbon rifle ring robe rocket rope rug saddle sail sandwich saucer scarf shelf shell
        shield shirt shovel sign sled spade spear spoon stamp statue stick stone stool stove suit sword
        table tent thread ticket tool tower toy tray treasure trumpet trunk tube umbrella uniform vase
        vehicle violin wagon wallet watch wheel whistle window wire wreath
        """,
    "stuff": """
        advice bacon bread butter cheese clay coal coffee copper corn cotton cream dust fruit furniture gold
        grain grass gravel hay honey ice iron ivory jam juice lace leather lemonade linen luggage meat milk
        money mustard oil paint pepper powder rice rubber salt sand silk silver smoke snow soap soup steel
        straw sugar tea timber tobacco velvet vinegar water wax wheat wine wood wool
        """,
    "adjective": """
        able ancient angry awful bitter black blind blue bold brave brief bright broken brown busy calm
        careful cheap cheerful clean clever clumsy cold common cruel curious damp dark dear deep dirty
        distant dry dull dusty eager early easy elegant empty enormous evil faint faithful false famous
        fancy fat fierce fine firm flat foolish foreign fresh friendly frozen full funny gentle golden grand
        gray green happy harsh heavy hollow honest hot huge humble hungry idle jealous jolly kind large lazy
        light little lively lonely long loose loud lovely lucky mad mighty modern narrow nasty neat new
        noble noisy odd old orange ordinary pale patient plain pleasant polite poor precious pretty proud
        pure purple quick quiet rapid rare raw red rich ripe rotten rough round royal rude rusty sacred sad
        safe secret serious shallow sharp shiny short shy silent simple sleepy slim slow small smart smooth
        soft sore sour square steady steep stiff strange strong stupid sudden sweet swift tall tame tender
        terrible thick thin tidy tiny tired tough ugly unusual useful vast warm weak wealthy wet white
        wicked wide wild wise wonderful wooden yellow young
        """,
    "did_something_to": """
        admired, arranged, avoided, bought, borrowed, broke, brought, built, buried, burned, carried,
        caught, chose, cleaned, collected, copied, counted, covered, cut, delivered, described, destroyed,
        discovered, dragged, drew, dropped, emptied, enjoyed, examined, exchanged, expected, feared, felt,
        filled, fixed, followed, forgot, found, gave away, got, guarded, held, hid, hired, ignored,
        imagined, improved, inspected, invented, judged, kept, kicked, lent, lifted, locked, lost, loved,
        lowered, made, measured, mended, missed, moved, needed, noticed, offered, opened, ordered, owned,
        packed, painted, picked, pointed at, polished, praised, prepared, preferred, produced, promised,
        protected, pulled, pushed, put down, raised, reached, received, recognized, refused, remembered,
        removed, rented, repaired, replaced, returned, rolled, saved, saw, searched for, seized, sent,
        served, shared, shook, showed, sketched, smelled, sold, stole, studied, threw, took, touched,
        traded, treasured, tried, turned, used, valued, wanted, warmed, washed, watched, weighed, wished
        for, won, wrapped
        """,
    "did": """
        argued arrived bowed breathed called climbed cried danced dreamed drove fainted fell fled flew
        giggled grew guessed hesitated hurried joked jumped knelt laughed leaned lied listened marched moved
        nodded obeyed paused played prayed prospered quarreled ran rested rode sang sat sighed shivered
        shouted skated slept slipped smiled sneezed spoke stayed stood stumbled suffered survived swam swore
        talked thought trembled vanished voted waited walked wandered wept whispered worked worried yawned
        yelled
        """,
    "do_something_to": """
        accept admire answer avoid borrow bring build buy carry catch change choose clean collect count
        cover deliver describe draw drop enjoy examine explain fetch find fix follow forget guard hide hold
        ignore join keep leave lift lock lose love make measure mend move notice offer open order own pack
        paint pass pick polish prefer protect pull push raise reach remember repair replace return save see
        sell send share show steal study take teach throw touch trust use wash watch weigh win wrap
        """,
    "how": """
        again, alone, anxiously, at once, badly, bravely, by accident, by heart, calmly, carefully,
        cheerfully, eagerly, easily, finally, for nothing, gently, gladly, happily, honestly, in a hurry, in
        silence, in vain, kindly, loudly, on purpose, patiently, politely, proudly, quickly, quietly,
        rarely, sadly, safely, secretly, seldom, silently, slowly, softly, somehow, suddenly, together,
        twice, well, with great care, with pleasure, without a word
        """,
    "where": """
        above the clouds, across the border, along the coast, among the ruins, around the corner, at school,
        at the castle, at the market, at the station, behind the barn, behind the church, below the surface,
        beneath the bridge, beside the fire, beside the river, between the hills, beyond the forest, by the
        lake, by the sea, down the road, down the stairs, far from home, in a cave, in front of the theater,
        in the attic, in the basement, in the city, in the desert, in the dining room, in the factory, in
        the field, in the garden, in the harbor, in the jungle, in the kitchen, in the meadow, in the
        office, in the orchard, in the shadow, in the south, in the square, in the village, in the yard,
        inside the temple, near the airport, near the fountain, near the hotel, next to the bank, off the
        island, on the balcony, on the beach, on the farm, on the highway, on the horizon, on the mountain,
        on the porch, on the roof, outside the prison, over the fence, over there, through the tunnel,
        toward the valley, under the bed, under the oak tree, upon the throne, within the walls
        """,
    "when": """
        after breakfast, after dinner, after the war, all day, all night, as usual, at dawn, at midnight, at
        noon, before lunch, before sunset, during the concert, during the storm, every evening, every
        Friday, every month, in April, in August, in autumn, in December, in February, in January, in July,
        in the afternoon, in the morning, in winter, last summer, last week, long ago, many years ago, next
        spring, on Monday, on Saturday, on Thursday, on Tuesday, on Wednesday, once a year, one hour later,
        right now, since Sunday, the other day, this year, three weeks ago, today, tomorrow, tonight, two
        days before, yesterday
        """,
    "name": """
        Adam Agnes Albert Alice Andrew Anna Arthur Barbara Benjamin Caroline Charles Charlotte Clara Daniel
        David Dorothy Edward Eleanor Elizabeth Emily Ethan Eva Frank George Grace Hannah Harold Harry Helen
        Henry Hugh Irene Jack Jacob Jane Joan John Joseph Joyce Julia Kate Laura Leo Louise Lucy Margaret
        Martha Martin Mary Matthew Michael Nancy Nathan Oliver Oscar Paul Peter Philip Ralph Rebecca Robert
        Rose Ruth Samuel Sarah Simon Sophia Stephen Susan Theodore Thomas Victor Violet Walter William
        """,
    "number": """
        two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
        """,
    "idea": """
        ability accident adventure agreement alarm ambition argument attention beauty belief bargain career
        chance choice comfort courage crime culture custom danger decision delight desire difference
        discussion disease doubt dream education effort election energy error evidence excuse experience
        failure faith fame fashion fault favor fear feeling freedom future genius glory government habit
        happiness hatred health history honor hope humor hunger idea influence insult interest journey joke
        journal joy justice knowledge language laughter law leisure lesson liberty logic luck marriage
        measure memory method mischief mistake misery mystery nature news noise notion occasion opinion
        patience peace physics pleasure poison power pride prayer problem profit progress promise proof
        punishment purpose quality question reason religion reply revenge rhythm rumor safety science season
        sense shame silence skill song sorrow speech spirit strength style success surprise sympathy talent
        task taste temper terror theory thought thunder tongue tradition trial trouble truth value vengeance
        victory view virtue vision voice wealth welfare wisdom wonder
        """,
}
FRAMES = (
    "The {adjective} {person} {did_something_to} the {thing} {where}.",
    "The {person} {did_something_to} {a} {adjective} {thing} {when}.",
    "{name} {did_something_to} the {adjective} {animal} {how}.",
    "{name} and {name} {did} {where} {when}.",
    "{a} {adjective} {animal} {did} {where}.",
    "Did the {person} {do_something_to} my {adjective} {thing}?",
    "Why did {name} {do_something_to} the {thing} {when}?",
    "Who {did_something_to} the {thing} and the {thing}?",
    "When will you {do_something_to} the {adjective} {thing}?",
    "Please {do_something_to} the {thing}, {name}.",
    "{when}, the {person} {did} {how}.",
    "There is {a} {adjective} {thing} {where}.",
    "My {person} will {do_something_to} the {stuff} {when}.",
    "We {did_something_to} {number} {thing}s and some {stuff}.",
    "They never {did_something_to} such {adjective} {stuff}.",
    "She {did_something_to} the {stuff}, but he {did_something_to} the {thing}.",
    "The {idea} of the {person} was {adjective} and {adjective}.",
    "Our {person} spoke of {idea}, {idea} and {idea}.",
    "It was {a} {adjective} {idea} for the {person}.",
    "If you {do_something_to} the {thing}, I shall {do_something_to} the {thing}.",
    "Can {a} {animal} {do_something_to} {a} {animal}?",
    "{number} {animal}s and {a} {animal} {did} {where}.",
    "I would like to {do_something_to} {your} {thing} {when}.",
    "Nobody {did_something_to} the {stuff} {where}.",
    "What {a} {adjective} {person}, and what {a} {adjective} {thing}!",
    "The {thing} is {adjective}, the {thing} is {adjective}.",
    "{name} has {idea}, but {name} has {stuff}.",
    "Is the {thing} {where} {adjective} or {adjective}?",
)
SIMPLE = {"your": ("your", "his", "her", "their", "this", "that", "another"), "a": ("a",)}
# What a bare s would spoil; sentences with such a plural are left out.
SPOILT_PLURAL = re.compile(
    r"(ch|sh|s|x|f|fe|[^aeiou]y|mouse|sheep|deer|goose|ox|fish|salmon)s( |\.)", flags=re.IGNORECASE
)


def choices() -> dict[str, tuple[str, ...]]:
    """Return the words or phrases of each group."""
    lines = {name: " ".join(text.split()) for name, text in WORDS.items()}
    groups = {name: tuple(line.split(", " if "," in line else " ")) for name, line in lines.items()}
    return {**groups, **SIMPLE}


def make_sentences(count: int, *, seed: int = 0) -> list[str]:
    """Return so many different sentences; the first n of them are the same for every count."""
    chance, groups = random.Random(seed), choices()
    sentences: dict[str, None] = {}
    while len(sentences) < count:
        frame = chance.choice(FRAMES)
        words = re.sub(r"\{(\w+)\}", lambda slot: chance.choice(groups[slot[1]]), frame)
        if re.search(r"\}s", frame) and SPOILT_PLURAL.search(words):
            continue
        sentence = re.sub(r"\ba (?=(?!us|uni)[aeiou])", "an ", words)
        if FEWEST_CHARACTERS <= len(sentence) <= MOST_CHARACTERS:
            sentences.setdefault(sentence[0].upper() + sentence[1:])
    return list(sentences)
