"""Well-known places and the airports that serve them: what a table of airports does not say. Data only.

It names a small field outside Rome in the state of New York as it names Rome's own, and lists Vancouver's airport under
Richmond. Must not grow rules: those are in airports.py.
"""

from __future__ import annotations

# The name as it is shown, others without accents in lower case, and the airports by which one flies there, main one
# first.
_SERVED = """
New York|new york city|nyc|manhattan|big apple = JFK LGA EWR
Newark = EWR
Brooklyn|queens = JFK LGA
Boston|boston ma = BOS
Washington|washington dc|dc = DCA IAD
Baltimore = BWI
Philadelphia|philly = PHL
Chicago = ORD MDW
Los Angeles|la|hollywood = LAX
San Francisco|sf|san fran = SFO
Bay Area|san francisco bay area = SFO OAK SJC
Oakland = OAK
San Jose California|silicon valley = SJC
San Diego = SAN
Seattle = SEA
Portland Oregon = PDX
Portland Maine = PWM
Las Vegas|vegas = LAS
Phoenix = PHX
Denver = DEN
Salt Lake City = SLC
Dallas|dallas fort worth|fort worth = DFW DAL
Houston = IAH HOU
Austin = AUS
San Antonio = SAT
New Orleans = MSY
Atlanta = ATL
Miami = MIA
Fort Lauderdale = FLL
Orlando = MCO
Tampa = TPA
Charlotte = CLT
Nashville = BNA
Detroit = DTW
Minneapolis|st paul|minneapolis st paul = MSP
Cleveland = CLE
Columbus Ohio|columbus = CMH
Cincinnati = CVG
Pittsburgh = PIT
Kansas City = MCI
St Louis|saint louis = STL
Hartford = BDL
Buffalo = BUF
Anchorage = ANC
Honolulu|hawaii|oahu = HNL
Maui = OGG
Jacksonville = JAX
San Juan|puerto rico = SJU
Toronto = YYZ YTZ
Montreal = YUL
Vancouver = YVR
Calgary = YYC
Ottawa = YOW
Quebec|quebec city = YQB
Mexico City|ciudad de mexico|cdmx = MEX
Cancun = CUN
Havana = HAV
Panama|panama city panama = PTY
Bogota = BOG
Lima = LIM
Quito = UIO
Santiago de Chile|santiago chile = SCL
Buenos Aires = EZE AEP
Montevideo = MVD
São Paulo = GRU CGH VCP
Rio de Janeiro|rio = GIG SDU
London = LHR LGW LCY STN LTN
Manchester = MAN
Birmingham England = BHX
Edinburgh = EDI
Glasgow = GLA
Dublin = DUB
Paris = CDG ORY
Nice = NCE
Lyon = LYS
Marseille = MRS
Toulouse = TLS
Bordeaux = BOD
Strasbourg = SXB
Brussels|bruxelles|brussel = BRU CRL
Amsterdam = AMS
Rotterdam = RTM
Luxembourg|luxemburg = LUX
Frankfurt|frankfurt am main = FRA
Berlin = BER
Munich|muenchen|munchen = MUC
Hamburg = HAM
Cologne|koeln|koln|bonn = CGN
Dusseldorf|duesseldorf = DUS
Stuttgart = STR
Leipzig = LEJ
Hanover|hannover = HAJ
Nuremberg|nuernberg|nurnberg = NUE
Dresden = DRS
Bremen = BRE
Vienna|wien = VIE
Salzburg = SZG
Innsbruck = INN
Zurich|zuerich = ZRH
Geneva|geneve|genf = GVA
Basel = BSL
Madrid = MAD
Barcelona = BCN
Seville|sevilla = SVQ
Valencia = VLC
Malaga = AGP
Bilbao = BIO
Palma|mallorca|majorca|palma de mallorca = PMI
Ibiza = IBZ
Tenerife|teneriffa = TFS TFN
Gran Canaria|las palmas = LPA
Lisbon|lisboa|lissabon = LIS
Porto|oporto = OPO
Faro|algarve = FAO
Rome|roma|rom = FCO CIA
Milan|milano|mailand = MXP LIN BGY
Venice|venezia|venedig = VCE
Florence|firenze|florenz = FLR
Naples|napoli|neapel = NAP
Bologna = BLQ
Turin|torino = TRN
Pisa = PSA
Palermo = PMO
Catania|sicily = CTA
Athens|athen|athina = ATH
Thessaloniki = SKG
Istanbul = IST SAW
Ankara = ESB
Antalya = AYT
Prague|prag|praha = PRG
Budapest = BUD
Warsaw|warschau|warszawa = WAW WMI
Krakow|cracow|krakau = KRK
Bucharest|bukarest = OTP
Sofia = SOF
Belgrade|belgrad = BEG
Zagreb = ZAG
Split = SPU
Dubrovnik = DBV
Ljubljana = LJU
Copenhagen|kopenhagen|kobenhavn = CPH
Stockholm = ARN BMA
Gothenburg|goteborg = GOT
Oslo = OSL
Bergen = BGO
Helsinki = HEL
Reykjavik|iceland = KEF
Malta|valletta = MLA
Tallinn = TLL
Riga = RIX
Vilnius = VNO
Kyiv|kiev = KBP IEV
Moscow|moskau = SVO DME VKO
Tel Aviv = TLV
Amman = AMM
Beirut = BEY
Cairo|kairo = CAI
Casablanca = CMN
Marrakesh|marrakech = RAK
Tunis = TUN
Algiers = ALG
Lagos = LOS
Accra = ACC
Nairobi = NBO
Addis Ababa = ADD
Cape Town|kapstadt = CPT
Johannesburg = JNB
Dubai = DXB
Abu Dhabi = AUH
Doha = DOH
Riyadh = RUH
Kuwait|kuwait city = KWI
Muscat = MCT
Delhi|new delhi = DEL
Mumbai|bombay = BOM
Bangalore|bengaluru = BLR
Chennai|madras = MAA
Kolkata|calcutta = CCU
Hyderabad India|hyderabad = HYD
Colombo = CMB
Kathmandu = KTM
Male|maldives = MLE
Singapore|singapur = SIN
Kuala Lumpur = KUL
Bangkok = BKK DMK
Phuket = HKT
Hanoi = HAN
Ho Chi Minh City|saigon = SGN
Jakarta = CGK HLP
Bali|denpasar = DPS
Manila = MNL
Hong Kong|hongkong = HKG
Taipei = TPE TSA
Beijing|peking = PEK PKX
Shanghai = PVG SHA
Guangzhou|canton = CAN
Shenzhen = SZX
Seoul = ICN GMP
Busan = PUS
Tokyo|tokio = HND NRT
Osaka = KIX ITM
Kyoto = KIX ITM
Sapporo = CTS
Sydney = SYD
Melbourne = MEL AVV
Brisbane = BNE
Perth = PER
Adelaide = ADL
Auckland = AKL
Wellington = WLG
Christchurch = CHC
"""

