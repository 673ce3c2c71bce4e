"""What differs by country: companies, people, streets, merchants, banks. All invented."""

from __future__ import annotations

from typing import NamedTuple


class Company(NamedTuple):
    name: str
    legal_form: str
    sector: str
    city: str
    zip_code: str
    street: str


class Merchant(NamedTuple):
    """A shop as it shows on a card statement; prices in cents, VAT in percent."""

    label: str
    name: str | None
    category: str
    low: int
    high: int
    vat: int
    currency: str = "EUR"


class Place(NamedTuple):
    country: str
    locale: str
    hours: int  # offset of local time in the invoicing resources (Q53)
    companies: tuple[Company, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str, str], ...]  # city, zip code, province
    merchants: tuple[Merchant, ...]
    partners: tuple[str, ...]  # customers and suppliers
    debits: tuple[tuple[str, str, int, int], ...]  # label, category, cents from and to
    bank: str  # bank and branch code of Qonto's own accounts here
    bic: str
    other_bank: str
    other_bic: str
    vat: int
    phone: str


ABROAD = (
    Merchant("GITHUB, INC.", "GitHub", "it_and_electronics", 400, 21000, 0, "USD"),
    Merchant("AWS EMEA", "Amazon Web Services", "online_service", 1800, 94000, 0, "USD"),
    Merchant("LONDON HOTEL W1", None, "hotel_and_lodging", 9800, 31000, 0, "GBP"),
    Merchant("SBB CFF FFS ZUERICH", "SBB", "transport", 1200, 14800, 0, "CHF"),
    Merchant("HOTEL BRISTOL WARSZAWA", None, "hotel_and_lodging", 22000, 88000, 0, "PLN"),
)
# Major units of euro per unit, in thousandths: fixed, so that money stays exact.
RATES = {"USD": 921, "GBP": 1172, "CHF": 1048, "PLN": 233}

