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
    name TEXT PRIMARY KEY COLLATE NOCASE,
    id INTEGER NOT NULL,
    max_length INTEGER NOT NULL,
    precision INTEGER NOT NULL,
    scale INTEGER NOT NULL
  );
  INSERT OR IGNORE INTO __types VALUES
    ('image', 34, 16, 0, 0), ('text', 35, 16, 0, 0), ('uniqueidentifier', 36, 16, 0, 0), ('date', 40, 3, 10, 0),
    ('time', 41, 5, 16, 7), ('datetime2', 42, 8, 27, 7), ('datetimeoffset', 43, 10, 34, 7), ('tinyint', 48, 1, 3, 0),
    ('smallint', 52, 2, 5, 0), ('int', 56, 4, 10, 0), ('smalldatetime', 58, 4, 16, 0), ('real', 59, 4, 24, 0),
    ('money', 60, 8, 19, 4), ('datetime', 61, 8, 23, 3), ('float', 62, 8, 53, 0), ('sql_variant', 98, 8016, 0, 0),
    ('ntext', 99, 16, 0, 0), ('bit', 104, 1, 1, 0), ('decimal', 106, 17, 38, 38), ('numeric', 108, 17, 38, 38),
    ('smallmoney', 122, 4, 10, 4), ('bigint', 127, 8, 19, 0), ('varbinary', 165, 8000, 0, 0),
    ('varchar', 167, 8000, 0, 0), ('binary', 173, 8000, 0, 0), ('char', 175, 8000, 0, 0), ('timestamp', 189, 8, 0, 0),
    ('nvarchar', 231, 8000, 0, 0), ('nchar', 239, 8000, 0, 0), ('xml', 241, -1, 0, 0);
`;

/** Parts of definitions as rows. */
const PARTS = `
  CREATE VIEW __columns AS
    SELECT o.object_id, o.schema, o.name AS table_name, o.kind, c.key + 1 AS column_id, c.value ->> 'name' AS name,
      replace(c.value ->> '$.type.name', 'rowversion', 'timestamp') AS type_name, c.value ->> '$.type.length' AS length,
      c.value ->> '$.type.precision' AS precision, c.value ->> '$.type.scale' AS scale,
      c.value ->> 'nullable' AS is_nullable, c.value ->> '$.identity.id' IS NOT NULL AS is_identity,
      c.value ->> '$.identity.seed' AS seed_value, c.value ->> '$.identity.increment' AS increment_value,
      c.value ->> '$.default.name' AS default_name, c.value ->> '$.default.expression' AS default_definition,
      c.value ->> '$.computed.expression' AS computed_definition,
      coalesce(c.value ->> '$.computed.persisted', 0) AS is_persisted, c.value ->> 'collation' AS collation
    FROM __objects o, json_each(o.definition, '$.columns') c;
  CREATE VIEW __constraints AS
    SELECT object_hash(o.schema || '.' || (c.value ->> 'name')) AS object_id, o.object_id AS parent_object_id, o.schema,
      o.name AS table_name, c.value ->> 'name' AS name, c.value ->> 'kind' AS kind, c.value ->> 'columns' AS columns,
      c.value ->> 'expression' AS expression, c.value ->> 'references' AS referred, c.value ->> 'referenced' AS referenced,
      c.value ->> 'onDelete' AS on_delete, c.value ->> 'onUpdate' AS on_update,
      coalesce(c.value ->> 'disabled', 0) AS is_disabled
    FROM __objects o, json_each(o.definition, '$.constraints') c;
  CREATE VIEW __keys AS
    SELECT o.object_id, o.schema, o.name AS table_name, k.name, k.columns, k.is_unique, k.is_primary_key,
      k.is_unique_constraint, k.filter,
      row_number() OVER (PARTITION BY o.object_id ORDER BY k.is_primary_key DESC, k.place) + 
        CASE WHEN max(k.is_primary_key) OVER (PARTITION BY o.object_id) = 1 THEN 0 ELSE 1 END AS index_id
    FROM __objects o JOIN (
      SELECT parent_object_id AS of, name, columns, 1 AS is_unique, kind = 'primary' AS is_primary_key,
        kind = 'unique' AS is_unique_constraint, NULL AS filter, 0 AS place
      FROM __constraints WHERE kind IN ('primary', 'unique')
      UNION ALL
      SELECT t.object_id, i.value ->> 'name', i.value ->> 'columns', i.value ->> 'unique', 0, 0, i.value ->> 'where', i.key + 1
      FROM __objects t, json_each(t.definition, '$.indexes') i
    ) k ON k.of = o.object_id;
  CREATE VIEW __foreign_columns AS
    SELECT f.object_id, f.schema, f.name, f.parent_object_id, f.table_name, a.key + 1 AS place, a.value AS column_name,
      object_key_of(f.referred) AS referred_key, b.value AS referenced_column
    FROM __constraints f, json_each(f.columns) a JOIN json_each(f.referenced) b ON b.key = a.key
    WHERE f.kind = 'foreign';
  CREATE VIEW __names AS
    SELECT object_id AS __id, lower(schema || '.' || name) AS __key, name AS __name, schema AS __schema, kind AS __kind,
      text AS __text FROM __objects
    UNION ALL
    SELECT object_id, lower(schema || '.' || name), name, schema,
      CASE kind WHEN 'primary' THEN 'PK' WHEN 'unique' THEN 'UQ' WHEN 'foreign' THEN 'F' ELSE 'C' END, expression
    FROM __constraints
    UNION ALL
    SELECT object_hash(schema || '.' || default_name), lower(schema || '.' || default_name), default_name, schema, 'D',
      default_definition
    FROM __columns WHERE default_name IS NOT NULL;
  CREATE VIEW __schema_names AS SELECT schema_id AS __id, name AS __name FROM __schemas;
  CREATE VIEW __column_names AS
    SELECT object_id AS __of, column_id AS __id, name AS __name, is_identity AS __identity, is_nullable AS __nullable,
      computed_definition IS NOT NULL AS __computed, type_name AS __type, length AS __length
    FROM __columns;
