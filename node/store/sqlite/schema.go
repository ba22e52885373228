package sqlite

import (
	"fmt"
	"strconv"
)

// migrations are the steps from an empty file to the schema of this program, in order. A step that was
// released is never changed: the next change is a new step. Each runs in one transaction together with
// the new version number.
//
// Shapes worth knowing:
//
//   - due is when work is to be done: NextAttempt of a waiting message, the end of the lease of a leased
//     one, NULL when nothing is to be done. So a lease that runs out is simply due again.
//   - grave is 0 while a message holds its eb:MessageId and its own id once it failed or was rejected: the
//     unique index then lets the same eb:MessageId in again, and still finds all of them.
//   - event, payload and evidence of message m have the ids m<<16, m<<16+1, ...: one tree each, in the order
//     in which they are read, without a second index. events counts those of the first kind.
//   - header is apart, because SQLite writes the whole row anew at each change of state.
//   - once holds the keys of Tx.Once; those of a message go with it.
//   - label holds the labels of Tx.Label; those of a message go with it.
//   - task holds work beside the messages; a task outlives its message.
//   - tally counts messages by domain, direction and state; it also tells lists which parts of message_list
//     are worth reading.
//   - log holds the entries of the log, log_tile the hashes of each 256 of them and of each 256 such tiles, log_state
//     the size and the roots that a new entry is joined to; a message's entries outlive it.
//   - log_stamp holds heads of the log that were time-stamped, each with its record and when that is to be renewed.
//   - fragment_group holds messages that travel in pieces; fragment n of group g has the id g<<16|n.
//   - traffic counts what entered a state in each hour since 1970; state 0 are the messages that were stored.
var migrations = []string{
	`
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE message (
	id INTEGER PRIMARY KEY,
	direction INTEGER NOT NULL, state INTEGER NOT NULL, grave INTEGER NOT NULL,
	leased INTEGER NOT NULL, due INTEGER, attempts INTEGER NOT NULL, events INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
	test INTEGER NOT NULL,
	lease_owner TEXT, peer TEXT NOT NULL,
	message_id TEXT NOT NULL, sender_key TEXT NOT NULL, conversation_id TEXT NOT NULL, ref_to_message_id TEXT NOT NULL,
	domain TEXT NOT NULL, pmode TEXT NOT NULL, profile TEXT NOT NULL,
	from_party TEXT NOT NULL, to_party TEXT NOT NULL, sender TEXT NOT NULL, receiver TEXT NOT NULL,
	service TEXT NOT NULL, service_type TEXT NOT NULL, action TEXT NOT NULL,
	error_code TEXT, error_text TEXT, error_remedy TEXT
) STRICT;
CREATE UNIQUE INDEX message_key ON message (message_id, direction, sender_key, grave);
CREATE INDEX message_list ON message (domain, direction, state);
CREATE INDEX message_conversation ON message (conversation_id) WHERE conversation_id <> '';
CREATE INDEX message_work ON message (direction, leased, peer, due) WHERE due IS NOT NULL;

CREATE TABLE header (id INTEGER PRIMARY KEY, octets BLOB NOT NULL) STRICT;
CREATE TABLE event (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, state INTEGER NOT NULL, attempt INTEGER NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE evidence (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, time INTEGER NOT NULL, sha256 BLOB NOT NULL, octets BLOB NOT NULL) STRICT;
CREATE TABLE payload (
	id INTEGER PRIMARY KEY,
	content_id TEXT NOT NULL, mime_type TEXT NOT NULL, name TEXT NOT NULL,
	compressed INTEGER NOT NULL, size INTEGER NOT NULL, plain_size INTEGER NOT NULL,
	place INTEGER NOT NULL, -- 0 deleted, 1 in octets, 2 in a file
	sha256 BLOB NOT NULL, octets BLOB
) STRICT;
CREATE INDEX payload_file ON payload (sha256) WHERE place = 2;

CREATE TABLE tally (
	domain TEXT NOT NULL, direction INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL,
	PRIMARY KEY (domain, direction, state)
) WITHOUT ROWID, STRICT;

CREATE TABLE smp_entry (
	id INTEGER PRIMARY KEY,
	participant TEXT NOT NULL, generation TEXT NOT NULL, doctype TEXT NOT NULL,
	etag TEXT NOT NULL, updated INTEGER NOT NULL, octets BLOB NOT NULL, source BLOB
) STRICT;
CREATE UNIQUE INDEX smp_entry_key ON smp_entry (participant, generation, doctype);

CREATE TABLE token (
	id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, scopes TEXT NOT NULL,
	created INTEGER NOT NULL, expires INTEGER
) STRICT;
`,
	`
CREATE TABLE once (key TEXT PRIMARY KEY, message INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE INDEX once_message ON once (message);
`,
	`
CREATE TABLE task (
	id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, kind TEXT NOT NULL, message INTEGER NOT NULL,
	due INTEGER NOT NULL, attempts INTEGER NOT NULL, dead INTEGER NOT NULL, error TEXT NOT NULL, created INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX task_due ON task (queue, due) WHERE dead = 0;
CREATE INDEX task_dead ON task (queue, id) WHERE dead = 1;
`,
	`
CREATE TABLE user (
	name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, one_time INTEGER NOT NULL,
	totp BLOB, totp_step INTEGER NOT NULL, created INTEGER NOT NULL, last_login INTEGER, password_at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE session (
	hash BLOB PRIMARY KEY, user TEXT NOT NULL, stage INTEGER NOT NULL, created INTEGER NOT NULL, seen INTEGER NOT NULL, expires INTEGER NOT NULL,
	address TEXT NOT NULL, agent TEXT NOT NULL, secret BLOB
) WITHOUT ROWID, STRICT;
CREATE INDEX session_user ON session (user);
CREATE TABLE traffic (
	hour INTEGER NOT NULL, direction INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL,
	PRIMARY KEY (hour, direction, state)
) WITHOUT ROWID, STRICT;
`,
	`
CREATE TABLE log (id INTEGER PRIMARY KEY, message INTEGER, octets BLOB NOT NULL) STRICT;
CREATE INDEX log_message ON log (message) WHERE message IS NOT NULL;
CREATE TABLE log_tile (id INTEGER PRIMARY KEY, root BLOB NOT NULL, hashes BLOB NOT NULL) STRICT;
CREATE TABLE log_state (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL, peaks BLOB NOT NULL) STRICT;
INSERT INTO log_state (id, size, peaks) VALUES (1, 0, x'');
CREATE TABLE log_head (size INTEGER PRIMARY KEY, octets BLOB NOT NULL) STRICT;
`,
	`
CREATE TABLE fragment_group (
	id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, closed INTEGER NOT NULL, created INTEGER NOT NULL, record BLOB NOT NULL
) STRICT;
CREATE TABLE fragment (
	id INTEGER PRIMARY KEY, message_id TEXT NOT NULL,
	place INTEGER NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL, octets BLOB, -- as in payload
	header BLOB, receipt BLOB
) STRICT;
CREATE INDEX fragment_file ON fragment (sha256) WHERE place = 2;
`,
	`
CREATE TABLE label (name TEXT NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (name, message)) WITHOUT ROWID, STRICT;
CREATE INDEX label_message ON label (message);
`,
	`
CREATE TABLE log_stamp (size INTEGER PRIMARY KEY, due INTEGER NOT NULL, head BLOB NOT NULL, record BLOB NOT NULL) STRICT;
CREATE INDEX log_stamp_due ON log_stamp (due);
`,
}

