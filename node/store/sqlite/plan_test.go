package sqlite

import (
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

// TestQuestionsUseTheirIndexes asks SQLite how it would answer: at ten million messages a wrong plan is an outage.
func TestQuestionsUseTheirIndexes(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, c := range []struct{ name, query, want string }{
		{"a message by eb:MessageId", selectByID, "USING INDEX message_key (message_id=? AND direction=?)"},
		{"a list by eb:MessageId", "SELECT " + columns + " FROM message WHERE id < ? AND message_id = ? ORDER BY +id DESC LIMIT ?", "USING INDEX message_key (message_id=?"},
		{"a list by conversation", "SELECT " + columns + " FROM message INDEXED BY message_conversation WHERE id < ? AND conversation_id <> '' AND conversation_id = ? ORDER BY id DESC LIMIT ?", "USING INDEX message_conversation (conversation_id=? AND rowid<?)"},
		{"a heap", "SELECT " + columns + " FROM message INDEXED BY message_list WHERE domain = ? AND direction = ? AND state = ? AND id < ? AND id >= ? ORDER BY id DESC LIMIT ?",
			"USING INDEX message_list (domain=? AND direction=? AND state=? AND rowid>? AND rowid<?)"},
		{"the oldest of a heap", selectOldest, "USING INDEX message_list (domain=? AND direction=? AND state=?)"},
		{"the due work of a peer", "SELECT id FROM message WHERE direction = ?1 AND leased = 0 AND peer = ?2 AND due IS NOT NULL AND due <= ?3 ORDER BY due LIMIT ?4",
			"message_work (direction=? AND leased=? AND peer=? AND due>? AND due<?)"},
		{"the next due work of a peer", nextDueOfPeer, "message_work (direction=? AND leased=? AND peer=? AND due>?)"},
		{"the leases of a peer", "SELECT count(*) FROM message WHERE direction = ?1 AND leased = 1 AND peer = ?2 AND due IS NOT NULL", "message_work (direction=? AND leased=? AND peer=?"},
		{"all leases", nextLeaseEnd, "message_work (direction=? AND leased=?)"},
		{"payloads of many messages", selectAllPayloads, "SEARCH p USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		{"who uses a file", "SELECT 1 FROM payload WHERE sha256 = ? AND place = 2 LIMIT 1", "USING COVERING INDEX payload_file (sha256=?)"},
		{"whose piece a file is", fileOfFragment, "USING COVERING INDEX fragment_file (sha256=?)"},
		{"a group by its key", selectGroup, "(key=?)"},
		{"due tasks", dueTasks, "USING INDEX task_due (queue=? AND due<?)"},
		{"the next task", nextTask, "INDEX task_due (queue=?)"},
		{"tasks that were given up", deadTasks, "USING INDEX task_dead (queue=? AND id>?)"},
		{"the peers that messages wait for", selectWaitingPeers, "message_work (direction=? AND leased=? AND peer>?)"},
		{"the work of a peer", countWaiting, "message_work (direction=? AND leased=? AND peer=? AND due>?)"},
		{"the sessions of a user", selectSessions, "USING INDEX session_user (user=?)"},
		{"the entries of a message", selectLogOf, "USING INDEX log_message (message=?)"},
		{"the newest head", selectLastHead, "log_head"},
		{"participants", selectParticipants, "USING COVERING INDEX smp_entry_key (participant>?)"},
	} {
		var plan []string
		write(t, s, func(stx store.Tx) error {
			return stx.(*tx).w.c.query("EXPLAIN QUERY PLAN "+c.query, func(v row) error {
				plan = append(plan, v.text(3))
				return nil
			}, make([]any, params(c.query))...)
		})
		text := strings.Join(plan, "; ")
		sorted := strings.Contains(text, "TEMP B-TREE") && !strings.Contains(c.query, "+id") && c.query != selectByID && c.query != selectSessions && c.query != selectAllPayloads
		if !strings.Contains(text, c.want) || strings.Contains(text, "SCAN message") || sorted {
			t.Errorf("%s: %s", c.name, text)
		}
	}
}

// params counts the parameters of a query, ?1 to ?9 once each.
func params(query string) int {
	n := 0
	for i := range 9 {
		if strings.Contains(query, "?"+string(rune('1'+i))) {
			n = i + 1
		}
	}
	if n == 0 {
		n = strings.Count(query, "?")
	}
	return n
}