`;

const CONSTRAINT_COLUMNS = `c.name, c.object_id, s.schema_id, c.parent_object_id`;

/** SQL Server's views of the same, as far as schema tools ask for them. */
const SYS = `
  CREATE VIEW "sys.schemas" AS SELECT name, schema_id, 1 AS principal_id FROM __schemas;
  CREATE VIEW "sys.objects" AS
    SELECT n.__name AS name, n.__id AS object_id, s.schema_id, NULL AS principal_id,
      coalesce(c.parent_object_id, 0) AS parent_object_id, substr(n.__kind || ' ', 1, 2) AS type,
      CASE n.__kind WHEN 'U' THEN 'USER_TABLE' WHEN 'V' THEN 'VIEW' WHEN 'PK' THEN 'PRIMARY_KEY_CONSTRAINT'
        WHEN 'UQ' THEN 'UNIQUE_CONSTRAINT' WHEN 'F' THEN 'FOREIGN_KEY_CONSTRAINT' WHEN 'C' THEN 'CHECK_CONSTRAINT'
        ELSE 'DEFAULT_CONSTRAINT' END AS type_desc,
      0 AS is_ms_shipped
    FROM __names n JOIN __schemas s ON s.name = n.__schema LEFT JOIN __constraints c ON c.object_id = n.__id;
  CREATE VIEW "sys.all_objects" AS SELECT * FROM "sys.objects";
  CREATE VIEW "sys.tables" AS SELECT * FROM "sys.objects" WHERE type = 'U ';
  CREATE VIEW "sys.views" AS SELECT * FROM "sys.objects" WHERE type = 'V ';
  CREATE VIEW "sys.sysobjects" AS SELECT name, object_id AS id, type AS xtype, schema_id AS uid, type FROM "sys.objects";
  CREATE VIEW sysobjects AS SELECT * FROM "sys.sysobjects";
  CREATE VIEW "sys.sql_modules" AS SELECT object_id, text AS definition FROM __objects WHERE text IS NOT NULL;
  CREATE VIEW "sys.types" AS
    SELECT name, id AS system_type_id, id AS user_type_id, 4 AS schema_id, max_length, precision, scale,
      1 AS is_nullable, 0 AS is_user_defined, 0 AS is_table_type FROM __types;
  CREATE VIEW "sys.columns" AS
    SELECT c.object_id, c.name, c.column_id, t.id AS system_type_id, t.id AS user_type_id,
      CASE WHEN c.length = 'max' THEN -1 WHEN c.length IS NULL THEN t.max_length
        WHEN t.name IN ('nchar', 'nvarchar') THEN c.length * 2 ELSE c.length END AS max_length,
      coalesce(c.precision, t.precision) AS precision, coalesce(c.scale, t.scale) AS scale,
      CASE WHEN t.id IN (35, 99, 167, 175, 231, 239) THEN coalesce(c.collation, default_collation()) END AS collation_name,
      c.is_nullable, 0 AS is_rowguidcol, c.is_identity, c.computed_definition IS NOT NULL AS is_computed,
      coalesce(object_hash(c.schema || '.' || c.default_name), 0) AS default_object_id, 0 AS generated_always_type,
      'NOT_APPLICABLE' AS generated_always_type_desc, 0 AS is_hidden
    FROM __columns c JOIN __types t ON t.name = c.type_name;
  CREATE VIEW "sys.all_columns" AS SELECT * FROM "sys.columns";
  CREATE VIEW "sys.identity_columns" AS
    SELECT s.*, c.seed_value, c.increment_value FROM "sys.columns" s
    JOIN __columns c ON c.object_id = s.object_id AND c.column_id = s.column_id WHERE s.is_identity;
  CREATE VIEW "sys.computed_columns" AS
    SELECT s.*, c.computed_definition AS definition, c.is_persisted FROM "sys.columns" s
    JOIN __columns c ON c.object_id = s.object_id AND c.column_id = s.column_id WHERE s.is_computed;
  CREATE VIEW "sys.indexes" AS
    SELECT object_id, name, index_id, CASE WHEN is_primary_key THEN 1 ELSE 2 END AS type,
      CASE WHEN is_primary_key THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END AS type_desc, is_unique, is_primary_key,
      is_unique_constraint, 0 AS fill_factor, 0 AS is_disabled, filter IS NOT NULL AS has_filter,
      '(' || filter || ')' AS filter_definition
    FROM __keys;
  CREATE VIEW "sys.index_columns" AS
    SELECT k.object_id, k.index_id, i.key + 1 AS index_column_id, c.column_id, i.key + 1 AS key_ordinal,
      0 AS is_descending_key, 0 AS is_included_column
    FROM __keys k, json_each(k.columns) i JOIN __columns c ON c.object_id = k.object_id AND c.name = i.value COLLATE NOCASE;
  CREATE VIEW "sys.key_constraints" AS
    SELECT ${CONSTRAINT_COLUMNS}, CASE c.kind WHEN 'primary' THEN 'PK' ELSE 'UQ' END AS type,
      CASE c.kind WHEN 'primary' THEN 'PRIMARY_KEY_CONSTRAINT' ELSE 'UNIQUE_CONSTRAINT' END AS type_desc
    FROM __constraints c JOIN __schemas s ON s.name = c.schema WHERE c.kind IN ('primary', 'unique');
  CREATE VIEW "sys.check_constraints" AS
    SELECT ${CONSTRAINT_COLUMNS}, check_definition(c.expression) AS definition, c.is_disabled,
      coalesce((SELECT column_id FROM __columns k WHERE k.object_id = c.parent_object_id
        AND instr(lower(c.expression), lower('[' || k.name || ']')) > 0 LIMIT 1), 0) AS parent_column_id
    FROM __constraints c JOIN __schemas s ON s.name = c.schema WHERE c.kind = 'check';
  CREATE VIEW "sys.default_constraints" AS
    SELECT c.default_name AS name, object_hash(c.schema || '.' || c.default_name) AS object_id, s.schema_id,
      c.object_id AS parent_object_id, c.column_id AS parent_column_id, c.default_definition AS definition
    FROM __columns c JOIN __schemas s ON s.name = c.schema WHERE c.default_name IS NOT NULL;
  CREATE VIEW "sys.foreign_keys" AS
    SELECT ${CONSTRAINT_COLUMNS}, o.object_id AS referenced_object_id, c.is_disabled,
      replace(c.on_delete, ' ', '_') AS delete_referential_action_desc,
      replace(c.on_update, ' ', '_') AS update_referential_action_desc
    FROM __constraints c JOIN __schemas s ON s.name = c.schema
    JOIN __objects o ON lower(o.schema || '.' || o.name) = object_key_of(c.referred) WHERE c.kind = 'foreign';
  CREATE VIEW "sys.foreign_key_columns" AS
    SELECT f.object_id AS constraint_object_id, f.place AS constraint_column_id, f.parent_object_id,
      c.column_id AS parent_column_id, r.object_id AS referenced_object_id, r.column_id AS referenced_column_id
    FROM __foreign_columns f
    JOIN __columns c ON c.object_id = f.parent_object_id AND c.name = f.column_name COLLATE NOCASE
    JOIN __columns r ON lower(r.schema || '.' || r.table_name) = f.referred_key AND r.name = f.referenced_column COLLATE NOCASE;
  CREATE VIEW "sys.extended_properties" AS
    SELECT 1 AS class, 'OBJECT_OR_COLUMN' AS class_desc, major_id, minor_id, name, value FROM __properties;
  CREATE VIEW "sys.triggers" AS
    SELECT NULL AS name, NULL AS object_id, NULL AS parent_id, 0 AS is_instead_of_trigger WHERE 0;
  CREATE VIEW "sys.trigger_events" AS SELECT NULL AS object_id, NULL AS type_desc WHERE 0;
  CREATE VIEW "sys.parameters" AS
    SELECT NULL AS object_id, NULL AS name, NULL AS parameter_id, NULL AS user_type_id, 0 AS is_output WHERE 0;
