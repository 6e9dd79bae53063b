"""The page with the login form: plain HTML, without scripts."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from urllib.parse import quote

from ephyrus.service.routes.answers import Answer

__all__ = ["local_path", "login_page"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 10vh auto; max-width: 22rem; padding: 0 1rem }
label, input, button { display: block; width: 100%; box-sizing: border-box }
input, button { font: inherit; padding: .5rem; margin: .2rem 0 1rem }
[role=alert] { border-left: .3rem solid #b00020; padding-left: .7rem }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Log in</h1>
{alert}<form method="post" action="/account/authenticate/">
<input type="hidden" name="next" value="{next}">
<label for="username">User name</label>
<input id="username" name="username" value="{username}" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Log in</button>
</form>
{provider}<details>
<summary>Log in with a token</summary>
<form method="post" action="/account/authenticate/">
<input type="hidden" name="next" value="{next}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="off" required>
<button type="submit">Log in</button>
</form>
</details>
</main>
</body>
</html>
"""


def login_page(
    *,
    status: int = 200,
    alert: str = "",
    username: str = "",
    next_path: str = "/",
    with_provider: bool = False,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Make the page.

    Parameters
    ----------
    status : int
        HTTP status.
    alert : str
        What went wrong.
    username : str
        What was typed before.
    next_path : str
        Where to go after the login, see `local_path`.
    with_provider : bool
        Offer the login through a provider.
    headers : dict of str to str, optional
        Further headers.
    """
    link = f'<p><a href="/account/oidc/login/?next={quote(next_path, safe="/")}">'
    text = _PAGE.format(
        style=_STYLE,
        alert=f'<p role="alert">{escape(alert)}</p>\n' if alert else "",
        next=escape(next_path),
        username=escape(username),
        provider=f"{link}Log in through your institution</a></p>\n" if with_provider else "",
    )
    return Answer(
        status=status,
        body=text.encode(),
        media_type="text/html; charset=utf-8",
        headers={**_HEADERS, **(headers or {})},
    )


def local_path(text: str) -> str:
    r"""Give a path of this service, or ``/`` for anything that leads elsewhere.

    Parameters
    ----------
    text : str
        What a link or form says; a browser would follow ``//host``, ``/\host`` and addresses with
        control characters to other sites.
    """
    is_plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    is_local = text.startswith("/") and not text.startswith("//")
    return text if is_plain and is_local and len(text) <= 2000 else "/"
