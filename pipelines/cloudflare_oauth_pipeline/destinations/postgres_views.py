"""The views of PostgreSQL, which binds a view to what it reads when it is created."""

from collections.abc import Collection

from .stored_views import Client, Relation, Statement, StoredViews, literal, literals

# Readers queue behind a renewal that waits for a lock.
LOCK_TIMEOUT_SECONDS = 3


class PostgresViews(StoredViews):
    """As in `StoredViews`: grants, owner, options and comments live as long as the view."""

    def relations(self, client: Client, names: Collection[str]) -> dict[str, Relation]:
        """As in `StoredViews`."""
        rows = client.execute_sql(
            f"""
            SELECT c.relname, c.relkind, obj_description(c.oid, 'pg_class')
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname = {literal(client.dataset_name)} AND c.relname IN ({literals(names)})
            """
        )
        return {name: Relation(_KINDS.get(kind, "relation"), comment) for name, kind, comment in rows or ()}

    def dependents(self, client: Client, name: str) -> list[tuple[str | None, str]]:
        """As in `StoredViews`: views, functions, triggers, rules, defaults and columns of the row's type."""
        rows = client.execute_sql(
            _DEPENDENTS.format(schema=literal(client.dataset_name), name=literal(name)),
        )
        return [(own, described) for own, described in rows or ()]

    def lost(self, client: Client, name: str, *, dropped: bool) -> list[Statement]:
        """As in `StoredViews`: options always; owner, grants and comments if the view is dropped."""
        query = (_OPTIONS + _ATTACHED if dropped else _OPTIONS) + " ORDER BY place"
        rows = client.execute_sql(
            query.format(schema=literal(client.dataset_name), name=literal(name)),
        )
        return [Statement(column, sql) for _, column, sql in rows or ()]

    def lock(self, client: Client) -> None:
        """As in `StoredViews`; what waits for a lock longer than `LOCK_TIMEOUT_SECONDS` fails."""
        client.execute_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        key = literal(f"cloudflare_oauth views {client.dataset_name}")
        client.execute_sql(f"SELECT pg_advisory_xact_lock(hashtextextended({key}, 0))")

    def clear(self, client: Client, name: str) -> None:
        """As in `StoredViews`: `ALTER DEFAULT PRIVILEGES` may grant more than the old view did."""
        rows = client.execute_sql(
            _VIEW.format(schema=literal(client.dataset_name), name=literal(name))
            + f"SELECT DISTINCT 'REVOKE ALL ON ' || v.name || ' FROM ' || {_GRANTEE} "
            "FROM v, aclexplode(COALESCE(v.relacl, acldefault('r', v.relowner))) AS acl"
        )
        for (sql,) in rows or ():
            client.execute_sql(sql)


_KINDS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "S": "sequence",
    "i": "index",
    "I": "index",
    "c": "type",
}

_VIEW = """
WITH RECURSIVE v AS (
  SELECT
    c.oid, c.relowner, c.relacl, c.reloptions,
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = {schema} AND c.relname = {name}
)
"""

_GRANTEE = "CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END"

_OPTIONS = f"""{_VIEW}
SELECT 0 AS place, NULL::text AS column_name,
  'ALTER VIEW ' || name || ' SET (' || array_to_string(reloptions, ', ') || ')' AS statement
FROM v WHERE reloptions IS NOT NULL
"""

_GRANTS = f"""
  ' ON ' || v.name || ' TO ' || {_GRANTEE} || CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
"""

_ATTACHED = f"""
UNION ALL
SELECT 1, NULL, 'ALTER VIEW ' || name || ' OWNER TO ' || quote_ident(pg_get_userbyid(relowner))
FROM v WHERE pg_get_userbyid(relowner) <> current_user
UNION ALL
SELECT 2, NULL, 'GRANT ' || acl.privilege_type || {_GRANTS}
FROM v, aclexplode(COALESCE(v.relacl, acldefault('r', v.relowner))) AS acl
UNION ALL
SELECT 2, a.attname, 'GRANT ' || acl.privilege_type || ' (' || quote_ident(a.attname) || ')' || {_GRANTS}
FROM v JOIN pg_attribute AS a ON a.attrelid = v.oid AND NOT a.attisdropped, aclexplode(a.attacl) AS acl
UNION ALL
SELECT 3, a.attname,
  'COMMENT ON COLUMN ' || v.name || '.' || quote_ident(a.attname) || ' IS ' || quote_literal(d.description)
FROM v
JOIN pg_attribute AS a ON a.attrelid = v.oid AND NOT a.attisdropped
JOIN pg_description AS d
  ON d.classoid = 'pg_class'::regclass AND d.objoid = v.oid AND d.objsubid = a.attnum AND a.attnum > 0
"""

# PostgreSQL notes a view's dependence on its rewrite rule `_RETURN`, that of a function or trigger on itself.
_DEPENDENTS = f"""{_VIEW}
, found (oid) AS (
  SELECT oid FROM v
  UNION
  SELECT r.ev_class
  FROM found
  JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = found.oid
  JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
)
SELECT
  CASE WHEN n.nspname = {{schema}} AND c.relkind = 'v' THEN c.relname END,
  CASE c.relkind WHEN 'm' THEN 'the materialized view ' WHEN 'v' THEN 'the view ' ELSE 'a rule of ' END
    || quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM found
JOIN pg_class AS c ON c.oid = found.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid <> (SELECT oid FROM v)
UNION
SELECT NULL, 'the ' || pg_describe_object(d.classid, d.objid, d.objsubid)
FROM found
JOIN pg_class AS c ON c.oid = found.oid
JOIN pg_type AS t ON t.oid = c.reltype
JOIN pg_depend AS d
  ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid)
  OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray))
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
WHERE d.deptype IN ('n', 'a') AND (r.oid IS NULL OR (r.ev_class = c.oid AND r.rulename <> '_RETURN'))
ORDER BY 2
"""
