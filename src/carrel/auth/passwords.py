"""Which passwords are taken. Pure; how they are kept is the business of `hashing`."""

import re
import unicodedata

SHORTEST, LONGEST = 10, 1_000
FEWEST_DIFFERENT = 5
RUNS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
)
# What the lists of leaked passwords are made of, once figures and signs around the word are taken away.
COMMON = frozenset(
    """
    password passwords passw passwort motdepasse contrasena senha parola admin administrator root superuser user
    letmein welcome welcomeback login signin master dragon monkey shadow sunshine princess football baseball basketball
    superman batman spiderman starwars pokemon iloveyou iloveu loveyou lovely trustno trustnoone whatever qwerty qwertz
    azerty qwertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm abc abcd abcdef secret topsecret changeme changeit changethis
    default guest test testing tester temp temporary demo example sample access hello helloworld freedom michael jordan
    jennifer charlie liverpool arsenal chelsea computer internet samsung google facebook microsoft
    correcthorsebatterystaple mypassword thepassword newpassword oldpassword yourpassword passwordpassword adminadmin
    testtest carrel
    spring summer autumn winter january february march april june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    """.split()  # noqa: SIM905  (a list with quotes would be three times as long)
)
LEET = str.maketrans("013457@$!", "oieastasi")
EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def normalised(password: str) -> str:
    """The password as it is hashed: one form for what looks the same, whichever keyboard wrote it."""
    return unicodedata.normalize("NFC", password)


def weakness(password: str, *related: str) -> str | None:
    """Why a new password is refused, as a sentence, or None. `related` is what anybody knows of its owner."""
    password = normalised(password)
    if not SHORTEST <= len(password) <= LONGEST:
        return f"A password has {SHORTEST} to {LONGEST:,} characters."
    if any(unicodedata.category(char) == "Cc" for char in password):
        return "A password has no control characters."
    plain = password.casefold()
    if len(set(plain)) < FEWEST_DIFFERENT or any(plain in run or plain in run[::-1] for run in RUNS):
        return "The password is a repetition or a row of keys."
    if not COMMON.isdisjoint(_cores(plain)):
        return "The password is among those that are tried first."
    if any(len(word) > 3 and plain.strip() in {word.casefold(), word.casefold()[::-1]} for word in related):
        return "The password is your own name or address."
    return None


def _cores(plain: str) -> set[str]:
    """The words in the middle of a password, with the usual disguises taken off."""
    squeezed = plain.replace(" ", "").replace("-", "").replace("_", "").replace(".", "")
    stripped = EDGES.sub("", squeezed)
    return {squeezed, stripped, stripped.translate(LEET), EDGES.sub("", squeezed.translate(LEET))}
