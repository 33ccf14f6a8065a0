"""Statements that the ORM compiles once.

For the few that run with every job or poll: compiling one takes the ORM five times as long as the database needs to run
it.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Expression, Field, Model, QuerySet, Value
from django.db.models.expressions import Col
from django.db.models.sql import InsertQuery, Query, UpdateQuery

Row = TypeVar("Row", bound=Model)
_ALL = 2**62
"""More rows than there are."""


class Given(Expression):
    """The place of a value that differs from run to run. field: the column that it is compared with or written to."""

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """A placeholder, whose parameter is this object."""
        return "%s", (self,)

    def prepared(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """The value as the database's driver takes it."""
        return self.output_field.get_db_prep_save(value, connection)


class AnyGiven(Given):
    """The same for `field__in`: a list as one parameter, whatever its length."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """PostgreSQL: https://www.postgresql.org/docs/current/functions-array.html (unnest)."""
        return f"(SELECT unnest(%s::{self.output_field.db_type(connection)}[]))", (self,)

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        """SQLite: https://www.sqlite.org/json1.html#jeach."""
        return "(SELECT value FROM json_each(%s))", (self,)

    def prepared(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """The values as one parameter."""
        values = [super(AnyGiven, self).prepared(one, connection) for one in value]
        return json.dumps(values) if connection.vendor == "sqlite" else values


class Statement:
    """A statement that is compiled at its first run; its parameters may be `Given`.

    depends_on: what else is in it (settings, say); if it returns something new, the statement is compiled anew.
    """

    def __init__(self, depends_on: Callable[[], Any] = lambda: None) -> None:
        self._depends_on = depends_on
        self._compiled: dict[Any, tuple[str, tuple[Any, ...]]] = {}

    def run(self, *runs: Mapping[str, Any]) -> int:
        """Run it once for each of these sets of values. Returns how many rows were written in all."""
        sql, parameters = self._statement()
        with connection.cursor() as cursor:
            if len(runs) == 1:
                # psycopg opens a pipeline for several, which takes twice as long for one.
                cursor.execute(sql, _filled(parameters, runs[0]))
            else:
                cursor.executemany(sql, [_filled(parameters, given) for given in runs])
            return int(cursor.rowcount)

    def _statement(self) -> tuple[str, tuple[Any, ...]]:
        key = (connection.vendor, self._depends_on())
        if key not in self._compiled:
            sql, parameters = self._compile()
            self._compiled[key] = sql, tuple(parameters)
        return self._compiled[key]

    def _compile(self) -> tuple[str, Sequence[Any]]:
        raise NotImplementedError


class Insert(Statement):
    """An INSERT of one row. build: gives the row; its fields may hold `Given`. An automatic key is the database's."""

    def __init__(self, build: Callable[[], Model]) -> None:
        super().__init__()
        self._build = build

    def _compile(self) -> tuple[str, Sequence[Any]]:
        row = self._build()
        query = InsertQuery(row)
        query.insert_values([field for field in row._meta.concrete_fields if field is not row._meta.auto_field], [row])
        ((sql, parameters),) = query.get_compiler(connection=connection).as_sql()
        return sql, parameters


class Update(Statement):
    """An UPDATE. build: gives the rows and the new values of their columns; both may hold `Given`."""

    def __init__(
        self,
        build: Callable[[], tuple[QuerySet[Any], dict[str, Any]]],
        depends_on: Callable[[], Any] = lambda: None,
    ) -> None:
        super().__init__(depends_on)
        self._build = build

    def _compile(self) -> tuple[str, Sequence[Any]]:
        rows, values = self._build()
        query: UpdateQuery = rows.query.chain(UpdateQuery)  # type: ignore[assignment]
        query.add_update_values(values)
        with transaction.atomic():  # elsewhere Django compiles no select_for_update
            sql, parameters = query.get_compiler(connection=connection).as_sql()
        return sql, parameters


class Rows(Statement, Generic[Row]):
    """A statement that gives rows. model, names: what is told of them; their other columns are deferred.

    The rows are made as `Model.from_db` describes; with `QuerySet.raw` a claim takes a quarter longer.
    https://docs.djangoproject.com/en/5.2/ref/models/instances/#customizing-model-loading
    """

    def __init__(self, model: type[Row], names: Collection[str], depends_on: Callable[[], Any] = lambda: None) -> None:
        super().__init__(depends_on)
        self._annotations: Sequence[str] = ()
        self._model = model
        fields = [field for field in model._meta.concrete_fields if field.attname in names]
        self._columns = [field.get_col(model._meta.db_table) for field in fields]
        self._names = [field.attname for field in fields]
        self._converters = cache(self._look_up_converters)

    def rows(self, **given: Any) -> list[Row]:
        """Run it. Returns the rows."""
        sql, parameters = self._statement()
        with connection.cursor() as cursor:
            cursor.execute(sql, _filled(parameters, given))
            found = [list(row) for row in cursor.fetchall()]
        for index, convert, column in self._converters(connection.vendor):
            for row in found:
                row[index] = convert(row[index], column, connection)
        made = [self._model.from_db(connection.alias, self._names, row) for row in found]
        for index, name in enumerate(self._annotations, len(self._names)):
            for one, row in zip(made, found, strict=True):
                setattr(one, name, row[index])
        return made

    def _look_up_converters(self, _vendor: str) -> list[tuple[int, Callable[..., Any], Col]]:
        """What is done to which value of a row, by index, between the driver and the model."""
        compiler = Query(self._model).get_compiler(connection=connection)
        converters = compiler.get_converters(self._columns).items()
        return [(index, convert, column) for index, (some, column) in converters for convert in some]


class UpdateReturning(Rows[Row]):
    """An UPDATE that gives the changed rows back. build: as for `Update`."""

    def __init__(
        self,
        model: type[Row],
        names: Collection[str],
        build: Callable[[], tuple[QuerySet[Any], dict[str, Any]]],
        depends_on: Callable[[], Any] = lambda: None,
    ) -> None:
        super().__init__(model, names, depends_on)
        self._update = Update(build)

    def _compile(self) -> tuple[str, Sequence[Any]]:
        sql, parameters = self._update._compile()
        return f"{sql} RETURNING {', '.join(map(connection.ops.quote_name, self._names))}", parameters


class Select(Rows[Row]):
    """A SELECT. build: gives the rows; their conditions and annotations (texts) may hold `Given`."""

    def __init__(
        self,
        model: type[Row],
        names: Collection[str],
        build: Callable[[], QuerySet[Row]],
        depends_on: Callable[[], Any] = lambda: None,
    ) -> None:
        super().__init__(model, names, depends_on)
        self._build = build

    def _compile(self) -> tuple[str, Sequence[Any]]:
        rows = self._build().only(*(column.target.name for column in self._columns))
        self._annotations = tuple(rows.query.annotation_select)
        sql, parameters = rows.query.get_compiler(connection=connection).as_sql()
        return sql, parameters


@dataclass(frozen=True)
class Number:
    """A number as the database tells it. rows: are counted. amounts: one value of one row at most, which is added.

    Both may hold `Given`.
    """

    rows: QuerySet[Any] | None = None
    amounts: QuerySet[Any] | None = None


class Numbers(Statement):
    """Several numbers in one go. build: gives them."""

    def __init__(self, build: Callable[[], Sequence[Number]]) -> None:
        super().__init__()
        self._build = build

    def tell(self, enough: Sequence[int | None], **given: Any) -> list[float]:
        """Run it. enough: for each number how far its rows are counted; None: to their end."""
        sql, parameters = self._statement()
        limits = {f"enough_{index}": _ALL if most is None else min(most, _ALL) for index, most in enumerate(enough)}
        with connection.cursor() as cursor:
            cursor.execute(sql, _filled(parameters, {**given, **limits}))
            return list(cursor.fetchone())

    def _compile(self) -> tuple[str, Sequence[Any]]:
        numbers, parameters = [], []
        for index, number in enumerate(self._build()):
            terms = ["0"]
            if number.rows is not None:
                sql, its = (
                    number.rows.order_by().values_list(Value(1)).query.get_compiler(connection=connection).as_sql()
                )
                terms.append(f"(SELECT count(*) FROM ({sql} LIMIT %s) AS counted)")  # noqa: S608 (the ORM's own SQL)
                parameters += [*its, Given(f"enough_{index}", BigIntegerField())]
            if number.amounts is not None:
                sql, its = number.amounts.query.get_compiler(connection=connection).as_sql()
                terms.append(f"COALESCE(({sql}), 0)")
                parameters += its
            numbers.append(" + ".join(terms))
        return f"SELECT {', '.join(numbers)}", parameters


def _filled(parameters: tuple[Any, ...], given: Mapping[str, Any]) -> list[Any]:
    return [one.prepared(given[one.name], connection) if isinstance(one, Given) else one for one in parameters]
