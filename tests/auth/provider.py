"""A provider of identities as a process of its own, honest unless it is told otherwise: `python provider.py`.

It prints its port. What is posted to `/control` changes what it says; `{}` makes it honest again. It stands on
http.server and PyJWT alone, so that it starts at once.
"""

import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

CLIENT, SECRET = "carrel", "a secret / of the client: 32 bytes"
ALGORITHMS: dict[str, Any] = {
    "RS256": jwt.algorithms.RSAAlgorithm,
    "ES256": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}


def new_keys() -> dict[str, Any]:
    return {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


class State:
    """What the provider knows, and how it was told to behave."""

    def __init__(self) -> None:
        self.keys, self.strangers, self.generation = new_keys(), new_keys(), 1
        self.small = rsa.generate_private_key(65537, 1024)
        self.codes: dict[str, dict[str, str]] = {}
        self.orders: dict[str, Any] = {}
        self.asked: dict[str, int] = {}

    def kid(self, algorithm: str) -> str:
        return f"{algorithm} {self.generation}"

    def jwks(self) -> dict[str, Any]:
        keys = [
            {**json.loads(ALGORITHMS[name].to_jwk(key.public_key())), "kid": self.kid(name), "use": "sig", "alg": name}
            for name, key in self.keys.items()
        ]
        if self.orders.get("sign") == "small":
            keys = [{**json.loads(ALGORITHMS["RS256"].to_jwk(self.small.public_key())), "kid": "small"}]
        return {"keys": keys}

    def id_token(self, issuer: str, login: dict[str, str]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {"iss": issuer, "aud": CLIENT, "sub": "lina", "iat": now, "exp": now + 300}
        claims |= {"nonce": login["nonce"], "email": "lina@example.org", "email_verified": True, "name": "Lina Haddad"}
        claims |= self.orders.get("claims", {})
        claims = {name: value for name, value in claims.items() if value is not None}
        for name in ("exp", "iat"):
            if isinstance(claims.get(name), str) and claims[name].startswith("now"):
                claims[name] = now + int(claims[name][3:])
        return self.signed(claims)

    def signed(self, claims: dict[str, Any]) -> str:
        how = self.orders.get("sign", "RS256")
        header = self.orders.get("header", {})
        if how in self.keys:
            keys = self.strangers if self.orders.get("stranger") else self.keys
            return jwt.encode(claims, keys[how], how, headers={"kid": self.kid(how), **header})
        if how == "small":
            return jwt.encode(claims, self.small, "RS256", headers={"kid": "small"})
        if how == "none":
            return unsigned(claims)
        if how == "HS256 with the secret":
            return by_hand(claims, SECRET.encode(), {"kid": self.kid("RS256")})
        if how == "HS256 with the public key":
            pem = (
                self.keys["RS256"]
                .public_key()
                .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            )
            return by_hand(claims, pem, {"kid": self.kid("RS256")})
        return str(how)


def unsigned(claims: dict[str, Any]) -> str:
    head, body = (encoded(json.dumps(part).encode()) for part in ({"alg": "none", "typ": "JWT"}, claims))
    return f"{head}.{body}."


def by_hand(claims: dict[str, Any], secret: bytes, header: dict[str, str]) -> str:
    """What the library refuses to make."""
    head, body = (encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT", **header}, claims))
    return f"{head}.{body}.{encoded(hmac.digest(secret, f'{head}.{body}'.encode(), hashlib.sha256))}"


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Handler(BaseHTTPRequestHandler):
    state: State
    port: int

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.count(url.path)
        if self.disturbed(url.path):
            return
        if url.path == "/.well-known/openid-configuration":
            self.answer(200, self.discovery())
        elif url.path == "/jwks":
            self.answer(200, self.state.jwks())
        elif url.path == "/authorize":
            self.authorize(query)
        elif url.path == "/userinfo":
            self.answer(200, {"sub": "lina", **self.state.orders.get("userinfo", {})})
        elif url.path == "/asked":
            self.answer(200, self.state.asked)
        else:
            self.answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.count(self.path)
        if self.path == "/control":
            self.state.orders, self.state.asked = json.loads(body), {}
            if self.state.orders.get("rotate"):
                self.state.keys, self.state.generation = new_keys(), self.state.generation + 1
            self.answer(200, {})
        elif not self.disturbed(self.path):
            self.exchange({name: values[0] for name, values in parse_qs(body).items()})

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def discovery(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            **self.state.orders.get("discovery", {}),
        }
        return {name: value for name, value in found.items() if value is not None}

    def authorize(self, query: dict[str, str]) -> None:
        """Everybody who comes is Lina, who is logged in already and agrees."""
        right = query["client_id"] == CLIENT and query["response_type"] == "code" and "openid" in query["scope"].split()
        if not right or query["code_challenge_method"] != "S256" or len(query["state"]) < 20:
            self.answer(400, {"error": "invalid_request"})
            return
        code = secrets.token_urlsafe(16)
        self.state.codes[code] = query
        back = {"state": query["state"], **self.state.orders.get("back", {"code": code})}
        self.send_response(302)
        self.send_header("Location", f"{query['redirect_uri']}?{urlencode(back)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def exchange(self, form: dict[str, str]) -> None:
        login = self.state.codes.get(form.get("code", ""))
        if not self.state.orders.get("forgetful"):
            self.state.codes.pop(form.get("code", ""), None)
        if not self.is_our_client(form):
            self.answer(401, {"error": "invalid_client"})
            return
        challenge = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if login is None or (challenge, form["redirect_uri"]) != (login["code_challenge"], login["redirect_uri"]):
            self.answer(400, {"error": "invalid_grant"})
            return
        given = {"access_token": "an access token", "token_type": "Bearer"}
        self.answer(200, {**given, "id_token": self.state.id_token(self.issuer, login)})

    def is_our_client(self, form: dict[str, str]) -> bool:
        discovery = self.state.orders.get("discovery", {})
        if discovery.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]:
            return form.get("client_secret") == SECRET and "Authorization" not in self.headers
        _, _, given = self.headers.get("Authorization", "").partition(" ")
        name, _, secret = base64.b64decode(given).decode().partition(":")
        return (unquote(name), unquote(secret)) == (CLIENT, SECRET) and secret == quote(SECRET, safe="")

    def disturbed(self, path: str) -> bool:
        """Do what was ordered for this path instead of answering."""
        trouble = self.state.orders.get("trouble", {}).get(path)
        if trouble is None:
            return False
        time.sleep(trouble.get("sleep", 0))
        self.send_response(trouble.get("status", 200))
        for name, value in trouble.get("headers", {}).items():
            self.send_header(name, value)
        body = (trouble.get("body", "") * trouble.get("times", 1)).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            for at in range(0, len(body), 10_000 if "drip" not in trouble else 1):
                self.wfile.write(body[at : at + (10_000 if "drip" not in trouble else 1)])
                time.sleep(trouble.get("drip", 0))
        except OSError:
            self.close_connection = True
        return True

    def count(self, path: str) -> None:
        self.state.asked[path] = self.state.asked.get(path, 0) + 1

    def answer(self, status: int, found: dict[str, Any]) -> None:
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Says nothing."""


def main() -> None:
    Handler.state = State()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.port = server.server_port
    sys.stdout.write(f"{Handler.port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
