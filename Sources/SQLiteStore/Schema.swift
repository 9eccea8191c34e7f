/// One step of the schema's history. A released step is never edited.
package struct Migration: Sendable {
    /// The `PRAGMA user_version` after it.
    package let version: Int
    package let sql: String

    package init(version: Int, sql: String) {
        self.version = version
        self.sql = sql
    }
}

/// The schema and what it means.
///
/// - Times are microseconds since 1970. Lists of addresses are joined by line feeds, which no address has.
/// - Octets of a message are stored once, whoever has it (`messages.digest`); the row goes with its last entry and job.
/// - An intent is (origin, message_id); origin is `user:<address>`, `visitor:<address>`, `peer:<domain>` or `server`. Its rows outlive the
///   mail.
/// - A receipt lives as long as its intent or the message it is evidence for.
/// - A package's octets have a row of their own, so that a change of its state does not write them again; it is present
///   while that row is.
/// - `plugin_usage` counts what `plugin_values` has of each plug-in, so that a quota costs no scan.
enum Schema {
    /// "WSML": tells our files from other SQLite databases (https://www.sqlite.org/fileformat.html §1.3.17).
    static let applicationID: Int64 = 0x5753_4D4C

    static let migrations = [
        Migration(version: 1, sql: accounts + mail + queue + peers),
        Migration(version: 2, sql: plugins),
    ]

    private static let accounts = """
        CREATE TABLE accounts (
            key INTEGER PRIMARY KEY,
            address TEXT NOT NULL UNIQUE,
            created INTEGER NOT NULL,
            disabled INTEGER,
            removed INTEGER,
            password TEXT,
            generation INTEGER NOT NULL,
            quota INTEGER,
            used INTEGER NOT NULL DEFAULT 0,
            last_uid INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX accounts_removed ON accounts(removed) WHERE removed IS NOT NULL;
        CREATE TABLE certificates (
            thumbprint BLOB PRIMARY KEY NOT NULL,
            owner TEXT,
            der BLOB NOT NULL,
            serial BLOB NOT NULL,
            not_after INTEGER NOT NULL,
            added INTEGER NOT NULL,
            revoked INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX certificates_owner ON certificates(owner, added);
        CREATE INDEX certificates_revoked ON certificates(revoked) WHERE revoked IS NOT NULL;
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY NOT NULL,
            kind TEXT NOT NULL,
            principal TEXT NOT NULL,
            secret BLOB NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            generation INTEGER NOT NULL,
            ceiling INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sessions_principal ON sessions(kind, principal);
        CREATE INDEX sessions_expires ON sessions(expires);

        """