// VersionError refuses a file that a newer program wrote.
type VersionError struct {
	Path     string
	Have     int // schema version of the file
	Supports int // newest that this program knows
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("sqlite: %s has schema %d and this program knows schemas up to %d: run the newer program, or restore a back-up made before the upgrade",
		e.Path, e.Have, e.Supports)
}

// applicationID marks our files ("VIAD"), so that a path in the configuration that names some other SQLite
// file is refused instead of being filled with our tables.
const applicationID = 0x56494144

// migrate brings the file to the newest schema.
func migrate(c *conn, path string, steps []string) error {
	have, err := c.pragma("user_version")
	if err != nil {
		return err
	}
	app, err := c.pragma("application_id")
	if err != nil {
		return err
	}
	tables, err := c.queryInt("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	if app != applicationID && (have != 0 || tables != 0) {
		return fmt.Errorf("sqlite: %s is a database of another program", path)
	}
	if int(have) > len(steps) {
		return &VersionError{Path: path, Have: int(have), Supports: len(steps)}
	}
	for v := int(have); v < len(steps); v++ {
		script := "BEGIN IMMEDIATE;" + steps[v] +
			";PRAGMA application_id=" + strconv.Itoa(applicationID) + ";PRAGMA user_version=" + strconv.Itoa(v+1) + ";COMMIT"
		if err := c.script(script); err != nil {
			return fmt.Errorf("sqlite: %s: schema step %d: %w", path, v+1, err)
		}
	}
	return nil
}
