"""Rows as Python reads them: CSV by the csv module, Parquet by pyarrow; and Parquet files that pyarrow wrote."""

import base64
import csv
import datetime
import decimal
import io
import json


def run(request):
    if "csv" in request:
        text = base64.b64decode(request["csv"]).decode("utf-8")
        return [csv_rows(text, delimiter) for delimiter in request["delimiters"]]
    import pyarrow.parquet as pq

    if "write" in request:
        write(request["write"], request["options"])
    table = pq.read_table(request["read"])
    return [plain(row) for row in table.to_pylist()]


def csv_rows(text, delimiter):
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    return rows


def plain(value):
    """What JSON can hold, written as Martlet writes it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, decimal.Decimal):
        digits = str(abs(value)).replace(".", "").lstrip("0")
        return float(value) if len(digits) <= 15 else format(value, "f")
    if isinstance(value, datetime.datetime):
        text = value.strftime("%Y-%m-%dT%H:%M:%S")
        if value.microsecond:
            text += (".%06d" % value.microsecond).rstrip("0")
        return text + ("Z" if value.tzinfo else "")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, datetime.time):
        text = value.strftime("%H:%M:%S")
        return text + (".%06d" % value.microsecond).rstrip("0") if value.microsecond else text
    if isinstance(value, int) and abs(value) > 2**53:
        return f"{value}"
    if isinstance(value, bytes):
        return "data:application/octet-stream;base64," + base64.b64encode(value).decode()
    return value


def write(path, options):
    """A table of every type that rows of text come with, with nulls at every depth."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = options.pop("rows")

    def some(index, value, every=4):
        return None if index % every == every - 1 else value

    talk = [
        some(
            i,
            [
                {"role": "user", "content": f"question {i} – {'ü' * (i % 5)}", "weight": None},
                {"role": "assistant", "content": some(i, f"answer {i}", 3), "weight": i / 4},
            ]
            * (i % 3),
            7,
        )
        for i in range(count)
    ]
    message = pa.struct([("role", pa.string()), ("content", pa.string()), ("weight", pa.float64())])
    moment = datetime.datetime(2026, 11, 23, 12, 30, 15, 123456)
    table = pa.table(
        {
            "id": pa.array([2**60 + i for i in range(count)], pa.int64()),
            "small": pa.array([some(i, i - 3) for i in range(count)], pa.int8()),
            "unsigned": pa.array([some(i, 2**63 + i) for i in range(count)], pa.uint64()),
            "half": pa.array([some(i, i / 2) for i in range(count)], pa.float32()),
            "whole": pa.array([some(i, float(i)) for i in range(count)], pa.float64()),
            "yes": pa.array([some(i, i % 2 == 0) for i in range(count)], pa.bool_()),
            "text": pa.array([some(i, f"text {i} 😀" if i % 2 else "") for i in range(count)], pa.string()),
            "long": pa.array([some(i, "x" * (i % 100)) for i in range(count)], pa.large_string()),
            "word": pa.array([some(i, ["red", "green"][i % 2]) for i in range(count)]).dictionary_encode(),
            "raw": pa.array([some(i, bytes([0, 255, i % 256])) for i in range(count)], pa.binary()),
            "price": pa.array([some(i, decimal.Decimal(f"{i}.50")) for i in range(count)], pa.decimal128(9, 2)),
            "wealth": pa.array(
                [some(i, decimal.Decimal(f"-12345678901234567890123.4567{i % 10}")) for i in range(count)],
                pa.decimal128(38, 5),
            ),
            "day": pa.array([some(i, datetime.date(1960 + i % 100, 2, 28)) for i in range(count)], pa.date32()),
            "at": pa.array([some(i, moment + datetime.timedelta(days=i)) for i in range(count)], pa.timestamp("us")),
            "utc": pa.array([some(i, moment) for i in range(count)], pa.timestamp("ms", tz="UTC")),
            "nanos": pa.array([some(i, moment) for i in range(count)], pa.timestamp("ns")),
            "clock": pa.array([some(i, moment.time()) for i in range(count)], pa.time64("us")),
            "tags": pa.array([some(i, [some(j, f"t{j}", 2) for j in range(i % 4)]) for i in range(count)], pa.list_(pa.string())),
            "deep": pa.array(
                [some(i, [[], [i, None], None] if i % 2 else []) for i in range(count)], pa.list_(pa.list_(pa.int32()))
            ),
            "place": pa.array(
                [some(i, {"city": some(i, "Ulm", 3), "at": {"x": i, "y": None}}) for i in range(count)],
                pa.struct([("city", pa.string()), ("at", pa.struct([("x", pa.int32()), ("y", pa.float64())]))]),
            ),
            "messages": pa.array(talk, pa.list_(message)),
        }
    )
    pq.write_table(table, path, **options)
