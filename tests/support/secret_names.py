"""Names of fields that may hold secrets, from the filter lists of frameworks and secret scanners."""

import re
from collections.abc import Iterator

# Rails, Django, Sentry, Laravel, gitleaks, trufflehog, detect-secrets, OAuth 2.0 and OpenID Connect.
PHRASES = """
access key id|access token|activation code|api key|api secret|app secret|assertion|auth|auth code
auth token|authorization|authorization code|aws secret access key|backup codes token|basic auth|bearer
bearer token|bind password|certificate|client assertion|client certificate|client key|client secret
client secret hash|client secret plain|client secret sha256|client secret v2|code verifier
connection string|cookie|credential|credentials|csrf|csrf token|cvv|database url|db pass|db password
device code|dsn|encrypted value|encryption key|github pat|hmac|hmac key|hook url|htpasswd|id token
invite code|jwe|jwks|jwt|key|keys|keystore|license key|magic link|master key|mfa|mnemonic|mysql pwd|nonce
old secret|oauth verifier|otp|otps|pass|passcode|passkey|passphrase|passwd|password|password confirmation
password digest|passwords|pem|pepper|php sessid|pin|previous client secret|private key|private key pem
proxy authorization|psk|pwd|recovery code|refresh token|registration access token|salt|sas token|secret
secret 1|secret 2|secret base64|secret encrypted|secret text|secret value|secrets|security answer
security code|seed|seed phrase|service account key|session|session id|session key|set cookie|sid|sig
signature|signed url|signing key|signing secret|slack webhook|ssh key|ssn|token|token 1|token hash
token value|tokens|totp|user code|verification code|webhook|webhook url|x api key|x auth key|xsrf token
""".strip()

# Glued, the words of these tell nothing, or tell something else.
NOT_GLUED = {"mfa", "pin", "sid", "sig", "ssn"}

_PLAIN = """
access_approval_expiry account_id allowed_cors_origins api_access_enabled api_keyboard author authors
authorization_endpoint authorized_domains bypass_reason category classes client_id client_name
client_secret_expires_at client_uri_verification code_challenge_method compass_heading country_code
created_on description design donkey error_code grant_types id_token_signed_response_alg keyboard keynote
keywords laptop monkey name oauth_app_enabled opinion passenger passive passport_url pattern pinned_by
possession public_key redirect_uris rotated_secret_count scopes secret-rotated-at secret.lifetime
secretCreatedAt secret_created_at secretary signed_by spinning tokenTTL tokenTtl token_endpoint
token_endpoint_auth_method token_lifetime token_ttl token_type tokenizer Token-Count jwks_uri
has_rotated_secret visibility 秘密
"""
PLAIN = _PLAIN.split()


def _spelled(phrase: str) -> Iterator[str]:
    words = phrase.split()
    camel = words[0] + "".join(word.title() for word in words[1:])
    yield from (separator.join(words) for separator in "_-. /:")
    yield from ("_".join(words).upper(), "-".join(word.title() for word in words))
    yield from (camel, camel[0].upper() + camel[1:], f"__{'_'.join(words)}__", f"the_{'_'.join(words)}")
    # Full-width letters, as U+FF41 is one of `a`.
    yield "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else "_" for letter in phrase)
    yield "\u200b".join("_".join(words))
    if phrase not in NOT_GLUED:
        yield from ("".join(words), "".join(words).upper())


SECRET_NAMES = sorted({name for phrase in re.split(r"[|\n]", PHRASES) for name in _spelled(phrase)})
