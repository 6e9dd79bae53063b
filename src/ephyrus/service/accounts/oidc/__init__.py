"""Login through an OpenID Connect provider (authorization code with PKCE)."""
