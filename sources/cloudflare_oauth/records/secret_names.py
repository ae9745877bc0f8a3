"""Decides by a field's name alone whether its value may be a secret; in doubt it may.

A name is split into words, in whatever style it is written. It is a secret's if one of its words is
(`_WORDS`), or ends as secrets do (`_LAST_LETTERS`), or if the words, written as one, contain what only
secrets' names contain (`_PARTS`, for names such as `clientsecret` and `pass_word`). What only describes a
secret ends in one of `_DESCRIBING`, or is one of the few known phrases of `_PUBLIC`.
"""

import re
import unicodedata

from .tables import TABLES

# `APIKeys2` is API, Keys, 2, and `OTPs` is one word.
_WORD = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")

_DESCRIBING = frozenset({"at", "ttl", "lifetime", "alg", "method", "count"})


def _each(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS = _each(
    """
    answer apikey assertion authn authz bearer cert certificate cipher ciphertext cookie cred credential
    crypt csrf cvc cvv decrypted dsn encrypted hmac hotp jwe jwk jws jwt key keychain keyfile keypair
    keyring keystore keytab kubeconfig macaroon mfa mnemonic netrc nonce otp pass passcode passkey
    passphrase passwd password pat pem pepper pfx pgp pin pkcs plaintext presigned psk puk pw pwd salt
    sas secret seed sess session sid sig signature ssh ssn tfa token totp truststore twofa verifier
    webhook xsrf
    """
)
_LAST_WORDS = frozenset({"auth", "authentication"})
_LAST_LETTERS = ("key", "keys", "pass", "pwd")

_PARTS = _each(
    """
    accesscode accessid accesskey activationcode apikey assertion authcode authentication authheader
    authorisation authorization authtoken backupcode basicauth bearer certificate ciphertext clientkey
    connectionstring connectionuri connectionurl connstr cookie credential databaseuri databaseurl dburi
    dburl devicecode encrypted encryptionkey githubpat hmac hookurl invitationcode invitecode jdbc
    jsessionid keyfile keypair keystore loginlink magiclink passcode passkey passphrase passwd password
    passwort phpsessid privatekey privatepem pwd recoverycode recoveryphrase resetlink secret
    securityanswer securitycode seedphrase sessid sessionid sessionkey signature signedurl sshkey token
    usercode verificationcode verifier webhook
    """
)

# Longer words that contain one of the above and mean something else.
_HARMLESS = _each(
    """
    bypass compass donkey donkeys encompass hockey jockey keyboard keyboards keyframe keyframes keynote
    keynotes keypad keystroke keystrokes keyword keywords lackey monkey monkeys overpass pubkey
    publickey secretariat secretariats secretaries secretary surpass tokenization tokenize tokenized
    tokenizer trespass turkey underpass whiskey
    """
)
# Metadata of OAuth clients and servers that is public by its definition (RFC 7591, RFC 8414).
_PUBLIC = (
    ("public", "key"),
    ("public", "keys"),
    ("jwks", "uri"),
    ("token", "endpoint"),
    ("token", "type"),
    ("authorization", "endpoint"),
)

_DECLARED = frozenset(
    part for _, columns in TABLES.values() for column in columns for part in column.name.split("__")
)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name may hold a secret; a declared field never does."""
    if name in _DECLARED:
        return False
    words = _words(name)
    if not words or words[-1] in _DESCRIBING:
        return False
    words = _without_public_phrases(words)
    if words and words[-1] in _LAST_WORDS:
        return True
    telling = [word if word not in _HARMLESS else " " for word in words]
    if any(_is_secret_word(word) for word in telling):
        return True
    as_one = "".join(telling)
    return as_one in _WORDS or any(part in as_one for part in _PARTS)


def _words(name: str) -> list[str]:
    if not name.isascii():
        # Full-width and decorated letters become plain ones; accents and invisible characters go.
        name = "".join(
            letter
            for letter in unicodedata.normalize("NFKD", name)
            if unicodedata.category(letter) not in ("Mn", "Cf")
        )
    return [word.lower() for word in _WORD.findall(name)]


def _without_public_phrases(words: list[str]) -> list[str]:
    for phrase in _PUBLIC:
        for start in range(len(words) - 1):
            if tuple(words[start : start + 2]) == phrase:
                return [*words[:start], " ", *words[start + 2 :]]
    return words


def _is_secret_word(word: str) -> bool:
    return word in _WORDS or word.removesuffix("s") in _WORDS or word.endswith(_LAST_LETTERS)
