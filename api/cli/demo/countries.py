"""Where the demo's people live and what they are called there. Names are ordinary ones, people are nobody; `#` is a digit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """One country. A name written `native|latin` has a spelling for addresses of its own."""

    code: str
    language: str
    zone: str
    weight: int  # how many of the people live here
    female: tuple[str, ...]
    male: tuple[str, ...]
    families: tuple[str, ...]
    cities: tuple[tuple[str, str], ...]  # name, postal code
    streets: tuple[str, ...]
    mobile: str  # as people write it at home
    domains: tuple[str, ...] = ("mail.example", "post.example", "inbox.example")
    unusual_domain: str | None = None  # one that is not ASCII


COUNTRIES: tuple[Country, ...] = (
    Country(
        code="FR", language="fr", zone="Europe/Paris", weight=18,
        female=("Zoé", "Hélène", "Anaïs", "Maëlle", "Françoise", "Chloé"),
        male=("François", "Jérôme", "Loïc", "Noël", "Théo", "Rémi"),
        families=("Lefèvre", "D'Aubigné", "Müller-Roux", "L'Hôpital", "Guérin", "Bœuf", "Saint-Exupéry"),
        cities=(("Paris", "75011"), ("Besançon", "25000"), ("Saint-Étienne", "42000"), ("Nîmes", "30900")),
        streets=("rue de l'Église", "boulevard Voltaire", "allée des Châtaigniers"),
        mobile="06 ## ## ## ##", domains=("courrier.example", "mail.example"), unusual_domain="château.example",
    ),
    Country(
        code="DE", language="de", zone="Europe/Berlin", weight=16,
        female=("Jördis", "Käthe", "Zoë", "Hannelore", "Heike"),
        male=("Jörg", "Günther", "Björn", "Sönke", "Matthäus"),
        families=("Weiß", "Schröder", "von und zu Ähren", "Groß", "Müller", "Kühn"),
        cities=(("Köln", "50667"), ("München", "80331"), ("Düsseldorf", "40210"), ("Görlitz", "02826")),
        streets=("Große Straße", "Am Brünnchen", "Mühlenweg"),
        mobile="0151 ########", domains=("post.example", "brief.example"), unusual_domain="bücher.example",
    ),
    Country(
        code="ES", language="es", zone="Europe/Madrid", weight=10,
        female=("Núria", "Begoña", "María José", "Inés"), male=("Íñigo", "Andrés", "José", "Ramón"),
        families=("Núñez", "García Márquez", "Ibáñez", "Peña", "O'Donnell"),
        cities=(("A Coruña", "15001"), ("Málaga", "29001"), ("León", "24001")),
        streets=("calle Mayor", "paseo de la Castellana"),
        mobile="6## ## ## ##", domains=("correo.example",), unusual_domain="españa.example",
    ),
    Country(
        code="IE", language="en", zone="Europe/Dublin", weight=6,
        female=("Siobhán", "Aoife", "Róisín"), male=("Seán", "Pádraig", "Cillian"),
        families=("O'Neill", "O'Brien", "Mac Gabhann", "Ní Dhomhnaill"),
        cities=(("Dún Laoghaire", "A96 X6E0"), ("Cork", "T12 W8EP")), streets=("St Stephen's Green", "Main Street"),
        mobile="087 ### ####",
    ),
    Country(
        code="PL", language="pl", zone="Europe/Warsaw", weight=8,
        female=("Małgorzata", "Żaneta", "Łucja"), male=("Łukasz", "Paweł", "Świętosław"),
        families=("Wójcik", "Gżegżółka", "Śliwa", "Brzęczyszczykiewicz"),
        cities=(("Łódź", "90-001"), ("Kraków", "30-001")), streets=("ulica Żwirki i Wigury", "aleja Róż"),
        mobile="5## ### ###", domains=("poczta.example",), unusual_domain="żółw.example",
    ),
    Country(
        code="TR", language="tr", zone="Europe/Istanbul", weight=6,
        female=("Gülşen", "İpek", "Ayşe"), male=("Oğuzhan", "Çağrı", "Işık"),
        families=("Yılmaz", "Öztürk", "Şahin"),
        cities=(("İstanbul", "34000"), ("Eskişehir", "26000")), streets=("İstiklal Caddesi",),
        mobile="0532 ### ## ##", domains=("posta.example",),
    ),
    Country(
        code="SA", language="ar", zone="Asia/Riyadh", weight=7,
        female=("فاطمة|fatima", "نورة|noura", "ليلى|layla"), male=("محمد|mohammed", "عبد الله|abdullah", "خالد|khalid"),
        families=("العتيبي|alotaibi", "القحطاني|alqahtani", "الحربي|alharbi"),
        cities=(("الرياض", "11564"), ("جدة", "21442")), streets=("طريق الملك فهد",),
        mobile="05# ### ####", domains=("barid.example", "mail.example"), unusual_domain="بريد.example",
    ),
    Country(
        code="IL", language="he", zone="Asia/Jerusalem", weight=4,
        female=("שירה|shira", "נועה|noa"), male=("דוד|david", "יונתן|yonatan"),
        families=("כהן|cohen", "לוי|levi", "בן־דוד|ben-david"),
        cities=(("תל אביב", "6100000"), ("חיפה", "3100000")), streets=("רחוב הרצל",),
        mobile="052-###-####",
    ),
    Country(
        code="JP", language="ja", zone="Asia/Tokyo", weight=7,
        female=("さくら|sakura", "美咲|misaki"), male=("太郎|taro", "健一|kenichi"),
        families=("山田|yamada", "佐々木|sasaki", "渡邊|watanabe"),
        cities=(("東京", "100-0001"), ("京都", "600-8216")), streets=("千代田1-1", "烏丸通"),
        mobile="090-####-####", unusual_domain="郵便.example",
    ),
    Country(
        code="GR", language="el", zone="Europe/Athens", weight=4,
        female=("Ελένη|eleni", "Σοφία|sofia"), male=("Γιώργος|giorgos", "Νίκος|nikos"),
        families=("Παπαδόπουλος|papadopoulos", "Οικονόμου|oikonomou"),
        cities=(("Αθήνα", "105 57"), ("Θεσσαλονίκη", "546 24")), streets=("Ερμού",),
        mobile="69########", unusual_domain="γράμμα.example",
    ),
    Country(
        code="BR", language="pt-BR", zone="America/Sao_Paulo", weight=8,
        female=("Conceição", "Luíza", "Tainá"), male=("João", "Antônio", "Sebastião"),
        families=("Gonçalves", "da Conceição", "Araújo"),
        cities=(("São Paulo", "01310-100"), ("Brasília", "70040-010")), streets=("avenida Paulista", "rua São João"),
        mobile="(11) 9####-####", domains=("correio.example", "mail.example"),
    ),
    Country(
        code="US", language="en", zone="America/New_York", weight=16,
        female=("Mary-Jane", "D'Asia", "Renée", "Olivia"), male=("Jean-Luc", "William", "D'Angelo", "Zoltán"),
        families=("O'Connor", "Smith", "Nguyễn", "de la Cruz", "Hernández", "Brontë"),
        cities=(("New York", "10001"), ("St. Louis", "63101"), ("Cañon City", "81212")),
        streets=("Main Street", "Martin Luther King Jr. Blvd, Suite"),
        mobile="(212) 555-01##",
    ),
)  # fmt: skip