`;

const WHERE_IS = 'current_database() AS TABLE_CATALOG, c.schema AS TABLE_SCHEMA, c.table_name AS TABLE_NAME';

const INFORMATION_SCHEMA = `
  CREATE VIEW "information_schema.schemata" AS
    SELECT current_database() AS CATALOG_NAME, name AS SCHEMA_NAME, 'dbo' AS SCHEMA_OWNER FROM __schemas;
  CREATE VIEW "information_schema.tables" AS
    SELECT current_database() AS TABLE_CATALOG, schema AS TABLE_SCHEMA, name AS TABLE_NAME,
      CASE kind WHEN 'U' THEN 'BASE TABLE' ELSE 'VIEW' END AS TABLE_TYPE FROM __objects;
  CREATE VIEW "information_schema.views" AS
    SELECT current_database() AS TABLE_CATALOG, schema AS TABLE_SCHEMA, name AS TABLE_NAME, text AS VIEW_DEFINITION,
      'NONE' AS CHECK_OPTION, 'NO' AS IS_UPDATABLE FROM __objects WHERE kind = 'V';
  CREATE VIEW "information_schema.columns" AS
    SELECT ${WHERE_IS}, c.name AS COLUMN_NAME, c.column_id AS ORDINAL_POSITION, c.default_definition AS COLUMN_DEFAULT,
      CASE WHEN c.is_nullable THEN 'YES' ELSE 'NO' END AS IS_NULLABLE, c.type_name AS DATA_TYPE,
      CASE WHEN c.length = 'max' THEN -1 WHEN c.length IS NOT NULL THEN c.length WHEN c.type_name = 'ntext' THEN 1073741823
        WHEN c.type_name IN ('text', 'image') THEN 2147483647 WHEN c.type_name = 'xml' THEN -1 END AS CHARACTER_MAXIMUM_LENGTH,
      CASE WHEN c.length = 'max' THEN -1 WHEN c.type_name IN ('nchar', 'nvarchar') THEN c.length * 2 ELSE c.length END
        AS CHARACTER_OCTET_LENGTH,
      CASE WHEN t.id IN (48, 52, 56, 59, 60, 62, 106, 108, 122, 127) THEN coalesce(c.precision, t.precision) END
        AS NUMERIC_PRECISION,
      CASE WHEN t.id IN (48, 52, 56, 60, 106, 108, 122, 127) THEN 10 WHEN t.id IN (59, 62) THEN 2 END
        AS NUMERIC_PRECISION_RADIX,
      CASE WHEN t.id IN (48, 52, 56, 60, 106, 108, 122, 127) THEN coalesce(c.scale, t.scale) END AS NUMERIC_SCALE,
      CASE WHEN t.id IN (40, 41, 42, 43, 58, 61) THEN coalesce(c.scale, t.scale) END AS DATETIME_PRECISION,
      CASE WHEN t.id IN (35, 167, 175) THEN 'iso_1' WHEN t.id IN (99, 231, 239) THEN 'UNICODE' END AS CHARACTER_SET_NAME,
      CASE WHEN t.id IN (35, 99, 167, 175, 231, 239) THEN coalesce(c.collation, default_collation()) END AS COLLATION_NAME
    FROM __columns c JOIN __types t ON t.name = c.type_name;
  CREATE VIEW "information_schema.table_constraints" AS
    SELECT current_database() AS CONSTRAINT_CATALOG, c.schema AS CONSTRAINT_SCHEMA, c.name AS CONSTRAINT_NAME, ${WHERE_IS},
      CASE c.kind WHEN 'primary' THEN 'PRIMARY KEY' WHEN 'unique' THEN 'UNIQUE' WHEN 'foreign' THEN 'FOREIGN KEY'
        ELSE 'CHECK' END AS CONSTRAINT_TYPE
    FROM __constraints c;
  CREATE VIEW "information_schema.constraint_column_usage" AS
    SELECT ${WHERE_IS}, k.value AS COLUMN_NAME, current_database() AS CONSTRAINT_CATALOG, c.schema AS CONSTRAINT_SCHEMA,
      c.name AS CONSTRAINT_NAME FROM __constraints c, json_each(c.columns) k
    UNION ALL
    SELECT ${WHERE_IS}, k.name, current_database(), c.schema, c.name
    FROM __constraints c JOIN __columns k ON k.object_id = c.parent_object_id
    WHERE c.kind = 'check' AND instr(lower(c.expression), lower(k.name)) > 0;
  CREATE VIEW "information_schema.key_column_usage" AS
    SELECT current_database() AS CONSTRAINT_CATALOG, c.schema AS CONSTRAINT_SCHEMA, c.name AS CONSTRAINT_NAME, ${WHERE_IS},
      k.value AS COLUMN_NAME, k.key + 1 AS ORDINAL_POSITION
    FROM __constraints c, json_each(c.columns) k;
  CREATE VIEW "information_schema.referential_constraints" AS
    SELECT current_database() AS CONSTRAINT_CATALOG, c.schema AS CONSTRAINT_SCHEMA, c.name AS CONSTRAINT_NAME,
      current_database() AS UNIQUE_CONSTRAINT_CATALOG, k.schema AS UNIQUE_CONSTRAINT_SCHEMA,
      k.name AS UNIQUE_CONSTRAINT_NAME, 'SIMPLE' AS MATCH_OPTION, c.on_update AS UPDATE_RULE, c.on_delete AS DELETE_RULE
    FROM __constraints c JOIN __constraints k ON k.kind IN ('primary', 'unique')
      AND lower(k.schema || '.' || k.table_name) = object_key_of(c.referred) AND lower(k.columns) = lower(c.referenced)
    WHERE c.kind = 'foreign';
`;

/** Made once for each database; none of them keeps anything. */
export const CATALOG_VIEWS = `${PARTS}${SYS}${INFORMATION_SCHEMA}`;
