"""The token endpoint's answer (OpenID Connect Core 1.0 §3.1.3.3, RFC 6749 §5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from keys.jwt import MAX_TOKEN_LENGTH
from sso.bounds import json_answer, text
from sso.errors import ClientRefused, TokenResponseInvalid

MAX_RESPONSE_BYTES = 256_000
MAX_ACCESS_TOKEN = 64_000
_WHAT = "The token endpoint's answer"
_OK = 200


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """Tokens as they came, not verified. The access token serves for UserInfo alone."""

    id_token: str = field(repr=False)
    access_token: str | None = field(repr=False)


def parse_token_response(status: int, content_type: str, body: bytes) -> TokenResponse:
    """Raises ClientRefused when our own credentials are refused, else TokenResponseInvalid."""
    if status != _OK:
        _refuse(status, content_type, body)
    answer = json_answer(
        content_type, body, limit=MAX_RESPONSE_BYTES, what=_WHAT, refusal=TokenResponseInvalid
    )
    id_token = text(answer.get("id_token"), MAX_TOKEN_LENGTH)
    if id_token is None:
        raise TokenResponseInvalid(f"{_WHAT} holds no usable id_token.")
    access_token = text(answer.get("access_token"), MAX_ACCESS_TOKEN)
    if access_token is None:
        if "access_token" in answer:
            raise TokenResponseInvalid(f"{_WHAT} holds an unusable access_token.")
    elif str(answer.get("token_type")).lower() != "bearer" or not access_token.isascii():
        raise TokenResponseInvalid(f"{_WHAT} holds a token of another type than Bearer.")
    return TokenResponse(id_token, access_token)


def _refuse(status: int, content_type: str, body: bytes) -> None:
    try:
        answer = json_answer(
            content_type, body, limit=MAX_RESPONSE_BYTES, what=_WHAT, refusal=TokenResponseInvalid
        )
    except TokenResponseInvalid:
        answer = {}
    match answer.get("error"):
        case "invalid_client" | "unauthorized_client":
            raise ClientRefused("The provider refuses our client id or secret: compare them.")
        case "invalid_grant":
            raise TokenResponseInvalid("The provider says that the code is used up or expired.")
        case _:
            raise TokenResponseInvalid(f"The token endpoint answered with status {status}.")
