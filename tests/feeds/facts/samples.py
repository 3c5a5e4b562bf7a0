"""A good file of every layout, small, made by hand after what is published."""

from __future__ import annotations

SHORT_INTEREST = (
    b"accountingYearMonthNumber|symbolCode|issueName|issuerServicesGroupExchangeCode|marketClassCode|"
    b"currentShortPositionQuantity|previousShortPositionQuantity|stockSplitFlag|averageDailyVolumeQuantity|"
    b"daysToCoverQuantity|revisionFlag|changePercent|changePreviousNumber|settlementDate\n"
    b'20251114|ABC|Abc Technologies, "Inc|A|NYSE|3354818|4110706||1749336|1.92||-18.39|-755888|2025-11-14\n'
    b"20251114|BRKB|Holding B|A|NYSE|900|100||0|999.99|R|800.0|800|2025-11-14\n"
    b"20251114|NOVOL|Quiet|S|OTC|77|77||||| |0|2025-11-14\n"
)
SHORT_INTEREST_JSON = (
    b'[{"stockSplitFlag":null,"previousShortPositionQuantity":4824122,"averageDailyVolumeQuantity":2091764,'
    b'"issueName":"Abc","currentShortPositionQuantity":5502353,"changePreviousNumber":678231,'
    b'"accountingYearMonthNumber":20260515,"settlementDate":"2026-05-15","marketClassCode":"NYSE",'
    b'"symbolCode":"ABC","daysToCoverQuantity":2.63,"revisionFlag":null,"changePercent":14.06}]'
)
DAILY = (
    b"Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\r\n"
    b"20260812|ABC|5521379.994964|43970.500000|14277891.689275|B,Q,N\r\n"
    b"20260812|BRK/B|10|0|20|Q\r\n"
    b"20260812|ABRpD|0|0|100|N\r\n"
    b"3\r\n"
)
NASDAQ = (
    b'{"data":{"symbol":"abc","shortInterestTable":{"headers":{"settlementDate":"Settlement Date"},"rows":['
    b'{"settlementDate":"08/31/2026","interest":"25,946,861","avgDailyShareVolume":"4,168,492","daysToCover":6.22452},'
    b'{"settlementDate":"09/15/2026","interest":"27,649,788","avgDailyShareVolume":"4,028,630","daysToCover":6.863323}'
    b']}},"message":null,"status":{"rCode":200,"bCodeMessage":null,"developerMessage":null}}'
)
CBOE_DAY = (
    b'{"ratios":[{"name":"TOTAL PUT/CALL RATIO","value":"0.79"},{"name":"EQUITY PUT/CALL RATIO","value":"0.53"}],'
    b'"SUM OF ALL PRODUCTS":[{"name":"VOLUME","call":9428474,"put":7490078,"total":16918552},'
    b'{"name":"OPEN INTEREST","call":1,"put":2,"total":3}],'
    b'"EQUITY OPTIONS":[{"name":"VOLUME","call":200,"put":100,"total":300}],'
    b'"SPX + SPXW":[{"name":"VOLUME","call":1100763,"put":1547345,"total":2648108}],'
    b'"OEX":[{"name":"VOLUME","call":16,"put":14,"total":30}]}'
)
CBOE_TABLE = (
    b"Volume and Put/Call Ratio data is compiled for the convenience of site visitors,,,,\r\n"
    b", PRODUCT: TOTAL,,EXCHANGE: Cboe,\r\n"
    b"DATE,CALLS,PUTS,TOTAL,P/C Ratio\r\n"
    b"11/1/2006,1401036,1271445,2672481,0.91\r\n"
    b"10/04/2019, 2175006, 2289715, 4464721, 1.05\r\n"
)
PLAIN = (
    b"symbol,kind,value,unit,as_of,source\n"
    b"ABC,short_interest,30e6,shares,2025-11-14,desk\n"
    b'ABC,float_shares,"12,000,000",,2025-11-01,filing\n'
    b"ABC,borrow_fee,44.25,percent,2025-11-20,broker\n"
    b"ABC,utilisation,0.975,fraction,2025-11-20T15:30:00Z,broker\n"
    b"ABC,news,1,,2025-11-20T15:30:00.123456789Z,wire\n"
)
PLAIN_JSON = (
    b'{"facts":[{"symbol":"BTCUSDT","kind":"open_interest","value":81234.567,"as_of":"2026-11-20T12:00:00Z"},'
    b'{"symbol":"BTCUSDT","kind":"liquidation","value":"0.5","as_of":"2026-11-20T12:00:01Z","side":"buy",'
    b'"price":"91000.10","source":null},'
    b'{"symbol":"BTCUSDT","kind":"funding_rate_8h","value":-1.25,"unit":"bp","as_of":1795176000000000000}]}'
)
SAMPLES = {
    "shrt20251114.csv": SHORT_INTEREST,
    "consolidated.json": SHORT_INTEREST_JSON,
    "CNMSshvol20260812.txt": DAILY,
    "abc.json": NASDAQ,
    "2026-07-02_daily_options": CBOE_DAY,
    "totalpc.csv": CBOE_TABLE,
    "mine.csv": PLAIN,
    "mine.json": PLAIN_JSON,
}