FRANCE = Place(
    "FR",
    "fr",
    1,
    (
        Company("Atelier Brindille", "SAS", "1629Z", "Nantes", "44000", "4 rue des Tilleuls"),
        Company("Lumière d'Août", "SARL", "7420Z", "Lyon", "69002", "18 quai Tilsitt"),
        Company("Boulangerie Kermadec", "SAS", "1071C", "Brest", "29200", "7 rue de Siam"),
        Company("Studio Œuvre", "SASU", "7410Z", "Paris", "75011", "63 rue Oberkampf"),
    ),
    ("Inès", "Camille", "Théo", "Noé", "Léa", "Éloïse", "Maël", "Jeanne"),
    ("Carpentier", "Le Goff", "Moreau", "Garnier", "Dubois", "Lefèvre", "N'Diaye"),
    ("rue de la République", "avenue Jean Jaurès", "quai de la Fosse", "rue du Commerce"),
    (("Nantes", "44000", "44"), ("Rennes", "35000", "35"), ("Lille", "59800", "59")),
    (
        Merchant("PAPETERIE DU PORT", "Papeterie du Port", "office_supply", 890, 18400, 20),
        Merchant("SNCF-VOYAGEURS", "SNCF", "transport", 1500, 24000, 10),
        Merchant("BISTROT DE L'ERDRE", None, "restaurant_and_bar", 1250, 11800, 10),
        Merchant("LEROY MERLIN REZE", "Leroy Merlin", "hardware_and_equipment", 990, 64000, 20),
        Merchant("TOTALENERGIES", "TotalEnergies", "gas_station", 3000, 12500, 20),
        Merchant("MONOPRIX 0412", "Monoprix", "food_and_grocery", 610, 8900, 5),
    ),
    (
        "Menuiserie Kerbrat",
        "Librairie Coiffard",
        "Mairie de Rezé",
        "Café Cantona",
        "Scierie de l'Ouest",
        "Agence Pâquerette",
    ),
    (
        ("EDF Entreprises", "utility", 8900, 41000),
        ("URSSAF Pays de la Loire", "tax", 42000, 260000),
        ("Orange SA", "utility", 3990, 12990),
        ("MAIF", "insurance", 4200, 19800),
    ),
    "1695800001",
    "QNTOFRP1XXX",
    "3000200550",
    "CRLYFRPPXXX",
    20,
    "+332400",
)
GERMANY = Place(
    "DE",
    "de",
    1,
    (
        Company("Käsekontor Nord", "GmbH", "46.33", "Hamburg", "20457", "Am Sandtorkai 12"),
        Company("Werkstatt Süß", "UG", "25.62", "Stuttgart", "70173", "Königstraße 40"),
        Company("Bühnenlicht Berlin", "GmbH", "90.02", "Berlin", "10119", "Torstraße 8"),
    ),
    ("Jürgen", "Annika", "Björn", "Zoë", "Lukas", "Frauke", "Mert"),
    ("Müller", "Groß", "Schönfeld", "Yazici", "Weiß", "Kröger"),
    ("Hauptstraße", "Lindenallee", "Große Elbstraße", "Bahnhofstraße"),
    (("Hamburg", "20095", "HH"), ("Bremen", "28195", "HB"), ("Köln", "50667", "NW")),
    (
        Merchant("DB VERTRIEB GMBH", "Deutsche Bahn", "transport", 1990, 28900, 7),
        Merchant("REWE SAGT DANKE 40817", "REWE", "food_and_grocery", 700, 9800, 7),
        Merchant("HETZNER ONLINE", "Hetzner", "it_and_electronics", 490, 38900, 19),
        Merchant("CAFE MÖWE", None, "restaurant_and_bar", 890, 7600, 19),
        Merchant("BAUHAUS 588", "Bauhaus", "hardware_and_equipment", 1200, 52000, 19),
        Merchant("SHELL 1142", "Shell", "gas_station", 3500, 11900, 19),
    ),
    (
        "Feinkost Böhm KG",
        "Hotel Alsterblick",
        "Molkerei Schwälbchen",
        "Stadtwerke Ahrensburg",
        "Marktschwärmer eG",
    ),
    (
        ("Telekom Deutschland GmbH", "utility", 3995, 15990),
        ("AOK Rheinland/Hamburg", "tax", 38000, 190000),
        ("Allianz Versicherungs-AG", "insurance", 5400, 24000),
        ("Finanzamt Hamburg-Mitte", "tax", 21000, 310000),
    ),
    "10010123",
    "QNTODEB2XXX",
    "20050550",
    "HASPDEHHXXX",
    19,
    "+494000",
)
SPAIN = Place(
    "ES",
    "es",
    1,
    (
        Company("Aceites Ñandú", "S.L.", "1043", "Jaén", "23001", "Calle Maestra 14"),
        Company("Taller Peñalba", "S.L.U.", "4520", "Zaragoza", "50001", "Calle Alfonso I 27"),
        Company("Horno San Ginés", "S.L.", "1071", "Madrid", "28013", "Calle Arenal 9"),
    ),
    ("Begoña", "Íñigo", "Lucía", "Martín", "Núria", "Álvaro"),
    ("Muñoz", "Ibáñez", "García", "Peña", "Etxeberria", "Soler"),
    ("Calle Mayor", "Avenida de Andalucía", "Paseo de la Castellana", "Plaza Nueva"),
    (("Madrid", "28001", "M"), ("Sevilla", "41001", "SE"), ("Bilbao", "48001", "BI")),
    (
        Merchant("RENFE VIRTUAL", "Renfe", "transport", 1890, 16800, 10),
        Merchant("MERCADONA 3301", "Mercadona", "food_and_grocery", 800, 9900, 10),
        Merchant("BAR LA PIÑA", None, "restaurant_and_bar", 650, 6400, 10),
        Merchant("REPSOL E.S. 96", "Repsol", "gas_station", 3000, 9800, 21),
        Merchant("PC COMPONENTES", "PcComponentes", "it_and_electronics", 1900, 89000, 21),
    ),
    ("Restaurante Casa Nicolás", "Almacenes Oñate", "Hotel Infanta", "Cooperativa del Sur"),
    (
        ("Iberdrola Clientes", "utility", 6400, 38000),
        ("TGSS Seguridad Social", "tax", 31000, 180000),
        ("Telefónica de España", "utility", 4100, 13900),
    ),
    "68880001",
    "QNTOESB2XXX",
    "21000418",
    "CAIXESBBXXX",
    21,
    "+349100",
)
ITALY = Place(
    "IT",
    "it",
    1,
    (
        Company("Caffè Perù", "S.r.l.", "10.83", "Torino", "10121", "Via Roma 101"),
        Company("Officine Città", "S.r.l.", "28.99", "Bologna", "40121", "Via Rizzoli 3"),
    ),
    ("Niccolò", "Giulia", "Matteo", "Chiara", "Zoè", "Federico"),
    ("Rossi", "D'Angelo", "Esposito", "Ferrari", "Nicolò", "Bianchi"),
    ("Via Garibaldi", "Corso Vittorio Emanuele II", "Piazza Maggiore", "Via Po"),
    (("Torino", "10100", "TO"), ("Milano", "20121", "MI"), ("Napoli", "80121", "NA")),
    (
        Merchant("TRENITALIA", "Trenitalia", "transport", 1290, 14900, 10),
        Merchant("ESSELUNGA 112", "Esselunga", "food_and_grocery", 900, 10800, 10),
        Merchant("TRATTORIA DA GIÒ", None, "restaurant_and_bar", 1800, 9900, 10),
        Merchant("ENI STATION 5531", "Eni", "gas_station", 3000, 9900, 22),
    ),
    ("Gelateria Più", "Ristorante Al Ponte", "Torrefazione Vergnano", "Comune di Asti"),
    (
        ("Enel Energia", "utility", 7200, 36000),
        ("Agenzia delle Entrate", "tax", 25000, 210000),
        ("TIM S.p.A.", "utility", 3490, 11900),
    ),
    "3609201600",
    "QNTOITM2XXX",
    "0306909606",
    "BCITITMMXXX",
    22,
    "+390110",
)
PLACES = (FRANCE, GERMANY, SPAIN, ITALY)
