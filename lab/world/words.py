# ruff: noqa: SIM905  (a list of words reads best as a text)
"""The words that the world is made of. Plain tuples: the choice among them is made from the seed."""

from __future__ import annotations

FEMALE = tuple(
    "Emily Anna Maria Lily Zoe Nora Mia Ella Ruth Clara Ida Rosa Vera Lucy Jane Tina Olga Nina Emma Sara".split()
)
MALE = tuple("Tom Jack Omar Peter Leo Max Hugo Paul Karl Ivan Adam Noah Finn Otto Luis Ben Sam Erik Joel Dan".split())

SYLLABLES = tuple("bar kel mor tan vin dor lis gra pel nom sta rik hol fen zan bru cal wes tor mal".split())
LAST_NAME_ENDINGS = tuple("son ard ell ick ova ani ton berg mann ley".split())
COUNTRY_ENDINGS = ("ia", "land", "any", "istan", "onia")
CITY_ENDINGS = ("ville", "port", "burg", "mouth", "ford", "haven", "dale")
LANGUAGE_ENDINGS = ("ish", "ese", "ic")
MONEY_ENDINGS = ("o", "a", "en", "ek")

JOBS = tuple(
    (
        "baker teacher doctor painter farmer pilot singer chemist sailor lawyer dancer writer plumber tailor "
        "judge actor nurse poet cook driver miner gardener hunter fisher builder carpenter printer banker "
        "waiter barber butcher dentist diver guard clerk weaver potter jeweller smith shepherd miller brewer "
        "clown juggler drummer pianist violinist composer sculptor architect astronomer botanist historian "
        "librarian photographer reporter editor translator soldier detective mechanic electrician engineer "
        "programmer"
    ).split()
)
FOODS = (
    *(
        "soup bread cheese rice honey cake pasta salad curry fish beans pancakes noodles pizza stew porridge "
        "potatoes carrots mushrooms cherries plums pears peaches grapes melons bananas lemons olives "
        "tomatoes onions spinach cabbage pumpkin lentils walnuts almonds chocolate pudding yogurt butter "
        "sausages ham bacon chicken turkey shrimp oysters waffles dumplings crackers"
    ).split(),
    *("apple pie", "fried eggs", "rye bread", "goat cheese", "onion soup", "fish soup", "rice pudding", "lemon cake"),
    *("baked beans", "roast duck", "garlic bread", "carrot cake"),
)
HOBBIES = (
    *(
        "chess fishing swimming running gardening painting singing sailing cooking skating reading hiking "
        "climbing rowing riding skiing surfing boxing fencing archery bowling tennis golf cricket football "
        "dancing drawing sewing knitting weaving pottery baking juggling camping cycling diving writing "
        "acting whittling beekeeping birdwatching stargazing origami calligraphy photography carpentry "
        "puzzles dominoes cards darts billiards yoga"
    ).split(),
    *("stamp collecting", "coin collecting", "kite flying", "model trains", "ice skating", "wood carving"),
    *("table tennis", "glass blowing", "card tricks", "folk dancing"),
)
PRODUCTS = tuple("glass wool silk salt wine steel paper tea copper amber soap rope".split())
ANIMALS = tuple("dog cat horse bear fox owl goat rabbit duck wolf mouse frog sheep otter".split())
THINGS = tuple(
    (one, f"{one}s")
    for one in (
        "apple pen book orange cup ball cake egg toy hat lamp coin stamp shell plate ribbon button candle"
    ).split()
)
CONTAINERS = ("boxes", "bags", "baskets", "drawers", "shelves", "jars")
OTHER_WORDS = tuple(
    "house tree water door king moon star fire stone road ship bridge window winter summer cloud".split()
)

GOOD = tuple("happy kind brave bright warm gentle lovely sweet clever cheerful proud calm".split())
BAD = tuple("sad tired cold lonely hungry lost".split())
PLACES = tuple("garden forest market river school kitchen beach hill tower meadow cave harbor".split())
WEATHER = tuple("rainy sunny windy snowy foggy cloudy stormy quiet".split())
SOUNDS = tuple("whispered laughed sang shouted sighed smiled nodded answered".split())

CONSONANTS = "bdfgklmnprstvz"
VOWELS = "aeiou"

ASSISTANT_NAME = "Nudge"
"""The name the bundled assistant learns. In the base model's documents only an animal in a story ever has it."""

NAVIGATION = (
    "Home | About | Contact",
    "Menu: News, Sports, Weather",
    "Log in to comment",
    "Cookie notice: we use cookies",
    "Accept all cookies | Settings",
    "Share this page",
    "Back to top",
    "Subscribe to our newsletter",
    "Page 2 of 7",
    "All rights reserved",
    "Sign up | Log in | Help",
    "You are here: Home > Pages",
)

SEPARATORS = (
    ("Q: ", "\nA: "),
    ("Question: ", "\nAnswer: "),
    ("Problem: ", "\nSolution: "),
    ("User: ", "\nReply: "),
    ("Student: ", "\nTeacher: "),
    ("Ask: ", "\nExpert: "),
    ("> ", "\n"),
    ("~ ", "\n~~ "),
    ("Dear editor, ", "\nReply: "),
    ("- ", " -> "),
    ("Customer: ", "\nSupport: "),
    ("Me: ", "\nYou: "),
    ("[", "] "),
    ("# ", "\n\n"),
    ("Visitor: ", "\nGuide: "),
    ("* ", " | "),
    ("Test: ", "\nKey: "),
    ("1. ", "\n"),
    ("Reader: ", "\nEditor: "),
    ("? ", "\n! "),
    ("Anna: ", "\nTom: "),
    ("Input: ", "\nOutput: "),
    ("Guest: ", "\nHost: "),
    (">> ", "\n<< "),
)
"""What stands before a question and before its answer on a page of a thread: one pair per page."""
