"""Who lives in the demo: thirty people in several languages and time zones."""

from typing import NamedTuple


class Person(NamedTuple):
    login: str
    name: str
    locale: str
    time_zone: str
    roles: tuple[int, ...]
    opt_outs: tuple[str, ...] = ()
    has_email: bool = True


# The first is the contact of the Luma document's own sample request.
PEOPLE = (
    Person("jake@seviceaide.com", "Jake Miller", "en-US", "America/Los_Angeles", (-4,)),
    Person("ana@acme.example", "Ana Ruiz", "es", "Europe/Madrid", (-4,)),
    Person("bo@acme.example", "Bo Chen", "zh-Hans", "Asia/Shanghai", (-2, -4)),
    Person("chidi@acme.example", "Chidi Obi", "en-NG", "Africa/Lagos", (-4,)),
    Person("lena@acme.example", "Lena Vogt", "de", "Europe/Berlin", (-3, -4)),
    Person("mara@acme.example", "Mara Köhler", "de-AT", "Europe/Vienna", (-1,)),
    Person("ines@acme.example", "Inês Pereira", "pt", "Europe/Lisbon", (-1, -3)),
    Person("yuki@acme.example", "Yuki Tanaka", "ja", "Asia/Tokyo", (-2,)),
    Person("omar@acme.example", "Omar Haddad", "ar", "Africa/Cairo", (-4,), ("email",)),
    Person("priya@acme.example", "Priya Nair", "en-IN", "Asia/Kolkata", (-2, -3)),
    Person("sven@acme.example", "Sven Lindqvist", "sv", "Europe/Stockholm", (-4,)),
    Person("chloe@acme.example", "Chloé Martin", "fr", "Europe/Paris", (-4,), ("email",)),
    Person("diego@acme.example", "Diego Álvarez", "es-MX", "America/Mexico_City", (-4,)),
    Person("hana@acme.example", "Hana Nováková", "cs", "Europe/Prague", (-3,)),
    Person("kofi@acme.example", "Kofi Mensah", "en-GH", "Africa/Accra", (-5,), (), False),
    Person("lucia@acme.example", "Lucía Gómez", "es-AR", "America/Argentina/Buenos_Aires", (-4,)),
    Person("maja@acme.example", "Maja Kowalska", "pl", "Europe/Warsaw", (-4,)),
    Person("noah@acme.example", "Noah Smith", "en-GB", "Europe/London", (-2,)),
    Person("olga@acme.example", "Olga Petrenko", "uk", "Europe/Kyiv", (-4,)),
    Person("pedro@acme.example", "Pedro Souza", "pt-BR", "America/Sao_Paulo", (-4,)),
    Person("quynh@acme.example", "Quỳnh Trần", "vi", "Asia/Ho_Chi_Minh", (-4,)),
    Person("ravi@acme.example", "Ravi Shrestha", "ne", "Asia/Kathmandu", (-5,), (), False),
    Person("sofia@acme.example", "Sofía Rossi", "it", "Europe/Rome", (-4,)),
    Person("tariq@acme.example", "Tariq Aziz", "ur", "Asia/Karachi", (-4,), ("email",)),
    Person("uma@acme.example", "Uma Devi", "ta", "Asia/Kolkata", (-3,)),
    Person("vera@acme.example", "Vera Ivanova", "bg", "Europe/Sofia", (-4,)),
    Person("will@acme.example", "Will Turner", "en-AU", "Australia/Adelaide", (-4,)),
    Person("xenia@acme.example", "Xenia Papadaki", "el", "Europe/Athens", (-4,)),
    Person("yusuf@acme.example", "Yusuf Demir", "tr", "Europe/Istanbul", (-4,)),
    Person("zoe@acme.example", "Zoë de Vries", "nl", "Europe/Amsterdam", (-4, -5)),
    Person("aroha@acme.example", "Aroha Ngata", "mi", "Pacific/Auckland", (-4,)),
)
