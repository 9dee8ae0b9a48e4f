"""Small grammars of Spanish, German and French, for pages in another language than the world's."""

from __future__ import annotations

from lab.world.draw import Draw

LANGUAGES = ("es", "de", "fr")
_SLOTS: dict[str, dict[str, tuple[str, ...]]] = {
    "es": {
        "who": (
            "la panadera",
            "el médico",
            "mi hermana",
            "el viejo pescador",
            "la maestra",
            "nuestro vecino",
            "el jardinero",
        ),
        "does": ("vive cerca de", "trabaja en", "camina hacia", "habla mucho de", "siempre vuelve a", "piensa en"),
        "where": (
            "la plaza",
            "el mercado",
            "la escuela",
            "el puerto",
            "el bosque",
            "la ciudad",
            "la montaña",
            "el río",
        ),
        "what": (
            "una manzana",
            "un libro antiguo",
            "el pan caliente",
            "una carta",
            "la sopa de pescado",
            "un sombrero",
        ),
        "when": ("por la mañana", "cuando llueve", "todos los domingos", "en invierno", "después de comer", "de noche"),
    },
    "de": {
        "who": (
            "die Bäckerin",
            "der Arzt",
            "meine Schwester",
            "der alte Fischer",
            "die Lehrerin",
            "unser Nachbar",
            "der Gärtner",
        ),
        "does": (
            "wohnt neben",
            "arbeitet gern in",
            "geht langsam zu",
            "erzählt oft von",
            "kommt zurück aus",
            "denkt an",
        ),
        "where": ("dem Marktplatz", "der Schule", "dem Hafen", "dem Wald", "der Stadt", "dem Gebirge", "der Brücke"),
        "what": ("einen Apfel", "ein altes Buch", "das warme Brot", "einen Brief", "die Fischsuppe", "einen Hut"),
        "when": ("am Morgen", "wenn es regnet", "jeden Sonntag", "im Winter", "nach dem Essen", "in der Nacht"),
    },
    "fr": {
        "who": (
            "la boulangère",
            "le médecin",
            "ma sœur",
            "le vieux pêcheur",
            "la maîtresse",
            "notre voisin",
            "le jardinier",
        ),
        "does": ("habite près de", "travaille souvent dans", "marche vers", "parle beaucoup de", "pense encore à"),
        "where": (
            "la place du village",
            "la grande école",
            "la forêt",
            "la vieille ville",
            "la montagne",
            "la rivière",
        ),
        "what": (
            "une pomme rouge",
            "un vieux livre",
            "le pain chaud",
            "une longue lettre",
            "la soupe de poisson",
            "un chapeau",
        ),
        "when": ("le matin", "quand il pleut", "tous les dimanches", "en hiver", "après le repas", "pendant la nuit"),
    },
}
_PATTERNS: dict[str, tuple[str, ...]] = {
    "es": (
        "{when} {who} {does} {where}.",
        "{who} {does} {where} y lleva {what}.",
        "{who} no quiere {what}, porque ya tiene {what2}.",
        "¿Dónde está {what}? {who} lo dejó cerca de {where}.",
        "{when} {who} compra {what} y vuelve a casa.",
    ),
    "de": (
        "{who} {does} {where}.",
        "{when} kauft {who} {what} und geht nach Hause.",
        "{who} möchte {what} nicht, weil schon {what2} auf dem Tisch liegt.",
        "Wo ist es? {who} hat {what} bei {where} vergessen.",
        "{when} sucht {who} {what}, aber niemand weiß etwas davon.",
    ),
    "fr": (
        "{when}, {who} {does} {where}.",
        "{who} {does} {where} et porte {what}.",
        "{who} ne veut pas {what}, parce qu'il y a déjà {what2}.",
        "Où est {what} ? {who} l'a laissé près de {where}.",
        "{when}, {who} achète {what} et rentre à la maison.",
    ),
}


def foreign(random: Draw, language: str, sentences: int) -> str:
    """So many sentences in one of `LANGUAGES`, in paragraphs of about four."""
    slots, said = _SLOTS[language], []
    for _ in range(sentences):
        chosen = {name: random.choice(values) for name, values in slots.items()}
        chosen["what2"] = random.choice(slots["what"])
        sentence = random.choice(_PATTERNS[language]).format(**chosen)
        start = 1 if sentence[0] == "¿" else 0
        said.append(sentence[:start] + sentence[start].upper() + sentence[start + 1 :])
    return "\n".join(" ".join(said[start : start + 4]) for start in range(0, len(said), 4))
