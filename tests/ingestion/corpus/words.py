"""One small document in five languages: what every file of the corpus is made from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    language: str
    title: str
    author: str
    first: str
    """A heading."""
    opening: str
    """A paragraph, and so on in the order of the document."""
    items: tuple[str, str]
    second: str
    middle: str
    rows: tuple[tuple[str, str, str], tuple[str, str, str], tuple[str, str, str]]
    third: str
    closing: str
    note: str
    encoding: str
    """An encoding from before UTF-8 in which such texts are still found."""


ENGLISH = Words(
    language="en",
    title="The rules of the reading room",
    author="Ada Birch",
    first="Opening hours",
    opening="The reading room is open from nine to six. Whoever arrives late should ring the bell at the side door.",
    items=("Bring your card.", "Leave your coat at the desk."),
    second="Loans",
    middle="Books are lent for four weeks, and a loan can be renewed twice unless somebody else is waiting for it.",
    rows=(("Kind", "Weeks", "Fee"), ("Novel", "4", "none"), ("Atlas", "1", "small")),
    third="Lost books",
    closing="A lost book must be replaced with the same edition, or paid for at the price that the shop asks.",
    note="This does not hold for gifts.",
    encoding="cp1252",
)
GERMAN = Words(
    language="de",
    title="Die Ordnung des Lesesaals",
    author="Jörg Müßig",
    first="Öffnungszeiten",
    opening="Der Lesesaal ist von neun bis achtzehn Uhr geöffnet. Wer später kommt, läutet an der Tür zum Hof.",
    items=("Bringen Sie Ihren Ausweis mit.", "Geben Sie den Mantel am Empfang ab."),
    second="Ausleihe",
    middle="Bücher werden vier Wochen verliehen, und eine Leihe kann zweimal verlängert werden, falls keiner wartet.",
    rows=(("Art", "Wochen", "Gebühr"), ("Roman", "4", "keine"), ("Atlas", "1", "klein")),
    third="Verlorene Bücher",
    closing="Ein verlorenes Buch muss in derselben Ausgabe ersetzt oder zum Preis des Ladens bezahlt werden.",
    note="Für Geschenke gilt das nicht.",
    encoding="cp1252",
)
FRENCH = Words(
    language="fr",
    title="Le règlement de la salle de lecture",
    author="Hélène Garçon",
    first="Heures d'ouverture",
    opening="La salle de lecture est ouverte de neuf heures à dix-huit heures. Les retardataires sonnent à la porte.",
    items=("Apportez votre carte.", "Déposez votre manteau à l'accueil."),
    second="Prêts",
    middle="Les livres sont prêtés pour quatre semaines, et un prêt peut être renouvelé deux fois si nul n'attend.",
    rows=(("Genre", "Semaines", "Frais"), ("Roman", "4", "aucun"), ("Atlas", "1", "réduit")),
    third="Livres perdus",
    closing="Un livre perdu doit être remplacé par la même édition ou payé au prix que demande la librairie.",
    note="Cela ne vaut pas pour les dons.",
    encoding="cp1252",
)
SPANISH = Words(
    language="es",
    title="El reglamento de la sala de lectura",
    author="Íñigo Muñoz",
    first="Horario de apertura",
    opening="La sala de lectura está abierta de nueve a seis. Quien llegue tarde debe tocar el timbre de la puerta.",
    items=("Traiga su carné.", "Deje el abrigo en la recepción."),
    second="Préstamos",
    middle="Los libros se prestan por cuatro semanas, y un préstamo se puede renovar dos veces si nadie más lo espera.",
    rows=(("Clase", "Semanas", "Cuota"), ("Novela", "4", "ninguna"), ("Atlas", "1", "pequeña")),
    third="Libros perdidos",
    closing="Un libro perdido debe ser sustituido por la misma edición o pagado al precio que pida la librería.",
    note="Esto no vale para los regalos.",
    encoding="cp1252",
)
ARABIC = Words(
    language="ar",
    title="نظام قاعة المطالعة",
    author="ليلى الأحمد",
    first="ساعات العمل",
    opening="تفتح قاعة المطالعة أبوابها من التاسعة إلى السادسة. ومن يصل متأخرا فعليه أن يقرع الجرس عند الباب الجانبي.",
    items=("أحضر بطاقتك معك.", "اترك معطفك عند الاستقبال."),
    second="الإعارة",
    middle="تعار الكتب لمدة أربعة أسابيع، ويمكن تجديد الإعارة مرتين إذا لم يكن هناك من ينتظر الكتاب.",
    rows=(("النوع", "الأسابيع", "الرسم"), ("رواية", "4", "مجانا"), ("أطلس", "1", "قليل")),
    third="الكتب المفقودة",
    closing="يجب استبدال الكتاب المفقود بالطبعة نفسها أو دفع ثمنه كما يطلبه صاحب المكتبة.",
    note="لا يسري هذا على الهدايا.",
    encoding="cp1256",
)
LANGUAGES = (ENGLISH, GERMAN, FRENCH, SPANISH, ARABIC)


def lines(rows: tuple[tuple[str, ...], ...], between: str = "\t") -> str:
    return "\n".join(between.join(row) for row in rows)
