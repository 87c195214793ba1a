"""Titles and genres of items that never were."""

import numpy as np
from numpy.typing import NDArray

GENRE_SHARES = {
    "Action": 0.09, "Adventure": 0.06, "Animation": 0.04, "Children": 0.04, "Comedy": 0.16, "Crime": 0.06,
    "Documentary": 0.08, "Drama": 0.20, "Fantasy": 0.03, "Film-Noir": 0.01, "Horror": 0.06, "Musical": 0.02,
    "Mystery": 0.02, "Romance": 0.05, "Sci-Fi": 0.03, "Thriller": 0.03, "War": 0.01, "Western": 0.01,
}  # fmt: skip
"""Which genres there are, in alphabetical order, and the share of the items that each is the first genre of."""

# What the titles of a genre are about, in the order of GENRE_SHARES.
_NOUNS = (
    "Chase Siege Convoy Strike Vault Getaway Ambush Detonator Rampart Pursuit Fuse Breakout",
    "Voyage Compass Expedition Island Caravan Summit Map Horizon River Treasure Passage Crossing",
    "Sparrow Robot Teapot Dragonfly Balloon Penguin Clockwork Acorn Firefly Puppet Kite Snowman",
    "Playground Treehouse Puppy Lantern Birthday Sandcastle Pony Rocket Attic Marble Picnic Kitten",
    "Wedding Neighbour Landlord Reunion Mix-Up Holiday Cousin Waiter Twins Honeymoon Prank Butler",
    "Heist Alibi Verdict Ledger Informer Racket Docklands Safe Counterfeit Witness Syndicate Ransom",
    "Archive Glacier Harvest Orchestra Railway Reef Testimony Workshop Census Migration Factory Delta",
    "Inheritance Letter Winter Daughter Orchard Silence Promise Harbour Farewell Kitchen Bridge Portrait",
    "Sorcerer Unicorn Amulet Kingdom Griffin Spell Oracle Enchantment Crown Wyvern Mirror Grove",
    "Alley Cigarette Nightclub Shadow Raincoat Blackmail Staircase Telegram Pier Saxophone Motel Fedora",
    "Crypt Cellar Scarecrow Seance Swamp Asylum Doll Coffin Fog Howl Graveyard Cabin",
    "Chorus Ballroom Melody Overture Encore Serenade Cabaret Spotlight Tango Duet Songbird Revue",
    "Cipher Footprint Key Lighthouse Manor Riddle Stranger Clue Envelope Disappearance Portal Locket",
    "Kiss Rose Valentine Sonnet Courtship Moonlight Bouquet Suitor Rendezvous Elopement Violin Café",
    "Starship Android Orbit Colony Wormhole Nebula Clone Signal Airlock Asteroid Module Terraformer",
    "Hostage Deadline Surveillance Double Intruder Countdown Sniper Conspiracy Exit Trap Courier Shadowing",
    "Trench Battalion Armistice Bunker Regiment Paratrooper Frontline Truce Submarine Medal Outpost Dispatch",
    "Saddle Stagecoach Canyon Sheriff Prairie Saloon Gunslinger Mesa Rustler Homestead Spur Gold-Rush",
)

_ADJECTIVES = (
    "Amber", "Blue", "Borrowed", "Broken", "Burning", "Copper", "Crimson", "Crooked", "Distant", "Electric", "Empty",
    "Endless", "Faded", "Final", "Forgotten", "Frozen", "Gentle", "Gilded", "Golden", "Hidden", "Hollow", "Iron",
    "Ivory", "Last", "Little", "Lonely", "Lost", "Midnight", "Missing", "Northern", "Painted", "Pale", "Paper",
    "Patient", "Quiet", "Reluctant", "Restless", "Rusty", "Scarlet", "Second", "Secret", "Silver", "Sleepless",
    "Southern", "Stolen", "Stubborn", "Sunken", "Tangled", "Thirteenth", "Twisted", "Unlikely", "Velvet", "Wandering",
    "Whispering", "Wild", "Wooden", "Yellow", "Young",
)  # fmt: skip

_FIRST_YEAR, _LAST_YEAR = 1930, 1994  # the ratings begin in 1995


def titles(genre_rows: NDArray[np.integer], rng: np.random.Generator) -> list[str]:
    """One title for each item, no two alike, such as "The Amber Lighthouse III (1987)".

    genre_rows: (n_items,) the row of the item's first genre in GENRE_SHARES. Equal names are numbered as sequels.
    """
    nouns = [words.split() for words in _NOUNS]
    n_names = len(_ADJECTIVES) * len(nouns[0])
    # Each genre goes through its names in an order of its own, again and again: then sequels begin.
    orders = [rng.permutation(n_names) for _ in nouns]
    years = _LAST_YEAR - np.minimum(rng.exponential(15, len(genre_rows)), _LAST_YEAR - _FIRST_YEAR).astype(np.int64)
    n_so_far = [0] * len(nouns)
    result = []
    for genre, year in zip(genre_rows.tolist(), years.tolist(), strict=True):
        part, place = divmod(n_so_far[genre], n_names)
        n_so_far[genre] += 1
        adjective, noun = divmod(int(orders[genre][place]), len(nouns[genre]))
        sequel = f" {_roman(part + 1)}" if part else ""
        result.append(f"The {_ADJECTIVES[adjective]} {nouns[genre][noun]}{sequel} ({year})")
    return result


def _roman(number: int) -> str:
    """The Roman numeral of a whole number above 0."""
    text = ""
    for value, letters in ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
                           (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):  # fmt: skip
        text += letters * (number // value)
        number %= value
    return text