    private static let mail = """
        CREATE TABLE messages (
            key INTEGER PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE,
            id TEXT NOT NULL,
            size INTEGER NOT NULL,
            author TEXT NOT NULL,
            to_list TEXT NOT NULL,
            cc_list TEXT NOT NULL,
            subject TEXT NOT NULL,
            date INTEGER NOT NULL,
            in_reply_to TEXT,
            traits INTEGER NOT NULL,
            octets BLOB NOT NULL
        ) STRICT;
        CREATE INDEX messages_id ON messages(id);
        CREATE TABLE postmarks (
            key INTEGER PRIMARY KEY,
            message INTEGER NOT NULL REFERENCES messages(key) ON DELETE CASCADE,
            octets BLOB NOT NULL
        ) STRICT;
        CREATE INDEX postmarks_message ON postmarks(message);
        CREATE TABLE intents (
            key INTEGER PRIMARY KEY,
            origin TEXT NOT NULL,
            message_id TEXT NOT NULL,
            digest BLOB NOT NULL,
            accepted INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            sent_copy INTEGER NOT NULL,
            UNIQUE (origin, message_id)
        ) STRICT;
        CREATE INDEX intents_expires ON intents(expires);
        CREATE TABLE receipts (
            key INTEGER PRIMARY KEY,
            intent INTEGER REFERENCES intents(key) ON DELETE SET NULL,
            message INTEGER REFERENCES messages(key) ON DELETE SET NULL,
            covers TEXT NOT NULL,
            octets BLOB NOT NULL
        ) STRICT;
        CREATE INDEX receipts_intent ON receipts(intent);
        CREATE INDEX receipts_message ON receipts(message);
        CREATE INDEX receipts_orphan ON receipts(key) WHERE intent IS NULL AND message IS NULL;
        CREATE TABLE peer_receipts (
            key INTEGER PRIMARY KEY,
            intent INTEGER NOT NULL REFERENCES intents(key) ON DELETE CASCADE,
            octets BLOB NOT NULL
        ) STRICT;
        CREATE INDEX peer_receipts_intent ON peer_receipts(intent);
        CREATE TABLE recipients (
            intent INTEGER NOT NULL REFERENCES intents(key) ON DELETE CASCADE,
            address TEXT NOT NULL,
            state TEXT NOT NULL,
            at INTEGER NOT NULL,
            reason TEXT,
            peer_receipt INTEGER,
            PRIMARY KEY (intent, address)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE folders (
            key INTEGER PRIMARY KEY,
            account INTEGER NOT NULL REFERENCES accounts(key) ON DELETE CASCADE,
            name TEXT NOT NULL,
            role TEXT,
            UNIQUE (account, name)
        ) STRICT;
        CREATE TABLE entries (
            account INTEGER NOT NULL REFERENCES accounts(key),
            uid INTEGER NOT NULL,
            folder INTEGER NOT NULL REFERENCES folders(key),
            message INTEGER NOT NULL REFERENCES messages(key),
            postmark INTEGER,
            receipt INTEGER,
            flags INTEGER NOT NULL,
            received INTEGER NOT NULL,
            charge INTEGER NOT NULL,
            PRIMARY KEY (account, uid)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX entries_folder ON entries(folder, uid);
        CREATE INDEX entries_message ON entries(message, account);

        """

    private static let queue = """
        CREATE TABLE jobs (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            intent INTEGER NOT NULL REFERENCES intents(key),
            message INTEGER NOT NULL REFERENCES messages(key),
            destination TEXT NOT NULL,
            recipients TEXT NOT NULL,
            postmark INTEGER NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            due INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            lease INTEGER NOT NULL DEFAULT 0,
            leased INTEGER NOT NULL DEFAULT 0,
            reason TEXT
        ) STRICT;
        CREATE INDEX jobs_destination ON jobs(destination, due);
        CREATE INDEX jobs_expires ON jobs(expires);
        CREATE INDEX jobs_intent ON jobs(intent);
        CREATE INDEX jobs_message ON jobs(message);

        """

    private static let peers = """
        CREATE TABLE peer_metadata (
            domain TEXT PRIMARY KEY NOT NULL,
            octets BLOB NOT NULL,
            version INTEGER NOT NULL,
            next_update INTEGER NOT NULL,
            fetched INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE anchors (
            thumbprint BLOB NOT NULL,
            scope TEXT NOT NULL,
            der BLOB NOT NULL,
            label TEXT NOT NULL,
            added INTEGER NOT NULL,
            added_by TEXT NOT NULL,
            PRIMARY KEY (thumbprint, scope)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE seen_certificates (
            thumbprint BLOB PRIMARY KEY NOT NULL,
            der BLOB NOT NULL,
            seen INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX seen_certificates_seen ON seen_certificates(seen);
        CREATE TABLE counters (
            name TEXT PRIMARY KEY NOT NULL,
            value INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE settings (
            namespace TEXT NOT NULL,
            key TEXT NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (namespace, key)
        ) STRICT, WITHOUT ROWID;
        """

    private static let plugins = """
        CREATE TABLE plugin_packages (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            version TEXT NOT NULL,
            digest BLOB NOT NULL,
            installed INTEGER NOT NULL,
            state BLOB NOT NULL
        ) STRICT;
        CREATE TABLE plugin_octets (
            package INTEGER PRIMARY KEY REFERENCES plugin_packages(key),
            octets BLOB NOT NULL
        ) STRICT;
        CREATE TABLE plugin_values (
            plugin TEXT NOT NULL,
            key BLOB NOT NULL,
            value BLOB NOT NULL,
            version INTEGER NOT NULL,
            PRIMARY KEY (plugin, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE plugin_usage (
            plugin TEXT PRIMARY KEY NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
