/** What describes the objects of a database: the definition is a TableDefinition as JSON. */
export const CATALOG_TABLES = `
  CREATE TABLE IF NOT EXISTS __objects (
    object_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    schema TEXT NOT NULL COLLATE NOCASE,
    name TEXT NOT NULL COLLATE NOCASE,
    sql_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    definition TEXT NOT NULL,
    text TEXT
  );
  CREATE TABLE IF NOT EXISTS __schemas (
    schema_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE
  );
  INSERT OR IGNORE INTO __schemas VALUES (1, 'dbo'), (2, 'guest'), (3, 'INFORMATION_SCHEMA'), (4, 'sys');
  CREATE TABLE IF NOT EXISTS __properties (
    major_id INTEGER NOT NULL,
    minor_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (major_id, minor_id, name)
  );
  CREATE TABLE IF NOT EXISTS __types (
    name TEXT PRIMARY KEY,
    id INTEGER NOT NULL
  );
  INSERT OR IGNORE INTO __types VALUES
    ('image', 34), ('text', 35), ('uniqueidentifier', 36), ('date', 40), ('time', 41), ('datetime2', 42),
    ('datetimeoffset', 43), ('tinyint', 48), ('smallint', 52), ('int', 56), ('smalldatetime', 58), ('real', 59),
    ('money', 60), ('datetime', 61), ('float', 62), ('sql_variant', 98), ('ntext', 99), ('bit', 104), ('decimal', 106),
    ('numeric', 108), ('smallmoney', 122), ('bigint', 127), ('varbinary', 165), ('varchar', 167), ('binary', 173),
    ('char', 175), ('rowversion', 189), ('nvarchar', 231), ('nchar', 239), ('xml', 241);
`;

/** SQL Server's views of the same, as far as schema tools ask for them. */
export const CATALOG_VIEWS = `
  CREATE VIEW IF NOT EXISTS "sys.schemas" AS SELECT name, schema_id, 1 AS principal_id FROM __schemas;
  CREATE VIEW IF NOT EXISTS "sys.objects" AS
    SELECT o.name, o.object_id, s.schema_id, 0 AS parent_object_id, o.kind || ' ' AS type,
      CASE o.kind WHEN 'U' THEN 'USER_TABLE' ELSE 'VIEW' END AS type_desc, 0 AS is_ms_shipped,
      lower(o.schema || '.' || o.name) AS qualified_name
    FROM __objects o JOIN __schemas s ON s.name = o.schema;
  CREATE VIEW IF NOT EXISTS "sys.tables" AS SELECT * FROM "sys.objects" WHERE type = 'U ';
  CREATE VIEW IF NOT EXISTS "sys.views" AS SELECT * FROM "sys.objects" WHERE type = 'V ';
`;
