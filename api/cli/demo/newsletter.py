"""The demo's content: a responsive email with conditions, a product loop and non-ASCII text."""

from __future__ import annotations

from typing import Any

SUBJECT = "{{ profile.first_name | default: 'Hello' }}, the autumn list is here ☂"
PREHEADER = "Three things picked for {{ profile.city | default: 'you' }}."

HTML = """<!DOCTYPE html>
<html lang="{{ profile.language | default: 'en' }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The autumn list</title>
<style>
  body { margin: 0; background: #f4f1ec; font-family: Georgia, 'Times New Roman', serif; color: #2b2a28; }
  .sheet { max-width: 600px; margin: 0 auto; background: #ffffff; }
  .product { width: 33%; display: inline-block; vertical-align: top; }
  .button { background: #23395b; color: #ffffff; padding: 12px 24px; text-decoration: none; display: inline-block; }
  @media (max-width: 480px) { .product { width: 100% !important; display: block !important; } }
</style>
</head>
<body>
<!--[if mso]><table width="600" align="center"><tr><td><![endif]-->
<div class="sheet">
  <p style="font-size:12px"><a href="{% mirror_url %}">View in the browser</a></p>
  <h1>Hello {{ profile.first_name | default: 'friend' }}{% if profile.last_name %} {{ profile.last_name }}{% endif %},</h1>
  {% if profile.country == 'FR' %}<p>Bonjour de Paris : la livraison est offerte en France.</p>
  {% elsif profile.country == 'DE' %}<p>Grüße aus Berlin: kostenloser Versand in Deutschland.</p>
  {% elsif profile.country == 'SA' %}<p dir="rtl">أهلاً وسهلاً، الشحن مجاني هذا الأسبوع.</p>
  {% else %}<p>Shipping is free this week, wherever you read this.</p>{% endif %}
  {% if profile.gender == 'female' %}<p>Your size guide has been updated.</p>{% endif %}
  {% for product in products %}
  <div class="product">
    <a href="https://shop.example/products/{{ product.sku }}?from=autumn&amp;to={{ profile.country | default: 'xx' }}">
      <img src="https://shop.example/img/{{ product.sku }}.jpg" alt="{{ product.name }}" width="180">
    </a>
    <p>{{ forloop.index }}. {{ product.name }} — {{ product.price }} €</p>
  </div>
  {% endfor %}
  <p><a class="button" href="https://shop.example/autumn">See the whole list</a></p>
  {% unless profile.birth_date %}<p><a href="https://shop.example/account/birthday">Tell us your birthday</a></p>{% endunless %}
  <p style="font-size:12px">You get this because you are a customer. <a href="{% unsubscribe_url %}">Unsubscribe</a></p>
</div>
<!--[if mso]></td></tr></table><![endif]-->
</body>
</html>
"""

PARTS: dict[str, str] = {
    "subject": SUBJECT,
    "preheader": PREHEADER,
    "html": HTML,
    "from_name": "Château & Söhne",
    "from_address": "news@mail.example",
    "reply_to": "hello@mail.example",
}

DATA: dict[str, Any] = {
    "products": [
        {"sku": "rain-01", "name": "Regenmantel “Hülya”", "price": "89,00"},
        {"sku": "boot-07", "name": "Boots for puddles", "price": "120,50"},
        {"sku": "lamp-03", "name": "Lampe d'été", "price": "45,90"},
    ]
}

PRODUCT, WHOLE_LIST = "https://shop.example/products/", "https://shop.example/autumn"
BIRTHDAY = "https://shop.example/account/birthday"


def targets(country: str | None, has_birth_date: bool) -> list[str]:
    """Where the visible links of one person's message lead, in their order."""
    to = country or "xx"
    products = [f"{PRODUCT}{product['sku']}?from=autumn&to={to}" for product in DATA["products"]]
    return [*products, WHOLE_LIST, *([] if has_birth_date else [BIRTHDAY])]


def greeting(first_name: str | None, last_name: str | None) -> str:
    """The first line of one person's message."""
    return f"Hello {first_name or 'friend'}{f' {last_name}' if last_name else ''},"


def subject(first_name: str | None) -> str:
    """The subject of one person's message."""
    return f"{first_name or 'Hello'}, the autumn list is here ☂"