# Cities that two countries or two states share and both of which people fly to: which one is meant is asked, unless
# the traveller's own country has but one of them.
SHARED_NAMES = {
    "portland": ("PDX", "PWM"),
    "san jose": ("SJC", "SJO"),
    "birmingham": ("BHX", "BHM"),
    "santiago": ("SCL", "SCQ", "STI"),
    "columbia": ("CAE", "COU"),
    "charleston": ("CHS", "CRW"),
    "rochester": ("ROC", "RST"),
    "panama city": ("PTY", "ECP"),
}

# Codes of metropolitan areas that the table of airports has otherwise than tickets do: its New York lacks Newark.
METRO_CODES = {"NYC": "new york"}

# In the table of airports, and closed to passengers.
CLOSED = frozenset({"TXL", "ISL", "HEW", "DIA"})

# As people name countries, with the code that the table of airports has for them.
COUNTRIES = {
    "us": "US", "usa": "US", "united states": "US", "america": "US",
    "uk": "GB", "united kingdom": "GB", "great britain": "GB", "britain": "GB", "england": "GB", "scotland": "GB",
    "canada": "CA", "mexico": "MX", "brazil": "BR", "argentina": "AR", "chile": "CL", "colombia": "CO", "peru": "PE",
    "venezuela": "VE", "costa rica": "CR", "panama": "PA", "cuba": "CU", "dominican republic": "DO",
    "france": "FR", "germany": "DE", "deutschland": "DE", "austria": "AT", "switzerland": "CH", "italy": "IT",
    "spain": "ES", "portugal": "PT", "belgium": "BE", "netherlands": "NL", "ireland": "IE", "denmark": "DK",
    "sweden": "SE", "norway": "NO", "finland": "FI", "iceland": "IS", "poland": "PL", "czechia": "CZ",
    "hungary": "HU", "romania": "RO", "bulgaria": "BG", "greece": "GR", "turkey": "TR", "croatia": "HR",
    "russia": "RU", "ukraine": "UA", "israel": "IL", "egypt": "EG", "morocco": "MA", "south africa": "ZA",
    "kenya": "KE", "nigeria": "NG", "india": "IN", "pakistan": "PK", "china": "CN", "japan": "JP", "korea": "KR",
    "south korea": "KR", "taiwan": "TW", "thailand": "TH", "vietnam": "VN", "indonesia": "ID", "philippines": "PH",
    "malaysia": "MY", "australia": "AU", "new zealand": "NZ", "uae": "AE", "seychelles": "SC",
}  # fmt: skip

STATES = {
    "al": "Alabama", "ak": "Alaska", "az": "Arizona", "ar": "Arkansas", "ca": "California", "co": "Colorado",
    "ct": "Connecticut", "de": "Delaware", "fl": "Florida", "ga": "Georgia", "hi": "Hawaii", "id": "Idaho",
    "il": "Illinois", "in": "Indiana", "ia": "Iowa", "ks": "Kansas", "ky": "Kentucky", "la": "Louisiana",
    "me": "Maine", "md": "Maryland", "ma": "Massachusetts", "mi": "Michigan", "mn": "Minnesota", "ms": "Mississippi",
    "mo": "Missouri", "mt": "Montana", "ne": "Nebraska", "nv": "Nevada", "nh": "New Hampshire", "nj": "New Jersey",
    "nm": "New Mexico", "ny": "New York", "nc": "North Carolina", "nd": "North Dakota", "oh": "Ohio",
    "ok": "Oklahoma", "or": "Oregon", "pa": "Pennsylvania", "ri": "Rhode Island", "sc": "South Carolina",
    "sd": "South Dakota", "tn": "Tennessee", "tx": "Texas", "ut": "Utah", "vt": "Vermont", "va": "Virginia",
    "wa": "Washington", "wv": "West Virginia", "wi": "Wisconsin", "wy": "Wyoming", "dc": "District of Columbia",
}  # fmt: skip


def served() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """The well-known places: the name as it is shown, the other names, the airports."""
    places = []
    for line in _SERVED.strip().splitlines():
        names, _, codes = line.partition(" = ")
        shown, *others = names.split("|")
        places.append((shown, tuple(others), tuple(codes.split())))
    return places
