"""Names of places that people travel to: enough to see a trip in a calendar, without any tool. Data of our own.

A line is a place as it is shown, then other names and codes of it. What it lacks is found where flights are searched.
"""

from __future__ import annotations

_PLACES = """
New York|NYC|New York City|Manhattan|Brooklyn; Boston; Washington|Washington DC|Washington D.C.|DC
Philadelphia|Philly; Chicago; Detroit; Cleveland; Pittsburgh; Minneapolis; St. Louis|Saint Louis; Kansas City
Nashville; Memphis; Atlanta; Miami; Orlando; Tampa; New Orleans; Houston; Dallas; Austin; San Antonio; Denver
Salt Lake City; Phoenix; Las Vegas|Vegas; Los Angeles|LA|L.A.; San Diego; San Francisco|SF|San Fran; San Jose
Oakland; Sacramento; Portland; Seattle; Honolulu|Hawaii; Anchorage; Charlotte; Raleigh; Indianapolis; Cincinnati
Columbus; Milwaukee; Baltimore; Toronto; Montreal|Montréal; Vancouver; Calgary; Ottawa; Quebec City|Québec
Mexico City|Ciudad de México|CDMX; Cancún|Cancun; Havana; Panama City; San José; Bogotá|Bogota; Medellín|Medellin
Lima; Quito; Santiago; Buenos Aires; Montevideo; São Paulo|Sao Paulo; Rio de Janeiro|Rio; Brasília|Brasilia; Caracas
Kingston; London; Manchester; Birmingham; Liverpool; Edinburgh; Glasgow; Bristol; Oxford; Cambridge; Dublin; Belfast
Cardiff; Paris; Lyon; Marseille; Bordeaux; Toulouse; Nice; Lille; Strasbourg|Straßburg; Nantes
Brussels|Brüssel|Bruxelles; Antwerp|Antwerpen; Bruges|Brügge; Amsterdam; Rotterdam; The Hague|Den Haag; Utrecht
Luxembourg|Luxemburg; Berlin; Hamburg; Munich|München|Muenchen; Cologne|Köln|Koeln; Frankfurt; Stuttgart
Düsseldorf|Dusseldorf|Duesseldorf; Leipzig; Dresden; Hanover|Hannover; Nuremberg|Nürnberg|Nuernberg; Bremen; Bonn
Dortmund; Essen; Freiburg; Heidelberg; Vienna|Wien; Salzburg; Innsbruck; Graz; Zurich|Zürich|Zuerich
Geneva|Genf|Genève; Basel; Bern; Lausanne; Davos; Rome|Rom|Roma; Milan|Mailand|Milano; Venice|Venedig|Venezia
Florence|Florenz|Firenze; Naples|Neapel|Napoli; Turin|Torino; Bologna; Palermo; Madrid; Barcelona; Seville|Sevilla
Valencia; Málaga|Malaga; Bilbao; Granada; Ibiza; Mallorca|Majorca|Palma; Lisbon|Lissabon|Lisboa; Porto; Faro
Madeira|Funchal; Athens|Athen; Thessaloniki; Crete|Kreta; Santorini; Malta|Valletta; Copenhagen|Kopenhagen|København
Aarhus; Stockholm; Gothenburg|Göteborg; Malmö|Malmo; Oslo; Bergen; Helsinki; Tampere; Reykjavik|Reykjavík; Tallinn
Riga; Vilnius; Warsaw|Warschau|Warszawa; Kraków|Krakow|Krakau; Gdańsk|Gdansk|Danzig; Wrocław|Wroclaw
Prague|Prag|Praha; Brno|Brünn; Bratislava; Budapest; Ljubljana; Zagreb; Split; Dubrovnik; Belgrade|Belgrad; Sarajevo
Sofia; Bucharest|Bukarest; Kyiv|Kiev|Kiew; Lviv; Istanbul; Ankara; Antalya; Izmir; Tbilisi|Tiflis; Yerevan; Baku
Tel Aviv; Jerusalem; Amman; Beirut; Cairo|Kairo; Marrakesh|Marrakech|Marrakesch; Casablanca; Rabat; Tunis
Algiers|Algier; Lagos; Accra; Dakar; Nairobi; Addis Ababa|Addis Abeba; Kigali; Kampala; Zanzibar|Sansibar
Johannesburg; Cape Town|Kapstadt; Durban; Windhoek; Mauritius; Dubai; Abu Dhabi; Doha; Riyadh|Riad; Jeddah; Kuwait
Muscat|Maskat; Delhi|New Delhi; Mumbai|Bombay; Bangalore|Bengaluru; Hyderabad; Chennai|Madras; Kolkata|Calcutta; Goa
Pune; Karachi; Lahore; Islamabad; Dhaka; Colombo; Kathmandu; Maldives|Malediven|Malé; Bangkok; Phuket; Chiang Mai
Singapore|Singapur; Kuala Lumpur; Jakarta; Bali|Denpasar; Manila; Cebu; Hanoi; Ho Chi Minh City|Saigon; Da Nang
Phnom Penh; Siem Reap; Yangon; Hong Kong|Hongkong; Macau; Taipei|Taipeh; Shanghai; Beijing|Peking; Shenzhen
Guangzhou; Chengdu; Seoul; Busan; Tokyo|Tokio; Osaka; Kyoto; Sapporo; Fukuoka; Okinawa; Sydney; Melbourne; Brisbane
Perth; Adelaide; Cairns; Hobart; Canberra; Auckland; Wellington; Queenstown; Christchurch; Fiji; Tahiti
"""

# They are words of another meaning too: a place only where it says "to" before them.
AMBIGUOUS = frozenset(
    {"nice", "essen", "split", "la", "dc", "portland", "columbus", "phoenix", "charlotte", "florence"}
)


def _named() -> dict[str, str]:
    places = (place.strip().split("|") for place in _PLACES.replace("\n", ";").split(";") if place.strip())
    return {name.casefold(): names[0] for names in places for name in names}


PLACES = _named()
